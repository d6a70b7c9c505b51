"""The credentials are what TLS and Flower's SuperNode authentication take, and private ones are private."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from typer.testing import CliRunner

from server.__main__ import cli
from server.credentials import CredentialsError, make_credentials


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("credentials") / "new"
    make_credentials(folder, ["north", "south"], ["mediator.example", "10.1.2.3"])
    return folder


@pytest.mark.parametrize("party", ["north", "south"])
def test_a_partys_key_pair_is_openssh_p384_and_the_mediator_has_its_public_half(folder: Path, party: str) -> None:
    key = load_ssh_private_key((folder / party / party).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP384R1)
    public = (folder / party / f"{party}.pub").read_bytes()
    assert load_ssh_public_key(public) == key.public_key()
    assert (folder / "mediator" / "parties" / f"{party}.pub").read_bytes() == public
    assert public.endswith(f" {party}\n".encode())


def handshake(folder: Path, name: str, ca: Path) -> None:
    """A TLS handshake in memory between the mediator's certificate and a client that trusts ``ca``."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "mediator" / "server.pem", folder / "mediator" / "server.key")
    client_context = ssl.create_default_context(cafile=str(ca))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(back, there, server_hostname=name)
    server = server_context.wrap_bio(there, back, server_side=True)
    waiting = [client, server]
    for _ in range(20):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
        if not waiting:
            return
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "mediator.example", "10.1.2.3"])
def test_the_certificate_is_good_for_every_name(folder: Path, name: str) -> None:
    handshake(folder, name, folder / "north" / "ca.crt")


def test_it_is_good_for_no_other_name_and_under_no_other_authority(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(folder, "else.example", folder / "north" / "ca.crt")
    make_credentials(tmp_path / "other", ["north"])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(folder, "localhost", tmp_path / "other" / "north" / "ca.crt")


def test_private_files_are_their_owners_and_no_party_has_anothers(folder: Path) -> None:
    private = {path for path in folder.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()}
    names = {"authority/ca.key", "mediator/server.key", "mediator/mediator", "north/north", "south/south"}
    assert {str(path.relative_to(folder)) for path in private} == names
    for path in [folder, *folder.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600 if path in private else 0o644
        assert path.stat().st_mode & 0o777 == wanted, path


def test_without_parties_there_is_the_mediators_side_and_a_folder_for_their_keys(tmp_path: Path) -> None:
    make_credentials(tmp_path / "new", [], ["mediator.example"])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["authority", "mediator"]
    assert list((tmp_path / "new" / "mediator" / "parties").iterdir()) == []


def test_nothing_is_overwritten(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(CredentialsError, match="no key is ever overwritten"):
        make_credentials(folder, ["north"])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("parties", "names", "why"),
    [
        (["north"], ["https://mediator.example:9443"], "without https:// and without a port"),
        (["north"], ["mediator:9443"], "without a port"),
        (["../north"], [], "a party's name is"),
        (["north", "North"], [], "named once"),
        (["mediator"], [], "'mediator'"),
        (["north"], ["bücher.example"], "host name in ASCII"),
    ],
)
def test_names_that_cannot_be_used_are_refused_before_anything_is_written(
    tmp_path: Path, parties: list[str], names: list[str], why: str
) -> None:
    with pytest.raises(CredentialsError, match=why):
        make_credentials(tmp_path / "new", parties, names)
    assert not (tmp_path / "new").exists()


def test_the_command_says_what_is_private_and_what_a_real_consortium_replaces(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["credentials", str(tmp_path / "new"), "--party", "north"])
    assert result.exit_code == 0, result.output
    assert f"private  {tmp_path / 'new' / 'north' / 'north'}\n" in result.output
    assert f"public   {tmp_path / 'new' / 'north' / 'north.pub'}\n" in result.output
    assert "ssh-keygen -t ecdsa -b 384" in result.output
