"""Files of one's own: the parties are the files, read as SuperNodes would, by a schema drafted from all of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.app import app
from server.app import mediate
from simulations import cli
from simulations.handoff import hand_off
from simulations.local_grid import LocalGrid
from simulations.own_files import OwnFiles, OwnFilesError
from simulations.prepare import Prepared, PrepareError, prepare
from simulations.scenarios import Scenario, ScenarioError, load_scenario
from wire.schema import Schema

WORDS = ("typical", "atypical", "none")


def patients(seed: int, rows: int) -> dict[str, list[Any]]:
    rng = np.random.default_rng(seed)
    age, pressure = rng.integers(30, 80, rows), rng.normal(130, 15, rows).round(1)
    smoker = rng.random(rows) < 0.4
    score = 0.05 * (age - 55) + 0.03 * (pressure - 130) + smoker
    return {
        "patient_id": [1000 * seed + k for k in range(rows)],
        "age": age.tolist(),
        "pressure": pressure.tolist(),
        "pain": rng.choice(WORDS, rows).tolist(),
        "smoker": ["yes" if own else "no" for own in smoker],
        "risk": (score + rng.normal(0, 0.3, rows)).round(2).tolist(),
        "sick": ["yes" if own > 0.3 else "no" for own in score],
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clinic's CSV file, a bank's with semicolons and decimal commas, and a farm's Parquet file."""
    clinic, bank, farm = (pl.DataFrame(patients(seed, rows)) for seed, rows in ((1, 50), (2, 40), (3, 30)))
    clinic = clinic.with_columns(pl.when(pl.col("age") < 40).then(None).otherwise(pl.col("pressure")).alias("pressure"))
    clinic.write_csv(tmp_path / "clinic.csv", null_value="NA")
    lines = [";".join(name.upper() for name in reversed(bank.columns))]
    lines += [";".join(str(cell).replace(".", ",") for cell in reversed(row)) for row in bank.iter_rows()]
    (tmp_path / "bank.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    farm.write_parquet(tmp_path / "farm.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


THREE = ("clinic.csv", "bank.csv", "farm.parquet")


def made(folder: Path, target: str, *overrides: str, files: Sequence[str] = THREE, **more: Any) -> Prepared:
    own = OwnFiles.of(files, folder, target=target, **more)
    return prepare(Scenario("own-files", "", 1, {}, own), overrides, caller=folder)


def run(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("GUERDON_NOISE_SEED", "1")
    config = prepared.config.to_toml_dict()
    nodes = {100 + k: {"partition-id": k, "num-partitions": 3} for k in range(len(prepared.parties))}
    record = mediate(LocalGrid(app, nodes, config), config).read_allocation()
    assert record["refused"] == []
    assert record["stage"] == "delivered"
    return dict(record)


def test_three_files_go_the_whole_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = made(folder, "risk")
    assert prepared.config.strategy == "ModelRewards()"
    assert "a number, which a regression predicts" in prepared.notes[0]
    record = run(prepared, monkeypatch)
    assert [entry["party"] for entry in record["parties"]] == ["bank", "clinic", "farm"]
    scored = [entry["reward"]["rmse"] for entry in record["parties"]]
    assert all(own < 1.0 for own in scored)


def test_what_a_party_reads_is_its_file_byte_for_byte(folder: Path) -> None:
    prepared = made(folder, "risk")
    for name in THREE:
        assert (prepared.run / "data" / name).read_bytes() == (folder / name).read_bytes()
    assert json.loads((prepared.run / "data" / "parties.json").read_text()) == ["clinic", "bank", "farm"]
    config = tomllib.loads((prepared.run / "config.toml").read_text())
    schema = Schema.from_toml((prepared.run / "schema.toml").read_text())
    assert config["schema-file"] == str(prepared.run / "schema.toml")
    assert [column.name for column in schema.columns] == ["age", "pressure", "pain", "smoker", "risk", "sick"]
    assert f'confirm-schema="{schema.hash}"' in hand_off(prepared)


def test_without_a_target_rewards_are_rows_of_the_same_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = made(folder, "")
    assert prepared.config.strategy == "SyntheticDataRewards()"
    run(made(folder, "", "strategy=SyntheticDataRewards(size=300)"), monkeypatch)


def test_a_target_of_yes_or_no_is_classified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = made(folder, "sick")
    assert prepared.config.strategy == "ClassificationRewards()"
    run(prepared, monkeypatch)


def test_the_strategy_is_the_users_to_choose(folder: Path) -> None:
    assert made(folder, "sick", "strategy=ModelRewards()").config.strategy == "ModelRewards()"


def test_one_file_with_a_column_of_parties(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for k, site in enumerate(("North", "St. Märien", "west")):
        part = pl.DataFrame(patients(k, 30)).drop("patient_id").with_columns(pl.lit(site).alias("Site"))
        parts.append(
            part.with_columns(pl.Series("seen", [f"{1 + j % (28 if k else 9)}/{1 + j % 9}/2020" for j in range(30)]))
        )
    pl.concat(parts).write_csv(folder / "all.csv", separator=";")
    text = (folder / "all.csv").read_text()
    (folder / "all.csv").write_text(text.replace(".", ",").replace("St,", "St."))
    prepared = made(folder, "risk", files=["all.csv"], party_column="site")
    assert prepared.parties == ("North", "St.-Marien", "west")
    schema = Schema.from_toml((prepared.run / "schema.toml").read_text())
    assert "Site" not in [column.name for column in schema.columns]
    assert next(column for column in schema.columns if column.name == "seen").type == "date"
    run(prepared, monkeypatch)


def test_a_schema_of_ones_own(folder: Path) -> None:
    drafted = made(folder, "risk").run / "schema.toml"
    text = drafted.read_text().replace("[columns.smoker]", "[columns.smoker]\ndescription = 'daily'")
    (folder / "mine.toml").write_text(text)
    prepared = made(folder, "risk", schema="mine.toml")
    assert (prepared.run / "schema.toml").read_text() == text
    (folder / "mine.toml").write_text(text.replace("maximum = 90", "maximum = 60"))
    with pytest.raises(PrepareError, match=r"clinic\.csv, column 'age', row \d+ of the data: above the maximum 60"):
        made(folder, "risk", schema="mine.toml")


def test_how_a_file_is_written_travels_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bank.csv").write_bytes((folder / "bank.csv").read_text().replace("none", "löst").encode("latin-1"))
    with pytest.raises(PrepareError, match=r"bank\.csv is not UTF-8"):
        made(folder, "risk")
    prepared = made(folder, "risk", writings={"bank": {"encoding": "cp1252"}})
    assert json.loads((prepared.run / "data" / "writings.json").read_text()) == {"bank": {"encoding": "cp1252"}}
    assert 'encoding="cp1252"' in hand_off(prepared)
    run(prepared, monkeypatch)


def test_real_parties_read_the_same_files_by_the_same_schema(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with a node config of its own, as a SuperNode has it; bank's dates and letters are for it to say."""
    text = (folder / "bank.csv").read_text().replace("none", "löst")
    (folder / "bank.csv").write_bytes(text.encode("cp1252"))
    clinic = pl.read_csv(folder / "clinic.csv", infer_schema=False)
    clinic.with_columns(pl.col("pain").str.replace("none", "löst")).write_csv(folder / "clinic.csv")
    prepared = made(folder, "risk", files=THREE[:2], writings={"bank": {"encoding": "cp1252", "decimal": ","}})
    schema = prepared.run / "schema.toml"
    config = {
        "run-dir": str(folder / "deployed"),
        "parties": "bank,clinic",
        "schema-file": str(schema),
        "join-timeout": 1.0,
        "timeout": 30.0,
    }
    confirm = Schema.from_toml(schema.read_text()).hash
    own = {"bank": {"encoding": "cp1252", "decimal": ","}, "clinic": {}}
    nodes = {
        k: {"party": party, "data-path": str(folder / f"{party}.csv"), "confirm-schema": confirm, **own[party]}
        for k, party in enumerate(own, start=7)
    }
    record = mediate(LocalGrid(app, nodes, config), config).read_allocation()
    assert (record["stage"], record["refused"]) == ("delivered", [])
    assert {entry["party"]: entry["rows"] for entry in record["parties"]} == {"bank": 30, "clinic": 38}


def test_the_same_file_under_two_names_is_said(folder: Path) -> None:
    (folder / "copy.csv").write_bytes((folder / "clinic.csv").read_bytes())
    notes = made(folder, "risk", files=["clinic.csv", "copy.csv"]).notes
    assert "copy and clinic have the same file, to the byte" in notes[0]


def test_a_scenario_file_names_files(folder: Path) -> None:
    (folder / "study.toml").write_text(
        """
        [data]
        files = {clinic = "clinic.csv", lender = "bank.csv", farm = "farm.parquet"}
        target = "risk"
        missing = ["-9"]
        [data.lender]
        delimiter = ";"
        [config]
        seed = 3
        model = "BayesianLinear(features='Affine()')"
        """
    )
    prepared = prepare(load_scenario(str(folder / "study.toml")), caller=folder)
    assert prepared.run.name.startswith("study-")
    assert prepared.parties == ("clinic", "lender", "farm")
    assert prepared.config.seed == 3
    assert "-9" in Schema.from_toml((prepared.run / "schema.toml").read_text()).missing_values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\nfiles = []", "name the files"),
        ('[data]\nfiles = ["clinic.csv"]', "one file is one party"),
        ('[data]\nfile = ["clinic.csv"]', "has no key 'file'"),
        ('[data]\nfiles = "clinic.csv"', r"\[data\] names the files"),
        ('[data]\nfiles = ["a.csv", "b.csv"]\ntarget = 3', "target is a text, got 3"),
        ('[data]\nfiles = ["a.csv", "b.csv"]\n[data.c]\ndecimal = ","', "no file is c's: the parties are a, b"),
        ('[data]\nfiles = ["a.csv", "b.csv"]\n[data.a]\ncolour = "red"', "says how a file is written"),
        ('[scenario]\nparties = 2\n[data]\nfiles = ["a.csv", "b.csv"]', "leave parties out"),
        ('[scenario]\ndescription = "d"\nparties = 2\n[config]\nseed = 1\n[more]', "expected the tables"),
    ],
)
def test_a_scenario_that_names_files_wrongly_says_how(folder: Path, text: str, said: str) -> None:
    (folder / "study.toml").write_text(text)
    with pytest.raises(ScenarioError, match=said):
        load_scenario(str(folder / "study.toml"))


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        (["clinic.csv", "clinic.csv"], {}, "the same file is named twice"),
        (["clinic.csv", "sub/Clinic.csv"], {}, "would both be the party 'Clinic'"),
        (["all.csv", "clinic.csv"], {"party_column": "site"}, "tells the parties of one file apart, and 2 are named"),
        (["clinic.csv"], {}, "one file is one party"),
        ([], {}, "name the files"),
    ],
)
def test_parties_that_can_not_be_told_apart(folder: Path, files: list[str], more: dict[str, Any], said: str) -> None:
    with pytest.raises(OwnFilesError, match=said):
        OwnFiles.of(files, folder, **more)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", r"empty\.csv can't be read as csv: it is empty"),
        ("header.csv", b"age,risk\n", "header has no rows of data below its header"),
        ("twice.csv", b"age,age,risk\n1,2,3\n", "more than one column of the same name"),
        ("lacks.csv", b"age,pain\n1,none\n", "the target 'risk' is no column of lacks; lacks has age, pain"),
        (
            "other.csv",
            b"bmi,risk\n1,2\n3,4\n",
            "no column in common besides the target; clinic has .*; other has bmi, risk",
        ),
        ("book.xlsx", b"PK\x03\x04", r"book\.xlsx is a workbook: save its sheet as CSV"),
        ("packed.zip", b"PK\x03\x04", r"packed\.zip is packed: unpack it"),
        ("renamed.csv", b"PK\x03\x04\x00\x00", r"renamed\.csv is no text but a zip file"),
        ("latin.csv", "größe,risk\n1,2\n".encode("latin-1"), r"latin\.csv is not UTF-8"),
        ("folder.csv", None, r"folder\.csv is a folder"),
        ("broken.parquet", b"PAR1", r"broken\.parquet can't be read as parquet"),
        ("infinite.csv", b"age,risk\n1,inf\n2,3\n", "target 'risk' can't be used: it holds an infinite number"),
    ],
)
def test_a_file_that_can_not_be_used_is_named_and_nothing_is_written(
    folder: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is None:
        (folder / name).mkdir()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(PrepareError, match=said):
        made(folder, "risk", files=["clinic.csv", name])
    assert not (folder / "runs").exists()


def test_a_file_of_one_row_is_its_partys_and_is_told(folder: Path) -> None:
    (folder / "one.csv").write_text("age,pressure,pain,smoker,risk\n50,120,none,no,0.5\n")
    assert made(folder, "risk", files=["clinic.csv", "farm.parquet", "one.csv"]).parties[-1] == "one"


def test_the_command_asks_for_nothing_and_says_what_it_took(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = [argument for name in THREE for argument in ("--data", name)]
    assert cli.main(["prepare", *data, "--target", "Risk"]) == 0
    said = capsys.readouterr().err
    assert "Left out: patient_id: identifier" in said
    assert "';' between the cells; commas before the decimals" in said
    assert "strategy = 'ModelRewards()'; --strategy chooses another" in said
    assert cli.main(["prepare", "diabetes", *data, "--target", "risk"]) == 0  # its model, these files
    (config,) = list((folder / "runs").glob("diabetes-*/config.toml"))
    assert "GaussianProcess" in config.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a scenario"),
        (["--target", "risk"], "name a scenario"),
        (["diabetes", "--target", "risk"], "--target is for files of your own"),
        (["--data", "clinic.csv", "--data", "bank.csv", "--parties", "4"], "the files are the parties"),
        (["--data", "clinic.csv", "bank.csv", "farm.parquet"], "--data takes one file and is repeated for each"),
        (["--data", "clinic.csv", "bank.csv"], "'bank.csv' is a file, not a scenario"),
        (["--data", "clinic.csv", "--data", "bank.csv", "--set", "dataset=Diabetes()"], "no data set to choose"),
        (["--data", "clinic.csv", "--data", "bank.csv", "--target", "rsk"], "bank; did you mean 'risk'?"),
        (["--data", "clinic.csv", "--data", "bank.csv", "--decimal", "x"], 'decimal is "." or ","'),
        (["--data", "clinic.csv", "--data", "bank.csv", "--missing", "agee=-9"], "no file has a column 'agee'"),
    ],
)
def test_a_wrong_command_is_answered(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["prepare", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "runs").exists()
