"""Log likelihoods of outputs under a model with normal noise, with their slopes: what maximum likelihood maximises.

Each takes the kernel, the residuals y - mean (m,) and the noise variances (m,), and gives the density, or None where a
matrix is not positive definite to working precision. Slopes come from the one factor, and the kernel turns those in its
matrix into those in its hyperparameters; differentiating a factorization step by step would cost several times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular

from guerdon.linalg import triangular_factor
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.inducing_points import RANK_CUT
from guerdon.models.kernels import KernelFunction, Pairs
from guerdon.models.pool import blocks
from guerdon.types import FloatArray

__all__ = ["Density", "Likelihood", "Slopes", "exact_likelihood", "inducing_likelihood", "linear_likelihood"]


class Slopes(NamedTuple):
    """Of log p(y): in the kernel's theta (p,), in the residuals (m,) and in the noise variances (m,)."""

    theta: FloatArray
    residuals: FloatArray
    noise: FloatArray


@dataclass(frozen=True, eq=False)
class Density:
    """log p(y) in nats, and how to get its slopes, for whom they are worth their time; once only."""

    value: float
    slopes: Callable[[], Slopes]


Likelihood = Callable[[KernelFunction | None, FloatArray, FloatArray], Density | None]


def exact_likelihood(X: FloatArray) -> Likelihood:
    """log N(y; mean, K + L) of a Gaussian process at inputs X (m, d): O(m^3).

    With A = K + L = F F' and a = A^-1 r it is -1/2 r'a - sum log F_ii - m/2 log 2 pi, and its slope in A is
    1/2 (a a' - A^-1).
    """
    pairs = Pairs(np.array(X), np.array(X))

    def likelihood(kernel: KernelFunction | None, residuals: FloatArray, noise: FloatArray) -> Density | None:
        assert kernel is not None
        if not len(residuals):
            return Density(0.0, lambda: Slopes(np.zeros(len(kernel.theta)), residuals, noise))
        between = kernel.on(pairs)
        A = between.K.copy()
        A[np.diag_indices_from(A)] += noise
        factor, info = lapack.dpotrf(A.T, lower=1, overwrite_a=1)
        if info != 0:
            return None
        a, _ = lapack.dpotrs(factor, residuals, lower=1)
        half_log_det = float(np.log(np.diagonal(factor)).sum())

        def slopes() -> Slopes:
            inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
            W = _half_symmetric(inverse.T, a)
            return Slopes(between.slopes(W), -a, np.diagonal(W).copy())

        return Density(-0.5 * float(residuals @ a) - half_log_det - _constant(len(residuals)), slopes)

    return likelihood


def _half_symmetric(upper: FloatArray, a: FloatArray) -> FloatArray:
    """1/2 (a a' - A^-1), in place of the upper triangle of A^-1, a block of rows at a time."""
    m, step = len(a), 256
    for start in range(0, m, step):
        rows = slice(start, start + step)
        upper[rows, start:] *= -0.5
        upper[rows, start:] += np.outer(0.5 * a[rows], a[start:])
        square = upper[rows, rows]
        upper[rows, rows] = np.triu(square) + np.triu(square, 1).T
        upper[start + step :, rows] = upper[rows, start + step :].T
    return upper


def linear_likelihood(
    rows: FeatureRows, y: FloatArray, noise: FloatArray, groups: NDArray[np.intp] | None = None
) -> Likelihood:
    """log N(y; 0, Phi Phi' + L) of a linear model: all that is open is the noise variance of the rows with NaN.

    One for all of them, or one for each of the ``groups`` (m,), each of which is reduced by itself.

    The rows Phi (m, M) and y (m,) are reduced beforehand, in O(m M^2). Rows that have one noise variance keep their
    density when they are rotated, and the rotation that leaves a triangle of [Phi y] makes all further rows 0. Those
    with known variances L are brought to one, their geometric mean g, by sqrt(g / L), which keeps log det L as well. An
    evaluation is then O(M^3), and takes only the noise of the open rows from what it is given: the slope of a group is
    that of its first row.
    """
    is_open = np.isnan(noise)
    g = float(np.exp(np.mean(np.log(noise[~is_open])))) if not is_open.all() else 1.0
    of_groups = [is_open] if groups is None else [is_open & (groups == k) for k in range(int(groups.max()) + 1)]
    opened = [_triangle(rows, y, np.ones(len(y)), chosen) for chosen in of_groups]
    known = _triangle(rows, y, np.sqrt(g / noise), ~is_open)
    reduced = np.concatenate([*opened, known])
    shares = [_shares(int(np.sum(chosen)), len(part)) for chosen, part in zip(of_groups, opened, strict=True)]
    weights = np.concatenate([*shares, _shares(int(np.sum(~is_open)), len(known))])
    firsts = [np.flatnonzero(chosen)[:1] for chosen in of_groups]
    ends = np.cumsum([0, *map(len, opened)])

    def likelihood(kernel: KernelFunction | None, residuals: FloatArray, noise: FloatArray) -> Density | None:
        of_open = [np.full(len(part), *noise[first]) for first, part in zip(firsts, opened, strict=True) if len(first)]
        found = _low_rank(reduced[:, :-1], reduced[:, -1], np.concatenate([*of_open, np.full(len(known), g)]), weights)
        if found is None:
            return None

        def slopes() -> Slopes:
            of_rows, slope = found.noise_slopes(), np.zeros(len(noise))
            for first, start, end in zip(firsts, ends[:-1], ends[1:], strict=True):
                slope[first] = of_rows[start:end].sum()
            return Slopes(np.empty(0), np.zeros(len(residuals)), slope)

        return Density(found.value, slopes)

    return likelihood


