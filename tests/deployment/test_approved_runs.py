"""A whole run between real processes: an app that nobody approved gets nothing, the approved one ends in rewards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tomli_w

from clients.approval import app_hash
from clients.reward_store import load_predictor, load_reward
from server.door import CONNECTION
from simulations.processes import Service
from simulations.staging import stage
from tests.deployment.consortium import PARTIES, Consortium, json_of, wait_until

pytestmark = [pytest.mark.deployment, pytest.mark.slow]

MARK = "\nimport pathlib as _p\n_p.Path({path!r}).touch()\n"
"""A line of an app that leaves a trace where it runs."""


def app_that_leaves(mark: Path, target: Path) -> Path:
    """A copy of the app whose party side makes the file ``mark`` when it is imported."""
    app = stage([], target)
    handler = app / "clients" / "app.py"
    handler.write_text(handler.read_text() + MARK.format(path=str(mark)))
    return app


@pytest.fixture(scope="module")
def approved_app(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The app that both parties approve, and the trace that it leaves. It is not the installed code."""
    folder = tmp_path_factory.mktemp("approved")
    return app_that_leaves(folder / "ran", folder / "app"), folder / "ran"


@pytest.fixture(scope="module")
def parties(consortium: Consortium, approved_app: tuple[Path, Path]) -> Iterator[dict[str, Service]]:
    rng = np.random.default_rng(3)
    started = {}
    for name, rows in zip(PARTIES, (24, 36), strict=True):
        X = rng.normal(size=(rows, 2))
        table = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": X @ [1.0, -2.0] + 0.1 * rng.normal(size=rows)})
        table.write_csv(consortium.folder / name / "data.csv")
        node = f'data-path="{consortium.folder / name / "data.csv"}" target="y"'
        started[name] = consortium.party(name, [app_hash(approved_app[0])], node)
    yield started
    for service in started.values():
        service.stop()


def run_config(run: Path, **more: object) -> Path:
    config = {"run-dir": str(run), "parties": ",".join(PARTIES), "target": "y", "join-timeout": 60.0}
    config |= {"model": "GaussianProcess(kernel='rbf', noise=0.1)", **more}
    path = run.with_suffix(".toml")
    path.write_text(tomli_w.dumps(config))
    return path


def events(run: Path) -> list[dict[str, object]]:
    file = run / "events.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def end_of(run: Path) -> dict[str, object]:
    wait_until(f"{run} ends", lambda: any(e["event"] in ("finished", "failed") for e in events(run)), 240.0)
    return events(run)[-1]


def test_an_app_that_nobody_approved_never_runs_at_a_party(
    consortium: Consortium, parties: dict[str, Service], tmp_path: Path
) -> None:
    app = app_that_leaves(tmp_path / "ran", tmp_path / "app")
    run = tmp_path / "unapproved"
    consortium.submit(app, run_config(run, **{"join-timeout": 10.0}))
    end = end_of(run)
    assert end["event"] == "failed"
    assert "Flower error 7" in str(end["reason"])
    assert not (tmp_path / "ran").exists()
    for service in parties.values():
        assert f"its app {app_hash(app)} is not among the approved" in service.tail(1000)
        assert service.ended() is None  # it goes on serving approved apps


def test_the_approved_app_runs_from_its_bundle_and_each_party_holds_its_reward(
    consortium: Consortium, parties: dict[str, Service], approved_app: tuple[Path, Path], tmp_path: Path
) -> None:
    app, trace = approved_app
    run = tmp_path / "approved"
    consortium.submit(app, run_config(run))
    end = end_of(run)
    assert end["event"] == "finished", end
    assert trace.exists()  # the bundle's code ran, not the installed code of the same name
    for name in PARTIES:
        reward = load_reward(consortium.folder / name / "data-reward" / "approved")
        assert reward.about["party"] == name
        mean, variance = load_predictor(reward).predict(np.array([[1.0, 1.0]]))
        assert mean[0] == pytest.approx(-1.0, abs=0.6)
        assert variance[0] > 0
        assert f"uses the approved app {app_hash(app)}" in parties[name].tail(1000)
    ledger = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    assert [e["party"] for e in ledger if e["action"] == "delivered"] == sorted(PARTIES)


def test_a_party_whose_key_is_withdrawn_is_out(consortium: Consortium, parties: dict[str, Service]) -> None:
    """Runs last: `flwr supernode unregister` ends a connected node and its key opens nothing any more."""
    nodes = json_of(consortium.flwr("supernode", "list", CONNECTION, "--format", "json").stdout)["nodes"]
    own = next(line for line in parties["south"].tail(1000).splitlines() if "SuperNode ID" in line).split()[-1]
    assert own in [str(node["node-id"]) for node in nodes]
    done = consortium.flwr("supernode", "unregister", own, CONNECTION)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until("south ends", lambda: parties["south"].ended() is not None, 120.0)
    assert parties["north"].ended() is None
