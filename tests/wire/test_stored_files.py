"""What Guerdon 0.1 wrote is read: every file of every kind of run (tests/data/stored), and runs that stopped go on."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

from clients.__main__ import cli as party_cli
from clients.app import app
from clients.consent import proposals, read_ledger, withdrawn
from clients.reward_store import load_reward
from guerdon.types import Contribution
from server.__main__ import cli as server_cli
from server.app import mediate
from server.report import write_comparison, write_report
from server.run_directory import RunDirectory
from simulations.local_grid import LocalGrid
from simulations.present import present, present_rehearsal
from wire.kinds.synthetic import synthetic_images, synthetic_table
from wire.messages import Reward

STORED = Path(__file__).parents[1] / "data" / "stored" / "0.1"
RUNS = sorted(path.name for path in STORED.iterdir() if path.is_dir())
VALUED = ["model-valued", "synthetic-valued"]
REHEARSED = "model-rehearsed"
WITH_RECORD = [name for name in RUNS if name != REHEARSED]
REWARDED = [name for name in WITH_RECORD if name not in VALUED]
PREDICTING = [name for name in REWARDED if (STORED / name / "predictions.csv").exists()]
PARTIES = ("east", "north", "west")

KERNEL = "kernel='rbf(lengthscale=2.0, outputscale=1.0)', noise=0.3"
GOING_ON: dict[str, dict[str, Any]] = {
    "model-valued": {"target": "outcome", "model": f"GaussianProcess({KERNEL})", "scheme": "RhoShapley(rho=0.4)"},
    "model-missed": {
        "target": "outcome",
        "model": "BayesianLinear(0.3, features='Affine()')",
        "scheme": "RhoShapley(rho=0.4)",
    },
    "synthetic-valued": {
        "target": "grade",
        "strategy": "SyntheticDataRewards(size=40, limit=80)",
        "generator": "GaussianMixture(components=2)",
        "scheme": "RectifiedRhoShapley(incentive='rational')",
    },
}
"""What stood in the run config of the runs that were not done."""


# How today's code is called; what moves, moves here.


def store(home: Path, party: str) -> Path:
    return home / "data" / f"{party}-reward"


def allocation(home: Path) -> dict[str, Any]:
    return RunDirectory(home / "run").read_allocation()


def pool(home: Path) -> tuple[list[Contribution], dict[str, Any]] | None:
    return RunDirectory(home / "run").load_pool()


def rewards(home: Path) -> dict[str, Reward]:
    kept = RunDirectory(home / "run").load_rewards()
    return {} if kept is None else kept[0]


def ledger(home: Path) -> list[dict[str, Any]]:
    return RunDirectory(home / "run").read_ledger()


def party(*arguments: object) -> str:
    done = CliRunner().invoke(party_cli, [str(word) for word in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def resumed(home: Path, **changes: Any) -> dict[str, Any]:
    """The run goes on, with the parties' files as they lie there."""
    files = {party: next(path for path in (home / "data").glob(f"{party}.*")) for party in PARTIES}
    nodes = {
        100 + k: {"party": party, "data-path": str(files[party]), "holdout": 0.25} for k, party in enumerate(PARTIES)
    }
    settings = {
        **GOING_ON[home.name],
        "run-dir": str(home / "run"),
        "parties": ",".join(PARTIES),
        "resume": True,
        "join-timeout": 0.5,
        "timeout": 0.5,
        **changes,
    }
    return mediate(LocalGrid(app, nodes, settings), settings).read_allocation()


@pytest.fixture
def copy(tmp_path: Path) -> Any:
    """A stored set that may be written to, with the paths in its record those of the copy."""

    def made(name: str) -> Path:
        home = tmp_path / name
        shutil.copytree(STORED / name, home)
        record = home / "run" / "allocation.json"
        if record.exists():
            record.write_text(record.read_text().replace("/somewhere", str(tmp_path)))
        return home

    return made


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_format(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "format"}


def test_there_is_one_of_every_kind() -> None:
    kinds = {name.partition("-")[0] for name in RUNS}
    assert kinds == {"model", "synthetic", "learning", "own"}
    assert len(RUNS) == 16
    assert len(PREDICTING) == 9


# The mediator's side.


