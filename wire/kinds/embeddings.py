"""A mean embedding in the place of rows: what a party is asked for, and how it travels and is kept.

asked    the columns in order, the units that they are brought into, the kernel's length-scale, the number and the seed
         of its frequencies, and the classes that sums are told by; all of it public, and the same for every party
sent     the sums of the features over the rows of each class, and how many rows each has; or both with noise
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.mean_embedding import LEAST_ROWS, KernelFeatures, MeanEmbedding, noise_of, with_noise
from guerdon.privacy import noise_multiplier
from guerdon.scaling import Scaling
from guerdon.tables import Columns
from guerdon.types import FloatArray
from wire.messages import MessageError, digest

__all__ = [
    "EMBEDDING",
    "KIND",
    "MOST_CLASSES",
    "MOST_FREQUENCIES",
    "AskedEmbedding",
    "PartyEmbedding",
    "announced",
    "checked",
    "content_hash",
    "is_embedding",
    "kept_arrays",
    "kept_asked",
    "restored",
    "restored_asked",
]

EMBEDDING = "embedding"
"""A term of a run's proposal: that mean embeddings are asked for, and by which frequencies (``announced``)."""

KIND = "KernelFeatures"
"""What ``features.kind`` says where an embedding is asked for."""

MOST_CLASSES = 100
"""Of more classes no sums are told."""

MOST_FREQUENCIES = 65_536
LENGTHSCALES = (1e-2, 1e4)
"""What a party takes. Whether it is short for its rows, in the units that are asked for, the party finds out by these
(``clients.sums``)."""

SAME = 1e-6
"""Of one noise, how far two machines may compute it apart."""

ARRAY_NAMES = {"embedding", "counts", "classes", "kernel", "noise", "privacy"}


@dataclass(frozen=True, eq=False)
class AskedEmbedding:
    """What embedding is asked for.

    columns : the inputs in order; scaling : the units that they are brought into first; features : z, of inputs in
    these units; classes : the labels by which sums are told, none where it is one sum.
    """

    columns: tuple[str, ...]
    scaling: Scaling
    features: KernelFeatures
    classes: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """2 F, the number of features."""
        return self.features.width

    @property
    def takes_noise(self) -> bool:
        """Each row's features have length 1, whatever it holds: noise needs no bounds."""
        return True

    @property
    def hash(self) -> str:
        """sha256 over all of it."""
        return digest(kept_asked(self), json.dumps(self.columns))

    def noisy(self, exact: PartyEmbedding, multiplier: float, normal: Callable[[int], FloatArray]) -> PartyEmbedding:
        """The embedding as a private party sends it."""
        return with_noise(exact, multiplier, normal)


@dataclass(frozen=True, eq=False)
class PartyEmbedding(MeanEmbedding):
    """A party's embedding as it came, with the columns it is of, and the privacy that its noise gives each row.

    epsilon, delta : inf and 0 without noise; columns : what the features stand for, where the run knows it.
    """

    feature_names: tuple[str, ...] = ()
    epsilon: float = float("inf")
    delta: float = 0.0
    columns: Columns | None = None


# What is asked.


def announced(frequencies: int, seed: int, lengthscale: float | None = None) -> str:
    """What the proposal's term says of the embedding; the length-scale where it is known that early."""
    said = f"{frequencies} frequencies by seed {seed}"
    return said if lengthscale is None else f"{said}, length-scale {lengthscale!r}"


def kept_asked(asked: AskedEmbedding) -> dict[str, NDArray[Any]]:
    """What is asked as arrays to be sent or kept; ``restored_asked`` makes it again."""
    scaling = {f"scaling.{name}": array for name, array in asked.scaling.arrays().items()}
    kind = {"features.kind": np.array(KIND), "features.kernel": _kernel(asked.features)}
    return {**kind, **scaling, "classes": np.array(asked.classes, dtype=np.float64)}


