"""Data valued by the information it gives on a model: Sim et al. (ICML 2020), section 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import common_features
from guerdon.models.protocols import Model
from guerdon.row_marks import shown
from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import Contribution, FloatArray, ModelGame, Progress, silent
from guerdon.valuation.sampling_error import arrival_orders

__all__ = ["InformationGain", "InformationGainGame"]


@dataclass(frozen=True, eq=False)
class InformationGain:
    """v_C = I(theta; D_C) = H(theta) - H(theta | D_C), in nats (equation 1).

    Monotone and submodular, and independent of the outputs for the Gaussian models here.

    Parameters
    ----------
    model : Model, optional
        With all hyperparameters known: fit it on the pool first. Where it is left out, ``game`` is given one.
    """

    gives: ClassVar[type] = ModelGame
    unit: ClassVar[str] = "nats"

    model: Model | None = None

    @property
    def asks(self) -> tuple[str, ...]:
        """What ``game`` can't do without: a model, where there is none yet."""
        return ("model",) if self.model is None else ()

    def game(
        self, contributions: Sequence[Contribution], *, model: Model | None = None, progress: Progress = silent
    ) -> InformationGainGame:
        """The game of these parties, in this order.

        Parameters
        ----------
        contributions : sequence of Contribution
        model : Model, optional
            Taken where the valuation has none of its own.
        progress : callable

        Raises
        ------
        ValueError
            There is no party, no model, or the parties' inputs differ in their number of features.
        """
        common_features(contributions)
        model = self.model if self.model is not None else model
        if model is None:
            raise ValueError("information gain is on a model: expected one, as InformationGain(model), got none")
        return InformationGainGame(model, tuple(contributions), progress)


@dataclass(frozen=True, eq=False)
class InformationGainGame:
    """The values of the contributions' coalitions; the table of all is computed once, when first asked for."""

    model: Model
    contributions: tuple[Contribution, ...]
    progress: Progress = field(default=silent, repr=False)

    @property
    def n(self) -> int:
        return len(self.contributions)

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(c.party for c in self.contributions)

    @cached_property
    def inputs(self) -> FloatArray:
        """All parties' inputs, as rewards are made of them, in the pool's order: (m, d), one array for all rewards."""
        X = np.concatenate([shown(c).X for c in self.contributions])
        X.setflags(write=False)
        return X

    def table(self) -> FloatArray:
        """v_C in nats for all coalitions: (2**n,), indexed by bitmask."""
        return self._table

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        """v_C in nats for the coalitions (m, n): from the table up to 16 parties, else one by one."""
        coalitions = np.atleast_2d(np.asarray(coalitions, dtype=bool))
        if coalitions.shape[1] != self.n:
            raise ValueError(f"coalitions must have shape (m, {self.n}), got {coalitions.shape}")
        if self.n <= MAX_EXACT_PARTIES:
            return np.asarray(self._table[coalitions @ (1 << np.arange(self.n))])
        values = np.empty(len(coalitions))
        for k, row in enumerate(coalitions):
            members = [c for c, joined in zip(self.contributions, row, strict=True) if joined]
            values[k] = self._value(members)
            self.progress("value", k + 1, len(coalitions))
        return values

    def chains(self, orders: NDArray[np.intp]) -> FloatArray:
        """v in nats of every prefix of each order of arrival (k, n), the empty one's 0 first: (k, n + 1).

        From the table up to 16 parties, else as the model grows a coalition, which costs less than one by one.
        """
        if self.n > MAX_EXACT_PARTIES:
            return self.model.information_gain_chains(self.contributions, orders)
        masks = np.cumsum(1 << orders, axis=1)
        return np.asarray(self._table[np.insert(masks, 0, 0, axis=1)])

    def row_influences(self) -> list[tuple[int, FloatArray]]:
        """phi less phi without a row, of each party: see ``guerdon.valuation.sampling_error``.

        Exact for up to four parties, from some orders of arrival beyond. Empty for a model that has no
        ``row_influences``.
        """
        influences_of = getattr(self.model, "row_influences", None)
        if influences_of is None:
            return []
        influences = influences_of(self.contributions, arrival_orders(self.n))
        return [(len(c), U) for c, U in zip(self.contributions, influences, strict=True)]

    def row_gains(self, orders: NDArray[np.intp]) -> FloatArray:
        """What each row adds in nats when all rows arrive in an order: (k, m) for orders (k, m), rows as they are."""
        gains: FloatArray = self.model.row_gains(self.contributions, orders)  # type: ignore[attr-defined]
        return gains

    def _value(self, members: Sequence[Contribution]) -> float:
        if not members:
            return 0.0
        noise = np.concatenate([self.model.noise_of(c) for c in members])
        return self.model.information_gain(np.concatenate([c.X for c in members]), noise)

    @cached_property
    def _table(self) -> FloatArray:
        table = self.model.information_gains(self.contributions, progress=self.progress)
        table.setflags(write=False)
        return table
