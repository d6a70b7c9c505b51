"""Parties whose columns do not fit are told how to mend it, and what was left out is said in the run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.app import app
from server.app import mediate
from server.run_directory import RunDirectory
from strategies import joining
from strategies.conversation import QuorumError
from tests.fakes import LocalGrid

PARTIES = ("east", "north", "west")
RNG = np.random.default_rng(1)
ROWS = 20


def table(**more: Any) -> pl.DataFrame:
    return pl.DataFrame({**more, "x": RNG.normal(size=ROWS), "y": RNG.normal(size=ROWS)})


def run(folder: Path, north: pl.DataFrame, others: pl.DataFrame, **settings: Any) -> RunDirectory:
    for party in PARTIES:
        (north if party == "north" else others).write_csv(folder / f"{party}.csv")
    nodes = {k: {"party": party, "data-path": str(folder / f"{party}.csv")} for k, party in enumerate(PARTIES)}
    keys = {"run-dir": str(folder / "run"), "parties": ",".join(PARTIES), "target": "y", "join-timeout": 1.0} | settings
    keys.setdefault("model", "BayesianLinear(noise=0.5)")
    return mediate(LocalGrid(app, nodes, keys), keys)


def reason(directory: RunDirectory) -> str:
    (entry,) = [entry for entry in directory.read_ledger() if entry["action"] == "refused"]
    assert entry["party"] == "north"
    return str(entry["reason"])


def test_what_is_left_out_is_said_once_for_all_parties(tmp_path: Path) -> None:
    counted = table(**{"Unnamed: 0": range(ROWS)})
    record = run(tmp_path, counted, counted).read_allocation()
    assert record["refused"] == []
    assert [note for note in record["notes"] if "Unnamed: 0" in note] == [
        "column 'Unnamed: 0' of east, north, west is left out: it has no name of its own, as the index that pandas or "
        "R write beside the rows. A schema names it if it is wanted."
    ]


def test_empty_rows_are_said_in_the_run(tmp_path: Path) -> None:
    empty = pl.concat([table(), pl.DataFrame({"x": [None, None], "y": [None, None]})], how="vertical_relaxed")
    notes = run(tmp_path, empty, table()).read_allocation()["notes"]
    assert "north: north.csv: 2 rows hold nothing, as a spreadsheet's deleted ones; left out" in notes


def test_a_party_that_alone_takes_a_column_for_a_counter_is_told_how_to_settle_it(tmp_path: Path) -> None:
    directory = run(tmp_path, table(seen=range(ROWS)), table(seen=[k % 5 for k in range(ROWS)]), **{"dry-run": True})
    assert reason(directory) == (
        "its features differ from the others': it lacks seen; it leaves 'seen' out, since it counts the rows: agree on "
        "a schema that names the columns wanted, or delete the column from all files"
    )


def test_a_party_that_alone_takes_a_counter_for_a_feature_is_told_too(tmp_path: Path) -> None:
    directory = run(tmp_path, table(seen=[k % 5 for k in range(ROWS)]), table(seen=range(ROWS)), **{"dry-run": True})
    assert "it has besides seen; east, west left 'seen' out, since it counts the rows: agree on a" in reason(directory)


@pytest.mark.parametrize("name", ["Größe", "GRÖSSE", "größe"])
def test_names_that_differ_in_their_spelling_only_are_told(tmp_path: Path, name: str) -> None:
    other = "größe" if name == "Größe" else name.replace("Ö", "ö") if name != "größe" else "Größe"
    north, others = (table().rename({"x": x}) for x in (name, other))
    directory = run(tmp_path, north, others, **{"dry-run": True})
    assert f"its {name!r} and {other!r} differ in their spelling only: rename the column in its file" in reason(
        directory
    )


def test_a_category_is_no_target_of_model_rewards(tmp_path: Path) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text('target = "y"\n[columns.x]\n[columns.y]\ntype = "category"\nvalues = ["1", "2"]\n')
    with pytest.raises(ValueError, match="the schema's target 'y' is a category, and model rewards predict a number"):
        run(tmp_path, table(), table(), **{"schema-file": str(schema), "target": ""})
    assert RunDirectory(tmp_path / "run").read_ledger() == []  # nobody was asked for anything


def test_a_boolean_is_a_target_of_model_rewards(tmp_path: Path) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text('target = "y"\n[columns.x]\n[columns.y]\ntype = "boolean"\n')
    rows = table().with_columns(y=pl.Series([k % 2 for k in range(ROWS)]))
    record = run(tmp_path, rows, rows, **{"schema-file": str(schema), "target": ""}).read_allocation()
    assert record["stage"] == "delivered"


def test_too_few_left_are_told_why(tmp_path: Path) -> None:
    with pytest.raises(QuorumError, match="differ in their spelling only"):
        run(tmp_path, table().rename({"x": "X"}), table(), **{"dry-run": True, "min-parties": 3})


def test_an_answer_is_read_once_however_often_all_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand parties that come one after the other are looked at a thousand times."""
    read: list[int] = []

    def sort(reply: Any, node: int, seal: Any, replies: Any) -> None:
        read.append(node)
        replies.said[f"party-{node % 3}"].append((node, reply))

    monkeypatch.setattr(joining, "_sort", sort)
    reader, answers = joining._Reader(None), dict.fromkeys(range(5), "no answer")
    for node in range(5):
        answers[node] = SimpleNamespace(has_error=lambda: False)
        replies = reader.replies(answers)
    assert read == [0, 1, 2, 3, 4]
    assert {party: [node for node, _ in said] for party, said in replies.said.items()} == {
        "party-0": [0, 3],
        "party-1": [1, 4],
        "party-2": [2],
    }
    assert replies.unnamed == []
