"""A game's values as the sampling estimators ask for them: remembered, counted, in chains where the game has any."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import FloatArray, Game

__all__ = ["CoalitionValues", "prefixes"]

BATCH = 1 << 22
"""Entries of the boolean coalitions that an estimator asks for at a time, which bounds memory."""

REMEMBERED = 1 << 18
"""Values kept between calls, some 50 MB; what is asked for later is computed, and counted, whenever it is needed."""


@dataclass(eq=False)
class CoalitionValues:
    """The values of a game's coalitions; within a call none is computed twice, between calls none that is remembered.

    ``evaluations`` counts the values that the game computed, the empty coalition apart, which is worth 0.
    """

    game: Game
    evaluations: int = 0
    _known: dict[bytes, float] = field(default_factory=dict, repr=False)
    _chained: set[int] = field(default_factory=set, repr=False)

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        """Values (m,) of coalitions (m, n)."""
        keys = [bytes(row) for row in np.packbits(coalitions, axis=1)]
        empty = bytes(len(keys[0])) if keys else b""
        fresh = {key: row for row, key in enumerate(keys) if key not in self._known and key != empty}
        values = self.game(coalitions[list(fresh.values())]).tolist() if fresh else []
        self.evaluations += len(fresh)
        new = dict(zip(fresh, values, strict=True)) | {empty: 0.0}
        found = np.array([self._known[key] if key in self._known else new[key] for key in keys])
        if len(self._known) + len(new) <= REMEMBERED:
            self._known |= new
        return found

    def chains(self, orders: NDArray[np.intp]) -> FloatArray:
        """Values (k, n + 1) of every prefix of each order (k, n), the empty one's first.

        A game's own chains are taken where it offers them, and nothing is remembered then. Of up to 16 parties each
        coalition counts once; of more, every prefix in every call, but nobody, and everybody once.
        """
        k, n = orders.shape
        own = getattr(self.game, "chains", None)
        if own is None:
            return self(prefixes(orders).reshape(-1, n)).reshape(k, n + 1)
        values = np.asarray(own(orders), dtype=np.float64)
        if values.shape != (k, n + 1):
            raise ValueError(
                f"chains() of {k} orders of {n} parties must have shape ({k}, {n + 1}), got {values.shape}"
            )
        self.evaluations += self._count_chained(orders) if n <= MAX_EXACT_PARTIES else k * (n - 1) + 1
        return values

    def _count_chained(self, orders: NDArray[np.intp]) -> int:
        """How many prefixes of the orders were in none before."""
        before = len(self._chained)
        self._chained.update(np.unique(np.cumsum(1 << orders, axis=1)).tolist())
        return len(self._chained) - before


def prefixes(orders: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Who is there before each arrival, and at the end: (k, n + 1, n) of orders (k, n)."""
    ranks = np.argsort(orders, axis=1)  # ranks[k, i] = when party i arrives in order k
    return ranks[:, None, :] < np.arange(orders.shape[1] + 1)[:, None]
