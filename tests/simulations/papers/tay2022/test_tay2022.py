"""The synthetic-data paper's tables: what is transcribed hangs together, what is asked for is run, and run once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simulations.cli import main
from simulations.papers import find_studies
from simulations.papers.study import Options, StudyError, run_study
from simulations.papers.tay2022 import STUDIES, cases
from simulations.papers.tay2022.cases import BETAS, Case, Size, chosen_betas, chosen_cases
from simulations.papers.tay2022.measures import MeanError, alpha_correlations, beta_correlation, correlation
from simulations.papers.tay2022.printed import ALPHA, BETA_CORRELATIONS, FULL_TABLES, SVM_CORRELATIONS
from simulations.papers.tay2022.sources import load_problem
from simulations.papers.tay2022.valued import Valued, value_key


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Credit ratings, very few of them."""
    monkeypatch.setitem(cases.QUICK_SIZES, "credit-ratings", Size(60, 600, 80))
    return Options(quick=True, only={"dataset": "credit-ratings"}, folder=tmp_path / "papers")


@pytest.mark.parametrize("case", FULL_TABLES, ids=" ".join)
def test_the_printed_rewards_are_those_of_the_printed_alphas(case: tuple[str, str]) -> None:
    table, alpha = FULL_TABLES[case], np.array(ALPHA[case])
    expected = table.maximum * alpha**table.rho
    # Both sides are printed with three digits, and so are v*, alpha and rho.
    assert table.rewards == pytest.approx(expected, rel=0.012)
    assert max(alpha) == 1.0
    assert table.rewards[int(alpha.argmax())] == pytest.approx(table.maximum, rel=0.006)


@pytest.mark.parametrize("case", FULL_TABLES, ids=" ".join)
def test_the_printed_counts_have_the_printed_correlations_with_beta(case: tuple[str, str]) -> None:
    """Tables 7 and 8 follow from 9 to 16: mean and standard error over the parties."""
    counts = np.array([FULL_TABLES[case].counts[beta] for beta in BETAS], dtype=np.float64)  # (4, 5)
    correlations = np.array([np.corrcoef(BETAS, column)[0, 1] for column in counts.T])
    printed = BETA_CORRELATIONS[case][0]
    assert correlations.mean() == pytest.approx(printed.mean, abs=0.006)
    assert correlations.std(ddof=1) / np.sqrt(5) == pytest.approx(printed.standard_error, rel=0.15)


def test_there_is_a_study_for_every_table_and_figure() -> None:
    numbers = {f"tay2022-table{number}" for number in range(5, 17)}
    others = {"tay2022-fig1", "tay2022-fig2", "tay2022-svm", "tay2022-embeddings"}
    assert {study.name for study in STUDIES} == numbers | others
    assert len(SVM_CORRELATIONS) == 6


def test_every_table_and_picture_of_a_case_comes_from_one_computation(options: Options) -> None:
    seen: list[tuple[int, int]] = []
    written = [
        run_study(study, options, lambda done, total: seen.append((done, total))).written
        for study in find_studies("tay2022")
        if study.tasks(options)
    ]
    results = pl.read_parquet(options.folder / "tay2022.parquet")
    kinds = results["kind"].value_counts()
    assert dict(kinds.iter_rows()) == {"value": 10, "sample": 40, "closeness": 40, "accuracy": 40, "embedding": 2}
    assert results.select("task", "party").is_duplicated().sum() == 0
    for paths in written:
        assert all(path.stat().st_size > 0 for path in paths)
    table = pl.read_csv(options.folder / "tay2022-table10.csv")
    assert table.filter(pl.col("what") == "v*")["paper"].item() == 0.0898
    assert len(table) == 3 + 5 + 2 * 4 * 5
    strong = pl.read_csv(options.folder / "tay2022-table8.csv").filter(pl.col("beta with") == "|G_i|")
    assert float(strong["mean ± standard error over parties"].item().split()[0]) < -0.5
    again: list[tuple[int, int]] = []
    run_study(find_studies("tay2022-svm")[0], options, lambda done, total: again.append((done, total)))
    assert again[0][0] == again[0][1], "nothing is left to run"


