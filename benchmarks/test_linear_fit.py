"""Learning the noise of a linear model: on the triangular factor of all rows, against all rows at every evaluation.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``.
"""

from __future__ import annotations

from time import perf_counter

import gpytorch
import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from guerdon.models import BayesianLinear
from guerdon.models.maximum_likelihood import maximize_likelihood
from guerdon.types import Contribution, FloatArray

ROWS, FEATURES = 20_000, 49
AT_LEAST = 20.0


def plain(X: FloatArray, y: FloatArray) -> tuple[float, float]:
    """The likeliest noise variance and its log-likelihood, by the same search."""
    Phi = torch.as_tensor(X.copy())

    def likelihood(kernel: gpytorch.Module, r: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        A = torch.eye(FEATURES, dtype=Phi.dtype) + Phi.T @ (Phi / noise[:, None])
        factor = torch.linalg.cholesky(A)
        b = torch.linalg.solve_triangular(factor, (Phi.T @ (r / noise))[:, None], upper=False)
        constant = len(r) * float(np.log(2.0 * np.pi))
        half_log_det = torch.log(torch.diagonal(factor)).sum()
        return -0.5 * (r @ (r / noise) - b.square().sum() + torch.log(noise).sum() + constant) - half_log_det

    fitted = maximize_likelihood(gpytorch.Module, likelihood, y, np.full(len(y), np.nan), 0.0)
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
