"""A certificate that no party would take is refused where the door is set up, in a sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from server.__main__ import cli
from server.certificates import Certificate, CertificateError
from server.credentials import make_credentials
from server.door import Door, DoorError

DAY = timedelta(days=1)


def make(
    folder: Path,
    since: timedelta,
    until: timedelta,
    names: Sequence[str] = ("mediator.example",),
    password: bytes = b"",
) -> tuple[Path, Path]:
    """A certificate that signs itself, valid from and until so long from now, and its key."""
    folder.mkdir(exist_ok=True)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now + since).not_valid_after(now + until)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    certificate, private = folder / "full.pem", folder / "full.key"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    return certificate, private


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_credentials(tmp_path / "keys", ["north"], ["mediator.example"])
    return tmp_path / "keys" / "mediator"


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (-2 * DAY, -DAY, "has expired on"),
        (DAY, 90 * DAY, "is not valid before"),
        (-2 * DAY, timedelta(seconds=-1), "has expired on"),
    ],
)
def test_a_certificate_out_of_its_days_is_refused(
    keys: Path, tmp_path: Path, since: timedelta, until: timedelta, said: str
) -> None:
    certificate, key = make(tmp_path / "own", since, until)
    with pytest.raises(DoorError, match=said):
        Door(keys, certificate=certificate, key=key).write()
    assert not (keys / "nginx.conf").exists()


def test_one_that_ends_soon_is_taken_with_a_warning(keys: Path, tmp_path: Path) -> None:
    certificate, key = make(tmp_path / "own", -DAY, 9.5 * DAY)
    (warning,) = Door(keys, certificate=certificate, key=key).check()
    assert warning.startswith(f"{certificate} expires on")
    assert "in 9 days" in warning
    certificate, key = make(tmp_path / "own", -DAY, 31 * DAY)
    assert Door(keys, certificate=certificate, key=key).check() == []


def test_a_key_of_another_pair_is_refused_and_one_with_a_passphrase(keys: Path, tmp_path: Path) -> None:
    certificate, key = make(tmp_path / "own", -DAY, 90 * DAY)
    with pytest.raises(DoorError, match="is not the key of"):
        Door(keys, certificate=certificate).write()
    _, locked = make(tmp_path / "locked", -DAY, 90 * DAY, password=b"secret")
    with pytest.raises(DoorError, match="without a passphrase"):
        Door(keys, certificate=certificate, key=locked).write()
    key.write_text("nothing")
    with pytest.raises(DoorError, match="holds no private key"):
        Door(keys, certificate=certificate, key=key).write()


@pytest.mark.parametrize(
    ("listen", "names", "said"),
    [
        ("192.0.2.7:9443", [], "not for 192.0.2.7, where the door listens"),
        ("mediator.example:9443", [], ""),
        ("192.0.2.7:9443", ["mediator.example"], ""),
        ("9443", ["other.example"], "not for other.example, by which parties"),
        ("0.0.0.0:9443", ["Mediator.Example."], ""),
        ("[::1]:9443", [], "not for ::1"),
    ],
)
def test_the_certificate_holds_the_name_by_which_parties_come(
    keys: Path, listen: str, names: list[str], said: str
) -> None:
    door = Door(keys, listen, names=names)
    if said:
        with pytest.raises(DoorError, match=said):
            door.check()
    else:
        assert door.check() == []


def test_a_star_stands_for_one_label(tmp_path: Path) -> None:
    certificate = Certificate.read(make(tmp_path / "own", -DAY, DAY, ["*.example.org"])[0])
    certificate.check_names(["a.example.org"], "")
    for name in ("example.org", "a.b.example.org", "192.0.2.1"):
        with pytest.raises(CertificateError, match="good for"):
            certificate.check_names([name], "")


def test_the_superlinks_certificate_belongs_to_its_authority(keys: Path, tmp_path: Path) -> None:
    make_credentials(tmp_path / "other", ["north"])
    (tmp_path / "other/mediator/ca.crt").rename(keys / "ca.crt")
    with pytest.raises(DoorError, match="was not issued by"):
        Door(keys).write()


def test_the_command_warns_where_nobody_outside_could_come_or_no_party_is_known(tmp_path: Path) -> None:
    make_credentials(tmp_path / "keys", [])
    result = CliRunner().invoke(cli, ["door", str(tmp_path / "keys/mediator")])
    assert result.exit_code == 0, result.output
    assert "nobody on another machine reaches it" in result.output
    assert "holds no party's NAME.pub" in result.output
    assert "Known to it: no party" in result.output
