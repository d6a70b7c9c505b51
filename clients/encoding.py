"""A table read by the schema that all parties share: the same value becomes the same number everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.cells import gaps_in, has_texts, hint_on, texts_of, truths_in
from clients.columns import has_no_header
from clients.table import HEADLESS, PartyTable
from guerdon.types import FloatArray
from wire.schema import Column, Schema, as_whole, whole_categories
from wire.text import cell_text, listed, nearly, tidy

__all__ = ["Encoded", "Problem", "encode", "named_by", "plain_rows"]

EXPECTED = {
    "number": "a number is expected",
    "boolean": "1 or 0, true or false, yes or no is expected",
    "category": "one of the categories {values} is expected",
    "date": "a date is expected, such as 2020-03-04",
}

POINTS = ", and the column holds numbers with points, which codes are not: keep it as texts"

EXACT, SINGLE = 2.0**53, 2.0**24
"""From here on whole numbers that are kept as floats, or as single ones, can't be told from their neighbours."""


class Problem(NamedTuple):
    """What is wrong with a column ("" for the whole file); ``row`` is the first such row (from 1, the header not
    counted), 0 for none in particular; ``found`` what stands there (for no row in particular: what columns there are
    instead), which never leaves the party's machine."""

    column: str
    row: int
    what: str
    found: str = ""

    def sentence(self, file: str, *, quote: bool = False) -> str:
        """The problem in one line, with the value that stands in the file only if asked to ``quote`` it."""
        where = (
            file
            + (f", column {self.column!r}" if self.column else "")
            + (f", row {self.row} of the data" if self.row else "")
        )
        found = f" (there stands {self.found!r})" if self.row else f"; it has {self.found}"
        return f"{where}: {self.what}" + (found if quote and self.found else "")


@dataclass(frozen=True, eq=False)
class Encoded:
    """A table as numbers.

    X : (m, d) the schema's features; y : (m,) the target, None where there is none; kept : which of the table's rows
    these are, the others being left out for their gaps; empty : how many of these have nothing but gaps; gaps : missing
    values by column; problems : why it can't be used, in the order of the schema's columns (X and y are then not to be
    used).
    """

    X: FloatArray
    y: FloatArray | None
    kept: NDArray[np.bool_]
    empty: int
    gaps: dict[str, int]
    problems: tuple[Problem, ...]

    def remarks(self, table: PartyTable) -> list[str]:
        """What was left out of the table, for people."""
        if not self.empty:
            return table.remarks
        rows = "1 row has" if self.empty == 1 else f"{self.empty} rows have"
        said = f"{table.file}: {rows} a gap in every column that the schema asks for; left out"
        return [*table.remarks, said]


def named_by(schema: Schema, table: PartyTable) -> PartyTable:
    """The table with its columns called as the schema calls them, also where the file spells them in other case."""
    return table.called([column.name for column in schema.columns])


def plain_rows(schema: Schema, table: PartyTable) -> pl.DataFrame:
    """The table's cells with numbers as programs write them and dates as days, so that a row is the same row however
    its file was written."""
    dates = [column.name for column in schema.columns if column.type == "date" and column.name in table.columns]
    return table.plain.with_columns(
        pl.Series(name, table.days(name)).fill_nan(None).cast(pl.String).fill_null(table[name].cast(pl.String))
        for name in dates
    )


def encode(table: PartyTable, schema: Schema) -> Encoded:
    """Read the schema's columns; columns that it does not name are left alone.

    A row with a gap in every column that the schema asks for is no row of anybody, and is left out.
    """
    problems: list[Problem] = []
    blocks: list[FloatArray] = []
    y: FloatArray | None = None
    kept = np.ones(len(table), dtype=bool)
    if not len(table):
        problems.append(Problem("", 0, "the file has no rows"))
    present = [column for column in schema.columns if column.name in table.columns]
    if len(present) < len(schema.columns) and has_no_header(table):
        return Encoded(np.empty((0, 0)), None, kept, 0, {}, (Problem("", 0, HEADLESS, listed(table.columns)),))
    gaps = {column.name: _gaps(table, column, schema) for column in present}
    empty = np.logical_and.reduce(list(gaps.values())) if present else ~kept
    for column in schema.columns:
        if column.name not in gaps:
            near = nearly(column.name, table.columns)
            hint = f"; the file has {near!r}, which differs in its spelling only: rename it" if near else ""
            problems.append(Problem(column.name, 0, f"there is no such column{hint}", listed(table.columns)))
            continue
        missing = gaps[column.name] & ~empty
        if doubt := table.doubt(column.name, dates=column.type == "date") if column.numeric else "":
            problems.append(Problem(column.name, 0, doubt))
        codes, wrong = _codes(table, column, gaps[column.name])
        problems += wrong if not doubt else []
        if column.missing == "refuse" and missing.any():
            what = f"{missing.sum()} missing values, the first here; none may be"
            problems.append(Problem(column.name, int(table.rows[_first(missing)]), what))
        if column.missing == "drop":
            kept &= ~missing
        if column.fills:
            codes = np.where(missing, _fill(column), codes)
        if column.name == schema.target:
            y = codes
        else:
            blocks.append(_features(codes, missing, column))
    kept &= ~empty
    if len(table) and not kept.any():
        problems.append(Problem("", 0, "every row has a gap that the schema drops rows for, or is empty"))
    X = np.column_stack(blocks)[kept] if blocks else np.empty((0, 0))
    counts = {name: int((missing & ~empty).sum()) for name, missing in gaps.items()}
    return Encoded(X, None if y is None else y[kept], kept, int(empty.sum()), counts, tuple(problems))


