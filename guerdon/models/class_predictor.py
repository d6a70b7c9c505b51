"""A belief on classes, on the data's own inputs and labels: the classification model that a party receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.models.logistic_posterior import LogisticPosterior
from guerdon.models.protocols import Arrays
from guerdon.plugins import class_of, name_of
from guerdon.scaling import Scaling
from guerdon.types import FloatArray

__all__ = ["CLASS_POSTERIORS", "ClassPosterior", "ClassPredictor"]


class ClassPosterior(Protocol):
    """A belief on a model of classes after seeing data."""

    @property
    def classes(self) -> int:
        """K, their number."""
        ...

    @property
    def contains(self) -> str:
        """What the holder of the posterior can read from it, as a phrase for the reward that carries it."""
        ...

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """The probability of each class (k, K), each row summing to 1, at X (k, d)."""
        ...

    def retrained(self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None) -> Self:
        """The belief of the same model after other rows, with which a party scores what it can do alone."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]: ...

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self: ...


CLASS_POSTERIORS: dict[str, type[ClassPosterior]] = {"logistic": LogisticPosterior}
"""How a stored posterior is rebuilt, by the kind it was stored as."""


@dataclass(frozen=True, eq=False)
class ClassPredictor:
    """A belief on a model of classes with the scaling of its inputs, the features it expects and its labels.

    ``arrays`` and ``from_arrays`` carry all of it through a message or a file, without pickle.

    Attributes
    ----------
    posterior : ClassPosterior
        On inputs in standard units.
    scaling : Scaling
        Of the inputs; the target's part is not used.
    feature_names : tuple of str
        The columns that inputs have, in this order.
    target : str
        The name of what is predicted.
    labels : tuple of str
        The target's own word for each class, in the order of the classes.
    """

    posterior: ClassPosterior
    scaling: Scaling
    feature_names: tuple[str, ...]
    target: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.labels) != self.posterior.classes:
            raise ValueError(f"{self.posterior.classes} classes need as many labels, got {len(self.labels)}")

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """The probability of each class, (k, K) in the order of ``labels``, at X (k, d) in the data's own units."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.feature_names):
            raise ValueError(f"X must have the {len(self.feature_names)} columns {self.feature_names}, got {X.shape}")
        return self.posterior.predict_proba(self.scaling.features(X))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "kind": np.array(name_of(self.posterior, CLASS_POSTERIORS)),
            "feature_names": np.array(self.feature_names),
            "target": np.array(self.target),
            "labels": np.array(self.labels),
            **{f"posterior.{name}": array for name, array in self.posterior.arrays().items()},
            **{f"scaling.{name}": array for name, array in self.scaling.arrays().items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        posterior: type[ClassPosterior] = class_of(str(arrays["kind"]), CLASS_POSTERIORS)
        return cls(
            posterior=posterior.from_arrays(part("posterior.")),
            scaling=Scaling.from_arrays(part("scaling.")),
            feature_names=tuple(str(name) for name in arrays["feature_names"]),
            target=str(arrays["target"]),
            labels=tuple(str(label) for label in arrays["labels"]),
        )
