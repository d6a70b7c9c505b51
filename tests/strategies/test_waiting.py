"""How long parties are waited for, and what is said meanwhile: real ones by join-timeout, simulated ones while they
live."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flwr.app import Message
from flwr.clientapp import ClientApp

from clients.app import app
from server.app import mediate
from server.run_directory import RunDirectory
from strategies import QuorumError, waiting
from strategies.grid import AttentiveGrid
from tests.fakes import LocalGrid
from wire import messages

PARTIES = ("east", "north", "west")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    data = tmp_path / "data"
    data.mkdir()
    for k, party in enumerate(PARTIES):
        x = [0.5 * i + k for i in range(12)]
        pl.DataFrame({"x": x, "y": [i % 5 for i in x]}).write_parquet(data / f"{party}.parquet")
    (data / "parties.json").write_text(json.dumps(PARTIES))
    return {
        "data-dir": str(data),
        "run-dir": str(tmp_path / "run"),
        "target": "y",
        "parties": ",".join(PARTIES),
        "model": "GaussianProcess(kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.3)",
        "discloses-rows": True,
        "join-timeout": 0.2,
        "timeout": 30.0,
    }


class LateGrid(LocalGrid):
    """Nodes that come, and answer, only after ``delay`` seconds; those in ``gone`` end after theirs."""

    delay = 1.5
    gone: frozenset[int] = frozenset()
    start = 0.0

    def get_node_ids(self) -> Iterable[int]:
        self.start = self.start or time.monotonic()
        waited = time.monotonic() - self.start
        return (
            [] if waited < self.delay else [n for n in self.contexts if n not in self.gone or waited < self.delay + 1]
        )


def grid(settings: dict[str, Any], kind: type[LocalGrid] = LocalGrid, parties: ClientApp = app, **more: Any) -> Any:
    return kind(parties, {10 + k: {"partition-id": k} for k in range(3)}, settings, **more)


def notes(directory: Path) -> list[str]:
    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    return [event["text"] for event in events if event["event"] == "note"]


def silent(*nodes: int, kind: str = messages.INTRODUCE) -> Any:
    def tamper(node: int, message: Message, reply: Message) -> Message | None:
        return None if node in nodes and message.metadata.message_type == kind else reply

    return tamper


def refused(directory: RunDirectory) -> dict[str, str]:
    return {entry["party"]: entry["reason"] for entry in directory.read_allocation()["refused"]}


def test_a_simulation_waits_for_its_nodes_however_late_they_are(settings: dict[str, Any]) -> None:
    directory = mediate(grid(settings, LateGrid), settings, simulated=True)
    assert directory.read_allocation()["stage"] == "delivered"
    assert refused(directory) == {}


def test_real_parties_are_waited_for_by_join_timeout(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 0.1, 0.1))
    with pytest.raises(QuorumError, match=r"east: it did not introduce itself within join-timeout = 0.2 s;") as caught:
        mediate(grid(settings, LateGrid), settings)
    assert "busy" not in str(caught.value)


def test_on_a_busy_machine_the_reason_says_so(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (99.25, 0.0, 0.0))
    expected = r"join-timeout = 0.2 s; the machine is busy \(load 99.2 on \d+ cores?\): a larger join-timeout waits"
    with pytest.raises(QuorumError, match=expected):
        mediate(grid(settings, LateGrid), settings)


def test_a_simulated_party_that_hangs_ends_by_timeout(settings: dict[str, Any]) -> None:
    settings["timeout"] = 0.8
    directory = mediate(grid(settings, tamper=silent(11)), settings, simulated=True)
    assert refused(directory)["north"].startswith(
        "it did not introduce itself; a node of unknown name: no answer within timeout = 0.8 s"
    )


def test_nodes_that_never_come_end_by_timeout(settings: dict[str, Any]) -> None:
    settings["timeout"] = 0.8
    late = grid(settings, LateGrid)
    late.delay = 1e9
    with pytest.raises(QuorumError, match=r"east: it did not introduce itself within timeout = 0.8 s"):
        mediate(late, settings, simulated=True)


def test_a_simulated_node_that_is_gone_is_not_waited_for(settings: dict[str, Any]) -> None:
    late = grid(settings, LateGrid, tamper=silent(11))
    late.delay, late.gone = 0.0, frozenset({11})
    start = time.monotonic()
    directory = mediate(late, settings, simulated=True)
    assert time.monotonic() - start < 15.0
    assert "it has ended without an answer" in refused(directory)["north"]


def test_simulated_parties_that_raise_are_not_waited_for(settings: dict[str, Any]) -> None:
    broken = ClientApp()

    @broken.query("introduce")
    def introduce(message: Message, context: Any) -> Message:
        raise RuntimeError("disk on fire")

    start = time.monotonic()
    with pytest.raises(QuorumError, match="disk on fire"):
        mediate(grid(settings, parties=broken), settings, simulated=True)
    assert time.monotonic() - start < 15.0


def test_what_is_waited_for_is_said(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "EVERY", 0.25)
    monkeypatch.setattr("os.getloadavg", lambda: (14.2, 0.0, 0.0))
    settings["timeout"] = 1.0
    directory = mediate(grid(settings, tamper=silent(11)), settings, simulated=True)
    said = notes(directory.path)
    assert any(
        text.startswith("waiting for north to introduce itself; 0 s so far, the machine is busy") for text in said
    )
    assert not [text for text in directory.read_allocation()["notes"] if "waiting" in text]


def test_who_has_not_answered_is_said(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "EVERY", 0.25)
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    settings["timeout"] = 1.0
    directory = mediate(grid(settings, tamper=silent(10, 12, kind=messages.REWARD)), settings, simulated=True)
    assert "waiting for east, west to answer; 0 s so far" in notes(directory.path)


def test_a_grid_says_nothing_of_its_own_accord(settings: dict[str, Any]) -> None:
    quiet = AttentiveGrid(grid(settings), lambda done, total: None)
    assert list(quiet.send_and_receive([])) == []
    assert sorted(quiet.get_node_ids()) == [10, 11, 12]
