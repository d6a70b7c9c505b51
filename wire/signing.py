"""Who says what: both sides sign what they send, so that a party's name is worth no less than its key.

The mediator is given the list of parties, name -> public key (``keys-dir``), and a key of its own (``signing-key``);
each party holds its own private key and the mediator's public one. What is signed (ECDSA P-384, SHA-384) is a statement

    {from, to, node, run, nonce, kind, content}

in which ``content`` is the sha256 of all records of the message and ``nonce`` a random number that the mediator draws
whenever it starts: what was altered, said in another's name, sent by another node, or taken from another run or an
earlier attempt does not verify. The signature travels in a record of its own, the seal.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import ArrayRecord, ConfigRecord, RecordDict

from wire.messages import MessageError

__all__ = [
    "MEDIATOR",
    "KeyFileError",
    "MediatorSeal",
    "PartySeal",
    "PrivateKey",
    "Proof",
    "PublicKey",
    "content_digest",
    "fingerprint",
    "read_party_keys",
    "read_private_key",
    "read_public_key",
    "signed",
    "text_verified",
    "verified",
]

MEDIATOR = "mediator"
"""The mediator's name in what is signed; the direction of a statement tells it from a party of that name."""

PROTOCOL = "guerdon-1"
SEAL = "seal"
CURVE = ec.SECP384R1
SIGNATURE = ec.ECDSA(hashes.SHA384())

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


class KeyFileError(ValueError):
    """A key can't be used; the text says which file, what was expected and how to mend it."""


@dataclass(frozen=True)
class Proof:
    """What is left of a signed message when its content is gone.

    nonce : of the run; digest : sha256 of the message's records; signature : hexadecimal, of the sender.
    """

    nonce: str
    digest: str
    signature: str

    def fields(self) -> dict[str, str]:
        """As a ledger holds it."""
        return asdict(self)


@dataclass(frozen=True)
class MediatorSeal:
    """The mediator's side: it signs with its own key, and verifies with the key that the list has for a name.

    Parameters
    ----------
    key : the mediator's own
    parties : public key by party
    run : the run's name
    nonce : new whenever the mediator starts, so that what parties signed before is worth nothing now
    """

    key: PrivateKey
    parties: Mapping[str, PublicKey]
    run: str
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    def sealed(self, content: RecordDict, kind: str, node: int) -> RecordDict:
        """The content with the mediator's signature, good for this node only."""
        statement = _statement(MEDIATOR, "party", node, self.run, self.nonce, kind, content_digest(content))
        content[SEAL] = _seal(self.run, self.nonce, signed(self.key, statement))
        return content

    def sign_text(self, text: str) -> str:
        """The mediator's signature (hexadecimal) of a text that is to stand by itself, such as a receipt."""
        return signed(self.key, text.encode()).hex()

    def verify(self, content: RecordDict, kind: str, party: str, node: int) -> Proof:
        """Make sure that ``party``, and nobody else, sent this content from this node, in answer to this very run.

        Raises
        ------
        MessageError
        """
        if party not in self.parties:
            raise MessageError(f"no public key of {party!r} is on the mediator's list")
        seal = _read_seal(content)
        if (seal.run, seal.nonce) != (self.run, self.nonce):
            raise MessageError("it is signed for another run, or for an earlier attempt at this one")
        digest = content_digest(content)
        statement = _statement(party, MEDIATOR, node, self.run, self.nonce, kind, digest)
        if not verified(self.parties[party], statement, seal.signature):
            raise MessageError(f"the signature is not that of {party}'s key over what came")
        return Proof(self.nonce, digest, seal.signature.hex())


@dataclass(frozen=True)
class PartySeal:
    """A party's side: it does nothing that the mediator's key did not sign, and signs what it answers."""

    party: str
    key: PrivateKey
    mediator: PublicKey

    @classmethod
    def of(cls, party: str, node_config: Mapping[str, Any]) -> Self | None:
        """The keys that the node config names (``key``, ``mediator-key``); None where it names neither.

        Raises
        ------
        KeyFileError
            It names one of the two only, or a file that holds no such key.
        """
        own, mediator = (str(node_config.get(name) or "") for name in ("key", "mediator-key"))
        if not own and not mediator:
            return None
        if not own or not mediator:
            raise KeyFileError(
                'a party signs and verifies, or does neither: name both key="/path/NAME" (its private key) and '
                'mediator-key="/path/mediator.pub" in the node config'
            )
        return cls(party, read_private_key(Path(own)), read_public_key(Path(mediator)))

    def open(self, content: RecordDict, kind: str, node: int) -> Proof:
        """Make sure that the mediator sent this content, to this node.

        Raises
        ------
        MessageError
        """
        seal, digest = _read_seal(content), content_digest(content)
        statement = _statement(MEDIATOR, "party", node, seal.run, seal.nonce, kind, digest)
        if not verified(self.mediator, statement, seal.signature):
            raise MessageError(
                "this request is not signed by the mediator's key that this party knows: nothing is sent"
            )
        return Proof(seal.nonce, digest, seal.signature.hex())

    def check_text(self, text: str, signature: str) -> None:
        """Make sure that the mediator signed this text, such as a receipt.

        Raises
        ------
        MessageError
        """
        if not text_verified(self.mediator, text, signature):
            raise MessageError("the receipt is not signed by the mediator's key that this party knows")

    def sealed(self, content: RecordDict, kind: str, node: int, request: RecordDict) -> RecordDict:
        """The content of an answer with the party's signature, good as an answer in the request's run only."""
        try:
            asked = _read_seal(request)
        except MessageError:
            asked = _Seal("", "", b"")  # the answer is the refusal of a request that nobody signed
        statement = _statement(self.party, MEDIATOR, node, asked.run, asked.nonce, kind, content_digest(content))
        content[SEAL] = _seal(asked.run, asked.nonce, signed(self.key, statement))
        return content


