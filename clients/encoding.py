"""A table read by the schema that all parties share: the same value becomes the same number everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from guerdon.types import FloatArray
from wire.schema import Column, Schema, spelled
from wire.text import listed

__all__ = ["Encoded", "Problem", "encode"]

EXPECTED = {
    "number": "a number is expected",
    "boolean": "1 or 0, true or false, yes or no is expected",
    "category": "one of the categories {values} is expected",
}

TRUE, FALSE = ("1", "true", "yes", "y", "t"), ("0", "false", "no", "n", "f")


class Problem(NamedTuple):
    """What is wrong with a column; ``row`` is the first such row (from 1, the header not counted), 0 for none in
    particular; ``found`` what stands there (for no row in particular: what columns there are instead), which never
    leaves the party's machine."""

    column: str
    row: int
    what: str
    found: str = ""

    def sentence(self, file: str, *, quote: bool = False) -> str:
        """The problem in one line, with the value that stands in the file only if asked to ``quote`` it."""
        where = f"{file}, column {self.column!r}" + (f", row {self.row} of the data" if self.row else "")
        found = f" (there stands {self.found!r})" if self.row else f"; it has {self.found}"
        return f"{where}: {self.what}" + (found if quote and self.found else "")


@dataclass(frozen=True, eq=False)
class Encoded:
    """A table as numbers.

    X : (m, d) the schema's features; y : (m,) the target, None where there is none; kept : which of the table's rows
    these are, the others being left out for their gaps; gaps : missing values by column; problems : why it can't be
    used, in the order of the schema's columns (X and y are then not to be used).
    """

    X: FloatArray
    y: FloatArray | None
    kept: NDArray[np.bool_]
    gaps: dict[str, int]
    problems: tuple[Problem, ...]


def encode(table: pl.DataFrame, schema: Schema) -> Encoded:
    """Read the schema's columns; columns that it does not name are left alone."""
    problems: list[Problem] = []
    blocks: list[FloatArray] = []
    y: FloatArray | None = None
    gaps: dict[str, int] = {}
    dropped = np.zeros(len(table), dtype=bool)
    if not len(table):
        problems.append(Problem(schema.columns[0].name, 0, "the file has no rows"))
    for column in schema.columns:
        if column.name not in table.columns:
            problems.append(Problem(column.name, 0, "there is no such column", listed(table.columns)))
            continue
        dtype = table[column.name].dtype
        if dtype.is_nested() or dtype == pl.Binary:
            problems.append(Problem(column.name, 0, f"numbers or texts are expected, got {dtype}"))
            continue
        codes, missing, wrong = _codes(table[column.name], column, schema.missing_values)
        problems += wrong
        gaps[column.name] = int(missing.sum())
        if column.missing == "refuse" and missing.any():
            problems.append(
                Problem(column.name, _first(missing), f"{missing.sum()} missing values, the first here; none may be")
            )
        if column.missing == "drop":
            dropped |= missing
        if column.fills:
            codes = np.where(missing, _fill(column), codes)
        if column.name == schema.target:
            y = codes
        else:
            blocks.append(_features(codes, missing, column))
    if len(table) and dropped.all():
        problems.append(Problem(schema.columns[0].name, 0, "every row has a gap that the schema drops rows for"))
    kept = ~dropped
    X = np.column_stack(blocks)[kept] if blocks else np.empty((0, 0))
    return Encoded(X, None if y is None else y[kept], kept, gaps, tuple(problems))


def _codes(
    series: pl.Series, column: Column, nothing: Sequence[str]
) -> tuple[FloatArray, NDArray[np.bool_], list[Problem]]:
    """The column as numbers (a category as its place), where it has gaps, and what is wrong with it."""
    texts = None if series.dtype.is_numeric() else series.cast(pl.String, strict=False).str.strip_chars()
    if texts is None:
        gaps = series.is_null() | (series.is_nan() if series.dtype.is_float() else False)
    else:
        gaps = texts.is_null() | texts.is_in(list(nothing))
    missing = gaps.to_numpy()
    if column.type == "number":
        numbers = (series if texts is None else texts).cast(pl.Float64, strict=False)
        codes = np.where(missing, np.nan, numbers.fill_null(np.nan).to_numpy())
    else:
        codes = _places(series if texts is None else texts, missing, column)
    found = [
        (~missing & np.isnan(codes), EXPECTED[column.type].format(values=listed(column.values))),
        (np.isinf(codes), "an infinite number"),
    ]
    if column.minimum is not None:
        found.append((np.isfinite(codes) & (codes < column.minimum), f"below the minimum {column.minimum:g}"))
    if column.maximum is not None:
        found.append((np.isfinite(codes) & (codes > column.maximum), f"above the maximum {column.maximum:g}"))
    wrong = [
        Problem(column.name, _first(where), what + _more(where), str(series[_first(where) - 1]))
        for where, what in found
        if where.any()
    ]
    return codes, missing, wrong


def _places(values: pl.Series, missing: NDArray[np.bool_], column: Column) -> FloatArray:
    """The place of each value among the categories, or 1 and 0 for true and false; NaN for what is none of them."""
    if column.type == "category":
        place = {value: float(k) for k, value in enumerate(column.values)}
    else:
        place = dict.fromkeys(TRUE, 1.0) | dict.fromkeys(FALSE, 0.0)
    different, which = np.unique(
        np.where(missing, "", values.cast(pl.String).to_numpy()).astype(str), return_inverse=True
    )
    spellings = [spelled(text) if column.type == "category" else spelled(text).casefold() for text in different]
    codes: FloatArray = np.array([place.get(text, np.nan) for text in spellings])[which]
    return np.where(missing, np.nan, codes)


def _fill(column: Column) -> float:
    if column.type == "category":
        return float(column.values.index(str(column.missing)))
    return float(column.missing)


def _features(codes: FloatArray, missing: NDArray[np.bool_], column: Column) -> FloatArray:
    """(m,) or (m, k): a category as one feature a value."""
    own = codes[:, None]
    if column.type == "category":
        own = (codes[:, None] == np.arange(len(column.values))).astype(np.float64)
    return np.column_stack([own, missing.astype(np.float64)]) if column.flag_missing else own


def _first(where: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(where)[0]) + 1


def _more(where: NDArray[np.bool_]) -> str:
    others = int(where.sum()) - 1
    return f", and so in {others} other rows" if others > 1 else ", and so in another row" if others else ""
