"""The catalogue on a collaboration small enough for a second: what lies earn, resumed, tabled and drawn."""

import re
import tomllib
from pathlib import Path

import polars as pl
import pytest

from guerdon.models import BayesianLinear
from guerdon.plugins import PluginError, build
from guerdon.valuation import PredictiveInformation
from server.config import RunConfig
from simulations.lies import Duplicates, Honest, Shells, WideRandomInputs, Withholding
from simulations.lies.collaboration import Collaboration, Rules
from simulations.lies.study import LieStudy, rules_of, summary
from simulations.papers.study import Options, StudyError, run_study
from simulations.prepare import plan
from simulations.scenarios import load_scenario

LINEAR = ("model=BayesianLinear(noise=0.5, features='Affine()')", "discloses-rows=false")


@pytest.fixture(scope="module")
def models():
    return Collaboration(plan(load_scenario("diabetes"), LINEAR, seed=0), liar=0)


def test_honesty_changes_nothing_and_a_wide_box_buys_the_papers_reward(models):
    rules = Rules("the paper's", {})
    honest, lied = models.earned(Honest(), rules), models.earned(WideRandomInputs(), rules)
    assert models.earned(Honest(), rules) == honest
    assert lied.reward >= honest.reward
    assert lied.share > honest.share
    assert set(lied.alphas) == {"party-2", "party-3"}
    assert lied.utility <= honest.utility  # with a better reward the true rows predict no worse


def test_shells_are_counted_together(models):
    honest, lied = (models.earned(lie, Rules("the paper's", {})) for lie in (Honest(), Shells(names=4)))
    assert lied.share > honest.share


def test_withholding_is_judged_by_all_true_rows(models):
    honest, lied = (models.earned(lie, Rules("the paper's", {})) for lie in (Honest(), Withholding()))
    assert lied.share < honest.share
    assert lied.utility < 2.0 * abs(honest.utility)


def test_party_effects_and_public_references_find_a_wide_box_out(models):
    recommended = next(r for r in rules_of(synthetic=False) if r.name == "recommended")
    honest, lied = models.earned(Honest(), recommended), models.earned(WideRandomInputs(), recommended)
    assert lied.reward < honest.reward
    assert lied.utility >= honest.utility
    assert all(lied.alphas[party] > 0.9 * honest.alphas[party] for party in honest.alphas)
    copied = models.earned(Duplicates(times=3), recommended)
    assert copied.utility == pytest.approx(honest.utility, rel=1e-9)  # nobody holds rows out, and copies count once


def test_what_the_docs_recommend_is_what_is_measured():
    text = (Path(__file__).parents[3] / "docs" / "honesty.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    said, recommended = tomllib.loads(block), rules_of(synthetic=False)[-1]
    model = build(said["model"], {"BayesianLinear": BayesianLinear})
    assert (model.noise == "by-party", model.effects == "by-party") == (recommended.by_party, recommended.effects)
    assert build(said["valuation"], {"PredictiveInformation": PredictiveInformation}) is not None
    assert (said["references"] == "public", said["deduplicate"] == "near") == (
        recommended.public,
        recommended.copies_once,
    )
    assert set(said) <= {name.replace("_", "-") for name in RunConfig.model_fields}


def test_party_effects_are_of_linear_models():
    of_kernels = Collaboration(plan(load_scenario("diabetes"), (), seed=0), liar=0)
    recommended = rules_of(synthetic=False)[-1]
    with pytest.raises(ValueError, match="party effects are of linear models"):
        of_kernels.earned(Honest(), recommended)


def test_copies_move_an_even_reference_less(tmp_path):
    overrides = ["generator=GaussianMixture(components=1)", "dataset=BreastCancer()"]
    synthetic = Collaboration(plan(load_scenario("breast-cancer"), overrides, seed=0), liar=0, size=200)
    paper, even, _ = rules_of(synthetic=True)
    gained = []
    for rules in (paper, even):
        honest, lied = synthetic.earned(Honest(), rules), synthetic.earned(Duplicates(times=5), rules)
        gained.append(lied.share - honest.share)
    assert gained[0] > 0.0
    assert gained[1] < gained[0]


def test_a_study_is_resumed_tabled_and_drawn(tmp_path):
    study = LieStudy("diabetes", LINEAR)
    options = Options(repeats=2, only={"lie": "Duplicates(times=2)", "rules": "the paper's"}, folder=tmp_path)
    run_study(study, options)
    reports = []
    outcome = run_study(study, options, lambda done, total: reports.append((done, total)))
    assert reports == [(2, 2)]
    assert {path.suffix for path in outcome.written} == {".parquet", ".csv", ".png", ".svg"}
    (row,) = pl.read_csv(tmp_path / "lies-diabetes.csv").to_dicts()
    assert (row["rules"], row["lie"], row["seeds"], row["refused"]) == ("the paper's", "Duplicates(times=2)", 2, 0)
    assert row["share_change"] > 0.0


def test_refused_lies_are_counted():
    told = pl.DataFrame({"rules": ["r"], "lie": ["l"], "seed": [0], "refused": ["no"]})
    (row,) = summary(told)
    assert (row["seeds"], row["refused"]) == (1, 1)


@pytest.mark.parametrize(("only", "error"), [({"rules": "none"}, StudyError), ({"lie": "Li()"}, PluginError)])
def test_what_is_not_on_offer_is_refused(only, error):
    with pytest.raises(error, match=r"[Oo]n offer"):
        LieStudy("diabetes").tasks(Options(only=only))
