"""The party's commands around a run: proposals, withdraw, audit; and the mediator's extract and purge-expired."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.__main__ import cli, main
from clients.consent import ALL, keep_proposal, note, read_ledger, set_withdrawn, withdrawn
from server.__main__ import cli as server_cli
from server.run_directory import RunDirectory, RunDirectoryError
from wire.messages import Proposal

BRING = {
    "file": "north.csv",
    "rows": 18,
    "rows_held_out": 6,
    "columns": ["a", "b"],
    "target": "y",
    "schema_sha256": None,
    "sha256": "ab" * 32,
}


def party(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [str(word) for word in arguments])
    return done.exit_code, done.output


def failed(*arguments: object) -> str:
    """What `python -m clients` says where it fails."""
    err = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(err):
        patch.setattr(sys, "argv", ["clients", *(str(word) for word in arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == 1
    return err.getvalue()


def mediator(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(server_cli, [str(word) for word in arguments])
    return done.exit_code, done.output


def test_proposals_say_what_for_with_whom_and_what_would_be_sent(tmp_path: Path) -> None:
    terms = {"strategy": "ModelRewards()", "scheme": "RhoShapley(rho=0.5)"}
    keep_proposal(tmp_path, Proposal("june", terms, ("north", "south"), "", True), BRING)
    status, text = party("proposals", tmp_path)
    assert status == 0
    for part in (
        "Run june",
        "as a dry run",
        "with: north, south",
        "scheme: RhoShapley(rho=0.5)",
        "18 rows of 2 features",
    ):
        assert part in text
    assert "6 rows stay here" in text
    assert "ab" * 32 in text


def test_withdrawing_is_kept_and_can_be_undone(tmp_path: Path) -> None:
    keep_proposal(tmp_path, Proposal("june", {}), BRING)
    assert party("withdraw", tmp_path, "june") == (0, "Withdrawn from: june.\n")
    assert "You have withdrawn: nothing is sent." in party("proposals", tmp_path)[1]
    assert party("withdraw", tmp_path)[1] == "Withdrawn from: every run, june.\n"
    assert party("withdraw", tmp_path, "--undo")[1] == "Withdrawn from: june.\n"
    assert party("withdraw", tmp_path, "june", "--undo")[1] == "Withdrawn from: nothing.\n"
    assert [e["action"] for e in read_ledger(tmp_path)] == ["withdrawn"] * 2 + ["withdrawal undone"] * 2
    assert withdrawn(tmp_path) == frozenset()
    set_withdrawn(tmp_path, ALL)
    assert withdrawn(tmp_path) == {ALL}


def test_a_withdrawal_that_would_do_nothing_is_an_error(tmp_path: Path) -> None:
    for arguments in (("withdraw", tmp_path / "typo"), ("proposals", tmp_path / "typo"), ("audit", tmp_path / "typo")):
        assert failed(*arguments).startswith("Error: ")
    assert not (tmp_path / "typo").exists()
    keep_proposal(tmp_path, Proposal("june", {}), BRING)
    assert "no run 'jnue' has asked" in failed("withdraw", tmp_path, "jnue")
    assert withdrawn(tmp_path) == frozenset()
    assert party("withdraw", tmp_path, "july", "--ahead") == (0, "Withdrawn from: july.\n")
    assert party("withdraw", tmp_path / "new", "--ahead")[0] == 0
    assert withdrawn(tmp_path / "new") == {ALL}


@pytest.mark.parametrize("content", ["", "<html>not json</html>\n", '"text"\n', "\xff"])
def test_a_mediators_ledger_that_says_nothing_acknowledges_nothing(tmp_path: Path, content: str) -> None:
    store, _ = ledgers(tmp_path)
    (tmp_path / "theirs.jsonl").write_bytes(content.encode("latin-1"))
    assert "server extract RUN PARTY" in failed("audit", store, tmp_path / "theirs.jsonl")


def ledgers(tmp_path: Path, received: str = "aa") -> tuple[Path, Path]:
    store = tmp_path / "north-reward"
    note(store, "contributed", run="june", party="north", sha256="aa")
    note(store, "receipt", run="june", party="north", text=json.dumps({"sha256": "aa"}), signature="")
    note(store, "rewarded", run="june", party="north", sha256="cc")
    directory = RunDirectory.create(tmp_path / "june")
    directory.ledger("contributed", party="north", sha256=received)
    directory.ledger("contributed", party="south", sha256="secret")
    directory.ledger("delivered", party="north", sha256="cc")
    return store, directory.path


def test_extract_and_audit_compare_both_sides(tmp_path: Path) -> None:
    store, run = ledgers(tmp_path)
    status, text = mediator("extract", run, "north")
    assert status == 0
    assert "secret" not in text
    (tmp_path / "extract.jsonl").write_text(text)
    status, said = party("audit", store, tmp_path / "extract.jsonl")
    assert status == 0, said
    assert said.count("agrees") == 3
    assert "receipt, unverified" in said


def test_audit_fails_where_the_sides_differ_or_one_is_silent(tmp_path: Path) -> None:
    store, run = ledgers(tmp_path, received="bb")
    (tmp_path / "extract.jsonl").write_text(mediator("extract", run, "north")[1])
    status, said = party("audit", store, tmp_path / "extract.jsonl")
    assert (status, said.count("DIFFERS")) == (1, 1)
    note(store, "contributed", run="july", party="north", sha256="dd")
    status, said = party("audit", store)
    assert status == 1
    assert "july" in said


def test_what_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = ledgers(tmp_path)
    with pytest.raises(RunDirectoryError, match="no entry on a party 'eve'"):
        CliRunner().invoke(server_cli, ["extract", str(run), "eve"], catch_exceptions=False)
    for words in (["proposals", str(tmp_path / "x")], ["audit", str(tmp_path / "x")], ["audit", "x", "nowhere"]):
        monkeypatch.setattr("sys.argv", ["clients", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 1
        assert capsys.readouterr().err.startswith("Error: ")


def test_data_beyond_their_day_are_deleted_and_others_are_not(tmp_path: Path) -> None:
    for name, until in (("old", "2020-01-31"), ("new", "2999-01-31"), ("open", "")):
        directory = RunDirectory.create(tmp_path / "runs" / name)
        directory.ledger("started", dry_run=False, retain_until=until)
        (directory.path / "pool").mkdir()
    status, text = mediator("purge-expired", tmp_path / "runs")
    assert status == 0
    assert "old: kept until 2020-01-31, deleted" in text
    assert sorted(p.parent.name for p in (tmp_path / "runs").glob("*/pool")) == ["new", "open"]
    (tmp_path / "runs" / "old" / "report.html").touch()  # drawn again, without the data
    assert mediator("purge-expired", tmp_path / "runs")[1].startswith("No run in")
