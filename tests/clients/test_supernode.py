"""The party's command: what would undo its protection is refused before anything is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients import approval
from clients.approval import ApprovalError, app_hash, parse_options
from clients.supernode import check_options, cli

ROOT = Path(__file__).parents[2]
TLS = ["--superlink", "mediator.example:9443", "--root-certificates", "ca.crt"]


@pytest.mark.parametrize(
    "options",
    [
        TLS,
        ["--insecure", "--superlink", "127.0.0.1:9400"],
        ["--insecure", "--superlink", "[::1]:9400"],
        ["--insecure", "--superlink=localhost:9400", "--host", "127.0.0.1"],
    ],
)
def test_tls_or_this_machine(options: list[str]) -> None:
    check_options(parse_options(options))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--insecure", "--superlink", "mediator.example:9400"], "in the clear"),
        (["--insec", "--superlink", "10.0.0.1:9400"], "in the clear"),  # Flower takes shortened options
        (["--insecure", "--superlink", "127.0.0.1.example.org:9400"], "in the clear"),
        ([*TLS, "--host", "0.0.0.0"], "let other machines"),
        ([*TLS, "--trusted-entities", "x.yaml"], "trusted-entities"),
        ([*TLS, "--allow-runtime"], "nobody approved"),
    ],
)
def test_what_would_undo_the_protection_is_refused(options: list[str], why: str) -> None:
    with pytest.raises(ApprovalError, match=why):
        check_options(parse_options(options))


def test_a_refusal_is_a_sentence_and_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(approval, "run_supernode", started)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for arguments in (TLS, ["--approve", "abc", *TLS], ["--approve", "0" * 64, "--insecure", "--superlink", "a:1"]):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 2
        assert result.output.startswith("Error: ")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ('data-path="{data}" confirm-schema="any"', "party missing"),
        ('party="north" data-path="{data}.gone" confirm-schema="any"', "is no file that can be read"),
        ('party="north" data-path="{data}"', "confirm-schema is missing from --node-config"),
        ('party="north" data-path="{data}" confirm-shema="any"', "did you mean confirm-schema"),
        ('party="north" data-path="{data}" confirm-schema="any" key="{data}"', "name both key="),
        ('party="north" data-path="{data}" confirm-schema="any" holdout=2.0', "from 0 to 0.9, got 2.0"),
        ('party="north" data-path="{data}" confirm-schema="any" reward-dir="/nowhere/at/all"', "rewards can't be kept"),
    ],
)
def test_a_node_config_is_checked_before_anything_is_connected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: str, said: str
) -> None:
    monkeypatch.setattr(approval, "run_supernode", lambda: pytest.fail("started"))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / "north.csv").write_text("a,y\n1,2\n")
    config = ["--node-config", node.format(data=tmp_path / "north.csv")]
    result = CliRunner().invoke(cli, [*TLS, "--approve", "a" * 64, *config])
    assert result.exit_code == 2
    assert said in result.output


def test_flowers_options_pass_through_and_its_home_is_a_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, object] = {}

    def look() -> None:
        home = Path(os.environ["FLWR_HOME"])
        seen.update(argv=sys.argv, home=home, mode=home.stat().st_mode & 0o777, path=os.environ["PATH"])

    monkeypatch.setattr(approval, "run_supernode", look)
    monkeypatch.setattr(approval, "guard", lambda approved: seen.update(approved=approved.hashes))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sys, "argv", ["pytest"])
    (tmp_path / "a b.csv").touch()
    config = f'party="north" data-path="{tmp_path}/a b.csv" confirm-schema="any"'
    node = ["--node-config", config, "--max-retries", "3"]
    result = CliRunner().invoke(cli, [*TLS[:2], "--approve", "a" * 64, *TLS[2:], *node, f"--approve={'b' * 64}"])
    assert result.exit_code == 0, result.output
    assert seen["approved"] == {"a" * 64, "b" * 64}
    assert seen["argv"] == ["flower-supernode", *TLS, *node]
    assert seen["empty"]
    assert not Path(str(seen["home"])).exists()  # gone afterwards
    assert str(seen["path"]).startswith(str(Path(sys.executable).parent))


def test_the_command_tells_the_hash_of_this_checkout() -> None:
    argv = [sys.executable, "-m", "clients.supernode", "--hash"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{app_hash(ROOT)}\n"
