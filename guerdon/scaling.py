"""Standardisation by the pool's own statistics, and back.

A single cell moves a mean and a standard deviation as far as it likes, and squashes its column; the median and the
quartiles it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.row_marks import RowMarks
from guerdon.types import Contribution, FloatArray, Statistics

__all__ = ["Scaling", "deviations"]

QUARTILES_APART = 1.3489795003921634
"""Standard deviations between the quartiles of a normal distribution."""

CANCELLED = 1e-13
"""A variance from sums that is no larger a share of the mean square is rounding: the column is constant."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """x -> (x - feature_mean) / feature_scale and y -> (y - target_mean) / target_scale.

    Parameters
    ----------
    feature_mean, feature_scale : (d,) array
        Centres and units of the inputs: means and standard deviations, or medians and the distances between quartiles;
        1 for a constant column.
    target_mean, target_scale : float
        Centre and unit of the outputs.
    """

    feature_mean: FloatArray
    feature_scale: FloatArray
    target_mean: float = 0.0
    target_scale: float = 1.0

    @classmethod
    def identity(cls, features: int) -> Self:
        return cls(np.zeros(features), np.ones(features))

    @classmethod
    def of_pool(cls, contributions: Sequence[Contribution], *, robust: bool = False) -> Self:
        """The centres and units over all parties' rows together.

        Parameters
        ----------
        contributions : sequence of Contribution
        robust : bool
            Medians, and quartile distances that a normal distribution's standard deviation would have; where the
            quartiles coincide, as of an event that is rare, the median distance of the cells that differ.
        """
        X = np.concatenate([c.X for c in contributions])
        outputs = [c.y for c in contributions if c.y is not None]
        y = np.concatenate(outputs) if outputs else np.zeros(1)
        if robust:
            return cls(np.median(X, axis=0), _robust_scale(X), float(np.median(y)), float(_robust_scale(y[:, None])[0]))
        return cls(X.mean(axis=0), deviations(X), float(y.mean()), float(deviations(y[:, None])[0]))

    @classmethod
    def of_sums(cls, sums: Sequence[Statistics]) -> Self:
        """Means and standard deviations over all parties' rows together, of sums over features (x, 1) without noise."""
        gram, moment = np.sum([s.gram for s in sums], axis=0), np.sum([s.moment for s in sums], axis=0)
        rows = float(gram[-1, -1])
        mean, target_mean = gram[:-1, -1] / rows, float(moment[-1]) / rows
        squares = np.append(np.diagonal(gram)[:-1], float(np.sum([s.square for s in sums]))) / rows
        variance = squares - np.square(np.append(mean, target_mean))
        scale = np.sqrt(np.where(variance > CANCELLED * squares, variance, 1.0))
        return cls(mean, scale[:-1], target_mean, float(scale[-1]))

    def then(self, after: Scaling) -> Self:
        """This scaling, and then another of what it gives."""
        return replace(
            self,
            feature_mean=self.feature_mean + self.feature_scale * after.feature_mean,
            feature_scale=self.feature_scale * after.feature_scale,
            target_mean=self.target_mean + self.target_scale * after.target_mean,
            target_scale=self.target_scale * after.target_scale,
        )

    def blurred(self, contributions: Sequence[Contribution]) -> Self:
        """Nearly the same, for others to see: of the rows as their marks weigh them, where these have weights."""
        marks = [c.marks for c in contributions]
        if all(m is None or m.weights is None for m in marks):
            return self
        rows = zip(contributions, marks, strict=True)
        w = np.concatenate([np.ones(len(c)) if m is None or m.weights is None else m.weights for c, m in rows])
        X, outputs = np.concatenate([c.X for c in contributions]), [c.y for c in contributions if c.y is not None]
        shift, stretch = _blur(X, w)
        blurred = replace(
            self,
            feature_mean=self.feature_mean + shift * self.feature_scale,
            feature_scale=self.feature_scale * stretch,
        )
        if len(outputs) < len(contributions):
            return blurred
        y_shift, y_stretch = _blur(np.concatenate(outputs)[:, None], w)
        return replace(
            blurred,
            target_mean=self.target_mean + float(y_shift[0]) * self.target_scale,
            target_scale=self.target_scale * float(y_stretch[0]),
        )

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
            marks=None if y is None else (contribution.marks or RowMarks.of(contribution)).divided(self.target_scale),
            columns=None if columns is None else columns.scaled(self.feature_mean, self.feature_scale),
            references=None if contribution.references is None else self.features(contribution.references),
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


def deviations(columns: FloatArray) -> FloatArray:
    """Standard deviation of each column; 1 where a column is constant up to rounding."""
    deviation = columns.std(axis=0)
    constant = deviation <= 1e-12 * np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float64).tiny)
    return np.where(constant, 1.0, deviation)


def _robust_scale(columns: FloatArray) -> FloatArray:
    """Quartile distance of each column in standard deviations of a normal distribution; 1 where it is constant."""
    low, high = np.quantile(columns, (0.25, 0.75), axis=0)
    scale = (high - low) / QUARTILES_APART
    for j in np.flatnonzero(scale == 0.0):
        distances = np.abs(columns[:, j] - np.median(columns[:, j]))
        scale[j] = np.median(distances[distances > 0.0]) if distances.any() else 1.0
    return np.asarray(scale)


def _blur(columns: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How weights (m,) of the rows move each column's mean, in its standard deviations, and stretch these."""
    mean, deviation = columns.mean(axis=0), deviations(columns)
    weighted = np.average(columns, axis=0, weights=w)
    spread = np.sqrt(np.average(np.square(columns - weighted), axis=0, weights=w))
    constant = np.ptp(columns, axis=0) <= 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
    still = constant | (spread == 0.0)
    return np.where(still, 0.0, (weighted - mean) / deviation), np.where(still, 1.0, spread / deviation)
