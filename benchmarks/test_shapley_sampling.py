"""Sampled Shapley values: rotated and antithetic permutations against plain ones, chains against single coalitions.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``; ``-s`` prints the numbers.
"""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from guerdon.models import GaussianProcess
from guerdon.pipeline import ShapleyEstimator
from guerdon.shapley import MonteCarloShapley, PermutationShapley, StratifiedShapley, exact_shapley
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray, Game, TableGame
from guerdon.valuation import InformationGain, InformationGainGame
from tests.games import ClosedFormGame, airport_of_hundred, electoral_college

SEEDS = 40


class Work(NamedTuple):
    """The mean square error over seeds and parties, and the evaluations, of one estimator on one game."""

    error: float
    evaluations: float


def measure(estimator: ShapleyEstimator, game: Game, phi: FloatArray) -> Work:
    found = [estimator(game, rng=np.random.default_rng(seed)) for seed in range(SEEDS)]
    return Work(
        float(np.mean([np.square(f.values - phi).mean() for f in found])),
        float(np.mean([f.evaluations for f in found])),
    )


def friedman_game(n: int, rows: int) -> InformationGainGame:
    """Parties with their own corners of the unit cube, and a kernel that lets them tell each other something."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(size=(n, 4))
    X = [np.clip(corner + 0.25 * rng.normal(size=(rows, 4)), 0.0, 1.0) for corner in corners]
    model = GaussianProcess("rbf(lengthscale=0.7, outputscale=10.0)", noise=1.0)
    return InformationGain(model).game([Contribution(f"P{i:02}", x) for i, x in enumerate(X)])


def information_gain() -> ClosedFormGame:
    """Fourteen parties with 20 rows each; values come from the table, so that the estimators' work is all there is."""
    table = TableGame(friedman_game(14, 20).table())
    return ClosedFormGame("information gain", exact_shapley(table.values), table)


@pytest.mark.parametrize(
    ("game", "at_least"),
    [(information_gain(), 4.0), (airport_of_hundred(), 1.2), (electoral_college(), 0.5)],
    ids=lambda part: getattr(part, "name", ""),
)
def test_fewer_permutations_for_the_same_error(
    benchmark: BenchmarkFixture, game: ClosedFormGame, at_least: float
) -> None:
    """Mean square errors fall as 1 / permutations, so their ratio is that of the permutations needed.

    The smoother the game, the more there is to gain. In a vote the reverse of an order has almost the same swinger, so
    that it says little new; it costs nothing new either, its prefixes being the same arcs.
    """
    permutations = 10 * 2 * game.n
    plain = measure(MonteCarloShapley(permutations), game, game.phi)
    rotated = benchmark.pedantic(measure, args=(PermutationShapley(permutations), game, game.phi), rounds=1)
    strata = measure(StratifiedShapley(permutations), game, game.phi)
    ratio = plain.error / rotated.error
    per_value = ratio * plain.evaluations / rotated.evaluations
    of_strata = plain.error * plain.evaluations / (strata.error * strata.evaluations)
    benchmark.extra_info.update(permutations=ratio, coalition_values=per_value, strata_coalition_values=of_strata)
    print(
        f"\n{game.name}, {game.n} parties: plain permutations need {ratio:.1f} times as many as rotated and antithetic "
        f"ones, {per_value:.1f} times their coalition values, {of_strata:.1f} times those of strata"
    )
    assert ratio >= at_least


class OneByOne:
    """The game without its chains: one Cholesky factor a coalition, remembered within and between blocks."""

    def __init__(self, game: InformationGainGame) -> None:
        self.game, self.n = game, game.n

    def __call__(self, coalitions: np.ndarray) -> FloatArray:
        return self.game(coalitions)


def test_chains_of_a_gaussian_process(benchmark: BenchmarkFixture) -> None:
    """Twenty parties with 1,000 rows in all: a block's 381 coalitions from 20 Cholesky factors."""
    game = friedman_game(20, 50)
    estimator = PermutationShapley(80)  # two blocks

    def estimate() -> FloatArray:
        with one_thread():
            return estimator(game, rng=np.random.default_rng(0)).values

    chained = benchmark.pedantic(estimate, rounds=1, warmup_rounds=1)
    fast = benchmark.stats.stats.min
    start = perf_counter()
    with one_thread():
        singly = estimator(OneByOne(game), rng=np.random.default_rng(0)).values
    ratio = (perf_counter() - start) / fast
    benchmark.extra_info["times faster than one Cholesky a coalition"] = round(ratio, 1)
    print(f"\nchains, 20 parties, 1,000 rows, 80 permutations: {fast:.2f} s, {ratio:.1f} times faster")
    np.testing.assert_allclose(chained, singly, rtol=1e-9)
    assert ratio >= 3.0
