"""The kernels that have a name, f(x, z), times an outputscale s: what they are between two sets of rows, and slopes.

All but the periodic one are functions of q = |(x - z) / lengthscale|^2 alone, f(q), and learning takes
g(q) = -2 f'(q) >= 0 besides: the slope of f in log lengthscale is g q, in that of one feature g q_k.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import ClassVar

import numpy as np

from guerdon.types import FloatArray

__all__ = ["NAMED", "Hyperparameters", "NamedOnPairs", "squared_distances"]

Hyperparameters = Mapping[str, FloatArray]
"""Values by name: each (1,), or (d,) where there is one a feature."""

BLOCK = 1 << 15
"""Numbers in a block of rows: three blocks fit a core's own cache."""

LARGEST = 1e300
"""q is cut here, where every kernel is 0, lest infinity times 0 be not a number."""


def squared_distances(X: FloatArray, Z: FloatArray) -> FloatArray:
    """|x_i - z_j|^2 by differences (m, k), so that equal rows are 0 apart and the result is symmetric to the bit."""
    found = np.zeros((len(X), len(Z)))
    columns = np.ascontiguousarray(Z.T)
    step = max(1, BLOCK // max(1, len(Z)))
    difference = np.empty((min(step, len(X)), len(Z)))
    with np.errstate(over="ignore"):
        for start in range(0, len(X), step):
            out = found[start : start + step]
            apart = difference[: len(out)]
            for k, column in enumerate(columns):
                np.subtract(X[start : start + step, k, None], column, out=apart)
                np.multiply(apart, apart, out=apart)
                out += apart
    return found


class NamedOnPairs(ABC):
    """s f(x_i, z_j) between rows X (m, d) and Z (k, d).

    ``squares`` gives |x_i - z_j|^2 (m, k), for whom it serves.
    """

    hyperparameters: ClassVar[tuple[str, ...]] = ("lengthscale",)
    by_feature: ClassVar[tuple[str, ...]] = ("lengthscale",)
    """Those of which there may be one a feature."""

    def __init__(
        self, values: Hyperparameters, X: FloatArray, Z: FloatArray, squares: Callable[[], FloatArray]
    ) -> None:
        self.values, self.X, self.Z, self.squares = values, X, Z, squares
        self.K: FloatArray = self._correlations()
        self.K *= values["outputscale"][0]

    @abstractmethod
    def _correlations(self) -> FloatArray:
        """f(x_i, z_j) in an array of its own: (m, k)."""

    @abstractmethod
    def slopes(self, W: FloatArray, names: Collection[str]) -> dict[str, FloatArray]:
        """Gradients of sum_ij W_ij K_ij in the logarithms of these hyperparameters, each of its size."""


class _Stationary(NamedOnPairs):
    """s f(q)."""

    @abstractmethod
    def _f(self, q: FloatArray) -> FloatArray:
        """f(q), in place of q."""

    @abstractmethod
    def _weighted(self, W: FloatArray) -> FloatArray:
        """W_ij s g(q_ij): (m, k)."""

    def _q(self) -> FloatArray:
        scales = self.values["lengthscale"]
        with np.errstate(over="ignore"):
            if scales.size == 1:
                q = self.squares() * (1.0 / max(scales[0] ** 2, 1.0 / LARGEST))
            else:
                q = squared_distances(self.X / scales, self.Z / scales)
            return np.asarray(np.minimum(q, LARGEST, out=q))

    def _correlations(self) -> FloatArray:
        return self._f(self._q())

    def slopes(self, W: FloatArray, names: Collection[str]) -> dict[str, FloatArray]:
        found = {"outputscale": np.array([np.vdot(W, self.K)])} if "outputscale" in names else {}
        if "lengthscale" in names:
            scales, V = self.values["lengthscale"], self._weighted(W)
            if scales.size == 1:
                found["lengthscale"] = np.array([np.vdot(V, self.squares()) / scales[0] ** 2])
            else:  # sum_ij V_ij (x_ik - z_jk)^2 by matrix products, which lose no digits that matter
                centre = self.X.mean(axis=0) if len(self.X) else 0.0
                X, Z = (self.X - centre) / scales, (self.Z - centre) / scales
                found["lengthscale"] = V.sum(axis=1) @ X**2 + V.sum(axis=0) @ Z**2 - 2.0 * (X * (V @ Z)).sum(axis=0)
        return found


class _SquaredExponential(_Stationary):
    """exp(-q / 2); g = f."""

    def _f(self, q: FloatArray) -> FloatArray:
        q *= -0.5
        return np.asarray(np.exp(q, out=q))

    def _weighted(self, W: FloatArray) -> FloatArray:
        return np.asarray(W * self.K)


class _Exponential(_Stationary):
    """exp(-u), u = sqrt(q); g = f / u, and 0 at the kink at q = 0, where 0 is a slope."""

    def _f(self, q: FloatArray) -> FloatArray:
        u = np.sqrt(q, out=q)
        return np.asarray(np.exp(np.negative(u, out=u), out=u))

    def _weighted(self, W: FloatArray) -> FloatArray:
        u = np.sqrt(self._q())
        return np.asarray(np.divide(W * self.K, u, out=np.zeros_like(u), where=u > 0.0))


class _Matern32(_Stationary):
    """(1 + u) exp(-u), u = sqrt(3 q); g = 3 exp(-u)."""

    def _f(self, q: FloatArray) -> FloatArray:
        u = np.sqrt(3.0 * q)
        return np.asarray((1.0 + u) * np.exp(-u))

    def _weighted(self, W: FloatArray) -> FloatArray:
        u = np.sqrt(3.0 * self._q())
        return np.asarray(W * np.exp(-u) * (3.0 * self.values["outputscale"][0]))


class _Matern52(_Stationary):
    """(1 + u + u^2 / 3) exp(-u), u = sqrt(5 q); g = 5/3 (1 + u) exp(-u)."""

    def _f(self, q: FloatArray) -> FloatArray:
        u = np.sqrt(5.0 * q)
        return np.asarray((1.0 + u + u**2 / 3.0) * np.exp(-u))

    def _weighted(self, W: FloatArray) -> FloatArray:
        u = np.sqrt(5.0 * self._q())
        return np.asarray(W * (1.0 + u) * np.exp(-u) * (5.0 / 3.0 * self.values["outputscale"][0]))


class _RationalQuadratic(_Stationary):
    """(1 + h)^-alpha, h = q / (2 alpha), as exp(-alpha log1p(h)); g = f / (1 + h).

    To add the 1 before the power is taken would cost alpha eps: a likelihood whose alpha drifts off to infinity, where
    the kernel is the rbf, would end in rounding. The slope in log alpha is alpha f (h / (1 + h) - log(1 + h)).
    """

    hyperparameters = ("lengthscale", "alpha")

    def _h(self) -> FloatArray:
        return np.asarray(self._q() / (2.0 * self.values["alpha"][0]))

    def _f(self, q: FloatArray) -> FloatArray:
        alpha = self.values["alpha"][0]
        return np.asarray(np.exp(-alpha * np.log1p(q / (2.0 * alpha))))

    def _weighted(self, W: FloatArray) -> FloatArray:
        return np.asarray(W * self.K / (1.0 + self._h()))

    def slopes(self, W: FloatArray, names: Collection[str]) -> dict[str, FloatArray]:
        found = super().slopes(W, names)
        if "alpha" in names:
            h = self._h()
            bent = _bent(h)
            found["alpha"] = np.array([self.values["alpha"][0] * np.vdot(W * self.K, bent)])
        return found


def _bent(h: FloatArray) -> FloatArray:
    """h / (1 + h) - log(1 + h), which is -h^2 / 2 + 2 h^3 / 3 - ... where h is so small that the two are alike."""
    series = h * h * (-0.5 + h * (2.0 / 3.0 - h * (0.75 - h * 0.8)))
    return np.asarray(np.where(h < 1e-3, series, h / (1.0 + h) - np.log1p(h)))


class _Periodic(NamedOnPairs):
    """exp(-2 sum_k sin^2(pi (x_k - z_k) / period_k) / lengthscale_k)."""

    hyperparameters = ("lengthscale", "period_length")
    by_feature = ("lengthscale", "period_length")

    def _angles(self, k: int) -> FloatArray:
        """pi (x_ik - z_jk) / period_k: (m, k)."""
        periods = self.values["period_length"]
        return np.asarray((self.X[:, k, None] - self.Z[:, k]) * (np.pi / periods[k % periods.size]))

    def _correlations(self) -> FloatArray:
        found, scales = np.zeros((len(self.X), len(self.Z))), self.values["lengthscale"]
        for k in range(self.X.shape[1]):
            found -= np.square(np.sin(self._angles(k))) * (2.0 / scales[k % scales.size])
        return np.asarray(np.exp(found, out=found))

    def slopes(self, W: FloatArray, names: Collection[str]) -> dict[str, FloatArray]:
        V = W * self.K
        found = {name: np.zeros(self.values[name].size) for name in names}
        if "outputscale" in names:
            found["outputscale"] += V.sum()
        for k in range(self.X.shape[1]):
            scale = self.values["lengthscale"][k % self.values["lengthscale"].size]
            angles = self._angles(k)
            if "lengthscale" in names:
                of = found["lengthscale"]
                of[k % of.size] += np.vdot(V, np.square(np.sin(angles))) * (2.0 / scale)
            if "period_length" in names:
                of = found["period_length"]
                of[k % of.size] += np.vdot(V, angles * np.sin(2.0 * angles)) * (2.0 / scale)
        return found


NAMED: Mapping[str, type[NamedOnPairs]] = {
    "rbf": _SquaredExponential,
    "exponential": _Exponential,
    "matern32": _Matern32,
    "matern52": _Matern52,
    "rational_quadratic": _RationalQuadratic,
    "periodic": _Periodic,
}
"""Each name's kernel."""
