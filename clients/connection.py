"""What keeps a party from its mediator, in one sentence, before anything is connected.

Flower retries for ever where nobody answers, and ends without a word where a signature's time is not taken. So the way
is tried first, as Flower goes it, through the same proxy and with the same certificates: name, port, TLS, who answers,
and how far both clocks are apart, by the ``Date`` of the answer.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.request import getproxies

import httpx
from cryptography import x509

from clients.errors import PartyError
from wire.parsing import read_json
from wire.signing import KeyFileError, fingerprint, read_private_key

__all__ = ["AHEAD", "BEHIND", "Mediator", "Skew", "check_own_port"]

AHEAD, BEHIND = 5, 305
"""Seconds by which a party's clock may differ from the SuperLink's (Flower's SYSTEM_TIME_TOLERANCE, and that with its
TIMESTAMP_TOLERANCE): both ends are excluded."""

PATIENCE = 10.0  # seconds for the mediator to answer
PROBE = "/v1/fleet/activate-node"  # without a signature: refused by every SuperLink with keys, and changes nothing
REFUSED_KEY, NO_SELF_REGISTRATION, OTHER_VERSION = 2004, 2001, 1001  # codes of Flower's errors


@dataclass(frozen=True)
class Skew:
    """How far this machine's clock is ahead of the mediator's, in seconds: from ``low`` to ``high``."""

    low: float
    high: float

    @classmethod
    def of(cls, date: str, before: float, after: float) -> Skew | None:
        """From an HTTP ``Date``, cut to whole seconds, and this machine's time before and after the request."""
        try:
            said = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return None
        return cls(before - said - 1.0, after - said)

    @property
    def refused(self) -> bool:
        """Flower is certain to refuse what this machine signs."""
        return self.low >= AHEAD or self.high <= -BEHIND

    @property
    def doubtful(self) -> bool:
        """Flower may refuse it now, or soon if the clock goes on like this."""
        return self.high >= AHEAD - 2 or self.low <= -BEHIND / 2

    def __str__(self) -> str:
        middle = (self.low + self.high) / 2
        size = f"{abs(middle) / 86400:.0f} days" if abs(middle) >= 2 * 86400 else f"{abs(middle):.0f} s"
        return (
            f"this machine's clock is {size} {'ahead of' if middle > 0 else 'behind'} the mediator's, and Flower takes "
            f"signatures whose time is less than {AHEAD} s ahead and {BEHIND} s behind: have it set by NTP "
            "(timedatectl set-ntp true), or ask the mediator to look at its own"
        )


