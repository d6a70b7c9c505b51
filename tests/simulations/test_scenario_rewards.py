"""In every scenario of synthetic rows, by every generator, a reward is the party's own table: ``clients check`` finds
nothing wrong with it by a schema of that data, with the label as a category like another."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from clients.app import app
from clients.check import check_file
from guerdon.plugins import build
from server.app import mediate
from server.run_directory import RunDirectory
from simulations import datasets, partitions
from simulations.datasets import Dataset
from simulations.scenarios import load_scenario, scenario_names
from tests.fakes import LocalGrid
from wire.schema import Schema

ROWS = 70
"""Of each party at most."""

GENERATORS = [
    "AdversarialForest(trees=10)",
    *(
        pytest.param(generator, marks=pytest.mark.slow)
        for generator in (
            "GaussianMixture()",
            "KernelDensity()",
            "MmdGan(epochs=2, batch=20, critic_steps=1, width=4)",
            "given",
        )
    ),
]

SCENARIOS = [
    name
    for name in scenario_names()
    if str(load_scenario(name).config.get("strategy", "")).startswith("SyntheticDataRewards")
    and name not in ("mnist", "cifar10")  # images, which tests/strategies/test_image_round_trip.py follows
]


def test_there_are_such_scenarios() -> None:
    assert {"breast-cancer", "credit-card", "credit-ratings", "digits", "heart-disease-synthetic"} <= set(SCENARIOS)


def tables(name: str) -> tuple[dict[str, pl.DataFrame], str, Dataset]:
    """Some rows of each party of a scenario as its file has them, and a schema of the data."""
    scenario = load_scenario(name)
    try:
        dataset: Dataset = build(scenario.config["dataset"], datasets.OFFER).load(np.random.default_rng(0))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    blocks = dataset.blocks
    if blocks is None or "partition" in scenario.config:
        partition = build(scenario.config["partition"], partitions.OFFER)
        rng = np.random.default_rng(1)
        blocks = partition.split(dataset.features, scenario.parties, rng=rng, target=dataset.target)
    labels = dataset.target if dataset.schema else np.array([f"class {label:g}" for label in dataset.target])
    columns = dict(zip(dataset.feature_names, dataset.features.T, strict=True))
    table = pl.DataFrame(columns | {dataset.target_name: labels}, nan_to_null=True)
    parties = {f"party-{k}": table[block[:: max(1, len(block) // ROWS)]] for k, block in enumerate(blocks)}
    return parties, dataset.schema or schema_of(pl.concat(parties.values()), dataset), dataset


def schema_of(table: pl.DataFrame, dataset: Dataset) -> str:
    """What somebody would write down who looks at all rows: bounds, 0 or 1, and the label's words."""
    lines = [f'target = "{dataset.target_name}"']
    for name in dataset.feature_names:
        low, high = float(table[name].min()), float(table[name].max())  # type: ignore[arg-type]
        is_boolean = set(table[name].unique()) == {0.0, 1.0}
        lines += [f'[columns."{name}"]', 'type = "boolean"' if is_boolean else f"minimum = {low!r}\nmaximum = {high!r}"]
    words = sorted(table[dataset.target_name].unique())
    return "\n".join([*lines, f'[columns."{dataset.target_name}"]\ntype = "category"\nvalues = {words!r}\n'])


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_reward_is_the_partys_own_table(tmp_path: Path, name: str, generator: str) -> None:
    parties, text, dataset = tables(name)
    schema_file = tmp_path / "schema.toml"
    schema_file.write_text(text)
    schema = Schema.from_toml(text)
    nodes: dict[int, dict[str, Any]] = {}
    for k, (party, table) in enumerate(parties.items()):
        path = tmp_path / f"{party}.parquet"
        table[:, ::-1].write_parquet(path)  # in another order than the schema's
        nodes[k + 1] = {"party": party, "data-path": str(path), "confirm-schema": "any"}
    keys = {
        "strategy": "SyntheticDataRewards(size=150)",
        "scheme": "RectifiedRhoShapley(incentive='none')",
        "run-dir": str(tmp_path / "run"),
        "parties": ",".join(parties),
        "schema-file": str(schema_file),
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    if "MmdGan" in generator:  # two epochs teach little: rows that far are worth something at a large length-scale only
        keys |= {"valuation": "MaximumMeanDiscrepancy(lengthscale=30.0)", "realization": "WeightedSampling(beta=0.0)"}
    if generator != "given":
        keys["generator"] = generator
    elif dataset.synthetic is None:
        pytest.skip("it comes with no synthetic rows")
    else:
        columns = dict(zip(dataset.feature_names, dataset.synthetic.features.T, strict=True))
        pl.DataFrame(columns | {dataset.target_name: dataset.synthetic.target}).write_parquet(
            tmp_path / "given.parquet"
        )
        keys |= {
            "synthetic-file": str(tmp_path / "given.parquet"),
            "strategy": f"SyntheticDataRewards(size={len(dataset.synthetic.features)})",
        }
    record = RunDirectory(mediate(LocalGrid(app, nodes, keys), keys).path).read_allocation()
    assert record["refused"] == []
    drawn = 0
    for entry in record["parties"]:
        folder = Path(entry["store"])
        reward = pl.read_parquet(folder / "reward.parquet")
        assert reward.columns == parties[entry["party"]].columns[::-1]
        assert set(reward.columns) == {column.name for column in schema.columns}
        drawn += len(reward)
        for file in ("reward.csv", "reward.parquet"):
            if len(reward):
                said = io.StringIO()
                status = check_file(folder / file, schema_file, 0.0, None, "party", Console(file=said, width=200))
                assert status == 0, said.getvalue()
    assert drawn > 0
    assert 0.3 < record["fidelity"]["column_shapes"] <= 1.0
