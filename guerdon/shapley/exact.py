"""Exact Shapley values from the table of all coalition values."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from guerdon.checks import require_count
from guerdon.types import FloatArray, Game, ShapleyValues, TableGame, game_table

__all__ = ["MAX_EXACT_PARTIES", "ExactShapley", "exact_shapley"]

MAX_EXACT_PARTIES = 16
"""Up to this many parties the table of all 2**n values is cheap enough to compute."""


def exact_shapley(table: ArrayLike) -> FloatArray:
    """Shapley values phi_i = sum_{C without i} |C|! (n - |C| - 1)! / n! (v(C + i) - v(C)).

    Sim et al. (ICML 2020), equation 2, with the permutations that share a prefix summed at once.

    Parameters
    ----------
    table : (2**n,) array
        Coalition values indexed by bitmask; ``table[0]`` is 0.

    Returns
    -------
    (n,) array
        In the unit of the table; sums to ``table[-1]``.

    Examples
    --------
    >>> exact_shapley([0.0, 7.0, 5.0, 8.0])  # Example 1 of the paper
    array([5., 3.])
    """
    values = TableGame(np.asarray(table, dtype=np.float64)).values
    n = len(values).bit_length() - 1
    by_size = 1.0 / (n * np.array([comb(n - 1, size) for size in range(n)], dtype=np.float64))
    sizes = np.bitwise_count(np.arange(len(values) // 2))
    phi = np.empty(n)
    for i in range(n):
        split = values.reshape(-1, 2, 1 << i)  # (bits above i, bit i, bits below i)
        gains = (split[:, 1] - split[:, 0]).ravel()  # (2**(n-1),), one a coalition without i
        phi[i] = by_size[sizes] @ gains  # bit i is cut out of the index, so its popcount is |C|
    return phi


@dataclass(frozen=True)
class ExactShapley:
    """Shapley values by enumerating all 2**n coalitions; refuses more than ``max_parties``."""

    max_parties: int = MAX_EXACT_PARTIES

    def __post_init__(self) -> None:
        require_count("max_parties", self.max_parties)

    def __call__(self, game: Game, *, rng: np.random.Generator | None = None) -> ShapleyValues:
        if game.n > self.max_parties:
            raise ValueError(
                f"exact Shapley values of {game.n} parties need 2**{game.n} coalition values; the limit is "
                f"{self.max_parties} parties. Use PermutationShapley(), or raise max_parties."
            )
        table = game_table(game)
        return ShapleyValues(exact_shapley(table), evaluations=len(table), method="exact, all coalitions")
