"""The noise for 20 values of rho: one decomposition a party and Newton, against brentq on the whole matrix.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.optimize import brentq

from guerdon.models import GaussianProcess
from guerdon.models.kernels import as_kernel, covariance
from guerdon.realization import noise_responses, noise_variances
from guerdon.rewards import RewardTargets, RhoShapley
from guerdon.shapley import exact_shapley
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain, InformationGainGame

SIZES, RHOS = [500, 300, 200], 20
AT_LEAST = 40.0


def plain(game: InformationGainGame, sweep: list[RewardTargets]) -> FloatArray:
    """Each eta by brentq with its own tolerances, each value by one Cholesky of the whole matrix (made once)."""
    X = np.concatenate([c.X for c in game.contributions])
    owner = np.repeat(np.arange(game.n), [len(c) for c in game.contributions])
    K = covariance(as_kernel(game.model.kernel, X.shape[1]), X)

    def value(i: int, eta: float) -> float:
        scale = 1.0 / np.sqrt(game.model.noise + np.where(owner == i, 0.0, eta))
        B = np.eye(len(K)) + K * scale[:, None] * scale
        return float(np.log(np.diagonal(np.linalg.cholesky(B))).sum())

    etas = np.zeros((len(sweep), game.n))
    for a, targets in enumerate(sweep):
        for i, target in enumerate(targets.values):
            if target < targets.maximum:
                etas[a, i] = brentq(lambda eta, i=i, target=target: value(i, eta) - target, 0.0, 1e4)
    return etas


def test_noise_realization(benchmark: BenchmarkFixture) -> None:
    X = np.random.default_rng(0).normal(size=(sum(SIZES), 4))
    ends = np.cumsum(SIZES)
    parties = [Contribution(str(i), X[end - m : end]) for i, (m, end) in enumerate(zip(SIZES, ends, strict=True))]
    game = InformationGain(GaussianProcess("rbf(lengthscale=1.5, outputscale=1.0)", noise=0.1)).game(parties)
    phi = exact_shapley(game.table())
    sweep = [RhoShapley(rho)(phi, game) for rho in np.linspace(0.05, 1.0, RHOS).tolist()]
    times = []

    def realize() -> FloatArray:
        start = perf_counter()
        responses = noise_responses(game.model, parties)
        etas = [noise_variances(game.model, parties, targets, responses=responses) for targets in sweep]
        times.append(perf_counter() - start)
        return np.array(etas)

    etas = benchmark.pedantic(realize, rounds=5, warmup_rounds=1)
    with one_thread():  # as the decompositions: the same arithmetic units for both
        start = perf_counter()
        expected = plain(game, sweep)
        ratio = (perf_counter() - start) / min(times)
    benchmark.extra_info["times faster than brentq on the whole matrix"] = round(ratio, 1)
    print(f"\nnoise for {RHOS} rhos, {sum(SIZES)} rows: {min(times):.3f} s, {ratio:.0f} times faster")
    np.testing.assert_allclose(etas, expected, rtol=1e-9)
    assert ratio >= AT_LEAST
