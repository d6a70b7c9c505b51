"""Processes that cannot outlive the launcher, and signals that are noticed at safe places only."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from simulations.keeper import stop_group

__all__ = ["ANSI", "Keeper", "Service", "Signals", "StoppedError", "executable", "run_command"]

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
TICK = 0.05  # seconds between looks at a signal or a process

_KEEPER = Path(__file__).resolve().with_name("keeper.py")

# Linux: SIGTERM reaches the process when its parent dies, whatever killed the parent. Set by a small Python that then
# becomes the program, since code between fork and exec is unsafe in a launcher that has threads.
_TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the launcher is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class StoppedError(Exception):
    """The user or the system asked the launcher to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class Signals:
    """While entered, SIGINT, SIGTERM and SIGHUP are remembered; :meth:`check` raises the first one.

    A handler that raised at once could strike between the start of a process and its being written down.
    """

    def __init__(self) -> None:
        self._caught: int | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Signals:
        # SIGINT is taken even where it was ignored: a shell starts its `&` jobs so. `nohup` keeps its meaning.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _remember(self, number: int, _: FrameType | None) -> None:
        self._caught = self._caught or number

    def check(self) -> None:
        """Raise StoppedError if a signal came."""
        if self._caught is not None:
            raise StoppedError(self._caught)

    def pause(self, seconds: float) -> None:
        """Sleep, unless a signal comes."""
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
            self.check()


def executable(name: str) -> str:
    """The program ``name`` of the Python that is running, so that another environment's never answers."""
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} is not beside {sys.executable}. Install Guerdon into this Python's environment: "
            "python -m pip install -e ."
        )
    return str(path)


class Keeper:
    """A small process that ends the services and removes the directory if this one dies; see ``keeper.py``."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_KEEPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        self.tell("directory", str(directory))

    def tell(self, kind: str, value: str) -> None:
        """One line for the keeper."""
        with contextlib.suppress(BrokenPipeError):  # without its keeper the launcher still cleans up itself
            assert self._process.stdin is not None
            self._process.stdin.write(f"{kind} {value}\n".encode())
            self._process.stdin.flush()

    def close(self) -> None:
        """Let it do what is left to do, and wait for its end."""
        self._process.communicate()


class Service:
    """A long-running program in a session of its own, with everything that it starts."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, keeper: Keeper) -> None:
        self.name = Path(argv[0]).name
        self.log = log
        self._keeper = keeper
        command = list(argv)
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *command]
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        keeper.tell("group", str(self._process.pid))

    @property
    def group(self) -> int:
        """The process group of the program and of everything that it starts."""
        return self._process.pid

    def ended(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    def tail(self, lines: int = 12) -> str:
        """The last lines of what it printed, without its web server's."""
        text = ANSI.sub("", self.log.read_text(encoding="utf-8", errors="replace"))
        return "\n".join([line for line in text.splitlines() if "[uvicorn." not in line][-lines:])

    def stop(self) -> None:
        """End the whole process group; returns when it is gone."""
        stop_group(self._process.pid, reap=self._process.poll)
        self._process.wait()
        self._keeper.tell("ended", str(self._process.pid))


def run_command(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float, signals: Signals | None = None
) -> tuple[int | None, str]:
    """Run a short program to its end and return (exit status, what it printed).

    A signal or the timeout (exit status None) kills it; what it printed until then is kept.
    """
    output = cwd / f".{Path(argv[0]).name}-{time.monotonic_ns()}"
    try:
        with output.open("wb") as stream:
            process = subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
            try:
                status = _wait(process, timeout, signals)
            finally:
                process.kill()
                process.wait()
        return status, output.read_text(encoding="utf-8", errors="replace")
    finally:
        output.unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes], timeout: float, signals: Signals | None) -> int | None:
    deadline = time.monotonic() + timeout
    while (status := process.poll()) is None and time.monotonic() < deadline:
        time.sleep(TICK)
        if signals:
            signals.check()
    return status
