"""What stands in a cell: a number, true or false, a gap, or a text that is none of them. Nothing is guessed.

A number is written as programs write one: 12, -9.0, 9., .5, 1e-3. Not so 1_0, 0x10, "1 000", "1,5" or digits of other
scripts, which a lenient parser would take for something; unless a column has another ``Notation``, in which nothing
else is a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from guerdon.types import FloatArray
from wire.schema import FALSE, TRUE
from wire.text import tidy

__all__ = [
    "BLANKS",
    "GAP_WORDS",
    "MEASURED",
    "PLAIN",
    "Notation",
    "days_in",
    "gaps_in",
    "has_texts",
    "hint_on",
    "is_number",
    "looks_dated",
    "looks_like_data",
    "numbers_in",
    "plain_numbers",
    "texts_of",
    "truths_in",
]

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
INFINITE = r"[+-]?(?i:inf(inity)?)"

BLANKS = "".join(map(chr, (*range(9, 14), *range(28, 33), 0x85, 0xA0, 0xAD, 0x1680, *range(0x2000, 0x2010)))) + "".join(
    map(chr, (0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF))
)
"""What ``tidy`` takes off a text's ends."""

DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
MEASURED = re.compile(r"[<>≤≥~≈]?\s*[+-]?\d[\d.,' \u2009\u202f]*([eE][+-]?\d+)?\s*([^\W\d]{1,9}(/[^\W\d]{1,9})?|%)?")
"""A number with a unit, a sign of comparison, or points and commas."""

HINTS = (
    (DATE, ', and this is a date or a time: a schema has type = "date" for dates'),
    (
        r"[+-]?\d{1,3}(\.\d{3})*,\d+([eE][+-]?\d+)?|[+-]?\d*,\d+",
        ', and this has a comma: write numbers as 1.5, or say decimal="," in the node config where all have one',
    ),
    (
        r"[+-]?\d{1,3}([ '_\u2009\u202f]\d{3})+([.,]\d*)?",
        ', and this has its thousands apart: write 1000, or say thousands=" " in the node config where all are so',
    ),
    (r"(?i)true|false", ', and this is true or false: a schema has type = "boolean" for that'),
    (MEASURED, ", and this has something beside its number: write the number alone"),
)
"""What cells look like that are no numbers, in words that do not quote them."""

GAP_WORDS = (
    *("NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "NONE", "none", "nil"),
    *("?", "-", "--", "---", ".", "..", "\u2013", "\u2014", "*"),
)
"""What programs and people write where nothing is known."""

NOTHING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "--", ".", "True", "False", "true", "false")
UNKNOWN = ("unknown", "unbekannt", "missing", "none", "nil", "n.a.", "k.a.")
"""What cells hold that are gaps or answers, as names of columns do not; the latter in letters of any size."""


class Notation(NamedTuple):
    """What stands before the decimals of a column's numbers, and what may stand between their thousands."""

    decimal: str = "."
    thousands: str = ""


PLAIN = Notation()
"""As programs write numbers."""


def texts_of(series: pl.Series) -> pl.Series:
    """A column as texts without blanks around them, null where it is null."""
    return series.cast(pl.String, strict=False).str.strip_chars(BLANKS)


def has_texts(series: pl.Series) -> bool:
    """Its cells are single things that can be written as a text."""
    return not (series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object, pl.Duration))


def is_number(text: str) -> bool:
    """The text is written as a number, or as infinity."""
    return re.fullmatch(f"{NUMBER}|{INFINITE}", text) is not None


