"""How a file's numbers and dates are written follows from what its cells prove, or is in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.cells import days_in
from clients.encoding import encode, named_by
from clients.notation import find_dates, find_notations
from clients.party_data import PartyData, PartyFile
from clients.table import read_table
from clients.writing import AS_FOUND, Writing
from wire.schema import Schema


def notations(columns: dict[str, list[str]], delimiter: str = ";") -> dict[str, tuple[str, str] | str]:
    found = find_notations([pl.Series(k, v) for k, v in columns.items()], AS_FOUND, delimiter)
    return {name: "doubt" if own.doubt else tuple(own.notation) for name, own in found.items()}


@pytest.mark.parametrize(
    ("columns", "delimiter", "expected"),
    [
        ({"a": ["1,5", "2"]}, ";", {"a": (",", "")}),
        ({"a": ["1,5", "2", "3"]}, ",", {"a": (".", "")}),
        ({"a": ["1.234,5", "1.234"]}, ";", {"a": (",", ".")}),
        ({"a": ["1,234,567", "8"]}, ";", {"a": (".", ",")}),
        ({"a": ["1,234"], "b": ["0.5"]}, ";", {"a": (".", ","), "b": (".", "")}),
        ({"a": ["1.234"], "b": ["0,5"]}, ";", {"a": (",", "."), "b": (",", "")}),
        ({"a": ["1.234"], "b": ["0,5"], "c": ["0.5"]}, ";", {"a": "doubt", "b": (",", ""), "c": (".", "")}),
        ({"a": ["1.234"]}, ";", {"a": "doubt"}),
        ({"a": ["1.234"]}, ",", {"a": (".", "")}),
        ({"a": ["1,234"]}, ",", {"a": "doubt"}),
        ({"a": ["0,123", "12,123"]}, ";", {"a": (",", "")}),
        ({"a": ["1,5", "2,5", "3.5"]}, ";", {"a": (",", "")}),  # 3.5 is then no number
        ({"a": ["x, y", "3,5"]}, ";", {}),
    ],
)
def test_numbers(columns: dict[str, list[str]], delimiter: str, expected: dict[str, Any]) -> None:
    found = notations(columns, delimiter)
    assert {name: found.get(name, (".", "")) for name in expected} == expected
    assert set(found) >= {name for name, own in expected.items() if own != (".", "")}


@pytest.mark.parametrize(
    ("cells", "said", "expected"),
    [
        (["25/12/2020", "1/2/2020"], AS_FOUND, "dmy"),
        (["12/25/2020", "1/2/2020"], AS_FOUND, "mdy"),
        (["1.2.2020"], AS_FOUND, "dmy"),
        (["2020-01-02", "2020/1/2"], AS_FOUND, "ymd"),
        (["1/2/2020"], AS_FOUND, "doubt"),
        (["1-2-2020"], AS_FOUND, "doubt"),
        (["25/12/20"], AS_FOUND, "doubt"),
        (["1/2/2020"], Writing(date_format="MM/DD/YYYY"), "%m/%d/%Y"),
        (["2020-01-02"], Writing(date_format="MM/DD/YYYY"), "ymd"),  # which proves another
    ],
)
def test_dates(cells: list[str], said: Writing, expected: str) -> None:
    found = find_dates([pl.Series("d", cells)], said)["d"]
    assert ("doubt" if found.doubt else found.dates) == expected


def test_days_are_counted_from_1970_whatever_the_notation() -> None:
    texts = pl.Series(["1970-01-02", "1970/1/2", "2 Jan 1970", "1970-01-02T12:00", "1970-02-30", "", None])
    assert days_in(texts)[:4].tolist() == [1.0, 1.0, 1.0, 1.5]
    assert np.isnan(days_in(texts)[4:]).all()
    assert days_in(pl.Series(["2/1/1970"]), "dmy").tolist() == [1.0]
    assert days_in(pl.Series([1, None]).cast(pl.Date))[0] == 1.0


SCHEMA = Schema.from_toml(
    """
    target = "y"
    [columns.seen]
    type = "date"
    minimum = 2020-01-01
    [columns.visits]
    whole = true
    [columns.bmi]
    [columns.y]
    """
)


def test_dates_and_whole_numbers_are_held_against_the_schema(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("seen,visits,bmi,y\n2020-01-02,3,1.5,1\n2019-12-31,2.5,1.5,2\nsoon,1,1.5,3\n")
    said = [problem.sentence("f.csv") for problem in encode(read_table(tmp_path / "f.csv"), SCHEMA).problems]
    assert said[0].startswith("f.csv, column 'seen', row 3 of the data: a date is expected, such as 2020-03-04")
    assert said[1].startswith("f.csv, column 'seen', row 2 of the data: below the minimum 2020-01-01")
    assert said[2].startswith("f.csv, column 'visits', row 2 of the data: a whole number is expected")


def test_a_column_in_doubt_is_a_problem_and_never_a_number(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("seen;visits;bmi;y\n1/2/2020;3;1.234;1\n3/4/2020;2;2.345;2\n")
    problems = encode(read_table(tmp_path / "f.csv"), SCHEMA).problems
    assert [(problem.column, problem.row) for problem in problems] == [("seen", 0), ("bmi", 0)]
    assert "1.234" not in problems[0].what


def test_a_row_stays_at_home_however_its_file_is_written(tmp_path: Path) -> None:
    """Which rows are held out follows from their content, also where a file is exported anew with other signs."""
    rng = np.random.default_rng(0)
    days, bmi = rng.integers(1, 28, 40), rng.normal(27, 4, 40).round(2)
    plain = "\n".join(["seen,visits,bmi,y", *(f"2020-05-{d:02d},{d},{b},{d}" for d, b in zip(days, bmi, strict=True))])
    other = [";".join(reversed(["Seen", "visits", "BMI", "y"]))]
    other += [f"{d};{str(b).replace('.', ',')};{d};{d}.05.2020" for d, b in zip(days, bmi, strict=True)]
    sent = []
    for text in (plain, "\n".join(other)):
        (tmp_path / "f.csv").write_text(text + "\n")
        file = PartyFile("f", tmp_path / "f.csv", None, tmp_path / "store", "y", None, 0.25, SCHEMA)
        sent.append(PartyData.read(file).contribution.X)
    assert np.array_equal(*sent)
    table = read_table(tmp_path / "f.csv")
    assert table.called(["seen", "bmi"]).renamed == {"seen": "Seen", "bmi": "BMI"}
    assert named_by(SCHEMA, table).columns == ["y", "bmi", "visits", "seen"]


def test_of_two_columns_that_could_be_meant_neither_is(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("Age,AGE,y\n1,2,3\n")
    assert read_table(tmp_path / "f.csv").called(["age"]).columns == ["Age", "AGE", "y"]
