"""What looks implausible in a party's own file, said on its own machine, with values and rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clients.table import PartyTable
from guerdon.plausibility import UNITS, code_cells, extreme_cells
from guerdon.types import FloatArray
from wire.schema import Column, Schema

__all__ = ["implausible"]

SHOWN = 5
"""Cells of a column that are printed at most."""

CORNER = 0.02
"""A column that fills less than this of what the schema allows may be in another unit."""


def implausible(table: PartyTable, schema: Schema) -> list[str]:
    """Sentences on the numbers of a file, one a line; nothing of it is sent, and none keeps the file from being used.

    Parameters
    ----------
    table : PartyTable
    schema : Schema
    """
    said = []
    for column in schema.columns:
        if column.type != "number" or column.name not in table.columns:
            continue
        cells, rows = _numbers(table, column, schema)
        if len(cells):
            fill = float(column.missing) if column.fills else None
            codes = code_cells(cells, fill)
            extreme = np.zeros(len(cells), dtype=bool)
            extreme[~codes] = extreme_cells(cells[~codes])
            said += _cells(column, cells, rows, codes, "look like a code for a missing value")
            said += _cells(column, cells, rows, extreme, "lie far outside all others, as typing errors do")
            said += _unit(column, cells)
    return said


def _numbers(table: PartyTable, column: Column, schema: Schema) -> tuple[FloatArray, NDArray[np.intp]]:
    """The finite numbers of a column, and the rows of the file in which they stand."""
    values = table.numbers(column.name)
    there = np.isfinite(values) & ~table.gaps(column.name, schema.nothing(column), as_numbers=True)
    return values[there], table.rows[there]


def _cells(column: Column, cells: FloatArray, rows: NDArray[np.intp], found: NDArray[np.bool_], what: str) -> list[str]:
    if not found.any():
        return []
    some = [f"{value:g} in row {row}" for value, row in zip(cells[found], rows[found], strict=True)][:SHOWN]
    more = f" and {int(found.sum()) - SHOWN} more" if found.sum() > SHOWN else ""
    return [f"column {column.name!r}: {', '.join(some)}{more} {what}"]


def _unit(column: Column, cells: FloatArray) -> list[str]:
    """Where the schema's bounds would fit the column in another unit, or the column is lost between them."""
    low, high = column.minimum, column.maximum
    unit = f", in {column.unit}" if column.unit else ""
    if low is None or high is None:
        return []
    outside = (cells < low) | (cells > high)
    if outside.mean() > 0.5:
        fits = [
            name
            for name, (slope, intercept) in UNITS.items()
            for converted in (slope * cells + intercept, (cells - intercept) / slope)
            if np.mean((converted >= low) & (converted <= high)) > 0.95
        ]
        likely = [name for name in fits if column.unit and column.unit in name] or fits
        named = "; ".join(list(dict.fromkeys(likely))[:SHOWN])
        which = f"; changed from one of these to the other they would be inside: {named}" if fits else ""
        return [
            f"column {column.name!r}: {int(outside.sum())} of {len(cells)} values lie outside the schema's {low:g} to "
            f"{high:g}{unit}, as if they were in another unit{which}"
        ]
    middle = np.quantile(cells, (0.05, 0.95))
    if len(cells) >= 1 / CORNER / 5 and middle[1] - middle[0] < CORNER * (high - low):
        return [
            f"column {column.name!r}: nearly all values lie from {middle[0]:g} to {middle[1]:g}, in a corner of the "
            f"schema's {low:g} to {high:g}{unit}: are they in that unit?"
        ]
    return []
