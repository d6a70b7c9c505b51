"""The whole way on real processes: Ray, a party that fails, a scheme of one's own, a reward that predicts."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from simulations.events import Event
from simulations.launch import launch
from simulations.prepare import prepare
from simulations.scenarios import load_scenario

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorials" / "part.md").read_text(encoding="utf-8")
MODULE = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)[0]

EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
(AVERAGING,) = re.findall(r"```python\n(# my_averaging\.py\n.*?)```", EXTENDING, flags=re.DOTALL)


class Silent:
    def show(self, event: Event) -> None:
        """Nobody watches."""


@pytest.mark.ray
def test_a_party_that_fails_is_refused_and_the_others_get_what_the_users_own_scheme_says(tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(MODULE)
    overrides = ["scheme=my_module:EqualReward(share=1.0)", "model=GaussianProcess(kernel='rbf', noise=0.4)"]
    prepared = prepare(load_scenario("diabetes"), overrides, output_dir=tmp_path / "runs", caller=tmp_path)
    assert prepared.app == prepared.run / "app"  # a staged copy, which can be changed
    handler = prepared.app / "clients" / "app.py"
    anchor = '    """Send the rows that are not held out, or sums over them where the run asks for statistics."""\n'
    breakage = '    if context.node_config["partition-id"] == 1:\n        raise RuntimeError("disk on fire")\n'
    source = handler.read_text()
    assert source.count(anchor) == 1
    handler.write_text(source.replace(anchor, anchor + breakage))

    outcome = launch(prepared.app, prepared.run, 3, watcher=Silent(), noise_seed=0)

    assert outcome.completed, outcome.reason
    record = json.loads((prepared.run / "allocation.json").read_text())
    assert record["stage"] == "delivered"
    assert [(r["party"], "disk on fire" in r["reason"]) for r in record["refused"]] == [("party-2", True)]
    assert [p["party"] for p in record["parties"]] == ["party-1", "party-3"]
    assert [p["target"] for p in record["parties"]] == [record["grand_value"]] * 2
    assert [p["eta"] for p in record["parties"]] == [0.0, 0.0]
    ledger = [json.loads(line) for line in (prepared.run / "ledger.jsonl").read_text().splitlines()]
    assert [e["party"] for e in ledger if e["action"] == "delivered"] == ["party-1", "party-3"]

    file = tmp_path / "new.csv"
    pl.read_parquet(prepared.run / "data" / "party-1.parquet").drop("progression").head(5).write_csv(file)
    command = [sys.executable, "-m", "clients", "predict", record["parties"][0]["store"], str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    predicted = pl.read_csv(io.StringIO(done.stdout))
    assert predicted["progression_mean"].is_between(0, 400).all()
    assert (predicted["progression_sd"] > 0).all()


@pytest.mark.slow
@pytest.mark.ray
def test_a_strategy_of_ones_own_with_handlers_runs_on_ray(tmp_path: Path) -> None:
    (tmp_path / "my_averaging.py").write_text(AVERAGING)
    overrides = [
        "strategy=my_averaging:ClippedAveraging(rounds=3, scale=16.0)",
        "partition=Uniform()",
        "dataset=Digits()",
    ]
    overrides += ["join-timeout=300", "model=", "scheme="]
    prepared = prepare(load_scenario("diabetes"), overrides, output_dir=tmp_path / "runs", caller=tmp_path)
    outcome = launch(prepared.app, prepared.run, 3, watcher=Silent(), noise_seed=0)
    assert outcome.completed, outcome.reason
    record = json.loads((prepared.run / "allocation.json").read_text())
    assert record["stage"] == "delivered"
    assert [p["rounds"] for p in record["parties"]] == [3, 3, 3]
    assert all(p["reward"]["accuracy"] > 0.3 for p in record["parties"])
