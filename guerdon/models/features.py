"""Features phi(x) that a Bayesian linear model weighs: functions from inputs to columns, which travel as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.models.fourier_features import FourierFeatures
from guerdon.models.inducing_points import InducingPoints
from guerdon.models.neural_features import NeuralFeatures
from guerdon.models.protocols import Arrays
from guerdon.plugins import build, class_of, name_of
from guerdon.types import FloatArray, Progress, silent

__all__ = [
    "FEATURES",
    "Affine",
    "Computed",
    "Features",
    "TrainableFeatures",
    "as_features",
    "contents_of",
    "describe_features",
    "design_matrix",
    "features_arrays",
    "features_from_arrays",
    "predicting",
    "require_trainable",
    "unexplained_variance",
]


class Features(Protocol):
    """phi: inputs (m, d) -> features (m, M).

    More is used where it is there. ``unexplained(X, Phi) -> (m,)`` is the variance that f(x) keeps when the weights are
    known; a prediction adds it. ``scale_errors``, (M,), are the relative rounding errors of the columns; a value that
    they could have moved is refused, and so is one that ``dropped(X) -> (m, k)``, features that float64 can't tell,
    would add to. ``contains``, a text, says what whoever gets the features can read from them.
    """

    def __call__(self, X: FloatArray) -> FloatArray:
        """The features (m, M), float64, of the inputs X (m, d); those of a row don't depend on the other rows."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it takes to rebuild them, without pickle."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self: ...

    def describe(self) -> dict[str, Any]:
        """What they are, as plain numbers and text."""
        ...


class TrainableFeatures(Features, Protocol):
    """Features that are trained on public rows, and then stay as they are; before that they can't be used."""

    @property
    def trained(self) -> bool: ...

    def fit(self, X: FloatArray, y: FloatArray, *, rng: np.random.Generator, progress: Progress = silent) -> Features:
        """The features trained on inputs X (m, d) and outputs y (m,)."""
        ...


@dataclass(frozen=True)
class Affine:
    """phi(x) = (x, 1): the inputs themselves and a constant.

    Examples
    --------
    >>> Affine()(np.array([[2.0, 3.0]]))
    array([[2., 3., 1.]])
    """

    contains = "the columns of the inputs by name and a constant 1, none of the pool's rows"

    def __call__(self, X: FloatArray) -> FloatArray:
        return np.concatenate([X, np.ones((len(X), 1))], axis=1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls()

    def describe(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Computed:
    """phi that the parties computed: rows come as features, and ``features`` are what predictions use.

    Parameters
    ----------
    features : Features or None
    """

    features: Features | None

    def __call__(self, X: FloatArray) -> FloatArray:
        return X

    def arrays(self) -> dict[str, NDArray[Any]]:
        raise TypeError(
            "features that the parties computed are not stored: a posterior has those that it predicts with"
        )

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        raise TypeError("features that the parties computed are not stored")

    def describe(self) -> dict[str, Any]:
        return {} if self.features is None else self.features.describe()


FEATURES: Mapping[str, type[Features]] = {
    "Affine": Affine,
    "FourierFeatures": FourierFeatures,
    "InducingPoints": InducingPoints,
    "NeuralFeatures": NeuralFeatures,
}
"""Features that go by their bare name, in a model's text and in stored arrays."""

RAW = ""
"""Stored in place of a name where the inputs themselves are the features."""


def as_features(features: Features | str | None) -> Features | None:
    """The features for a text such as ``"Affine()"`` or ``"module:Name(key=value)"``; None for the inputs themselves.

    Raises
    ------
    PluginError
        The text can't be read, names nothing on offer, or the features refuse their arguments.
    ValueError
        What came are no features.
    """
    found: Features | None = build(features, FEATURES) if isinstance(features, str) else features
    absent = [name for name in ("__call__", "arrays", "from_arrays", "describe") if not hasattr(found, name)]
    if found is not None and (absent or isinstance(found, type)):
        raise ValueError(
            f"features are None (the inputs themselves), a text such as 'Affine()', or an object that maps inputs "
            f"(m, d) to (m, M) and has arrays(), from_arrays() and describe(); got {found!r}"
        )
    return found


def design_matrix(features: Features | None, X: FloatArray) -> FloatArray:
    """Phi (m, M) of the inputs X (m, d).

    Raises
    ------
    ValueError
        X has not two dimensions, the features are not trained yet, or what they give is no finite (m, M) array.
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must have shape (rows, features), got {X.shape}")
    if features is None:
        return X
    if not getattr(features, "trained", True):
        raise ValueError(
            f"{type(features).__name__} is not trained yet: call pretrain() with public rows before the model is used"
        )
    Phi = np.asarray(features(X), dtype=np.float64)
    if Phi.ndim != 2 or len(Phi) != len(X) or not np.all(np.isfinite(Phi)):
        raise ValueError(
            f"{type(features).__name__} must give finite features of shape ({len(X)}, M), got shape {Phi.shape} with "
            f"{Phi.size - int(np.count_nonzero(np.isfinite(Phi)))} NaN or infinite values"
        )
    return Phi


def unexplained_variance(features: Features | None, X: FloatArray, Phi: FloatArray) -> FloatArray | float:
    """What f(x) still varies when the weights are known: (m,) where the features know it, else 0."""
    unexplained = getattr(features, "unexplained", None)
    return 0.0 if unexplained is None else np.asarray(unexplained(X, Phi), dtype=np.float64)


def require_trainable(features: Features | None) -> TrainableFeatures:
    """The features as ones that can be trained.

    Raises
    ------
    ValueError
        They are fixed.
    """
    if not (hasattr(features, "trained") and hasattr(features, "fit")):
        name = "the inputs themselves" if features is None else type(features).__name__
        raise ValueError(f"there is nothing to train on public rows: the model's features are {name}, which are fixed")
    return features  # type: ignore[return-value]


def predicting(features: Features | None) -> Features | None:
    """The features to predict with."""
    return features.features if isinstance(features, Computed) else features


def describe_features(features: Features | None) -> dict[str, Any] | None:
    """The features' kind and description; None for the inputs themselves."""
    features = predicting(features)
    return None if features is None else {"kind": type(features).__name__, **features.describe()}


def contents_of(features: Features | None) -> str:
    """What the features let their owner read, for the text that goes with a reward."""
    if features is None:
        return "the columns of the inputs by name, none of the pool's rows"
    return str(getattr(features, "contains", type(features).__name__))


def features_arrays(features: Features | None) -> dict[str, NDArray[Any]]:
    """The features under their kind: ``features.kind``, and ``features.NAME`` for each of their arrays.

    The kind is a name in FEATURES, or ``module:Class`` for features of one's own, rebuilt where the module is.
    """
    if features is None:
        return {"features.kind": np.array(RAW)}
    kind = name_of(features, FEATURES)
    return {"features.kind": np.array(kind), **{f"features.{name}": a for name, a in features.arrays().items()}}


def features_from_arrays(arrays: Arrays) -> Features | None:
    """The inverse of ``features_arrays``; arrays of other names are passed over.

    Raises
    ------
    PluginError
        There are no features of this kind here.
    """
    kind = str(arrays["features.kind"])
    if kind == RAW:
        return None
    prefix = "features."
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    features: type[Features] = class_of(kind, FEATURES)
    return features.from_arrays({name: array for name, array in own.items() if name != "kind"})
