"""What `clients check` says of odd numbers: visible, with values and rows, and without failing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.look import implausible
from clients.table import PartyTable
from wire.schema import Schema

SCHEMA = """
target = "stay"
[columns.glucose]
minimum = 0
maximum = 1000
unit = "mmol/L"
[columns.age]
missing = -9
[columns.sex]
type = "category"
values = ["f", "m"]
[columns.stay]
"""


def table(**changes: object) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    columns = {
        "glucose": rng.uniform(100.0, 900.0, 60),
        "age": np.round(rng.normal(50.0, 12.0, 60)),
        "sex": rng.choice(["f", "m"], 60),
        "stay": rng.lognormal(1.0, 0.5, 60),
    }
    return pl.DataFrame(columns | changes)


def read(frame: pl.DataFrame) -> PartyTable:
    return PartyTable.of(frame)


def spoilt(name: str, cells: dict[int, float]) -> pl.DataFrame:
    values = table()[name].to_numpy().copy()
    for row, value in cells.items():
        values[row - 1] = value
    return table(**{name: values})


def test_an_ordinary_file_gives_no_sentence() -> None:
    assert implausible(read(table()), Schema.from_toml(SCHEMA)) == []
    assert (
        implausible(read(spoilt("age", dict.fromkeys((3, 4, 9, 20), -9.0))), Schema.from_toml(SCHEMA)) == []
    )  # agreed


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (spoilt("age", {17: 6e9}), "column 'age': 6e+09 in row 17 lie far outside"),
        (spoilt("age", dict.fromkeys((3, 4, 9, 20), 999.0)), "999 in row 3, 999 in row 4, 999 in row 9, 999 in row 20"),
        (spoilt("stay", {2: 4e7}), "column 'stay': 4e+07 in row 2"),
        (table(glucose=np.linspace(4.0, 8.0, 60)), "in a corner of the schema's 0 to 1000, in mmol/L"),
        (
            table(glucose=np.linspace(4000.0, 8000.0, 60)),
            "60 of 60 values lie outside the schema's 0 to 1000",
        ),
    ],
)
def test_odd_numbers_are_shown(odd: pl.DataFrame, says: str) -> None:
    (sentence,) = implausible(read(odd), Schema.from_toml(SCHEMA))
    assert says in sentence


def test_a_likely_unit_is_named() -> None:
    schema = Schema.from_toml(SCHEMA.replace("maximum = 1000", "maximum = 30"))
    (sentence,) = implausible(read(table(glucose=18.0 * np.linspace(4.0, 8.0, 60))), schema)
    assert "mg/dL beside mmol/L of glucose" in sentence


def test_texts_and_gaps_are_read_as_the_schema_says() -> None:
    ages = [str(int(age)) for age in table()["age"]]
    ages[0], ages[1] = "NA", "6000000000"
    (sentence,) = implausible(read(table(age=ages)), Schema.from_toml(SCHEMA))
    assert "6e+09 in row 2" in sentence


def test_the_command_says_it_and_still_ends_well(tmp_path: Path) -> None:
    spoilt("age", {17: 6e9}).write_csv(tmp_path / "west.csv")
    (tmp_path / "schema.toml").write_text(SCHEMA)
    done = CliRunner().invoke(cli, ["check", str(tmp_path / "west.csv"), "--schema", str(tmp_path / "schema.toml")])
    assert done.exit_code == 0
    assert "Look at west.csv, column 'age': 6e+09 in row 17" in done.output
