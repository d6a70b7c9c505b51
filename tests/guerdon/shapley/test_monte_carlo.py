"""Plain permutations: unbiased, with errors that cover, and as many as the bound asks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from guerdon.shapley import MonteCarloShapley, hoeffding_permutations, monte_carlo
from tests.games import (
    CLOSED_FORM,
    ClosedFormGame,
    additive,
    airport,
    airport_of_hundred,
    electoral_college,
    log_of_sum,
    symmetric,
    unanimity,
)
from tests.guerdon.shapley.coverage import repeat


@pytest.mark.parametrize("game", CLOSED_FORM, ids=lambda game: game.name)
def test_right_within_its_errors(game: ClosedFormGame) -> None:
    found = MonteCarloShapley(2000)(game, rng=np.random.default_rng(1))
    assert np.all(np.abs(found.values - game.phi) <= 4.5 * found.standard_errors + 1e-12)
    assert found.values.sum() == pytest.approx(float(game(np.ones((1, game.n), dtype=bool))[0]), rel=1e-12)
    assert found.evaluations < 2**game.n
    assert found.method == "2000 independent permutations"


@pytest.mark.parametrize(
    ("game", "permutations", "worst"),
    [
        (log_of_sum(np.array([0.5, 1.0, 3.0, 9.0, 30.0])), 100, 0.9),
        (electoral_college(), 1500, 0.85),  # small states seldom swing the vote, so that the errors are skewed
        (airport_of_hundred(), 1000, 0.8),  # the smallest aircraft seldom gain
    ],
    ids=["log of sum", "electoral college", "airport"],
)
def test_unbiased_and_intervals_cover_at_their_rate(game: ClosedFormGame, permutations: int, worst: float) -> None:
    trial = repeat(MonteCarloShapley(permutations), game)
    assert trial.is_unbiased()
    assert trial.covered.mean() == pytest.approx(0.95, abs=0.025)
    assert trial.covered.min() >= worst
    assert np.sqrt(np.square(trial.errors).mean()) == pytest.approx(np.sqrt(np.square(trial.spread).mean()), rel=0.1)


def test_the_covariance_is_that_of_the_estimates() -> None:
    game = log_of_sum(np.array([1.0, 2.0, 5.0]))
    trial = repeat(MonteCarloShapley(40), game, seeds=400)
    expected = np.cov(trial.values, rowvar=False)
    mean = np.mean([f.covariance for f in trial.found], axis=0)
    np.testing.assert_allclose(mean, expected, atol=0.2 * np.abs(expected).max())


def test_batches_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    game = log_of_sum(np.array([1.0, 2.0, 5.0]))
    whole = MonteCarloShapley(50)(game, rng=np.random.default_rng(0))
    monkeypatch.setattr(monte_carlo, "BATCH", 7 * 3 * 4)
    parts = MonteCarloShapley(50)(game, rng=np.random.default_rng(0))
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-12)
    np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-10)


def test_the_bound_is_hoeffdings() -> None:
    assert hoeffding_permutations(3.0, 0.2, 0.1, 7) == math.ceil(9.0 * math.log(140.0) / 0.08)
    assert hoeffding_permutations([1.0, 3.0], 0.2, 0.1, 7) == hoeffding_permutations(3.0, 0.2, 0.1, 7)
    assert hoeffding_permutations(0.0, 0.2, 0.1, 7) == 1


def test_it_fails_less_often_than_delta_and_with_a_tenth_of_the_permutations_more_often() -> None:
    game, epsilon, delta = unanimity(2, [0, 1]), 0.1, 0.3  # gains are 0 or 1, each half of the time: the worst there is
    found = [
        MonteCarloShapley(epsilon=epsilon, delta=delta, range=1.0)(game, rng=np.random.default_rng(seed))
        for seed in range(200)
    ]
    needed = hoeffding_permutations(1.0, epsilon, delta, 2)
    assert all(f.method.startswith(f"{needed} independent permutations") for f in found)
    assert "0.1 with probability 0.3 at most by Hoeffding's bound for the range given" in found[0].method

    def failures(values: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(v - 0.5).max() >= epsilon for v in values]))

    assert failures([f.values for f in found]) < delta
    few = [MonteCarloShapley(needed // 10)(game, rng=np.random.default_rng(seed)).values for seed in range(200)]
    assert failures(few) > delta


def test_a_submodular_games_ranges_are_found_and_the_bound_keeps_its_word() -> None:
    game = airport(np.arange(1.0, 13.0))  # gains of party i run from 0 to its cost, but the last one's from 1
    trial = repeat(MonteCarloShapley(epsilon=1.0, delta=0.2), game, seeds=60)
    assert np.mean([np.abs(v - game.phi).max() >= 1.0 for v in trial.values]) < 0.2
    needed = hoeffding_permutations(11.0, 1.0, 0.2, 12)
    assert trial.found[0].method.startswith(f"{needed} independent permutations, off by 1 with")
    assert "submodular" in trial.found[0].method


def test_ranges_by_party_and_games_without_error() -> None:
    game = additive(np.array([1.0, 2.0, 5.0]))
    by_range = MonteCarloShapley(epsilon=0.5, range=(0.0, 0.1, 0.5))(game, rng=np.random.default_rng(0))
    assert by_range.method.startswith(f"{hoeffding_permutations(0.5, 0.5, 0.05, 3)} independent")
    exact = MonteCarloShapley(epsilon=1e-6)(game, rng=np.random.default_rng(0))
    assert exact.method.startswith("2 independent permutations")  # the least that tells an error
    np.testing.assert_allclose(exact.values, game.phi, rtol=1e-12)


@pytest.mark.parametrize(
    ("game", "chosen"),
    [
        (symmetric(6, lambda size: size**2), None),  # supermodular
        (unanimity(5, [1, 2, 3]), None),  # all gains of 0 at both ends, 1 between
        (airport(np.array([1.0, 4.0, 9.0])), 3.0),
        (airport(np.array([1.0, 4.0, 9.0])), (1.0, 4.0, 2.0)),
    ],
)
def test_a_broken_promise_of_the_range_is_refused(game: ClosedFormGame, chosen: Any) -> None:
    with pytest.raises(ValueError, match=r"party \d's gains lie between .* not submodular, or the range too small"):
        MonteCarloShapley(epsilon=0.1, range=chosen)(game, rng=np.random.default_rng(0))


def test_same_seed_same_bits() -> None:
    game = log_of_sum(np.array([1.0, 2.0, 5.0]))
    first, second, other = (MonteCarloShapley(20)(game, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.values, second.values)
    assert not np.array_equal(first.values, other.values)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"permutations": 0}, "permutations must be a whole number of at least 1, got 0"),
        ({"permutations": 10, "epsilon": 0.1}, "give permutations, or epsilon"),
        ({"epsilon": -0.1}, "epsilon is a positive number, got -0.1"),
        ({"epsilon": 0.1, "delta": 1.0}, "delta is a probability between 0 and 1, got 1.0"),
        ({"range": 1.0}, "range serves the bound for a wanted epsilon"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MonteCarloShapley(**arguments)


@pytest.mark.parametrize(
    ("given", "complaint"), [((1.0, 2.0), r"one number or 3, one a party, got shape \(2,\)"), (-1.0, "not negative")]
)
def test_ranges_must_fit(given: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MonteCarloShapley(epsilon=0.1, range=given)(additive(np.ones(3)), rng=np.random.default_rng(0))
