"""Sampled Shapley values: unbiased, with standard errors that mean what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from guerdon.shapley import PermutationShapley
from guerdon.shapley.permutation import MINIMUM_BLOCKS
from tests.games import (
    CLOSED_FORM,
    ClosedFormGame,
    additive,
    airport,
    airport_of_hundred,
    electoral_college,
    log_of_sum,
    unanimity,
)
from tests.guerdon.shapley.coverage import repeat

SPREAD = log_of_sum(np.array([0.5, 1.0, 3.0, 9.0, 30.0]))
MANY = log_of_sum(np.geomspace(0.1, 20.0, 30))


@pytest.mark.parametrize("game", CLOSED_FORM, ids=lambda game: game.name)
def test_right_within_its_errors(game: ClosedFormGame) -> None:
    found = PermutationShapley(2000)(game, rng=np.random.default_rng(1))
    assert np.all(np.abs(found.values - game.phi) <= 4.5 * found.standard_errors + 1e-12)
    assert found.values.sum() == pytest.approx(float(game(np.ones((1, game.n), dtype=bool))[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("game", "permutations", "worst"),
    [
        (SPREAD, 80, 0.88),
        (MANY, 180, 0.88),
        (MANY, 600, 0.88),
        (electoral_college(), 2000, 0.85),
        (airport_of_hundred(), 1000, 0.82),  # small aircraft are seldom other than first among the small
        (airport_of_hundred(), 4000, 0.85),
    ],
    ids=["5 parties", "30 parties, few", "30 parties", "electoral college", "airport, few", "airport"],
)
def test_unbiased_and_intervals_cover_at_their_rate(game: ClosedFormGame, permutations: int, worst: float) -> None:
    trial = repeat(PermutationShapley(permutations), game)
    assert trial.is_unbiased()
    assert trial.covered.mean() == pytest.approx(0.95, abs=0.03)
    assert trial.covered.min() >= worst
    # The errors' mean square is the values' variance.
    assert np.sqrt(np.square(trial.errors).mean()) == pytest.approx(np.sqrt(np.square(trial.spread).mean()), rel=0.12)


@pytest.mark.parametrize("game", [MANY, airport_of_hundred()], ids=["30 parties", "airport"])
def test_there_are_blocks_enough_for_the_normal_quantile_too(game: ClosedFormGame) -> None:
    trial = repeat(PermutationShapley(1000), game)
    normal = np.abs(trial.values - game.phi) <= 1.96 * trial.errors
    assert normal.mean() == pytest.approx(0.95, abs=0.025)
    assert trial.found[0].degrees_of_freedom >= 31


def test_the_covariance_is_that_of_the_estimates() -> None:
    game = log_of_sum(np.array([1.0, 2.0, 5.0, 6.0, 7.0, 8.0, 9.0]))
    trial = repeat(PermutationShapley(70), game, seeds=400)
    expected = np.cov(trial.values, rowvar=False)
    mean = np.mean([f.covariance for f in trial.found], axis=0)
    np.testing.assert_allclose(mean, expected, atol=0.25 * np.abs(expected).max())
    assert np.all(np.abs(mean.sum(axis=1)) <= 1e-12)  # the estimates always sum to v_N


@pytest.mark.parametrize(
    ("game", "wanted"),
    [
        (SPREAD, 0.004),
        (SPREAD, 0.008),
        (MANY, 0.008),
        (electoral_college(), 0.008),
    ],
    ids=["5 parties", "5 parties, roughly", "30 parties", "electoral college"],
)
def test_intervals_cover_where_sampling_stopped_at_a_wanted_error(game: ClosedFormGame, wanted: float) -> None:
    trial = repeat(PermutationShapley(standard_error=wanted), game)
    assert np.all(trial.errors <= wanted)
    assert trial.covered.mean() == pytest.approx(0.95, abs=0.03)
    assert np.all(np.abs(trial.bias) <= 0.35 * trial.spread)  # 0.1 of their spread, up to 3.5 of its own deviations
    blocks = {int(f.degrees_of_freedom) + 1 for f in trial.found}
    assert min(blocks) >= MINIMUM_BLOCKS
    assert len(blocks) > 1
    assert all("reached: " in f.method and "NOT" not in f.method for f in trial.found)


def test_a_wanted_error_costs_what_it_must() -> None:
    # Half the error takes four times the permutations; the overshoot is a quarter at the most.
    def permutations(wanted: float) -> float:
        found = [PermutationShapley(standard_error=wanted)(SPREAD, rng=np.random.default_rng(s)) for s in range(20)]
        return float(np.mean([int(f.method.split()[0]) for f in found]))

    assert permutations(0.002) / permutations(0.004) == pytest.approx(4.0, rel=0.15)


def test_a_wanted_error_that_is_not_reached_is_said() -> None:
    found = PermutationShapley(640, standard_error=1e-6)(SPREAD, rng=np.random.default_rng(0))
    assert found.method.startswith(
        "640 permutations (rotated and antithetic, 64 blocks), wanted standard error 1e-06 NOT"
    )
    assert found.standard_errors.max() > 1e-6
    few = PermutationShapley(20, standard_error=1.0)(SPREAD, rng=np.random.default_rng(0))
    assert "10 blocks), wanted standard error 1 not certain" in few.method


def test_a_relative_error_is_a_share_of_the_largest_value() -> None:
    found = PermutationShapley(standard_error=0.01, relative=True)(SPREAD, rng=np.random.default_rng(0))
    assert found.standard_errors.max() <= 0.01 * found.values.max()
    scaled = ClosedFormGame("scaled", 1e6 * SPREAD.phi, lambda C: 1e6 * SPREAD(C))
    again = PermutationShapley(standard_error=0.01, relative=True)(scaled, rng=np.random.default_rng(0))
    np.testing.assert_allclose(again.values, 1e6 * found.values, rtol=1e-12)
    nothing = ClosedFormGame("nothing", np.zeros(3), lambda C: np.zeros(len(C)))
    found = PermutationShapley(standard_error=0.01, relative=True)(nothing, rng=np.random.default_rng(0))
    assert not found.values.any()
    assert "reached" in found.method


def test_chains_and_single_coalitions_give_the_same() -> None:
    game = log_of_sum(np.geomspace(0.1, 20.0, 20))
    by_chains = PermutationShapley(1280)(game, rng=np.random.default_rng(0))
    one_by_one = PermutationShapley(1280)(replace(game, chains=None), rng=np.random.default_rng(0))
    np.testing.assert_allclose(by_chains.values, one_by_one.values, rtol=1e-11)
    assert by_chains.evaluations == 32 * (20 * 19 + 1)  # the arcs of 32 circles
    assert one_by_one.evaluations < by_chains.evaluations  # coalitions of one party are on every circle


@pytest.mark.parametrize(
    ("permutations", "shifts"), [(1, [0]), (64, [0]), (192, [0, 1, 3]), (320, [0, 1, 2, 3, 4]), (400, [0, 1, 2, 3, 4])]
)
def test_a_block_is_evenly_spaced_rotations_and_their_reverses(permutations: int, shifts: list[int]) -> None:
    # The mean over the orders of the blocks, written out.
    game = ClosedFormGame("any", np.zeros(5), lambda C: (C @ np.array([1.0, 2.0, 4.0, 8.0, 16.0])) ** 1.7)
    found = PermutationShapley(permutations)(game, rng=np.random.default_rng(4))
    blocks = max(2, -(-permutations // (2 * len(shifts))))
    assert found.degrees_of_freedom == blocks - 1
    rng, expected = np.random.default_rng(4), np.zeros(5)
    for _ in range(blocks):
        base = rng.permutation(5)
        for order in [np.roll(base, -k)[::step] for k in shifts for step in (1, -1)]:
            values = game(np.tril(np.ones((6, 5), dtype=bool), k=-1)[:, np.argsort(order)])
            expected[order] += np.diff(values) / (2 * len(shifts) * blocks)
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)


def test_antithetic_rotations_beat_plain_sampling() -> None:
    # The reason for blocks: on a smooth game the error is several times below that of as many plain permutations.
    game = log_of_sum(np.array([0.5, 1.0, 2.0, 4.0, 8.0, 16.0]))
    permutations = 240
    rng = np.random.default_rng(3)
    block = [PermutationShapley(permutations)(game, rng=rng).values for _ in range(40)]
    plain = [_plain(game, permutations, rng) for _ in range(40)]
    assert np.std(block, axis=0).mean() < 0.6 * np.std(plain, axis=0).mean()


def _plain(game: ClosedFormGame, permutations: int, rng: np.random.Generator) -> np.ndarray:
    total = np.zeros(game.n)
    for _ in range(permutations):
        order = rng.permutation(game.n)
        coalitions = np.zeros((game.n + 1, game.n), dtype=bool)
        for k, i in enumerate(order):
            coalitions[k + 1 :, i] = True
        total[order] += np.diff(game(coalitions))
    return total / permutations


def test_no_error_where_there_is_none() -> None:
    found = PermutationShapley(1)(additive(np.array([1.0, 2.0, 3.0])), rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, [1.0, 2.0, 3.0], rtol=1e-14)
    assert np.all(found.standard_errors <= 1e-14)


def test_many_parties_and_the_work_it_says() -> None:
    asked: list[int] = []

    def counting(coalitions: np.ndarray) -> np.ndarray:
        asked.append(len(coalitions))
        return coalitions @ np.arange(1.0, 41.0)

    game = ClosedFormGame("counted", np.arange(1.0, 41.0), counting)
    found = PermutationShapley(80)(game, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, game.phi, rtol=1e-12)
    assert found.evaluations == sum(asked)  # no coalition is asked for twice, and the empty one never
    assert "80 permutations" in found.method
    rounded = PermutationShapley(1000)(game, rng=np.random.default_rng(0))
    assert "1020 permutations (rotated and antithetic, 34 blocks)" in rounded.method  # blocks of 15 rotations


def test_one_party() -> None:
    found = PermutationShapley(10)(unanimity(1, [0], 3.0), rng=np.random.default_rng(0))
    assert found.values == pytest.approx([3.0])


def test_same_seed_same_bits() -> None:
    game = airport(np.array([1.0, 2.0, 5.0]))
    first, second, other = (PermutationShapley(60)(game, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.values, second.values)
    assert not np.array_equal(first.values, other.values) or np.all(first.standard_errors < 1e-12)


def test_no_permutations_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        PermutationShapley(0)


@pytest.mark.parametrize("permutations", [10.5, True, "many"])
def test_permutations_are_counted(permutations: object) -> None:
    with pytest.raises(ValueError, match=f"permutations must be a whole number of at least 1, got {permutations!r}"):
        PermutationShapley(permutations)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"standard_error": 0.0}, "standard_error is a positive number"),
        ({"standard_error": True}, "standard_error is a positive number"),
        ({"relative": True}, "relative is True or False and speaks of standard_error"),
        ({"standard_error": 0.1, "relative": 0.5}, "relative is True or False"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PermutationShapley(**arguments)