def plain_numbers(series: pl.Series, notation: Notation) -> pl.Series:
    """A column of texts in which each number of this notation is written as programs write it, and any other cell is
    null."""
    d, t = re.escape(notation.decimal), re.escape(notation.thousands)
    whole = rf"([0-9]{{1,3}}({t}[0-9]{{3}})+|[0-9]+)" if t else "[0-9]+"
    number = rf"^[+-]?({whole}({d}[0-9]*)?|{d}[0-9]+)([eE][+-]?[0-9]+)?$"
    texts = texts_of(series)
    if notation.thousands in (" ", "'"):
        texts = texts.str.replace_all(r"[\u00a0\u2009\u202f]", " ").str.replace_all("\u2019", "'")
    written = texts.str.contains(number).fill_null(value=False)
    if notation.thousands:
        texts = texts.str.replace_all(notation.thousands, "", literal=True)
    if notation.decimal != ".":
        texts = texts.str.replace(notation.decimal, ".", literal=True)
    return texts.to_frame("t").select(pl.when(written).then(pl.col("t")).otherwise(None))["t"].alias(series.name)


def numbers_in(series: pl.Series, notation: Notation = PLAIN) -> FloatArray:
    """A column as numbers, NaN where none is written; infinities stay."""
    if series.dtype.is_numeric():
        return series.cast(pl.Float64).to_numpy()  # NaN where there is none
    if not isinstance(series.dtype, pl.String):
        return np.full(len(series), np.nan)
    texts = texts_of(series) if notation == PLAIN else plain_numbers(series, notation)
    written = texts.str.contains(f"^({NUMBER}|{INFINITE})$").fill_null(value=False)
    found: FloatArray = texts.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    return np.where(written.to_numpy(), found, np.nan)


def gaps_in(
    series: pl.Series, nothing: Sequence[str] = (), notation: Notation = PLAIN, *, as_numbers: bool = False
) -> NDArray[np.bool_]:
    """Where a column has nothing: null, NaN among numbers, an empty text, or one of the texts that stand for it.

    With ``as_numbers`` such a text also stands for the same number written otherwise: -9 for -9.0.
    """
    if not has_texts(series):
        return series.is_null().to_numpy()
    if series.dtype.is_numeric():
        gaps = np.isnan(numbers_in(series))
        texts = series.cast(pl.String) if nothing and not as_numbers else None
    else:
        texts = texts_of(series)
        gaps = (texts.is_null() | (texts == "")).fill_null(value=True).to_numpy()
    if texts is not None:
        gaps = gaps | texts.is_in(list(nothing)).fill_null(value=False).to_numpy()
    if as_numbers and nothing:
        coded = [float(text) for text in nothing if re.fullmatch(NUMBER, text)]
        gaps = gaps | np.isin(numbers_in(series, notation), coded)
    return gaps


def truths_in(series: pl.Series, true: Sequence[str] = TRUE, false: Sequence[str] = FALSE) -> FloatArray:
    """A column as 1 for these texts and the number 1, 0 for those and 0; NaN for what is neither."""
    numbers = numbers_in(series)
    truths = np.where((numbers == 0.0) | (numbers == 1.0), numbers, np.nan)
    if series.dtype.is_numeric() or not has_texts(series):
        return truths
    texts = texts_of(series).str.to_lowercase()
    is_true, is_false = (texts.is_in(list(words)).fill_null(value=False).to_numpy() for words in (true, false))
    return np.where(is_true, 1.0, np.where(is_false, 0.0, truths))


TIME = r"([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?(Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?)?"
SEVERAL = r"[0-9]{1,4}([-/.])[0-9]{1,2}[-/.][0-9]{1,4}"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED = rf"[0-9]{{1,2}}[- .]{{1,2}}(?i:{'|'.join(MONTHS)})[a-z]{{0,6}}[-. ,]{{1,2}}[0-9]{{4}}"
YEAR_FIRST = rf"^([0-9]{{4}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{1,2}}){TIME}$"
YEAR_LAST = rf"^([0-9]{{1,2}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{4}}){TIME}$"
GLANCE = 500
"""Cells at either end by which a long column shows that it holds no dates."""

DAY = 86_400.0
"""Seconds of a day."""


