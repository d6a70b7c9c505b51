"""Sampled Shapley values: unbiased, with standard errors that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from guerdon.shapley import PermutationShapley
from tests.games import CLOSED_FORM, ClosedFormGame, additive, airport, log_of_sum, unanimity


@pytest.mark.parametrize("game", CLOSED_FORM, ids=lambda game: game.name)
def test_right_within_its_errors(game: ClosedFormGame) -> None:
    found = PermutationShapley(2000)(game, rng=np.random.default_rng(1))
    assert np.all(np.abs(found.values - game.phi) <= 4.5 * found.standard_errors + 1e-12)
    assert found.values.sum() == pytest.approx(float(game(np.ones((1, game.n), dtype=bool))[0]), rel=1e-12)


def test_unbiased_and_errors_cover_at_the_nominal_rate() -> None:
    # 300 estimates of 8 blocks each: a t interval of 90 % must hold the truth in 90 % of them, up to 4 standard
    # deviations of a share of 300.
    game, blocks, repeats = log_of_sum(np.array([0.5, 1.0, 3.0, 9.0, 30.0])), 8, 300
    rng = np.random.default_rng(2)
    found = [PermutationShapley(2 * game.n * blocks)(game, rng=rng) for _ in range(repeats)]
    values = np.stack([f.values for f in found])
    errors = np.stack([f.standard_errors for f in found])
    spread = values.std(axis=0, ddof=1)
    assert np.all(np.abs(values.mean(axis=0) - game.phi) <= 4 * spread / np.sqrt(repeats) + 1e-12)
    # The errors' mean square is the values' variance.
    assert np.sqrt(np.square(errors).mean(axis=0)) == pytest.approx(spread, rel=0.15)
    covered = np.abs(values - game.phi) <= stats.t.ppf(0.95, blocks - 1) * errors + 1e-12
    assert covered.mean(axis=0) == pytest.approx(np.full(game.n, 0.9), abs=4 * np.sqrt(0.9 * 0.1 / repeats))


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
    assert "160 permutations" in found.method  # 80 rounded up to two whole blocks


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
