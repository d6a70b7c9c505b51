"""A SuperLink of one's own for one simulation: private, on loopback, gone afterwards.

What Flower does by default (a shared, detached SuperLink in the caller's directory) runs one app's client code for
another, listens on every interface through Ray and survives the run. Everything here is there to prevent that.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from simulations.processes import ANSI, Keeper, Service, Signals, executable, run_command
from wire.environment import QUIET, past_proxies

__all__ = ["CONNECTION", "SETTINGS", "LaunchError", "RunStatus", "SuperLink", "federation_config"]

CONNECTION = "own"
START_DEADLINE = 300.0  # seconds until the SuperLink must answer; a busy machine took more than 60 for 3 of work
COMMAND_DEADLINE = 300.0  # seconds that one `flwr` command may take
LOG_DEADLINE = 10.0  # a run with a client that hangs stays unfinished for minutes
ATTEMPTS = 3  # another program can take the free port before the SuperLink does
DIRECTORY_PREFIX = "guerdon-"

SETTINGS = QUIET | {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
    "PYTHONUTF8": "1",  # logs are UTF-8, whatever the terminal is
    "PYTHONIOENCODING": "utf-8:backslashreplace",
}


class LaunchError(Exception):
    """Flower could not be started or did not take the app; the message is for the user."""


class RunStatus(NamedTuple):
    """What the SuperLink says about a run, such as ``finished:completed``, and why."""

    text: str
    details: str

    @property
    def finished(self) -> bool:
        """Nothing of the run is executed any more."""
        return self.text.startswith("finished")


def federation_config(parties: int) -> str:
    """The size of a simulation, as ``flwr run --federation-config`` reads it.

    Up to four parties get an actor each, even on fewer cores: then one that hangs does not keep the others waiting.
    """
    actors = max(os.cpu_count() or 1, min(parties, 4))
    return f"num-supernodes={parties} client-resources-num-cpus=1 init-args-num-cpus={actors}"


class SuperLink:
    """Context manager: a SuperLink and its superexec, started in a private directory and stopped on the way out."""

    def __init__(self, signals: Signals, *, variables: Mapping[str, str] | None = None) -> None:
        self._signals = signals
        self._variables = dict(variables or {})
        self._services: list[Service] = []

    def __enter__(self) -> SuperLink:
        self._private = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX, dir=_short_temporary_directory()))
        self._keeper = Keeper(self._private)
        for name in ("home", "neutral", "ray"):
            (self._private / name).mkdir()
        try:
            self._env = _environment(self._private, self._variables)
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop()

    def _start(self) -> None:
        port = self._start_superlink()
        (self._private / "home" / "config.toml").write_text(
            f'[superlink]\ndefault = "{CONNECTION}"\n\n'
            f'[superlink.{CONNECTION}]\naddress = "127.0.0.1:{port}"\ninsecure = true\n',
            encoding="utf-8",
        )
        argv = [executable("flower-superexec"), "--insecure", "--runtime-api-address", f"127.0.0.1:{port}"]
        self._services.append(self._service([*argv, "--parent-pid", str(os.getpid())], "superexec.log"))

    def _start_superlink(self) -> int:
        for attempt in range(ATTEMPTS):
            port = _free_port()
            argv = [executable("flower-superlink"), "--insecure", "--simulation", "--isolation", "process"]
            argv += ["--disable-runtime-dependency-installation", "--host", "127.0.0.1", "--port", str(port)]
            superlink = self._service(argv, f"superlink-{attempt}.log")
            self._services.append(superlink)
            if self._answers(superlink, port):
                return port
            self._services.remove(superlink)
            superlink.stop()
        raise LaunchError(f"Flower's SuperLink did not start ({ATTEMPTS} attempts). It said:\n{superlink.tail()}")

    def _service(self, argv: list[str], log: str) -> Service:
        return Service(argv, env=self._env, cwd=self._private / "neutral", log=self._private / log, keeper=self._keeper)

    def _answers(self, superlink: Service, port: int) -> bool:
        """Wait until the SuperLink is healthy; False if it ended instead."""
        deadline = time.monotonic() + START_DEADLINE
        while superlink.ended() is None:
            if _healthy(port):
                self._signals.pause(0.1)  # a stranger's SuperLink on this port would answer while ours ends
                return superlink.ended() is None
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"Flower's SuperLink did not answer within {START_DEADLINE:.0f} s{_busy()}. It said:\n"
                    + superlink.tail()
                )
            self._signals.pause(0.1)
        return False

    def _stop(self) -> None:
        for service in reversed(self._services):  # superexec first: everything of the run is below it
            service.stop()
        shutil.rmtree(self._private, ignore_errors=True)
        self._keeper.close()

    def trouble(self) -> str | None:
        """A sentence if the SuperLink or superexec ended although nobody stopped it."""
        for service in self._services:
            if (status := service.ended()) is not None:
                return f"{service.name} ended unexpectedly (exit status {status}). It said:\n{service.tail()}"
        return None

    def submit(self, app: Path, config: Path, parties: int) -> str:
        """Hand the app to the SuperLink and return the run's id."""
        arguments = ["run", str(app), CONNECTION, "--format", "json", "--run-config", str(config)]
        output = self._flwr([*arguments, "--federation-config", federation_config(parties)])
        answer = _last_json(output)
        if not answer.get("run-id"):
            said = answer.get("error-message") or "\n".join(output.splitlines()[-12:])
            if not said:
                said = f"nothing within {COMMAND_DEADLINE:.0f} s" + _busy()
            raise LaunchError(f"Flower did not accept the app in {app}. It said:\n{said}\n{self._services[0].tail(3)}")
        return str(answer["run-id"])

    def status(self, run: str, within: float = COMMAND_DEADLINE) -> RunStatus | None:
        """The run's status, or None where the SuperLink gave no answer ``within`` seconds. Costs 0.7 s of processor
        time."""
        answer = _last_json(self._flwr(["ls", CONNECTION, "--run-id", run, "--format", "json"], within))
        runs = answer.get("runs") or []
        return RunStatus(str(runs[0].get("status")), str(runs[0].get("status-details") or "")) if runs else None

    def log(self, run: str, *, whole: bool) -> str:
        """What the ServerApp logged until now, or until the run is finished (within ten seconds)."""
        argv = [executable("flwr"), "log", run, CONNECTION, "--stream" if whole else "--show"]
        _, output = run_command(argv, env=self._env, cwd=self._private / "neutral", timeout=LOG_DEADLINE)
        return ANSI.sub("", output)

    def _flwr(self, arguments: list[str], within: float = COMMAND_DEADLINE) -> str:
        neutral = self._private / "neutral"
        argv = [executable("flwr"), *arguments]
        _, output = run_command(argv, env=self._env, cwd=neutral, timeout=within, signals=self._signals)
        return ANSI.sub("", output)


def _busy() -> str:
    from strategies.waiting import busy  # whose package loads what strategies need

    load = busy()
    return f"; {load}" if load else ""


def _environment(private: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without what would let another app's code or another Ray in."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RAY_ADDRESS")}
    own = {
        "PATH": os.pathsep.join([str(Path(executable("flwr")).parent), env.get("PATH", "")]),  # for flwr-simulation
        "FLWR_HOME": str(private / "home"),
        "RAY_TMPDIR": str(private / "ray"),
        "RAY_AUTH_MODE": "token",  # otherwise whoever reaches Ray's ports runs code in the simulation
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    return env | SETTINGS | past_proxies(env) | own | dict(variables)


def _short_temporary_directory() -> Path:
    """Ray's sockets need a path below 107 bytes, which macOS's own temporary directory is too long for."""
    return Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_json(output: str) -> dict[str, Any]:
    """The JSON object at the end of what a `flwr` command printed (notes can stand before it)."""
    start = output.find("{")
    while start >= 0:
        try:
            answer, _ = json.JSONDecoder().raw_decode(output[start:])
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        start = output.find("{", start + 1)
    return {}
