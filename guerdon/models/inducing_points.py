"""The features of a sparse Gaussian process: a kernel's covariances with a few inducing points, whitened."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.models.kernels import (
    KernelFunction,
    as_kernel,
    check_kernel,
    covariance,
    covariance_diagonal,
    kernel_text,
)
from guerdon.models.protocols import Arrays
from guerdon.types import FloatArray

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = ["InducingPoints", "Whitening", "as_inducing", "whitening_of"]

RANK_CUT = 1e-13
"""Directions of K_uu below this share of its largest eigenvalue (or M eps of it) are rounding: they are dropped."""


class Whitening(NamedTuple):
    """W (M, r) with W' K_uu W = I, and what float64 left open.

    Attributes
    ----------
    matrix : (M, r) array
        W.
    scale_errors : (r,) array
        The relative rounding error of each column of W.
    dropped : (M, M - r) array
        The directions of K_uu that are not in W, each over the root of the largest eigenvalue that it may have.
    """

    matrix: FloatArray
    scale_errors: FloatArray
    dropped: FloatArray


def whitening_of(K_uu: FloatArray) -> Whitening:
    """W = U_r diag(lambda_r)^-1/2 from the eigenvectors of K_uu (M, M) whose eigenvalue is more than rounding.

    Near-duplicate inducing points make K_uu singular to working precision. Jitter would move every value (1e-4 costs a
    nat); the directions dropped here are those that float64 does not know.
    """
    values, vectors = np.linalg.eigh(K_uu)
    largest, eps = float(values[-1]), float(np.finfo(np.float64).eps)
    cut = max(RANK_CUT, len(K_uu) * eps) * largest
    kept = values > cut
    dropped = vectors[:, ~kept] / np.sqrt(cut)
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    return Whitening(np.ascontiguousarray(vectors / np.sqrt(values)), 0.5 * eps * largest / values, dropped)


def as_inducing(points: Any) -> FloatArray:
    """Inducing points as an array that stays as it is: (M, d).

    Raises
    ------
    ValueError
        They have not two dimensions, there is none, or a number is not finite.
    """
    try:
        array = np.array(points, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 2 or array.size == 0 or not np.all(np.isfinite(array)):
        raise ValueError(f"inducing points must be a finite array of shape (M, d) with M, d >= 1, got {points!r}")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class InducingPoints:
    """phi(x) = W' k(Z, x), so that phi(x)' phi(x') = q(x, x') = k(x, Z) K_uu^-1 k(Z, x') (Nystroem).

    Parameters
    ----------
    kernel : GPyTorch kernel or str
        With every hyperparameter known.
    points : (M, d) array
        Z, in the units of the inputs that the model sees.
    whitening : (M, r) array, optional
        W; computed from K_uu when None.
    """

    kernel: Kernel | str
    points: FloatArray
    whitening: FloatArray | None = None

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        object.__setattr__(self, "points", as_inducing(self.points))

    def __call__(self, X: FloatArray) -> FloatArray:
        if X.shape[1] != self.points.shape[1]:
            raise ValueError(f"X must have shape (rows, {self.points.shape[1]}) as inducing points have, got {X.shape}")
        return covariance(self._kernel, X, self.points) @ self._matrix

    def unexplained(self, X: FloatArray, Phi: FloatArray) -> FloatArray:
        """k(x, x) - q(x, x) >= 0, what the inducing points don't tell about f(x): (m,)."""
        return np.asarray(np.clip(covariance_diagonal(self._kernel, X) - np.square(Phi).sum(axis=1), 0.0, None))

    @property
    def rank(self) -> int:
        """How many directions of K_uu are left: r <= M."""
        return int(self._matrix.shape[1])

    @property
    def scale_errors(self) -> FloatArray:
        """The relative rounding error of each feature's scale: (r,)."""
        return self._whitening.scale_errors

    def dropped(self, X: FloatArray) -> FloatArray:
        """The features of the directions that were dropped, at least so large in truth: (m, M - r).

        Their scale is unknown to float64: it is taken to be as large as it can be, and their own rounding is left out.
        """
        if self.whitening is not None or self.rank == len(self.points):
            return np.empty((len(X), 0))
        K = covariance(self._kernel, X, self.points)
        rounding = 4.0 * float(np.finfo(np.float64).eps) * np.sqrt(K.shape[1]) * np.abs(K).max(axis=1, initial=0.0)
        U = self._whitening.dropped
        raw = K @ U
        return np.asarray(
            np.sign(raw) * np.clip(np.abs(raw) - np.outer(rounding, np.linalg.norm(U, axis=0)), 0.0, None)
        )

    @property
    def contains(self) -> str:
        """What the holder of these features can read from them."""
        return (
            f"the kernel and {len(self.points)} inducing points: as they were given, or centres of clusters of draws "
            "with the pool's mean and covariance, or, in a run that discloses rows, of the pool's inputs, where the "
            "centre of a cluster of one row is that row's inputs"
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"kernel": np.array(kernel_text(self.kernel)), "points": self.points, "whitening": self._matrix}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(str(arrays["kernel"]), arrays["points"], np.asarray(arrays["whitening"], dtype=np.float64))

    def describe(self) -> dict[str, Any]:
        """The kernel's text, how many points there are, and how many directions of K_uu were dropped."""
        dropped = len(self.points) - self.rank
        return {"kernel": kernel_text(self.kernel), "points": len(self.points), "dropped_rank": dropped}

    @cached_property
    def _kernel(self) -> KernelFunction:
        return as_kernel(self.kernel, self.points.shape[1])

    @cached_property
    def _whitening(self) -> Whitening:
        return whitening_of(covariance(self._kernel, self.points))

    @property
    def _matrix(self) -> FloatArray:
        return self._whitening.matrix if self.whitening is None else self.whitening
