"""Fidelity and TSTR of synthetic rewards: where they are computed, what they are, and who gets to see which."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clients.app import app
from clients.reward_store import load_reward
from guerdon.table_metrics import fidelity
from guerdon.tables import infer_columns
from server.app import mediate
from server.report.files import write_report
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid
from wire.kinds import columns_of, kind_of
from wire.pages.party_page import party_page

PARTIES = ("east", "north", "west")


def rows(party: int, count: int = 80) -> pl.DataFrame:
    rng = np.random.default_rng(party)
    sick = rng.random(count) < (0.2, 0.5, 0.7)[party]
    return pl.DataFrame(
        {
            "age": np.round(rng.normal(50 + 10 * sick, 8)),
            "stay": rng.exponential(1 + 2 * sick),
            "female": (rng.random(count) < 0.4).astype(float),
            "sick": sick.astype(float),
        }
    )


def run(tmp_path: Path, nodes: dict[str, Any] | None = None, **changes: Any) -> RunDirectory:
    for k, party in enumerate(PARTIES):
        table = rows(k)
        (table if changes.get("target", "sick") else table.drop("sick")).write_parquet(tmp_path / f"{party}.parquet")
    keys = {
        "strategy": "SyntheticDataRewards(size=300)",
        "scheme": "RectifiedRhoShapley(incentive='none')",
        "run-dir": str(tmp_path / "run"),
        "target": "sick",
        "parties": ",".join(PARTIES),
        "join-timeout": 0.5,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    own = {
        k + 1: {"party": party, "data-path": str(tmp_path / f"{party}.parquet"), **(nodes or {})}
        for k, party in enumerate(PARTIES)
    }
    return mediate(LocalGrid(app, own, keys), keys)


def averages(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("column_shapes", "column_pair_trends", "missing_values")}


def test_the_mediator_compares_each_reward_and_all_synthetic_rows_with_the_pool(tmp_path: Path) -> None:
    directory = run(tmp_path)
    record = directory.read_allocation()
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    X, y = np.concatenate([c.X for c in pool]), np.concatenate([c.y for c in pool if c.y is not None])
    names = list(pool[0].feature_names or ())
    for entry in record["parties"]:
        reward = pl.read_parquet(Path(entry["store"]) / "reward.parquet")
        labels = reward["sick"].to_numpy().astype(float)
        mine = fidelity(
            infer_columns(X, names), X, reward.select(names).to_numpy().astype(float), labels=(y, labels), target="sick"
        )
        assert entry["fidelity"]["column_shapes"] == pytest.approx(mine.column_shapes, abs=1e-9)
        assert entry["fidelity"]["column_pair_trends"] == pytest.approx(mine.column_pair_trends, abs=1e-9)
        assert entry["fidelity"]["missing_values"] is None
        expected = [(shape.column, shape.metric) for shape in mine.shapes]
        assert [(c["column"], c["metric"]) for c in entry["fidelity"]["columns"]] == expected
        assert "pairs" not in entry["fidelity"]
    assert len(record["fidelity"]["pairs"]) == 6
    assert record["fidelity"]["column_shapes"] > 0.85


def test_a_party_is_told_the_averages_of_its_own_reward_with_two_digits_and_nothing_else(tmp_path: Path) -> None:
    directory = run(tmp_path)
    record = directory.read_allocation()
    page = write_report(directory).read_text()
    assert "Fidelity, column by column" in page
    assert "Fidelity, pair by pair" in page
    assert "fidelity: shapes, pairs" in page
    for entry in record["parties"]:
        about = load_reward(Path(entry["store"])).about
        own = {key: round(value, 2) for key, value in averages(entry["fidelity"]).items() if value is not None}
        assert about["fidelity"] == own
        rest = json.dumps({key: value for key, value in about.items() if key != "fidelity"})
        assert not re.search(r"column_shapes|pair_trends|KSComplement", rest)
        sentence = kind_of(about).told(about)
        assert sentence == (
            f"Its fidelity to all pooled rows: column shapes {own['column_shapes']:.2f}, column pair trends "
            f"{own['column_pair_trends']:.2f} (1 is the same, 0 nothing alike)."
        )
        mine = party_page(about, alone=entry["alone"], reward=entry["reward"])
        assert mine.count("Its fidelity to all pooled rows") == 1
        assert sentence in mine
        assert "Fidelity, column by column" not in mine


def test_tstr_is_scored_at_home_on_held_out_rows_against_trtr(tmp_path: Path) -> None:
    directory = run(tmp_path)
    record = directory.read_allocation()
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    for contribution, entry in zip(pool, record["parties"], strict=True):
        names = list(contribution.feature_names or ())
        table = pl.read_parquet(tmp_path / f"{entry['party']}.parquet")
        sent = {(*row, label) for row, label in zip(contribution.X.tolist(), np.asarray(contribution.y), strict=True)}
        held = np.array([row for row in table.select([*names, "sick"]).rows() if row not in sent])
        reward = load_reward(Path(entry["store"])).arrays
        for key, stage, X, y in (
            ("accuracy", "alone", contribution.X, contribution.y),
            ("tstr", "reward", reward["points"], reward["labels"]),
        ):
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(X, y)
            assert entry[stage][key] == pytest.approx(model.score(held[:, :-1], held[:, -1]), abs=5e-5)
        assert "tstr" not in entry["alone"]
        page = party_page(load_reward(Path(entry["store"])).about, alone=entry["alone"], reward=entry["reward"])
        assert "accuracy of synthetic rows only (TSTR) against own rows (TRTR)" in page
    column = next(column for column in columns_of(record) if column.label == "TRTR → TSTR")
    assert re.fullmatch(r"[01]\.\d+ → [01]\.\d+|1 → .*|.* → 1", column.cell(record["parties"][0]))


@pytest.mark.parametrize("nodes", [{"share-scores": False}, {"min-held-out": 60}])
def test_tstr_stays_at_home_as_all_scores_do(tmp_path: Path, nodes: dict[str, Any]) -> None:
    record = run(tmp_path, nodes).read_allocation()
    assert all(not entry["reward"] and not entry["alone"] for entry in record["parties"])
    assert all(entry["delivered"] for entry in record["parties"])


def test_without_labels_there_is_no_tstr_and_they_are_no_column(tmp_path: Path) -> None:
    record = run(tmp_path, target="").read_allocation()
    for entry in record["parties"]:
        assert "tstr" not in (entry["reward"] or {})
        assert {column["column"] for column in entry["fidelity"]["columns"]} == {"age", "female", "stay"}


def test_a_run_that_stops_at_the_values_compares_all_synthetic_rows_only(tmp_path: Path) -> None:
    record = run(tmp_path, stop_after="valuation").read_allocation()
    assert record["fidelity"]["column_shapes"] > 0.5
    assert all(not entry.get("fidelity") for entry in record["parties"])


def test_a_reward_of_a_run_before_there_was_fidelity_says_nothing_of_it() -> None:
    about = {"kind": "synthetic"}
    assert kind_of(about).told(about) == ""
    assert kind_of(about).told({**about, "fidelity": {"column_shapes": "0.9"}}) == ""
    assert (
        kind_of(about)
        .told({**about, "fidelity": {"column_shapes": 0.9}})
        .endswith("column shapes 0.90 (1 is the same, 0 nothing alike).")
    )
