"""The Friedman experiment: its data are laid out as the paper says, and its picture and table are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simulations.datasets.friedman import Friedman, friedman_function
from simulations.papers.sim2020.fig2 import Fig2, Sizes, friedman_parties
from simulations.papers.study import Options, StudyError, Task, run_study

TINY = Sizes(rows=25, test=20, draws=4)


@dataclass(frozen=True)
class Tiny(Fig2):
    def tasks(self, options: Options) -> list[Task]:
        return [Task(task.key, task.run, {**task.arguments, "sizes": TINY}) for task in super().tasks(options)]


def test_party_1_spans_the_whole_input_and_the_others_a_half_each() -> None:
    parties = friedman_parties(Sizes(noise=0.0), np.random.default_rng(0))
    assert [party.X.shape for party in parties] == [(250, 6)] * 3
    first = [party.X[:, 0] for party in parties]
    for column, (low, high) in zip(first, ((0, 1), (0, 0.5), (0.5, 1)), strict=True):
        assert low <= column.min() < low + 0.02
        assert high - 0.02 < column.max() <= high
    for party in parties:
        assert party.X[:, 1:].min() < 0.02
        assert party.X[:, 1:].max() > 0.98
        x = party.X.T
        expected = 10 * np.sin(np.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4]
        np.testing.assert_allclose(party.y, expected, rtol=1e-12)


def test_the_function_is_the_one_behind_the_data_set() -> None:
    data = Friedman(rows=30, noise=0.0).load(np.random.default_rng(0))
    np.testing.assert_allclose(friedman_function(data.features), data.target, rtol=1e-12)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, pl.DataFrame, list[Path]]:
    """Results, the table and what was written."""
    folder = tmp_path_factory.mktemp("fig2")
    paths = run_study(Tiny(), Options(repeats=2, folder=folder)).written
    return pl.read_parquet(paths[0]), pl.read_csv(folder / "sim2020-fig2.csv"), paths


Ran = tuple[pl.DataFrame, pl.DataFrame, list[Path]]


def test_rewards_reach_their_targets_and_shapley_values_share_out_the_pool(ran: Ran) -> None:
    results, _, _ = ran
    curves = results.filter(pl.col("kind") == "curve")
    assert (curves["target"] - curves["reached"]).abs().max() < 1e-9  # type: ignore[operator]
    parties = results.filter(pl.col("kind") == "party").group_by("repetition")
    for _, rows in parties:
        assert rows["phi"].sum() == pytest.approx(rows["v_pool"][0])
    assert sorted(curves["repetition"].unique()) == [0, 1]


def test_the_mean_over_draws_is_near_its_expectation(ran: Ran) -> None:
    curves = ran[0].filter((pl.col("kind") == "curve") & (pl.col("mnlp_half_interval") > 0))
    inside = (curves["mnlp"] - curves["mnlp_expected"]).abs() < 3 * curves["mnlp_half_interval"]
    assert inside.all()


def test_the_table_has_the_papers_numbers_and_claims(ran: Ran) -> None:
    _, table, paths = ran
    papers = dict(zip(table["quantity or claim"], table["paper"], strict=True))
    assert [papers[f"phi_{i} (nats)"] for i in (1, 2, 3)] == ["34.57", "29.24", "30.78"]
    here = dict(zip(table["quantity or claim"], table["here"], strict=True))
    assert here["at rho = 0 every party gets v_N (R7)"] == "holds: 2 of 2"
    assert here["a larger phi gets a larger r at every rho > 0 (R5)"] == "holds: 2 of 2"
    assert "±" in here["v_N (nats)"]
    assert {path.suffix for path in paths} == {".parquet", ".png", ".svg", ".csv", ".md"}
    assert "three parties of 25 rows" in paths[-1].read_text(encoding="utf-8")


def test_keys_tell_quick_from_full_and_seeds_apart() -> None:
    keys = [
        task.key
        for options in (Options(), Options(quick=True), Options(seed=1), Options(quick=True, seed=1))
        for task in Fig2().tasks(options)
    ]
    assert len(set(keys)) == len(keys)
    assert len(Fig2().tasks(Options())) == 20
    with pytest.raises(StudyError, match="no parts"):
        Fig2().tasks(Options(only={"party": "1"}))
