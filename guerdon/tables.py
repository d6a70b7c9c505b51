"""What the features of a table stand for: numbers with bounds, yes or no, categories one level each, and gaps.

A party's table becomes numbers before it is pooled: a category one feature a level, a gap what stands in for it and,
where it is flagged, one feature more. Whoever draws rows of such a table draws in *parts* instead: real numbers, and
codes that are one of a few levels. ``Columns.split`` takes rows apart, ``Columns.join`` makes rows of parts that are
rows of the same table: whole numbers whole and within their bounds, exactly one level a category, and where there is
a gap, what stands in for one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.types import FloatArray

__all__ = ["Boolean", "Category", "Column", "Columns", "Gap", "Number", "Parts", "infer_columns"]

FEWEST = 10
"""Rows from which on what a column holds says what it is."""

DECIMALS = 6
"""A column whose numbers have more decimals than this has any number of them."""

NEAR = 3.0
"""A column without a number below 0 has 0 as its bound if its mean is within so many standard deviations of 0."""


@dataclass(frozen=True)
class Gap:
    """How a gap is written: ``fill`` (of a category the place of a level) stands in for it, and the feature at ``flag``
    is 1; None where only the fill tells it, being no value that the column could have."""

    fill: float
    flag: int | None = None


@dataclass(frozen=True)
class Number:
    """A number in one feature; ``low`` and ``high`` are included; ``decimals`` is how many it has at most, None for any
    number of them."""

    name: str
    place: int
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    gap: Gap | None = None
    decimals: int | None = None

    @property
    def places(self) -> tuple[int, ...]:
        return (self.place,)

    @property
    def levels(self) -> int:
        """Of its code, which says whether there is a gap; 0 where there is none."""
        return 0 if self.gap is None else 2

    def allowed(self, values: FloatArray) -> FloatArray:
        """The nearest values that the column can have."""
        decimals = 0 if self.whole else self.decimals
        if decimals is None:
            return np.clip(values, self.low, self.high) + 0.0
        low, high = (_rounded_inwards(end, decimals, way) for end, way in ((self.low, 1), (self.high, -1)))
        return np.clip(np.round(values, decimals), low, high) + 0.0

    def codes(self, own: FloatArray) -> NDArray[np.int64]:
        values = own[:, self.place]
        if self.gap is None:
            return np.zeros(len(own), dtype=np.int64)
        if self.gap.flag is not None:
            return (own[:, self.gap.flag] >= 0.5).astype(np.int64)
        return (np.abs(values - self.gap.fill) < np.abs(values - self.allowed(values))).astype(np.int64)


@dataclass(frozen=True)
class Boolean:
    """1 or 0 in one feature."""

    name: str
    place: int
    gap: Gap | None = None

    @property
    def places(self) -> tuple[int, ...]:
        return (self.place,)

    @property
    def levels(self) -> int:
        return 2 + (self.gap is not None)

    def codes(self, own: FloatArray) -> NDArray[np.int64]:
        return _with_gap((own[:, self.place] >= 0.5).astype(np.int64), own, self.gap, 2)


@dataclass(frozen=True)
class Category:
    """One of several levels, each a feature that is 1 where it is the row's own and else 0."""

    name: str
    places: tuple[int, ...]
    gap: Gap | None = None

    @property
    def levels(self) -> int:
        return len(self.places) + (self.gap is not None)

    def codes(self, own: FloatArray) -> NDArray[np.int64]:
        nearest = own[:, list(self.places)].argmax(axis=1)
        return _with_gap(nearest.astype(np.int64), own, self.gap, len(self.places))


Column = Number | Boolean | Category


