"""Who is on no list gets nothing through the mediator's door; docs/reliability.md has the table."""

from __future__ import annotations

import http.client
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.credentials import make_credentials
from server.door import CONNECTION
from simulations.processes import executable
from tests.deployment.consortium import ROOT, Consortium, json_of, wait_until

pytestmark = pytest.mark.deployment

CONNECTION_ERROR = "Exit Code: 305"  # Flower's SUPERNODE_CONNECTION_ERROR; the process itself exits with 1


def post(port: int, path: str, ca: Path, method: str = "POST") -> int:
    """The status of a request whose path is sent as it is written here."""
    context = ssl.create_default_context(cafile=str(ca))
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as stream:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        stream.sendall(head.encode())
        answer = http.client.HTTPResponse(stream)
        answer.begin()
        return answer.status


def test_a_node_without_a_registered_key_gets_no_connection(consortium: Consortium, tmp_path: Path) -> None:
    make_credentials(tmp_path / "eve", ["eve"])
    stranger = tmp_path / "eve" / "eve"
    north = consortium.folder / "north"
    intruders = {
        "no-key": consortium.node_options(north / "ca.crt", None),
        "unregistered-key": consortium.node_options(north / "ca.crt", stranger / "eve"),
        "plaintext": consortium.node_options(None, None),
        "another-mediator": consortium.node_options(stranger / "ca.crt", north / "north"),  # here the party refuses
    }
    node = executable("flower-supernode")
    services = {}
    for name, options in intruders.items():
        (tmp_path / name).mkdir()
        services[name] = consortium.start(name, [node, *options, "--max-retries", "1"], tmp_path / name)
    wait_until("all four end", lambda: all(s.ended() is not None for s in services.values()))
    said = {name: service.tail(100) for name, service in services.items()}
    for service in services.values():
        service.stop()  # what its parent left behind
    assert {name: service.ended() for name, service in services.items()} == dict.fromkeys(intruders, 1)
    assert [name for name, text in said.items() if CONNECTION_ERROR not in text] == []
    assert not any("SuperNode ID" in text for text in said.values())
    assert "[code: 2004]" in said["unregistered-key"]  # Flower's words for: no SuperNode has this key
    assert "CERTIFICATE_VERIFY_FAILED" in said["another-mediator"]


CLOSED = [
    "/",
    "/health",
    "/docs",
    "/openapi.json",
    "/v1/control/start-run",
    "/v1/control/register-node",
    "/v1/control/list-runs",
    "/v1/runtime/acquire-task",
    "/v1/fleet",
    "/v1/fleet/../control/start-run",
    "/v1/fleet/%2e%2e/control/start-run",
    "/v1/fleet/..%2fcontrol/start-run",
    "/v1/fleet//..//control/start-run",
    "//v1//control/start-run",
    "/v1/control/start-run?/v1/fleet/",
    "/v1/control/start-run#/../../../v1/fleet/",
    "/V1/FLEET/../CONTROL/start-run",
]


@pytest.mark.parametrize("path", CLOSED)
def test_only_the_parties_side_of_flowers_api_is_behind_the_door(consortium: Consortium, path: str) -> None:
    assert post(consortium.door_port, path, consortium.mediator / "ca.crt") == 403


def test_what_reaches_the_superlink_is_the_path_that_was_checked(consortium: Consortium) -> None:
    """A path that leads back into the Fleet API is passed on without its detour."""
    ca = consortium.mediator / "ca.crt"
    straight = post(consortium.door_port, "/v1/fleet/pull-messages", ca)
    detour = post(consortium.door_port, "/v1/control/../fleet/./pull-messages", ca)
    assert straight == detour
    assert straight not in (200, 403, 404)  # Flower's own refusal of an unsigned request


def test_no_key_comes_in_from_outside_even_if_the_superlink_would_take_one(consortium: Consortium) -> None:
    ca = consortium.mediator / "ca.crt"
    assert post(consortium.door_port, "/v1/fleet/register-node", ca) == 405
    assert post(consortium.door_port, "/v1/fleet/unregister-node", ca) == 405
    assert post(consortium.door_port, "/v1/fleet/pull-messages", ca, method="GET") == 403


def test_without_the_door_the_same_paths_would_answer(consortium: Consortium) -> None:
    """The SuperLink itself asks nobody who he is: this is what the door is for, and that the tests above see."""
    ca = consortium.mediator / "ca.crt"
    assert post(consortium.superlink_port, "/health", ca, method="GET") == 200
    assert post(consortium.superlink_port, "/v1/control/list-runs", ca) not in (401, 403, 404)


def runs_of(consortium: Consortium) -> set[str]:
    """The ids of all runs that the mediator knows."""
    listed = json_of(consortium.flwr("ls", CONNECTION, "--format", "json").stdout)["runs"]
    return {str(run["run-id"]) for run in listed}


def test_an_outsider_can_neither_submit_a_run_nor_register_a_key_nor_take_over_the_app(
    consortium: Consortium, tmp_path: Path
) -> None:
    ca = consortium.folder / "north" / "ca.crt"
    make_credentials(tmp_path / "eve", ["eve"])
    before = runs_of(consortium)
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(
        f'[superlink.{CONNECTION}]\naddress = "{consortium.address}"\nroot-certificates = "{ca}"\n'
    )
    argv = [executable("flower-superexec"), "--runtime-api-address", consortium.address]
    taker = consortium.start("superexec", [*argv, "--root-certificates", str(ca)], tmp_path)
    wanted = [
        ("supernode", "register", str(tmp_path / "eve" / "eve" / "eve.pub"), CONNECTION),
        ("run", str(ROOT), CONNECTION, "--format", "json"),
        ("ls", CONNECTION),
    ]
    with ThreadPoolExecutor() as pool:
        registered, submitted, listed = pool.map(lambda words: consortium.flwr(*words, home=home), wanted)
    wait_until("superexec ends", lambda: taker.ended() is not None)
    assert (registered.returncode, listed.returncode, taker.ended()) == (1, 1, 1)
    answer = json_of(submitted.stdout)  # flwr run exits with 0 all the same
    assert answer["success"] is False
    for said in (answer["error-message"], registered.stdout + registered.stderr, listed.stdout + listed.stderr):
        assert "403 Forbidden" in said
    assert '"POST /v1/runtime/acquire-task HTTP/1.1" 403' in (consortium.mediator / "access.log").read_text()
    assert runs_of(consortium) == before  # other tests of this session may have run theirs


def test_the_superlink_listens_on_loopback_only_and_old_tls_is_refused(consortium: Consortium) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    addresses = [
        address
        for address, _, port in (a.partition(":") for a in listening)
        if int(port, 16) == consortium.superlink_port
    ]
    assert addresses == ["0100007F"]  # 127.0.0.1 in the kernel's byte order
    context = ssl.create_default_context(cafile=str(consortium.mediator / "ca.crt"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    raw = socket.create_connection(("127.0.0.1", consortium.door_port), timeout=20)
    with raw, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        context.wrap_socket(raw, server_hostname="127.0.0.1")
