"""How the columns of one file write their numbers and dates: as the party says, else as the cells themselves prove.

A cell can prove it: 1,5 has a decimal comma, 1,234.5 a decimal point with thousands apart, 25/12/2020 the day before
the month. A column is read as most of its cells prove (a cell that proves the contrary is then no number, and an
error); where none does (1,234 or 03/04/2020 alone), as all others of the file prove with one voice; else it is in
doubt, which is a sentence and never a guess. In a file with commas between its cells, and in Parquet, a point is a
decimal point, as programs write numbers, and a comma is one only where most of a column's numbers have it: elsewhere it
is a slip of the pen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from clients.cells import GAP_WORDS, PLAIN, Notation, looks_dated, texts_of
from clients.writing import AS_FOUND, Writing

__all__ = ["Found", "find_dates", "find_notations"]

NUMBERS = r"^[+-]?[0-9.,]*[0-9][0-9.,]*([eE][+-]?[0-9]+)?$"
OTHER = {".": ",", ",": "."}
APART = {" ": r" \u00a0\u2009\u202f", "'": "'\u2019"}
"""Signs between thousands that can be no decimal sign, each with those that look like it."""

IN_DOUBT = (
    "its numbers have a {name} and three digits behind it, and nothing in the file says whether that is {reading}: say "
    'decimal="{sign}" or decimal="{other}" in the node config (as an option, --decimal)'
)
READINGS = {",": "1,234 = 1234 or 1.234", ".": "1.234 = 1.234 or 1234"}
DATES_IN_DOUBT = (
    "nothing says whether the day or the month comes first in its dates (03/04/2020): say "
    'date-format="{day}" or date-format="{month}" in the node config (as an option, --date-format)'
)
YEARS_IN_DOUBT = (
    'its dates have years of two digits: say how they are written, date-format="{day}" or another, in the node config '
    "(as an option, --date-format)"
)


class Found(NamedTuple):
    """How a column is to be read, or why that is in ``doubt``; ``proved`` : by its own cells."""

    notation: Notation = PLAIN
    dates: str = ""
    doubt: str = ""
    proved: bool = False


def find_notations(columns: Iterable[pl.Series], writing: Writing, delimiter: str) -> dict[str, Found]:
    """How each column of texts writes numbers, by its name; columns that have nothing to say are left out.

    Parameters
    ----------
    columns : iterable of Series
        Of one file.
    writing : Writing
        What the party says of it.
    delimiter : str
        What stands between its cells, "," where nothing does.
    """
    texts = {column.name: column for column in columns if column.dtype == pl.String}
    if writing.thousands in APART and not writing.decimal:
        joined = [
            column.str.replace_all(rf"([0-9])[{APART[writing.thousands]}]([0-9]{{3}})", "$1$2")
            for column in texts.values()
        ]
        found = find_notations(joined, AS_FOUND, delimiter)
        plain = {name: found.get(name, Found()) for name in texts}
        return {
            name: own._replace(notation=Notation(own.notation.decimal, writing.thousands))
            for name, own in plain.items()
        }
    if writing.decimal or writing.thousands:
        decimal = writing.decimal or OTHER.get(writing.thousands, ".")
        said = Notation(decimal, writing.thousands or OTHER[decimal])
        return {name: Found(said) for name in texts}
    seen = {name: proof for name, column in texts.items() if (proof := _signs(column, rare=delimiter != ","))}
    signs = {sign for found in seen.values() for sign in found if sign in OTHER}
    (of_file,) = signs if len(signs) == 1 else ("",)
    return {name: _found(found, of_file, commas=delimiter == ",") for name, found in seen.items()}


def _signs(column: pl.Series, *, rare: bool) -> Counter[str]:
    """How many cells of a column prove "." or "," as the decimal sign; "?." and "?," where such a sign stands before
    three digits and could be either; with ``t`` before, that thousands are apart by it. Unless such cells may be
    ``rare``, commas that at most half of its numbers have prove nothing."""
    texts = texts_of(column)
    texts = texts.filter(texts.str.contains(r"[.,]").fill_null(value=False))
    texts = texts.filter(texts.str.contains(NUMBERS))
    if not len(texts):
        return Counter()
    everything = texts_of(column).drop_nulls()
    everything = everything.filter(~everything.is_in(["", *GAP_WORDS]))
    numbers = int(everything.str.contains(NUMBERS).sum())
    if 2 * numbers <= len(everything):
        return Counter()  # texts, in which a number is none
    if not rare and 2 * int(texts.str.contains(",").sum()) <= numbers:
        texts = texts.filter(~texts.str.contains(","))
    found: Counter[str] = Counter()
    for sign, other in OTHER.items():
        s, o = rf"\{sign}", rf"\{other}"
        open_one = texts.str.contains(rf"^[+-]?[1-9][0-9]{{0,2}}{s}[0-9]{{3}}$")
        single = texts.str.contains(rf"^[+-]?[0-9]*{s}[0-9]*([eE][+-]?[0-9]+)?$") & ~open_one
        grouped = texts.str.contains(rf"^[+-]?[1-9][0-9]{{0,2}}({o}[0-9]{{3}})+{s}[0-9]*$")
        grouped |= texts.str.contains(rf"^[+-]?[1-9][0-9]{{0,2}}({o}[0-9]{{3}}){{2,}}$")
        found[f"?{sign}"] = int(open_one.sum())
        found[sign] = int((single | grouped).sum())
        found[f"t{other}"] = int(grouped.sum())
    return +found  # what no cell proves is left out


def _found(signs: Mapping[str, int], of_file: str, *, commas: bool) -> Found:
    proved = {sign: count for sign, count in signs.items() if sign in OTHER}
    opened = {sign[1]: count for sign, count in signs.items() if sign.startswith("?")}
    if proved:
        decimal = max(proved, key=lambda sign: (proved[sign], sign == "."))
        apart = f"t{OTHER[decimal]}" in signs or OTHER[decimal] in opened
        return Found(Notation(decimal, OTHER[decimal] if apart else ""), proved=True)
    if len(opened) == 2:
        return Found()
    if not opened:
        return Found()
    (sign,) = opened
    if of_file:
        return Found(Notation(of_file, OTHER[of_file] if of_file != sign else ""))
    if sign == "." and commas:
        return Found()
    name = "comma" if sign == "," else "point"
    return Found(doubt=IN_DOUBT.format(name=name, reading=READINGS[sign], sign=sign, other=OTHER[sign]))


DAY_FIRST, MONTH_FIRST = "dmy", "mdy"
PARTS = r"^([0-9]{1,2})([-/.])([0-9]{1,2})[-/.]([0-9]{4}|[0-9]{2})\b"


def find_dates(columns: Iterable[pl.Series], writing: Writing) -> Mapping[str, Found]:
    """How each column that holds dates writes them, by its name: "ymd", "dmy", "mdy", or a format that the party says.

    Parameters
    ----------
    columns : iterable of Series
        Of one file.
    writing : Writing
        What the party says of it.
    """
    texts = {column.name: column for column in columns if column.dtype == pl.String and looks_dated(column)}
    orders = {name: _order(column, writing.date_format) for name, column in texts.items()}
    proved = {order for order in orders.values() if order in (DAY_FIRST, MONTH_FIRST)}
    (of_file,) = proved if len(proved) == 1 else ("",)
    found = {}
    for name, order in orders.items():
        if not order.startswith("?"):
            found[name] = Found(dates=order, proved=True)
        elif order != "?yy" and of_file:
            found[name] = Found(dates=of_file)
        else:
            sign = order[-1] if order != "?yy" else "/"
            year = "YY" if order == "?yy" else "YYYY"
            told = YEARS_IN_DOUBT if order == "?yy" else DATES_IN_DOUBT
            day, month = f"DD{sign}MM{sign}{year}", f"MM{sign}DD{sign}{year}"
            found[name] = Found(doubt=told.format(day=day, month=month))
    return found


def _order(column: pl.Series, said: str) -> str:
    """The order of day, month and year that the cells prove, or ? with the sign between them."""
    texts = texts_of(column).drop_nulls()
    texts = texts.filter(~texts.is_in(["", *GAP_WORDS]))
    parts = texts.str.extract_groups(PARTS).struct
    first, sign, second, year = (parts.field(str(k)) for k in range(1, 5))
    if said and texts.str.to_datetime(said, strict=False, exact=True).is_not_null().mean() == 1.0:
        return said
    if first.null_count() == len(first):
        return "ymd"
    if (year.str.len_chars() == 2).any():
        return "?yy"
    if (first.cast(pl.Int64) > 12).any():
        return DAY_FIRST
    if (second.cast(pl.Int64) > 12).any():
        return MONTH_FIRST
    signs = set(sign.drop_nulls())
    return DAY_FIRST if signs == {"."} else f"?{sorted(signs)[-1]}"