class Parts(NamedTuple):
    """Rows taken apart.

    Attributes
    ----------
    numbers : (m, p) array
        The numbers, in their own units.
    gaps : (m, p) array of bool
        Where a number only stands in for a gap.
    codes : (m, q) array of int
        The levels from 0, one column for each of ``Columns.levels``.
    """

    numbers: FloatArray
    gaps: NDArray[np.bool_]
    codes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table whose rows have d features.

    Parameters
    ----------
    each : tuple of Number, Boolean or Category
        In the table's order.
    offset, scale : (d,) array
        A feature times ``scale`` plus ``offset`` is what the column holds; features in standard units have others than
        0 and 1.

    Raises
    ------
    ValueError
        A feature belongs to no column, or to two.

    Examples
    --------
    >>> table = Columns.of([Number("days", 0, low=0.0, whole=True), Category("pain", (1, 2, 3))])
    >>> table.conform(np.array([[-6.5, 0.2, 0.5, 0.3]]))
    array([[0., 0., 1., 0.]])
    """

    each: tuple[Column, ...]
    offset: FloatArray
    scale: FloatArray

    def __post_init__(self) -> None:
        places = [place for column in self.each for place in _all_places(column)]
        if sorted(places) != list(range(len(self.offset))):
            raise ValueError(
                f"each of {len(self.offset)} features belongs to one column, but the columns name {sorted(places)}"
            )

    @classmethod
    def of(cls, each: Sequence[Column]) -> Self:
        """The columns in their own units."""
        count = sum(len(_all_places(column)) for column in each)
        return cls(tuple(each), np.zeros(count), np.ones(count))

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The columns of ``Parts.numbers``."""
        return tuple(column for column in self.each if isinstance(column, Number))

    @property
    def coded(self) -> tuple[Column, ...]:
        """The columns of ``Parts.codes``: those of few levels, and numbers that can have gaps."""
        return tuple(column for column in self.each if column.levels)

    @property
    def levels(self) -> tuple[int, ...]:
        """How many levels each of ``coded`` has; where it can have gaps, the last one says that there is one."""
        return tuple(column.levels for column in self.coded)

    @property
    def is_mixed(self) -> bool:
        """Whether there is anything but numbers without gaps."""
        return bool(self.coded)

    def scaled(self, mean: FloatArray, scale: FloatArray) -> Self:
        """The columns of the same rows in other units: (features - mean) / scale."""
        return replace(self, offset=self.offset + self.scale * mean, scale=self.scale * scale)

    def in_order(self, places: Sequence[int]) -> Self:
        """The columns of the same rows with their features in this order: the new j-th is the old ``places[j]``-th."""
        new = {old: j for j, old in enumerate(places)}
        each = tuple(_moved(column, new) for column in self.each)
        chosen = list(places)
        return replace(self, each=each, offset=self.offset[chosen], scale=self.scale[chosen])

    def split(self, X: FloatArray) -> Parts:
        """Rows (m, d) taken apart; where they are no rows of this table, each code is the nearest level."""
        own = X * self.scale + self.offset
        numbers = self.numbers
        return Parts(
            own[:, [column.place for column in numbers]],
            np.array([column.codes(own) for column in numbers], dtype=bool).reshape(len(numbers), len(own)).T,
            np.array([column.codes(own) for column in self.coded], dtype=np.int64)
            .reshape(len(self.levels), len(own))
            .T,
        )

    def join(self, numbers: FloatArray, codes: NDArray[np.int64]) -> FloatArray:
        """Rows of this table (m, d): numbers become the nearest that their column can have."""
        own = np.zeros((len(numbers), len(self)))
        number, code = iter(numbers.T), iter(codes.T)
        for column in self.each:
            level = next(code) if column.levels else np.zeros(len(own), dtype=np.int64)
            if isinstance(column, Number):
                own[:, column.place] = column.allowed(next(number))
                gaps = level == 1
            elif isinstance(column, Boolean):
                own[:, column.place] = level == 1
                gaps = level == 2
            else:
                gaps = level == len(column.places)
                own[np.arange(len(own)), np.array(column.places)[np.where(gaps, 0, level)]] = 1.0
            if column.gap is not None:
                _fill(own, column, column.gap, gaps)
        return np.asarray((own - self.offset) / self.scale)

    def conform(self, X: FloatArray) -> FloatArray:
        """The nearest rows of this table (m, d); what is a row of it already stays as it is, to the bit."""
        numbers, gaps, codes = self.split(X)
        rows = self.join(numbers, codes)
        for column, values, gap in zip(self.numbers, numbers.T, gaps.T, strict=True):
            fits = ~gap & (column.allowed(values) == values)
            rows[fits, column.place] = X[fits, column.place]
        return rows

    def refined(self, X: FloatArray) -> Self:
        """The columns with what these rows (m, d) say of numbers: whole if all are, else with as many decimals as they
        have at most, and not below 0 if none is and 0 is near. Nothing is said by fewer than 10 rows, or of what was
        known before."""
        if len(X) < FEWEST:
            return self
        numbers, gaps, _ = self.split(X)
        found = {
            column.place: _refined(column, values[~gap])
            for column, values, gap in zip(self.numbers, numbers.T, gaps.T, strict=True)
        }
        return replace(
            self, each=tuple(found[column.place] if isinstance(column, Number) else column for column in self.each)
        )

    def any_decimals(self) -> Self:
        """The columns with numbers of any number of decimals."""
        each = (replace(column, decimals=None) if isinstance(column, Number) else column for column in self.each)
        return replace(self, each=tuple(each))

    def findings(self, before: Self | None = None) -> dict[str, list[str]]:
        """The names of what are whole numbers, 0 or 1, and not below 0; only of what was not known ``before``."""
        known = {column.name: column for column in before.each} if before is not None else {}
        found = {
            "whole numbers": [c.name for c in self.numbers if c.whole and not getattr(known.get(c.name), "whole", 0)],
            "0 or 1": [c.name for c in self.each if isinstance(c, Boolean) and c.name not in known],
            "not below 0": [c.name for c in self.numbers if c.low == 0.0 and getattr(known.get(c.name), "low", 1) != 0],
        }
        return {what: names for what, names in found.items() if names}


