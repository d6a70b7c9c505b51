"""The blocked pass: kernel evaluations a second, against what one core's exponential alone can do."""

import time

import numpy as np
import pytest

from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy
from guerdon.valuation.kernel_sums import self_sums
from guerdon.valuation.pair_kernels import SquaredExponential

POINTS = 20_000


def exp_throughput():
    """Exponentials a second of one core, in place on a block that stays in cache."""
    block = -np.random.default_rng(0).uniform(0.0, 8.0, 1 << 15)
    out, best = np.empty_like(block), np.inf
    for _ in range(20):
        start = time.perf_counter()
        np.exp(block, out=out)
        best = min(best, time.perf_counter() - start)
    return len(block) / best


def plain_sums(X):
    """The matrix of all pairs, which is what the pass never holds: 3.2 GB at 20,000 points."""
    return np.exp(-0.5 * np.square(X[:, None] - X[None]).sum(axis=-1)).sum(axis=1)


@pytest.mark.parametrize("d", [2, 8, 64])
def test_rate(benchmark, d):
    """Each pair is computed once: 2e8 kernel values for 20,000 points."""
    X = np.random.default_rng(0).normal(size=(POINTS, d))
    kernel = SquaredExponential.on(np.sqrt(d), X)
    np.testing.assert_allclose(self_sums(kernel, X[:500]), plain_sums(X[:500] / np.sqrt(d)), rtol=1e-12)
    start = time.perf_counter()
    benchmark.pedantic(self_sums, args=(kernel, X), rounds=1)
    rate, exp_rate = POINTS * (POINTS + 1) / 2 / (time.perf_counter() - start), exp_throughput()
    benchmark.extra_info.update(values_a_second=rate, exp_a_second=exp_rate, share=rate / exp_rate)
    print(f"\nd = {d}: {rate:.2e} kernel values a second, exp alone {exp_rate:.2e} on one core, {rate / exp_rate:.0%}")
    assert rate > 0.05 * exp_rate  # a matrix product of inner size d stands before each exponential


def test_a_game_of_a_thousand_parties(benchmark):
    """5,000 rows of 1,000 parties, |G| = 20,000: block sums and Shapley values."""
    rng = np.random.default_rng(0)
    parties = [Contribution(str(i), rng.normal(size=(5, 2))) for i in range(1000)]
    G = rng.normal(size=(20_000, 2))
    game = benchmark.pedantic(lambda: MaximumMeanDiscrepancy(0.5).game(parties, G), rounds=1)
    assert game.shapley().sum() == pytest.approx(float(game(np.ones((1, 1000), dtype=bool))[0]), abs=1e-11)
