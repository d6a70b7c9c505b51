"""The MMD GAN's objective (Binkowski et al., ICLR 2018): a kernel on critic features, and a penalty on its witness.

    k(a, b) = a'b + sum_alpha (1 + |a - b|^2 / (2 alpha))^-alpha        the paper's "rq*"

with a = h(x) the critic's features (16 numbers an image or row). The dot product keeps a gradient where samples are so
far from data that every rational-quadratic term is flat.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ALPHAS", "kernel_matrix", "mmd2", "witness_penalty"]

ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""The mixture of Binkowski et al. (2018): from heavy tails to nearly a Gaussian."""


def kernel_matrix(A: Tensor, B: Tensor) -> Tensor:
    """k(a_i, b_j) for features A (m, f) and B (n, f): (m, n)."""
    dot = A @ B.T
    squares = A.square().sum(dim=1)[:, None] + B.square().sum(dim=1) - 2.0 * dot
    distance = squares.clamp(min=0.0)  # (m, n); rounding can leave -1e-7
    mixture = torch.stack([torch.exp(-alpha * torch.log1p(distance / (2.0 * alpha))) for alpha in ALPHAS])
    return dot + mixture.sum(dim=0)


def mmd2(real: Tensor, fake: Tensor) -> Tensor:
    """The unbiased estimate of MMD^2 between features (m, f) and (n, f), differentiable in both; it may be negative.

    1/(m (m-1)) sum_{i != j} k(a_i, a_j) - 2/(m n) sum_ij k(a_i, b_j) + 1/(n (n-1)) sum_{i != j} k(b_i, b_j).
    """
    within = _off_diagonal_mean(kernel_matrix(real, real)) + _off_diagonal_mean(kernel_matrix(fake, fake))
    return within - 2.0 * kernel_matrix(real, fake).mean()


def witness_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, at: Tensor, features: tuple[Tensor, Tensor]
) -> Tensor:
    """The mean of (|grad f(z)| - 1)^2 over the points z, f(z) = mean_i k(h(x_i), h(z)) - mean_j k(h(y_j), h(z)).

    The witness of the MMD is held to slope 1 between data and samples, so that the critic can't make it steep at will.

    Parameters
    ----------
    critic : Module
        The network h.
    real, fake : (n, ...) Tensor
        x and y.
    at : (n, 1, ...) Tensor
        Shares in [0, 1]: z = at x + (1 - at) y.
    features : tuple of (n, f) Tensor
        h(x) and h(y).
    """
    z = (at * real + (1.0 - at) * fake).detach().requires_grad_()
    h = critic(z)
    witness = kernel_matrix(features[0], h).mean(dim=0) - kernel_matrix(features[1], h).mean(dim=0)  # (n,)
    (slope,) = torch.autograd.grad(witness.sum(), z, create_graph=True)
    # The root's own slope is infinite at 0, where a critic that is flat (a dead ReLU) would give NaN.
    norm = (slope.flatten(start_dim=1).square().sum(dim=1) + 1e-12).sqrt()
    return (norm - 1.0).square().mean()


def _off_diagonal_mean(K: Tensor) -> Tensor:
    n = len(K)
    return (K.sum() - K.diagonal().sum()) / (n * (n - 1))
