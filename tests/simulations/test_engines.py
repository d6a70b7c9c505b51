"""The same numbers wherever tasks run, and a clear word where they can't."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simulations.engines import EngineError, engine_of


def numbers(seed: int) -> tuple[int, list[float]]:
    """What a task does: seeded by its arguments alone."""
    A = np.random.default_rng(seed).normal(size=(60, 60))
    return seed, np.linalg.eigvalsh(A @ A.T).tolist()


def dies_once(item: tuple[str, int]) -> int:
    """Ends its worker the first time that the task with number 1 is begun."""
    folder, number = item
    mark = Path(folder) / "died"
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_processes_give_what_one_gives() -> None:
    one, two = (sorted(engine_of("local", jobs).unordered(numbers, range(6))) for jobs in (1, 2))
    assert one == two
    assert [seed for seed, _ in one] == list(range(6))
    assert list(engine_of("local", 2).unordered(numbers, [])) == []


@pytest.mark.parametrize(
    ("workers", "complaint"),
    [
        ("slurm", "--workers is one of local, ray, dask, got 'slurm'"),
        ("ray", r"workers = ray runs on a cluster that is there already: name it, RAY_ADDRESS=10.0.0.1:6379"),
        ("dask", r"workers = dask runs on a scheduler that is there already: name it, DASK_SCHEDULER_ADDRESS=tcp"),
    ],
)
def test_what_is_not_there_is_said(workers: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(EngineError, match=complaint):
        engine_of(workers, 1)


def test_dask_that_is_not_installed_is_told_how_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:8786")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError, match="python -m pip install 'distributed"):
        engine_of("dask", 1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a cluster of two nodes of Ray on this machine, a core each.

    Ray takes 127.0.0.1 for this machine's own address, so that is where they listen; a token keeps others out.
    """
    from ray.util import get_node_ip_address

    own, port, folder = get_node_ip_address(), free_port(), Path(tmp_path_factory.mktemp("r", numbered=True))
    ray = str(Path(sys.executable).parent / "ray")
    ours = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    env = {**{k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}, **ours}
    common = ["--num-cpus=1", "--disable-usage-stats", "--block", "--object-store-memory=100000000"]
    head = [ray, "start", "--head", f"--node-ip-address={own}", f"--port={port}", "--include-dashboard=false"]
    with (folder / "ray.log").open("wb") as log:
        nodes = [subprocess.Popen([*head, *common], env=env, stdout=log, stderr=log, start_new_session=True)]
        deadline = time.monotonic() + 120.0
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((own, port)) == 0:
                    break
            time.sleep(0.5)
        second = [ray, "start", f"--address={own}:{port}"]
        nodes.append(subprocess.Popen([*second, *common], env=env, stdout=log, stderr=log, start_new_session=True))
        try:
            yield {**ours, "RAY_ADDRESS": f"{own}:{port}"}
        finally:
            for node in reversed(nodes):
                os.killpg(node.pid, signal.SIGTERM)
            for node in nodes:
                node.wait(timeout=60)


ON_RAY = """
import json, sys, time
import ray
from simulations.engines import engine_of
from tests.simulations.test_engines import dies_once, numbers

engine = engine_of("ray", 1)
deadline = time.monotonic() + 120.0
while len([n for n in ray.nodes() if n["Alive"]]) < 2 and time.monotonic() < deadline:
    time.sleep(0.5)
nodes = len([n for n in ray.nodes() if n["Alive"]])
found = sorted(engine.unordered(numbers, list(range(6))))
left = sorted(engine.unordered(dies_once, [(sys.argv[1], k) for k in range(3)]))
print(json.dumps([nodes, found, left]))
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_of_two_nodes_gives_the_same_bits_and_loses_nothing(cluster: dict[str, str], tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    env = {**os.environ, **cluster, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", ON_RAY, str(tmp_path)], env=env, cwd=root, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    nodes, found, left = json.loads(done.stdout.strip().splitlines()[-1])
    assert nodes == 2
    assert [tuple(pair) for pair in found] == sorted(engine_of("local", 1).unordered(numbers, range(6)))
    assert left == [0, 1, 2]
    assert (tmp_path / "died").exists()
