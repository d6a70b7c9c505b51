"""What a party's app costs to start: it is paid on every message to a real party.

The peer is what Flower itself takes to start a client that does nothing, in the same run; ``pytest -s`` prints both.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CODE = """
import json, resource, sys, time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
heavy = [name for name in ("torch", "gpytorch", "sklearn", "scipy", "matplotlib", "ray") if name in sys.modules]
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1e3  # ru_maxrss counts the parent's
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_utime, peak, heavy]))
"""


def started(module: str) -> tuple[float, float, float, list[str]]:
    """Seconds to import it, CPU seconds of the process, peak MB, and which heavy libraries came along."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, timeout=120, check=True
    )
    seconds, cpu, peak, heavy = json.loads(done.stdout)
    return float(seconds), float(cpu), float(peak), list(heavy)


@pytest.mark.parametrize("module", ["clients.app", "wire.kinds.lessons"])
def test_a_partys_app_starts_almost_as_fast_as_flower_itself(module: str) -> None:
    bare = min(started("flwr.clientapp") for _ in range(3))
    ours = min(started(module) for _ in range(3))
    print(
        f"\n{module}: {ours[0]:.2f} s, {ours[2]:.0f} MB; flwr.clientapp alone {bare[0]:.2f} s, {bare[2]:.0f} MB: "
        f"{ours[0] / bare[0]:.1f} times, {ours[2] / bare[2]:.1f} times"
    )
    assert ours[3] == []
    assert ours[2] < 110.0
