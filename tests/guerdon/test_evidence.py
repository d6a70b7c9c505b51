"""Evidence: honest parties are seldom flagged, shuffled outputs nearly always, and copies are counted."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon.evidence import gather_evidence
from guerdon.models import BayesianLinear, GaussianProcess, PartyEffects
from guerdon.types import Contribution
from guerdon.valuation import InformationGain


def parties(seed, names=("ada", "bob", "eve")):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=3)
    made = []
    for name in names:
        X = rng.normal(size=(int(rng.integers(20, 60)), 3)) + 0.5 * rng.normal(size=3)
        made.append(Contribution(name, X, X @ w + 0.7 * rng.normal(size=len(X))))
    return made


def evidence(contributions, noise=None):
    model = BayesianLinear(noise=noise)
    return gather_evidence(model, contributions, InformationGain(model.fit(contributions)).game(contributions))


def flagged(seeds, names=("ada", "bob", "eve"), noise=None):
    return np.mean([e.flagged for seed in seeds for e in evidence(parties(seed, names), noise)])


def test_few_honest_parties_are_flagged():
    assert flagged(range(12)) <= 3 / 36


@pytest.mark.slow
@pytest.mark.parametrize(("names", "noise"), [("ab", None), ("abc", None), ("abcde", None), ("abc", "by-party")])
def test_at_most_one_honest_party_in_twenty_is_flagged(names, noise):
    parties_in_all = 200 * len(names)
    assert flagged(range(200), names, noise) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / parties_in_all)


def one_differs(seed, model):
    """Of four parties, the last with weights of its own: who is flagged."""
    pool = parties(seed, "abcd")
    X, rng = pool[-1].X, np.random.default_rng(1000 + seed)
    pool[-1] = replace(pool[-1], y=X @ (3.0 * rng.normal(size=3)) + 0.7 * rng.normal(size=len(X)))
    return [e.flagged for e in gather_evidence(model, pool, InformationGain(model.fit(pool)).game(pool))]


@pytest.mark.parametrize("noise", [None, "by-party"])
def test_where_one_differs_and_has_an_effect_it_is_told_of_and_the_others_are_not(noise):
    model = BayesianLinear(noise=noise, effects="by-party")
    found = np.array([one_differs(seed, model) for seed in range(10)])
    assert found[:, :-1].sum() <= 3
    assert found[:, -1].sum() >= 8


@pytest.mark.slow
def test_at_most_one_honest_party_in_twenty_is_flagged_beside_one_that_differs():
    found = np.array([one_differs(seed, BayesianLinear(effects="by-party"))[:-1] for seed in range(30)])
    assert found.mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / found.size)


def test_effects_that_are_none_change_no_evidence():
    pool = parties(4)  # of two others nobody can tell which differs, so that no effect is learned
    game = InformationGain(BayesianLinear().fit(pool)).game(pool)
    plain, with_effects = (
        gather_evidence(BayesianLinear(effects=effects), pool, game) for effects in (None, "by-party")
    )
    for one, other in zip(plain, with_effects, strict=True):
        assert other.surprise == pytest.approx(one.surprise, rel=1e-4)
        assert other.probability == pytest.approx(one.probability, rel=1e-3)


def test_rows_that_nobody_is_named_for_have_no_posterior_under_effects():
    model = BayesianLinear(noise=0.1, effects=PartyEffects({"a": 0.0, "b": 0.2}))
    with pytest.raises(ValueError, match="do not say whose they are"):
        model.posterior(np.ones((2, 1)), np.ones(2))
    none = replace(model, effects=PartyEffects({"a": 0.0}))
    assert none.posterior(np.ones((2, 1)), np.ones(2)).weights == pytest.approx([2.0 / 2.1])


def test_shuffled_outputs_surprise():
    pool = parties(0)
    pool[0] = replace(pool[0], y=np.random.default_rng(1).permutation(pool[0].y))
    first, *_ = evidence(pool)
    assert first.flagged
    assert first.surprise > 1.5
    assert "do not foresee" in first.sentences()[0]


def test_rows_far_from_all_others_do_not_surprise():
    rng = np.random.default_rng(3)
    near, far = rng.normal(size=(30, 1)), rng.normal(size=(10, 1)) + 100.0
    pool = [Contribution("ada", near, np.sin(near[:, 0])), Contribution("bob", far, rng.normal(size=10))]
    model = GaussianProcess(kernel="rbf", noise=0.1)
    found = gather_evidence(model, pool, InformationGain(model.fit(pool)).game(pool))
    assert not found[1].flagged
    assert found[1].alone_share == pytest.approx(1.0, abs=1e-6)
    assert any("nobody else's data" in sentence for sentence in found[1].sentences())


def test_near_copies_are_counted():
    pool = parties(0)
    c = pool[1]
    pool[1] = replace(c, X=np.concatenate([c.X, c.X + 1e-4]), y=np.tile(c.y, 2))
    assert evidence(pool)[1].near_copies == len(c)


def test_copies_of_anothers_rows_are_told_to_both():
    pool = parties(0)
    ada, bob, eve = pool
    taken = Contribution("bob", np.concatenate([bob.X, ada.X[:15] + 1e-4]), np.concatenate([bob.y, ada.y[:15] + 1e-4]))
    first, second, third = evidence([ada, taken, eve])
    assert (first.copies_of_others, second.copies_of_others, third.copies_of_others) == (15, 15, 0)
    assert any("15 of its rows and rows of another party are copies" in said for said in first.sentences())
    assert not any("copies" in said for said in third.sentences())


def test_one_party_has_nobody_to_be_told_by():
    with pytest.raises(ValueError, match="one party only"):
        evidence(parties(0)[:1])
