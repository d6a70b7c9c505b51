"""A run that would not fit into memory is refused from the numbers of rows, before anybody is asked for data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from flwr.serverapp.exception import AggregationError

from clients.app import app
from guerdon.models import GaussianProcess
from server.app import mediate
from simulations.local_grid import LocalGrid
from strategies import memory, model_rewards
from strategies.memory import Memory, free_memory


def test_an_exact_gaussian_process_needs_a_few_matrices_of_all_rows() -> None:
    known = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.1)
    assert known.memory(10_000) == 6.0 * 8e8
    assert GaussianProcess("rbf").memory(10_000) == 8.5 * 8e8
    assert GaussianProcess("rbf + exponential").memory(10_000) == 10.5 * 8e8
    assert GaussianProcess("rbf + matern32").lighter.startswith("SparseGaussianProcess(kernel='rbf + matern32', ")


def test_the_least_bound_on_memory_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert 0.0 < free_memory().free < 1e15
    (tmp_path / "max").write_text("3000000\n")
    (tmp_path / "current").write_text("1000000\n")
    monkeypatch.setattr(memory, "CGROUPS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    assert free_memory() == Memory(2e6, "within this container's limit")
    (tmp_path / "max").write_text("max\n")
    assert free_memory().free > 2e6


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_run_that_would_not_fit_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool) -> None:
    monkeypatch.setattr(model_rewards, "free_memory", lambda: Memory(1e4, "on this machine"))
    nodes = {}
    for k, party in enumerate(("east", "north")):
        X = np.random.default_rng(k).normal(size=(20, 2))
        pl.DataFrame({"a": X[:, 0], "y": X[:, 1]}).write_parquet(tmp_path / f"{party}.parquet")
        nodes[10 + k] = {"party": party, "data-path": str(tmp_path / f"{party}.parquet"), "discloses-rows": True}
    settings = {
        "run-dir": str(tmp_path / "run"),
        "parties": "east,north",
        "target": "y",
        "model": "GaussianProcess(kernel='rbf')",
        "discloses-rows": True,
        "dry-run": dry_run,
        "join-timeout": 1.0,
        "timeout": 5.0,
    }
    expected = r"does not fit into memory: for 30 rows in all .* free on this machine.*SparseGaussianProcess"
    if dry_run:
        mediate(LocalGrid(app, nodes, settings), settings)
        said = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
        assert any("SparseGaussianProcess" in event.get("text", "") for event in said)
    else:
        with pytest.raises(AggregationError, match=expected):
            mediate(LocalGrid(app, nodes, settings), settings)
    ledgers = [json.loads(line) for line in (tmp_path / "run" / "ledger.jsonl").read_text().splitlines()]
    assert not any(entry["action"] == "contributed" for entry in ledgers)
    assert not list(tmp_path.glob("*-reward/_ledger.jsonl"))  # no party has sent anything


def test_a_dry_run_says_what_memory_there_is(tmp_path: Path) -> None:
    nodes = {}
    for k, party in enumerate(("east", "north")):
        X = np.random.default_rng(k).normal(size=(20, 2))
        pl.DataFrame({"a": X[:, 0], "y": X[:, 1]}).write_parquet(tmp_path / f"{party}.parquet")
        nodes[10 + k] = {"party": party, "data-path": str(tmp_path / f"{party}.parquet")}
    settings = {"run-dir": str(tmp_path / "run"), "parties": "east,north", "target": "y", "dry-run": True}
    mediate(LocalGrid(app, nodes, settings), settings)
    assert "memory: nothing says that 30 rows in all are too many" in (tmp_path / "run" / "events.jsonl").read_text()
