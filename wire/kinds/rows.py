"""Rows that a party contributes: how they are sent, checked, hashed and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from guerdon.images import Pixels, from_pixels, image_shape, to_pixels
from guerdon.types import Contribution, FloatArray
from wire.messages import (
    ABOUT,
    ARRAYS,
    MessageError,
    array_record,
    check_size,
    digest,
    read_about,
    read_arrays,
    read_name,
    read_names,
    read_text,
    require_contributor,
)

__all__ = [
    "NO_REFERENCES",
    "content_hash",
    "decode_contribution",
    "encode_contribution",
    "kept_arrays",
    "packed",
    "restored",
    "size_in_megabytes",
    "why_no_references",
]

NO_REFERENCES = "no-references"
"""In a contribution's description: why it brings no references, where some were asked for."""


def encode_contribution(contribution: Contribution, target: str, no_references: str = "") -> RecordDict:
    """A contribution as it is sent; ``no_references`` is why it brings none, where some were asked for."""
    about = ConfigRecord(
        {"party": contribution.party, "features": list(contribution.feature_names or ()), "target": target}
    )
    if no_references:
        about[NO_REFERENCES] = no_references
    return RecordDict({ARRAYS: array_record(kept_arrays(contribution)), ABOUT: about})


def why_no_references(content: RecordDict) -> str:
    """What a party says of bringing no references, "" where it says nothing.

    Raises
    ------
    MessageError
    """
    return read_text(read_about(content).get(NO_REFERENCES, ""), "reason for no references")


def decode_contribution(
    content: RecordDict, *, party: str, target: str, max_megabytes: float, min_rows: int, max_references: int = 0
) -> Contribution:
    """A party's contribution, checked: it comes from ``party``, is float64, finite, named, and of a sane size.

    Images may come as uint8 pixels, and count with the size that they have as float64. With a ``target`` it holds
    outputs; where that is "" the data is unlabelled. It brings so many references at most.

    Raises
    ------
    MessageError
        With the first thing that is wrong. ``RefusedError`` where the party itself declined.
    """
    about = read_about(content)
    require_contributor(about.get("party"), party)
    arrays = read_arrays(content, max_megabytes)
    features = read_names(about.get("features"))
    if "X" not in arrays:
        raise MessageError("a contribution holds the inputs X; they are missing")
    for name in ("X", "references"):
        if name in arrays and arrays[name].dtype == np.uint8 and image_shape(features) is not None:
            check_size(8 * arrays[name].size, max_megabytes)
            arrays[name] = from_pixels(arrays[name])
    for name in ("X", "y", "noise", "references"):
        if name in arrays and arrays[name].dtype != np.float64:
            raise MessageError(f"{name} must be float64, got {arrays[name].dtype}")
    X = arrays["X"]
    if X.ndim != 2 or X.shape[1] != len(features):
        raise MessageError(f"X must have one column for each of the {len(features)} feature names, got shape {X.shape}")
    sent = read_name(about.get("target"), "target's name")
    if sent != target:
        raise MessageError(f"its target is {sent!r}, it was asked for {target!r}")
    if bool(target) != ("y" in arrays):
        missing = f"outputs y are missing: the values of the target {target!r}"
        raise MessageError(missing if target else "it holds outputs y that nobody asked for")
    if len(arrays.get("references", ())) > max_references:
        asked = f"at most {max_references} were asked for" if max_references else "nobody asked for any"
        raise MessageError(f"it holds {len(arrays['references'])} references, and {asked}")
    if len(X) < min_rows:
        raise MessageError(f"at least {min_rows} rows are needed, got {len(X)}")
    try:
        return Contribution(
            party, X, arrays.get("y"), features, arrays.get("noise"), references=arrays.get("references")
        )
    except ValueError as error:
        raise MessageError(str(error)) from error


def packed(contribution: Contribution) -> FloatArray | Pixels:
    """Its inputs as they are sent and kept: images as uint8 pixels where that loses nothing, an eighth of the size."""
    return _packed(contribution.X, contribution.feature_names)


def _packed(X: FloatArray, names: Sequence[str] | None) -> FloatArray | Pixels:
    if image_shape(names) is not None:
        pixels = to_pixels(X)
        if np.array_equal(from_pixels(pixels), X):
            return pixels
    return X


def kept_arrays(contribution: Contribution) -> dict[str, NDArray[Any]]:
    """A contribution as arrays to be sent or kept; ``restored`` makes it again."""
    arrays: dict[str, NDArray[Any]] = {"X": packed(contribution)}
    if contribution.y is not None:
        arrays["y"] = contribution.y
    if contribution.noise is not None:
        arrays["noise"] = np.asarray(contribution.noise, dtype=np.float64)
    if contribution.references is not None:
        arrays["references"] = _packed(contribution.references, contribution.feature_names)
    return arrays


def restored(party: str, arrays: Mapping[str, NDArray[Any]], features: Sequence[str] | None) -> Contribution:
    """The contribution that ``kept_arrays`` made arrays of."""
    inputs = {
        name: from_pixels(X) if X.dtype == np.uint8 else X for name, X in arrays.items() if name in ("X", "references")
    }
    names = None if features is None else tuple(features)
    references = inputs.get("references")
    return Contribution(party, inputs["X"], arrays.get("y"), names, arrays.get("noise"), references=references)


def content_hash(contribution: Contribution) -> str:
    """sha256 over a contribution's names, shapes and numbers: what the ledger holds of it."""
    arrays: dict[str, NDArray[Any]] = {"X": contribution.X}
    if contribution.y is not None:
        arrays["y"] = contribution.y
    if contribution.noise is not None:
        arrays["noise"] = np.asarray(contribution.noise)
    if contribution.references is not None:
        arrays["references"] = contribution.references
    return digest(arrays, json.dumps([contribution.party, contribution.feature_names]))


def size_in_megabytes(contribution: Contribution) -> float:
    """As float64, in millions of bytes: what the run's limit is compared with."""
    parts = (contribution.X, contribution.y, contribution.noise, contribution.references)
    return sum(np.asarray(part).nbytes for part in parts if part is not None) / 1e6
