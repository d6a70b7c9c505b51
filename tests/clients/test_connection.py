"""What keeps a party from its mediator is one sentence, before anything is connected: tried on loopback."""

from __future__ import annotations

import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flwr.common.constant import SYSTEM_TIME_TOLERANCE, TIMESTAMP_TOLERANCE

from clients.connection import AHEAD, BEHIND, Mediator, Skew, check_own_port
from clients.errors import PartyError

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        for variable in (f"{name}_proxy", f"{name.upper()}_PROXY"):
            monkeypatch.delenv(variable, raising=False)


def certificate(folder: Path, since: timedelta = -DAY, until: timedelta = DAY, name: str = "127.0.0.1") -> Path:
    """A certificate that signs itself, with its key in the same file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now + since).not_valid_after(now + until)
    alternative: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = folder / f"{name}-{since.days}-{until.days}.pem"
    path.write_bytes(pem + private)
    return path


def party_key(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP384R1())
    form = serialization.PrivateFormat.OpenSSH
    path = folder / "key"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    path.chmod(0o600)
    return path


@contextmanager
def answering(shown: Path | None, status: int = 401, ahead: float = 0.0, text: str = "{}") -> Iterator[str]:
    """Somebody on loopback who shows a certificate (None: no TLS) and whose clock is so much ahead; its address."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response_only(status)
            date = datetime.fromtimestamp(int(time.time() + ahead), UTC)
            self.send_header("Date", format_datetime(date, usegmt=True))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Answer) as server:
        if shown is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(shown)
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def trouble(mediator: Mediator) -> str:
    with pytest.raises(PartyError) as caught:
        mediator.check()
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_a_mediator_as_it_should_be_is_no_trouble(tmp_path: Path) -> None:
    shown = certificate(tmp_path)
    with answering(shown) as address:
        assert Mediator(address, shown, False, party_key(tmp_path)).check() == ""
    with answering(None) as address:
        assert Mediator(address, None, True, None).check() == ""


@pytest.mark.parametrize(
    ("since", "until", "name", "said"),
    [
        (-3 * DAY, -DAY, "127.0.0.1", "has expired on"),
        (DAY, 3 * DAY, "127.0.0.1", "is not valid before"),
        (-DAY, DAY, "mediator.example", "is not made for this name, only for mediator.example"),
        (-DAY, DAY, "192.0.2.1", "is not made for this name, only for 192.0.2.1"),
    ],
)
def test_a_certificate_that_is_no_good(
    tmp_path: Path, since: timedelta, until: timedelta, name: str, said: str
) -> None:
    shown = certificate(tmp_path, since, until, name)
    with answering(shown) as address:
        found = trouble(Mediator(address, shown, False, None))
    assert said in found
    assert ("this machine's clock says" in found) == ("valid" in said or "expired" in said)


def test_another_authority_and_a_file_that_holds_none(tmp_path: Path) -> None:
    shown, other = certificate(tmp_path), certificate(tmp_path, until=2 * DAY)
    with answering(shown) as address:
        assert "does not come from an authority in" in trouble(Mediator(address, other, False, None))
        assert "does not come from an authority that this machine trusts" in trouble(
            Mediator(address, None, False, None)
        )
        for text in ("", "no certificate"):
            (tmp_path / "odd").write_text(text)
            assert "is no file with certificates in PEM" in trouble(Mediator(address, tmp_path / "odd", False, None))
        assert "is no file with certificates" in trouble(Mediator(address, tmp_path / "none", False, None))


def test_tls_on_one_side_only(tmp_path: Path) -> None:
    shown = certificate(tmp_path)
    with answering(None) as address:
        assert "does not speak TLS as it should" in trouble(Mediator(address, shown, False, None))
    with answering(shown) as address:
        assert "broke the connection off" in trouble(Mediator(address, None, True, None))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mediator.invalid:9443", "no machine of this name is known"),
        ("https://mediator.example:9443", "takes host:port, without https://"),
        ("mediator.example", "takes host:port"),
        ("mediator.example:99999", "a port is from 1 to 65535"),
        ("mediator.example:9443/x", "takes host:port"),
    ],
)
def test_an_address_that_is_none(address: str, said: str) -> None:
    assert said in trouble(Mediator(address, None, False, None))


