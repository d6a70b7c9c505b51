"""How alike two tables are, column by column and pair by pair, by the measures of SDMetrics' quality report.

A column of numbers is compared by the Kolmogorov-Smirnov distance, one of few levels by total variation; two columns
of numbers by their correlation, any other two by how often each combination occurs, numbers in ten bins. All scores are
from 0 (nothing alike) to 1 (the same). They speak of one and two columns: three can differ where all of these are 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.tables import Columns, Number
from guerdon.types import FloatArray

__all__ = [
    "ColumnShape",
    "Fidelity",
    "PairTrend",
    "contingency_similarity",
    "correlation_similarity",
    "fidelity",
    "ks_complement",
    "missing_value_similarity",
    "tv_complement",
]

BINS = 10
"""Of equal width between the real numbers' ends, as SDMetrics has them."""

CONSTANT = 1e-12
"""A variance below this share of the column's own is that of one value."""


def ks_complement(real: ArrayLike, synthetic: ArrayLike) -> float:
    """1 - sup |F_real - F_synthetic|, of the empirical distribution functions.

    Parameters
    ----------
    real, synthetic : (m,) and (k,) array

    Raises
    ------
    ValueError
        One of them is empty.

    Examples
    --------
    >>> ks_complement([1, 2, 3, 4], [3, 4, 5, 6])
    0.5
    """
    a, b = (np.sort(_some(values)) for values in (real, synthetic))
    steps = np.concatenate([a, b])
    apart = np.searchsorted(a, steps, side="right") / len(a) - np.searchsorted(b, steps, side="right") / len(b)
    return float(1.0 - np.abs(apart).max())


def tv_complement(real: ArrayLike, synthetic: ArrayLike) -> float:
    """1 - 1/2 sum_l |p_real(l) - p_synthetic(l)|, of the shares of the levels.

    Parameters
    ----------
    real, synthetic : (m,) and (k,) array
        Levels, as any numbers.

    Raises
    ------
    ValueError
        One of them is empty.

    Examples
    --------
    >>> tv_complement([0, 0, 1, 1], [0, 1, 1, 1])
    0.75
    """
    a, b = _some(real), _some(synthetic)
    levels, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    shares = [np.bincount(part, minlength=len(levels)) / len(part) for part in np.split(place, [len(a)])]
    return float(1.0 - 0.5 * np.abs(shares[0] - shares[1]).sum())


def missing_value_similarity(real: ArrayLike, synthetic: ArrayLike) -> float:
    """1 - |share of gaps in the real rows - share of gaps in the synthetic ones|.

    Parameters
    ----------
    real, synthetic : (m,) and (k,) array of bool
        Where there is a gap.
    """
    return float(1.0 - abs(_some(real).mean() - _some(synthetic).mean()))


def correlation_similarity(real: ArrayLike, synthetic: ArrayLike) -> float:
    """1 - |r_real - r_synthetic| / 2, of Pearson's correlations; NaN where a column has one value only.

    Parameters
    ----------
    real, synthetic : (m, 2) and (k, 2) array
    """
    r_real, r_synthetic = (
        _correlations(np.asarray(rows, dtype=np.float64), np.zeros(np.shape(rows), dtype=bool))[0, 1]
        for rows in (real, synthetic)
    )
    return float(1.0 - 0.5 * abs(r_real - r_synthetic))


def contingency_similarity(real: ArrayLike, synthetic: ArrayLike) -> float:
    """1 - 1/2 sum_ab |p_real(a, b) - p_synthetic(a, b)|, of the shares of each combination of two columns' levels.

    Parameters
    ----------
    real, synthetic : (m, 2) and (k, 2) array
        Levels, as any numbers.

    Examples
    --------
    >>> contingency_similarity([[0, 0], [1, 1]], [[0, 1], [1, 0]])  # the same columns, nothing alike in pairs
    0.0
    """
    pairs = [np.asarray(rows) for rows in (real, synthetic)]
    _, place = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    a, b = np.split(place.ravel(), [len(pairs[0])])
    return tv_complement(a, b)


