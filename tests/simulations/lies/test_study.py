"""The catalogue on a collaboration small enough for a second: what lies earn, resumed, tabled and drawn."""

import re
import tomllib
from pathlib import Path

import polars as pl
import pytest

from guerdon.models import BayesianLinear
from guerdon.plugins import PluginError, build
from guerdon.rewards import RectifiedRhoShapley
from guerdon.valuation import MaximumMeanDiscrepancy, PredictiveInformation
from server.config import RunConfig
from simulations.lies import Duplicates, Honest, Shells, ShuffledOutputs, WideRandomInputs, Withholding
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


@pytest.fixture(scope="module")
def synthetic():
    overrides = ["generator=GaussianMixture(components=1)", "dataset=BreastCancer()"]
    return Collaboration(plan(load_scenario("breast-cancer"), overrides, seed=0), liar=0, size=200, rows=60)


def test_copies_buy_the_papers_value_and_nothing_where_they_count_once(synthetic):
    gained = []
    for rules in rules_of(synthetic=True):
        honest, lied = synthetic.earned(Honest(), rules), synthetic.earned(Duplicates(times=5), rules)
        gained.append(lied.share - honest.share)
    assert gained[0] > 0.01
    assert gained[1:] == [0.0, 0.0]


def test_a_lie_about_outputs_is_none_where_rewards_are_synthetic_rows(synthetic):
    rules, *_ = rules_of(synthetic=True)
    assert synthetic.earned(ShuffledOutputs(), rules) is synthetic.earned(Honest(), rules)


def test_public_rows_are_none_that_utility_is_told_on(synthetic):
    sent, (unseen, _), public = synthetic._dealt
    assert {len(c) for c in sent} == {60}
    assert len(public) >= 10
    assert not {row.tobytes() for row in public} & {row.tobytes() for row in unseen}
    valuation, scheme = MaximumMeanDiscrepancy(reference="public", rows="median"), RectifiedRhoShapley("none", rho=0.5)
    rules = Rules("public", {"valuation": valuation, "scheme": scheme})
    assert synthetic.earned(Honest(), rules).utility > 0.0


def test_rules_keep_the_scenarios_length_scale():
    _, median, by_rows = rules_of(True, MaximumMeanDiscrepancy(lengthscale="paper"))
    assert median.parts["valuation"].lengthscale == "paper"
    assert median.parts["valuation"].rows == "median"
    assert by_rows.parts["valuation"] is median.parts["valuation"]


def test_a_scenario_with_synthetic_rewards_is_made_smaller_unless_told_otherwise():
    (task,) = LieStudy("digits").tasks(Options(repeats=1))
    assert task.arguments["overrides"] == ("generator=GaussianMixture(components=1)",)
    assert (task.arguments["size"], task.arguments["rows"]) == (300, 100)
    (own,) = LieStudy("digits", ("generator=KernelDensity()",)).tasks(Options(repeats=1))
    assert own.arguments["overrides"][-1] == "generator=KernelDensity()"
    assert own.key != task.key


def test_where_honesty_is_refused_the_other_rules_have_their_numbers(tmp_path, monkeypatch):
    earned = Collaboration.earned

    def refused(self, lie, rules):
        if rules.name != "the paper's":
            raise ValueError("no")
        return earned(self, lie, rules)

    monkeypatch.setattr(Collaboration, "earned", refused)
    study = LieStudy("diabetes", LINEAR)
    outcome = run_study(study, Options(repeats=1, only={"lie": "Duplicates(times=2)"}, folder=tmp_path))
    assert all("where all are honest, no" in reason for reason in outcome.missing.values())
    (row,) = pl.read_csv(tmp_path / "lies-diabetes.csv").to_dicts()
    assert row["rules"] == "the paper's"


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
