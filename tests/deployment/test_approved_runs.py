"""A whole run between real processes: an app that nobody approved gets nothing, the approved one ends in rewards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clients.approval import app_hash
from clients.reward_store import load_reward
from server.door import CONNECTION
from simulations.processes import Service
from simulations.staging import stage
from tests.deployment.consortium import NODE, NOT_ACTIVATED, PARTIES, Consortium, json_of, wait_until
from tests.deployment.runs import Run, node_config, store, write_data
from wire.kinds.model import predictor_of

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
    write_data(consortium)
    approved = [app_hash(approved_app[0])]
    started = {name: consortium.party(name, approved, node_config(consortium, name)) for name in PARTIES}
    yield started
    for service in started.values():
        service.stop()


def test_an_app_that_nobody_approved_never_runs_at_a_party(
    consortium: Consortium, parties: dict[str, Service], tmp_path: Path
) -> None:
    app = app_that_leaves(tmp_path / "ran", tmp_path / "app")
    run = Run(tmp_path / "unapproved", **{"join-timeout": 10.0})
    run.submit(consortium, app)
    end = run.end()
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
    run = Run(tmp_path / "approved")
    run.submit(consortium, app)
    run.finish()
    assert trace.exists()  # the bundle's code ran, not the installed code of the same name
    for name in PARTIES:
        reward = load_reward(store(consortium, name) / "approved")
        assert reward.about["party"] == name
        mean, variance = predictor_of(reward).predict(np.array([[1.0, 1.0]]))
        assert mean[0] == pytest.approx(-1.0, abs=0.6)
        assert variance[0] > 0
        assert f"uses the approved app {app_hash(app)}" in parties[name].tail(1000)
    assert sorted(run.delivered()) == sorted(PARTIES)


def test_a_party_whose_key_is_withdrawn_is_out(
    consortium: Consortium, parties: dict[str, Service], tmp_path: Path
) -> None:
    """Runs last: `flwr supernode unregister` ends the node, and started again with the same key it is refused."""
    nodes = json_of(consortium.flwr("supernode", "list", CONNECTION, "--format", "json").stdout)["nodes"]
    own = next(line for line in parties["south"].tail(1000).splitlines() if "SuperNode ID" in line).split()[-1]
    assert own in [str(node["node-id"]) for node in nodes]
    done = consortium.flwr("supernode", "unregister", own, CONNECTION)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until("south ends", lambda: parties["south"].ended() is not None, 120.0)
    folder = consortium.folder / "south"
    again = consortium.start("south", [*NODE, *consortium.node_options(folder / "ca.crt", folder / "south")], tmp_path)
    wait_until("south is refused", lambda: again.ended() is not None, 120.0)
    assert NOT_ACTIVATED in again.tail(100)
    nodes = json_of(consortium.flwr("supernode", "list", CONNECTION, "--format", "json").stdout)["nodes"]
    status = {str(node["node-id"]): node["status"] for node in nodes}
    assert status.get(own) in (None, "unregistered")  # the key is withdrawn, not in use
    assert parties["north"].ended() is None