def _triangle(rows: FeatureRows, y: FloatArray, scale: FloatArray, chosen: NDArray[np.bool_]) -> FloatArray:
    """The triangular factor of the chosen rows of [Phi y] times their scale."""

    def scaled() -> Iterator[FloatArray]:
        for Phi, block in zip(rows, blocks(len(y)), strict=True):
            keep = chosen[block]
            yield np.column_stack([Phi[keep], y[block][keep]]) * scale[block][keep, None]

    return triangular_factor(rows.width + 1, scaled())


def _shares(total: int, parts: int) -> FloatArray:
    return np.full(parts, total / max(1, parts))


def inducing_likelihood(X: FloatArray, Z: FloatArray) -> Likelihood:
    """log N(y; mean, Q + L) of the deterministic training conditional, Q = K_fu K_uu^+ K_uf: O(m M^2).

    K_uu is projected on the eigenvectors U that are more than rounding, and Q = (K_fu U) (U' K_uu U)^-1 (K_fu U)' is
    differentiated with U held: where none is dropped Q does not depend on U, else only by what is dropped. With
    F = K_fu U (U' K_uu U)^-1 and S the slope in Q, that in K_fu is 2 S F U', and that in K_uu -U F' S F U'.
    """
    to_points, among_points = Pairs(np.array(X), np.array(Z)), Pairs(np.array(Z), np.array(Z))

    def likelihood(kernel: KernelFunction | None, residuals: FloatArray, noise: FloatArray) -> Density | None:
        assert kernel is not None
        K_uu, K_fu = kernel.on(among_points), kernel.on(to_points)
        values, vectors = np.linalg.eigh(K_uu.K)
        cut = max(RANK_CUT, len(Z) * float(np.finfo(np.float64).eps)) * values[-1]
        U = vectors[:, values > cut]
        factor, info = lapack.dpotrf(U.T @ K_uu.K @ U, lower=1, clean=1)
        if info != 0:
            return None
        Phi = solve_triangular(factor, (K_fu.K @ U).T, lower=True, check_finite=False).T
        found = _low_rank(Phi, residuals, noise)
        if found is None:
            return None

        def slopes() -> Slopes:
            F = solve_triangular(factor, Phi.T, lower=True, trans=1, check_finite=False).T
            SF = found.covariance_slope_on(F)
            theta = K_fu.slopes(2.0 * SF @ U.T) - K_uu.slopes(U @ (F.T @ SF) @ U.T)
            return Slopes(theta, -found.a, found.noise_slopes())

        return Density(found.value, slopes)

    return likelihood


@dataclass(frozen=True, eq=False)
class _LowRank:
    """log N(r; 0, C), C = Phi Phi' + L: a = C^-1 r, P = L^-1/2 Phi, the factor of I + P'P, and L."""

    value: float
    a: FloatArray
    white: FloatArray
    factor: FloatArray
    noise: FloatArray
    weights: FloatArray

    def covariance_slope_on(self, F: FloatArray) -> FloatArray:
        """S F with S = 1/2 (a a' - C^-1) and C^-1 = L^-1/2 (I - P (I + P'P)^-1 P') L^-1/2."""
        root = np.sqrt(self.noise)[:, None]
        own = F / root
        inner, _ = lapack.dpotrs(self.factor, self.white.T @ own, lower=1)
        return np.asarray(0.5 * (np.outer(self.a, self.a @ F) - (own - self.white @ inner) / root))

    def noise_slopes(self) -> FloatArray:
        """1/2 (a_i^2 - (C^-1)_ii), less 1/2 (w_i - 1) / L_i for the rows that are 0."""
        half = solve_triangular(self.factor, self.white.T, lower=True, check_finite=False)
        inverse = 1.0 - np.einsum("ij,ij->j", half, half)
        return np.asarray(0.5 * (self.a**2 - (inverse + self.weights - 1.0) / self.noise))


def _low_rank(
    Phi: FloatArray, residuals: FloatArray, noise: FloatArray, weights: FloatArray | None = None
) -> _LowRank | None:
    """log N(r; 0, Phi Phi' + L) by the M x M matrix A = I + Phi' L^-1 Phi.

    Weights (m,) say how many rows of its noise variance a row counts for, the further ones being 0 in Phi and r.
    """
    white, b = Phi / np.sqrt(noise)[:, None], residuals / np.sqrt(noise)
    A = white.T @ white + np.eye(Phi.shape[1])
    factor, info = lapack.dpotrf(A, lower=1, clean=1)
    if info != 0:
        return None
    w, _ = lapack.dpotrs(factor, white.T @ b, lower=1)
    # |b - P w|^2 + |w|^2 is least at this w, so that rounding in w only enters squared; b'b - b'P w would lose digits.
    off = b - white @ w
    weights = np.ones_like(noise) if weights is None else weights
    half_log_det = np.log(np.diagonal(factor)).sum() + 0.5 * weights @ np.log(noise)
    value = -0.5 * (off @ off + w @ w) - half_log_det - _constant(weights.sum())
    return _LowRank(float(value), off / np.sqrt(noise), white, factor, noise, weights)


def _constant(rows: float) -> float:
    return 0.5 * float(rows) * float(np.log(2.0 * np.pi))
