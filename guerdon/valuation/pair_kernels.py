"""Kernels between two sets of points, a block at a time.

A set of points is prepared once for the left (rows of a block) and once for the right (its columns); a block is then
one matrix product and one exponential. All in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guerdon.models.kernels import KernelFunction, as_kernel, covariance, covariance_diagonal
from guerdon.types import FloatArray

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = ["FunctionPairs", "PairKernel", "SquaredExponential", "pair_kernel"]

EXPANSION_ERROR = 1e-12
"""|x|^2 - 2 x.z + |z|^2 is used where rounding moves a kernel value by less than this, differences elsewhere."""


class PairKernel(Protocol):
    """k(x, z) for blocks of pairs.

    ``workers`` is how many threads may call ``block`` at once, None for any number.
    """

    @property
    def workers(self) -> int | None: ...

    def left(self, X: FloatArray) -> FloatArray:
        """X (a, d) prepared as the rows of blocks: (a, p)."""
        ...

    def right(self, Z: FloatArray) -> FloatArray:
        """Z (b, d) prepared as the columns of blocks: (p, b)."""
        ...

    def block(self, left: FloatArray, right: FloatArray, out: FloatArray) -> None:
        """Set ``out`` (a, b) to k(X, Z)."""
        ...

    def diagonal(self, X: FloatArray) -> FloatArray:
        """k(x, x): (a,)."""
        ...


@dataclass(frozen=True, eq=False)
class SquaredExponential:
    """k(x, z) = exp(-|x - z|^2 / (2 l^2)), characteristic (Tay et al. 2022, appendix A).

    Their equation 9 prints 2 l under the square; their tables were made with 2 l^2.

    Attributes
    ----------
    lengthscale : float
        l, in the data's unit.
    center : (d,) array
        Subtracted first, which costs the distances no digits.
    expanded : bool
        Whether -|x - z|^2 / 2 is x.z - |x|^2/2 - |z|^2/2, one matrix product, or summed feature by feature.
    """

    lengthscale: float
    center: FloatArray
    expanded: bool = True

    workers = None

    @classmethod
    def on(cls, lengthscale: float, *clouds: FloatArray) -> SquaredExponential:
        """The kernel for these sets of points (m, d), expanded where their spread over l allows it."""
        low = np.min([cloud.min(axis=0) for cloud in clouds if len(cloud)], axis=0)
        high = np.max([cloud.max(axis=0) for cloud in clouds if len(cloud)], axis=0)
        radius = float(np.linalg.norm((high - low) / 2)) / lengthscale
        expanded = bool(4 * np.finfo(np.float64).eps * radius**2 <= EXPANSION_ERROR)
        return cls(lengthscale, (low + high) / 2, expanded)

    def direct(self) -> SquaredExponential:
        """The same kernel from differences: equal points then have equal kernel values, bit for bit."""
        return SquaredExponential(self.lengthscale, self.center, expanded=False)

    def left(self, X: FloatArray) -> FloatArray:
        U = self._units(X)
        if not self.expanded:
            return np.asarray(U / np.sqrt(2.0))
        return np.concatenate([U, np.ones((len(U), 1)), -0.5 * np.square(U).sum(axis=1, keepdims=True)], axis=1)

    def right(self, Z: FloatArray) -> FloatArray:
        U = self._units(Z)
        if not self.expanded:
            return np.ascontiguousarray(U.T / np.sqrt(2.0))
        half = -0.5 * np.square(U).sum(axis=1)
        return np.ascontiguousarray(np.concatenate([U.T, half[None, :], np.ones((1, len(U)))]))

    def block(self, left: FloatArray, right: FloatArray, out: FloatArray) -> None:
        if self.expanded:
            np.dot(left, right, out=out)
        else:
            difference = np.empty_like(out)
            out[...] = 0.0
            for feature in range(left.shape[1]):
                np.subtract(left[:, feature, None], right[None, feature], out=difference)
                np.multiply(difference, difference, out=difference)
                np.subtract(out, difference, out=out)
        np.exp(out, out=out)

    def diagonal(self, X: FloatArray) -> FloatArray:
        return np.ones(len(X))

    def _units(self, X: FloatArray) -> FloatArray:
        return np.asarray((X - self.center) / self.lengthscale)


@dataclass(frozen=True, eq=False)
class FunctionPairs:
    """Any other kernel, on inputs divided by ``lengthscale``."""

    kernel: KernelFunction
    lengthscale: float
    workers: int | None = None

    def left(self, X: FloatArray) -> FloatArray:
        return np.asarray(X / self.lengthscale)

    def right(self, Z: FloatArray) -> FloatArray:
        return np.ascontiguousarray((Z / self.lengthscale).T)

    def block(self, left: FloatArray, right: FloatArray, out: FloatArray) -> None:
        out[...] = covariance(self.kernel, left, right.T)

    def diagonal(self, X: FloatArray) -> FloatArray:
        return covariance_diagonal(self.kernel, self.left(X))


def pair_kernel(kernel: Kernel | str | None, lengthscale: float, *clouds: FloatArray) -> PairKernel:
    """The kernel for these sets of points: squared exponential when None, else another on inputs / lengthscale.

    Hyperparameters that a kernel's text leaves open are 1.
    """
    if kernel is None:
        return SquaredExponential.on(lengthscale, *clouds)
    found = as_kernel(kernel, clouds[0].shape[1])
    if isinstance(kernel, str):
        return FunctionPairs(found.at(np.zeros(len(found.theta))), lengthscale)
    return FunctionPairs(found, lengthscale, workers=1)  # GPyTorch's settings belong to the process, not to a thread
