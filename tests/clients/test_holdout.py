"""Rows that stay: by what stands in them, whatever else happens to the file; and none that stayed is sent later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.errors import PartyError
from clients.holdout import Dealer, remember_held_out, row_hashes
from clients.party_data import PartyData, PartyFile
from clients.start import check_start
from wire.schema import Schema

TABLE = pl.DataFrame(
    {
        "id": [f"P{k:03d}" for k in range(200)],
        "age": [30 + k % 50 for k in range(200)],
        "bp": [round(100 + 0.37 * k, 2) for k in range(200)],
        "seen": [f"2024-{1 + k % 12:02d}-{1 + k % 28:02d}" for k in range(200)],
        "sex": [("f", "m", "")[k % 3] for k in range(200)],
        "y": [float(k) for k in range(200)],
    }
)
SCHEMA = Schema.from_toml(
    'target="y"\n[columns.age]\n[columns.bp]\n[columns.sex]\ntype="category"\nvalues=["f","m"]\nmissing="m"\n[columns.y]'
)
WIDER = Schema.from_toml('target="y"\n[columns.age]\n[columns.y]')


def file(path: Path, schema: Schema | None = SCHEMA, **more: object) -> PartyFile:
    node = {"party": "north", "data-path": str(path), "reward-dir": str(path.parent / "store"), **more}
    return PartyFile.of(node, {"target": "y"}, schema)


def sent(path: Path, schema: Schema | None = SCHEMA, **more: object) -> set[float]:
    """The outcomes of the rows that would be sent: each row has its own."""
    return set(np.asarray(PartyData.read(file(path, schema, **more)).contribution.y).tolist())


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "north.csv"
    TABLE.write_csv(path)
    return path


def test_of_the_first_file_the_share_stays_to_the_row(tmp_path: Path) -> None:
    for k, (rows, stay) in enumerate([(2, 1), (3, 1), (24, 6), (143, 36), (200, 50)]):
        path = tmp_path / str(k) / "north.csv"
        path.parent.mkdir()
        TABLE.head(rows).write_csv(path)
        assert len(sent(path)) == rows - stay


def test_rows_to_come_stay_with_the_same_chance() -> None:
    table = pl.DataFrame({"a": np.arange(20000.0)})
    dealer = Dealer.new(table.head(40), ["a"], 0.25, "a.csv")
    later = dealer.keeps(dealer.hashes(table.tail(19000), "a.csv"), 0.25, "a.csv")
    assert later.mean() == pytest.approx(0.25, abs=0.02)


def test_a_file_that_grows_never_sends_what_stayed(csv: Path) -> None:
    TABLE.head(120).write_csv(csv)
    first = sent(csv)
    for rows in range(121, 200, 7):
        TABLE.head(rows).write_csv(csv)
        assert sent(csv) & set(range(120)) == first


def exported(table: pl.DataFrame, path: Path, edit: Callable[[str], str] = lambda text: text) -> None:
    path.write_text(edit(table.write_csv()))


CHANGES: dict[str, Callable[[Path], object]] = {
    "sorted otherwise": lambda path: TABLE.sort("bp", descending=True).write_csv(path),
    "columns in another order": lambda path: TABLE.select("y", "sex", "bp", "id", "seen", "age").write_csv(path),
    "quoted": lambda path: TABLE.write_csv(path, quote_style="always"),
    "1 as 1.00": lambda path: TABLE.write_csv(path, float_precision=4),
    "1 as 1.0 and blanks": lambda path: TABLE.with_columns(
        age=pl.col("age").cast(pl.Float64), sex=pl.col("sex") + " "
    ).write_csv(path),
    "spelled sums": lambda path: TABLE.with_columns(bp=pl.col("bp") + 1e-14).write_csv(path),
    "lines as Windows ends them": lambda path: exported(TABLE, path, lambda text: text.replace("\n", "\r\n")),
    "a column that is not asked for": lambda path: TABLE.with_columns(exported=pl.lit("2026-11-28")).write_csv(path),
    "an index column": lambda path: TABLE.sort("sex").with_row_index("").write_csv(path),
    "a date that is not asked for, mended": lambda path: TABLE.with_columns(seen=pl.lit("?")).write_csv(path),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_rows_fate_does_not_change_with_how_the_file_is_written(csv: Path, change: Callable[[Path], object]) -> None:
    before = sent(csv)
    change(csv)
    assert sent(csv) == before


@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["schema", "own columns"])
def test_csv_parquet_and_other_types_are_one(csv: Path, schema: Schema | None) -> None:
    numbers = TABLE.select("age", "bp", "y")
    if schema is None:
        numbers.write_csv(csv)
    before, table = sent(csv, schema), TABLE if schema else numbers
    for k, types in enumerate([{}, {"age": pl.Float64}, {"age": pl.Int8, "bp": pl.Float32}, {"y": pl.Int64}]):
        path = csv.parent / f"{k}.parquet"
        table.cast(types).write_parquet(path)
        assert sent(path, schema) == before
    if schema:
        days = TABLE.with_columns(pl.col("seen").str.to_datetime("%Y-%m-%d"), pl.col("sex").replace("", None))
        days.write_parquet(csv.parent / "days.parquet")
        assert sent(csv.parent / "days.parquet") == before


def test_the_partys_name_and_the_schema_change_nothing(csv: Path) -> None:
    before = sent(csv)
    assert sent(csv, party="hospital-of-the-north") == before
    assert sent(csv, WIDER) == before


def test_each_party_has_its_own_secret_and_nobody_else_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # a real secret
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        TABLE.write_csv(tmp_path / name / "north.csv")
        found.append(sent(tmp_path / name / "north.csv"))
        kept = tmp_path / name / "store" / "_holdout.json"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert len(bytes.fromhex(json.loads(kept.read_text())["secret"])) == 32
    assert found[0] != found[1]


def test_rows_that_are_the_same_share_a_fate(csv: Path) -> None:
    pl.concat([TABLE, TABLE.sample(50, seed=1), TABLE]).write_csv(csv)
    data = PartyData.read(file(csv))
    assert not set(np.asarray(data.contribution.y)) & set(np.asarray(data.held_outputs))


def test_of_a_larger_share_the_smaller_is_a_part(csv: Path) -> None:
    held = [set(TABLE["y"]) - sent(csv, holdout=share) for share in (0.1, 0.3, 0.6)]
    assert held[0] < held[1] < held[2]


def test_what_stayed_while_others_were_sent_is_never_sent(csv: Path) -> None:
    """A smaller share, or the held-out file merged into the data: what was held out in a run is remembered."""
    data = PartyData.read(file(csv, holdout=0.4))
    assert data.kept_home is not None
    remember_held_out(csv.parent / "store", data.kept_home)
    stayed = set(np.asarray(data.held_outputs))
    assert len(stayed) == 80
    for share in (0.0, 0.1, 0.25):
        assert not sent(csv, holdout=share) & stayed


def test_rows_of_the_file_of_held_out_rows_are_not_sent_from_the_other(csv: Path) -> None:
    TABLE.head(30).write_csv(csv.parent / "held.csv")
    data = PartyData.read(file(csv, **{"holdout-path": str(csv.parent / "held.csv")}))
    assert set(np.asarray(data.contribution.y)) == set(range(30, 200))
    assert len(data.held_inputs) == 30
    TABLE.write_csv(csv.parent / "held.csv")
    with pytest.raises(PartyError, match=r"every row of north.csv is held out: nothing is left to send"):
        PartyData.read(file(csv, **{"holdout-path": str(csv.parent / "held.csv")}))


def test_by_an_identifier_an_edit_changes_nothing(csv: Path) -> None:
    """A patient's rows share a fate, and a value that is mended or comes in later does not move them."""
    visits = pl.concat([TABLE, TABLE.with_columns(pl.col("bp") + 5)])
    visits.write_csv(csv)
    data = PartyData.read(file(csv, **{"holdout-by": "id"}))
    before = set(np.asarray(data.contribution.y))
    assert not before & set(np.asarray(data.held_outputs))
    visits.with_columns(age=pl.col("age") + 1, bp=pl.col("bp") * 1.01).write_csv(csv)
    assert sent(csv, **{"holdout-by": "id"}) == before
    with pytest.raises(PartyError, match="holdout-by is not what this party's rows were held out by so far"):
        sent(csv, **{"holdout-by": "id,seen"})