def looks_dated(series: pl.Series) -> bool:
    """Nine in ten of a column's cells that hold something have the form of a date, such as 2020-03-04 or 4 Mar 2020."""
    if series.dtype in (pl.Date, pl.Datetime):
        return True
    if series.dtype != pl.String:
        return False
    if len(series) > 2 * GLANCE and not looks_dated(series.head(GLANCE)) and not looks_dated(series.tail(GLANCE)):
        return False
    texts = texts_of(series).drop_nulls()
    texts = texts.filter(~texts.is_in(["", *GAP_WORDS]))
    dated = texts.str.contains(rf"^({SEVERAL}|{NAMED}){TIME}$").sum()
    return bool(dated and dated >= 0.9 * len(texts))


def days_in(series: pl.Series, order: str = "ymd") -> FloatArray:
    """A column as days since 1970-01-01, the time of day as a fraction; NaN where no date is written.

    ``order`` is that of day, month and year, or a format such as %d/%m/%Y. A year first, or a month's name, needs none.
    """
    if series.dtype == pl.Date:
        return series.to_physical().cast(pl.Float64).to_numpy()
    if series.dtype == pl.Datetime:
        moments = series.dt.timestamp("ms").cast(pl.Float64)
        return np.asarray(moments.to_numpy() / (1000.0 * DAY))
    if series.dtype != pl.String:
        return np.full(len(series), np.nan)
    texts = texts_of(series)
    if "%" in order:
        try:
            found = texts.str.to_datetime(order, strict=False)
        except pl.exceptions.PolarsError:
            return np.full(len(series), np.nan)
        return days_in(found)
    first = _days(texts, YEAR_FIRST, "ymd")
    if order != "ymd":
        other = _days(texts, YEAR_LAST, order)
        first = np.where(np.isnan(first), other, first)
    named = texts.str.to_lowercase().str.replace_all(r"[- .,]+", " ")
    for k, month in enumerate(MONTHS, start=1):
        named = named.str.replace(rf"^([0-9]{{1,2}}) {month}[a-z]* ([0-9]{{4}})", rf"${{2}}-{k}-${{1}}")
    return np.where(np.isnan(first), _days(named, YEAR_FIRST, "ymd"), first)


def _days(texts: pl.Series, pattern: str, order: str) -> FloatArray:
    matched = texts.str.contains(pattern).fill_null(value=False)
    own = texts.to_frame("t").select(pl.when(matched).then(pl.col("t")).otherwise(None))["t"]
    dates = own.str.extract_groups(pattern).struct
    year, month, day = (dates.field(str(order.index(part) + 1)) for part in "ymd")
    written = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    whole = written.str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Float64).to_numpy()
    clock = own.str.extract_groups(r"[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?").struct
    hours, minutes, seconds = (clock.field(str(k)).cast(pl.Float64).fill_null(0.0).to_numpy() for k in (1, 2, 3))
    return np.asarray(whole + (3600.0 * hours + 60.0 * minutes + seconds) / DAY)


def hint_on(series: pl.Series, place: int) -> str:
    """What a cell looks like that is no number, in words that do not quote it; "" where that is not known."""
    kind = series.dtype
    if kind.is_temporal():
        return f', and the column holds dates or times ({kind}): a schema has type = "date" for dates'
    if kind == pl.Boolean:
        return ', and the column holds true and false: a schema has type = "boolean" for that'
    if not isinstance(kind, pl.String):
        return "" if kind.is_numeric() else f", and the column holds {kind.base_type()}"
    return next((hint for pattern, hint in HINTS if re.fullmatch(pattern, tidy(series[place]))), "")


def looks_like_data(name: str) -> bool:
    """A column's name that stands rather for a cell: a number, also with a unit's sign, a date, or nothing at all."""
    text = tidy(name)
    return (
        is_number(text)
        or DATE.fullmatch(text) is not None
        or re.fullmatch(r"[<>≤≥~≈]?\s*[+-]?[\d.,' ]*\d[\d.,' ]*%?", text) is not None
        or text in NOTHING
        or text.casefold() in UNKNOWN
    )
