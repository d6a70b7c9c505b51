"""Processor seconds and peak memory over a program and every process below it, detached ones too (Linux)."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Cost", "cost_of"]

LOOK, WEIGH = 0.1, 0.5
"""Seconds between two looks at who is there, and at how much memory they have."""

SUBREAPER = 36
"""``prctl``: whose parent is gone becomes a child of this process, and not of the system's first."""


class Cost(NamedTuple):
    """Processor seconds, and MB at their height, shared pages counted once (PSS)."""

    seconds: float
    megabytes: float


def cost_of(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, within: float = 600.0) -> Cost:
    """Run a program to its end, and that of everything that it started."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(list(argv), cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline, weigh_at, height = time.monotonic() + within, 0.0, 0.0
    below = [process.pid]
    while below:
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"{argv[0]} took more than {within:.0f} s")
        if time.monotonic() >= weigh_at:
            height = max(height, sum(map(_megabytes, below)))
            weigh_at = time.monotonic() + WEIGH
        time.sleep(LOOK)
        if process.poll() is not None:
            _collect()
        below = _below(os.getpid())
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with status {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, height)


def _collect() -> None:
    """Take the exit statuses of processes that were left to this one."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _below(root: int) -> list[int]:
    """Every process that descends from this one."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it has ended
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, open_ones = [], [root]
    while open_ones:
        own = children.get(open_ones.pop(), [])
        found += own
        open_ones += own
    return found


def _megabytes(pid: int) -> float:
    try:
        text = Path("/proc", str(pid), "smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0) / 1e3
