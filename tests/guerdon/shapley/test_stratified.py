"""Stratified sampling: exact where it enumerates, unbiased where it draws, with errors that cover."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest

from guerdon.shapley import MonteCarloShapley, StratifiedShapley
from tests.games import CLOSED_FORM, ClosedFormGame, additive, electoral_college, log_of_sum, symmetric, unanimity
from tests.guerdon.shapley.coverage import repeat

SPREAD = log_of_sum(np.array([0.5, 1.0, 3.0, 9.0, 30.0, 2.0]))


@pytest.mark.parametrize("game", CLOSED_FORM, ids=lambda game: game.name)
def test_every_stratum_enumerated_is_exact(game: ClosedFormGame) -> None:
    samples = game.n * comb(game.n - 1, (game.n - 1) // 2)
    found = StratifiedShapley(samples)(game, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, game.phi, rtol=1e-12, atol=1e-14)
    assert not found.standard_errors.any()
    assert found.evaluations == 2**game.n - 1
    assert found.method == f"stratified, all {game.n**2} strata enumerated"


@pytest.mark.parametrize("allocation", ["neyman", "equal"])
@pytest.mark.parametrize("game", CLOSED_FORM, ids=lambda game: game.name)
def test_right_within_its_errors(game: ClosedFormGame, allocation: Any) -> None:
    found = StratifiedShapley(12 * game.n, allocation)(game, rng=np.random.default_rng(1))
    low, high = found.confidence_interval(0.9999).T  # of no width but for seven parties
    assert np.all((low <= game.phi + 1e-12) & (game.phi <= high + 1e-12))


@pytest.mark.parametrize(
    ("estimator", "game", "worst"),
    [
        (StratifiedShapley(50), SPREAD, 0.9),
        (StratifiedShapley(50, "equal"), SPREAD, 0.9),
        (StratifiedShapley(60), log_of_sum(np.geomspace(0.1, 20.0, 12)), 0.9),
        (StratifiedShapley(120), unanimity(9, [1, 2, 5]), 0.9),
    ],
    ids=["neyman", "equal", "twelve parties", "unanimity"],
)
def test_unbiased_and_intervals_cover_at_their_rate(
    estimator: StratifiedShapley, game: ClosedFormGame, worst: float
) -> None:
    trial = repeat(estimator, game)
    assert trial.is_unbiased()
    unsure = trial.errors.max(axis=0) > 0  # a null party's gain is known for certain
    assert trial.covered[unsure].mean() == pytest.approx(0.95, abs=0.03)
    assert trial.covered.min() >= worst
    rms = np.sqrt(np.square(trial.errors).mean())
    assert rms == pytest.approx(np.sqrt(np.square(trial.spread).mean()), rel=0.1)


def test_estimates_of_different_parties_are_independent() -> None:
    trial = repeat(StratifiedShapley(50), SPREAD, seeds=150)
    correlation = np.corrcoef(trial.values, rowvar=False)[np.triu_indices(SPREAD.n, k=1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(150)
    assert all(np.array_equal(f.covariance, np.diag(np.diagonal(f.covariance))) for f in trial.found)


def test_strata_beat_plain_permutations_for_as_many_gains() -> None:
    game = log_of_sum(np.geomspace(0.1, 20.0, 12))
    stratified, plain = repeat(StratifiedShapley(240), game, seeds=40), repeat(MonteCarloShapley(240), game, seeds=40)
    assert stratified.spread.mean() < 0.6 * plain.spread.mean()


def test_draws_go_where_the_gains_vary() -> None:
    # Nobody gains anything by joining fewer than six others, so that the draws belong to the larger coalitions.
    a = np.concatenate([[10.0], np.ones(11)])
    game = ClosedFormGame("late", np.zeros(12), lambda C: np.maximum(C.sum(axis=1) - 6, 0) * (C @ a))
    neyman, equal = (
        np.mean([StratifiedShapley(300, how)(game, rng=np.random.default_rng(s)).standard_errors for s in range(20)])
        for how in ("neyman", "equal")
    )
    assert neyman < equal


def test_voting_states_and_the_work_it_says() -> None:
    asked: list[int] = []
    truth = electoral_college()

    def counting(coalitions: np.ndarray) -> np.ndarray:
        asked.append(len(coalitions))
        return truth(coalitions)

    game = ClosedFormGame("counted", truth.phi, counting)
    found = StratifiedShapley(408)(game, rng=np.random.default_rng(0))
    assert found.evaluations == sum(asked)
    low, high = found.confidence_interval(0.95).T
    assert np.mean((low <= truth.phi) & (truth.phi <= high)) > 0.8
    assert "2499 strata (allocation 'neyman'), the other 102 strata enumerated" in found.method


def test_one_party_and_no_error_where_there_is_none() -> None:
    assert StratifiedShapley(1)(unanimity(1, [0], 3.0), rng=np.random.default_rng(0)).values == pytest.approx([3.0])
    for game in (additive(np.arange(1.0, 21.0)), symmetric(20, np.sqrt)):
        found = StratifiedShapley(1)(game, rng=np.random.default_rng(0))
        np.testing.assert_allclose(found.values, game.phi, rtol=1e-12)
        assert np.all(found.standard_errors <= 1e-13)


def test_same_seed_same_bits() -> None:
    first, second, other = (StratifiedShapley(20)(SPREAD, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.values, second.values)
    assert not np.array_equal(first.values, other.values)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"samples": 0}, "samples must be a whole number of at least 1, got 0"),
        ({"allocation": "best"}, "allocation is 'neyman' or 'equal', got 'best'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        StratifiedShapley(**arguments)
