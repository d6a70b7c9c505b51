"""Shapley values estimated from permutations, with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import require_count
from guerdon.types import FloatArray, Game, ShapleyValues

__all__ = ["PermutationShapley"]


@dataclass(frozen=True)
class PermutationShapley:
    """Shapley values from random orders of arrival, their cyclic shifts and the reverses of those.

    phi_i is the expected gain v(S + i) - v(S) when i arrives, S being who came before it in a uniformly random order
    (Sim et al. 2020, equation 2). A block is one random order with its n rotations, in which every party arrives
    once at every place, and their n reverses (antithetic). Blocks are independent, so the standard error is that of
    their means.

    Parameters
    ----------
    permutations : int
        How many orders of arrival to walk; rounded up to whole blocks of 2n, at least two.
    """

    permutations: int = 1000

    def __post_init__(self) -> None:
        require_count("permutations", self.permutations)

    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues:
        n = game.n
        blocks = max(2, -(-self.permutations // (2 * n)))
        known: dict[bytes, float] = {bytes(np.packbits(np.zeros(n, dtype=bool))): 0.0}
        means = np.stack([_block_mean(game, _block(rng.permutation(n)), known) for _ in range(blocks)])
        return ShapleyValues(
            values=means.mean(axis=0),
            standard_errors=means.std(axis=0, ddof=1) / np.sqrt(blocks),
            evaluations=len(known) - 1,
            method=f"{2 * n * blocks} permutations (rotated and antithetic, {blocks} blocks)",
        )


def _block(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rotations of an order and their reverses: (2n, n)."""
    n = len(order)
    rotations = order[(np.arange(n)[:, None] + np.arange(n)) % n]
    return np.concatenate([rotations, rotations[:, ::-1]])


def _block_mean(game: Game, orders: NDArray[np.intp], known: dict[bytes, float]) -> FloatArray:
    """Mean gain of each party over the orders: (n,). ``known`` remembers coalitions between blocks."""
    m, n = orders.shape
    ranks = np.argsort(orders, axis=1)  # ranks[k, i] = when party i arrives in order k
    prefixes = ranks[:, None, :] < np.arange(n + 1)[:, None]  # (m, n + 1, n)
    coalitions = prefixes.reshape(-1, n)
    keys = [bytes(row) for row in np.packbits(coalitions, axis=1)]
    fresh = {key: row for row, key in enumerate(keys) if key not in known}
    if fresh:
        known.update(zip(fresh, game(coalitions[list(fresh.values())]).tolist(), strict=True))
    values = np.array([known[key] for key in keys]).reshape(m, n + 1)
    gains = np.take_along_axis(np.diff(values, axis=1), ranks, axis=1)  # (m, n), column i = party i
    return np.asarray(gains.mean(axis=0))
