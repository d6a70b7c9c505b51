"""Data of one's own: what docs/scenarios.md prints is what runs, and whoever names a file is told the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from simulations import cli

TEXT = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
FILES = {
    block.partition("\n")[0].removeprefix("# "): block for block in re.findall(r"```\w+\n(.*?)```", TEXT, re.DOTALL)
}


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document's files and a table, in the directory that is called from."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    pl.DataFrame({"a": [k * 0.5 for k in range(60)], "b": [k % 7 for k in range(60)], "y": range(60)}).write_csv(
        "my.csv"
    )


def prepared(tmp_path: Path) -> tuple[str, dict[str, pl.DataFrame]]:
    (run,) = (tmp_path / "runs").iterdir()
    names = json.loads((run / "data" / "parties.json").read_text())
    return run.name, {name: pl.read_parquet(run / "data" / f"{name}.parquet") for name in names}


def commands() -> list[list[str]]:
    import shlex

    lines = re.findall(r"^    python -m simulations run (.*)$", TEXT, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_as_printed_divides_the_table(arguments: list[str], tmp_path: Path) -> None:
    assert cli.main(["prepare", *arguments]) == 0
    name, tables = prepared(tmp_path)
    assert name.startswith(Path(arguments[0]).stem)
    assert len(tables) == (4 if arguments == ["mine.toml"] else 3)
    together = pl.concat(tables.values()).sort("y")
    assert together.columns == ["a", "b", "y"]
    assert together["y"].to_list() == [float(k) for k in range(60)]


def test_rows_whose_party_is_known_stay_theirs(tmp_path: Path) -> None:
    blocks = "blocks=(range(20), range(20, 60)),\n            description"
    text = FILES["my_data.py"].replace("import polars", "import numpy as np\nimport polars")
    text = text.replace(
        "description", blocks.replace("range(20)", "np.arange(20)").replace("range(20, 60)", "np.arange(20, 60)")
    )
    (tmp_path / "my_data.py").write_text(text)
    assert cli.main(["prepare", "mine.toml", "--parties", "2", "--set", "partition="]) == 0
    _, tables = prepared(tmp_path)
    assert [len(table) for table in tables.values()] == [20, 40]


WAY = "python -m simulations run --data north.csv --data south.csv --target NAME"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "my.csv"],
        ["run", "./my.parquet"],
        ["prepare", "nowhere/my.npz"],
        ["run", "diabetes", "--set", "dataset=my.csv"],
        ["run", "diabetes", "--set", "dataset='my.csv'"],
        ["run", "diabetes", "--dataset", "my.csv"],
        ["run", "diabetes", "--set", "data=my.csv"],
        ["run", "diabetes", "--set", "data-path=my.csv"],
        ["run", "diabetes", "--set", "data-dir=/data"],
        ["run", "key.toml"],
        ["run", "top.toml"],
    ],
    ids=" ".join,
)
def test_whoever_names_a_file_is_told_the_way(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = '[scenario]\ndescription = "d"\nparties = 3\n'
    (tmp_path / "top.toml").write_text(f'data = "my.csv"\n{head}[config]\n')
    (tmp_path / "key.toml").write_text(f'{head}[config]\ndata = "my.csv"\n')
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert WAY in said
    assert "docs/tutorials/study.md" in said
    assert not (tmp_path / "runs").exists()
