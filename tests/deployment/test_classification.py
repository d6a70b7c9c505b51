"""Classification between real processes: yes or no, from files with gaps and words to probabilities in these words."""

from __future__ import annotations

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
target = "sick"
[columns.age]
missing = 50.0
flag-missing = true
[columns.ward]
type = "category"
values = ["a", "b"]
[columns.sick]
type = "boolean"
"""


def write_tables(consortium: Consortium) -> None:
    for k, party in enumerate(consortium.parties):
        rng = np.random.default_rng(k)
        age = rng.normal(50.0, 10.0, 60)
        sick = age + 5.0 * rng.normal(size=60) > 50.0
        cells = [None if gap else f"{x:.1f}" for x, gap in zip(age, rng.random(60) < 0.2 * k, strict=True)]
        words = [("yes" if s else "no") if k else ("1" if s else "0") for s in sick]
        table = pl.DataFrame({"ward": rng.choice(["a", "b"], 60), "sick": words, "age": cells})
        table.write_csv(consortium.folder / party / "wards.csv")


def node_config(consortium: Consortium, party: str) -> str:
    folder, agreed = consortium.folder / party, Schema.from_toml(SCHEMA).hash
    files = {"data-path": folder / "wards.csv", "key": folder / party, "mediator-key": folder / "mediator.pub"}
    return " ".join([*(f'{key}="{path}"' for key, path in files.items()), f'confirm-schema="{agreed}"'])


def test_hospitals_ask_yes_or_no(consortium: Consortium, tmp_path: Path) -> None:
    write_tables(consortium)
    (tmp_path / "schema.toml").write_text(SCHEMA)
    approved = [app_hash(CHECKOUT)]
    services = [consortium.party(name, approved, node_config(consortium, name)) for name in PARTIES]
    try:
        run = Run(
            tmp_path / "yes-or-no",
            strategy="ClassificationRewards()",
            model="BayesianLogistic(features='Affine()')",
            target="",
            **{"schema-file": str(tmp_path / "schema.toml"), "discloses-rows": False},
        )
        run.submit(consortium, CHECKOUT)
        run.finish(600.0)
    finally:
        for service in services:
            service.stop()
    record = run.record()
    assert (record["kind"], record["stage"], record["refused"]) == ("classification", "delivered", [])
    assert sorted(run.delivered()) == sorted(PARTIES)
    for entry in record["parties"]:
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-9)
        assert {"log_loss", "accuracy", "brier", "calibration_error"} <= entry["alone"].keys() & entry["reward"].keys()
        own = consortium.folder / entry["party"] / "wards.csv"
        done = CliRunner().invoke(cli, ["predict", str(own.parent / "wards-reward" / "yes-or-no"), str(own)])
        assert done.exit_code == 0, done.output
        found = pl.read_csv(done.output.encode())
        assert found.columns == ["ward", "sick", "age", "sick=no", "sick=yes"]
        truth = found["sick"].cast(pl.String).is_in(["yes", "1"]).to_numpy()
        assert np.mean((found["sick=yes"].to_numpy() > 0.5) == truth) > 0.7
