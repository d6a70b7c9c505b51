"""Synthetic-data rewards through LocalGrid: values, rewards, files, and what goes wrong."""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.app import app
from clients.reward_store import load_reward
from guerdon.generators import GeneratorFitError
from guerdon.rewards import InfeasibleRewardsError, RectifiedRhoShapley
from guerdon.shapley import exact_shapley
from guerdon.valuation import MaximumMeanDiscrepancy
from server.app import mediate
from server.config import ConfigError
from server.report.words import summary
from server.run_directory import RunDirectory
from strategies import QuorumError
from tests.fakes import LocalGrid
from wire.kinds.synthetic import Synthetic, synthetic_table
from wire.pages.party_page import party_page
from wire.references import references_term

PARTIES = ("east", "north", "west")
CENTERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
SHARES = np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
SCHEME = "RectifiedRhoShapley(incentive='rational')"


def rows(party: int, count: int) -> pl.DataFrame:
    rng = np.random.default_rng(party)
    label = rng.choice(3, size=count, p=SHARES[party])
    X = 100.0 + 10.0 * (CENTERS[label] + rng.normal(size=(count, 2)))
    return pl.DataFrame({"income": X[:, 0], "age": X[:, 1], "grade": label.astype(float)})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for k, party in enumerate(PARTIES):
        rows(k, 60 + 10 * k).write_parquet(folder / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    return folder


def config(data: Path, **changes: Any) -> dict[str, Any]:
    base = {
        "strategy": "SyntheticDataRewards(size=400)",
        "generator": "GaussianMixture(components=3)",
        "scheme": SCHEME,
        "data-dir": str(data),
        "run-dir": str(data.parent / "run"),
        "target": "grade",
        "parties": ",".join(PARTIES),
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(settings: dict[str, Any], order: tuple[int, ...] = (0, 1, 2)) -> RunDirectory:
    nodes = {100 + 7 * k: {"partition-id": k, "num-partitions": 3} for k in order}
    return mediate(LocalGrid(app, nodes, settings), settings)


def reward_of(directory: RunDirectory, party: str) -> Path:
    return next(Path(p["store"]) for p in directory.read_allocation()["parties"] if p["party"] == party)


def test_each_party_gets_synthetic_rows_that_reach_its_target(data: Path) -> None:
    record = run(config(data)).read_allocation()
    assert record["stage"] == "delivered"
    assert record["kind"] == "synthetic"
    for entry in record["parties"]:
        assert entry["delivered"]
        assert entry["stopped"] == "target"
        assert entry["reached"] >= entry["target"] - 1e-12
        assert entry["target"] <= entry["ceiling"] * (1 + 1e-9)
        assert 0.0 <= entry["alone"]["accuracy"] <= 1.0
        assert entry["reward"]["rows"] == entry["alone"]["rows"]
    best = max(record["parties"], key=lambda p: p["alpha"])
    assert best["synthetic_rows"] == max(p["synthetic_rows"] for p in record["parties"])


def test_the_numbers_are_those_of_the_mathematics_on_what_was_pooled(data: Path) -> None:
    rng = np.random.default_rng(0)
    G = 100.0 + 10.0 * (CENTERS[rng.integers(3, size=300)] + rng.normal(size=(300, 2)))
    path = data / "synthetic.parquet"
    pl.DataFrame({"age": G[:, 1], "income": G[:, 0], "grade": np.zeros(300)}).write_parquet(path)
    value = "MaximumMeanDiscrepancy(lengthscale=15.0)"
    directory = run(config(data, synthetic_file=str(path), standardize=False, valuation=value))
    record = directory.read_allocation()
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    game = MaximumMeanDiscrepancy(lengthscale=15.0).game(pool, G)
    phi = exact_shapley(game.table())
    targets = RectifiedRhoShapley("rational")(phi, game(np.eye(3, dtype=bool)), game.ceilings())
    assert record["values"] == pytest.approx(game.table().tolist(), abs=1e-14)
    assert [p["shapley"] for p in record["parties"]] == pytest.approx(phi, abs=1e-12)
    assert [p["target"] for p in record["parties"]] == pytest.approx(targets.values, abs=1e-12)
    assert record["model"]["synthetic_rows"] == 300


def test_public_rows_are_a_reference_that_the_proposal_announces(data: Path) -> None:
    public = data / "public.parquet"
    table = rows(1, 80)
    table.write_parquet(public)
    value = "MaximumMeanDiscrepancy(lengthscale=15.0, reference='public', rows='median', near_duplicates='once')"
    parts = {"valuation": value, "shapley": "RowShapley()", "scheme": "RectifiedRhoShapley(incentive='none', rho=0.5)"}
    directory = run(config(data, public_file=str(public), standardize=False, **parts))
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    assert [p["party"] for p in record["parties"]] == list(PARTIES)
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    names = list(pool[0].feature_names or ())
    P = table.select(names).to_numpy()
    valuation = MaximumMeanDiscrepancy(lengthscale=15.0, reference="public", rows="median")
    game = valuation.game(pool, P[:5], public=P)  # values are of the parties' rows and the public ones only
    assert record["values"] == pytest.approx(game.table().tolist(), abs=1e-12)
    told = json.loads((data / "east-reward" / "_proposals" / "run.json").read_text())
    assert references_term(None) in json.dumps(told, ensure_ascii=False)
    with pytest.raises(ValueError, match=r"values by public rows: name them, public-file = "):
        run(config(data, valuation=value, run_dir=str(data.parent / "other")))


def test_a_reward_is_a_table_in_the_partys_own_columns_and_units(data: Path) -> None:
    directory = run(config(data))
    folder = reward_of(directory, "north")
    parquet, csv = pl.read_parquet(folder / "reward.parquet"), pl.read_csv(folder / "reward.csv")
    assert parquet.columns == csv.columns == ["income", "age", "grade"]
    assert np.allclose(parquet.to_numpy(), csv.to_numpy(), rtol=1e-15)
    assert 60.0 < parquet["income"].mean() < 180.0  # type: ignore[operator]
    assert set(parquet["grade"].unique()) <= {0.0, 1.0, 2.0}
    about = json.loads((folder / "reward.json").read_text())
    record = next(p for p in directory.read_allocation()["parties"] if p["party"] == "north")
    assert about["rows"] == len(parquet) == record["synthetic_rows"]
    assert about["value_before"] == record["value"]
    assert about["reached"] == record["reached"]
    assert about["realization"] == "WeightedSampling(beta=1.0)"
    assert synthetic_table(load_reward(folder)).equals(parquet)


def test_unlabelled_data_is_rewarded_with_unlabelled_rows(data: Path) -> None:
    for party in PARTIES:
        path = data / f"{party}.parquet"
        pl.read_parquet(path).drop("grade").write_parquet(path)
    directory = run(config(data, target=""))
    assert pl.read_parquet(reward_of(directory, "east") / "reward.parquet").columns == ["income", "age"]
    assert all(p["alone"] is None for p in directory.read_allocation()["parties"])


def test_values_do_not_see_labels(data: Path) -> None:
    labelled = run(config(data, run_dir=str(data.parent / "a"))).read_allocation()
    for party in PARTIES:
        path = data / f"{party}.parquet"
        pl.read_parquet(path).drop("grade").write_parquet(path)
    unlabelled = run(config(data, run_dir=str(data.parent / "b"), target="")).read_allocation()
    assert labelled["values"] == unlabelled["values"]


def test_order_of_arrival_changes_nothing_and_the_secret_seed_everything(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = run(config(data, run_dir=str(data.parent / "1")), order=(0, 1, 2)).read_allocation()
    two = run(config(data, run_dir=str(data.parent / "2")), order=(2, 0, 1)).read_allocation()
    monkeypatch.setenv("GUERDON_NOISE_SEED", "2")
    other = run(config(data, run_dir=str(data.parent / "3"))).read_allocation()
    for entry in (*one["parties"], *two["parties"]):
        entry.pop("store")
    assert {**one, "run": ""} == {**two, "run": ""}
    assert other["values"] != one["values"]


def test_resume_delivers_what_was_valued(data: Path) -> None:
    valued = run(config(data, stop_after="valuation")).read_allocation()
    assert valued["stage"] == "valued"
    done = run(config(data, resume=True, scheme="RectifiedRhoShapley(incentive='none')")).read_allocation()
    assert done["stage"] == "delivered"
    assert done["values"] == valued["values"]


def test_greedy_and_uniform_sampling_can_be_chosen(data: Path) -> None:
    counts = {}
    for beta in ("0.0", "1e9"):
        directory = run(config(data, run_dir=str(data.parent / beta), realization=f"WeightedSampling(beta={beta})"))
        counts[beta] = sum(p["synthetic_rows"] for p in directory.read_allocation()["parties"])
    assert counts["1e9"] < counts["0.0"]


def test_the_synthetic_pool_can_not_be_drawn_again_from_what_parties_know(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a kernel density, whoever draws the pool again can take the noise off and hold the others' rows."""
    monkeypatch.delenv("GUERDON_NOISE_SEED")
    directory = run(config(data, generator="KernelDensity()"))
    about = json.loads((reward_of(directory, "east") / "reward.json").read_text())
    seed = directory.secret_seed()
    assert seed > 2**64
    assert about["seed_sha256"] == hashlib.sha256(str(seed).encode()).hexdigest()
    assert str(seed) not in json.dumps(about)
    again = run(config(data, generator="KernelDensity()", run_dir=str(data.parent / "again")))
    assert again.read_allocation()["values"] != directory.read_allocation()["values"]


def test_a_reward_warns_of_what_its_generator_discloses(data: Path) -> None:
    directory = run(config(data, generator="KernelDensity()"))
    about = json.loads((reward_of(directory, "east") / "reward.json").read_text())
    assert "near copies of other parties' rows" in about["contains"]
    record = directory.read_allocation()
    assert any("near copies of other parties' rows" in note for note in record["notes"])
    mixture = run(config(data, run_dir=str(data.parent / "mixture")))
    assert "copies" not in (reward_of(mixture, "east") / "reward.json").read_text()
    assert not any("copies" in note for note in mixture.read_allocation()["notes"])


# What goes wrong.


def test_labels_in_some_parties_only_are_refused_by_name(data: Path) -> None:
    path = data / "west.parquet"
    pl.read_parquet(path).drop("grade").write_parquet(path)
    refused = run(config(data)).read_allocation()["refused"]
    assert [(r["party"], "no target column 'grade'" in r["reason"]) for r in refused] == [("west", True)]


@pytest.mark.parametrize(("label", "why"), [(0.5, "whole numbers"), (1e60, "whole numbers"), (1e300, "too large")])
def test_labels_that_name_no_class_refuse_their_party_only(data: Path, label: float, why: str) -> None:
    path = data / "west.parquet"
    pl.read_parquet(path).with_columns(grade=pl.lit(label)).write_parquet(path)
    record = run(config(data)).read_allocation()
    assert [(r["party"], why in r["reason"]) for r in record["refused"]] == [("west", True)]
    assert record["stage"] == "delivered"


@pytest.mark.parametrize("generator", ["GaussianMixture()", "KernelDensity()"])
def test_a_constant_column_is_no_obstacle(data: Path, generator: str) -> None:
    for party in PARTIES:
        path = data / f"{party}.parquet"
        pl.read_parquet(path).with_columns(country=pl.lit(7.5)).write_parquet(path)
    directory = run(config(data, generator=generator))
    table = pl.read_parquet(reward_of(directory, "east") / "reward.parquet")
    assert table["country"].to_list() == pytest.approx([7.5] * len(table))


def test_fewer_rows_than_components_fail_the_run_with_the_reason(data: Path) -> None:
    with pytest.raises(GeneratorFitError, match="needs at least"):
        run(config(data, generator="GaussianMixture(components=500)"))
    events = [json.loads(line) for line in (data.parent / "run" / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "failed"


def test_bounds_that_conflict_grow_the_pool_and_then_refuse_by_name(data: Path) -> None:
    # Two synthetic rows can't make anybody's data worth what all parties' data is worth together.
    scheme = "RectifiedRhoShapley(incentive='stable')"
    with pytest.raises(InfeasibleRewardsError, match=r"'north' .* must get at least .* Tried 2, 4, 8 synthetic"):
        run(config(data, scheme=scheme, strategy="SyntheticDataRewards(size=2, limit=8)"))
    notes = (data.parent / "run" / "events.jsonl").read_text()
    assert "growing the synthetic pool to 8 rows" in notes


def test_a_pool_that_had_to_grow_is_reported(data: Path) -> None:
    scheme = "RectifiedRhoShapley(incentive='stable')"
    record = run(config(data, scheme=scheme, strategy="SyntheticDataRewards(size=2, limit=5000)")).read_allocation()
    assert record["stage"] == "delivered"
    sizes = record["model"]["sizes_tried"]
    assert sizes[0] == 2
    assert sizes[-1] == record["model"]["synthetic_rows"] > 2


def test_too_few_parties_fail_as_for_model_rewards(data: Path) -> None:
    with pytest.raises(QuorumError, match="min-parties asks for"):
        run(config(data), order=(0,))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"model": "GaussianProcess()"},
            "takes no model, got 'GaussianProcess.*; it takes generator, features, valuation",
        ),
        ({"realization": "WeightedSampling(beta=-1)"}, "beta must be a number in"),
        ({"strategy": "SyntheticDataRewards(size=0)"}, "size and limit are whole numbers"),
        ({"scheme": "RectifiedRhoShapley(incentive='fair')"}, "incentive must be 'stable', 'rational' or 'none'"),
        ({"synthetic-file": "here.parquet"}, "write an absolute path"),
        ({"synthetic-file": "/nowhere/there.parquet"}, "synthetic-file: expected a Parquet file"),
    ],
)
def test_bad_configs_fail_before_any_party_is_asked(data: Path, change: dict[str, Any], problem: str) -> None:
    settings = {**config(data), **change}
    grid = LocalGrid(app, {k: {"partition-id": k} for k in range(3)}, settings)
    with pytest.raises(ConfigError, match=problem):
        mediate(grid, settings)
    assert grid.sent == []


def test_how_well_each_reward_tells_who_was_in_is_a_score_and_is_told_in_words(data: Path) -> None:
    directory = run(config(data, generator="KernelDensity(bandwidth=0.01)", holdout=0.4))
    record = directory.read_allocation()
    found = {p["party"]: p["reward"]["membership_auc"] for p in record["parties"]}
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    for contribution in pool:
        arrays = load_reward(reward_of(directory, contribution.party)).arrays
        whole = rows(PARTIES.index(contribution.party), 60 + 10 * PARTIES.index(contribution.party))
        names = list(contribution.feature_names or ())
        sent = {tuple(row) for row in contribution.X}
        held = np.array([row for row in whole.select(names).to_numpy() if tuple(row) not in sent])
        scale = arrays["feature_scale"]
        near = [
            np.linalg.norm((X[:, None] - arrays["points"][None]) / scale, axis=2).min(axis=1)
            for X in (contribution.X, held)
        ]
        closer = np.sign(near[1][None] - near[0][:, None])
        assert found[contribution.party] == pytest.approx(0.5 + closer.mean() / 2, abs=0.0051)
    worst = max(found, key=lambda party: found[party])
    told = f"AUC {found[worst]:.2f} of telling who was in, by {worst}'s reward"
    assert found[worst] > 0.8
    assert all("membership_auc" not in p["alone"] for p in record["parties"])
    assert sum("of telling who was in" in note for note in record["notes"]) == sum(auc > 0.6 for auc in found.values())
    assert any(note.startswith(told) for note in record["notes"])
    assert summary(record)[-1].startswith(f"{told}, the largest of 3: rows that were contributed lie nearer")
    assert "AUC of telling who was in" in [column.label for column in Synthetic().columns(record)]
    scores = next(p["reward"] for p in record["parties"] if p["party"] == worst)
    assert told in html.unescape(party_page(load_reward(reward_of(directory, worst)).about, reward=scores))


def test_a_reward_that_tells_nobody_is_reported_and_not_noted(data: Path) -> None:
    record = run(config(data, generator="GaussianMixture(components=3)", holdout=0.4, seed=0)).read_allocation()
    low = [p for p in record["parties"] if p["reward"]["membership_auc"] <= 0.6]
    assert low
    for entry in low:
        assert not any(f"by {entry['party']}'s reward" in note for note in record["notes"])
        assert Synthetic().disclosed({entry["party"]: entry["reward"]}).endswith("0.5 is chance, 1 is certain.")
