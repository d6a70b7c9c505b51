"""Standardisation by the pool's own statistics, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.types import Contribution, FloatArray

__all__ = ["Scaling"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """x -> (x - feature_mean) / feature_scale and y -> (y - target_mean) / target_scale.

    Parameters
    ----------
    feature_mean, feature_scale : (d,) array
        Means and standard deviations of the inputs; 1 for a constant column.
    target_mean, target_scale : float
        Mean and standard deviation of the outputs.
    """

    feature_mean: FloatArray
    feature_scale: FloatArray
    target_mean: float = 0.0
    target_scale: float = 1.0

    @classmethod
    def identity(cls, features: int) -> Self:
        return cls(np.zeros(features), np.ones(features))

    @classmethod
    def of_pool(cls, contributions: Sequence[Contribution]) -> Self:
        """The means and standard deviations over all parties' rows together."""
        X = np.concatenate([c.X for c in contributions])
        outputs = [c.y for c in contributions if c.y is not None]
        y = np.concatenate(outputs) if outputs else np.zeros(1)
        return cls(X.mean(axis=0), _scale(X), float(y.mean()), float(_scale(y[:, None])[0]))

    @property
    def is_identity(self) -> bool:
        """Whether it leaves everything as it is."""
        centred = bool(np.all(self.feature_mean == 0.0)) and self.target_mean == 0.0
        return centred and bool(np.all(self.feature_scale == 1.0)) and self.target_scale == 1.0

    def features(self, X: FloatArray) -> FloatArray:
        return np.asarray((X - self.feature_mean) / self.feature_scale)

    def original_features(self, X: FloatArray) -> FloatArray:
        """Inputs in standard units back in their own."""
        return np.asarray(X * self.feature_scale + self.feature_mean)

    def apply(self, contribution: Contribution) -> Contribution:
        """The contribution in standard units; its noise variance too."""
        y, noise, columns = contribution.y, contribution.noise, contribution.columns
        return replace(
            contribution,
            X=self.features(contribution.X),
            y=None if y is None else (y - self.target_mean) / self.target_scale,
            noise=None if noise is None else np.asarray(noise) / self.target_scale**2,
            columns=None if columns is None else columns.scaled(self.feature_mean, self.feature_scale),
        )

    def target(self, mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predictive mean and variance (k,) in the target's own units."""
        return self.target_mean + self.target_scale * mean, self.target_scale**2 * variance

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "feature_mean": self.feature_mean,
            "feature_scale": self.feature_scale,
            "target_mean": np.array(self.target_mean),
            "target_scale": np.array(self.target_scale),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The scaling that ``arrays`` were made of; KeyError or ValueError where they are none."""
        return cls(
            feature_mean=np.asarray(arrays["feature_mean"], dtype=np.float64),
            feature_scale=np.asarray(arrays["feature_scale"], dtype=np.float64),
            target_mean=float(arrays["target_mean"]),
            target_scale=float(arrays["target_scale"]),
        )


def _scale(columns: FloatArray) -> FloatArray:
    """Standard deviation of each column; 1 where a column is constant up to rounding."""
    deviation = columns.std(axis=0)
    constant = deviation <= 1e-12 * np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float64).tiny)
    return np.where(constant, 1.0, deviation)