@dataclass(frozen=True)
class Mediator:
    """The mediator as the options of ``flower-supernode`` name it.

    address : host:port; roots : file with the authorities that may have signed its certificate, None for those that
    httpx trusts; plain : without TLS; key : file of the party's private key
    """

    address: str
    roots: Path | None
    plain: bool
    key: Path | None

    @classmethod
    def of(cls, options: Namespace) -> Mediator:
        roots, key = options.root_certificates, options.auth_supernode_private_key
        return cls(options.superlink, _path(roots), bool(options.insecure), _path(key))

    def check(self) -> str:
        """Try the way to it; returns what is to be minded all the same, "" where nothing is.

        Raises
        ------
        PartyError
            It can't be reached, is not what it should be, or won't take this machine's signatures.
        """
        self._host_and_port()
        self._public_key()
        skew = self._try()
        if skew is None or self.key is None:
            return ""
        if skew.refused:
            raise PartyError(str(skew))
        return str(skew) if skew.doubtful else ""

    def explain(self, status: int, text: str) -> str:
        """Why it refused what a SuperNode asked of it, by its last answer; "" where Flower's own words are enough."""
        code, details = _flower_error(text)
        if code == OTHER_VERSION:
            return f"the mediator has another version of Flower, install the same one (flwr==X.Y.*): {details}"
        if status == 401:
            with contextlib.suppress(PartyError):
                skew = self._try(patience=2.0)
                if skew is not None and (skew.high >= AHEAD or skew.low <= -BEHIND):
                    return str(skew)
            return (
                "the mediator's SuperLink does not take this party's signature any more: it was started again, or this "
                f"key was withdrawn{self._fingerprint()}; start again once it is registered"
            )
        if code == REFUSED_KEY:
            return (
                f"no party with this key is registered at the mediator{self._fingerprint()}, or one that was killed is "
                "still counted as connected, for a minute"
            )
        if code == NO_SELF_REGISTRATION or (status in (403, 405) and self.key is None):
            return "the mediator takes registered keys only: give --auth-supernode-private-key KEY"
        if status == 413:
            return (
                "the mediator's door takes only small messages from keys that are not on its list: it puts this "
                "party's NAME.pub into `parties` and runs `python -m server door` again"
            )
        return ""

    def _host_and_port(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        if not host or "://" in self.address or "/" in self.address or not port.isdecimal():
            raise PartyError(f"--superlink takes host:port, without https://, got {self.address!r}")
        if not 1 <= int(port) <= 65535:
            raise PartyError(f"--superlink: a port is from 1 to 65535, got {port}")
        return host.strip("[]"), int(port)

    def _public_key(self) -> object:
        if self.key is None:
            return None
        try:
            return read_private_key(self.key).public_key()
        except KeyFileError as error:
            raise PartyError(f"--auth-supernode-private-key: {error}") from error

    def _fingerprint(self) -> str:
        try:
            return f" ({fingerprint(read_private_key(self.key).public_key())})" if self.key else ""
        except KeyFileError:
            return ""

    def _try(self, patience: float = PATIENCE) -> Skew | None:
        """Ask, as Flower would, and see who answers."""
        verify = self._context()
        try:
            with httpx.Client(verify=verify, timeout=patience) as client:
                before = time.time()
                scheme = "http" if self.plain else "https"
                answer = client.post(f"{scheme}://{self.address}{PROBE}", headers={"accept": "application/protobuf"})
                after = time.time()
        except httpx.ProxyError as error:
            raise PartyError(
                f"the proxy {_proxies()} does not let this party through to {self.address}", here=str(error)
            ) from error
        except httpx.HTTPError as error:
            raise PartyError(self._cause(error)) from error
        except (ImportError, ValueError) as error:  # of proxies that httpx can't use
            raise PartyError(f"the proxy {_proxies()} can't be used", here=str(error)) from error
        self._look_at(answer)
        return Skew.of(answer.headers.get("date", ""), before, after)

    def _context(self) -> ssl.SSLContext | bool:
        if self.plain or self.roots is None:
            return not self.plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=self.roots.read_bytes().decode("ascii"))
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise PartyError(
                f"--root-certificates: {self.roots} is no file with certificates in PEM that can be read",
                here=str(error),
            ) from error
        return context

    def _look_at(self, answer: httpx.Response) -> None:
        """Whoever answers is a SuperLink, or a door with one behind it."""
        if answer.status_code in (502, 503, 504):
            raise PartyError(
                f"the mediator's door at {self.address} answers, but not the SuperLink behind it (HTTP "
                f"{answer.status_code}): ask the mediator to start it, and try again"
            )
        if self.plain and answer.status_code == 400 and "https" in answer.text.lower():
            raise PartyError(f"{self.address} speaks TLS: give --root-certificates ca.crt in the place of --insecure")
        if answer.status_code == 407:
            raise PartyError(f"the proxy {_proxies()} wants a name and password (HTTP 407): put them into its address")
        code, _ = _flower_error(answer.text)
        if answer.status_code != 401 and code == 0 and not (answer.status_code == 422 or answer.status_code == 415):
            raise PartyError(
                f"what answers at {self.address} is no mediator (HTTP {answer.status_code}): check host and port"
            )

    def _cause(self, error: httpx.HTTPError) -> str:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return self._certificate_cause(cause)
            if isinstance(cause, ssl.SSLError):
                return (
                    f"{self.address} does not speak TLS as it should ({cause.reason or cause}): is it the door's port? "
                    "A SuperLink without TLS takes parties on its own machine only (--insecure)"
                )
            if isinstance(cause, socket.gaierror):
                return f"{self.address}: no machine of this name is known ({cause.strerror}): check it, and the DNS"
            if isinstance(cause, ConnectionRefusedError):
                return f"{self.address}: nobody listens there (connection refused): check the port, or try again later"
            if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
                return f"{self.address}: there is no way from this machine to it ({cause.strerror})"
        through = f" through the proxy {_proxies()}" if _proxies() else ""
        if isinstance(error, httpx.TimeoutException):
            return f"{self.address} did not answer within {PATIENCE:g} s{through}: a firewall between, or a wrong port?"
        closed = "" if self.plain else "; does it speak TLS?"
        return f"{self.address} broke the connection off{through} ({error or type(error).__name__}){closed}"

    def _certificate_cause(self, error: ssl.SSLCertVerificationError) -> str:
        shown, now = self._shown(), datetime.now(UTC)
        which = f"the certificate that {self.address} shows"
        clock = f"this machine's clock says {datetime.fromtimestamp(time.time(), UTC):%Y-%m-%d %H:%M} UTC"
        if error.verify_code == 10:
            if shown is not None and shown.not_valid_after_utc > now:
                return f"{which} comes from an authority whose own certificate has expired: get its new one ({clock})"
            until = f" on {shown.not_valid_after_utc:%Y-%m-%d}" if shown else ""
            return f"{which} has expired{until}: the mediator has to renew it ({clock})"
        if error.verify_code == 9:
            since = f" before {shown.not_valid_before_utc:%Y-%m-%d %H:%M} UTC" if shown else " yet"
            return f"{which} is not valid{since}, and {clock}: one of both is wrong"
        if error.verify_code in (62, 64):
            names = f", only for {', '.join(_names(shown))}" if shown and _names(shown) else ""
            return f"{which} is not made for this name{names}: give --superlink one of its names"
        roots = f"an authority in {self.roots}" if self.roots else "an authority that this machine trusts"
        return (
            f"{which} does not come from {roots} ({error.verify_message}): it is another machine, or "
            "--root-certificates is not the file that the mediator gave out"
        )

    def _shown(self) -> x509.Certificate | None:
        """The certificate that it shows, unverified, to say what is wrong with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, port = self._host_and_port()
        try:
            with socket.create_connection((host, port), timeout=3.0) as raw, context.wrap_socket(raw) as tls:
                return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
        except (OSError, ValueError):
            return None


def check_own_port(host: str, port: int) -> None:
    """Nobody else listens where the SuperNode is going to listen on this machine.

    Raises
    ------
    PartyError
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise PartyError(
                f"another program has port {port} of this machine ({error.strerror}): is this party running already? "
                "Where several share a machine each has a --port of its own"
            ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _flower_error(text: str) -> tuple[int, str]:
    """The code of one of Flower's errors and what it says of it; 0 where it is none."""
    try:
        found = read_json(text)
    except ValueError:
        return 0, ""
    code = found.get("code") if isinstance(found, dict) else None
    return (code, str(found.get("extra") or found.get("detail") or "")) if isinstance(code, int) else (0, "")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [str(name.value) for name in names if isinstance(name, (x509.DNSName, x509.IPAddress))]


def _proxies() -> str:
    """The proxies of the environment, without the passwords that may stand in them."""
    found = {kind: url for kind, url in getproxies().items() if kind in ("http", "https", "all")}
    return ", ".join(f"{kind.upper()}_PROXY={url.rpartition('@')[2]}" for kind, url in sorted(found.items()))


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
