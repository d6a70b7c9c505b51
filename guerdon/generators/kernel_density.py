"""A Gaussian kernel density estimate of the pool as generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from guerdon.generators.labeller import Labeller
from guerdon.generators.protocols import (
    FittedGenerator,
    GeneratorFitError,
    pooled_columns,
    pooled_labels,
    pooled_rows,
)
from guerdon.tables import Columns
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray

__all__ = ["KernelDensity", "PoolDensity"]

FACTORS = np.geomspace(0.05, 4.0, 40)
"""Multiples of Silverman's bandwidth that cross-validation tries."""

ROWS = 512

DISCLOSES = (
    "near copies of other parties' rows, each one a row of the pool plus noise of the kernel density's bandwidth"
)


@dataclass(frozen=True, eq=False)
class PoolDensity:
    """The mean over the pool's rows of N(row, diag(bandwidths^2)); of what is no number, the row's own.

    Attributes
    ----------
    centers : (m, d) array
        The pool's rows.
    bandwidths : (d,) array
        Standard deviations, 0 for a column that is kept as it is.
    columns : Columns or None
        What the columns are; numbers, where that is not known.
    labels : (m,) array or None
        The rows'; what is drawn around a row has its label.
    """

    centers: FloatArray
    bandwidths: FloatArray
    columns: Columns | None = None
    labels: NDArray[np.float64] | None = None

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self.draw_labelled(n, rng)[0]

    def draw_labelled(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.float64] | None]:
        rows = rng.integers(len(self.centers), size=n)
        points = self.centers[rows] + self.bandwidths * rng.standard_normal((n, self.centers.shape[1]))
        if self.columns is not None and self.columns.is_mixed:
            own = self.columns.split(self.centers[rows])
            points = self.columns.join(self.columns.split(points).numbers, own.codes)
        return points, None if self.labels is None else self.labels[rows]

    def describe(self) -> dict[str, Any]:
        return {
            "generator": "kernel density",
            "rows": len(self.centers),
            "bandwidths": [float(width) for width in self.bandwidths],
        }


@dataclass(frozen=True)
class KernelDensity:
    """A kernel density estimate: it draws a row of the pool plus Gaussian noise of the bandwidth.

    What is no number (a category, yes or no, a gap) and the label are the row's own.

    So synthetic rows can give the pool's rows away: certainly where the bandwidth is small, or where the seed of the
    draw is known, since who knows the noise subtracts it.

    Parameters
    ----------
    bandwidth : float or str
        A number is the standard deviation for every feature, in its unit. "silverman" is
        (4 / ((d + 2) m))^(1/(d + 4)) standard deviations of each feature; "cross-validation" takes the multiple of
        it under which the rows, each left out in turn, are likeliest.

    Raises
    ------
    ValueError
        bandwidth is not positive or not one of the words.
    """

    bandwidth: float | Literal["silverman", "cross-validation"] = "silverman"

    def __post_init__(self) -> None:
        number = isinstance(self.bandwidth, (int, float)) and not isinstance(self.bandwidth, bool)
        if self.bandwidth not in ("silverman", "cross-validation") and not (
            number and 0 < float(self.bandwidth) < np.inf
        ):
            raise ValueError(
                f"bandwidth must be a positive number, 'silverman' or 'cross-validation', got {self.bandwidth!r}"
            )

    def fit(self, contributions: Sequence[Contribution], *, rng: np.random.Generator | None = None) -> FittedGenerator:
        """The estimate on this pool; nothing is drawn."""
        labels, columns = pooled_labels(contributions), pooled_columns(contributions)
        labeller = Labeller.of(contributions) if labels is None else None
        given = isinstance(self.bandwidth, (int, float))
        pool = pooled_rows(
            contributions, 1 if given else 2, "a kernel density" if given else f"bandwidth={self.bandwidth!r}"
        )
        places, spread = _spreads(pool, columns)
        if isinstance(self.bandwidth, (int, float)):
            widths = np.where(np.isin(np.arange(pool.shape[1]), places), float(self.bandwidth), 0.0)
        else:
            widths = self._widths(pool, places, spread, columns)
        density = PoolDensity(pool, widths, columns, labels)
        return FittedGenerator(density, labeller, discloses=DISCLOSES, columns=columns)

    def _widths(
        self, pool: FloatArray, places: NDArray[np.intp], spread: FloatArray, columns: Columns | None
    ) -> FloatArray:
        """Standard deviations (d,), 0 for what is no number and for what does not vary."""
        m, d = len(pool), len(places)
        varies = spread > 1e-12 * np.abs(pool).max(axis=0)[places]  # a constant column stays constant
        widths = np.zeros(pool.shape[1])
        if not varies.any():
            if columns is not None and columns.is_mixed and np.ptp(pool, axis=0).any():
                return widths
            raise GeneratorFitError(f"all {m} rows are equal, so there is no spread to take a bandwidth from: give one")
        silverman = (4.0 / ((d + 2) * m)) ** (1.0 / (d + 4))
        units = pool[:, places[varies]] / spread[varies]
        factor = 1.0 if self.bandwidth == "silverman" else _likeliest(units, silverman)
        widths[places[varies]] = factor * silverman * spread[varies]
        return widths


def _spreads(pool: FloatArray, columns: Columns | None) -> tuple[NDArray[np.intp], FloatArray]:
    """Which features are numbers (p,), and their standard deviations over the rows where they stand in for no gap."""
    if columns is None:
        return np.arange(pool.shape[1]), pool.std(axis=0, ddof=1) if len(pool) > 1 else np.zeros(pool.shape[1])
    places = np.array([column.place for column in columns.numbers], dtype=np.intp)
    gaps = columns.split(pool).gaps
    known = [pool[~gap, place] for place, gap in zip(places, gaps.T, strict=True)]
    return places, np.array([values.std(ddof=1) if len(values) > 1 else 0.0 for values in known])


def _likeliest(units: FloatArray, silverman: float) -> float:
    """The factor for which sum_i log 1/(m - 1) sum_{j != i} N(x_i; x_j, h^2 I) is largest."""
    m, d = units.shape
    widths = FACTORS * silverman
    totals = np.zeros(len(widths))
    squares = np.square(units).sum(axis=1)
    with one_thread():
        for start in range(0, m, ROWS):
            rows = units[start : start + ROWS]
            distance = np.maximum(squares[start : start + ROWS, None] + squares - 2.0 * rows @ units.T, 0.0)
            distance[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf
            for place, width in enumerate(widths):
                totals[place] += logsumexp(-0.5 * distance / width**2, axis=1).sum() - len(rows) * d * np.log(width)
    best = int(totals.argmax())
    if best == 0:
        raise GeneratorFitError(
            "cross-validation takes the smallest bandwidth it tried: rows repeat, within or between parties. Remove "
            "the repeats (deduplicate), or give the bandwidth."
        )
    return float(FACTORS[best])