def restored_asked(arrays: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> AskedEmbedding:
    """What ``kept_asked`` made arrays of.

    Raises
    ------
    MessageError
        It does not hold what it should.
    """
    try:
        of_scaling = {name.removeprefix("scaling."): a for name, a in arrays.items() if name.startswith("scaling.")}
        scaling = Scaling.from_arrays(of_scaling)
        features = _features(arrays["features.kernel"])
        classes = tuple(float(label) for label in arrays["classes"])
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise MessageError(f"what embedding is asked for can't be read: {type(error).__name__}") from error
    shortest, longest = LENGTHSCALES
    if not (features.frequencies <= MOST_FREQUENCIES and shortest <= features.lengthscale <= longest):
        raise MessageError(
            f"an embedding is asked for by at most {MOST_FREQUENCIES} frequencies and a length-scale from {shortest:g} "
            f"to {longest:g}: a shorter one would show single rows"
        )
    if len(classes) > MOST_CLASSES or len(set(classes)) < len(classes) or not np.isfinite(classes).all():
        raise MessageError(f"an embedding is asked for by at most {MOST_CLASSES} classes, all different")
    return AskedEmbedding(tuple(columns), scaling, features, classes)


# What is sent.


def checked(party: str, arrays: Mapping[str, NDArray[Any]], asked: AskedEmbedding) -> PartyEmbedding:
    """A party's embedding, held against what was asked for.

    Raises
    ------
    MessageError
        With the first thing that is wrong.
    """
    if set(arrays) != ARRAY_NAMES:
        raise MessageError(
            "this run asks for a mean embedding, and expected the arrays embedding, counts, classes, kernel, noise and "
            f"privacy; got {', '.join(sorted(arrays))[:200]}"
        )
    told = len(asked.classes) + 1
    shapes = {
        "embedding": (told, asked.width),
        "counts": (told,),
        "classes": (told - 1,),
        "kernel": (3,),
        "noise": (2,),
        "privacy": (2,),
    }
    for name, shape in shapes.items():
        if arrays[name].dtype != np.float64 or arrays[name].shape != shape:
            came = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            raise MessageError(f"{name} must be float64 of shape {shape}, got {came}")
    if not np.array_equal(arrays["kernel"], _kernel(asked.features)):
        raise MessageError("its embedding is by other frequencies, or another length-scale, than it was asked for")
    if tuple(arrays["classes"]) != asked.classes:
        raise MessageError("its embedding is by other classes than it was asked for")
    try:
        found = restored(party, arrays, asked.columns)
    except ValueError as error:
        raise MessageError(str(error)) from error
    if found.exact != np.isinf(found.epsilon) or found.exact != (found.count_noise == 0.0):
        raise MessageError(
            f"epsilon = {found.epsilon:g} and delta = {found.delta:g} do not go with noise of standard deviations "
            f"{found.noise:g} and {found.count_noise:g}"
        )
    if not found.exact:
        _require_noise(found)
    if not found.exact and asked.classes and (found.counts[-1] or found.sums[-1].any()):
        raise MessageError("with noise, every sum is of a class: what its last one holds has no noise on it")
    few = [int(count) for count in found.counts if 0 < count < LEAST_ROWS]
    if found.exact and (found.size < LEAST_ROWS or few):
        raise MessageError(
            f"an embedding over fewer than {LEAST_ROWS} rows tells nearly the rows themselves; it sent one over "
            f"{few[0] if few else len(found)}"
        )
    return found


def _require_noise(found: PartyEmbedding) -> None:
    """Make sure that a private party's noise is what its promise takes, and is there: values are corrected by it.

    Raises
    ------
    MessageError
    """
    try:
        needed = noise_of(noise_multiplier(found.epsilon, found.delta))
    except ValueError as error:
        raise MessageError(f"its promise of privacy is none: {error}") from error
    if not np.allclose((found.noise, found.count_noise), needed, rtol=SAME, atol=0.0):
        raise MessageError(
            f"epsilon = {found.epsilon:g} and delta = {found.delta:g} take noise of standard deviations {needed[0]:g} "
            f"on sums and {needed[1]:g} on counts, and it says {found.noise:g} and {found.count_noise:g}"
        )
    if found.lacks_noise(len(found.feature_names)):
        raise MessageError(
            f"it says that noise of standard deviation {found.noise:g} is on its sums, and they are too short for it: "
            "less was added, or none"
        )


def is_embedding(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether these arrays, as they were asked for, sent or kept, are of an embedding."""
    return "embedding" in arrays or str(arrays.get("features.kind", "")) == KIND


def kept_arrays(embedding: PartyEmbedding) -> dict[str, NDArray[Any]]:
    """An embedding as arrays to be sent or kept; ``restored`` makes it again."""
    return {
        "embedding": embedding.sums,
        "counts": embedding.counts,
        "classes": np.array(embedding.classes, dtype=np.float64),
        "kernel": _kernel(embedding.features),
        "noise": np.array([embedding.noise, embedding.count_noise]),
        "privacy": np.array([embedding.epsilon, embedding.delta]),
    }


def restored(party: str, arrays: Mapping[str, NDArray[Any]], columns: Sequence[str] | None) -> PartyEmbedding:
    """The embedding that ``kept_arrays`` made arrays of.

    Raises
    ------
    ValueError
        It is no sum over so many rows.
    """
    (noise, count_noise), (epsilon, delta) = arrays["noise"], arrays["privacy"]
    return PartyEmbedding(
        party,
        _features(arrays["kernel"]),
        arrays["embedding"],
        arrays["counts"],
        tuple(float(label) for label in arrays["classes"]),
        float(noise),
        float(count_noise),
        tuple(columns or ()),
        float(epsilon),
        float(delta),
    )


def content_hash(embedding: PartyEmbedding) -> str:
    """sha256 over a party's embedding: what the ledger holds of it."""
    return digest(kept_arrays(embedding), json.dumps([embedding.party, embedding.feature_names]))


def _kernel(features: KernelFeatures) -> NDArray[np.float64]:
    return np.array([features.lengthscale, features.frequencies, features.seed], dtype=np.float64)


def _features(kernel: NDArray[Any]) -> KernelFeatures:
    lengthscale, frequencies, seed = (float(value) for value in kernel)
    return KernelFeatures(lengthscale, int(frequencies), int(seed))
