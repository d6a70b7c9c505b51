"""Marks of rows: who they are in any units, and the weights that hide one among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.keyed import uniform
from guerdon.models import BayesianLinear
from guerdon.realization import LikelihoodTempering, NoiseInjection
from guerdon.row_marks import RowMarks
from guerdon.scaling import Scaling
from guerdon.types import Contribution
from guerdon.valuation import InformationGain

SECRET = b"of the mediator"


def rows(m: int, seed: int = 0, party: str = "east") -> Contribution:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, 3))
    return Contribution(party, X, X @ [1.0, -1.0, 0.5] + rng.normal(size=m), ("a", "b", "c"))


def marked(contribution: Contribution, count: float = 2.0) -> Contribution:
    return replace(contribution, marks=RowMarks.of(contribution).weighted(SECRET, count))


def test_uniform_numbers_are_uniform_and_belong_to_their_keys() -> None:
    keys = RowMarks.of(rows(20_000)).keys
    u = uniform(SECRET, b"one", keys)
    assert 0.0 < u.min() < u.max() < 1.0
    assert np.histogram(u, 10, (0, 1))[0] == pytest.approx(2000, abs=200)
    assert np.array_equal(uniform(SECRET, b"one", keys[::-1]), u[::-1])
    assert abs(np.corrcoef(u, uniform(SECRET, b"two", keys))[0, 1]) < 0.03
    assert abs(np.corrcoef(u, uniform(b"another", b"one", keys))[0, 1]) < 0.03


@pytest.mark.parametrize("m", [1, 5, 100, 5000])
def test_weights_have_mean_one_and_the_spread_asked_for(m: int) -> None:
    drawn = [RowMarks.of(rows(m, seed)).weighted(SECRET, 2.0).weights for seed in range(max(1, 20_000 // m // 20))]
    weights = np.concatenate([w for w in drawn if w is not None])
    assert np.all(weights > 0.0)
    assert weights.mean() == pytest.approx(1.0, abs=0.15)
    assert weights.std() == pytest.approx(min(1.0, 2.0 / np.sqrt(m)), rel=0.3)


def test_weights_follow_from_all_rows_together() -> None:
    own = rows(50)
    weights = marked(own).marks.weights  # type: ignore[union-attr]
    order = np.random.default_rng(1).permutation(50)
    shuffled = Contribution("east", own.X[order], own.y[order], own.feature_names)  # type: ignore[index]
    assert np.array_equal(marked(shuffled).marks.weights, weights[order])  # type: ignore[union-attr,index]
    fewer = Contribution("east", own.X[:-1], own.y[:-1], own.feature_names)  # type: ignore[index]
    assert not np.any(marked(fewer).marks.weights == weights[:-1])  # type: ignore[union-attr,index]
    assert np.array_equal(RowMarks.of(own).weighted(SECRET, 0.0).weights, np.ones(50))  # type: ignore[arg-type]


def test_marks_belong_to_as_many_rows() -> None:
    own = marked(rows(5))
    with pytest.raises(ValueError, match="has 4 rows and marks of 5"):
        replace(own, X=own.X[:4], y=own.y[:4])  # type: ignore[index]


@pytest.mark.parametrize("realization", [NoiseInjection(), LikelihoodTempering()])
def test_others_rows_count_by_their_weights_and_ones_own_do_not(
    realization: NoiseInjection | LikelihoodTempering,
) -> None:
    pool = [rows(60, 1, "east"), rows(80, 2, "west")]
    model = BayesianLinear(noise=1.0, features="Affine()")
    game = InformationGain(model).game([marked(c) for c in pool])
    best = realization(game, np.full(2, float(game.table()[-1])), rng=np.random.default_rng(0))
    for i, made in enumerate(best):
        w = [np.ones(len(c)) if k == i else c.marks.weights for k, c in enumerate(game.contributions)]  # type: ignore[union-attr]
        X, y = np.concatenate([c.X for c in pool]), np.concatenate([c.y for c in pool])  # type: ignore[misc]
        expected = model.posterior(X, y, 1.0 / np.concatenate(w))  # type: ignore[arg-type]
        np.testing.assert_allclose(made.posterior.weights, expected.weights, rtol=1e-9)  # type: ignore[attr-defined]
        exact = model.posterior(X, y)
        assert np.abs(made.posterior.weights - exact.weights).max() > 1e-4  # type: ignore[attr-defined]


def test_what_scaling_others_see_is_of_the_weighted_rows() -> None:
    pool = [rows(60, 1, "east"), rows(80, 2, "west")]
    exact = Scaling.of_pool(pool)
    assert exact.blurred(pool) is exact
    seen = exact.blurred([marked(c) for c in pool])
    moved = np.abs(seen.feature_mean - exact.feature_mean) / exact.feature_scale
    assert np.all(moved > 1e-5)
    assert np.all(moved < 0.15)
    assert seen.target_mean != exact.target_mean
    assert seen.target_scale == pytest.approx(exact.target_scale, rel=0.1)
    constant = [marked(replace(c, X=np.ones_like(c.X))) for c in pool]
    assert np.array_equal(Scaling.of_pool(constant).blurred(constant).feature_scale, np.ones(3))
