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
from wire.schema import Schema, SchemaError

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


CODES = """
[columns.code]
type = "category"
values = ["120", "12E1", "10", "1_0", "7", "007", "1E50", "inf", "nan", "1234567890123456789", "1234567890123456788"]
missing-values = ["-"]
"""


def test_codes_are_texts_and_never_numbers(tmp_path: Path) -> None:
    schema = Schema.from_toml(CODES)
    values = schema.columns[0].values
    assert schema.features == tuple(f"code={value}" for value in values)
    encoded = encode(csv(tmp_path, "code\n" + "\n".join(values) + "\n"), schema)
    assert encoded.problems == ()
    assert np.array_equal(encoded.X, np.eye(len(values)))
    for other in ("1e50", "0120", "1.2E2", "1234567890123456787", "INF", "00120"):
        assert encode(csv(tmp_path, f"code\n{other}\n"), schema).problems


@pytest.mark.parametrize(
    "series",
    [
        pl.Series([1, 2]),
        pl.Series([1.0, 2.0]),
        pl.Series([1.0, 2.0], dtype=pl.Float32),
        pl.Series(["1", "2"]),
        pl.Series(["1.0", "2."]),
        pl.Series(["1", "2"], dtype=pl.Categorical),
        pl.Series(["1", "2"], dtype=pl.Enum(["2", "1"])),
        pl.Series([1, 2]).cast(pl.Decimal(10, 2)),
    ],
)
def test_whole_numbers_are_the_categories_of_their_digits(tmp_path: Path, series: pl.Series) -> None:
    schema = Schema.from_toml('[columns.code]\ntype = "category"\nvalues = ["1", "2"]')
    for table in (
        PartyTable.of(pl.DataFrame({"code": series})),
        csv(tmp_path, pl.DataFrame({"code": series}).write_csv()),
    ):
        encoded = encode(table, schema)
        assert encoded.problems == ()
        assert encoded.X.tolist() == [[1, 0], [0, 1]]


def test_numbers_with_points_that_can_not_tell_codes_apart_are_none(tmp_path: Path) -> None:
    long = Schema.from_toml('[columns.code]\ntype = "category"\nvalues = ["1234567890123456768"]')
    icd = Schema.from_toml('[columns.code]\ntype = "category"\nvalues = ["250", "250.0", "250.1"]')
    for schema, number in ((long, 1234567890123456768.0), (icd, 250.0)):
        (problem,) = encode(PartyTable.of(pl.DataFrame({"code": [number]})), schema).problems
        assert "the column holds numbers with points, which codes are not: keep it as texts" in problem.what
    assert encode(csv(tmp_path, "code\n250.0\n250\n250.1\n"), icd).X.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("value", ["größe", "gro\u0308ße", " größe\u00a0", "größe\u200b"])
def test_categories_are_compared_as_people_read_them(tmp_path: Path, value: str) -> None:
    schema = Schema.from_toml('[columns.what]\ntype = "category"\nvalues = ["gro\u0308ße ", "a  b"]')
    assert schema.features == ("what=größe", "what=a b")
    assert encode(csv(tmp_path, f"what\n{value}\na\u00a0b\n"), schema).X.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("gap", ["NA", "null", "?"])
def test_what_is_a_gap_and_a_category_is_settled_by_the_column(tmp_path: Path, gap: str) -> None:
    text = f'[columns.country]\ntype = "category"\nvalues = ["{gap}", "ZA"]\nmissing = "ZA"\n'
    with pytest.raises(SchemaError, match="would be a value of this column and, by missing-values, stand for a gap"):
        Schema.from_toml(text)
    schema = Schema.from_toml(text + 'missing-values = ["-"]\n[columns.rate]\nmissing = 0.5')
    assert Schema.from_json(schema.to_json()) == schema
    encoded = encode(csv(tmp_path, f"country,rate\n{gap},1\n-,{gap}\n,2\n"), schema)
    assert encoded.problems == ()
    assert encoded.X.tolist() == [[1, 0, 1], [0, 1, 2]]
    assert encoded.empty == 1


