"""Which columns of a file without a schema are features, and which only number or name its rows.

The names that pandas and R give to an index, identifiers by their name, counters of the rows and texts that all differ
are left out, and said. A schema names them where they are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import polars as pl

from clients.cells import (
    MEASURED,
    gaps_in,
    has_texts,
    is_number,
    looks_dated,
    looks_like_data,
    numbers_in,
    texts_of,
    truths_in,
)
from clients.table import PartyTable
from guerdon.types import FloatArray
from wire.text import alike, tidy

__all__ = ["ENOUGH", "has_no_header", "holds_numbers", "no_features", "row_marker"]

MOST_READ = 20_000
"""Rows that are looked at to tell whether a name is a value."""

ENOUGH = 8
"""Rows from which a counter or texts that all differ are no accident."""

INDEX = re.compile(r"Unnamed: \d+(\.\d+)?(_level_\d+)?|__index_level_\d+__|\.\.\.\d+|_c0")
"""What pandas, pyarrow, R's readr and Spark call a column without a name."""

IDENTIFIERS = {"id", "ids", "uuid", "guid", "oid", "identifier", "identifiers", "mrn", "ssn", "rowid", "rownames"}
"""A column with one of these words in its name tells rows apart, and nothing else."""

COUNTERS = {
    *("index", "idx", "row", "rownum", "nr", "no", "num", "number", "lfd", "lfdnr", "seq", "sequence", "serial"),
    *("record", "case", "patient", "subject", "observation", "obs", "sample", "key", "code", "name", "pid"),
}
"""Last words in names of columns that tell rows apart where all of their values differ."""


def no_features(table: PartyTable, wanted: Iterable[str]) -> dict[str, str]:
    """The columns besides the ``wanted`` (target, noise) that are no features, with reasons that quote nothing."""
    reasons = {name: row_marker(table, name) for name in table.columns if name not in set(wanted)}
    return {name: reason for name, reason in reasons.items() if reason}


def has_no_header(table: PartyTable) -> bool:
    """The names of the columns are rather the cells of a first row.

    Half of the columns that hold numbers have a name that is one, or nothing; or most names look like data, or stand
    among the values of their own column.
    """
    numeric = [name for name in table.columns if holds_numbers(table, name)]
    if numeric and 2 * sum(map(looks_like_data, numeric)) >= len(numeric):
        return True
    strange = [name for name in table.columns if looks_like_data(name) or _is_seen(name, table[name])]
    return 2 * len(strange) > len(table.columns)


def holds_numbers(table: PartyTable, name: str) -> bool:
    """Half of a column's cells that are not empty are numbers, or true and false."""
    head, notation = table[name].head(MOST_READ), table.notation(name)
    if head.dtype.is_numeric():
        return bool((~np.isnan(numbers_in(head))).any())
    found = ~np.isnan(truths_in(head, ("true",), ("false",))) | ~np.isnan(numbers_in(head, notation))
    return bool(found.any() and 2 * found.sum() >= (~gaps_in(head)).sum())


def _is_seen(name: str, series: pl.Series) -> bool:
    if series.dtype.is_numeric() or not has_texts(series):
        return False  # a name that is a number looks like data anyway
    return tidy(name).casefold() in {
        tidy(text).casefold() for text in texts_of(series.head(MOST_READ)).unique() if text
    }


def row_marker(table: PartyTable, name: str) -> str:
    """Why a column only numbers or names the rows; "" where nothing says so."""
    series = table[name]
    if INDEX.fullmatch(name):
        return "it has no name of its own, as the index that pandas or R write beside the rows"
    words = alike(re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", name)).split()
    if set(words) & IDENTIFIERS:
        return "its name says that it identifies rows"
    if len(series) < ENOUGH or not has_texts(series):
        return ""
    numbers = table.numbers(name)
    if np.isfinite(numbers).all():
        return _numbers_reason(words[-1] if words else "", numbers)
    if series.n_unique() < len(series):
        return ""
    texts = [tidy(text) for text in texts_of(series) if text]
    if len(set(texts)) == len(series) and all(map(_is_code, texts)) and not looks_dated(series):
        return "its texts all differ, so that they identify rows"
    return ""


def _numbers_reason(last_word: str, numbers: FloatArray) -> str:
    whole = bool(np.all(numbers == np.round(numbers)))
    if not whole or len(np.unique(numbers)) < len(numbers):
        return ""
    if numbers.max() - numbers.min() == len(numbers) - 1:
        return "it counts the rows"
    if last_word in COUNTERS or last_word.endswith("nummer"):
        return "its whole numbers all differ and its name says that they number rows"
    return ""


def _is_code(text: str) -> bool:
    """A text that is no number, nor one that was written in another way."""
    return not (looks_like_data(text) or is_number(text) or MEASURED.fullmatch(text))
