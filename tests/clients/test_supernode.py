"""The party's command: what would undo its protection is refused before anything is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from clients import approval
from clients.approval import ApprovalError, app_hash, parse_options
from clients.connection import Mediator
from clients.errors import PartyError
from clients.loopback import Loopback, check_private
from clients.supernode import check_options, cli

ROOT = Path(__file__).parents[2]
TLS = ["--superlink", "mediator.example:9443", "--root-certificates", "ca.crt"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        ([*TLS, "--isolation", "process"], "not yours to give"),
        ([*TLS, "--superexec-auth-secret-file", "x"], "not yours to give"),
        ([*TLS, "--ssl-certfile", "x"], "not yours to give"),
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


def start(monkeypatch: pytest.MonkeyPatch, folder: Path, run: Callable[..., None], *options: str) -> Result:
    """The command, with ``run`` in the place of Flower's SuperNode and a mediator that is as it should be."""
    monkeypatch.setattr(approval, "run_supernode", run)
    monkeypatch.setattr(approval, "guard", lambda approved: None)
    monkeypatch.setattr(Mediator, "check", lambda self: "")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sys, "argv", ["pytest"])
    (folder / "a b.csv").touch()
    config = f'party="north" data-path="{folder}/a b.csv" confirm-schema="any"'
    node = ["--node-config", config, "--port", str(free_port())]
    return CliRunner().invoke(cli, [*TLS, "--approve", "a" * 64, *node, *options])


def test_flowers_options_pass_through_and_its_home_is_a_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, object] = {}

    def look(listening: Callable[[], object]) -> None:
        home = Path(os.environ["FLWR_HOME"])
        modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
        seen.update(argv=sys.argv, home=home, mode=home.stat().st_mode & 0o777, path=os.environ["PATH"], modes=modes)
        seen.update(approved=os.environ[approval.APPROVED], no_proxy=os.environ["no_proxy"])
        raise SystemExit(0)

    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.delenv("no_proxy", raising=False)
    result = start(monkeypatch, tmp_path, look, "--max-retries", "3", f"--approve={'b' * 64}")
    assert result.exit_code == 0, result.output
    assert seen["approved"] == f"{'a' * 64},{'b' * 64}"
    argv = seen["argv"]
    assert isinstance(argv, list)
    assert argv[: len(TLS) + 1] == ["flower-supernode", *TLS]
    assert argv[argv.index("--max-retries") :][:2] == ["--max-retries", "3"]
    assert argv[argv.index("--isolation") + 1] == "process"
    assert {"--superexec-auth-secret-file", "--ssl-certfile", "--ssl-keyfile"} <= set(argv)
    assert seen["mode"] == 0o700
    assert seen["modes"] == {"secret": 0o600, "port.pem": 0o600, "port.key": 0o600, "tokens": 0o700}
    assert not Path(str(seen["home"])).exists()  # gone afterwards
    assert str(seen["path"]).startswith(str(Path(sys.executable).parent))
    assert seen["no_proxy"] == "intranet.example,127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("code", "status", "text", "exits", "said"),
    [
        (0, 0, "", 0, ""),  # ended from outside
        (0, 401, "", 1, "does not take this party's signature any more"),
        (1, 400, '{"code": 2004, "detail": "x"}', 1, "no party with this key is registered"),
        (1, 405, "", 1, "give --auth-supernode-private-key KEY"),
        (1, 400, '{"code": 1001, "detail": "x", "extra": "expected 1.41"}', 1, "another version of Flower"),
        (None, 500, "", 1, "the reason stands above"),  # Flower returned
        (1, 0, "", 1, ""),  # Flower said why
    ],
)
def test_the_end_has_a_reason_and_a_true_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int | None, status: int, text: str, exits: int, said: str
) -> None:
    last = approval.LastError(status, text)

    def ends(listening: Callable[[], object]) -> None:
        if code is not None:
            raise SystemExit(code)

    monkeypatch.setattr(approval, "watch", lambda: last)
    monkeypatch.setattr(Mediator, "_try", lambda self, patience=0.0: None)
    result = start(monkeypatch, tmp_path, ends)
    assert result.exit_code == exits
    assert said in result.output
    assert result.output.count("Error: ") == bool(said)


def test_a_party_whose_executor_dies_does_not_look_connected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Loopback, "executor", [sys.executable, "-c", "raise SystemExit(7)"])
    ended = threading.Event()
    monkeypatch.setattr(os, "kill", lambda process, number: ended.set())

    def waits(listening: Callable[[], object]) -> None:
        listening()
        assert ended.wait(20.0)
        raise SystemExit(0)

    result = start(monkeypatch, tmp_path, waits)
    assert result.exit_code == 1
    assert "the process that runs the app ended by itself (exit status 7)" in result.output


def test_a_folder_that_others_can_change_holds_no_code(tmp_path: Path) -> None:
    folder = tmp_path / "theirs" / "home"
    folder.mkdir(parents=True, mode=0o700)
    check_private(folder)
    folder.chmod(0o720)
    with pytest.raises(PartyError, match="can change"):
        check_private(folder)
    folder.chmod(0o700)
    folder.parent.chmod(0o777)  # others could put another folder in its place
    with pytest.raises(PartyError, match="set TMPDIR"):
        check_private(folder)
    folder.parent.chmod(0o1777)  # as /tmp is: only an owner moves what is its own
    check_private(folder)
    if os.getuid() == 0:
        os.chown(folder, 12345, -1)
        with pytest.raises(PartyError, match="can change"):
            check_private(folder)


def test_the_command_tells_the_hash_of_this_checkout() -> None:
    argv = [sys.executable, "-m", "clients.supernode", "--hash"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{app_hash(ROOT)}\n"
