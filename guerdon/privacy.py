"""Differential privacy of sums over rows: how much noise, what it promises, and what several releases come to.

(epsilon, delta): whatever is read from a release, with one of the party's rows more or less it would have been read at
most exp(epsilon) times as often, but for a probability of delta. What is made of a release keeps the promise.

Sums whose Frobenius norm one row moves by at most D get Gaussian noise of standard deviation sigma D. This gives
(epsilon, delta) exactly when

    delta >= Phi(mu / 2 - epsilon / mu) - exp(epsilon) Phi(-mu / 2 - epsilon / mu),   mu = 1 / sigma

(Balle and Wang, ICML 2018, theorem 8). Releases with mu_1, mu_2, ... of the same rows, whatever the later ones were
made to depend on, are together like one with mu^2 = mu_1^2 + mu_2^2 + ... (Dong, Roth and Su 2022, corollary 3.3), and
rho = mu^2 / 2 is their zero-concentrated privacy (Bun and Steinke 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from guerdon.types import FloatArray, Statistics

__all__ = ["LARGEST", "Bounds", "check_promise", "delta_of", "epsilon_of", "noise_multiplier", "noisy_sums", "together"]

Kind = TypeVar("Kind", bound=Statistics)

LEAST = 1e-6
"""No bound is smaller, nor larger than 1 over it, or float64 has no room for the noise."""

LARGEST = 100.0
"""No epsilon above this is a promise of anything, and exp of it is still a number."""


class Bounds(NamedTuple):
    """What rows are clipped to: ``norm`` R of the features and ``output`` Y, in the units that sums are taken in."""

    norm: float
    output: float


def delta_of(epsilon: float, mu: float) -> float:
    """The smallest delta that Gaussian noise of standard deviation D / mu gives together with this epsilon.

    Examples
    --------
    >>> round(delta_of(1.0, mu=1.0), 6)
    0.126937
    """
    if mu == 0.0:
        return 0.0
    return _below(0.5 * mu - epsilon / mu) - math.exp(epsilon) * _below(-0.5 * mu - epsilon / mu)


def noise_multiplier(epsilon: float, delta: float) -> float:
    """sigma: the least noise, in units of D, that gives (epsilon, delta).

    Raises
    ------
    ValueError
        epsilon is not positive (or above 100, which promises nothing), or delta not between 0 and 1.

    Examples
    --------
    >>> round(noise_multiplier(1.0, 1e-5), 4)
    3.7306
    """
    check_promise(epsilon, delta)
    low, high = 1e-3, 1.0  # mu
    while delta_of(epsilon, high) < delta:
        high *= 2.0
    while delta_of(epsilon, low) > delta:
        low *= 0.5
    return 1.0 / _bisected(lambda mu: delta_of(epsilon, mu) <= delta, low, high)[0]


def epsilon_of(mu: float, delta: float) -> float:
    """The smallest epsilon >= 0 that holds with this delta where noise has a standard deviation of D / mu."""
    if delta_of(0.0, mu) <= delta:
        return 0.0
    high = 1.0
    while delta_of(high, mu) > delta:
        high *= 2.0
        if high > 600.0:
            return math.inf
    return _bisected(lambda epsilon: delta_of(epsilon, mu) > delta, 0.0, high)[1]


def together(multipliers: Iterable[float]) -> float:
    """mu of several releases with noise of these multiples of D: sqrt(sum 1 / sigma^2)."""
    return math.sqrt(sum(1.0 / sigma**2 for sigma in multipliers))


def check_promise(epsilon: float, delta: float) -> None:
    """Refuse an epsilon or a delta that promises nothing.

    Raises
    ------
    ValueError
    """
    if not 0.0 < epsilon <= LARGEST:
        raise ValueError(f"epsilon is a number above 0, and at most {LARGEST:g}, got {epsilon!r}")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta is a probability between 0 and 1, such as 1e-5, got {delta!r}")


def noisy_sums(sums: Kind, bounds: Bounds, multiplier: float, normal: Callable[[int], FloatArray]) -> Kind:
    """The sums as they may leave: with noise, y' y left out, and the number of rows as the noisy sums tell it.

    Of rows clipped to the bounds (``guerdon.models.sums``), one moves (Phi' Phi, (R / Y) Phi' y) by at most
    D = sqrt(2) R^2. The symmetric matrix has noise of standard deviation multiplier D on its diagonal, and 1 / sqrt(2)
    of that off it, where each entry counts twice in the norm.

    Parameters
    ----------
    sums : Statistics
        Exact, the last feature a constant 1, so that the last entry of the Gram matrix counts the rows.
    bounds : Bounds
    multiplier : float
        Of D.
    normal : callable
        normal(k) draws k independent standard normal numbers (k,).

    Raises
    ------
    ValueError
        The bounds are so small or so large that noise of their size would be lost to rounding.
    """
    if not all(LEAST <= bound <= 1.0 / LEAST for bound in bounds):
        raise ValueError(
            f"bounds are from {LEAST:g} to {1.0 / LEAST:g}, or float64 has no room for the noise, got {bounds}"
        )
    M = len(sums.moment)
    sigma = multiplier * math.sqrt(2.0) * bounds.norm**2
    E = np.zeros((M, M))
    E[np.triu_indices(M)] = normal(M * (M + 1) // 2)
    E = (E + np.triu(E, 1).T) * np.where(np.eye(M, dtype=bool), sigma, sigma / math.sqrt(2.0))
    of_moment = sigma * bounds.output / bounds.norm
    gram, moment = sums.gram + E, sums.moment + of_moment * normal(M)
    return replace(
        sums,
        gram=gram,
        moment=moment,
        square=math.nan,
        rows=max(0, round(float(gram[-1, -1]))),
        gram_noise=sigma,
        moment_noise=of_moment,
    )


def _below(x: float) -> float:
    """Phi(x), the standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _bisected(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """The last point where it holds and the next float-sized step where it doesn't, between low (holds) and high."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