def content_digest(content: RecordDict) -> str:
    """sha256 over everything that a message holds, its seal left out: names, types, shapes and bytes."""
    whole = hashlib.sha256()
    for name in sorted(name for name in content if name != SEAL):
        record = content[name]
        whole.update(json.dumps([name, type(record).__name__, len(record)]).encode())
        if isinstance(record, ArrayRecord):
            for key, array in sorted(record.items()):
                whole.update(json.dumps([key, array.dtype, list(array.shape), array.stype, len(array.data)]).encode())
                whole.update(array.data)
        else:
            whole.update(json.dumps({key: _plain(value) for key, value in record.items()}, sort_keys=True).encode())
    return whole.hexdigest()


def signed(key: PrivateKey, statement: bytes) -> bytes:
    """The signature of a statement."""
    return key.sign(statement, SIGNATURE)


def verified(key: PublicKey, statement: bytes, signature: bytes) -> bool:
    """The holder of the key signed this statement."""
    try:
        key.verify(signature, statement, SIGNATURE)
    except InvalidSignature:
        return False
    return True


def text_verified(key: PublicKey, text: str, signature: str) -> bool:
    """The holder of the key signed this text (signature in hexadecimal)."""
    whole = re.fullmatch(r"(?:[0-9a-f]{2})+", signature) is not None
    return whole and verified(key, text.encode(), bytes.fromhex(signature))


def read_private_key(path: Path) -> PrivateKey:
    """An ECDSA P-384 private key without a passphrase, in OpenSSH's format or PEM.

    Raises
    ------
    KeyFileError
    """
    content = _read(path)
    if path.expanduser().stat().st_mode & 0o007:
        raise KeyFileError(f"{path} is a private key that everybody on this machine may read: chmod 600 {path}")
    load = serialization.load_ssh_private_key if b"OPENSSH" in content else serialization.load_pem_private_key
    try:
        key = load(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} holds no private key that can be read without a passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, CURVE):
        raise KeyFileError(f"{path} must hold an ECDSA P-384 key: ssh-keygen -t ecdsa -b 384 -N '' -f NAME")
    return key


def read_public_key(path: Path) -> PublicKey:
    """An ECDSA P-384 public key in OpenSSH's format, as ssh-keygen writes NAME.pub.

    Raises
    ------
    KeyFileError
    """
    content = _read(path)
    try:
        key = serialization.load_ssh_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} holds no public key in OpenSSH's format") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVE):
        raise KeyFileError(f"{path} must hold an ECDSA P-384 key: ssh-keygen -t ecdsa -b 384 -N '' -f NAME")
    return key


def fingerprint(key: PublicKey) -> str:
    """What ``ssh-keygen -lf NAME.pub`` prints of a key: SHA256 and the rest."""
    encoded = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).split()[1]
    digest = hashlib.sha256(base64.b64decode(encoded)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def read_party_keys(folder: Path) -> dict[str, PublicKey]:
    """The list of parties: the public key in every NAME.pub of a folder.

    Raises
    ------
    KeyFileError
        There is none, or two names have the same key, so that neither could be told from the other.
    """
    found = {path.stem: read_public_key(path) for path in sorted(folder.glob("*.pub"))}
    if not found:
        raise KeyFileError(f"{folder} must hold the public key of every party as NAME.pub; there is none")
    owners: dict[bytes, str] = {}
    for party, key in found.items():
        encoded = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        if encoded in owners:
            raise KeyFileError(f"{folder}: {owners[encoded]} and {party} have the same key; each needs one of its own")
        owners[encoded] = party
    return found


@dataclass(frozen=True)
class _Seal:
    run: str
    nonce: str
    signature: bytes


def _statement(sender: str, receiver: str, node: int, run: str, nonce: str, kind: str, digest: str) -> bytes:
    """What is signed, with no two ways to write it."""
    fields = {
        "protocol": PROTOCOL,
        "from": sender,
        "to": receiver,
        "node": str(node),
        "run": run,
        "nonce": nonce,
        "kind": kind,
        "content": digest,
    }
    return json.dumps(fields, sort_keys=True).encode()


def _seal(run: str, nonce: str, signature: bytes) -> ConfigRecord:
    return ConfigRecord({"run": run, "nonce": nonce, "signature": signature})


def _read_seal(content: RecordDict) -> _Seal:
    record = content.get(SEAL)
    if not isinstance(record, ConfigRecord):
        raise MessageError("it is not signed")
    run, nonce, signature = record.get("run"), record.get("nonce"), record.get("signature")
    if not isinstance(run, str) or not isinstance(nonce, str) or not isinstance(signature, bytes):
        raise MessageError("its signature is not what a signature looks like")
    return _Seal(run, nonce, signature)


def _plain(value: Any) -> Any:
    """A value of a record as JSON can hold it, bytes told from text."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _read(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path} can't be read: {error.strerror}") from error
