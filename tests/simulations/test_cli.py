"""The command line, without Flower: exit statuses, sentences instead of tracebacks, commands on run directories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulations import cli
from simulations.launch import Outcome
from simulations.processes import StoppedError
from simulations.scenarios import scenario_names

CHECKOUT = Path(__file__).parents[2]
PARTIES = ("east", "north", "west")
RECORD = {"run": "r", "stage": "delivered", "grand_value": 1.0, "unit": "nats", "parties": [], "notes": []}


@pytest.fixture(autouse=True)
def in_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(scenario_names())


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["run", "diabets"], 2, "Did you mean 'diabetes'"),
        (["prepare", "diabetes", "--set", "sheme=x"], 2, "Did you mean 'scheme'"),
        (["prepare", "diabetes", "--set", "scheme=RhoShapley(rho=2)"], 2, "[0, 1]"),
        (["run"], 2, "name a scenario"),
        (["run", "diabetes", "--parties", "0"], 2, "0 is not in the range"),
        (["run", "diabetes", "--bogus"], 2, "No such option"),
        (["frobnicate"], 2, "No such command"),
        (["show", "nowhere"], 2, "does not exist"),
        (["show", "."], 2, "is not a run directory"),
        (["resume", "."], 2, "can't be resumed"),
        (["purge", "."], 2, "is not a run directory"),
    ],
)
def test_misuse_is_answered_with_a_sentence(
    arguments: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == status
    captured = capsys.readouterr()
    assert sentence in " ".join(captured.err.split())
    assert "Traceback" not in captured.err


def test_purge_deletes_the_data_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prepare", "diabetes"]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    capsys.readouterr()
    assert cli.main(["purge", str(run)]) == 0
    assert f"deleted {run / 'data'}" in capsys.readouterr().out
    assert not (run / "data").exists()
    assert (run / "config.toml").exists()
    assert cli.main(["resume", str(run)]) == 2


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (("north", "west"), "The run did not complete: max-disclosure held the reward of north, west back."),
        ((), "The run did not complete: not every party took its reward."),
    ],
)
def test_rewards_that_were_held_back_or_not_taken_leave_a_run_incomplete(
    held: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parties = [{"party": p, **({"held_back": "max-disclosure = 0.6"} if p in held else {})} for p in PARTIES]

    def launch(app: Path, run: Path, parties_: int, **_: object) -> Outcome:
        (run / "allocation.json").write_text(json.dumps({**RECORD, "stage": "rewarded", "parties": parties}))
        return Outcome(True, "completed")

    monkeypatch.setattr("simulations.launch.launch", launch)
    monkeypatch.setattr("simulations.lies.told.add_to_run", lambda run: None)
    monkeypatch.setattr("simulations.present.present", lambda *_: None)  # of its table there are tests of its own
    assert cli.main(["run", "diabetes"]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("end", "status", "sentence"),
    [
        (Outcome(True, "completed"), 0, ""),
        (Outcome(False, "only 1 of 2 parties are left"), 1, "The run failed: only 1 of 2 parties are left"),
        (StoppedError(2), 130, "stopped by SIGINT"),
        (StoppedError(15), 143, "stopped by SIGTERM"),
        (KeyboardInterrupt(), 130, ""),
        (FileNotFoundError("flwr is not beside python"), 1, "flwr is not beside python"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_the_status_says_how_the_run_ended(
    end: Outcome | BaseException,
    status: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def launch(app: Path, run: Path, parties: int, **_: object) -> Outcome:
        (run / "allocation.json").write_text(json.dumps(RECORD))
        if isinstance(end, BaseException):
            raise end
        return end

    monkeypatch.setattr("simulations.launch.launch", launch)
    monkeypatch.setattr("sys.stderr.close", lambda: None, raising=False)
    assert cli.main(["run", "diabetes"]) == status
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert ("v_N = 1.000 nats" in captured.out) == (status == 0)


def test_several_seeds_end_in_a_mean_and_a_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds: list[object] = []

    def launch(app: Path, run: Path, parties: int, *, noise_seed: int, **_: object) -> Outcome:
        seeds.append(noise_seed)
        party = {"party": "p", "rows": 3, "value": float(noise_seed), "shapley": 1.0, "alpha": 1.0, "delivered": True}
        (run / "allocation.json").write_text(json.dumps(RECORD | {"parties": [party]}))
        return Outcome(noise_seed != 9, "completed" if noise_seed != 9 else "a party was lost")

    monkeypatch.setattr("simulations.launch.launch", launch)
    assert cli.main(["run", "diabetes", "--seed", "7", "--seeds", "2"]) == 0
    assert seeds == [7, 8]
    assert "7.5 ± 0.71" in capsys.readouterr().out
    (written,) = (tmp_path / "runs").glob("*-2-seeds.csv")
    assert "p,value,2,7.5," in written.read_text()
    assert cli.main(["run", "diabetes", "--seed", "8", "--seeds", "2"]) == 1
    assert "1 of 2 runs did not complete, those with seed 9." in capsys.readouterr().err


def test_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").touch()
    (run / "allocation.json").write_text(json.dumps(RECORD | {"parties": [{"party": "north", "eta": "inf"}]}))
    assert cli.main(["export", str(run)]) == 0
    assert capsys.readouterr().out == "party,eta\nnorth,inf\n"
    assert cli.main(["export", str(run), "--csv", "out.csv"]) == 0
    assert (tmp_path / "out.csv").read_text() == "party,eta\nnorth,inf\n"


def test_folders_of_the_caller_are_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("server", "clients", "strategies", "wire", "guerdon"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong one')")
    (tmp_path / "typer.py").write_text("raise RuntimeError('the wrong one')")
    argv = [sys.executable, "-m", "simulations", "prepare", "diabetes"]
    done = subprocess.run(
        argv, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Prepared" in done.stdout


def test_several_runs_are_shown_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell's ``runs/*/`` names them."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").touch()
        (tmp_path / name / "allocation.json").write_text(json.dumps(RECORD))
    assert cli.main(["show", "one/", "two/"]) == 0
    said = capsys.readouterr().out
    assert f"Run directory: {tmp_path / 'one'}" in said
    assert f"Run directory: {tmp_path / 'two'}" in said
    assert cli.main(["purge", "one/", "two/"]) == 0
    assert "There was nothing left to delete in two." in capsys.readouterr().out
