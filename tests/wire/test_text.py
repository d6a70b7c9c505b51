"""Names are one printable line, and what is shown is escaped for where it is shown."""

from __future__ import annotations

import csv
import io
import unicodedata
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.csv_text import csv_text
from wire.messages import Introduction, MessageError, encode_introduction, read_names
from wire.text import cell_text, cleaned, is_line, printable

ESCAPES = [
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "a\nb",
    "a\rb",
    "a\tb",
    "\u202egnp",
    "\u2066x",
    "\x9b2J",
    "\u2028",
    "\x00",
    "\ud800",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_what_steers_a_terminal_is_no_name_and_is_not_shown(text: str) -> None:
    assert not is_line(text)
    assert all(character.isprintable() for character in printable(text))
    with pytest.raises(MessageError, match="name of feature 2 of 2 must be one line") as caught:
        encode_introduction(Introduction("north", 3, ("a", text), "y"))
    assert str(caught.value).isprintable()
    assert is_line(printable(f"a{text}b"))


@pytest.mark.parametrize("text", ["age", "Größe (cm)", "血圧", "حجم", "a=1", "x" * 500, "µg/l", "50 %", "🙂"])
def test_what_people_call_columns_is_a_name(text: str) -> None:
    assert read_names([text]) == (text,)
    assert printable(text) == text


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_text_in_a_cleaned_record_steers_anything(record: Any) -> None:
    def check(value: Any) -> None:
        if isinstance(value, str):
            categories = {unicodedata.category(character) for character in value if character != "\n"}
            assert not categories & {"Cc", "Cs", "Zl", "Zp"}
            assert "\u202e" not in value
        elif isinstance(value, dict):
            for key, item in value.items():
                check(key)
                check(item)
        else:
            for item in value:
                check(item)

    check(cleaned(record))


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_cell_is_a_formula_but_numbers_stay(text: str) -> None:
    shown = cell_text(text)
    if len(shown) > 1 and shown[0] in "=+-@\t\r":
        float(shown)
    assert shown in (text, f"'{text}")
    written = io.StringIO(newline="")
    csv.writer(written).writerow([shown])
    assert next(csv.reader(io.StringIO(written.getvalue(), newline="")))[0] == shown


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_stay_numbers(number: float) -> None:
    assert cell_text(repr(number)) == repr(number)


def test_a_table_keeps_its_numbers_and_no_text_of_it_is_a_formula() -> None:
    table = pl.DataFrame({"=cmd|' /C calc'!A0": [-1.5, 2e-300], "level": ["@SUM(A1)", "-2"], "n": [-3, 4]})
    lines = list(csv.reader(io.StringIO(csv_text(table))))
    assert lines[0] == ["'=cmd|' /C calc'!A0", "level", "n"]
    assert [[float(row[0]), row[1], int(row[2])] for row in lines[1:]] == [[-1.5, "'@SUM(A1)", -3], [2e-300, "-2", 4]]


@pytest.mark.parametrize(
    "text", ["=1+1", " =1+1", "\uff1d1+1", "\uff0bx", "\uff0dx", "\uff20x", "\n=1", "\tx", "+x", "-x", "@x"]
)
def test_what_spreadsheets_take_for_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cell_text(text) == f"'{text}"


def test_headers_that_an_apostrophe_would_make_the_same_stay_apart() -> None:
    lines = csv_text(pl.DataFrame({"=a": [1.0], "'=a": [2.0], "''=a": [3.0]})).splitlines()
    assert lines == ["'''=a,'=a,''=a", "1.0,2.0,3.0"]
