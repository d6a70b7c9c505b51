"""Ray listens on every interface of the machine while a simulation runs: what comes without its token is refused."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from tests.simulations.test_launch import CHECKOUT, linux, mine, start

pytestmark = [linux, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

CALLS = (
    "CoreWorkerService/PushTask",  # run this
    "NodeManagerService/GetNodeStats",
    "ObjectManagerService/Pull",
    "JobInfoGcsService/GetNextJobID",  # how a driver begins
    "InternalKVGcsService/InternalKVKeys",  # where code lies
)
"""One call at least that each of Ray's servers answers."""

CODE = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
print("ran as", ray.get(ray.remote(num_cpus=0)(lambda: "the simulation").remote()))
"""


class Simulation(NamedTuple):
    """A running one: Ray's address, its token, and the addresses where others than this machine's reach it."""

    gcs: str
    token: str
    open_ports: list[tuple[str, int]]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    folder, mark = tmp_path_factory.mktemp("simulation"), uuid.uuid4().hex
    shutil.copy(CHECKOUT / "tests" / "gated.py", folder)
    gate = folder / "gate"
    process = start(folder, mark, f"shapley=gated:Gated(gate='{gate}')", "join-timeout=300.0")
    try:
        deadline = time.monotonic() + 400
        while not gate.with_suffix(".reached").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield observed(mark)
        gate.touch()
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err  # it was not disturbed either
    finally:
        process.terminate()
        process.communicate(timeout=60)


def observed(mark: str) -> Simulation:
    """What the kernel and Ray's own command lines say of the processes that carry the mark."""
    processes = mine(mark)
    gcs = next(w.partition("=")[2] for c in processes.values() for w in c.split() if w.startswith("--gcs-address="))
    raylet = next(pid for pid, command in processes.items() if Path(command.split()[0]).name == "raylet")
    variables = dict(v.partition("=")[::2] for v in Path(f"/proc/{raylet}/environ").read_text().split("\0"))
    host = gcs.partition(":")[0]
    return Simulation(gcs, variables["RAY_AUTH_TOKEN"], [(host, port) for port in open_ports(list(processes))])


def open_ports(processes: list[int]) -> list[int]:
    """The ports at which these processes listen on more than loopback."""
    own = set()
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(descriptor) if descriptor.is_symlink() else ""
            if target.startswith("socket:["):
                own.add(target[8:-1])
    loopback = {"0100007F", "00000000000000000000000001000000"}
    ports = set()
    for family in ("tcp", "tcp6"):
        for line in Path("/proc/net", family).read_text().splitlines()[1:]:
            words = line.split()
            address, _, port = words[1].partition(":")
            if words[3] == "0A" and words[9] in own and address not in loopback:
                ports.add(int(port, 16))
    return sorted(ports)


def answers(host: str, port: int, token: str = "") -> set[str]:
    """How a server answers each of the calls: names of gRPC's status codes, or of HTTP's where it is no gRPC server."""
    metadata = [("authorization", f"Bearer {token}")] if token else None
    found = set()
    with grpc.insecure_channel(f"{host}:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        for call in CALLS:
            try:
                channel.unary_unary(f"/ray.rpc.{call}")(b"", timeout=60, metadata=metadata)
                found.add("OK")
            except grpc.RpcError as error:
                found.add(error.code().name)
    if found != {"UNAVAILABLE"}:
        return found - {"UNIMPLEMENTED"}
    connection = http.client.HTTPConnection(host, port, timeout=60)  # the agent of runtime environments
    with closing(connection):
        headers = {key.title(): text for key, text in metadata or ()}
        connection.request("POST", "/get_or_create_runtime_env", b"", headers)
        with connection.getresponse() as response:
            return {f"HTTP {response.status}"}


def run_code(simulation: Simulation, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    argv = [sys.executable, "-c", CODE, simulation.gcs]
    return subprocess.run(argv, env=env | variables, capture_output=True, text=True, timeout=300, check=False)


def test_code_without_the_token_does_not_run_in_the_simulation(simulation: Simulation) -> None:
    for variables in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}):
        refused = run_code(simulation, **variables)
        assert refused.returncode == 1, refused.stdout
        assert "InvalidAuthToken" in refused.stderr
        assert "ran as" not in refused.stdout
    admitted = run_code(simulation, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=simulation.token)
    assert admitted.stdout == "ran as the simulation\n", admitted.stderr  # what kept the others out is the token


def test_every_port_that_others_reach_asks_for_the_token(simulation: Simulation) -> None:
    assert simulation.gcs.rpartition(":")[2] in [str(port) for _, port in simulation.open_ports]
    without = {port: answers(host, port) for host, port in simulation.open_ports}
    assert set().union(*without.values()) <= {"UNAUTHENTICATED", "HTTP 401"}, without
    assert all(without.values()), without
    within = {port: answers(host, port, simulation.token) for host, port in simulation.open_ports}
    assert not any(answer & {"UNAUTHENTICATED", "HTTP 401"} for answer in within.values()), within


def test_no_port_is_left_out_of_the_look(simulation: Simulation) -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        assert listener.getsockname()[1] in open_ports([os.getpid()])
