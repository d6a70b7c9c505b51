"""The formulas of DESIGN section 3 in 50 digits, written as they are printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np

from guerdon.types import FloatArray

__all__ = ["KERNELS", "covariance_matrix", "information_gain", "kernel"]

mp.mp.dps = 50

KERNELS: dict[str, Callable[[Any], Any]] = {
    "rbf": lambda d: mp.e ** (-(d**2) / 2),
    "exponential": lambda d: mp.e ** (-d),
    "matern32": lambda d: (1 + mp.sqrt(3) * d) * mp.e ** (-mp.sqrt(3) * d),
    "matern52": lambda d: (1 + mp.sqrt(5) * d + 5 * d**2 / 3) * mp.e ** (-mp.sqrt(5) * d),
}
"""Each kernel as a function of distance, with lengthscale 1 and outputscale 1."""


def kernel(name: str, lengthscale: float | Sequence[float] = 1.0, outputscale: float = 1.0) -> Callable[..., Any]:
    def k(x: FloatArray, z: FloatArray) -> Any:
        scales = np.broadcast_to(np.asarray(lengthscale, dtype=np.float64), len(x))
        parts = [(mp.mpf(float(a)) - mp.mpf(float(b))) / mp.mpf(float(s)) for a, b, s in zip(x, z, scales, strict=True)]
        return mp.mpf(float(outputscale)) * KERNELS[name](mp.sqrt(mp.fsum(p**2 for p in parts)))

    return k


def covariance_matrix(k: Callable[..., Any], X: FloatArray) -> Any:
    return mp.matrix([[k(x, z) for z in X] for x in X])


def information_gain(k: Callable[..., Any], X: FloatArray, noise: FloatArray) -> float:
    """1/2 log det(I + L^-1/2 K L^-1/2)."""
    B = covariance_matrix(k, X)
    scale = [1 / mp.sqrt(mp.mpf(float(s))) for s in noise]
    for i in range(len(X)):
        for j in range(len(X)):
            B[i, j] = B[i, j] * scale[i] * scale[j] + (1 if i == j else 0)
    return float(mp.log(mp.det(B)) / 2)
