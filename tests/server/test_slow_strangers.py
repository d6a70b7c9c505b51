"""The door with real nginx: whoever is slow and holds no party's key keeps no party out, from no address."""

from __future__ import annotations

import base64
import contextlib
import http.server
import resource
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from server.credentials import make_credentials
from server.door import Door
from wire.signing import read_public_key

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = [
    pytest.mark.deployment,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx"),
]

HEAD = "POST /v1/fleet/x HTTP/1.1\r\nHost: localhost\r\n"


class SuperLink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


class Silent(http.server.ThreadingHTTPServer):
    request_queue_size = 100

    def handle_error(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Place:
    """A door with a SuperLink behind it that answers everything."""

    def __init__(self, folder: Path) -> None:
        make_credentials(folder / "keys", ["north"])
        self.home = folder / "keys" / "mediator"
        self.port = free_port()
        self.tls = ssl.create_default_context(cafile=str(self.home / "ca.crt"))
        key = read_public_key(self.home / "parties" / "north.pub")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.key = base64.b64encode(key.public_bytes(serialization.Encoding.PEM, form)).decode()

    def plain(self, address: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5.0, source_address=(address, 0))

    def connect(self, address: str = "127.0.0.1") -> socket.socket:
        return self.tls.wrap_socket(self.plain(address), server_hostname="localhost")

    def status(self, head: str = "", size: int = 0, address: str = "127.0.0.1") -> int:
        """What the door answers to a whole request."""
        with self.connect(address) as s:
            s.sendall(f"{HEAD}{head}Connection: close\r\nContent-Length: {size}\r\n\r\n".encode())
            with contextlib.suppress(OSError):  # it may have answered and closed before all was sent
                s.sendall(bytes(size))
            return int(s.recv(100).split()[1])

    def party(self, size: int = 0) -> int:
        return self.status(f"flwr-public-key: {self.key}\r\n", size)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place, behind = Place(tmp_path_factory.mktemp("door")), free_port()
    server = Silent(("127.0.0.1", behind), SuperLink)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place.home / "server.pem", place.home / "server.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Door(place.home, f"127.0.0.1:{place.port}", behind).write()
    nginx = subprocess.Popen(
        [str(NGINX), "-e", "stderr", "-p", str(place.home), "-c", "nginx.conf"], stderr=subprocess.DEVNULL
    )
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(6000, limit[1]), limit[1]))
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                place.plain().close()
                break
            time.sleep(0.1)
        yield place
    finally:
        nginx.terminate()
        nginx.wait()
        server.shutdown()
        server.server_close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def said(place: Place, address: str, text: str) -> socket.socket:
    s = place.connect(address)
    s.sendall(text.encode())
    return s


KEY = "flwr-public-key: {key}\r\n"
SLOW: dict[str, Callable[[Place, str], socket.socket]] = {
    "connect and say nothing": lambda place, address: place.plain(address),
    "shake hands and say nothing": lambda place, address: place.connect(address),
    "a header that never ends": lambda place, address: said(place, address, f"{HEAD}X: "),
    "a large body": lambda place, address: said(place, address, f"{HEAD}Content-Length: 50000000\r\n\r\nx"),
    "a small body": lambda place, address: said(place, address, f"{HEAD}Content-Length: 5000\r\n\r\nx"),
    "a body in chunks": lambda place, address: said(place, address, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nx"),
    "another key, a large body": lambda place, address: said(
        place, address, f"{HEAD}flwr-public-key: LS0tLS1CRUdJTiBQVUJMSUM=\r\nContent-Length: 5000000\r\n\r\nx"
    ),
    "a request, and no end of it": lambda place, address: said(place, address, f"{HEAD}Content-Length: 0\r\n\r\n"),
}
"""What a stranger begins and does not end; afterwards it sends a byte a second where it may."""


def held(place: Place, kind: str, number: int, addresses: list[str]) -> list[socket.socket]:
    opened = []
    for k in range(number):
        with contextlib.suppress(OSError):
            opened.append(SLOW[kind](place, addresses[k % len(addresses)]))
    return opened


def still_open(sockets: list[socket.socket], seconds: float) -> int:
    """How many are left after they sent a byte a second for so long, and read what came."""
    left = list(sockets)
    for _ in range(round(seconds)):
        time.sleep(1.0)
        for s in list(left):
            try:
                s.setblocking(False)
                while s.recv(1000):
                    pass
                left.remove(s)  # the door has closed it
            except (BlockingIOError, ssl.SSLWantReadError):
                with contextlib.suppress(OSError):
                    s.send(b"x")
            except OSError:
                left.remove(s)
    return len(left)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_the_door_parts_with_slow_strangers_and_serves_parties_meanwhile(place: Place, kind: str) -> None:
    slow = held(place, kind, 100, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"])
    try:
        assert [place.party(), place.party(5_000_000), place.status()] == [200, 200, 200]
        left = still_open(slow, 14.0)
        assert left <= 4 * 16, f"{left} of {len(slow)} are still open"
        if kind not in ("a small body", "a body in chunks"):
            assert left == 0
        assert place.party(5_000_000) == 200
    finally:
        for s in slow:
            s.close()


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [["127.0.0.1"], [f"127.0.0.{k}" for k in range(2, 42)]], ids=["same", "others"])
def test_many_at_once_shut_out_nobody(place: Place, addresses: list[str]) -> None:
    slow = [s for kind in SLOW for s in held(place, kind, 300, addresses)]
    try:
        assert len(slow) > 2000
        assert [place.party(100_000) for _ in range(10)] == [200] * 10
        assert [place.status() for _ in range(10)] == [200] * 10
    finally:
        for s in slow:
            s.close()


def test_strangers_get_small_bodies_only(place: Place) -> None:
    assert place.status(size=8000) == 200
    assert place.status(size=9000) == 413
    assert place.status("flwr-public-key: LS0tLS1=\r\n", 9000) == 413
    assert place.party(9000) == 200
    assert place.party(70_000_000) == 413


def test_one_party_that_is_slow_keeps_itself_out_and_nobody_else(place: Place) -> None:
    head = f"{HEAD}flwr-public-key: {place.key}\r\nContent-Length: 5000000\r\n\r\nx"
    slow = [said(place, "127.0.0.1", head) for _ in range(80)]
    try:
        time.sleep(0.5)
        assert place.party() == 503
        assert place.status() == 200
    finally:
        for s in slow:
            s.close()