def test_what_can_not_be_told_is_refused(csv: Path) -> None:
    sent(csv)
    TABLE.drop("bp").write_csv(csv)
    with pytest.raises(PartyError, match="lacks columns by which this party's rows are held out") as caught:
        sent(csv, WIDER)
    assert caught.value.here == "missing: bp"
    TABLE.write_csv(csv)
    (csv.parent / "store" / "_holdout.json").write_text("{}")
    with pytest.raises(PartyError, match="the secret by which this party holds rows out can't be read"):
        sent(csv)
    node = {"party": "north", "data-path": str(csv), "confirm-schema": "any", "reward-dir": str(csv.parent / "store")}
    with pytest.raises(PartyError, match="can't be read"):
        check_start(node)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("holdout-by", "id,,seen", "holdout-by in the node config names columns"),
        ("holdout-by", 3, "holdout-by in the node config names columns"),
        ("min-held-out", 0, "min-held-out in the node config is a whole number of at least 1, got 0"),
        ("min-held-out", True, "got True"),
        ("share-scores", "no", "share-scores in the node config is true or false, got 'no'"),
    ],
)
def test_a_key_that_protects_nothing_is_refused(csv: Path, key: str, value: object, said: str) -> None:
    with pytest.raises(PartyError, match=said):
        file(csv, **{key: value})


