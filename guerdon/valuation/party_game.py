"""What all games of contributions share, and those that a model values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from guerdon.row_marks import shown
from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import Contribution, FloatArray, Progress

__all__ = ["ModelPartyGame", "PartyGame", "require_rows"]


class PartyGame:
    """The players are the parties of ``contributions``, in their order."""

    contributions: tuple[Contribution, ...]

    @property
    def n(self) -> int:
        return len(self.contributions)

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(c.party for c in self.contributions)


class ModelPartyGame(PartyGame, ABC):
    """Coalitions valued by a model: all at once up to 16 parties, when first asked for, else one by one."""

    progress: Progress

    @abstractmethod
    def _all_values(self) -> FloatArray:
        """v_C of all coalitions: (2**n,), indexed by bitmask."""

    @abstractmethod
    def _value(self, members: Sequence[Contribution]) -> float:
        """v of one coalition with at least one member."""

    @abstractmethod
    def _grown(self, orders: NDArray[np.intp]) -> FloatArray:
        """v of every prefix of each order (k, n): (k, n + 1)."""

    @cached_property
    def inputs(self) -> FloatArray:
        """All parties' inputs, as rewards are made of them, in the pool's order: (m, d), one array for all rewards."""
        X = np.concatenate([shown(c).X for c in self.contributions])
        X.setflags(write=False)
        return X

    def table(self) -> FloatArray:
        """v_C of all coalitions: (2**n,), indexed by bitmask."""
        return self._table

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        """v_C of the coalitions (m, n): from the table up to 16 parties, else one by one."""
        coalitions = np.atleast_2d(np.asarray(coalitions, dtype=bool))
        if coalitions.shape[1] != self.n:
            raise ValueError(f"coalitions must have shape (m, {self.n}), got {coalitions.shape}")
        if self.n <= MAX_EXACT_PARTIES:
            return np.asarray(self._table[coalitions @ (1 << np.arange(self.n))])
        values = np.zeros(len(coalitions))
        for k, row in enumerate(coalitions):
            members = [c for c, joined in zip(self.contributions, row, strict=True) if joined]
            values[k] = self._value(members) if members else 0.0
            self.progress("value", k + 1, len(coalitions))
        return values

    def chains(self, orders: NDArray[np.intp]) -> FloatArray:
        """v of every prefix of each order of arrival (k, n), the empty one's 0 first: (k, n + 1).

        From the table up to 16 parties, else as the model grows a coalition, which costs less than one by one.
        """
        if self.n > MAX_EXACT_PARTIES:
            return self._grown(orders)
        return np.asarray(self._table[np.insert(np.cumsum(1 << orders, axis=1), 0, 0, axis=1)])

    @cached_property
    def _table(self) -> FloatArray:
        table = self._all_values()
        table.setflags(write=False)
        return table


def require_rows(of_rows: bool) -> None:
    """Refuse to tell of single rows where all of a party's were taken together.

    Raises
    ------
    ValueError
    """
    if not of_rows:
        raise ValueError(
            "single rows have no value of their own here: statistics are sums over a party's rows, and where parties "
            "have weights of their own (effects='by-party') all of a party's rows count together. Take the Shapley "
            'values of parties, shapley = "Auto()"'
        )
