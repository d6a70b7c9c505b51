"""A network's weights, or an update of them, as float64 arrays by name, and what is computed with them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from guerdon.types import FloatArray

__all__ = ["Weights", "added", "inner", "norm", "scaled"]

Weights = Mapping[str, FloatArray]
"""One array a layer's matrix or vector."""


def added(weights: Weights, update: Weights, times: float = 1.0) -> dict[str, FloatArray]:
    """weights + times * update."""
    return {name: weights[name] + times * update[name] for name in weights}


def scaled(update: Weights, factor: float) -> dict[str, FloatArray]:
    """factor * update."""
    return {name: factor * array for name, array in update.items()}


def inner(one: Weights, other: Weights) -> float:
    """The inner product of all entries."""
    return float(sum(np.vdot(one[name], other[name]) for name in sorted(one)))


def norm(update: Weights) -> float:
    """The Euclidean norm of all entries."""
    return float(np.sqrt(inner(update, update)))
