"""Learning the noise of a linear model: on the triangular factor of all rows, against all rows at every evaluation.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from guerdon.models import BayesianLinear
from guerdon.models.kernels import KernelFunction
from guerdon.models.likelihoods import Density, Slopes
from guerdon.models.maximum_likelihood import maximize_likelihood
from guerdon.types import Contribution, FloatArray

ROWS, FEATURES = 20_000, 49
AT_LEAST = 10.0


def plain(X: FloatArray, y: FloatArray) -> tuple[float, float]:
    """The likeliest noise variance and its log-likelihood, by the same search."""

    def likelihood(kernel: KernelFunction | None, r: FloatArray, noise: FloatArray) -> Density:
        inverse = np.linalg.inv(np.eye(FEATURES) + X.T @ (X / noise[:, None]))
        a = (r - X @ (inverse @ (X.T @ (r / noise)))) / noise
        constant = np.log(2.0 * np.pi * noise).sum() - np.linalg.slogdet(inverse)[1]

        def slopes() -> Slopes:
            leverage = np.einsum("ij,jk,ik->i", X, inverse, X, optimize=True) / noise
            return Slopes(np.empty(0), -a, 0.5 * (a**2 - (1.0 - leverage) / noise))

        return Density(float(-0.5 * (r @ a + constant)), slopes)

    fitted = maximize_likelihood(None, likelihood, y, np.full(len(y), np.nan), 0.0)
    assert fitted.noise is not None
    return fitted.noise, fitted.report.log_likelihood


def test_the_noise_of_a_linear_model(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, FEATURES))
    data, times = Contribution("ada", X, X @ rng.normal(size=FEATURES) + rng.normal(size=ROWS)), []

    def reduced() -> BayesianLinear:
        start = perf_counter()
        fitted = BayesianLinear().fit([data])
        times.append(perf_counter() - start)
        return fitted

    fitted = benchmark.pedantic(reduced, rounds=3, warmup_rounds=1)
    start = perf_counter()
    assert data.y is not None
    noise, log_likelihood = plain(data.X, data.y)
    ratio = (perf_counter() - start) / min(times)
    benchmark.extra_info["times faster than all rows"] = round(ratio, 1)
    print(f"\n{ROWS} rows, {FEATURES} features: {min(times):.2f} s, {ratio:.1f} times faster than all rows every time")
    assert fitted.noise == pytest.approx(noise, rel=1e-6)
    assert fitted.report is not None
    assert fitted.report.log_likelihood == pytest.approx(log_likelihood, rel=1e-9)
    assert ratio >= AT_LEAST
