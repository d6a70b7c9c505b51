"""The launcher: what counts as completed, and (with Ray) that nothing outlives a run, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from simulations import launch
from simulations.events import Event, EventTail
from simulations.launch import _judge
from simulations.superlink import RunStatus, _last_json, federation_config

CHECKOUT = Path(__file__).parents[2]
COMPLETED, FAILED = RunStatus("finished:completed", ""), RunStatus("finished:failed", "boom")
RUNNING = RunStatus("running", "")


@pytest.mark.parametrize(
    ("status", "last", "completed", "reason"),
    [
        (COMPLETED, {"event": "finished"}, True, "completed"),
        (RUNNING, {"event": "finished"}, True, "never answered"),
        (FAILED, {"event": "finished"}, False, "finished:failed: boom"),
        (COMPLETED, {"event": "failed", "reason": "one party is left"}, False, "one party is left"),
        (None, {"event": "failed", "reason": "one party is left"}, False, "one party is left"),
        (COMPLETED, {"event": "stage", "stage": "fit"}, False, "before it had finished"),  # sys.exit in a ServerApp
        (FAILED, None, False, "finished:failed: boom"),
        (None, {"event": "finished"}, False, "did not say"),
    ],
)
def test_only_flower_and_the_server_app_together_complete_a_run(
    tmp_path: Path, status: RunStatus | None, last: Event | None, completed: bool, reason: str
) -> None:
    tail = EventTail(tmp_path / "events.jsonl")
    if last:
        (tmp_path / "events.jsonl").write_text(json.dumps(last) + "\n")
    outcome = _judge(status, tail)
    assert outcome.completed == completed
    assert reason in outcome.reason


def test_the_answer_of_a_flwr_command_is_found_among_its_notes() -> None:
    assert _last_json('Note {not} json\n{"run-id": "7", "more": {"a": 1}}\n') == {"run-id": "7", "more": {"a": 1}}
    assert _last_json("nothing at all") == {}


def test_four_parties_get_an_actor_each() -> None:
    assert federation_config(1000).startswith("num-supernodes=1000 client-resources-num-cpus=1 ")
    actors = int(federation_config(4).rpartition("=")[2])
    assert actors >= 4


class LateWord:
    """A SuperLink whose ServerApp ends, with its last events, between a look at these and the question how it is."""

    path: Path

    def __init__(self, *args: object, **kwargs: object) -> None: ...

    def __enter__(self) -> LateWord:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, app: Path, config: Path, parties: int) -> str:
        return "7"

    def trouble(self) -> None:
        return None

    def log(self, run: str, *, whole: bool) -> str:
        return f"whole log: {whole}"

    def status(self, run: str, within: float = 60.0) -> RunStatus:
        last = [{"event": "progress", "stage": "alone", "done": 5, "total": 5}, {"event": "finished"}]
        if not self.path.exists():
            self.path.write_text("".join(json.dumps(event) + "\n" for event in last))
        return COMPLETED


def test_all_events_are_shown_before_the_display_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LateWord, "path", tmp_path / "events.jsonl", raising=False)
    monkeypatch.setattr(launch, "SuperLink", LateWord)
    monkeypatch.setattr(launch, "CHECK", 0.0)
    shown: list[Event] = []
    watcher = type("Watcher", (), {"show": lambda self, event: shown.append(event)})()
    assert launch.launch(tmp_path, tmp_path, 5, watcher=watcher).completed
    assert [event["event"] for event in shown] == ["stage", "progress", "finished", "stopping"]
    assert (tmp_path / "server.log").read_text() == "whole log: True"


def mine(mark: str) -> dict[int, str]:
    """Processes that carry the mark in their environment."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
    return found


def start(tmp_path: Path, mark: str, *overrides: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "simulations", "run", "friedman", "--output-dir", str(tmp_path / "runs")]
    for override in ("dataset=Friedman(rows=60)", "model=GaussianProcess(kernel='rbf', noise=0.1)", *overrides):
        argv += ["--set", override]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT), "GUERDON_TEST_MARK": mark}
    return subprocess.Popen(argv, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def nothing_is_left(mark: str) -> bool:
    deadline = time.monotonic() + 20
    while mine(mark) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not mine(mark)


def wait_for_ray(process: subprocess.Popen[str], mark: str) -> None:
    deadline = time.monotonic() + 60
    while not any("ray::ClientAppActor" in command for command in mine(mark).values()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.ray
@pytest.mark.slow  # test_end_to_end and the local gate complete a run too
def test_a_run_completes_and_leaves_nothing_running(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    process = start(tmp_path, mark)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    (run,) = (tmp_path / "runs").iterdir()
    record = json.loads((run / "allocation.json").read_text())
    assert record["stage"] == "delivered"
    assert [p["party"] for p in record["parties"]] == ["party-1", "party-2", "party-3"]
    assert all(p["delivered"] for p in record["parties"])
    assert f"Run directory: {run}" in out
    assert "Strategy execution finished" in (run / "server.log").read_text()
    assert nothing_is_left(mark), mine(mark)


@linux
@pytest.mark.ray
@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_stopped_launcher_leaves_nothing_running(tmp_path: Path, number: signal.Signals, status: int) -> None:
    mark = uuid.uuid4().hex
    process = start(tmp_path, mark)
    wait_for_ray(process, mark)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert "Traceback" not in err
    assert nothing_is_left(mark), mine(mark)
