"""Signatures: what is whole and in one's own name verifies, and nothing else does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from server.credentials import make_credentials
from wire.messages import MessageError
from wire.signing import (
    KeyFileError,
    MediatorSeal,
    PartySeal,
    PrivateKey,
    content_digest,
    fingerprint,
    read_party_keys,
    read_private_key,
    read_public_key,
    text_verified,
)

NORTH, SOUTH, MEDIATOR = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
KEYS = {"north": NORTH.public_key(), "south": SOUTH.public_key()}
KIND, NODE = "train.contribute", 17


def content() -> RecordDict:
    return RecordDict(
        {
            "arrays": ArrayRecord({"X": Array(np.arange(6.0).reshape(2, 3)), "y": Array(np.ones(2))}),
            "about": ConfigRecord({"party": "north", "features": ["a", "b", "c"], "raw": b"\x00\x01", "on": True}),
            "scores": MetricRecord({"mnlp": 1.5, "rows": 3, "several": [1.0, 2.0]}),
        }
    )


def mediator(run: str = "run", nonce: str = "n1") -> MediatorSeal:
    return MediatorSeal(MEDIATOR, KEYS, run, nonce)


def party(name: str = "north", key: PrivateKey = NORTH) -> PartySeal:
    return PartySeal(name, key, MEDIATOR.public_key())


def answer(seal: MediatorSeal, by: PartySeal, node: int = NODE) -> RecordDict:
    request = seal.sealed(RecordDict(), KIND, node)
    by.open(request, KIND, node)
    return by.sealed(content(), KIND, node, request)


def test_an_answer_of_the_party_itself_verifies_and_leaves_a_proof() -> None:
    seal = mediator()
    reply = answer(seal, party())
    proof = seal.verify(reply, KIND, "north", NODE)
    assert proof.nonce == "n1"
    assert proof.digest == content_digest(content())
    assert len(bytes.fromhex(proof.signature)) > 90


def test_a_name_that_is_not_its_keys_does_not_verify() -> None:
    seal = mediator()
    with pytest.raises(MessageError, match="not that of north's key"):
        seal.verify(answer(seal, party("north", SOUTH)), KIND, "north", NODE)
    with pytest.raises(MessageError, match="not that of south's key"):
        seal.verify(answer(seal, party()), KIND, "south", NODE)
    with pytest.raises(MessageError, match="no public key of 'eve'"):
        seal.verify(answer(seal, party("eve")), KIND, "eve", NODE)


def test_an_answer_to_another_run_or_to_an_earlier_start_is_a_replay() -> None:
    for other in (mediator(run="earlier"), mediator(nonce="n0")):
        with pytest.raises(MessageError, match="another run, or for an earlier attempt"):
            mediator().verify(answer(other, party()), KIND, "north", NODE)


def test_the_nonce_can_not_be_written_over_the_signature() -> None:
    reply = answer(mediator(nonce="n0"), party())
    old = reply["seal"]
    assert isinstance(old, ConfigRecord)
    reply["seal"] = ConfigRecord({**old, "nonce": "n1"})
    with pytest.raises(MessageError, match="not that of north's key"):
        mediator().verify(reply, KIND, "north", NODE)


def test_an_answer_from_another_node_or_to_another_question_does_not_verify() -> None:
    seal = mediator()
    reply = answer(seal, party())
    for kind, node in (("train.reward", NODE), (KIND, NODE + 1)):
        with pytest.raises(MessageError, match="signature"):
            seal.verify(reply, kind, "north", node)


@pytest.mark.parametrize("what", ["a number", "a shape", "a name", "a text", "bytes", "a record more", "a record less"])
def test_whatever_is_altered_is_noticed(what: str) -> None:
    seal = mediator()
    reply = answer(seal, party())
    arrays, about = reply["arrays"], reply["about"]
    assert isinstance(arrays, ArrayRecord)
    assert isinstance(about, ConfigRecord)
    if what == "a number":
        arrays["X"] = Array(np.array([[0.0, 1, 2], [3, 4, np.nextafter(5.0, 6)]]))
    elif what == "a shape":
        arrays["X"] = Array(np.arange(6.0).reshape(3, 2))
    elif what == "a name":
        arrays["Z"] = arrays.pop("X")
    elif what == "a text":
        about["features"] = ["a", "c", "b"]
    elif what == "bytes":
        about["raw"] = b"\x00\x02"
    elif what == "a record more":
        reply["more"] = ConfigRecord({})
    else:
        del reply["scores"]
    with pytest.raises(MessageError, match="not that of north's key over what came"):
        seal.verify(reply, KIND, "north", NODE)


def test_unsigned_answers_and_seals_that_are_none_are_refused() -> None:
    seal = mediator()
    with pytest.raises(MessageError, match="it is not signed"):
        seal.verify(content(), KIND, "north", NODE)
    for broken in (ConfigRecord({}), ConfigRecord({"run": "run", "nonce": 3, "signature": b""})):
        with pytest.raises(MessageError, match="not what a signature looks like"):
            seal.verify(RecordDict({"seal": broken}), KIND, "north", NODE)


def test_a_party_answers_the_mediator_only() -> None:
    by = party()
    forged = MediatorSeal(SOUTH, KEYS, "run", "n1").sealed(RecordDict(), KIND, NODE)
    for request in (RecordDict(), forged, mediator().sealed(RecordDict(), KIND, NODE + 1)):
        with pytest.raises(MessageError, match="signed"):
            by.open(request, KIND, NODE)
    altered = mediator().sealed(RecordDict(), KIND, NODE)
    altered["more"] = ConfigRecord({"dry-run": True})
    with pytest.raises(MessageError, match="not signed by the mediator"):
        by.open(altered, KIND, NODE)


def test_the_mediators_own_words_are_no_partys() -> None:
    """A request can't be turned round and passed off as the answer to it."""
    seal = MediatorSeal(MEDIATOR, {"mediator": MEDIATOR.public_key()}, "run", "n1")
    with pytest.raises(MessageError, match="signature"):
        seal.verify(seal.sealed(content(), KIND, NODE), KIND, "mediator", NODE)