def _gaps(table: PartyTable, column: Column, schema: Schema) -> NDArray[np.bool_]:
    """Where the column has nothing: -9 for a gap also stands for it where a program wrote -9.0."""
    series, nothing = table[column.name], schema.nothing(column)
    if column.type != "category" or not has_texts(series):
        return table.gaps(column.name, nothing, as_numbers=True)
    codes, gaps = _as_codes(series), {"", *map(as_whole, nothing)}
    return gaps_in(codes, [text for text in codes.unique() if text and as_whole(tidy(text)) in gaps])


def _codes(table: PartyTable, column: Column, missing: NDArray[np.bool_]) -> tuple[FloatArray, list[Problem]]:
    """The column as numbers (a category as its place, true as 1), and what is wrong with it."""
    series = table[column.name]
    if column.type == "category":
        codes = _places(series, column) if has_texts(series) else np.full(len(series), np.nan)
    elif column.type == "date":
        codes = table.days(column.name)
    else:
        codes = table.numbers(column.name) if column.type == "number" else truths_in(series)
    codes = np.where(missing, np.nan, codes)
    strange = ~missing & np.isnan(codes)
    expected = EXPECTED[column.type].format(values=listed(column.values))
    found = [
        (strange, expected + (_hint(series, column, _first(strange)) if strange.any() else "")),
        (np.isinf(codes), "an infinite number"),
    ]
    if column.whole:
        found.append((np.isfinite(codes) & (codes != np.round(codes)), "a whole number is expected"))
    if column.minimum is not None:
        low = column.written(column.minimum)
        found.append((np.isfinite(codes) & (codes < column.minimum), f"below the minimum {low}"))
    if column.maximum is not None:
        high = column.written(column.maximum)
        found.append((np.isfinite(codes) & (codes > column.maximum), f"above the maximum {high}"))
    return codes, [_problem(table, column, where, what) for where, what in found if where.any()]


def _problem(table: PartyTable, column: Column, where: NDArray[np.bool_], what: str) -> Problem:
    """The first row of those."""
    first, others = _first(where), int(where.sum()) - 1
    more = f", and so in {others} other rows" if others > 1 else ", and so in another row" if others else ""
    return Problem(column.name, int(table.rows[first]), what + more, str(table[column.name][first]))


def _hint(series: pl.Series, column: Column, place: int) -> str:
    """A word on what kind of thing stands there instead."""
    if column.type == "category":
        return POINTS if series.dtype.is_float() else ""
    return hint_on(series, place)


def _places(series: pl.Series, column: Column) -> FloatArray:
    """The place of each value among the categories; NaN for what is none of them.

    What is written as a category is that one, also behind the apostrophe that our own CSV files have before what a
    spreadsheet takes for a formula; else a whole number with a point is the category without it, if no other is written
    with one. Numbers of a file's own, which have no spelling, are compared in the second way only.
    """
    places = {value: float(k) for k, value in enumerate(column.values)}
    places = {cell_text(value): place for value, place in places.items()} | places
    whole = {code: places[value] for code, value in whole_categories(column.values).items()}
    if series.dtype == pl.Boolean:
        places = {value.casefold(): place for value, place in places.items()}
    exact = {} if series.dtype.is_float() else places
    codes = _as_codes(series)
    found = {text: exact.get(tidy(text), whole.get(as_whole(tidy(text)), np.nan)) for text in codes.unique() if text}
    read: FloatArray = codes.replace_strict(found, default=np.nan, return_dtype=pl.Float64).fill_null(np.nan).to_numpy()
    return read


def _as_codes(series: pl.Series) -> pl.Series:
    """A column as texts; a whole number with a point, as statistics programs export one, without it."""
    if not series.dtype.is_float():
        return texts_of(series)
    limit = EXACT if series.dtype == pl.Float64 else SINGLE
    numbers = pl.col("c").fill_nan(None)
    is_whole = (numbers == numbers.round()) & (numbers.abs() < limit)
    texts = (
        pl.when(is_whole).then(numbers.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(numbers.cast(pl.String))
    )
    return series.to_frame("c").select(texts)["c"]


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
    return int(np.flatnonzero(where)[0])
