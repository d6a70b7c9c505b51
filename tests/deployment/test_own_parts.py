"""Parts of a user's own between real processes: what docs/extending.md prints travels in the approved app."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clients.approval import app_hash
from clients.reward_store import load_reward
from simulations.staging import stage
from tests.deployment.consortium import PARTIES, Consortium
from tests.deployment.runs import Run, node_config, store, write_data

pytestmark = pytest.mark.deployment

TEXT = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
MODULES = ("my_data_size", "my_scheme", "my_features", "my_estimator")


def test_a_valuation_an_estimator_a_scheme_and_features_of_ones_own(consortium: Consortium, tmp_path: Path) -> None:
    """Data are valued by their size; each reward is worth its target in rows, and the parties score it."""
    files = {block.partition("\n")[0]: block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)}
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(files[f"# {name}.py"])
    app = stage([tmp_path / f"{name}.py" for name in MODULES], tmp_path / "app")
    write_data(consortium)
    approved = [app_hash(app)]
    services = [consortium.party(name, approved, node_config(consortium, name)) for name in PARTIES]
    try:
        run = Run(
            tmp_path / "own-parts",
            model="BayesianLinear(noise=0.1, features='my_features:Polynomial(degree=2)')",
            valuation="my_data_size:DataSize()",
            shapley="my_estimator:EveryOrder()",
            scheme="my_scheme:HalfWay(share=0.5)",
        )
        run.submit(consortium, app)
        run.finish()
    finally:
        for service in services:
            service.stop()
    record = run.record()
    pool = sum(entry["rows"] for entry in record["parties"])
    assert record["unit"] == "rows"
    assert record["shapley_method"] == "every order of joining"
    assert sorted(run.delivered()) == sorted(PARTIES)
    for entry in record["parties"]:
        assert entry["value"] == entry["rows"]
        assert entry["target"] == pytest.approx(entry["rows"] + 0.5 * (pool - entry["rows"]))
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-9)
        assert entry["reward"]["rmse"] < 0.5  # it predicts with features that the party's own process rebuilt
        reward = load_reward(store(consortium, entry["party"]) / "own-parts")
        assert str(reward.arrays["posterior.features.kind"]) == "my_features:Polynomial"