def test_receipts_stand_by_themselves() -> None:
    signature = mediator().sign_text("a receipt")
    assert text_verified(MEDIATOR.public_key(), "a receipt", signature)
    assert not text_verified(MEDIATOR.public_key(), "another", signature)
    assert not text_verified(SOUTH.public_key(), "a receipt", signature)
    for nothing in ("", "xyz", signature[:-1]):
        assert not text_verified(MEDIATOR.public_key(), "a receipt", nothing)
        with pytest.raises(MessageError, match="receipt is not signed by the mediator"):
            party().check_text("a receipt", nothing)


def test_the_order_in_which_records_were_put_in_does_not_matter() -> None:
    turned = RecordDict(dict(reversed(content().items())))
    assert content_digest(turned) == content_digest(content())


# Key files.


def test_the_credentials_are_keys_that_both_sides_can_read(tmp_path: Path) -> None:
    make_credentials(tmp_path / "keys", ["north", "south"])
    folder = tmp_path / "keys"
    keys = read_party_keys(folder / "mediator" / "parties")
    assert sorted(keys) == ["north", "south"]
    seal = MediatorSeal(read_private_key(folder / "mediator" / "mediator"), keys, "run")
    by = PartySeal.of("north", {"key": str(folder / "north/north"), "mediator-key": str(folder / "north/mediator.pub")})
    assert by is not None
    assert seal.verify(answer(seal, by), KIND, "north", NODE).nonce == seal.nonce
    assert len(seal.nonce) == 32
    assert read_private_key(folder / "mediator" / "server.key")  # PEM


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    make_credentials(tmp_path / "keys", ["north"])
    path = tmp_path / "keys" / "north" / "north.pub"
    try:
        said = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    assert fingerprint(read_public_key(path)) in said


def test_keys_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "small").write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "locked").write_bytes(
        NORTH.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    public = NORTH.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (tmp_path / "empty").mkdir()
    (tmp_path / "twice").mkdir()
    for name in ("north", "south"):
        (tmp_path / "twice" / f"{name}.pub").write_bytes(public)
    (tmp_path / "small").chmod(0o644)
    with pytest.raises(KeyFileError, match=r"small is a private key that everybody .* may read: chmod 600"):
        read_private_key(tmp_path / "small")
    for name in ("small", "locked"):
        (tmp_path / name).chmod(0o640)
    with pytest.raises(KeyFileError, match=r"small must hold an ECDSA P-384 key"):
        read_private_key(tmp_path / "small")
    with pytest.raises(KeyFileError, match="without a passphrase"):
        read_private_key(tmp_path / "locked")
    with pytest.raises(KeyFileError, match="nowhere can't be read"):
        read_private_key(tmp_path / "nowhere")
    with pytest.raises(KeyFileError, match="no public key in OpenSSH"):
        read_public_key(tmp_path / "small")
    with pytest.raises(KeyFileError, match=r"as NAME\.pub; there is none"):
        read_party_keys(tmp_path / "empty")
    with pytest.raises(KeyFileError, match="north and south have the same key"):
        read_party_keys(tmp_path / "twice")
    with pytest.raises(KeyFileError, match="name both"):
        PartySeal.of("north", {"key": "/somewhere"})
    assert PartySeal.of("north", {}) is None
