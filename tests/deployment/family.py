"""A process with everything that comes from it: Flower puts what runs an app into a session of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

__all__ = ["Relative", "family", "kill_family", "signal_family"]


class Relative(NamedTuple):
    """A living process: its parent and its process group."""

    parent: int
    group: int


def family(root: int) -> dict[int, Relative]:
    """The process ``root`` and all its living descendants, by their id."""
    living: dict[int, Relative] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent, group, *_ = path.read_text().rpartition(")")[2].split()
            if state != "Z":
                living[int(path.parent.name)] = Relative(int(parent), int(group))
    found: dict[int, Relative] = {}
    new = {root} & set(living)
    while new:
        found |= {pid: living[pid] for pid in new}
        new = {pid for pid, relative in living.items() if relative.parent in found} - set(found)
    return found


def signal_family(root: int, number: signal.Signals) -> dict[int, Relative]:
    """Send a signal to the process groups of the whole family; returns who was in it."""
    found = family(root)
    for group in sorted({relative.group for relative in found.values()}):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
    return found


def kill_family(root: int, seconds: float = 30.0) -> None:
    """End the whole family at once, as a power cut would: stopped first, so that nobody has further children."""
    seen: dict[int, Relative] = {}
    while set(now := signal_family(root, signal.SIGSTOP)) - set(seen):
        seen |= now
    for group in sorted({relative.group for relative in seen.values()}):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    while any(pid in family(pid) for pid in seen):
        assert time.monotonic() < deadline, f"not all of {sorted(seen)} are gone after {seconds:g} s"
        time.sleep(0.05)
