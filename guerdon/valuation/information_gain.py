"""Data valued by the information it gives on a model: Sim et al. (ICML 2020), section 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import common_features
from guerdon.models.protocols import Model, NoiseResponse
from guerdon.models.statistics import as_rows
from guerdon.types import Contribution, FloatArray, ModelGame, Progress, Statistics, silent
from guerdon.valuation.party_game import ModelPartyGame, require_rows
from guerdon.valuation.row_draws import arrival_orders

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
        self,
        contributions: Sequence[Contribution] | Sequence[Statistics],
        *,
        model: Model | None = None,
        progress: Progress = silent,
    ) -> InformationGainGame:
        """The game of these parties, in this order.

        Parameters
        ----------
        contributions : sequence of Contribution or of Statistics
            Statistics give the game of the rows that they are sums over.
        model : Model, optional
            Taken where the valuation has none of its own.
        progress : callable

        Raises
        ------
        ValueError
            There is no party, no model, or the parties' inputs differ in their number of features.
        """
        model = self.model if self.model is not None else model
        if model is None:
            raise ValueError("information gain is on a model: expected one, as InformationGain(model), got none")
        valued, rows = as_rows(model, contributions)
        common_features(rows)
        return InformationGainGame(valued, tuple(rows), progress, valued is model)


@dataclass(frozen=True, eq=False)
class InformationGainGame(ModelPartyGame):
    """The values of the contributions' coalitions; the table of all is computed once, when first asked for."""

    model: Model
    contributions: tuple[Contribution, ...]
    progress: Progress = field(default=silent, repr=False)
    of_rows: bool = True
    """Whether the contributions are the parties' rows; else rows that say what all of a party's say together."""

    def row_influences(self) -> list[tuple[int, FloatArray]]:
        """phi less phi without a row, of each party: see ``guerdon.valuation.row_draws``.

        Exact for up to four parties, from some orders of arrival beyond. Empty for a model that has no
        ``row_influences``.
        """
        influences_of = getattr(self.model, "row_influences", None) if self.of_rows else None
        if influences_of is None:
            return []
        influences = influences_of(self.contributions, arrival_orders(self.n))
        return [(len(c), U) for c, U in zip(self.contributions, influences, strict=True)]

    def row_gains(self, orders: NDArray[np.intp]) -> FloatArray:
        """What each row adds in nats when all rows arrive in an order: (k, m) for orders (k, m), rows as they are.

        Raises
        ------
        ValueError
            The contributions are not the parties' rows.
        """
        require_rows(self.of_rows)
        gains: FloatArray = self.model.row_gains(self.contributions, orders)  # type: ignore[attr-defined]
        return gains

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """As the model has it."""
        return self.model.noise_of(contribution)

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How the information gain answers to noise on the others' outputs."""
        return self.model.noise_response(own, others)

    def tempering_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How the information gain answers to tempering the others' likelihood."""
        return self.model.tempering_response(own, others)

    def _value(self, members: Sequence[Contribution]) -> float:
        noise = np.concatenate([self.model.noise_of(c) for c in members])
        return self.model.information_gain(np.concatenate([c.X for c in members]), noise)

    def _grown(self, orders: NDArray[np.intp]) -> FloatArray:
        return self.model.information_gain_chains(self.contributions, orders)

    def _all_values(self) -> FloatArray:
        return self.model.information_gains(self.contributions, progress=self.progress)
