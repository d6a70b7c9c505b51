"""Keys and certificates to try a deployment out with: a CA, the mediator's certificate, one key pair a party."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wire.files import make_folder, write_whole

__all__ = ["AUTHORITY", "MEDIATOR", "CredentialsError", "make_credentials"]

AUTHORITY, MEDIATOR = "authority", "mediator"
"""Folders that are no party's."""

HERE = ("localhost", "127.0.0.1")
"""Names that the certificate always holds: the door and ``flwr`` reach the SuperLink by them."""

AUTHORITY_DAYS, CERTIFICATE_DAYS = 730, 365
CURVE = ec.SECP384R1()  # what Flower's SuperNode authentication takes

Key = ec.EllipticCurvePrivateKey


class CredentialsError(ValueError):
    """The credentials can't be made; the text says why and how to mend it."""


def make_credentials(folder: Path, parties: Sequence[str], names: Sequence[str] = ()) -> list[Path]:
    """Write the credentials of a whole consortium into a new folder; returns what was written, in order.

    ``authority/`` the CA's key; ``mediator/`` the server's key and certificate, the CA's certificate, the key pair with
    which the mediator signs and the parties' public keys; and a folder a party with its key pair (OpenSSH, ECDSA
    P-384), the mediator's public key and the CA's certificate. Private keys have mode 600, folders 700.

    Parameters
    ----------
    folder : must not exist, or be empty
    parties : names, each good for a folder; none where every party makes its own key and sends its NAME.pub
    names : host names or addresses by which parties reach the mediator, besides ``localhost`` and 127.0.0.1

    Raises
    ------
    CredentialsError
        The folder holds something, or a name can't be one.
    """
    _check(folder, parties)
    authority_key = ec.generate_private_key(CURVE)
    authority = _authority(authority_key)
    server_key = ec.generate_private_key(CURVE)
    server = _server(server_key, [*HERE, *names], authority, authority_key)
    root = authority.public_bytes(serialization.Encoding.PEM)
    written = [
        _private(folder / AUTHORITY / "ca.key", _pem(authority_key)),
        _public(folder / MEDIATOR / "ca.crt", root),
        _public(folder / MEDIATOR / "server.pem", server.public_bytes(serialization.Encoding.PEM)),
        _private(folder / MEDIATOR / "server.key", _pem(server_key)),
    ]
    own_key = ec.generate_private_key(CURVE)
    own_public = _openssh(own_key, MEDIATOR)
    written += [
        _private(folder / MEDIATOR / MEDIATOR, _openssh_private(own_key)),
        _public(folder / MEDIATOR / f"{MEDIATOR}.pub", own_public),
    ]
    make_folder(folder / MEDIATOR / "parties")
    for party in parties:
        key = ec.generate_private_key(CURVE)
        public = _openssh(key, party)
        written += [
            _public(folder / MEDIATOR / "parties" / f"{party}.pub", public),
            _public(folder / party / "ca.crt", root),
            _public(folder / party / f"{MEDIATOR}.pub", own_public),
            _private(folder / party / party, _openssh_private(key)),
            _public(folder / party / f"{party}.pub", public),
        ]
    return written


def _check(folder: Path, parties: Sequence[str]) -> None:
    from wire.messages import MessageError, check_party_name  # which loads Flower

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CredentialsError(f"{folder} exists and is not empty; no key is ever overwritten: choose another folder")
    for party in parties:
        try:
            check_party_name(party)
        except MessageError as error:
            raise CredentialsError(str(error)) from error
    folders = [name.casefold() for name in (AUTHORITY, MEDIATOR, *parties)]
    if len(set(folders)) < len(folders):
        raise CredentialsError(
            f"each party is named once, differently from the others in more than upper and lower case, and not "
            f"{AUTHORITY!r} or {MEDIATOR!r}; got {', '.join(parties)}"
        )


def _authority(key: Key) -> x509.Certificate:
    """A certificate authority that signs itself, and servers' certificates only."""
    name = _name("Guerdon trial authority")
    builder = _builder(name, name, key, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.sign(key, hashes.SHA384())


def _server(key: Key, names: Sequence[str], authority: x509.Certificate, authority_key: Key) -> x509.Certificate:
    """The mediator's certificate, good for every name in ``names``."""
    builder = _builder(_name("Guerdon mediator"), authority.subject, key, CERTIFICATE_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    alternative = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])
    builder = builder.add_extension(alternative, critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return builder.add_extension(issuer, critical=False).sign(authority_key, hashes.SHA384())


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", name):
        raise CredentialsError(
            f"--name takes a host name in ASCII or an address, without https:// and without a port, got {name!r}"
        )
    return x509.DNSName(name)


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _openssh_private(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def _openssh(key: Key, party: str) -> bytes:
    encoded = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return encoded + f" {party}\n".encode()


def _private(path: Path, content: bytes) -> Path:
    make_folder(path.parent)
    write_whole(path, content)  # mode 600
    return path


def _public(path: Path, content: bytes) -> Path:
    _private(path, content).chmod(0o644)
    return path
