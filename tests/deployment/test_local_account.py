"""Another account of a party's machine: what it gets from the SuperNode's port, and from the list of processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.approval import app_hash
from clients.reward_store import load_reward
from tests.deployment.consortium import NODE, PARTIES, ROOT, Consortium, connected, wait_until
from tests.deployment.runs import Run, node_config, store, write_data

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(600)]

TAKER = """
import ssl, sys, time
import httpx
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullAppMessagesRequest
from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient

scheme, port, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])

def client(*interceptors):
    found = RuntimeHttpClient(f"{scheme}://127.0.0.1:{port}", interceptors=interceptors, verify=False)
    return found

end, refused, last = time.time() + seconds, 0, None
while time.time() < end:
    try:
        got = client().AcquireTask(AcquireTaskRequest(supported_task_types=["flwr-clientapp"]))
        if got.token:
            said = client(RuntimeTokenHttpInterceptor(got.token)).PullMessages(PullAppMessagesRequest())
            print("TOOK", said.messages_list[0].metadata.message_type, flush=True)
            break
    except httpx.HTTPStatusError as error:
        refused += 1
        last = error.response.status_code
    except httpx.HTTPError as error:
        last = type(error).__name__
    time.sleep(0.2)
else:
    print("refused", refused, last, flush=True)
"""
"""Asks a SuperNode's port for the next message, as Flower's executor does, until it has one."""


def taker(scheme: str, port: str, seconds: float) -> subprocess.Popen[str]:
    """A process that knows what another account may know; that the party's folder is closed is tested elsewhere."""
    argv = [sys.executable, "-c", TAKER, scheme, port, str(seconds)]
    return subprocess.Popen(argv, cwd="/", stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def data(consortium: Consortium) -> Consortium:
    write_data(consortium)
    return consortium


def port_of(argv: list[str]) -> str:
    return argv[argv.index("--port") + 1]


def test_flowers_own_supernode_gives_its_messages_to_whoever_asks(data: Consortium, tmp_path: Path) -> None:
    """What the test below sees is our doing. An executor that is slower to ask than the stranger gets nothing."""
    folder = data.folder / "north"
    options = data.node_options(folder / "ca.crt", folder / "north")
    config = f'party="north" {node_config(data, "north")}'
    node = data.start("north", [*NODE, *options, "--isolation", "process", "--node-config", config], folder)
    wait_until("it connects", lambda: connected(node) or node.ended() is not None)
    run = Run(tmp_path / "taken", **{"join-timeout": 90.0})
    thief = taker("http", port_of(options), 150.0)
    run.submit(data, ROOT)
    said, _ = thief.communicate(timeout=200)
    assert said.startswith("TOOK query."), said
    data.kill(node)
    time.sleep(1.0)


def test_another_account_gets_no_message_and_no_token(data: Consortium, tmp_path: Path) -> None:
    before = len(data.services)
    for name in PARTIES:
        data.party(name, [app_hash(ROOT)], node_config(data, name))
    ports = [next(iter(port_line(service.tail(1000)))) for service in data.services[before:]]
    thieves = [taker("https", port, 45.0) for port in ports]
    run = Run(tmp_path / "kept")
    run.submit(data, ROOT)
    listed: set[str] = set()
    while not run.has("finished", "failed"):
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                argv = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if "flwr-clientapp" in argv and any(f"127.0.0.1:{port} " in argv for port in ports):
                listed.add(argv)
        time.sleep(0.2)
    run.finish()
    for thief in thieves:
        said, _ = thief.communicate(timeout=120)
        word, count, status = said.split()
        assert (word, status) == ("refused", "401"), said
        assert int(count) > 10
    assert len(listed) >= 2 * len(PARTIES)
    for argv in listed:
        assert "--token-file" in argv
        assert "--token " not in argv
    for name in PARTIES:
        assert load_reward(store(data, name) / "kept").about["party"] == name


def port_line(said: str) -> Iterator[str]:
    for line in said.splitlines():
        if "Uvicorn running on https://127.0.0.1:" in line:
            yield line.partition("https://127.0.0.1:")[2].split()[0]
