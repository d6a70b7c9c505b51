"""Linear models through LocalGrid: a network trained on public rows, and inducing points; what their rewards hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.app import app
from clients.reward_store import load_reward
from server.app import mediate
from server.config import ConfigError, RunConfig
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid
from wire.kinds.model import predictor_of

PARTIES = ("east", "north", "west")
NETWORK = "BayesianLinear(features='NeuralFeatures(hidden=(8, 4), epochs=5)')"
SPARSE = "SparseGaussianProcess(kernel='rbf', inducing=6)"


def table(seed: int, rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3)) * [1.0, 5.0, 1.0] + [0.0, 50.0, 0.0]
    y = 10.0 * np.sin(X[:, 0]) + X[:, 1] + rng.normal(size=rows)
    return pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "outcome": y})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, party in enumerate(PARTIES):
        table(seed, 24 + 8 * seed).write_parquet(folder / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    # The mediator's own file has its columns in another order, and one that nobody asks for.
    public = table(9, 300).with_columns(extra=pl.lit(1.0))
    public.select(["outcome", "bp", "extra", "age", "bmi"]).write_parquet(tmp_path / "public.parquet")
    return folder


def config(data: Path, **changes: Any) -> dict[str, Any]:
    base = {
        "data-dir": str(data),
        "run-dir": str(data.parent / "run"),
        "target": "outcome",
        "parties": ",".join(PARTIES),
        "model": NETWORK,
        "public-file": str(data.parent / "public.parquet"),
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(settings: dict[str, Any]) -> RunDirectory:
    nodes = {100 + 7 * k: {"partition-id": k, "num-partitions": 3} for k in range(3)}
    return mediate(LocalGrid(app, nodes, settings), settings)


def check_delivered(record: dict[str, Any]) -> None:
    assert record["stage"] == "delivered"
    for entry in record["parties"]:
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-11)
        assert entry["value"] <= entry["target"] * (1 + 1e-9)
        for score in ("coverage_50", "coverage_90"):
            assert 0.0 <= entry["reward"][score] <= 1.0
        assert entry["reward"]["coverage_50"] <= entry["reward"]["coverage_90"]


def test_a_network_from_public_rows_carries_the_parties_model(data: Path) -> None:
    directory = run(config(data))
    record = directory.read_allocation()
    check_delivered(record)
    assert record["model"]["features"]["training"]["rows"] == 270
    assert record["noise_sensitivity"]["degrees_of_freedom"] <= 5.0 + 1e-9
    assert record["noise_sensitivity"]["elasticity"] == -0.5 * record["noise_sensitivity"]["degrees_of_freedom"]
    assert any("maximum likelihood ended" in sentence for sentence in record["diagnostics"])


def test_a_reward_holds_no_row_of_the_pool_nor_of_the_public_file(data: Path) -> None:
    directory = run(config(data, standardize=False))
    rows = [table(seed, 24 + 8 * seed) for seed in range(3)] + [table(9, 300)]
    cells = np.concatenate([frame.to_numpy().ravel() for frame in rows])
    for entry in directory.read_allocation()["parties"]:
        reward = load_reward(Path(entry["store"]))
        numbers = [a.ravel() for a in reward.arrays.values() if a.dtype == np.float64]
        assert not np.isin(np.concatenate(numbers), cells).any()
        assert "of the pool's" in reward.about["contains"]


def test_the_scaling_of_a_reward_is_that_of_the_public_rows(data: Path) -> None:
    entry = run(config(data)).read_allocation()["parties"][0]
    scaling = predictor_of(load_reward(Path(entry["store"]))).scaling
    public = table(9, 300)
    assert scaling.target_mean == pytest.approx(public["outcome"].mean())
    assert scaling.feature_scale == pytest.approx(public.select("age", "bmi", "bp").to_numpy().std(axis=0))


@pytest.mark.parametrize("model", [NETWORK, SPARSE])
def test_a_party_shows_its_reward_and_predicts_with_it(data: Path, model: str) -> None:
    entry = run(config(data, model=model)).read_allocation()["parties"][1]
    shown = CliRunner().invoke(cli, ["show", entry["store"]])
    assert shown.exit_code == 0, shown.output
    assert ("NeuralFeatures" if model == NETWORK else "Kernel rbf(") in shown.output
    new = data.parent / "new.csv"
    table(20, 5).drop("outcome").write_csv(new)
    predicted = CliRunner().invoke(cli, ["predict", entry["store"], str(new)])
    assert predicted.exit_code == 0, predicted.output
    frame = pl.read_csv(predicted.output.encode())
    assert (frame["outcome_sd"] > 0).all()
    assert np.abs(frame["outcome_mean"].to_numpy() - table(20, 5)["outcome"].to_numpy()).max() < 25.0


def test_inducing_points_are_chosen_on_the_pool_and_rewarded_through_the_same_parts(data: Path) -> None:
    directory = run(config(data, model=SPARSE, public_file=""))
    record = directory.read_allocation()
    check_delivered(record)
    assert record["model"]["inducing_points"] == 6
    arrays = load_reward(Path(record["parties"][0]["store"])).arrays
    assert sorted(np.shape(arrays[name]) for name in ("posterior.weights", "posterior.root")) == [(6,), (6, 6)]


def test_a_run_stopped_after_valuation_resumes_with_the_same_network(data: Path) -> None:
    whole = run(config(data, run_dir=str(data.parent / "whole"))).read_allocation()
    run(config(data, stop_after="valuation"))
    resumed = run(config(data, resume=True)).read_allocation()
    assert resumed["values"] == whole["values"]
    assert resumed["model"] == whole["model"]


def test_a_network_without_public_rows_fails_before_anybody_is_asked(data: Path) -> None:
    with pytest.raises(ValueError, match=r"public-file = "):
        run(config(data, public_file=""))
    assert not (data.parent / "run" / "pool.json").exists()
    actions = [entry["action"] for entry in RunDirectory(data.parent / "run").read_ledger()]
    assert "introduced" not in actions


def test_public_rows_that_lack_a_column_or_are_no_table_are_refused(data: Path) -> None:
    path = data.parent / "public.parquet"
    pl.read_parquet(path).drop("bmi").write_parquet(path)
    with pytest.raises(ValueError, match="public-file lacks the columns bmi"):
        run(config(data))
    path.write_text("no table")
    with pytest.raises(ConfigError, match="public-file: expected a Parquet file of numbers"):
        run(config(data, run_dir=str(data.parent / "other")))
    with pytest.raises(ConfigError, match=r"public-file.*absolute path"):
        RunConfig.parse(config(data, public_file="public.parquet"))
