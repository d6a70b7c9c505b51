"""Sums in the place of rows between real processes: one party with noise of its own, valued, looked at, and resumed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.approval import app_hash
from simulations.staging import CHECKOUT
from tests.deployment.consortium import PARTIES, Consortium
from tests.deployment.runs import Run
from wire.schema import Schema

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(900)]

SCHEMA = """
target = "stay"
[columns.age]
minimum = 18
maximum = 98
[columns.stay]
minimum = 0
maximum = 40
"""
PRIVATE = PARTIES[0]


def write_tables(consortium: Consortium) -> None:
    for k, party in enumerate(consortium.parties):
        rng = np.random.default_rng(k)
        age = rng.uniform(18.0, 98.0, 4000)
        stay = (0.3 * age + rng.normal(size=4000)).clip(0.0, 40.0)
        pl.DataFrame({"age": age, "stay": stay}).write_csv(consortium.folder / party / "stays.csv")


def node_config(consortium: Consortium, party: str) -> str:
    folder, agreed = consortium.folder / party, Schema.from_toml(SCHEMA).hash
    files = {"data-path": folder / "stays.csv", "key": folder / party, "mediator-key": folder / "mediator.pub"}
    words = [*(f'{key}="{path}"' for key, path in files.items()), f'confirm-schema="{agreed}"']
    return " ".join([*words, *(["epsilon=3.0", "privacy-budget=4.0"] if party == PRIVATE else [])])


def test_sums_of_which_one_has_noise_are_valued_and_delivered_later(consortium: Consortium, tmp_path: Path) -> None:
    write_tables(consortium)
    (tmp_path / "schema.toml").write_text(SCHEMA)
    run = Run(
        tmp_path / "sums",
        contribute="statistics",
        model="BayesianLinear(noise=0.01, features='Affine()')",
        target="",
        **{"schema-file": str(tmp_path / "schema.toml"), "discloses-rows": False},
    )
    approved = [app_hash(CHECKOUT)]
    services = [consortium.party(name, approved, node_config(consortium, name)) for name in PARTIES]
    try:
        run.submit(consortium, CHECKOUT, **{"stop-after": "valuation"})
        run.finish(600.0)
        sent = {entry["party"]: entry["sha256"] for entry in run.ledger("contributed")}
        run.resume(consortium, CHECKOUT)
        run.finish(600.0)
    finally:
        for service in services:
            service.stop()

    record = run.record()
    assert (record["contribute"], record["stage"], record["refused"]) == ("statistics", "delivered", [])
    assert {entry["party"]: entry["sha256"] for entry in run.ledger("contributed")} == sent  # nobody was asked again
    assert sorted(run.delivered()) == sorted(PARTIES)
    private, plain = record["parties"]
    assert (private["epsilon"], plain.get("epsilon")) == (3.0, None)
    assert private["value"] < plain["value"]
    assert any(f"rewards of {PRIVATE} predict better" in note for note in record["notes"])  # it sends no scores
    assert {entry["party"]: entry["rows"] for entry in run.ledger("introduced")}[PRIVATE] == 0
    for party in PARTIES:
        store = consortium.folder / party / "stays-reward"
        (noted,) = [entry for entry in _ledger(store) if entry["action"] == "contributed"]
        assert (noted["contributed"], noted["sha256"]) == ("statistics", sent[party])
        audited = CliRunner().invoke(cli, ["audit", str(store)])
        assert audited.exit_code == 0, audited.output
    released = CliRunner().invoke(cli, ["privacy", str(consortium.folder / PRIVATE / "stays-reward")])
    assert "1 release, together epsilon = 3 at delta = 1e-05." in released.output, released.output


def _ledger(store: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (store / "_ledger.jsonl").read_text().splitlines()]