def test_a_closed_port_and_one_where_something_else_answers(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{probe.getsockname()[1]}"
    assert "nobody listens there (connection refused)" in trouble(Mediator(closed, None, True, None))
    shown = certificate(tmp_path)
    with answering(shown, status=404, text="<html>") as address:
        assert "is no mediator (HTTP 404)" in trouble(Mediator(address, shown, False, None))
    with answering(shown, status=502, text="<html>") as address:
        assert "but not the SuperLink behind it (HTTP 502)" in trouble(Mediator(address, shown, False, None))


def test_one_who_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.connection.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mediator = Mediator(f"127.0.0.1:{silent.getsockname()[1]}", None, False, None)
        with pytest.raises(PartyError, match="did not answer within"):
            mediator._try(patience=0.5)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (8.0, ""),
        (-8.0, "is 8 s ahead of"),
        (-400.0, "is 400 s ahead of"),
        (86400.0 * 30, "30 days behind"),
    ],
)
def test_a_clock_that_is_off(tmp_path: Path, ahead: float, said: str) -> None:
    """``ahead`` is the mediator's; 8 s behind it are within what Flower takes."""
    shown, key = certificate(tmp_path), party_key(tmp_path)
    with answering(shown, ahead=ahead) as address:
        if not said:
            assert Mediator(address, shown, False, key).check() == ""
        else:
            found = trouble(Mediator(address, shown, False, key))
            assert said in found
            assert "NTP" in found
            assert Mediator(address, shown, False, None).check() == ""  # nothing is signed


def test_a_clock_that_is_nearly_off_is_a_warning_and_after_a_refusal_the_reason(tmp_path: Path) -> None:
    shown, key = certificate(tmp_path), party_key(tmp_path)
    with answering(shown, ahead=-3.6) as address:
        assert "ahead of the mediator's" in Mediator(address, shown, False, key).check()
    with answering(shown, ahead=-5.4) as address:
        assert "ahead of the mediator's" in Mediator(address, shown, False, key).explain(401, "{}")
    with answering(shown) as address:
        said = Mediator(address, shown, False, key).explain(401, "{}")
        assert "does not take this party's signature any more" in said
        assert "SHA256:" in said


def test_the_tolerances_are_flowers() -> None:
    assert (AHEAD, BEHIND) == (SYSTEM_TIME_TOLERANCE, TIMESTAMP_TOLERANCE + SYSTEM_TIME_TOLERANCE)


def test_a_date_is_cut_to_seconds() -> None:
    """The truth lies between: a server that says second 100 is at 100.0 to 101.0."""
    date = format_datetime(datetime.fromtimestamp(100, UTC), usegmt=True)
    skew = Skew.of(date, 105.2, 105.4)
    assert skew is not None
    assert (skew.low, skew.high) == pytest.approx((4.2, 5.4))
    assert not skew.refused
    assert skew.doubtful
    assert Skew.of("yesterday", 0.0, 0.0) is None


def test_a_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o600)
    for path in (tmp_path / "key", tmp_path / "none"):
        assert "--auth-supernode-private-key: " in trouble(Mediator("127.0.0.1:1", None, False, path))


def test_a_proxy_that_refuses_or_can_not_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with answering(None, status=403) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{proxy}")
        said = trouble(Mediator("mediator.example:9443", None, False, None))
    assert f"the proxy HTTPS_PROXY={proxy} does not let this party through" in said
    assert "secret" not in said
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    assert "can't be used" in trouble(Mediator("mediator.example:9443", None, False, None))


def test_its_own_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(PartyError, match="another program has port"):
            check_own_port("127.0.0.1", taken.getsockname()[1])
        port = taken.getsockname()[1]
    check_own_port("127.0.0.1", port)
