"""Rewards by the direction of updates: Xu et al. (NeurIPS 2021), "Gradient-driven rewards".

With party i's update of the round Delta_i, r the importances so far and a, Gamma, b the mechanism's numbers:

    u_i   = Gamma Delta_i / |Delta_i|                 its normalised update
    u_N   = sum_i r_i u_i                             the aggregate
    phi_i = cos(u_i, u_N)                             what it contributed, a cheap stand-in for its Shapley value
    r_i  <- max(a r_i + (1 - a) phi_i, 0.001), then divided by their sum
    party i downloads, of each layer of u_N, the share tanh(b r_i) / max_j tanh(b r_j) of its entries that are largest
    in magnitude, and zeros elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from guerdon.federated.weights import Weights, inner, norm, scaled
from guerdon.types import FloatArray

__all__ = ["contributions", "download_shares", "importance", "largest_share", "normalised", "weighted_sum"]

LEAST = 1e-3
"""Importances are kept at least this large before they are divided by their sum."""


def normalised(update: Weights, gamma: float) -> dict[str, FloatArray]:
    """u_i = Gamma Delta_i / |Delta_i|; a zero update stays zero."""
    length = norm(update)
    return scaled(update, gamma / length if length > 0.0 else 0.0)


def weighted_sum(updates: Sequence[Weights], weights: FloatArray) -> dict[str, FloatArray]:
    """u_N = sum_i r_i u_i."""
    return {
        name: np.asarray(sum(float(w) * update[name] for w, update in zip(weights, updates, strict=True)))
        for name in updates[0]
    }


def contributions(updates: Sequence[Weights], aggregate: Weights) -> FloatArray:
    """phi_i = cos(u_i, u_N): (n,); 0 where either is zero.

    Examples
    --------
    >>> u = [{"w": np.array([1.0, 0.0])}, {"w": np.array([0.0, 2.0])}]
    >>> contributions(u, {"w": np.array([1.0, 1.0])}).round(6)
    array([0.707107, 0.707107])
    """
    whole = norm(aggregate)
    lengths = [norm(update) * whole for update in updates]
    return np.array(
        [
            inner(update, aggregate) / length if length > 0.0 else 0.0
            for update, length in zip(updates, lengths, strict=True)
        ]
    )


def importance(before: FloatArray, phi: FloatArray, a: float) -> FloatArray:
    """r <- a r + (1 - a) phi, clamped at 0.001 and divided by the sum: (n,)."""
    mixed = np.maximum(a * np.asarray(before) + (1.0 - a) * np.asarray(phi), LEAST)
    return np.asarray(mixed / mixed.sum())


def download_shares(r: FloatArray, b: float) -> FloatArray:
    """tanh(b r_i) / max_j tanh(b r_j): (n,), 1 for the most important; the larger b, the more equal they are."""
    reach = np.tanh(b * np.asarray(r))
    return np.asarray(reach / reach.max())


def largest_share(update: Weights, share: float) -> dict[str, FloatArray]:
    """Of each layer, the share of its entries that are largest in magnitude, rounded up, and zeros elsewhere.

    Entries of equal magnitude are taken in their order.

    Examples
    --------
    >>> largest_share({"w": np.array([1.0, -4.0, 2.0])}, 0.5)
    {'w': array([ 0., -4.,  2.])}
    """
    return {name: _masked(array, share) for name, array in update.items()}


def _masked(array: FloatArray, share: float) -> FloatArray:
    flat = array.ravel()
    count = min(flat.size, math.ceil(share * flat.size - 1e-9))  # 1e-9: 1/3 of 3 entries is one
    kept = np.argsort(-np.abs(flat), kind="stable")[:count]
    masked = np.zeros_like(flat)
    masked[kept] = flat[kept]
    return masked.reshape(array.shape)
