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
from tests.deployment.consortium import NODE, NOT_ACTIVATED, PARTIES, ROOT, Consortium, connected, json_of, wait_until

pytestmark = pytest.mark.deployment

CONNECTION_ERROR = "Exit Code: 305"  # Flower's SUPERNODE_CONNECTION_ERROR; the process itself exits with 1


def post(port: int, path: str, ca: Path, method: str = "POST") -> int:
    """The status of an empty request of Flower's kind, whose path is sent as it is written here."""
    context = ssl.create_default_context(cafile=str(ca))
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as stream:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n"
        stream.sendall(f"{head}Content-Type: application/protobuf\r\n\r\n".encode())
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
    nodes = {**intruders, "registered": consortium.node_options(north / "ca.crt", north / "north")}
    services = {}
    for name, options in nodes.items():
        (tmp_path / name).mkdir()
        services[name] = consortium.start(name, [*NODE, *options], tmp_path / name)
    wait_until("the registered one connects", lambda: connected(services["registered"]))
    intruders["its-twin"] = consortium.node_options(
        north / "ca.crt", north / "north"
    )  # a stolen key, while it is in use
    services["its-twin"] = consortium.start("its-twin", [*NODE, *intruders["its-twin"]], tmp_path / "registered")
    wait_until("the intruders end", lambda: all(services[name].ended() is not None for name in intruders))
    assert services["registered"].ended() is None  # what keeps the others out is not how they were started
    said = {name: service.tail(100) for name, service in services.items()}
    for service in services.values():
        service.stop()  # and what the intruders left behind
    assert {name: services[name].ended() for name in intruders} == dict.fromkeys(intruders, 1)
    assert [name for name in intruders if CONNECTION_ERROR not in said[name]] == []
    assert [name for name, text in said.items() if "SuperNode ID" in text] == ["registered"]
    assert NOT_ACTIVATED in said["unregistered-key"]
    assert NOT_ACTIVATED in said["its-twin"]
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
    assert (straight, detour) == (401, 401)  # the SuperLink's own refusal of a request without a key


def test_no_key_comes_in_from_outside_even_if_the_superlink_would_take_one(consortium: Consortium) -> None:
    ca = consortium.mediator / "ca.crt"
    assert post(consortium.door_port, "/v1/fleet/register-node", ca) == 405
    assert post(consortium.door_port, "/v1/fleet/unregister-node", ca) == 405
    assert post(consortium.door_port, "/v1/fleet/pull-messages", ca, method="GET") == 403


@pytest.mark.parametrize(
    ("path", "behind", "before"),
    [
        ("/v1/control/list-runs", 200, 403),
        ("/v1/control/list-nodes", 200, 403),  # with every party's public key
        ("/v1/runtime/acquire-task", 200, 403),  # what flower-superexec asks for
        ("/v1/fleet/pull-messages", 401, 401),
    ],
)
def test_the_superlink_itself_asks_nobody_but_parties_who_he_is(
    consortium: Consortium, path: str, behind: int, before: int
) -> None:
    """What the door is for: the same request, straight to the SuperLink and through the door."""
    ca = consortium.mediator / "ca.crt"
    assert post(consortium.superlink_port, path, ca) == behind
    assert post(consortium.door_port, path, ca) == before


def runs_of(consortium: Consortium) -> set[str]:
    """The ids of all runs that the mediator knows."""
    listed = json_of(consortium.flwr("ls", CONNECTION, "--format", "json").stdout)["runs"]
    return {str(run["run-id"]) for run in listed}


def nodes_of(consortium: Consortium) -> set[str]:
    """The ids of all keys that are registered."""
    listed = json_of(consortium.flwr("supernode", "list", CONNECTION, "--format", "json").stdout)["nodes"]
    return {str(node["node-id"]) for node in listed}


def test_an_outsider_can_neither_submit_a_run_nor_register_a_key_nor_take_over_the_app(
    consortium: Consortium, tmp_path: Path
) -> None:
    ca = consortium.folder / "north" / "ca.crt"
    make_credentials(tmp_path / "eve", ["eve"])
    runs, nodes = runs_of(consortium), nodes_of(consortium)
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
        registered, submitted, asked = pool.map(lambda words: consortium.flwr(*words, home=home), wanted)
    wait_until("superexec ends", lambda: taker.ended() is not None)
    assert (registered.returncode, asked.returncode, taker.ended()) == (1, 1, 1)
    answer = json_of(submitted.stdout)  # flwr run exits with 0 all the same
    assert answer["success"] is False
    for said in (answer["error-message"], registered.stdout + registered.stderr, asked.stdout + asked.stderr):
        assert "403 Forbidden" in said
    assert '"POST /v1/runtime/acquire-task HTTP/1.1" 403' in (consortium.mediator / "access.log").read_text()
    assert runs_of(consortium) == runs  # other tests of this session may have run theirs
    assert nodes_of(consortium) == nodes
    assert len(nodes) >= len(PARTIES)


def listening(family: str, port: int) -> list[str]:
    """The addresses, as the kernel writes them, on which somebody listens at a port of this machine."""
    lines = Path("/proc/net", family).read_text().splitlines()[1:]
    sockets = [line.split()[1].split(":") for line in lines if line.split()[3] == "0A"]
    return [address for address, number in sockets if int(number, 16) == port]


def test_the_superlink_listens_on_loopback_only_and_old_tls_is_refused(consortium: Consortium) -> None:
    assert listening("tcp", consortium.superlink_port) == ["0100007F"]  # 127.0.0.1 in the kernel's byte order
    assert listening("tcp6", consortium.superlink_port) == []
    context = ssl.create_default_context(cafile=str(consortium.mediator / "ca.crt"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    raw = socket.create_connection(("127.0.0.1", consortium.door_port), timeout=20)
    with raw, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        context.wrap_socket(raw, server_hostname="127.0.0.1")
