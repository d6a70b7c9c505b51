"""The default Shapley estimator, which chooses its method by the game."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.shapley.exact import MAX_EXACT_PARTIES, ExactShapley
from guerdon.shapley.permutation import PermutationShapley
from guerdon.types import Game, ShapleyValues

__all__ = ["Auto"]


@dataclass(frozen=True)
class Auto:
    """The game's closed form where it has one, else exact enumeration to 16 parties, else sampled permutations.

    The result's ``method`` says which was used; a closed form's ``efficiency_gap`` says how well it adds up to v_N.

    Parameters
    ----------
    permutations : int, optional
        For ``PermutationShapley``, as are the next two.
    standard_error : float, optional
        The error at which it stops.
    relative : bool
        Whether that is a share of the largest Shapley value.

    Examples
    --------
    >>> from guerdon.types import TableGame
    >>> found = Auto()(TableGame([0.0, 7.0, 5.0, 8.0]), rng=np.random.default_rng(0))
    >>> found.values, found.method
    (array([5., 3.]), 'exact, all coalitions')
    """

    permutations: int | None = None
    standard_error: float | None = None
    relative: bool = False

    def __post_init__(self) -> None:
        self._sampling()

    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues:
        closed_form = getattr(game, "shapley", None)
        if closed_form is not None:
            values = np.asarray(closed_form(), dtype=np.float64)
            gap = abs(float(values.sum()) - float(game(np.ones((1, game.n), dtype=bool))[0]))
            method = f"exact, the game's closed form (efficiency gap {gap:.2g})"
            return ShapleyValues(values, method=method, efficiency_gap=gap)
        if game.n <= MAX_EXACT_PARTIES:
            return ExactShapley()(game)
        return self._sampling()(game, rng=rng)

    def _sampling(self) -> PermutationShapley:
        return PermutationShapley(self.permutations, self.standard_error, self.relative)
