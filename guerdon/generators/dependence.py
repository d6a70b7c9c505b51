"""Numbers that follow from others: constant columns, repeated ones, and sums of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from guerdon.types import FloatArray

__all__ = ["Dependence"]

CONSTANT = 1e-12
"""Standard deviation, to the largest value, up to which a column is constant."""

SINGULAR = 1e-5
"""What is left of a standardised column given others, to the largest such, up to which it follows from them."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """Which of p columns are free, and how the others follow: intercept + free @ slopes.

    Attributes
    ----------
    free : (f,) array
        Places of the columns of which none follows from the others.
    intercept : (p,) array
    slopes : (f, p) array
    """

    free: NDArray[np.intp]
    intercept: FloatArray
    slopes: FloatArray

    @classmethod
    def of(cls, rows: FloatArray) -> Self:
        """As these rows (m, p) have it."""
        centre, scale = rows.mean(axis=0), rows.std(axis=0)
        varies = np.flatnonzero(scale > CONSTANT * np.abs(rows).max(axis=0))
        slopes, intercept = np.zeros((0, rows.shape[1])), rows[0].copy()
        if not varies.size:
            return cls(varies, intercept, slopes)
        units = (rows[:, varies] - centre[varies]) / scale[varies]
        triangle, order = qr(units, mode="r", pivoting=True)
        left = np.abs(np.diagonal(triangle))
        rank = int((left > SINGULAR * left[0]).sum())
        chosen = np.sort(order[:rank])
        weights = np.linalg.lstsq(units[:, chosen], units, rcond=None)[0]  # (f, v)
        weights[:, chosen] = np.eye(rank)
        slopes = np.zeros((rank, rows.shape[1]))
        slopes[:, varies] = weights * scale[varies] / scale[varies[chosen]][:, None]
        intercept[varies] = centre[varies] - centre[varies[chosen]] @ slopes[:, varies]
        return cls(varies[chosen], intercept, slopes)

    def __call__(self, free: FloatArray) -> FloatArray:
        """All columns (k, p) of rows whose free ones (k, f) are these."""
        rows = self.intercept + free @ self.slopes
        rows[:, self.free] = free
        return np.asarray(rows)
