"""A file read by the schema: the same value is the same number everywhere, and what is wrong is said by its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.encoding import encode
from clients.party_data import PartyData, PartyError, PartyFile
from clients.table import PartyTable, read_table
from wire.schema import Schema

SCHEMA = """
target = "sick"

[columns.age]
minimum = 0
maximum = 120

[columns.pain]
type = "category"
values = ["typical", "2", "none"]
missing = "none"

[columns.chol]
missing = 240.0
flag-missing = true

[columns.pressure]
missing = "drop"

[columns.sick]
type = "boolean"
"""
GOOD = """age,pain,chol,pressure,sick,name
63,typical,200,120,yes,Ann
41, 2.0 ,NA,130.5,0,Bo
57,none,?,,1,Cy
50,,180,1e2,False,Di
"""


@pytest.fixture
def schema() -> Schema:
    return Schema.from_toml(SCHEMA)


def csv(tmp_path: Path, text: str) -> PartyTable:
    (tmp_path / "north.csv").write_text(text)
    return read_table(tmp_path / "north.csv")


def test_a_table_becomes_the_features_of_the_schema(tmp_path: Path, schema: Schema) -> None:
    encoded = encode(csv(tmp_path, GOOD), schema)
    assert encoded.problems == ()
    assert schema.features == ("age", "pain=typical", "pain=2", "pain=none", "chol", "chol missing", "pressure")
    assert encoded.X.tolist() == [
        [63, 1, 0, 0, 200, 0, 120],
        [41, 0, 1, 0, 240, 1, 130.5],
        [50, 0, 0, 1, 180, 0, 100],
    ]
    assert encoded.y is not None
    assert encoded.y.tolist() == [1, 0, 0]
    assert encoded.kept.tolist() == [True, True, False, True]
    assert encoded.gaps == {"age": 0, "pain": 1, "chol": 2, "pressure": 1, "sick": 0}


def test_csv_and_parquet_with_its_own_types_give_the_same_numbers(tmp_path: Path, schema: Schema) -> None:
    own = pl.DataFrame(
        {
            "age": [63, 41, 57, 50],
            "pain": ["typical", "2", "none", None],
            "chol": [200.0, float("nan"), None, 180.0],
            "pressure": pl.Series([120, 130.5, None, 100], dtype=pl.Float32),
            "sick": [True, False, True, False],
        }
    )
    own.write_parquet(tmp_path / "north.parquet")
    one, two = encode(csv(tmp_path, GOOD), schema), encode(read_table(tmp_path / "north.parquet"), schema)
    assert two.problems == ()
    assert np.array_equal(one.X, two.X)
    assert one.y is not None
    assert np.array_equal(one.y, np.asarray(two.y))


def test_numbers_as_categories_are_told_apart_by_value(tmp_path: Path) -> None:
    schema = Schema.from_toml('[columns.code]\ntype = "category"\nvalues = [1, 2.5, 3]')
    for series in (pl.Series([3, 1]), pl.Series([3.0, 1.0]), pl.Series(["3.0", "1."])):
        encoded = encode(PartyTable.of(pl.DataFrame({"code": series})), schema)
        assert encoded.problems == ()
        assert encoded.X.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("63,", "sixty,"), "column 'age', row 1 of the data: a number is expected"),
        (("63,", ","), "column 'age', row 1 of the data: 1 missing values, the first here; none may be"),
        (("63,", "inf,"), "column 'age', row 1 of the data: an infinite number"),
        (("41,", "141,"), "column 'age', row 2 of the data: above the maximum 120"),
        (("50,,", "-1,,"), "column 'age', row 4 of the data: below the minimum 0"),
        (
            (",typical", ",sharp"),
            "column 'pain', row 1 of the data: one of the categories typical, 2, none",
        ),
        (("yes", "maybe"), "column 'sick', row 1 of the data: 1 or 0, true or false, yes or no is expected"),
        (("chol", "cholesterol"), "column 'chol': there is no such column"),
    ],
)
def test_what_is_wrong_is_said_by_file_column_and_row_without_quoting_it(
    tmp_path: Path, schema: Schema, change: tuple[str, str], sentence: str
) -> None:
    encoded = encode(csv(tmp_path, GOOD.replace(*change, 1)), schema)
    said = [problem.sentence("north.csv") for problem in encoded.problems]
    assert len(said) == 1
    assert said[0].startswith(f"north.csv, {sentence}")
    party = PartyFile("north", tmp_path / "north.csv", None, tmp_path, "sick", None, 0.25, schema)
    with pytest.raises(PartyError) as error:
        PartyData.read(party)
    assert str(error.value) == said[0]
    for value in ("sixty", "sharp", "maybe", "141", "Ann"):
        assert value not in str(error.value)


def test_how_often_something_is_wrong_is_counted(tmp_path: Path, schema: Schema) -> None:
    encoded = encode(csv(tmp_path, GOOD.replace("63,", "x,").replace("41,", "y,").replace("57,", "z,")), schema)
    assert encoded.problems[0].what == "a number is expected, and so in 2 other rows"


def test_files_without_rows_or_with_gaps_in_all_are_refused(tmp_path: Path, schema: Schema) -> None:
    header, first, *_ = GOOD.splitlines()
    assert "no rows" in encode(csv(tmp_path, header + "\n"), schema).problems[0].what
    gone = encode(csv(tmp_path, f"{header}\n{first.replace('120', '')}\n"), schema)
    assert "every row has a gap" in gone.problems[-1].what


def test_the_held_out_file_is_read_by_the_same_schema(tmp_path: Path, schema: Schema) -> None:
    csv(tmp_path, GOOD)
    (tmp_path / "held.csv").write_text(GOOD.replace("typical", "none"))
    party = PartyFile("north", tmp_path / "north.csv", tmp_path / "held.csv", tmp_path, "sick", None, 0.25, schema)
    data = PartyData.read(party)
    assert len(data.contribution) == 3
    assert data.contribution.feature_names == schema.features
    assert data.held_inputs[0].tolist() == [63, 0, 0, 1, 200, 0, 120]


def test_a_noise_column_keeps_to_the_rows_that_are_kept(tmp_path: Path, schema: Schema) -> None:
    lines = [f"{line},{value}" for line, value in zip(GOOD.splitlines(), ("s2", 1, 2, 3, 4), strict=True)]
    csv(tmp_path, "\n".join(lines) + "\n")
    party = PartyFile("north", tmp_path / "north.csv", None, tmp_path, "sick", "s2", 0.0, schema)
    noise = PartyData.read(party).contribution.noise
    assert np.asarray(noise).tolist() == [1, 2, 4]


def test_images_are_not_what_a_schema_asks_for(tmp_path: Path, schema: Schema) -> None:
    np.savez(tmp_path / "north.npz", images=np.zeros((4, 2, 2, 1), dtype=np.uint8))
    party = PartyFile("north", tmp_path / "north.npz", None, tmp_path, "", None, 0.25, schema)
    with pytest.raises(PartyError, match="the run's schema is for tables"):
        PartyData.read(party)


def test_check_says_what_would_be_sent_and_how_to_send_nothing_else(tmp_path: Path, schema: Schema) -> None:
    csv(tmp_path, GOOD)
    (tmp_path / "schema.toml").write_text(SCHEMA)
    done = CliRunner().invoke(cli, ["check", str(tmp_path / "north.csv"), "--schema", str(tmp_path / "schema.toml")])
    assert done.exit_code == 0, done.output
    assert "You would send 2 rows of 7 features and the target sick" in done.output
    assert "1 rows stay here" in done.output
    assert "Not asked for, and never sent: name" in done.output
    assert f'confirm-schema="{schema.hash}"' in done.output


def test_check_says_everything_that_is_wrong_and_fails(tmp_path: Path) -> None:
    csv(tmp_path, GOOD.replace("63", "sixty").replace("maybe", "yes").replace("False", "perhaps"))
    (tmp_path / "schema.toml").write_text(SCHEMA)
    done = CliRunner().invoke(cli, ["check", str(tmp_path / "north.csv"), "--schema", str(tmp_path / "schema.toml")])
    assert done.exit_code == 1
    assert "there stands 'sixty'" in done.output
    assert "there stands 'perhaps'" in done.output
    assert "The file can't be used: 2 problems." in done.output