@pytest.mark.parametrize("code", ["-9", "-9.0", "-9.", "-9e0"])
@pytest.mark.parametrize("written", ["-9", "-9.0", "-9."])
def test_a_missing_code_counts_in_numbers_and_categories(tmp_path: Path, code: str, written: str) -> None:
    schema = Schema.from_toml(
        f'missing-values = ["", "{code}"]\n[columns.n]\nmissing = 200.0\n'
        '[columns.c]\ntype = "category"\nvalues = ["1"]\nmissing = "1"'
    )
    table = csv(tmp_path, f"n,c\n{written},1\n5,{written if 'e' not in code else 1}\n")
    assert encode(table, schema).X.tolist() == [[200, 1], [5, 1]]
    for kind in (pl.Int64, pl.Float64):
        own = pl.DataFrame({"n": [-9, 5], "c": [1, 1]}).with_columns(pl.col("n").cast(kind))
        assert encode(PartyTable.of(own), schema).X.tolist() == [[200, 1], [5, 1]]


def test_zero_as_a_gap_is_no_false(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="column 'sick': 0 would be a value"):
        Schema.from_toml('missing-values = ["", 0]\n[columns.sick]\ntype = "boolean"')


def test_rows_with_a_gap_in_every_column_are_no_patients(tmp_path: Path) -> None:
    schema = Schema.from_toml("[columns.age]\nmissing = 55.0\n[columns.chol]\nmissing = 240.0")
    table = csv(tmp_path, "nr,age,chol\n1,50,200\n2,,\n3,NA,?\n,,\n5,60,\n")
    encoded = encode(table, schema)
    assert encoded.X.tolist() == [[50, 200], [60, 240]]
    assert encoded.kept.tolist() == [True, False, False, True]
    assert encoded.remarks(table) == [
        "north.csv: 1 row holds nothing, as a spreadsheet's deleted ones; left out",
        "north.csv: 2 rows have a gap in every column that the schema asks for; left out",
    ]
    party = PartyFile("north", tmp_path / "north.csv", None, tmp_path, "", None, 0.0, schema)
    assert PartyData.read(party).remarks == tuple(encoded.remarks(table))


@pytest.mark.parametrize("cell", ["1_0", "0x10", "1 000", '"1,5"', "٣"])
def test_numbers_are_not_guessed(tmp_path: Path, schema: Schema, cell: str) -> None:
    encoded = encode(csv(tmp_path, GOOD.replace("200", cell)), schema)
    assert [problem.what.partition(",")[0] for problem in encoded.problems] == ["a number is expected"]


def test_dates_say_that_they_are_dates(tmp_path: Path) -> None:
    schema = Schema.from_toml("[columns.day]")
    for table in (
        csv(tmp_path, "day\n2020-01-31\n"),
        PartyTable.of(pl.DataFrame({"day": pl.Series([1]).cast(pl.Date)})),
        PartyTable.of(pl.DataFrame({"day": pl.Series([1]).cast(pl.Datetime)})),
        PartyTable.of(pl.DataFrame({"day": pl.Series([1]).cast(pl.Duration)})),
    ):
        (problem,) = encode(table, schema).problems
        assert "date" in problem.what
        assert problem.row == 1


def test_booleans_of_parquet_are_booleans_and_categories(tmp_path: Path) -> None:
    table = PartyTable.of(pl.DataFrame({"b": [True, False, None]}))
    boolean = Schema.from_toml(
        '[columns.b]\ntype = "boolean"\nmissing = 0\nflag-missing = true\n[columns.c]\nmissing = 1'
    )
    whole = PartyTable.of(table.frame.with_columns(c=pl.Series([1.0, 2.0])) if len(table) == 2 else table.frame)
    assert len(table) == 2  # the row of nothing is left out
    assert encode(whole, boolean).X.tolist() == [[1, 0, 1], [0, 0, 2]]
    category = Schema.from_toml('[columns.b]\ntype = "category"\nvalues = ["False", "True"]')
    assert encode(table, category).X.tolist() == [[0, 1], [1, 0]]


def test_a_column_that_is_spelled_otherwise_is_told(tmp_path: Path, schema: Schema) -> None:
    (problem,) = encode(csv(tmp_path, GOOD.replace("age,", "Age,")), schema).problems
    assert problem.what == "there is no such column; the file has 'Age', which differs in its spelling only: rename it"


def test_a_schema_names_no_column_of_a_file_without_a_header(tmp_path: Path, schema: Schema) -> None:
    (problem,) = encode(csv(tmp_path, "63,typical,200,120,yes\n" * 3), schema).problems
    assert problem.sentence("north.csv").startswith("north.csv: its first line reads like a row of data")


def test_a_schema_may_have_numbers_for_names(tmp_path: Path) -> None:
    schema = Schema.from_toml('[columns."2019"]\n[columns."2020"]')
    assert encode(csv(tmp_path, "2019,2020\n1,2\n"), schema).X.tolist() == [[1, 2]]
