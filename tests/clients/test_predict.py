"""``python -m clients predict`` changes no byte of a file: cells are added, under names that are free."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.__main__ import main
from clients.errors import PartyError
from clients.predict import predicted, write
from clients.reward_store import load_reward, save_reward
from clients.table import read_table
from guerdon.models import BayesianLinear, Predictor
from guerdon.scaling import Scaling
from wire.kinds.model import predictor_of
from wire.messages import Reward
from wire.schema import Schema

SCHEMA = """
target = "bp"
[columns.pulse]
missing = "drop"
[columns.age]
missing = "drop"
[columns.bp]
"""


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    predictor = Predictor(BayesianLinear(noise=0.5).posterior(X, y), Scaling.identity(2), ("pulse", "age"), "bp")
    about = {"kind": "model", "party": "east", "run": "run", "model": {"noise": 0.5}}
    return save_reward(tmp_path / "east-reward", "run", Reward(predictor.arrays(), about))


@pytest.fixture
def by_schema(reward: Path) -> Path:
    found = load_reward(reward)
    about = {**found.about, "schema": json.loads(Schema.from_toml(SCHEMA).to_json())}
    return save_reward(reward.parent, "run-2", Reward(found.arrays, about))


def made(reward: Path, file: Path) -> bytes:
    table = read_table(file)
    content = write(predicted(load_reward(reward), table), file, table, None)
    assert content is not None
    return content


def without_last(content: bytes, cells: int = 2) -> bytes:
    """The bytes without the last cells of each line that has any; numbers hold no comma."""
    lines = content.splitlines(keepends=True)
    kept = []
    for line in lines:
        body = line.rstrip(b"\r\n")
        kept.append(b",".join(body.split(b",")[:-cells]) + line[len(body) :] if body else line)
    return b"".join(kept)


@pytest.mark.parametrize(
    "content",
    [
        b"patient,pulse,age\n000123,120,60\n007,131.50,71\n",
        b"patient,pulse,age\r\n000123,120,60\r\n007,131,71\r\n",
        b"patient,pulse,age\n1,120,60\n2,131,71",
        b"\xef\xbb\xbfpatient,pulse,age\n1,120,60\n",
        b'"patient","pulse","age"\n"0,1","120",60\n"say ""so""",131,"71"\n',
        b"patient,pulse,age,note\n1,120,60,\n,131,71,  \n3,1e2,0070,x\n",
        "größe,pulse,age\n1,120,60\nä,131,71\n".encode(),
        b"patient,bp,pulse,age\n1,?,120,60\n2,99.50,131,71\n",
        b"when,pulse,age\n2024-01-05,120,60\n01/02/2024,131,71\n",
        b"patient,pulse,age\n1,120,60\n1,120,60\n1,120,60\n",
        b"truth,pulse,age\nTRUE,120,60\nNo,131,71\n",
        b"number,pulse,age\n12345678901234567890,120,60\n1.10,131,71\n",
    ],
)
def test_what_stands_in_a_csv_file_comes_out_as_it_went_in(reward: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "new.csv"
    file.write_bytes(content)
    out = made(reward, file)
    assert without_last(out) == content
    assert out.splitlines()[0].endswith(b",bp_mean,bp_sd")
    assert file.read_bytes() == content


def test_a_line_that_goes_on_within_quotes_is_one_row(reward: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_bytes(b'note,pulse,age\n"a\r\nb, ""c""\n",120,60\nplain,131,71\n')
    lines = made(reward, file).split(b"\n")
    assert lines[1] == b'"a\r'
    assert lines[2] == b'b, ""c""'
    assert lines[3].startswith(b'",120,60,')
    assert lines[4].startswith(b"plain,131,71,")


def test_numbers_are_the_models_row_by_row(reward: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("age,id,pulse\n0.5,001,-1\n2,002,0.25\n")
    table = pl.read_csv(made(reward, file))
    model = load_reward(reward)
    mean, variance = predictor_of(model).predict(np.array([[-1.0, 0.5], [0.25, 2.0]]))
    np.testing.assert_allclose(table["bp_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(table["bp_sd"], np.sqrt(variance), rtol=1e-12)


@pytest.mark.parametrize("own", [["bp_mean"], ["bp_sd"], ["BP_MEAN"], [" bp_mean"], ["bp_mean", "bp_mean_predicted"]])
def test_a_column_of_the_files_own_is_never_written_over(reward: Path, tmp_path: Path, own: list[str]) -> None:
    file = tmp_path / "new.csv"
    names = ",".join(own)
    file.write_text(f"{names},pulse,age\n" + "1," * len(own) + "120,60\n")
    table = read_table(file)
    added = predicted(load_reward(reward), table)
    header = (write(added, file, table, None) or b"").decode().splitlines()[0]
    assert header.startswith(f"{names},pulse,age,bp_mean_predicted")
    assert len({name.strip().casefold() for name in header.split(",")}) == len(own) + 4
    (note,) = added.notes
    assert "bp_mean_predicted" in note


def test_predictions_of_predictions_have_names_of_their_own(reward: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("pulse,age\n120,60\n")
    for names in (b"bp_mean,bp_sd", b"bp_mean_predicted,bp_sd_predicted", b"bp_mean_predicted_2,bp_sd_predicted_2"):
        content = made(reward, file)
        assert content.splitlines()[0].endswith(names)
        file.write_bytes(content)


def test_rows_without_a_prediction_are_said_and_stay(by_schema: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_bytes(b"id,pulse,age\n01,120,60\n02,131,\n03,99,NA\n")
    table = read_table(file)
    added = predicted(load_reward(by_schema), table)
    lines = (write(added, file, table, None) or b"").splitlines()
    assert lines[2:] == [b"02,131,,,", b"03,99,NA,,"]
    (note,) = added.notes
    assert "No prediction for 2 rows of new.csv" in note
    assert "2, 3 of the data" in note


def test_a_row_that_cannot_be_read_leaves_nothing_written(by_schema: Path, reward: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "new.csv", tmp_path / "out.csv"
    file.write_text("id,pulse,age\n1,120,60\n2,fast,60\n")
    for folder in (by_schema, reward):
        with pytest.raises(PartyError, match="row 2 of the data"):
            predicted(load_reward(folder), read_table(file))
    assert run(["predict", str(by_schema), str(file), "--output", str(out)]) == 1
    assert not out.exists()


def run(words: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["clients", *words])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_it_says_where_it_wrote_and_never_writes_over_the_file(
    reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "new.csv", tmp_path / "out.csv"
    file.write_text("pulse,age\n120,60\n")
    assert run(["predict", str(reward), str(file), "--output", str(out)]) == 0
    assert f"Wrote {out}: new.csv with bp_mean, bp_sd." in capsys.readouterr().out
    assert without_last(out.read_bytes()) == file.read_bytes()
    (tmp_path / "link.csv").symlink_to(file)
    for name in ("new.csv", "./new.csv", "link.csv"):
        assert run(["predict", str(reward), str(file), "--output", f"{tmp_path}/{name}"]) == 1
        assert "never written over" in capsys.readouterr().err
    assert file.read_text() == "pulse,age\n120,60\n"
    assert run(["predict", str(reward), str(file), "--output", str(tmp_path / "out.txt")]) == 1


def test_a_parquet_file_keeps_its_columns_and_types(reward: Path, tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "id": ["001", None],
            "when": [datetime.date(2024, 1, 5), None],
            "pulse": pl.Series([120, 131], dtype=pl.Int16),
            "age": pl.Series([60.0, 71.5], dtype=pl.Float32),
            "sick": [True, None],
            "ward": pl.Series(["a", "b"], dtype=pl.Categorical),
            "bp_mean": [1, 2],
        }
    )
    file, out = tmp_path / "new.parquet", tmp_path / "out.parquet"
    table.write_parquet(file)
    assert run(["predict", str(reward), str(file), "--output", str(out)]) == 0
    after = pl.read_parquet(out)
    assert after.columns == [*table.columns, "bp_mean_predicted", "bp_sd_predicted"]
    assert after.select(table.columns).equals(table)
    assert after.select(table.columns).schema == table.schema


def test_a_csv_file_becomes_parquet_with_its_texts(reward: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "new.csv", tmp_path / "out.parquet"
    file.write_text("id,pulse,age\n007,120,60\n")
    assert run(["predict", str(reward), str(file), "--output", str(out)]) == 0
    assert pl.read_parquet(out)["id"].to_list() == ["007"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("pulse;age\n120;60;\n", "row 1 of the data has 3 cells"),
        ("pulse,pulse,age\n1,120,60\n", "more than one column of the same name"),
        ("id,pulse\n1,120\n", "lacks the columns age"),
    ],
)
def test_other_files_are_refused_in_a_sentence(
    reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, problem: str
) -> None:
    file = tmp_path / "new.csv"
    file.write_text(content)
    assert run(["predict", str(reward), str(file)]) == 1
    said = capsys.readouterr()
    assert problem in said.err
    assert said.out == ""


def test_an_empty_line_stays_empty(by_schema: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_bytes(b"id,pulse,age\r\n01,120,60\r\n\r\n02,131,71\r\n")
    lines = made(by_schema, file).split(b"\r\n")
    assert lines[1].startswith(b"01,120,60,")
    assert lines[3].startswith(b"02,131,71,")
    assert lines[2] == lines[4] == b""