@pytest.mark.slow
def test_a_case_without_feasible_rewards_is_shown_with_its_reason_and_the_others_go_on(
    options: Options, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """400 synthetic rows suffice for one split and not for the other."""
    monkeypatch.setitem(cases.QUICK_SIZES, "credit-ratings", Size(60, 400, 80))
    for _ in range(2):  # with all results there it only draws, and still says what is missing
        command = ["paper", "tay2022", "--quick", "--only", "dataset=credit-ratings", "--jobs", "1"]
        assert main([*command, "--output-dir", str(options.folder)]) == 1
        complaints = capsys.readouterr().err
        assert complaints.count("Missing: CR, equal disjoint split: no rho in [0, 1] gives stable rewards") == 1
        assert "Tried 400 synthetic points" in complaints
        assert "CR, unequal split" not in complaints
    for name, empty in {"table5": True, "table7": True, "table9": True, "table6": False, "table10": False}.items():
        text = (options.folder / f"tay2022-{name}.md").read_text()
        assert ("Missing: CR, equal disjoint split: no rho" in text) == empty
        table = pl.read_csv(options.folder / f"tay2022-{name}.csv", infer_schema_length=None)
        ours = [column for column in table.columns if column in ("alpha_1", "here") or column.startswith("mean ±")]
        assert table[ours[0]].is_null().all() == empty
    for name in ("fig2", "svm"):
        table = pl.read_csv(options.folder / f"tay2022-{name}.csv")
        assert [row[2] is None for row in table.iter_rows()] == [True, False]
        assert "Missing: CR, equal disjoint split: no rho" in (options.folder / f"tay2022-{name}.md").read_text()
    assert (options.folder / "tay2022-fig2.png").exists()
    assert (options.folder / "tay2022-embeddings-credit-ratings-unequal.png").exists()
    assert not (options.folder / "tay2022-embeddings-credit-ratings-equal-disjoint.png").exists()
    only_it = ["--only", "split=equal-disjoint"]
    assert main([*command, *only_it, "--output-dir", str(options.folder)]) == 1, "nothing left to draw is no crash"


def test_what_is_kept_is_what_was_valued(options: Options) -> None:
    run_study(find_studies("tay2022-table5")[0], options)
    (case,) = chosen_cases(options, splits=["equal-disjoint"])
    valued = Valued.load(options.folder, value_key(case))
    row = pl.read_parquet(options.folder / "tay2022.parquet").filter(pl.col("party") == 2)
    assert valued.alpha[1] == row["alpha"].item()
    everybody = np.ones((1, 5), dtype=bool)
    points = np.concatenate([c.X for c in valued.contributions])
    assert valued.game(everybody)[0] == pytest.approx(valued.game.value(points), rel=1e-12)
    assert [len(c) for c in valued.contributions] == [60] * 5
    (options.folder / "tay2022" / f"{case.key}-value.npz").unlink()
    with pytest.raises(StudyError, match="is gone"):
        Valued.load(options.folder, value_key(case))


def test_only_takes_what_there_is(options: Options) -> None:
    def chosen(**only: str) -> list[Case]:
        return chosen_cases(replace(options, quick=False, only=only))

    assert len(chosen()) == 8
    assert [case.dataset for case in chosen(dataset="mnist, cifar10", split="unequal")] == ["mnist", "cifar10"]
    assert chosen(dataset="credit-card", size="paper")[0].size.synthetic == 100_000
    assert chosen_betas(replace(options, only={"beta": "1,8"})) == (1, 8)
    with pytest.raises(StudyError, match="Did you mean 'mnist'"):
        chosen(dataset="minst")
    with pytest.raises(StudyError, match="--only takes dataset, split, beta, size"):
        chosen(splits="unequal")
    with pytest.raises(StudyError, match="leave --only beta= out"):
        find_studies("tay2022-table7")[0].tasks(replace(options, only={"beta": "1"}))


def test_the_credit_ratings_at_full_size_are_the_papers_own() -> None:
    case = Case("credit-ratings", "unequal", cases.SIZES["credit-ratings"], 0)
    problem = load_problem(case, np.random.default_rng(0))
    assert [len(c) for c in problem.contributions] == [1000] * 5
    assert problem.limit == case.size.synthetic == 100_000
    assert problem.contributions[0].y is not None
    assert np.bincount(problem.contributions[0].y.astype(int)).tolist() == [200] * 5


def test_correlations_by_hand() -> None:
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert correlation([1, 1, 1], [2, 4, 6]) is None
    table = pl.DataFrame(
        {
            "beta": [1, 1, 2, 2],
            "party": [1, 2, 1, 2],
            "count": [10.0, 30.0, 5.0, 40.0],
            "alpha": [0.5, 1.0, 0.5, 1.0],
        }
    )
    assert beta_correlation(table, "count") == pytest.approx((0.0, 1.0))  # -1 and 1: their mean and standard error
    assert alpha_correlations(table, "count", -1.0) == pytest.approx((-1.0, 0.0))
    assert str(MeanError(None, None)) == "–"
    assert str(MeanError(0.5, 0.012)) == "0.500 ± 0.012"
