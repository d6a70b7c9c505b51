"""Improvements over random partitions: what a point is, that nothing is left out, and what the table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from guerdon.models import GaussianProcess, Model
from guerdon.shapley import ExactShapley
from guerdon.types import Game, ShapleyValues
from simulations.datasets import Friedman
from simulations.datasets.california import FILE
from simulations.datasets.files import data_file
from simulations.papers.sim2020 import STUDIES
from simulations.papers.sim2020.california import CaliforniaSetting
from simulations.papers.sim2020.diabetes import DiabetesSetting
from simulations.papers.sim2020.improvement import DRAWS, RHOS, Setting, Split, improvements, split_rows
from simulations.papers.sim2020.scatter import Scatter
from simulations.papers.sim2020.sparse_friedman import SparseFriedmanSetting
from simulations.papers.study import Options, StudyError, run_study


@dataclass(frozen=True)
class Tiny:
    """Forty rows and a model that is known."""

    label: str = "tiny"
    lengthscale: float = 10.0
    parties: int = 3
    minimum_share: float = 0.1

    def split(self, rng: np.random.Generator) -> Split:
        data = Friedman(rows=60).load(rng)
        return split_rows(data.features, data.target, 40, 20, rng)

    def model(self) -> Model:
        return GaussianProcess(f"rbf(lengthscale={self.lengthscale}, outputscale=1.0)", noise=0.1)

    def shapley(self, game: Game, rng: np.random.Generator) -> ShapleyValues:
        return ExactShapley()(game)

    def facts(self, model: Model, split: Split) -> Mapping[str, Any]:
        return {"neighbour_correlation": 0.05}


STUDY = Scatter(
    name="tiny-figure",
    title="A tiny figure",
    settings=(Tiny(), Tiny("other", lengthscale=4.0)),
    quick=(Tiny(),),
    assumed="Nothing.",
    repeats=3,
    quick_repeats=2,
)


@pytest.fixture(scope="module")
def results() -> pl.DataFrame:
    return pl.concat(
        [pl.DataFrame(list(improvements(Tiny(), 0, k)), infer_schema_length=None) for k in range(8)],
        how="diagonal_relaxed",
    )


def test_every_party_has_its_draws_where_r4_holds_and_one_row_where_it_fails(results: pl.DataFrame) -> None:
    for (rho, partition), rows in results.group_by("rho", "partition"):
        rational = rows["rho_r"][0] >= rho  # type: ignore[operator]
        assert rows["rational"].to_list() == [rational] * len(rows), (rho, partition)
        assert len(rows) == 3 * (DRAWS if rational else 1)
        assert rows["mnlp"].is_null().all() != rational
        assert ((rows["r"] >= rows["v_own"] * (1 - 1e-9)).all()) == rational
    assert set(results["rho"]) == set(RHOS)
    assert not results["rational"].all(), "one of these partitions fails R4 at rho = 1"
    assert results["rational"].any()


def test_the_party_with_the_largest_shapley_value_gets_all_that_there_is(results: pl.DataFrame) -> None:
    first = results.filter((pl.col("alpha") == 1.0) & pl.col("rational"))
    np.testing.assert_allclose(first["r"], first["v_pool"], rtol=1e-12)
    np.testing.assert_array_equal(first["mnlp"], first["mnlp_pool"])
    assert (first["eta"] == 0.0).all()


def test_draws_scatter_about_their_expectation(results: pl.DataFrame) -> None:
    noisy = results.filter(pl.col("rational") & (pl.col("eta") > 0))
    means = noisy.group_by("partition", "party", "rho").agg(
        (pl.col("mnlp") - pl.col("mnlp_expected")).mean().alias("gap"), pl.col("mnlp").std().alias("sd")
    )
    assert (means["sd"] > 0).all()
    scores = (means["gap"] / means["sd"] * np.sqrt(DRAWS)).to_numpy()
    assert abs(scores.mean()) < 4 * scores.std() / np.sqrt(len(scores))


def test_a_partition_is_the_same_whatever_else_is_run(results: pl.DataFrame) -> None:
    again = pl.DataFrame(list(improvements(Tiny(), 0, 2)), infer_schema_length=None)
    kept = results.filter(pl.col("partition") == 2).select(again.columns)
    assert kept["v_pool"].to_list() == again["v_pool"].to_list()
    assert kept["mnlp"].to_list() == again["mnlp"].to_list()
    other = next(iter(improvements(Tiny(), 1, 2)))
    assert other["v_pool"] != again["v_pool"][0]


def test_a_picture_a_setting_and_a_table_of_all(tmp_path: Path) -> None:
    paths = run_study(STUDY, Options(folder=tmp_path)).written
    assert {path.name for path in paths} == {
        "tiny-figure.parquet",
        *(f"tiny-figure{end}.{kind}" for end in ("", "-other") for kind in ("png", "svg")),
        "tiny-figure.csv",
        "tiny-figure.md",
    }
    table = pl.read_csv(tmp_path / "tiny-figure.csv")
    assert table.columns == ["quantity or claim", "paper", "tiny", "other"]
    here = dict(zip(table["quantity or claim"], table["tiny"], strict=True))
    assert here["partitions"] == "3"
    assert here["a kernel's term is a nugget"] == "3 of 3"
    rows = pl.read_parquet(paths[0]).filter((pl.col("setting") == "tiny") & pl.col("rational") & (pl.col("rho") == 0.5))
    assert here["points at rho = 0.5"] == str(len(rows))
    positive = rows.filter(pl.col("mnlp_alone") - pl.col("mnlp") > 1e-9)
    assert here["positive improvements in MNLP, rho = 0.5"] == str(len(positive))
    picture = (tmp_path / "tiny-figure.svg").read_text(encoding="utf-8")
    assert f"{len(positive)} positive" in picture


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    options = Options(quick=True, folder=tmp_path)
    run_study(STUDY, options)
    run_study(STUDY, replace(options, repeats=3), lambda done, total: reported.append((done, total)))
    assert reported == [(2, 3), (3, 3)]


def test_a_setting_can_be_chosen_and_an_unknown_one_is_answered_with_those_there_are() -> None:
    assert len(STUDY.tasks(Options(only={"setting": "other"}))) == 3
    with pytest.raises(StudyError, match="setting=NAME with NAME one of tiny, other"):
        STUDY.tasks(Options(only={"setting": "third"}))
    with pytest.raises(StudyError, match="setting=NAME"):
        STUDY.tasks(Options(only={"model": "tiny"}))


def test_the_papers_three_figures_have_its_parties_and_shares() -> None:
    figures = {study.name: study for study in STUDIES if isinstance(study, Scatter)}
    parties = {name: {(s.parties, s.minimum_share) for s in study.settings} for name, study in figures.items()}
    assert parties == {"sim2020-fig3": {(3, 0.1)}, "sim2020-fig5": {(3, 0.1)}, "sim2020-fig6": {(10, 0.05)}}
    for study in figures.values():
        keys = [task.key for quick in (True, False) for task in study.tasks(Options(quick=quick))]
        assert study.repeats >= 50
        assert len(set(keys)) >= study.repeats


def test_diabetes_has_nine_features_and_a_nugget_is_seen() -> None:
    split = DiabetesSetting("known").split(np.random.default_rng(0))
    assert split.X.shape == (332, 9)
    assert split.test_X.shape == (110, 9)
    np.testing.assert_allclose([split.X.mean(), split.y.std()], [0.0, 1.0], atol=1e-12)
    model = GaussianProcess("rbf(lengthscale=6.0, outputscale=1.0) + exponential(lengthscale=0.1, outputscale=1.0)")
    assert DiabetesSetting("known").facts(model, split)["neighbour_correlation"] < 1e-3
    smooth = GaussianProcess("rbf(lengthscale=6.0, outputscale=1.0)")
    assert DiabetesSetting("known").facts(smooth, split)["neighbour_correlation"] > 0.9


def test_ten_parties_on_a_sparse_model_by_sampled_shapley_values() -> None:
    setting = SparseFriedmanSetting(rows=300, inducing=8, permutations=400)
    rows = list(improvements(setting, 0, 0))
    assert {row["party"] for row in rows} == set(range(1, 11))
    assert min(row["rows"] for row in rows) >= 12
    assert 0 < rows[0]["shapley_error"] < 0.3
    assert sum(row["rows"] for row in rows if row["rho"] == 0.5 and row.get("draw", 0) == 0) == 240


def test_houses_are_divided_beside_the_public_ones() -> None:
    try:
        data_file(FILE)  # no test fetches them
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    setting: Setting = CaliforniaSetting(hidden=(4,), epochs=1, rows=80, test=20)
    rows = list(improvements(setting, 0, 0))
    assert sum(row["rows"] for row in rows if row["rho"] == 0.5 and row.get("draw", 0) == 0) == 80
    assert 0 < rows[0]["network_error"] < 1.5
    assert all(np.isfinite(row["mnlp_pool"]) for row in rows)
