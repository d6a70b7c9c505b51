"""Evidence: honest parties are seldom flagged, shuffled outputs nearly always, and copies are counted."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon.evidence import gather_evidence
from guerdon.models import BayesianLinear, GaussianProcess
from guerdon.types import Contribution
from guerdon.valuation import InformationGain


def parties(seed):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=3)
    made = []
    for name in ("ada", "bob", "eve"):
        X = rng.normal(size=(int(rng.integers(20, 60)), 3)) + 0.5 * rng.normal(size=3)
        made.append(Contribution(name, X, X @ w + 0.7 * rng.normal(size=len(X))))
    return made


def evidence(contributions):
    model = BayesianLinear(noise=None)
    return gather_evidence(model, contributions, InformationGain(model.fit(contributions)).game(contributions))


def flagged(seeds):
    return np.mean([e.flagged for seed in seeds for e in evidence(parties(seed))])


def test_few_honest_parties_are_flagged():
    assert flagged(range(12)) <= 3 / 36


@pytest.mark.slow
def test_at_most_one_honest_party_in_twenty_is_flagged():
    assert flagged(range(200)) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 600)


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


def test_one_party_has_nobody_to_be_told_by():
    with pytest.raises(ValueError, match="one party only"):
        evidence(parties(0)[:1])
