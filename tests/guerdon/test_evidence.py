"""Evidence: honest parties are seldom flagged, shuffled outputs nearly always, and copies are counted."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon.evidence import gather_evidence
from guerdon.models import BayesianLinear, GaussianProcess
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
