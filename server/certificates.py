"""Whether a certificate does what it is for, said before a party meets it: days, key, names, authority."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

__all__ = ["SOON", "Certificate", "CertificateError"]

SOON = timedelta(days=30)
"""A certificate that ends within this time is to be renewed now."""


class CertificateError(ValueError):
    """A certificate can't be used; the text says which file, why, and how to mend it."""


@dataclass(frozen=True)
class Certificate:
    """A server's certificate as a file holds it, with the chain that may follow it."""

    path: Path
    chain: Sequence[x509.Certificate]

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """Of a file in PEM.

        Raises
        ------
        CertificateError
        """
        try:
            return cls(path, x509.load_pem_x509_certificates(path.read_bytes()))
        except OSError as error:
            raise CertificateError(f"{path} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise CertificateError(f"{path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)") from error

    @property
    def names(self) -> list[str]:
        """The host names and addresses that it is good for."""
        try:
            found = self.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return []
        return [str(name.value) for name in found if isinstance(name, (x509.DNSName, x509.IPAddress))]

    def check_days(self, now: datetime | None = None) -> str:
        """It and its chain are valid today; returns a warning where that ends soon, "" where it does not.

        Raises
        ------
        CertificateError
        """
        now = now or datetime.now(UTC)
        for one in self.chain:
            which = str(self.path) if one is self.chain[0] else f"{self.path}, authority {one.subject.rfc4514_string()}"
            if one.not_valid_after_utc <= now:
                raise CertificateError(
                    f"{which} has expired on {one.not_valid_after_utc:%Y-%m-%d}, and no party would connect: renew it "
                    f"(this machine's clock says {now:%Y-%m-%d})"
                )
            if one.not_valid_before_utc > now:
                raise CertificateError(
                    f"{which} is not valid before {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, and this machine's "
                    f"clock says {now:%Y-%m-%d %H:%M} UTC: one of both is wrong"
                )
        until = min(one.not_valid_after_utc for one in self.chain)
        if until - now > SOON:
            return ""
        return f"{self.path} expires on {until:%Y-%m-%d}, in {(until - now).days} days: renew it before"

    def check_key(self, path: Path) -> None:
        """The file holds its private key, without a passphrase.

        Raises
        ------
        CertificateError
        """
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise CertificateError(f"{path} can't be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CertificateError(
                f"{path} holds no private key in PEM that can be read without a passphrase"
            ) from error
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*form) != self.chain[0].public_key().public_bytes(*form):
            raise CertificateError(f"{path} is not the key of {self.path}: they belong to different pairs")

    def check_names(self, wanted: Sequence[str], why: str) -> None:
        """It is good for all of these.

        Raises
        ------
        CertificateError
        """
        missing = [name for name in wanted if not any(_covers(name, own) for own in self.names)]
        if missing:
            raise CertificateError(
                f"{self.path} is good for {', '.join(self.names) or 'no name'}, not for {', '.join(missing)}, {why}"
            )

    def check_authority(self, authority: Certificate) -> None:
        """The chain ends at the authority.

        Raises
        ------
        CertificateError
        """
        root, last = authority.chain[0], self.chain[-1]
        try:
            for one, issuer in zip(self.chain, [*self.chain[1:], root], strict=True):
                if one is not last or one != root:
                    one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise CertificateError(
                f"{self.path} was not issued by {authority.path}: they don't belong together"
            ) from error


def _covers(name: str, own: str) -> bool:
    """As TLS clients compare: addresses by value, a leading ``*`` for one label."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(own)
    except ValueError:
        pass
    name, own = name.lower().rstrip("."), own.lower()
    return name == own or (own.startswith("*.") and name.partition(".")[2] == own[2:])
