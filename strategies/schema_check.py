"""A contribution held against the schema that the mediator announced: it binds those too who don't keep to it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from guerdon.types import Contribution, FloatArray
from wire.schema import Column, Schema

__all__ = ["breach"]


def breach(contribution: Contribution, schema: Schema) -> str:
    """The first thing in which a contribution is not what the schema asks for, "" where it is; no value is quoted.

    Parameters
    ----------
    contribution : Contribution
        With the names of its features.
    schema : Schema
    """
    names = contribution.feature_names or ()
    if missing := sorted(set(schema.features) - set(names)):
        return f"column {missing[0]!r} of the schema is missing"
    if extra := sorted(set(names) - set(schema.features)):
        return f"column {extra[0]!r} is not in the schema"
    cells = {name: contribution.X[:, j] for j, name in enumerate(names)}
    for column in schema.columns:
        if column.name == schema.target:
            found = "" if contribution.y is None else _target(column, contribution.y)
        else:
            found = _feature(column, cells)
        if found:
            return f"column {column.name!r}: {found}"
    return ""


def _feature(column: Column, cells: Mapping[str, FloatArray]) -> str:
    filled = np.zeros(len(cells[column.features[0]]), dtype=bool)
    own, fill = np.column_stack([cells[name] for name in column.features]), _fill(column)
    if column.flag_missing:
        own, flag = own[:, :-1], own[:, -1]
        if not np.isin(flag, (0.0, 1.0)).all():
            return "what flags its gaps holds something else than 0 and 1"
        filled = flag == 1.0
        if (own[filled] != fill).any():
            return "where a gap is flagged stands something else than what the schema fills it with"
    elif fill is not None:  # which are gaps is not told
        filled = (own == fill).all(axis=1)
    return _values(column, own[~filled])


def _fill(column: Column) -> FloatArray | None:
    """What the features of a gap are."""
    if not column.fills:
        return None
    if column.type == "category":
        return np.array([float(value == column.missing) for value in column.values])
    return np.array([float(column.missing)])


def _values(column: Column, own: FloatArray) -> str:
    """What is wrong with the features (m, k) of cells that are no gaps."""
    if column.type == "category":
        whole = np.isin(own, (0.0, 1.0)).all(axis=1) & (own.sum(axis=1) == 1.0)
        return _of(int((~whole).sum()), len(own), "are not exactly one of its categories")
    if column.type == "boolean":
        return _of(int((~np.isin(own, (0.0, 1.0))).sum()), len(own), "are neither 0 nor 1")
    if column.whole and (count := int((own != np.round(own)).sum())):
        return _of(count, len(own), "are no whole numbers")
    if column.minimum is not None and (count := int((own < column.minimum).sum())):
        return _of(count, len(own), f"are below the minimum {column.written(column.minimum)}")
    if column.maximum is not None:
        return _of(
            int((own > column.maximum).sum()), len(own), f"are above the maximum {column.written(column.maximum)}"
        )
    return ""


def _target(column: Column, y: FloatArray) -> str:
    """The outputs, in which a category is its place."""
    if column.type == "category":
        count = int((~np.isin(y, np.arange(len(column.values)))).sum())
        return _of(count, len(y), f"are no place among its {len(column.values)} categories")
    return _values(column, y[:, None])


def _of(count: int, rows: int, what: str) -> str:
    return f"{count} of {rows} values {what}" if count else ""
