"""Log marginal likelihoods of outputs, as functions that torch differentiates.

Each takes the kernel, the residuals y - mean (m,) and the noise variances (m,), and gives log p(y) in nats, or None
where a matrix is not positive definite to working precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from gpytorch.kernels import Kernel
from numpy.typing import NDArray

from guerdon.linalg import triangular_factor
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.inducing_points import RANK_CUT
from guerdon.models.pool import blocks
from guerdon.types import FloatArray

__all__ = ["Likelihood", "exact_likelihood", "inducing_likelihood", "linear_likelihood"]

Likelihood = Callable[[Kernel, torch.Tensor, torch.Tensor], torch.Tensor | None]


def exact_likelihood(X: FloatArray) -> Likelihood:
    """log N(y; mean, K + L) of a Gaussian process at inputs X (m, d): O(m^3)."""
    inputs = torch.as_tensor(X.copy())

    def likelihood(kernel: Kernel, residuals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor | None:
        covariance = kernel(inputs).to_dense()
        with torch.no_grad():
            factor, info = torch.linalg.cholesky_ex(covariance + torch.diag(noise))
        if int(info) != 0:
            return None
        value: torch.Tensor = _NormalDensity.apply(covariance, residuals, noise, factor)  # type: ignore[no-untyped-call]
        return value

    return likelihood


class _NormalDensity(torch.autograd.Function):
    """log N(r; 0, A) with A = K + L and its lower factor given: -1/2 r' A^-1 r - 1/2 log det A - m/2 log 2 pi.

    Its gradient in A is 1/2 (a a' - A^-1) with a = A^-1 r, from the one factor, where differentiating a Cholesky
    factorization step by step costs several times as much.
    """

    @staticmethod
    def forward(
        ctx: Any, covariance: torch.Tensor, residuals: torch.Tensor, noise: torch.Tensor, factor: torch.Tensor
    ) -> torch.Tensor:
        a = torch.cholesky_solve(residuals[:, None], factor)
        ctx.save_for_backward(factor, a)
        half_log_det = torch.log(torch.diagonal(factor)).sum()
        return -0.5 * residuals @ a.squeeze(1) - half_log_det - _constant(len(residuals))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,) = grads
        factor, a = ctx.saved_tensors
        scale = 0.5 * float(grad)
        slope = torch.addmm(torch.cholesky_inverse(factor), a, a.T, beta=-scale, alpha=scale)
        return slope, -grad * a.squeeze(1), torch.diagonal(slope).clone(), None


def linear_likelihood(
    rows: FeatureRows, y: FloatArray, noise: FloatArray, groups: NDArray[np.intp] | None = None
) -> Likelihood:
    """log N(y; 0, Phi Phi' + L) of a linear model: all that is open is the noise variance of the rows with NaN.

    One for all of them, or one for each of the ``groups`` (m,), each of which is reduced by itself.

    The rows Phi (m, M) and y (m,) are reduced beforehand, in O(m M^2). Rows that have one noise variance keep their
    density when they are rotated, and the rotation that leaves a triangle of [Phi y] makes all further rows 0. Those
    with known variances L are brought to one, their geometric mean g, by sqrt(g / L), which keeps log det L as well. An
    evaluation is then O(M^3), and takes only the noise of the open rows from what it is given.
    """
    is_open = np.isnan(noise)
    g = float(np.exp(np.mean(np.log(noise[~is_open])))) if not is_open.all() else 1.0
    of_groups = [is_open] if groups is None else [is_open & (groups == k) for k in range(int(groups.max()) + 1)]
    opened = [_triangle(rows, y, np.ones(len(y)), chosen) for chosen in of_groups]
    known = _triangle(rows, y, np.sqrt(g / noise), ~is_open)
    reduced = torch.as_tensor(np.concatenate([*opened, known]))
    shares = [_shares(np.sum(chosen), len(part)) for chosen, part in zip(of_groups, opened, strict=True)]
    weights = torch.cat([*shares, _shares(np.sum(~is_open), len(known))])
    variance = torch.full((len(known),), g, dtype=reduced.dtype)
    firsts = [np.flatnonzero(chosen)[:1] for chosen in of_groups]

    def likelihood(kernel: Kernel, residuals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor | None:
        of_open = [noise[first].expand(len(part)) for first, part in zip(firsts, opened, strict=True)]
        variances = torch.cat([*of_open, variance])
        return _low_rank(reduced[:, :-1], reduced[:, -1], variances, weights)

    return likelihood


def _triangle(rows: FeatureRows, y: FloatArray, scale: FloatArray, chosen: NDArray[np.bool_]) -> FloatArray:
    """The triangular factor of the chosen rows of [Phi y] times their scale."""

    def scaled() -> Iterator[FloatArray]:
        for Phi, block in zip(rows, blocks(len(y)), strict=True):
            keep = chosen[block]
            yield np.column_stack([Phi[keep], y[block][keep]]) * scale[block][keep, None]

    return triangular_factor(rows.width + 1, scaled())


def _shares(total: int, parts: int) -> torch.Tensor:
    return torch.full((parts,), total / max(1, parts), dtype=torch.float64)


def inducing_likelihood(X: FloatArray, Z: FloatArray) -> Likelihood:
    """log N(y; mean, Q + L) of the deterministic training conditional, Q = K_fu K_uu^+ K_uf: O(m M^2).

    K_uu is projected on the eigenvectors U that are more than rounding, and Q = (K_fu U) (U' K_uu U)^-1 (K_fu U)' is
    differentiated with U held: where none is dropped Q does not depend on U, else only by what is dropped.
    """
    inputs, inducing = torch.as_tensor(X.copy()), torch.as_tensor(Z.copy())

    def likelihood(kernel: Kernel, residuals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor | None:
        K_uu = kernel(inducing).to_dense()
        values, vectors = torch.linalg.eigh(K_uu.detach())
        cut = max(RANK_CUT, len(Z) * float(np.finfo(np.float64).eps)) * values[-1]
        U = vectors[:, values > cut]
        factor, info = torch.linalg.cholesky_ex(U.T @ K_uu @ U)
        if int(info) != 0:
            return None
        K_fu = kernel(inputs, inducing).to_dense()
        Phi = torch.linalg.solve_triangular(factor, (K_fu @ U).T, upper=False).T
        return _low_rank(Phi, residuals, noise)

    return likelihood


def _low_rank(
    Phi: torch.Tensor, residuals: torch.Tensor, noise: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor | None:
    """log N(r; 0, Phi Phi' + L) by the M x M matrix A = I + Phi' L^-1 Phi.

    Weights (m,) say how many rows of its noise variance a row counts for, the further ones being 0 in Phi and r.
    """
    white, b = Phi / torch.sqrt(noise)[:, None], residuals / torch.sqrt(noise)
    A = white.T @ white + torch.eye(Phi.shape[1], dtype=Phi.dtype)
    factor, info = torch.linalg.cholesky_ex(A)
    if int(info) != 0:
        return None
    w = torch.cholesky_solve((white.T @ b)[:, None], factor).squeeze(1)
    # |b - P w|^2 + |w|^2 is least at this w, so that rounding in w only enters squared; b'b - b'P w would lose digits.
    off = b - white @ w
    weights = torch.ones_like(noise) if weights is None else weights
    half_log_det: torch.Tensor = torch.log(torch.diagonal(factor)).sum() + 0.5 * weights @ torch.log(noise)
    value: torch.Tensor = -0.5 * (off @ off + w @ w) - half_log_det - _constant(weights.sum())
    return value


def _constant(rows: float | torch.Tensor) -> float:
    return 0.5 * float(rows) * float(np.log(2.0 * np.pi))
