"""A draft schema: tables as people have them come out as what they are, or with the sentence that settles it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from clients.draft import Draft, draft_schema
from clients.encoding import encode
from clients.errors import PartyError
from clients.table import PartyTable, read_table
from clients.writing import Writing
from wire.schema import Schema

AWKWARD = Path(__file__).parents[1] / "data" / "awkward"


class Case(NamedTuple):
    """columns : what each is taken for, with its first encoded cell or levels; said : a sentence, where it is not
    read, or what is left open; options : what a user would say."""

    columns: Mapping[str, Any] = MappingProxyType({})
    said: str = ""
    options: Mapping[str, Any] = MappingProxyType({})


WHOLE, NUMBER, BOOLEAN, DATE = "whole number", "number", "yes or no", "date"
DAY_OR_MONTH = r'nothing says whether the day or the month comes first .* say date-format="DD/MM/YYYY" or'
POINT_OR_COMMA = r'nothing in the file says whether that is .*: say decimal="." or decimal="."'

CASES: list[tuple[str, Case]] = [
    (
        "semicolons-and-decimal-commas.csv",
        Case({"alter": (WHOLE, 34.0), "gewicht": (NUMBER, 61.5), "y": (NUMBER, 1.5)}),
    ),
    ("tabs.txt", Case({"age": (WHOLE, 34.0), "note": ("category", ("a, b", "c; d")), "y": (NUMBER, 1.5)})),
    ("bom-and-crlf.csv", Case({"größe": (WHOLE, 154.0), "y": (NUMBER, 1.5)})),
    ("latin-1.csv", Case(said=r"is not UTF-8 .* or say what it is: encoding=\"cp1252\"")),
    (
        "latin-1.csv",
        Case({"größe": (WHOLE, 154.0), "ort": ("category", ("Köln", "Würzburg"))}, "", {"encoding": "cp1252"}),
    ),
    ("utf-16.csv", Case({"größe": (WHOLE, 154.0), "y": (NUMBER, 1.5)})),
    ("sep-line.csv", Case({"age": (WHOLE, 34.0), "y": (NUMBER, 1.5)})),
    ("texts-for-gaps.csv", Case({"age": (WHOLE, 54.0), "pain": ("category", ("atypical", "none", "typical"))})),
    ("minus-nine.csv", Case({"age": (WHOLE, 34.0)})),
    ("minus-nine.csv", Case({"age": (WHOLE, 34.0)}, "", {"missing": ["-9"]})),
    (
        "quoted-line-breaks.csv",
        Case({"age in years": (WHOLE, 34.0), "remark": ("category", 'first, line and "second"')}),
    ),
    ("iso-dates.csv", Case({"seen": (DATE, 18271.0)})),
    ("day-first.csv", Case({"seen": (DATE, 18274.0), "born": (DATE, -3653.0)})),
    ("month-names.csv", Case({"seen": (DATE, 18262.0)})),
    ("day-or-month.csv", Case({"age": (WHOLE, 34.0), "seen": None}, DAY_OR_MONTH)),
    ("day-or-month.csv", Case({"seen": (DATE, 18262.0)}, "", {"date_format": "MM/DD/YYYY"})),
    ("two-digit-years.csv", Case({"seen": None}, r'years of two digits: .* date-format="DD/MM/YY"')),
    ("two-digit-years.csv", Case({"seen": (DATE, 18274.0)}, "", {"date_format": "DD/MM/YY"})),
    ("leading-zeros.csv", Case({"ward": ("category", ("001", "002", "003")), "zip": None, "age": (WHOLE, 34.0)})),
    ("yes-and-no.csv", Case({"smoker": (BOOLEAN, 1.0), "Sick": (BOOLEAN, 0.0), "urban": (BOOLEAN, 0.0)})),
    ("thousands-proved.csv", Case({"income": (NUMBER, 1000.0)})),
    ("thousands-or-decimals.csv", Case({"income": None, "age": (WHOLE, 34.0)}, POINT_OR_COMMA)),
    ("thousands-or-decimals.csv", Case({"income": (WHOLE, 1204.0)}, "", {"decimal": "."})),
    ("thousands-or-decimals.csv", Case({"income": (NUMBER, 1.204)}, "", {"decimal": ","})),
    ("points-in-a-german-file.csv", Case({"einkommen": None, "alter": (WHOLE, 34.0)}, POINT_OR_COMMA)),
    ("points-in-a-german-file.csv", Case({"einkommen": (WHOLE, 1204.0)}, "", {"thousands": "."})),
    ("thousands-by-blanks.csv", Case({"income": None, "y": (NUMBER, 1.5)}, r'thousands apart: .* say thousands=" "')),
    ("thousands-by-blanks.csv", Case({"income": (NUMBER, 1200.5)}, "", {"thousands": " "})),
    (
        "zero-and-one.csv",
        Case({"treated": (BOOLEAN, 0.0), "grade": (WHOLE, 1.0)}, r"0 and 1 only: taken as yes or no; if"),
    ),
    (
        "zero-and-one.csv",
        Case({"grade": (WHOLE, 1.0)}, r'if they are codes, type = "category", values = \["1", "2", "3"\]'),
    ),
    (
        "numbers-with-units.csv",
        Case({"crp": None}, r"one cell, the first in numbers-with-units.csv, row 4 .* --missing"),
    ),
    ("row-names.csv", Case({"Unnamed: 0": None, "name": None, "age": (WHOLE, 34.0)})),
    ("blank-lines-and-a-comma-too-many.csv", Case({"age": (WHOLE, 34.0), "y": (NUMBER, 1.5)})),
    (
        "namibia.csv",
        Case({"country": ("category", ("BW", "ZA"))}, r"NA is taken for a gap; if it is an answer, put it"),
    ),
    (
        "cut-off.csv",
        Case(said=r"cut-off.csv, row 12 of the data has 2 cells, and the header names 3 columns: it is cut"),
    ),
    ("headless.csv", Case(said=r"its first line reads like a row of data")),
]


def test_every_awkward_table_is_tried() -> None:
    names = {name for name, _ in CASES}
    assert names == {path.name for path in AWKWARD.iterdir()}
    assert len(names) >= 20


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{k}" for k, (name, _) in enumerate(CASES)])
def test_an_awkward_table_is_read_rightly_or_the_right_sentence_is_said(name: str, case: Case) -> None:
    options = dict(case.options)
    missing = options.pop("missing", ())
    if not case.columns:
        with pytest.raises(PartyError, match=case.said):
            draft_schema({name: read_table(AWKWARD / name)}, "y")
        return
    draft, tables = draft_schema({name: read_table(AWKWARD / name, Writing(**options))}, "y", missing)
    taken = {entry.name: entry for entry in draft.taken}
    for column, expected in case.columns.items():
        own = taken[column]
        if expected is None:
            assert own.column is None
            continue
        kind, what = expected
        assert own.kind == kind
        if kind == "category":
            assert what in (own.column.values, own.column.values[0])
            continue
        encoded = encode(tables[name], draft.schema)
        assert encoded.problems == ()
        cells = encoded.y if column == "y" else encoded.X[:, draft.schema.features.index(column)]
        assert cells[0] == what
    if case.said:
        with pytest.raises(AssertionError, match=case.said):
            raise AssertionError("\n".join(draft.notes))
    assert draft.schema == Schema.from_toml(draft.to_toml())


def test_codes_for_gaps_are_the_users_to_name() -> None:
    taken, _ = draft_schema({"f": read_table(AWKWARD / "minus-nine.csv")}, "y")
    named, _ = draft_schema({"f": read_table(AWKWARD / "minus-nine.csv")}, "y", ["-9"])
    of_one, _ = draft_schema({"f": read_table(AWKWARD / "minus-nine.csv")}, "y", ["Age=-9"])
    assert [draft.taken[0].gaps for draft in (taken, named, of_one)] == [0, 4, 4]
    assert "-9" in named.missing_values
    assert "-9" not in of_one.missing_values
    assert "-9" in of_one.taken[0].column.missing_values  # type: ignore[union-attr, operator]


def test_what_looks_like_a_code_is_said_and_not_taken_for_one() -> None:
    rng = np.random.default_rng(0)
    ages = [*rng.integers(20, 80, 60).tolist(), *[999] * 6]
    draft, _ = drafted({"north": {"age": ages, "y": list(rng.normal(size=66))}})
    assert draft.taken[0].gaps == 0
    assert any("999 in 6 cells" in note and "--missing age=999" in note for note in draft.notes)


def drafted(files: dict[str, dict[str, Any]], target: str = "y", **more: Any) -> tuple[Draft, dict[str, PartyTable]]:
    tables = {party: PartyTable.of(pl.DataFrame(columns), f"{party}.csv") for party, columns in files.items()}
    return draft_schema(tables, target, **more)


NORTH = {"age": ["34", "51", "47"], "sex": ["f", "m", "f"], "y": ["1.5", "2.5", "3.5"]}


def test_columns_in_another_order_and_case_are_brought_together() -> None:
    south = {"Y": ["1.0", "2.0"], "SEX": ["m", "f"], "Age": ["30", "40"], "site": ["a", "b"]}
    draft, tables = drafted({"north": NORTH, "south": south})
    assert [entry.name for entry in draft.taken] == ["age", "sex", "y", "site"]
    assert draft.taken[3].why == "only south has it, and not north"
    assert tables["south"].renamed == {"age": "Age", "sex": "SEX", "y": "Y"}
    for table in tables.values():
        assert encode(table, draft.schema).problems == ()


def test_bounds_are_plain_and_nobodys_own() -> None:
    rng = np.random.default_rng(1)
    columns = {"bmi": rng.normal(27, 4, 200).round(1), "share": rng.random(200), "y": rng.normal(size=200)}
    draft, _ = drafted({"north": columns})
    for entry in draft.taken:
        low, high = entry.column.minimum, entry.column.maximum  # type: ignore[union-attr]
        values = columns[entry.name]
        assert low < values.min() or low == 0.0  # type: ignore[operator]
        assert high > values.max()  # type: ignore[operator]
        assert all(len(f"{bound:g}".lstrip("-")) <= 4 for bound in (low, high))


def test_no_cell_but_levels_bounds_and_what_stands_in_is_in_the_file() -> None:
    rng = np.random.default_rng(2)
    names = [f"Ann-{k}" for k in range(40)]
    crp = ["<0.5" if k == 3 else f"{v:.4f}" for k, v in enumerate(rng.random(40) * 10)]
    draft, _ = drafted({"north": {"name": names, "crp": crp, "bmi": rng.normal(27, 4, 40), "y": rng.normal(size=40)}})
    text = draft.to_toml()
    assert not any(value in text for value in [*names, *crp])
    assert "<0.5" in "\n".join(draft.notes)  # on the user's own screen


def test_levels_that_few_rows_have_are_named() -> None:
    job = ["nurse"] * 40 + ["clerk"] * 38 + ["bishop", "Nurse"]
    draft, _ = drafted({"north": {"job": job, "age": list(range(0, 160, 2)), "y": list(range(0, 240, 3))}})
    said = "\n".join(draft.notes)
    assert "'bishop' (1)" in said
    assert "Nurse, nurse are two levels or more, and look like one" in said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"north": NORTH, "south": {"age": ["1"], "sex": ["f"]}},
            "the target 'y' is no column of south; south has age, sex",
        ),
        (
            {"north": NORTH, "south": {"y": ["1"], "bmi": ["2"]}},
            "no column in common besides the target; north has age",
        ),
        ({"north": {"age": ["1", "2"], "y": ["5", "5"]}}, "the target 'y' can't be used: it is the same in every row"),
        ({"north": {"id": ["7", "9"], "y": ["5", "6"]}}, "no column is left that could be a feature: 'id': identifier"),
        ({"north": NORTH, "south": {"age": [], "sex": [], "y": []}}, "south has no rows of data below its header"),
        ({"north": {"age": ["1", "2"], "y": ["", ""]}}, "the target 'y' can't be used: it is empty in every row"),
        ({"north": {"age": ["1", "2"], "y": [[1], [2]]}}, r"the target 'y' can't be used: .* no single value \(List"),
    ],
)
def test_what_can_not_be_brought_together_says_why(files: dict[str, dict[str, Any]], said: str) -> None:
    with pytest.raises(PartyError) as caught:
        drafted(files)
    assert re.search(said, caught.value.in_full), caught.value.in_full


def test_types_of_parquet(tmp_path: Path) -> None:
    rows = 20
    frame = pl.DataFrame(
        {
            "amount": pl.Series([f"{k}.25" for k in range(0, 2 * rows, 2)]).cast(pl.Decimal(10, 2)),
            "kind": pl.Series(["a", "b"] * (rows // 2)).cast(pl.Categorical),
            "day": pl.Series(range(18000, 18000 + 3 * rows, 3)).cast(pl.Date),
            "moment": pl.Series([k * 86_400_000_000 for k in range(0, 5 * rows, 5)]).cast(pl.Datetime("us")),
            "flag": [True, False] * (rows // 2),
            "parts": [[k] for k in range(rows)],
            "clock": pl.Series([k * 10**9 for k in range(rows)]).cast(pl.Time),
            "y": [k * 1.5 for k in range(rows)],
        }
    )
    frame.write_parquet(tmp_path / "farm.parquet")
    draft, tables = draft_schema({"farm": read_table(tmp_path / "farm.parquet")}, "y")
    kinds = {entry.name: entry.kind for entry in draft.taken}
    assert kinds["amount"] == "number"
    assert (kinds["kind"], kinds["day"], kinds["moment"], kinds["flag"]) == ("category", "date", "date", "yes or no")
    assert kinds["parts"] == kinds["clock"] == "left out"
    encoded = encode(tables["farm"], draft.schema)
    assert encoded.problems == ()
    assert encoded.X[:3, draft.schema.features.index("moment")].tolist() == [0.0, 5.0, 10.0]
