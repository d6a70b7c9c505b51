"""The port on 127.0.0.1 at which a party's SuperNode hands messages to the process that runs the app.

Flower opens it to every account of the machine: whoever asks first gets the next message with what is in it, and who
holds the port in the SuperNode's place sends what is run. So it speaks TLS with a certificate of this start's own, and
gives work to nobody but our executor, which signs with a secret of this start's own. Both lie in a folder that no other
account can enter.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import stat
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clients.errors import PartyError
from wire.files import make_folder, write_whole

__all__ = ["Loopback", "check_private"]

DAYS = 3650  # a SuperNode may run for long, and a clock may be set meanwhile


@dataclass(frozen=True)
class Loopback:
    """What a SuperNode and its executor know of each other, as files in ``folder``, the home of this start.

    host, port : where the SuperNode listens
    """

    folder: Path
    host: str
    port: int

    @property
    def _files(self) -> dict[str, Path]:
        return {name: self.folder / name for name in ("secret", "port.pem", "port.key")}

    @property
    def tokens(self) -> Path:
        """Where the executor leaves a task's token for the app, in the place of the list of processes."""
        return self.folder / "tokens"

    def write(self) -> None:
        """Draw the secret and make the certificate."""
        certificate, key = _certificate(self.host)
        make_folder(self.tokens)
        for path, content in zip(self._files.values(), (secrets.token_bytes(32), certificate, key), strict=True):
            write_whole(path, content)  # mode 600

    @property
    def supernode(self) -> list[str]:
        """What ``flower-supernode`` is told in addition."""
        secret, certificate, key = map(str, self._files.values())
        tls = ["--ssl-certfile", certificate, "--ssl-keyfile", key, "--ssl-ca-certfile", certificate]
        return ["--isolation", "process", "--superexec-auth-secret-file", secret, *tls]

    @property
    def executor(self) -> list[str]:
        """The command of the executor, which ends with this process."""
        secret, certificate, _ = map(str, self._files.values())
        host = f"[{self.host}]" if ":" in self.host else self.host
        argv = [sys.executable, "-m", "clients.executor", str(self.tokens), "--runtime-api-address"]
        argv += [f"{host}:{self.port}", "--root-certificates", certificate, "--superexec-auth-secret-file", secret]
        return [*argv, "--parent-pid", str(os.getpid())]


def check_private(folder: Path) -> None:
    """Make sure that no other account, but root, can put anything into a folder or another in its place.

    Raises
    ------
    PartyError
    """
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        found = place.stat()
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if found.st_uid not in (0, os.getuid()) or (shared and (place == folder or not found.st_mode & stat.S_ISVTX)):
            raise PartyError(
                f"other accounts of this machine can change {place}, and so the code that is loaded from {folder}: "
                "set TMPDIR to a folder that is yours alone (install -d -m 700 FOLDER)"
            )


def _certificate(host: str) -> tuple[bytes, bytes]:
    """A certificate for this machine that signs itself, and its key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SuperNode")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=DAYS)).not_valid_after(now + timedelta(days=DAYS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    alternative: list[x509.GeneralName] = [x509.DNSName("localhost")]
    if host != "localhost":
        alternative.append(x509.IPAddress(ipaddress.ip_address(host)))
    builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    return certificate, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
