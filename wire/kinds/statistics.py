"""Sums over a party's rows, in the place of the rows: what a party is asked for, and how its sums travel and are kept.

asked    the columns in order, the units that they are brought into, the features phi, and bounds for whoever adds
         noise; all of it is public, and the same for every party
sent     Phi' Phi, Phi' y, y' y and the number of rows; or, with noise, the first two and what noise is on them

Synthetic rewards ask for another kind of sums, mean embeddings (``wire.kinds.embeddings``), at the same places.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from guerdon.privacy import Bounds, noisy_sums
from guerdon.scaling import Scaling
from guerdon.types import FloatArray, Statistics
from wire.kinds import embeddings
from wire.kinds.embeddings import AskedEmbedding, PartyEmbedding
from wire.messages import (
    ABOUT,
    ARRAYS,
    MessageError,
    array_record,
    digest,
    read_about,
    read_arrays,
    read_name,
    read_names,
    require_contributor,
)

if TYPE_CHECKING:
    from guerdon.models.features import Features

__all__ = [
    "FEATURES",
    "Asked",
    "PartySums",
    "Sent",
    "content_hash",
    "decode_asked",
    "decode_embedding",
    "decode_sums",
    "encode_asked",
    "encode_sums",
    "kept_arrays",
    "kept_asked",
    "least_rows",
    "require_units",
    "restored",
    "restored_any",
    "restored_asked",
]

FEATURES = ("Affine", "FourierFeatures", "NeuralFeatures")
"""Features that a party computes by itself: no row of another is in them, and no code comes with them."""

MEGABYTES = 64.0
"""What a party reads of features and units at most."""

SCALES, BOUNDS = (1e-12, 1e12), (1e-3, 1e6)
"""What a party takes as scales, and as bounds of rows in these units: noise on sums is as large as the bounds say, and
float64 must have room for it."""

ARRAY_NAMES = {"gram", "moment", "square", "rows", "noise", "privacy"}


def least_rows(width: int) -> int:
    """Sums over fewer rows than this, of M features, are nearly the rows themselves: max(20, 2 M)."""
    return max(20, 2 * width)


@dataclass(frozen=True, eq=False)
class Asked:
    """What sums are asked for.

    columns : the inputs in the features' order; scaling : the units that inputs and outputs are brought into first;
    features : phi, of inputs in these units; bounds : what rows are clipped to where a party adds noise, None where no
    public numbers say it.
    """

    columns: tuple[str, ...]
    scaling: Scaling
    features: Features
    bounds: Bounds | None = None

    @property
    def width(self) -> int:
        """M, the number of features."""
        return int(self.features(np.zeros((1, len(self.columns)))).shape[1])

    @property
    def takes_noise(self) -> bool:
        """Whether a party can put noise on such sums: there are bounds that rows can be clipped to."""
        return self.bounds is not None

    @property
    def hash(self) -> str:
        """sha256 over all of it."""
        return digest(kept_asked(self), json.dumps(self.columns))

    def noisy(self, exact: PartySums, multiplier: float, normal: Callable[[int], FloatArray]) -> PartySums:
        """The sums as a private party sends them."""
        assert self.bounds is not None  # takes_noise
        return noisy_sums(exact, self.bounds, multiplier, normal)


@dataclass(frozen=True, eq=False)
class PartySums(Statistics):
    """A party's sums as they came, with the columns they are of, and the privacy that its noise gives each row.

    epsilon, delta : inf and 0 without noise.
    """

    feature_names: tuple[str, ...] = ()
    epsilon: float = float("inf")
    delta: float = 0.0


Sent = PartySums | PartyEmbedding


# What is asked.


def kept_asked(asked: Asked | AskedEmbedding) -> dict[str, NDArray[Any]]:
    """What is asked as arrays to be sent or kept; ``restored_asked`` makes it again."""
    if isinstance(asked, AskedEmbedding):
        return embeddings.kept_asked(asked)
    from guerdon.models.features import features_arrays

    bounds = np.array([] if asked.bounds is None else asked.bounds, dtype=np.float64)
    scaling = {f"scaling.{name}": array for name, array in asked.scaling.arrays().items()}
    return {**features_arrays(asked.features), **scaling, "bounds": bounds}


def restored_asked(arrays: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> Asked:
    """What ``kept_asked`` made arrays of.

    Raises
    ------
    MessageError
        It asks for features that a party does not compute, or does not hold what it should.
    """
    from guerdon.models.features import features_from_arrays

    kind = str(arrays.get("features.kind", ""))
    if kind not in FEATURES:
        raise MessageError(f"sums are asked for of features {kind!r}; a party computes {', '.join(FEATURES)}")
    try:
        features = features_from_arrays(arrays)
        of_scaling = {name.removeprefix("scaling."): a for name, a in arrays.items() if name.startswith("scaling.")}
        scaling = Scaling.from_arrays(of_scaling)
        bounds = Bounds(*map(float, arrays["bounds"])) if len(arrays["bounds"]) else None
        asked = Asked(tuple(columns), scaling, features, bounds)  # type: ignore[arg-type]
        width = asked.width
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise MessageError(f"what sums are asked for can't be read: {type(error).__name__}") from error
    require_units(scaling, len(columns))
    if width < 1:
        raise MessageError("sums are asked for of no features")
    if bounds is not None and not all(_within(BOUNDS, bound) for bound in bounds):
        raise MessageError(
            f"the bounds that sums are asked for within are from {BOUNDS[0]:g} to {BOUNDS[1]:g}: in units that make "
            "rows about 1, others would only serve to make the noise too small for float64"
        )
    return asked


def require_units(scaling: Scaling, d: int) -> None:
    """Make sure that these are units that a party can bring d columns into.

    Raises
    ------
    MessageError
    """
    units = (scaling.feature_scale, scaling.feature_mean)
    whole = all(array.shape == (d,) and np.isfinite(array).all() for array in units)
    scales = [*scaling.feature_scale, scaling.target_scale]
    if not (whole and all(_within(SCALES, s) for s in scales) and np.isfinite(scaling.target_mean)):
        raise MessageError(
            f"the units that sums are asked for in are a centre and a positive scale of {d} columns, from "
            f"{SCALES[0]:g} to {SCALES[1]:g}"
        )


def _within(range_: tuple[float, float], value: float) -> bool:
    return bool(range_[0] <= value <= range_[1])


def encode_asked(asked: Asked | AskedEmbedding) -> RecordDict:
    about = ConfigRecord({"columns": list(asked.columns)})
    return RecordDict({ARRAYS: array_record(kept_asked(asked)), ABOUT: about})


def decode_asked(content: RecordDict) -> Asked | AskedEmbedding:
    """What a party is asked for, checked.

    Raises
    ------
    MessageError
    """
    columns = read_names(read_about(content).get("columns"))
    return restored_any(read_arrays(content, MEGABYTES), columns)


def restored_any(arrays: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> Asked | AskedEmbedding:
    """What ``kept_asked`` made arrays of, whichever it was.

    Raises
    ------
    MessageError
    """
    if not embeddings.is_embedding(arrays):
        return restored_asked(arrays, columns)
    asked = embeddings.restored_asked(arrays, columns)
    require_units(asked.scaling, len(columns))
    return asked


# What is sent.


def encode_sums(sums: Sent, target: str) -> RecordDict:
    about = ConfigRecord({"party": sums.party, "features": list(sums.feature_names), "target": target})
    return RecordDict({ARRAYS: array_record(kept_arrays(sums)), ABOUT: about})


def decode_embedding(
    content: RecordDict, *, party: str, target: str, asked: AskedEmbedding, max_megabytes: float
) -> PartyEmbedding:
    """A party's embedding, checked: it comes from ``party``, is what it was asked for, and can be a sum over its rows.

    Raises
    ------
    MessageError
        With the first thing that is wrong. ``RefusedError`` where the party itself declined.
    """
    return embeddings.checked(party, _sent(content, party, target, asked.columns, max_megabytes), asked)


def _sent(
    content: RecordDict, party: str, target: str, columns: Sequence[str], max_megabytes: float
) -> dict[str, NDArray[Any]]:
    """The arrays that a party sent, of these columns and this target."""
    about = read_about(content)
    require_contributor(about.get("party"), party)
    arrays = read_arrays(content, max_megabytes)
    if read_names(about.get("features")) != tuple(columns):
        raise MessageError("its sums are of other columns, or in another order, than it was asked for")
    sent = read_name(about.get("target"), "target's name")
    if sent != target:
        raise MessageError(f"its target is {sent!r}, it was asked for {target!r}")
    return arrays


def decode_sums(
    content: RecordDict, *, party: str, target: str, columns: Sequence[str], width: int, max_megabytes: float
) -> PartySums:
    """A party's sums, checked: they come from ``party``, are of so many features and of enough rows, and can be sums.

    Raises
    ------
    MessageError
        With the first thing that is wrong. ``RefusedError`` where the party itself declined.
    """
    arrays = _sent(content, party, target, columns, max_megabytes)
    if set(arrays) != ARRAY_NAMES:
        raise MessageError(
            "this run asks for statistics, and expected the sums gram, moment, square, rows, noise and privacy; got "
            f"{', '.join(sorted(arrays))[:200]}"
        )
    shapes = {"gram": (width, width), "moment": (width,), "square": (), "rows": (), "noise": (2,), "privacy": (2,)}
    for name, shape in shapes.items():
        if arrays[name].dtype != np.float64 or arrays[name].shape != shape:
            came = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            raise MessageError(f"{name} must be float64 of shape {shape}, got {came}")
    try:
        sums = _restored_sums(party, arrays, columns)
    except ValueError as error:
        raise MessageError(str(error)) from error
    if sums.exact and not np.isfinite(sums.square):
        raise MessageError("y' y is missing, and there is no noise on the sums that would excuse it")
    if sums.exact != np.isinf(sums.epsilon) or not (sums.epsilon > 0.0 and 0.0 <= sums.delta < 1.0):
        raise MessageError(
            f"epsilon = {sums.epsilon:g} and delta = {sums.delta:g} do not go with noise of standard deviations "
            f"{sums.gram_noise:g} and {sums.moment_noise:g}"
        )
    if sums.exact and sums.rows < least_rows(width):
        raise MessageError(
            f"sums over fewer than {least_rows(width)} rows, of {width} features, tell nearly the rows themselves; it "
            f"sent sums over {sums.rows}"
        )
    return sums


def kept_arrays(sums: Sent) -> dict[str, NDArray[Any]]:
    """Sums as arrays to be sent or kept; ``restored`` makes them again."""
    if isinstance(sums, PartyEmbedding):
        return embeddings.kept_arrays(sums)
    return {
        "gram": sums.gram,
        "moment": sums.moment,
        "square": np.array(float(sums.square)),
        "rows": np.array(float(sums.rows)),
        "noise": np.array([sums.gram_noise, sums.moment_noise]),
        "privacy": np.array([sums.epsilon, sums.delta]),
    }


def restored(party: str, arrays: Mapping[str, NDArray[Any]], columns: Sequence[str] | None) -> Sent:
    """The sums that ``kept_arrays`` made arrays of.

    Raises
    ------
    ValueError
        They are no sums over so many rows.
    """
    if embeddings.is_embedding(arrays):
        return embeddings.restored(party, arrays, columns)
    return _restored_sums(party, arrays, columns)


def _restored_sums(party: str, arrays: Mapping[str, NDArray[Any]], columns: Sequence[str] | None) -> PartySums:
    rows = float(arrays["rows"])
    if not rows.is_integer():
        raise ValueError(f"rows of party {party!r} is a whole number of at least 0, got {rows!r}")
    (gram_noise, moment_noise), (epsilon, delta) = arrays["noise"], arrays["privacy"]
    return PartySums(
        party,
        arrays["gram"],
        arrays["moment"],
        float(arrays["square"]),
        int(rows),
        float(gram_noise),
        float(moment_noise),
        tuple(columns or ()),
        float(epsilon),
        float(delta),
    )


def content_hash(sums: Sent) -> str:
    """sha256 over a party's sums: what the ledger holds of them."""
    return digest(kept_arrays(sums), json.dumps([sums.party, sums.feature_names]))