def infer_columns(X: FloatArray, names: Sequence[str]) -> Columns:
    """What the columns of rows (m, d) are, by what they hold: 0 and 1 is yes or no, the rest is numbers.

    Whole numbers and those that are not negative are found as by ``Columns.refined``; a category that was coded as 0,
    1, 2, ... can't be told from a whole number.

    Examples
    --------
    >>> rows = np.column_stack([np.arange(12) % 2, np.arange(12), np.linspace(-1, 1, 12)])
    >>> infer_columns(rows, ["sick", "days", "change"]).findings()
    {'whole numbers': ['days'], '0 or 1': ['sick'], 'not below 0': ['days']}
    """
    each = [
        Boolean(name, j) if len(X) >= FEWEST and _is_either(X[:, j]) else Number(name, j)
        for j, name in enumerate(names)
    ]
    return Columns.of(each).refined(X)


def _is_either(values: FloatArray) -> bool:
    return bool(np.all((values == 0.0) | (values == 1.0)) and np.any(values == 0.0) and np.any(values == 1.0))


def _refined(column: Number, values: FloatArray) -> Number:
    if len(values) < FEWEST:
        return column
    # Beyond 2^53 every float64 is whole: that says nothing.
    largest = float(np.abs(values).max())
    counts = [k for k in range(DECIMALS + 1) if largest * 10.0**k <= 2.0**53]
    fewest = next((k for k in counts if np.array_equal(np.round(values, k), values)), None)
    whole = column.whole or fewest == 0
    units = values / (np.abs(values).max() or 1.0)  # whose squares are finite
    near = column.low == -math.inf and units.min() >= 0.0 and units.mean() <= NEAR * units.std()
    low = 0.0 if near and column.high >= 0.0 else column.low
    return replace(column, whole=whole, low=low, decimals=column.decimals if whole else fewest)


def _rounded_inwards(end: float, decimals: int, way: int) -> float:
    """The first number of so many decimals from a bound on: up (1) from the low one, down (-1) from the high one."""
    if not math.isfinite(end):
        return end
    nearest = round(end, decimals)
    return nearest if way * (nearest - end) >= 0.0 else round(nearest + way * 10.0**-decimals, decimals)


def _with_gap(codes: NDArray[np.int64], own: FloatArray, gap: Gap | None, level: int) -> NDArray[np.int64]:
    if gap is None or gap.flag is None:
        return codes
    return np.where(own[:, gap.flag] >= 0.5, level, codes)


def _fill(own: FloatArray, column: Column, gap: Gap, gaps: NDArray[np.bool_]) -> None:
    """Write what stands in for a gap where there is one, and flag it."""
    if gap.flag is not None:
        own[:, gap.flag] = gaps
    if isinstance(column, Category):
        own[np.ix_(np.flatnonzero(gaps), np.array(column.places))] = np.arange(len(column.places)) == int(gap.fill)
    else:
        own[gaps, column.place] = gap.fill


def _all_places(column: Column) -> tuple[int, ...]:
    flag = None if column.gap is None else column.gap.flag
    return column.places if flag is None else (*column.places, flag)


def _moved(column: Column, new: dict[int, int]) -> Column:
    gap = column.gap
    if gap is not None and gap.flag is not None:
        gap = replace(gap, flag=new[gap.flag])
    if isinstance(column, Category):
        return replace(column, places=tuple(new[place] for place in column.places), gap=gap)
    return replace(column, place=new[column.place], gap=gap)
