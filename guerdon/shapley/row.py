"""Shapley values with single rows as players: what a party gets does not change when it splits itself, or merges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import require_count
from guerdon.types import Contribution, FloatArray, Game, ShapleyValues

__all__ = ["GameOfRows", "RowShapley"]


BATCH = 64
"""Pairs of orders that a game is asked for at once."""

QUICK = 32
"""Orders of an estimate that is made again and again: errors of some 4 %."""


class GameOfRows(Game, Protocol):
    """A game of parties with rows, which knows what single rows are worth.

    ``row_gains(orders (k, m)) -> (k, m)`` is what each row adds when all arrive in an order, the rows as the parties
    have them. A game with ``row_shapley() -> (m,)``, a closed form, needs no ``row_gains``.
    """

    @property
    def contributions(self) -> tuple[Contribution, ...]: ...
    def row_gains(self, orders: NDArray[np.intp]) -> FloatArray: ...


@dataclass(frozen=True)
class RowShapley:
    """phi_party = the sum of its rows' Shapley values, every row of the pool a player of its own (Lee et al. 2025).

    A party that appears under several names, or as one with others, gets the same in sum. It pays by rows: whoever has
    more rows of the same use gets more. Efficiency, symmetry, null rows and linearity hold among rows; among parties
    efficiency does, and two parties whose rows are worth the same row by row get the same; but parties that are
    symmetric as coalitions with different numbers of rows may not, and a party's share is no longer its average gain
    over orders of parties.

    Exact where the game has a closed form for rows (MMD). Else by random orders of all rows and their reverses
    (antithetic), each of which one factorisation values: errors are those of the pairs' means.

    Parameters
    ----------
    orders : int
        Orders of arrival, in pairs.

    Raises
    ------
    ValueError
        ``orders`` is not even or less than 4, or the game does not know what rows are worth.

    Examples
    --------
    >>> from guerdon.models import BayesianLinear
    >>> from guerdon.valuation import InformationGain
    >>> one, two = np.array([[1.0]]), np.array([[1.0], [1.0]])
    >>> parties = [Contribution("a", one), Contribution("b", two)]
    >>> game = InformationGain(BayesianLinear(noise=1.0)).game(parties)
    >>> RowShapley()(game, rng=np.random.default_rng(0)).values.round(2)  # 1/2 log(1 + 3), a third a row
    array([0.23, 0.46])
    """

    orders: int = 512

    def __post_init__(self) -> None:
        require_count("orders", self.orders)
        if self.orders % 2 or self.orders < 4:
            raise ValueError(f"orders come in pairs, at least 4, got {self.orders}")

    @property
    def quick(self) -> RowShapley:
        """The same from few orders, for where values are asked for many times over."""
        return RowShapley(min(self.orders, QUICK))

    def __call__(self, game: GameOfRows, *, rng: np.random.Generator) -> ShapleyValues:
        """The parties' values (n,), and ``rows`` (m,), those of single rows."""
        contributions = getattr(game, "contributions", None)
        if contributions is None or not (hasattr(game, "row_shapley") or hasattr(game, "row_gains")):
            raise ValueError(
                f"RowShapley needs a game that knows what single rows are worth, with row_shapley() or row_gains(); "
                f"{type(game).__name__} has neither: take another estimator, or a valuation that has"
            )
        owner = np.repeat(np.arange(game.n), [len(c) for c in contributions])
        if hasattr(game, "row_shapley"):
            rows = np.asarray(game.row_shapley(), dtype=np.float64)
            gap = abs(float(rows.sum()) - float(game(np.ones((1, game.n), dtype=bool))[0]))
            method = f"exact, single rows as players (efficiency gap {gap:.2g})"
            return ShapleyValues(_by_party(rows, owner, game.n), method=method, efficiency_gap=gap, rows=rows)
        pairs = self.orders // 2
        total, by_pair = np.zeros(len(owner)), np.empty((pairs, game.n))
        for start in range(0, pairs, BATCH):
            count = min(BATCH, pairs - start)
            orders = np.stack([rng.permutation(len(owner)) for _ in range(count)])
            gains = game.row_gains(np.concatenate([orders, orders[:, ::-1]]))
            for k, mean in enumerate(0.5 * (gains[:count] + gains[count:]), start=start):
                total += mean
                by_pair[k] = _by_party(mean, owner, game.n)
        values = by_pair.mean(axis=0)
        return ShapleyValues(
            values,
            evaluations=self.orders * len(owner),
            method=f"single rows as players, {self.orders} orders (antithetic)",
            covariance=np.atleast_2d(np.cov(by_pair.T)) / pairs,
            degrees_of_freedom=float(pairs - 1),
            rows=total / pairs,
        )


def _by_party(rows: FloatArray, owner: NDArray[np.intp], n: int) -> FloatArray:
    return np.asarray(np.bincount(owner, weights=rows, minlength=n), dtype=np.float64)