@pytest.mark.parametrize("name", WITH_RECORD)
def test_an_allocation_says_what_it_said(name: str) -> None:
    record = allocation(STORED / name)
    stored = json.loads((STORED / name / "run" / "allocation.json").read_text())
    assert record["stage"] == {"model-missed": "rewarded", **dict.fromkeys(VALUED, "valued")}.get(name, "delivered")
    assert record["run"] == "run"
    for entry, then in zip(record["parties"], stored["parties"], strict=True):
        assert {key: entry[key] for key in then} == then
    for key in ("values", "scheme", "parts", "certificate", "refused", "notes"):
        assert record.get(key) == stored.get(key)


@pytest.mark.parametrize("name", [name for name in RUNS if (STORED / name / "run" / "pool.json").exists()])
def test_a_pool_holds_the_numbers_that_were_sent(name: str) -> None:
    contributions, about = pool(STORED / name) or pytest.fail("no pool is read")
    assert about["target"] in ("outcome", "grade", "bright")
    assert [c.party for c in contributions] == [p["party"] for p in allocation(STORED / name)["parties"]]
    for c in contributions:
        with np.load(STORED / name / "run" / "pool" / f"{c.party}.npz") as kept:
            scale = 255.0 if kept["X"].dtype == np.uint8 else 1.0
            np.testing.assert_allclose(c.X, kept["X"] / scale, rtol=1e-15)
            np.testing.assert_array_equal(c.y, kept["y"])


@pytest.mark.parametrize("name", REWARDED)
def test_rewards_are_those_of_the_ledgers_on_both_sides(name: str) -> None:
    kept = rewards(STORED / name)  # which compares hashes with rewards.json
    made = {e["party"]: e["sha256"] for e in ledger(STORED / name) if e["action"] == "reward made"}
    assert {party: reward.hash for party, reward in kept.items()} == made
    assert made
    for entry in allocation(STORED / name)["parties"]:
        if not entry["delivered"]:
            continue
        own = load_reward(store(STORED / name, entry["party"]) / "run")
        taken = [e["sha256"] for e in read_ledger(store(STORED / name, entry["party"])) if e["action"] == "rewarded"]
        assert taken == [own.hash] == [made[entry["party"]]]
        assert "format" not in own.about


@pytest.mark.parametrize("name", RUNS)
def test_every_line_of_the_ledgers_is_read(name: str) -> None:
    assert [without_format(e) for e in ledger(STORED / name)] == lines(STORED / name / "run" / "ledger.jsonl")
    for path in (STORED / name / "data").glob("*-reward/_ledger.jsonl"):
        assert [without_format(e) for e in read_ledger(path.parent)] == lines(path)


def test_the_generator_and_what_reports_show_are_read() -> None:
    trained = RunDirectory(STORED / "synthetic-trained" / "run")
    assert trained.load_generator()
    for path in sorted(STORED.glob("*/run/view.npz")):
        assert RunDirectory(path.parent).load_view(), path
    assert all(RunDirectory(STORED / name / "run").secret_seed() == 1 for name in ("model-noise", *VALUED))


@pytest.mark.parametrize("name", RUNS)
def test_a_stored_run_is_shown(name: str) -> None:
    printed = io.StringIO()
    console = Console(file=printed, width=160)
    if name == REHEARSED:
        present_rehearsal(ledger(STORED / name), console)
    else:
        present(allocation(STORED / name), STORED / name / "run", console)
    assert all(party in printed.getvalue() for party in PARTIES)


@pytest.mark.parametrize("name", WITH_RECORD)
def test_its_report_is_drawn_again(name: str, copy: Any) -> None:
    home = copy(name)
    text = write_report(RunDirectory(home / "run")).read_text(encoding="utf-8")
    assert all(party in text for party in PARTIES)
    if name in VALUED:
        assert (home / "run" / "parties" / "north.html").exists()


def test_stored_runs_are_compared(tmp_path: Path) -> None:
    write_comparison([STORED / name / "run" for name in ("model-noise", "model-tempered")], tmp_path / "both.html")
    assert "north" in (tmp_path / "both.html").read_text(encoding="utf-8")


# The parties' side.


