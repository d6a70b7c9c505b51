"""Data sets on which maximum likelihood has several ends, of ten kinds, and the best end of many random starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from guerdon.models.kernels import as_kernel, covariance
from guerdon.types import Contribution, FloatArray

__all__ = ["BEST", "KINDS", "WITHIN", "Problem", "problem"]

WITHIN = 0.4
"""How many nats below the best of 50 random starts a fit may end."""


class Problem(NamedTuple):
    """A kernel's text whose hyperparameters are open, and the rows that they are learned on."""

    kernel: str
    data: Contribution


Draw = Callable[[np.random.Generator], tuple[FloatArray, FloatArray]]


def problem(kind: str, seed: int) -> Problem:
    """The data set of this kind and seed; inputs and outputs have mean 0 and standard deviation 1."""
    kernel, draw = KINDS[kind]
    X, y = draw(np.random.default_rng(seed))
    X = X[:, None] if X.ndim == 1 else X
    return Problem(kernel, Contribution("ada", (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()))


def _trend_and_season(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = np.sort(rng.uniform(0.0, 14.0, 150))
    return X, 0.3 * X + np.sin(2.0 * np.pi * X) + 0.3 * rng.normal(size=150)


def _two_scales(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.uniform(0.0, 20.0, 120)
    return X, np.sin(0.6 * X) + 0.5 * np.sin(9.0 * X) + 0.2 * rng.normal(size=120)


def _rough(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.uniform(0.0, 10.0, (100, 1))
    K = covariance(as_kernel("exponential(lengthscale=0.5, outputscale=1.0)", 1), X)
    return X, rng.multivariate_normal(np.zeros(100), K) + 0.1 * rng.normal(size=100)


def _smooth(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.uniform(-3.0, 3.0, 60)
    return X, np.sin(X) + 0.3 * X + 0.02 * rng.normal(size=60)


def _noise(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    return rng.normal(size=(80, 2)), rng.normal(size=80)


def _line(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.normal(size=(60, 2))
    return X, X @ [1.0, -2.0] + 0.3 * rng.normal(size=60)


def _unlike_inputs(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.normal(size=(120, 3))
    return X, 0.8 * X[:, 0] + np.sin(6.0 * X[:, 1]) + 0.2 * rng.normal(size=120)


def _clusters(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    near = np.repeat(rng.normal(size=(30, 2)), 2, axis=0)
    X = np.concatenate([near, 0.05 * rng.normal(size=(40, 2)) + [30.0, 5.0]])
    return X, np.sin(3.0 * X[:, 0]) + np.cos(40.0 * X[:, 1]) + 0.2 * rng.normal(size=100)


def _many_inputs(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.normal(size=(150, 8))
    return X, np.sin(2.0 * X[:, 0]) * X[:, 1] + 0.5 * X[:, 2] ** 2 + 0.4 * rng.normal(size=150)


def _steps(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    X = rng.uniform(0.0, 8.0, 120)
    return X, np.floor(X) % 3 + 0.1 * X + 0.1 * rng.normal(size=120)


KINDS: Mapping[str, tuple[str, Draw]] = {
    "trend and season": ("rbf", _trend_and_season),
    "two scales": ("rbf + rbf", _two_scales),
    "rough": ("matern32", _rough),
    "smooth": ("rbf", _smooth),
    "noise": ("rbf", _noise),
    "line": ("rational_quadratic", _line),
    "unlike inputs": ("rbf(ard=True)", _unlike_inputs),
    "clusters": ("matern52", _clusters),
    "many inputs": ("rbf", _many_inputs),
    "steps": ("rbf + exponential", _steps),
}
"""Each kind's kernel and how a data set of it is drawn."""

BEST: Mapping[str, tuple[float, ...]] = {
    "trend and season": (-67.36, -72.0, -67.72, -60.91, -69.34, -55.16),
    "two scales": (-78.68, -94.48, -72.28, -77.43, -65.3, -78.67),
    "rough": (-70.21, -87.46, -63.29, -80.46, -88.23, -85.4),
    "smooth": (135.63, 151.65, 136.24, 135.02, 135.57, 148.09),
    "noise": (-112.34, -113.27, -113.49, -113.27, -113.23, -112.88),
    "line": (17.81, 7.82, 28.51, 30.38, 21.25, 14.09),
    "unlike inputs": (-36.43, -16.55, -23.24, -27.08, -39.28, -26.51),
    "clusters": (-58.46, -55.7, -70.48, -55.23, -58.95, -63.35),
    "many inputs": (-191.78, -189.95, -189.42, -197.84, -180.16, -190.71),
    "steps": (-24.92, -23.28, -26.69, -47.03, -68.04, -32.79),
}
"""The best log-likelihood of 50 random starts, in nats, by seed; benchmarks/test_maximum_likelihood.py finds them."""
