"""What is said while parties are waited for: for whom, for how long, and whether the machine is busy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from wire.text import listed

__all__ = ["Patience", "busy"]

EVERY = 20.0
"""Seconds between two words on what is waited for."""

BUSY = 1.5
"""Runnable processes a core from which on a machine is called busy."""


def busy() -> str:
    """``the machine is busy (load 14.2 on 2 cores)`` where more wants to run on it than can, else nothing."""
    try:
        load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    except (OSError, AttributeError):  # not every system says
        return ""
    return f"the machine is busy (load {load:.1f} on {cores} core{'s' * (cores > 1)})" if load > BUSY * cores else ""


class Patience:
    """Says every 20 seconds what a wait is for.

    Parameters
    ----------
    tell : callable
        Takes the sentence.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._start = time.monotonic()
        self._next = EVERY

    def wait_for(self, whom: Iterable[str], what: str) -> None:
        """To be called again and again while ``whom`` are waited for, who are ``what``, such as ``to answer``."""
        waited = time.monotonic() - self._start
        if waited < self._next:
            return
        self._next = waited + EVERY
        load = busy()
        self._tell(f"waiting for {listed(sorted(whom))} {what}; {waited:.0f} s so far{f', {load}' if load else ''}")
