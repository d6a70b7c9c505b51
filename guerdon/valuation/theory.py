"""When the MMD value is certainly non-negative or monotone: Tay et al. (AAAI 2022), section 5.

With gamma <= k(x, x') <= eta <= k* = k(x, x) over pairs of different points of T, these bounds are sufficient, rarely
necessary, and never both met for sets of less than half of T (Proposition 5). They are to be held against the kernel's
actual range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.valuation.kernel_sums import kernel_extremes
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame

__all__ = ["KernelRange", "kernel_range", "monotone_eta", "non_negative_gamma"]


@dataclass(frozen=True)
class KernelRange:
    """gamma and eta, the smallest and largest k(x, x') over pairs of different points of T, and k*, the diagonal."""

    gamma: float
    eta: float
    diagonal: float


def kernel_range(game: MaximumMeanDiscrepancyGame) -> KernelRange:
    """The kernel's actual range on the game's T; another pass over all pairs.

    Raises
    ------
    ValueError
        k(x, x) is not the same for all points, as the theory wants.
    """
    T = np.concatenate([*(c.X for c in game.contributions), game.synthetic])
    diagonal = game.kernel.diagonal(T)
    if np.ptp(diagonal) > 1e-12 * np.abs(diagonal).max():
        raise ValueError(f"k(x, x) must be the same for all points, got {diagonal.min():.6g} to {diagonal.max():.6g}")
    gamma, eta = kernel_extremes(game.kernel, T)
    return KernelRange(gamma, eta, float(diagonal[0]))


def non_negative_gamma(size: int, reference: int, eta: float, diagonal: float = 1.0) -> float:
    """gamma at or above which v(S) >= 0 for any S of ``size`` points: (t - 2s)(k* + (s - 1) eta) / (2s (t - s)) (7)."""
    s, t = size, reference
    return (t - 2 * s) * (diagonal + (s - 1) * eta) / (2 * s * (t - s))


def monotone_eta(size: int, reference: int, diagonal: float = 1.0) -> float:
    """eta at or below which no point lowers v of any S of ``size`` points: t k* / ((s + 1)(s (t - 2) + t)) (8)."""
    s, t = size, reference
    return t * diagonal / ((s + 1) * (s * (t - 2) + t))
