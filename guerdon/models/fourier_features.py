"""Random Fourier features: a squared exponential kernel as a linear model, by frequencies that everybody can draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import is_number, require_count
from guerdon.models.protocols import Arrays
from guerdon.types import FloatArray

__all__ = ["FourierFeatures", "orthogonal_frequencies"]


@dataclass(frozen=True)
class FourierFeatures:
    """phi(x) = (sqrt(c / F) cos(W x), sqrt(c / F) sin(W x), 1) with F = count / 2 random frequencies W (F, d).

    phi(x)' phi(z) is near c exp(-1/2 |(x - z) / lengthscale|^2) + 1, c the ``outputscale``: what a Gaussian process
    with that kernel and a constant would do, in a linear model of ``count`` + 1 weights (Rahimi and Recht 2007). The
    frequencies are orthogonal within blocks of d (Yu et al. 2016), which errs less; the error falls as 1 / sqrt(count).
    They follow from ``seed`` alone, which is public, so that parties on their own machines have the same features.

    Parameters
    ----------
    count : int
        Features besides the constant; even.
    lengthscale : float or sequence of d float
        In the units that the model sees (standard units where the run standardizes).
    outputscale : float
        c, the prior VARIANCE of f.
    seed : int
        Draws the frequencies.

    Raises
    ------
    ValueError
        The count is odd or not positive, or a scale is not positive.

    Examples
    --------
    >>> FourierFeatures(count=4, lengthscale=1.0)(np.zeros((1, 3))).round(4)
    array([[0.7071, 0.7071, 0.    , 0.    , 1.    ]])
    """

    count: int
    lengthscale: float | Sequence[float]
    outputscale: float = 1.0
    seed: int = 0

    contains = "random frequencies that follow from a public seed, and a constant 1, none of the pool's rows"

    def __post_init__(self) -> None:
        require_count("count", self.count)
        if self.count % 2:
            raise ValueError(f"count is even, a cosine and a sine a frequency, got {self.count}")
        scales = np.array(self.lengthscale, dtype=np.float64)
        if scales.ndim > 1 or not (scales.size and np.all((scales > 0) & np.isfinite(scales))):
            raise ValueError(f"lengthscale is positive, one number or one an input, got {self.lengthscale!r}")
        object.__setattr__(self, "lengthscale", float(scales) if scales.ndim == 0 else tuple(scales.tolist()))
        if not (is_number(self.outputscale) and 0.0 < self.outputscale < np.inf):
            raise ValueError(f"outputscale is a positive variance, got {self.outputscale!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed is a whole number of at least 0, got {self.seed!r}")

    def __call__(self, X: FloatArray) -> FloatArray:
        """The features (m, count + 1) of the inputs X (m, d)."""
        scales = np.asarray(self.lengthscale)
        if scales.ndim and len(scales) != X.shape[1]:
            raise ValueError(f"{len(scales)} lengthscales for {X.shape[1]} inputs: give one, or one an input")
        angles = (X / scales) @ orthogonal_frequencies(self.count // 2, X.shape[1], self.seed).T
        size = np.sqrt(2.0 * self.outputscale / self.count)
        return np.concatenate([size * np.cos(angles), size * np.sin(angles), np.ones((len(X), 1))], axis=1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "count": np.array(self.count),
            "lengthscale": np.array(self.lengthscale),
            "outputscale": np.array(self.outputscale),
            "seed": np.array(self.seed),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            count=int(arrays["count"]),
            lengthscale=np.asarray(arrays["lengthscale"], dtype=np.float64).tolist(),
            outputscale=float(arrays["outputscale"]),
            seed=int(arrays["seed"]),
        )

    def describe(self) -> dict[str, Any]:
        """Their number, scales and seed."""
        scales = self.lengthscale
        return {
            "count": self.count,
            "lengthscale": list(scales) if isinstance(scales, Sequence) else scales,
            "outputscale": self.outputscale,
            "seed": self.seed,
        }


@lru_cache(maxsize=16)
def orthogonal_frequencies(count: int, d: int, seed: int) -> FloatArray:
    """Frequencies W (count, d) of the kernel exp(-|x - z|^2 / 2), orthogonal within each block of d; read-only.

    Each is a N(0, I) vector by itself: a random rotation's rows, with the lengths of independent N(0, I) vectors. The
    numbers come from Philox's raw bits, which are the same in every version of NumPy.
    """
    from scipy.special import ndtri  # here: most models have no such features

    blocks = -(-count // d)
    bits = np.random.Philox(np.random.SeedSequence([seed, d])).random_raw(2 * blocks * d * d)
    normal = ndtri((np.asarray(bits >> np.uint64(11), dtype=np.float64) + 0.5) * 2.0**-53)
    normal = normal.reshape(blocks, 2, d, d)
    W = np.empty((blocks, d, d))
    for b in range(blocks):
        Q, R = np.linalg.qr(normal[b, 0])
        Q = Q * np.sign(np.diagonal(R))  # which makes it uniform among rotations, whatever LAPACK's signs are
        W[b] = np.linalg.norm(normal[b, 1], axis=1)[:, None] * Q.T
    frequencies = W.reshape(-1, d)[:count].copy()
    frequencies.setflags(write=False)
    return frequencies
