"""Log marginal likelihoods of outputs, as functions that torch differentiates.

Each takes the kernel, the residuals y - mean (m,) and the noise variances (m,), and gives log p(y) in nats, or None
where a matrix is not positive definite to working precision.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gpytorch.kernels import Kernel

from guerdon.models.inducing_points import RANK_CUT
from guerdon.types import FloatArray

__all__ = ["Likelihood", "exact_likelihood", "inducing_likelihood", "linear_likelihood"]

Likelihood = Callable[[Kernel, torch.Tensor, torch.Tensor], torch.Tensor | None]


def exact_likelihood(X: FloatArray) -> Likelihood:
    """log N(y; mean, K + L) of a Gaussian process at inputs X (m, d): O(m^3)."""
    inputs = torch.as_tensor(X.copy())

    def likelihood(kernel: Kernel, residuals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor | None:
        factor, info = torch.linalg.cholesky_ex(kernel(inputs).to_dense() + torch.diag(noise))
        if int(info) != 0:
            return None
        white = torch.linalg.solve_triangular(factor, residuals[:, None], upper=False).squeeze(1)
        half_log_det: torch.Tensor = torch.log(torch.diagonal(factor)).sum()
        value: torch.Tensor = -0.5 * white @ white - half_log_det - _constant(residuals)
        return value

    return likelihood


def linear_likelihood(Phi: FloatArray) -> Likelihood:
    """log N(y; mean, Phi Phi' + L) of a linear model with features Phi (m, M): O(m M^2); it has no kernel."""
    features = torch.as_tensor(np.ascontiguousarray(Phi).copy())

    def likelihood(kernel: Kernel, residuals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor | None:
        return _low_rank(features, residuals, noise)

    return likelihood


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


def _low_rank(Phi: torch.Tensor, residuals: torch.Tensor, noise: torch.Tensor) -> torch.Tensor | None:
    """log N(r; 0, Phi Phi' + L) by the M x M matrix A = I + Phi' L^-1 Phi."""
    white, b = Phi / torch.sqrt(noise)[:, None], residuals / torch.sqrt(noise)
    A = white.T @ white + torch.eye(Phi.shape[1], dtype=Phi.dtype)
    factor, info = torch.linalg.cholesky_ex(A)
    if int(info) != 0:
        return None
    w = torch.cholesky_solve((white.T @ b)[:, None], factor).squeeze(1)
    # |b - P w|^2 + |w|^2 is least at this w, so that rounding in w only enters squared; b'b - b'P w would lose digits.
    off = b - white @ w
    half_log_det: torch.Tensor = torch.log(torch.diagonal(factor)).sum() + 0.5 * torch.log(noise).sum()
    value: torch.Tensor = -0.5 * (off @ off + w @ w) - half_log_det - _constant(residuals)
    return value


def _constant(residuals: torch.Tensor) -> float:
    return 0.5 * len(residuals) * float(np.log(2.0 * np.pi))