class ColumnShape(NamedTuple):
    """How alike one column is.

    Attributes
    ----------
    column : str
    metric : str
        "KSComplement" or "TVComplement".
    score : float or None
        Of the values that are there; None where one side has none.
    missing : float or None
        The missing value similarity; None where the column has no gaps.
    """

    column: str
    metric: str
    score: float | None
    missing: float | None


class PairTrend(NamedTuple):
    """How alike two columns are together.

    Attributes
    ----------
    columns : tuple of str
        Two.
    metric : str
        "CorrelationSimilarity" or "ContingencySimilarity".
    score : float or None
        None where a column of numbers has one value only.
    """

    columns: tuple[str, str]
    metric: str
    score: float | None


@dataclass(frozen=True)
class Fidelity:
    """How alike synthetic rows are to real ones.

    Attributes
    ----------
    shapes : tuple of ColumnShape
        In the table's order.
    trends : tuple of PairTrend
        Of all pairs, in the table's order.
    """

    shapes: tuple[ColumnShape, ...]
    trends: tuple[PairTrend, ...]

    @property
    def column_shapes(self) -> float | None:
        """The mean over the columns; None where no column can be compared."""
        return _mean([shape.score for shape in self.shapes])

    @property
    def missing_values(self) -> float | None:
        """The mean over the columns that have gaps; None where none has."""
        return _mean([shape.missing for shape in self.shapes])

    @property
    def column_pair_trends(self) -> float | None:
        """The mean over the pairs; None where no pair can be compared."""
        return _mean([trend.score for trend in self.trends])


def fidelity(
    columns: Columns,
    real: FloatArray,
    synthetic: FloatArray,
    *,
    labels: tuple[ArrayLike, ArrayLike] | None = None,
    target: str = "label",
) -> Fidelity:
    """Compare synthetic rows with real ones, column by column and pair by pair.

    Gaps are left out of a column's shape and of correlations, and are one level more in other pairs.

    Parameters
    ----------
    columns : Columns
        What the d features stand for.
    real, synthetic : (m, d) and (k, d) array
    labels : tuple of array, optional
        (m,) and (k,): a column of few levels more, by the name ``target``.
    target : str

    Raises
    ------
    ValueError
        There are no real rows, or no synthetic ones.

    Examples
    --------
    >>> from guerdon.tables import Boolean
    >>> columns = Columns.of([Number("age", 0), Boolean("sick", 1)])
    >>> rows = np.array([[30.0, 0], [40, 0], [50, 1], [60, 1]])
    >>> fidelity(columns, rows, rows).column_pair_trends
    1.0
    >>> fidelity(columns, rows, np.column_stack([rows[:, 0], rows[::-1, 1]])).shapes[1].score  # shares stay
    1.0
    """
    if not len(real) or not len(synthetic):
        raise ValueError(f"rows can only be compared with rows, got {len(real)} real and {len(synthetic)} synthetic")
    sides = [_sides(columns, rows, of) for rows, of in zip((real, synthetic), labels or (None, None), strict=True)]
    names = [*(column.name for column in columns.each), *([] if labels is None else [target])]
    is_number = [isinstance(column, Number) for column in columns.each] + [False] * (labels is not None)
    shapes = tuple(
        _shape(name, number, *(side.column(j) for side in sides))
        for j, (name, number) in enumerate(zip(names, is_number, strict=True))
    )
    return Fidelity(shapes, _trends(names, is_number, *sides))


