"""Ends what a launcher started when the launcher dies without doing so itself.

Run as a script, it reads lines from a pipe that only the launcher holds: ``group 123`` is a process group to end,
``directory /x`` one to remove. The pipe's end is the launcher's, whatever killed it (even SIGKILL); then the groups end
in reverse order. Flower's own ``--parent-pid`` is not enough: ``flwr-simulation`` waits for a client that hangs.

Only the standard library is used here, so that the script starts at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable

__all__ = ["stop_group"]

TICK = 0.05  # seconds between looks at the group
GRACE = 5.0  # seconds between asking a process group to end and ending it


def stop_group(group: int, *, reap: Callable[[], object] = lambda: None) -> None:
    """SIGTERM, five seconds, SIGKILL to a process group; returns when it is gone.

    ``reap`` collects a leader that is the caller's child, which would count as a member for ever.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + GRACE
        exists = _signal_group(group, number)
        while exists and time.monotonic() < deadline:
            time.sleep(TICK)
            reap()
            exists = _signal_group(group, 0)
        if not exists:
            return


def _signal_group(group: int, number: int) -> bool:
    """Signal the group (0 only asks); False where nothing is left of it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS: PermissionError where only zombies are left
        return False
    return True


def _keep() -> None:
    groups: list[int] = []
    directories: list[str] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin:
        kind, _, value = line.rstrip("\n").partition(" ")
        if kind == "group":
            groups.append(int(value))
        elif kind == "ended":
            groups.remove(int(value))
        elif kind == "directory":
            directories.append(value)
    for group in reversed(groups):
        stop_group(group)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _keep()
