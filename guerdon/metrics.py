"""How good predictions are."""

from __future__ import annotations

import numpy as np

from guerdon.types import FloatArray

__all__ = ["expected_mnlp", "mnlp", "rmse"]


def mnlp(mean: FloatArray, variance: FloatArray, y: FloatArray) -> float:
    """Mean negative log probability, in nats: the mean of 1/2 (log(2 pi variance) + (mean - y)^2 / variance).

    Sim et al. (ICML 2020), equation 3. All (k,); variance includes observation noise. Lower is better.

    Examples
    --------
    >>> round(mnlp(np.zeros(1), np.ones(1), np.zeros(1)), 6)  # 1/2 log(2 pi)
    0.918939
    """
    return expected_mnlp(mean, variance, y, np.zeros(1))


def expected_mnlp(mean: FloatArray, variance: FloatArray, y: FloatArray, mean_variance: FloatArray) -> float:
    """The expectation of ``mnlp`` when the predictive mean itself is random with this mean and variance (k,).

    E (mu - y)^2 = (E mu - y)^2 + Var mu, so no noise needs to be drawn.
    """
    mean, variance, y = (np.asarray(a, dtype=np.float64) for a in (mean, variance, y))
    if not mean.shape == variance.shape == y.shape or mean.size == 0:
        raise ValueError(
            f"mean, variance and y must share one shape (k,), got {mean.shape}, {variance.shape}, {y.shape}"
        )
    if np.any(~(variance > 0)):
        raise ValueError(f"variances must be positive, got {variance.min()}")
    return float(np.mean(0.5 * (np.log(2 * np.pi * variance) + (np.square(mean - y) + mean_variance) / variance)))


def rmse(mean: FloatArray, y: FloatArray) -> float:
    """Root mean squared error of predictions (k,), in the unit of y."""
    mean, y = np.asarray(mean, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if mean.shape != y.shape or mean.size == 0:
        raise ValueError(f"mean and y must share one shape (k,), got {mean.shape} and {y.shape}")
    return float(np.sqrt(np.mean(np.square(mean - y))))
