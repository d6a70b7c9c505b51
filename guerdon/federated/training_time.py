"""Rewards during training: Wu et al. (ICLR 2024), incentive-aware federated learning with training-time model rewards.

With p_i what party i contributes (its rows, say), p_ceil what earns everything and kappa in [0, 1] how equal parties
are to be:

    gamma_i = min(p_i / p_ceil, 1)                             its reward rate
    party i's next model is its own start, moved by the mean of its own update and those of
    ceil(gamma_i^(1 - kappa) (n - 1)) others, drawn at random;
    with probability q a round it starts from the server's reference model, which moves by the mean of all updates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guerdon.federated.weights import Weights
from guerdon.types import FloatArray

__all__ = ["mean_of", "others_drawn", "others_numbers", "reward_rates"]


def reward_rates(p: FloatArray, ceiling: float | None = None) -> FloatArray:
    """gamma_i = min(p_i / p_ceil, 1): (n,); the largest contribution is the ceiling where none is given.

    Examples
    --------
    >>> reward_rates(np.array([10.0, 20.0, 40.0]), 25.0)
    array([0.4, 0.8, 1. ])
    """
    p = np.asarray(p, dtype=np.float64)
    most = float(p.max()) if ceiling is None else ceiling
    if np.any(p <= 0.0) or not most > 0.0:
        raise ValueError(f"contributions and their ceiling are positive, got {p} and {most}")
    return np.asarray(np.minimum(p / most, 1.0))


def others_numbers(rates: FloatArray, kappa: float) -> NDArray[np.intp]:
    """ceil(gamma_i^(1 - kappa) (n - 1)): (n,), how many of the others' updates each party's model is made of.

    Examples
    --------
    >>> others_numbers(np.array([0.25, 0.5, 1.0, 1.0, 1.0]), 0.0), others_numbers(np.array([0.25, 1.0, 1.0]), 0.5)
    (array([1, 2, 4, 4, 4]), array([1, 2, 2]))
    """
    n = len(rates)
    whole = np.asarray(rates, dtype=np.float64) ** (1.0 - kappa) * (n - 1)
    return np.array([math.ceil(number - 1e-9) for number in whole], dtype=np.intp)  # 1e-9: .6 of 5 is three


def others_drawn(numbers: NDArray[np.intp], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """For each party, so many of the others, drawn without replacement and sorted."""
    n = len(numbers)
    drawn = []
    for i, number in enumerate(numbers):
        others = np.delete(np.arange(n), i)
        drawn.append(np.sort(rng.permutation(others)[:number]).astype(np.intp))
    return drawn


def mean_of(updates: Sequence[Weights], members: Sequence[int]) -> dict[str, FloatArray]:
    """The mean of the updates of these parties."""
    return {name: np.asarray(sum(updates[j][name] for j in members) / len(members)) for name in updates[0]}