@pytest.mark.parametrize("name", REWARDED)
@pytest.mark.parametrize("owner", PARTIES)
def test_a_party_s_reward_is_shown(name: str, owner: str) -> None:
    folder = store(STORED / name, owner) / "run"
    if not folder.exists():
        assert (name, owner) == ("model-linear", "west")  # which was refused
        return
    said = party("show", folder)
    assert f"reward for {owner}, from run run." in said
    assert "It holds" in said


@pytest.mark.parametrize("name", PREDICTING)
def test_a_stored_model_predicts_what_it_predicted(name: str) -> None:
    said = party("predict", store(STORED / name, "east") / "run", STORED / name / "data" / "east.csv")
    now, then = pl.read_csv(said.encode()), pl.read_csv(STORED / name / "predictions.csv")
    assert now.columns == then.columns
    for column in now.columns[len(pl.read_csv(STORED / name / "data" / "east.csv").columns) :]:
        np.testing.assert_allclose(now[column].to_numpy(), then[column].to_numpy(), rtol=1e-9)


def test_synthetic_rewards_are_tables_and_images() -> None:
    for name in ("synthetic-rows", "synthetic-trained"):
        for owner in PARTIES:
            folder = store(STORED / name, owner) / "run"
            assert synthetic_table(load_reward(folder)).equals(pl.read_parquet(folder / "reward.parquet"))
    for owner in PARTIES:
        images = synthetic_images(load_reward(store(STORED / "synthetic-images", owner) / "run"))
        assert images.shape[1:] == (4, 4, 1)


@pytest.mark.parametrize("name", RUNS)
def test_proposals_and_withdrawals_are_read(name: str) -> None:
    for owner in PARTIES:
        (about,) = proposals(store(STORED / name, owner))
        assert about["run"] == "run"
        assert about["dry_run"] is (name == REHEARSED)
        assert about["sha256"] in party("proposals", store(STORED / name, owner))
    gone = {"another-run"} if name == "model-linear" else set()
    assert withdrawn(store(STORED / name, "north")) == gone


def test_stored_ledgers_agree_and_receipts_are_the_mediators(tmp_path: Path) -> None:
    home = STORED / "model-schema-signed"
    extract = CliRunner().invoke(server_cli, ["extract", str(home / "run"), "north"])
    (tmp_path / "extract.jsonl").write_text(extract.output)
    key = ["--mediator-key", home / "mediator.pub"]
    said = party("audit", store(home, "north"), tmp_path / "extract.jsonl", *key)
    assert "receipt, signed" in said
    assert said.count("agrees") == 3
    assert "DIFFERS" not in said


# Runs that were not done.


@pytest.mark.parametrize("name", VALUED)
def test_a_run_that_stopped_after_valuation_goes_on(name: str, copy: Any) -> None:
    home = copy(name)
    valued, done = allocation(home), resumed(home)
    assert done["stage"] == "delivered"
    assert done["values"] == pytest.approx(valued["values"], rel=1e-12)  # stored by an earlier version's kernels
    # Shapley values are summed in another order now, and may differ by their last digit.
    targets = [p["target"] for p in valued["parties"]]
    assert [p["target"] for p in done["parties"]] == pytest.approx(targets, rel=1e-13)
    whole = {"model-valued": "model-noise", "synthetic-valued": "synthetic-rows"}[name]  # the same data and secret
    assert [p["reached"] for p in done["parties"]] == pytest.approx([
        p["reached"] for p in allocation(STORED / whole)["parties"]
    ])  # fmt: skip
    for entry in done["parties"]:
        own = load_reward(store(home, entry["party"]) / "run")
        assert own.hash == rewards(home)[entry["party"]].hash


@pytest.mark.parametrize("kept", [True, False])
def test_a_reward_whose_receipt_was_lost_is_delivered_as_it_was_made(kept: bool, copy: Any) -> None:
    home = copy("model-missed")
    made = {party: reward.hash for party, reward in rewards(home).items()}
    if not kept:
        shutil.rmtree(store(home, "north") / "run")
    assert resumed(home)["stage"] == "delivered"
    assert load_reward(store(home, "north") / "run").hash == made["north"]
    assert {e["party"]: e["sha256"] for e in ledger(home) if e["action"] == "delivered"} == made
    assert {party: reward.hash for party, reward in rewards(home).items()} == made
