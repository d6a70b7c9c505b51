"""A party's own file: what it opens, what it sends, what it keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.party_data import PartyData, PartyError, PartyFile
from clients.table import read_table
from wire.schema import Schema


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "north.csv"
    pl.DataFrame({"a": np.arange(40) * 7 % 41, "b": np.linspace(0.1, 1, 40), "y": np.arange(40.0) ** 2}).write_csv(path)
    return path


def party(csv: Path, **changes: object) -> PartyFile:
    return PartyFile.of({"party": "north", "data-path": str(csv), **changes}, {"target": "y", "holdout": 0.25})


def test_a_real_party_opens_only_what_its_own_node_config_names(csv: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else"
    elsewhere.mkdir()
    file = PartyFile.of(
        {"party": "north", "data-path": str(csv)}, {"data-dir": str(elsewhere), "data-path": "/etc/passwd"}
    )
    assert file.path == csv
    assert file.store == tmp_path / "north-reward"


def test_a_node_config_without_party_or_file_says_how_to_give_them() -> None:
    with pytest.raises(PartyError, match="party and data-path missing: start the SuperNode with --node-config"):
        PartyFile.of({}, {"data-dir": "/somewhere"})


def test_a_simulated_party_finds_name_and_file_by_its_partition(tmp_path: Path) -> None:
    (tmp_path / "parties.json").write_text(json.dumps(["east", "west"]))
    file = PartyFile.of({"partition-id": 1, "num-partitions": 2}, {"data-dir": str(tmp_path)})
    assert (file.party, file.path) == ("west", tmp_path / "west.parquet")
    with pytest.raises(PartyError, match="lists 2 parties, so there is none with partition-id 2"):
        PartyFile.of({"partition-id": 2}, {"data-dir": str(tmp_path)})
    with pytest.raises(PartyError, match="python -m simulations prepare"):
        PartyFile.of({"partition-id": 0}, {"data-dir": ""})


def test_held_out_rows_never_are_among_the_contributed_ones(csv: Path) -> None:
    data = PartyData.read(party(csv))
    sent, kept = set(data.contribution.X[:, 0]), set(data.held_inputs[:, 0])
    assert (len(sent), len(kept)) == (30, 10)
    assert sent | kept == {float(7 * k % 41) for k in range(40)}
    assert not sent & kept


def test_the_split_is_the_same_every_time_and_in_a_simulation_differs_between_parties(csv: Path) -> None:
    first, again = PartyData.read(party(csv)), PartyData.read(party(csv))
    assert np.array_equal(first.held_inputs, again.held_inputs)
    folder = csv.parent / "simulated"
    folder.mkdir()
    (folder / "parties.json").write_text(json.dumps(["east", "west"]))
    for name in ("east", "west"):
        pl.read_csv(csv).write_parquet(folder / f"{name}.parquet")
    files = [PartyFile.of({"partition-id": k}, {"data-dir": str(folder), "target": "y"}) for k in (0, 0, 1)]
    held = [PartyData.read(file).held_inputs for file in files]
    assert [len(rows) for rows in held] == [10, 10, 10]
    assert np.array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])
    assert sorted(path.name for path in folder.iterdir()) == ["east.parquet", "parties.json", "west.parquet"]


def test_no_setting_of_the_mediators_shows_it_other_rows_or_opens_another_column(csv: Path) -> None:
    node = {"party": "north", "data-path": str(csv)}
    settings = [{}, {"seed": 7}, {"holdout": 0.0}, {"holdout": 0.9}, {"noise-column": "b"}]
    read = [PartyData.read(PartyFile.of(node, {"target": "y", **more})) for more in settings]
    assert all(np.array_equal(data.held_inputs, read[0].held_inputs) for data in read)
    assert all(data.contribution.feature_names == ("a", "b") and data.contribution.noise is None for data in read)
    own = PartyData.read(PartyFile.of({**node, "holdout": 0.5}, {"target": "y", "holdout": 0.0}))
    assert {row[0] for row in own.held_inputs.tolist()} > {row[0] for row in read[0].held_inputs.tolist()}


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"confirm-shema": "ab"}, "no key 'confirm-shema'; did you mean confirm-schema"),
        ({"kye": "north"}, "no key 'kye'; did you mean key"),
        ({"holdout": -1.0}, "holdout in the node config is a share from 0 to 0.9, got -1.0"),
        ({"holdout": "viel"}, "got 'viel'"),
        ({"holdout": True}, "got True"),
    ],
)
def test_a_node_config_that_protects_nothing_is_refused(csv: Path, node: dict[str, object], said: str) -> None:
    with pytest.raises(PartyError, match=said):
        party(csv, **node)


def test_what_is_said_to_the_mediator_names_no_other_column_and_no_folder(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "headless.csv").write_text("63,1,145\n37,0,130\n")
    for path in (tmp_path / "headless.csv", tmp_path / "elsewhere.csv"):
        with pytest.raises(PartyError) as caught:
            PartyData.read(party(csv, **{"data-path": str(path)}))
        assert "63" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
        assert "63, 1, 145" in caught.value.in_full or str(tmp_path) in caught.value.in_full


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("a,a,y\n1,2,3\n4,5,6\n")
    with pytest.raises(PartyError, match="more than one column of the same name"):
        PartyData.read(party(tmp_path / "twice.csv"))


def test_holding_nothing_out_contributes_everything(csv: Path) -> None:
    data = PartyData.read(party(csv, holdout=0.0))
    assert len(data.contribution) == 40
    assert len(data.held_outputs) == 0


def test_rows_held_out_can_be_a_file_of_their_own(csv: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.csv"
    pl.DataFrame({"y": [1.0, 2.0], "b": [0.5, 0.6], "a": [7, 8]}).write_csv(held)
    data = PartyData.read(party(csv, **{"holdout-path": str(held)}))
    assert len(data.contribution) == 40
    assert data.held_inputs.tolist() == [[7.0, 0.5], [8.0, 0.6]]
    pl.DataFrame({"y": [1.0], "b": [0.5]}).write_csv(held)
    with pytest.raises(PartyError, match=r"held\.csv has no column 'a'"):
        PartyData.read(party(csv, **{"holdout-path": str(held)}))


def test_a_file_without_a_target_is_contributed_without_outputs(csv: Path) -> None:
    file = PartyFile.of({"party": "north", "data-path": str(csv), "holdout": 0.5}, {})
    data = PartyData.read(file)
    assert data.contribution.y is None
    assert data.contribution.feature_names == ("a", "b", "y")
    assert data.held_inputs.shape == (20, 3)


def test_noise_comes_from_the_node_config_or_a_column(csv: Path) -> None:
    assert PartyData.read(party(csv, noise=2)).contribution.noise == 2.0
    by_column = PartyData.read(party(csv, noise="b", holdout=0.0, target="y"))
    assert by_column.contribution.feature_names == ("a",)
    with pytest.raises(PartyError, match=r"noise in the node config is a variance above 0 or .*, got -1\.0"):
        party(csv, noise=-1.0)
    assert by_column.contribution.noise is not None


def test_csv_and_parquet_hold_the_same(csv: Path) -> None:
    pl.read_csv(csv).write_parquet(csv.with_suffix(".parquet"))
    a, b = PartyData.read(party(csv)), PartyData.read(party(csv.with_suffix(".parquet")))
    assert np.array_equal(a.contribution.X, b.contribution.X)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b,y\n1,2,3\n4,,6\n7,8,9\n", "column 'b': 1 missing or infinite values, the first in row 2"),
        (
            "a,b,y\n1,2,3\n4,five,6\n",
            "column 'b' must hold numbers, and one cell holds something else, the first in r",
        ),
        ("a,b\n1,2\n", "no target column 'y'"),
        ("y\n1\n2\n", "no feature columns besides 'y'"),
        ("", "can't be read"),
    ],
)
def test_a_bad_file_is_described_by_column_and_row(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(PartyError, match=reason):
        PartyData.read(party(path))


def test_a_file_that_is_not_there_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(PartyError, match=r"nothing\.csv does not exist"):
        PartyData.read(party(tmp_path / "nothing.csv"))
    with pytest.raises(PartyError, match=r"must be a \.csv or \.parquet file"):
        PartyData.read(party(tmp_path / "nothing.docx"))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_table_of_another_separator_is_read(tmp_path: Path, separator: str) -> None:
    """Also where the numbers have commas."""
    path = tmp_path / "north.csv"
    for rows in (["age;bmi;y", "71;22.5;3"], ["age;bmi;y", "71;22,5;3,5", "7,5;1,2;9"]):
        path.write_text("\n".join(rows).replace(";", separator) + "\n")
        own = PartyData.read(party(path, holdout=0.0)).contribution
        assert own.X[0].tolist() == [71.0, 22.5]


def test_one_column_alone_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("y\n1\n2\n")
    assert read_table(tmp_path / "one.csv").columns == ["y"]


def test_columns_that_only_number_rows_are_left_out_unless_a_schema_names_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"": range(30), "x": rng.normal(size=30), "patient_id": range(30), "y": rng.normal(size=30)})
    table.write_csv(tmp_path / "north.csv")
    data = PartyData.read(party(tmp_path / "north.csv"))
    assert data.contribution.feature_names == ("x",)
    assert list(data.left_out) == ["Unnamed: 0", "patient_id"]
    schema = Schema.from_toml('target = "y"\n[columns.x]\n[columns.patient_id]\n[columns.y]')
    file = PartyFile.of({"party": "north", "data-path": str(tmp_path / "north.csv")}, {}, schema)
    assert PartyData.read(file).contribution.feature_names == ("x", "patient_id")
    assert PartyData.read(file).left_out == {}


def test_the_target_and_the_noise_are_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "north.csv"
    path.write_text("x,y,id\n" + "".join(f"{k % 3}.5,{k},{k + 1}\n" for k in range(20)))
    data = PartyData.read(party(path, noise="id", holdout=0.0))
    assert data.left_out == {}
    assert data.contribution.y is not None
    assert np.asarray(data.contribution.noise).tolist() == list(range(1, 21))


def test_true_and_false_are_features_without_a_schema(tmp_path: Path) -> None:
    (tmp_path / "north.csv").write_text("s,y\ntrue,1\nFALSE,2\n")
    assert PartyData.read(party(tmp_path / "north.csv", holdout=0.0)).contribution.X.tolist() == [[1], [0]]


def test_a_target_is_found_however_its_letters_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "north.csv").write_text("x,gro\u0308ße \n1,2\n3,4\n")
    file = PartyFile.of({"party": "north", "data-path": str(tmp_path / "north.csv")}, {"target": " größe"})
    assert PartyData.read(file).target == "größe"


def test_a_target_of_another_case_is_told(tmp_path: Path) -> None:
    (tmp_path / "north.csv").write_text("x,Y\n1,2\n3,4\n")
    with pytest.raises(PartyError, match="no target column 'y'; 'Y' differs in its spelling only: rename it"):
        PartyData.read(party(tmp_path / "north.csv"))


@pytest.mark.parametrize("noise", [True, 0, float("nan"), 10**400, [1]])
def test_noise_that_is_no_variance_is_refused(csv: Path, noise: object) -> None:
    with pytest.raises(PartyError, match="noise in the node config is a variance above 0 or a column's name"):
        party(csv, noise=noise)


def test_a_file_of_nothing_but_identifiers_keeps_them(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": np.arange(40.0), "y": np.sin(np.arange(40.0))})
    frame.write_csv(tmp_path / "west.csv")
    data = PartyData.read(PartyFile("west", tmp_path / "west.csv", None, tmp_path, "y", None, 0.25))
    assert data.contribution.feature_names == ("id",)
    assert not data.left_out
