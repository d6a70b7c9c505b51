"""Processes end with their group, signals are remembered, and the keeper cleans up after a killed launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulations.processes import Keeper, Service, Signals, StoppedError, executable, run_command

# Has a child, writes both ids; ignores SIGTERM where it is told to.
FAMILY = """
import os, signal, sys, time
if sys.argv[2:] == ["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(f"{os.getpid()} {child}")
    os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""

LAUNCHER = """
import os, sys, time
from pathlib import Path
from simulations.processes import Keeper, Service
folder = Path(sys.argv[1])
keeper = Keeper(folder / "private")
Service([sys.executable, "-c", sys.argv[2], str(folder / "ids")], env=os.environ, cwd=folder, log=folder / "log",
        keeper=keeper)
time.sleep(600)
"""


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(path: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(word) for word in path.read_text().split()]


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
def test_a_service_ends_with_everything_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulations.keeper.GRACE", 0.3)
    keeper = Keeper(tmp_path / "private")
    argv = [sys.executable, "-c", FAMILY, str(tmp_path / "ids"), "stubborn"]
    service = Service(argv, env=os.environ, cwd=tmp_path, log=tmp_path / "log", keeper=keeper)
    pids = wait_for(tmp_path / "ids")
    assert service.ended() is None
    service.stop()
    assert not any(map(running, pids))
    assert service.ended() == -signal.SIGKILL
    keeper.close()


@linux
def test_the_keeper_cleans_up_after_a_killed_launcher(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    argv = [sys.executable, "-c", LAUNCHER, str(tmp_path), FAMILY]
    checkout = Path(__file__).parents[2]
    launcher = subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(checkout)})
    pids = wait_for(tmp_path / "ids")
    launcher.kill()
    launcher.wait()
    deadline = time.monotonic() + 20
    while any(map(running, pids)) or (tmp_path / "private").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_end_of_a_service_is_explained_by_its_log(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "private")
    argv = [sys.executable, "-c", "print('a'); print('port in use'); raise SystemExit(3)"]
    service = Service(argv, env=os.environ, cwd=tmp_path, log=tmp_path / "log", keeper=keeper)
    deadline = time.monotonic() + 20
    while service.ended() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert service.ended() == 3
    assert service.tail(1) == "port in use"
    service.stop()
    keeper.close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_are_noticed_where_they_are_asked_for(number: signal.Signals, status: int) -> None:
    before = signal.getsignal(number)
    with Signals() as signals:
        signals.check()
        os.kill(os.getpid(), number)
        with pytest.raises(StoppedError) as caught:
            signals.pause(10)
    assert caught.value.exit_code == status
    assert signal.getsignal(number) is before


def test_nohup_keeps_its_meaning() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            signals.pause(0.1)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_command_is_killed_at_its_timeout_and_by_a_signal(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import time; print('so far', flush=True); time.sleep(600)"]
    status, output = run_command(argv, env=os.environ, cwd=tmp_path, timeout=1.0)
    assert (status, output) == (None, "so far\n")
    with Signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StoppedError):
            run_command(argv, env=os.environ, cwd=tmp_path, timeout=60, signals=signals)
    assert list(tmp_path.iterdir()) == []


def test_a_program_of_another_environment_is_not_taken() -> None:
    with pytest.raises(FileNotFoundError, match="Install Guerdon"):
        executable("flwr-of-someone-else")