@dataclass(frozen=True, eq=False)
class _Side:
    """Rows as one number a column: values (m, c), a level's place or the number itself; gaps (m, c)."""

    values: FloatArray
    gaps: NDArray[np.bool_]

    def column(self, j: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        return self.values[:, j], self.gaps[:, j]


def _sides(columns: Columns, rows: FloatArray, labels: ArrayLike | None) -> _Side:
    parts = columns.split(rows)
    numbers, codes = iter(parts.numbers.T), iter(parts.codes.T)
    values: list[FloatArray] = []
    gaps: list[NDArray[np.bool_]] = []
    for column in columns.each:
        own = next(codes) if column.levels else np.zeros(len(rows), dtype=np.int64)
        gap = (own == column.levels - 1) if column.gap is not None else np.zeros(len(rows), dtype=bool)
        values.append(next(numbers) if isinstance(column, Number) else own.astype(np.float64))
        gaps.append(gap)
    if labels is not None:
        values.append(np.asarray(labels, dtype=np.float64))
        gaps.append(np.zeros(len(rows), dtype=bool))
    return _Side(np.stack(values, axis=1), np.stack(gaps, axis=1))


def _shape(
    name: str,
    number: bool,
    real: tuple[FloatArray, NDArray[np.bool_]],
    synthetic: tuple[FloatArray, NDArray[np.bool_]],
) -> ColumnShape:
    (a, a_gaps), (b, b_gaps) = real, synthetic
    known = a[~a_gaps], b[~b_gaps]
    compared = ks_complement if number else tv_complement
    score = compared(*known) if all(map(len, known)) else None
    missing = missing_value_similarity(a_gaps, b_gaps) if a_gaps.any() or b_gaps.any() else None
    return ColumnShape(name, "KSComplement" if number else "TVComplement", score, missing)


def _trends(names: Sequence[str], is_number: Sequence[bool], real: _Side, synthetic: _Side) -> tuple[PairTrend, ...]:
    r_real, r_synthetic = (_correlations(side.values, side.gaps) for side in (real, synthetic))
    levels = [_levels(number, *real.column(j), *synthetic.column(j)) for j, number in enumerate(is_number)]
    found = []
    for a, b in combinations(range(len(names)), 2):
        if is_number[a] and is_number[b]:
            score = 1.0 - 0.5 * abs(float(r_real[a, b] - r_synthetic[a, b]))
            metric = "CorrelationSimilarity"
        else:
            (first, _), (second, others) = levels[a], levels[b]
            together = first * others + second
            score = tv_complement(together[: len(real.values)], together[len(real.values) :])
            metric = "ContingencySimilarity"
        found.append(PairTrend((names[a], names[b]), metric, None if np.isnan(score) else score))
    return tuple(found)


def _levels(
    number: bool, real: FloatArray, real_gaps: NDArray[np.bool_], synthetic: FloatArray, gaps: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """The level of each real and then each synthetic row (m + k,), a gap the last one, and how many there are."""
    values, missing = np.concatenate([real, synthetic]), np.concatenate([real_gaps, gaps])
    if number:
        known = real[~real_gaps]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
        edges = np.linspace(low, high, BINS + 1)[1:-1]
        place, count = np.searchsorted(edges, values, side="right"), BINS
    else:
        levels, place = np.unique(values, return_inverse=True)
        count = len(levels)
    return np.where(missing, count, place).astype(np.int64), count + 1


def _correlations(values: FloatArray, gaps: NDArray[np.bool_]) -> FloatArray:
    """Pearson's correlation of all columns (c, c), of each two over the rows that have both; NaN without variance.

    With z standardized and 0 in gaps, u = 1 where there is none: sums over the rows that have both are z'z, z'u,
    (z z)'u and u'u.
    """
    known = ~gaps
    u = known.astype(np.float64)
    count = np.maximum(u.sum(axis=0), 1.0)
    z = np.where(known, values, 0.0)
    z = np.where(known, z - z.sum(axis=0) / count, 0.0)
    z /= np.where((deviation := np.sqrt(np.square(z).sum(axis=0) / count)) > 0.0, deviation, 1.0)
    both = np.maximum(u.T @ u, 1.0)
    mean = (z.T @ u) / both  # of a over the rows that have a and b
    variance = (np.square(z).T @ u) / both - np.square(mean)
    covariance = (z.T @ z) / both - mean * mean.T
    scale = np.where((variance > CONSTANT) & (variance.T > CONSTANT), variance * variance.T, np.nan)
    return np.asarray(np.clip(covariance / np.sqrt(scale), -1.0, 1.0))


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else None


def _some(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"expected values (m,) with m >= 1, got shape {array.shape}")
    return array
