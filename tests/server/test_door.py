"""The door's config; that it keeps intruders out is shown with real processes in tests/deployment."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.__main__ import cli
from server.credentials import make_credentials
from server.door import Door, DoorError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_credentials(tmp_path / "keys", ["north"])
    return tmp_path / "keys" / "mediator"


def test_flwr_on_this_machine_reaches_the_superlink_by_tls(folder: Path) -> None:
    Door(folder, superlink_port=9123).write()
    connection = tomllib.loads((folder / "flower" / "config.toml").read_text())["superlink"]
    assert connection["mediator"] == {"address": "127.0.0.1:9123", "root-certificates": str(folder / "ca.crt")}
    assert connection["default"] == "mediator"


def test_the_superlink_is_on_loopback_with_tls_and_keys(folder: Path) -> None:
    argv = Door(folder, superlink_port=9123).superlink
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    assert "--enable-supernode-auth" in argv
    assert "--insecure" not in argv
    assert "--disable-runtime-dependency-installation" in argv  # it would fetch packages for every run


def test_parties_can_be_shown_another_certificate_than_the_superlinks(folder: Path, tmp_path: Path) -> None:
    make_credentials(tmp_path / "other", ["north"], ["mediator.example"])
    for name in ("full.pem", "full.key"):
        (tmp_path / "other/mediator" / name.replace("full", "server")).rename(tmp_path / name)
    door = Door(folder, "0.0.0.0:443", certificate=tmp_path / "full.pem", key=tmp_path / "full.key")
    door.write()
    config = (folder / "nginx.conf").read_text()
    assert f'ssl_certificate "{tmp_path / "full.pem"}";' in config
    assert "listen 0.0.0.0:443 ssl;" in config
    assert f'proxy_ssl_trusted_certificate "{folder / "ca.crt"}";' in config
    assert str(folder / "server.pem") in door.superlink


@pytest.mark.parametrize("listen", ["", "9443; root /", "a b:1", "9443 default_server", "[::1]", "x:123456"])
def test_nothing_but_a_port_gets_into_the_config(folder: Path, listen: str) -> None:
    with pytest.raises(DoorError, match="--listen takes"):
        Door(folder, listen).write()


def test_what_is_missing_or_cannot_stand_in_the_config_is_said(tmp_path: Path) -> None:
    with pytest.raises(DoorError, match=r"lacks ca\.crt, server\.pem, server\.key"):
        Door(tmp_path).write()
    odd = tmp_path / "a;b"
    make_credentials(odd, ["north"])
    with pytest.raises(DoorError, match="can't hold this path"):
        Door(odd / "mediator").write()
    with pytest.raises(DoorError, match="does not exist"):
        Door(odd / "mediator", certificate=tmp_path / "none.pem").write()


def test_the_command_prints_what_to_type(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["door", str(folder), "--listen", "9444"])
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert shlex.join(Door(folder, "9444").superlink) in lines
    assert shlex.join(Door(folder, "9444").nginx) in lines
