"""The way back from features to a party's own columns, by the schema that both sides have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guerdon import tables
from guerdon.tables import Boolean, Category, Columns, Gap, Number
from guerdon.types import FloatArray
from wire.schema import DAYS, Column, Schema, as_date

if TYPE_CHECKING:
    import polars as pl

__all__ = ["columns_of", "decoded", "gap_texts"]


def columns_of(schema: Schema) -> Columns:
    """What the features that the schema's columns become stand for, in the order of ``schema.features``."""
    each: list[tables.Column] = []
    place = 0
    for column in schema.columns:
        if column.name != schema.target:
            each.append(_column(column, place))
            place += len(column.features)
    return Columns.of(each)


def decoded(
    schema: Schema, features: Sequence[str], points: FloatArray, labels: FloatArray | None, whole: Sequence[str]
) -> pl.DataFrame:
    """Rows (k, d) of these features as the table that the schema describes: its columns in its order, categories as
    their words, yes or no as 1 or 0, dates as dates, nothing where there is a gap.

    Parameters
    ----------
    labels : (k,) of the target, None where there are none
    whole : names of columns whose numbers are whole ones
    """
    import polars as pl

    points = points[:, [list(features).index(name) for name in schema.features]]
    columns = columns_of(schema)
    numbers, _, codes = columns.split(columns.conform(points))
    number = {column.name: values for column, values in zip(columns.numbers, numbers.T, strict=True)}
    code = {column.name: values for column, values in zip(columns.coded, codes.T, strict=True)}
    found: dict[str, pl.Series] = {}
    for column in schema.columns:
        if column.name == schema.target and labels is None:
            continue
        if column.name == schema.target and labels is not None:
            values, gaps = labels, np.zeros(len(points), dtype=bool)
        elif column.numeric:
            values = number[column.name]
            gaps = code.get(column.name, np.zeros(len(points), dtype=np.int64)) == 1
        else:
            values = code[column.name].astype(np.float64)
            gaps = values == (len(column.values) if column.type == "category" else 2)
        is_whole = column.name in whole or column.name == schema.target  # labels name classes
        found[column.name] = _series(column, values, gaps, is_whole)
    return pl.DataFrame(found)


def gap_texts(schema: Schema) -> dict[str, str]:
    """What stands for a gap in a text file, by column: the first of ``missing-values`` that is no category there."""
    return {
        column.name: next((text for text in schema.nothing(column) if text not in column.values), "")
        for column in schema.columns
    }


def _column(column: Column, place: int) -> tables.Column:
    flag = place + len(column.features) - 1 if column.flag_missing else None
    if column.type == "category":
        places = tuple(range(place, place + len(column.values)))
        gap = None if flag is None else Gap(float(column.values.index(str(column.missing))), flag)
        return Category(column.name, places, gap)
    if column.type == "boolean":
        return Boolean(column.name, place, None if flag is None else Gap(float(column.missing), flag))
    number = Number(column.name, place, *_bounds(column), whole=column.whole or column.type == "date")
    if not column.fills:
        return number
    fill = float(column.missing)
    told_by_fill = not number.low <= fill <= number.high  # what no row may hold stands for a gap, flag or none
    gap = Gap(fill, flag) if flag is not None or told_by_fill else None
    return replace(number, gap=gap)


def _bounds(column: Column) -> tuple[float, float]:
    first, last = DAYS if column.type == "date" else (-np.inf, np.inf)
    return (
        first if column.minimum is None else column.minimum,
        last if column.maximum is None else column.maximum,
    )


def _series(column: Column, values: FloatArray, gaps: NDArray[np.bool_], whole: bool) -> pl.Series:
    import polars as pl

    own: list[Any]
    if column.type == "category":
        own = [None if gap else column.values[int(value)] for value, gap in zip(values, gaps, strict=True)]
        return pl.Series(column.name, own, dtype=pl.String)
    if column.type == "date":
        own = [None if gap else as_date(value) for value, gap in zip(values, gaps, strict=True)]
        return pl.Series(column.name, own, dtype=pl.Date)
    own = [None if gap else float(value) for value, gap in zip(values, gaps, strict=True)]
    integer = whole or column.whole or column.type == "boolean"
    return pl.Series(column.name, own, dtype=pl.Float64).cast(pl.Int64 if integer else pl.Float64)
