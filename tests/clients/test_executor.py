"""The executor at a party: it tells nobody a token, and starts nothing but the program of a ClientApp."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from flwr.supercore.constant import TaskType
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult

from clients.executor import Launcher

TOKEN = "ab" * 32


def spec(kind: TaskType = TaskType.CLIENT_APP) -> ExecutionSpec:
    return ExecutionSpec(kind, "127.0.0.1:9", TOKEN, False, "/ca.pem", False, 1, False, 7)


def test_the_token_is_in_a_file_and_not_in_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    real = subprocess.Popen

    def popen(argv: list[str]) -> subprocess.Popen[bytes]:
        started.append(argv)
        return real(["sleep", "0.3"])

    monkeypatch.setattr(subprocess, "Popen", popen)
    launcher = Launcher(tmp_path)
    assert launcher.launch(spec()) == LaunchResult.accepted()
    (argv,) = started
    (file,) = tmp_path.iterdir()
    assert file.read_text() == TOKEN
    assert file.stat().st_mode & 0o777 == 0o600
    assert Path(argv[0]).name == "flwr-clientapp"
    assert argv[argv.index("--token-file") + 1] == str(file)
    assert not any(TOKEN in text for text in argv)
    launcher.reconcile()
    assert file.exists()  # it still runs
    time.sleep(0.6)
    launcher.reconcile()
    assert not list(tmp_path.iterdir())


def test_a_superlink_gets_no_other_program_started(tmp_path: Path) -> None:
    tasks, _ = Launcher(tmp_path).get_eligible_capacity(set(TaskType))
    assert tasks == {TaskType.CLIENT_APP}
    assert Launcher(tmp_path).get_eligible_capacity({TaskType.AGENT_APP}) == (set(), set())