def test_a_small_file_sends_and_keeps_something() -> None:
    dealer = Dealer(b"k", 0, ("a",), np.zeros(0, dtype=np.uint64))
    for rows in (2, 3, 5):
        for k in range(40):
            hashes = dealer.hashes(pl.DataFrame({"a": np.arange(rows) + 100.0 * k}), "a.csv")
            held = dealer.keeps(hashes, 0.25, "a.csv")
            assert 0 < held.sum() < rows
    same = dealer.hashes(pl.DataFrame({"a": [1.0, 1.0, 1.0]}), "a.csv")
    for share in (0.1, 0.5, 0.9):
        assert dealer.keeps(same, share, "a.csv").sum() == 0  # they share a fate, and something is to be sent


def test_cells_that_mean_the_same_hash_the_same() -> None:
    for texts in (["1", "1.0", "1.00", " 1 ", "+1", "1e0", "true", "TRUE"], ["", "NA", "null", "n/a", "NaN", "None"]):
        assert len(set(row_hashes(pl.DataFrame({"a": texts}), b"k"))) == 1
    days = ["2024-01-05", "2024-01-05 00:00", "2024-01-05T00:00:00", "2024-01-05 00:00:00.000000"]
    assert len(set(row_hashes(pl.DataFrame({"a": days}), b"k"))) == 1
    assert len(set(row_hashes(pl.DataFrame({"a": ["a", "b", "1", "2", "", "-1"]}), b"k"))) == 6
    two = pl.DataFrame({"a": ["x", "y"], "b": ["y", "x"]})
    assert len(set(row_hashes(two, b"k"))) == 2
    assert not np.any(row_hashes(two, b"k") == row_hashes(two, b"other"))


@pytest.mark.parametrize(
    ("rows", "node", "held"),
    [
        (80, {}, 20),
        (39, {}, 10),
        (30, {}, 10),
        (29, {}, 7),
        (29, {"min-held-out": 9}, 9),
        (80, {"min-held-out": 25}, 25),
        (30, {"holdout": 0.25}, 8),
        (30, {"holdout": 0.0}, 0),
    ],
)
def test_a_small_party_holds_out_as_many_rows_as_a_score_needs(
    tmp_path: Path, rows: int, node: dict[str, Any], held: int
) -> None:
    """A third of its rows at most, and only where it says no share of its own."""
    rng = np.random.default_rng(0)
    pl.DataFrame({"a": rng.normal(size=rows), "y": rng.normal(size=rows)}).write_csv(tmp_path / "va.csv")
    config = {"party": "va", "data-path": str(tmp_path / "va.csv"), "target": "y", **node}
    assert len(PartyData.read(PartyFile.of(config, {})).held_inputs) == held
