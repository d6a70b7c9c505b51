"""How much memory there is to be had, so that a run that can't fit is refused before anybody is asked for data."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

__all__ = ["Memory", "free_memory"]

CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""A container's limit and what of it is used, as the two versions of Linux's control groups have it."""


class Memory(NamedTuple):
    """Bytes that this process can still have, and what bounds them, in words."""

    free: float
    bound: str


def free_memory() -> Memory:
    """The least of what the machine has, and what this process and its container may have; inf where nobody says."""
    bounds = [Memory(_machine(), "on this machine"), Memory(_process(), "within this process's limit (ulimit -v)")]
    bounds += [
        Memory(max(0.0, _number(limit) - _number(used, 0.0)), "within this container's limit")
        for limit, used in CGROUPS
    ]
    return min(bounds, key=lambda bound: bound.free)


def _machine() -> float:
    """What can be used without swapping, and the free swap; inf where there is no /proc."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    kilobytes = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return 1024.0 * (kilobytes.get("MemAvailable", float("inf")) + kilobytes.get("SwapFree", 0.0))


def _process() -> float:
    """What its limit on addresses leaves, beside those that it has."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        pages = 0
    return max(0.0, limit - float(pages * resource.getpagesize()))


def _number(path: str, otherwise: float = float("inf")) -> float:
    try:
        return float(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):  # there is no such group, or its limit is the word max
        return otherwise
