"""Data valued by how much better it lets the parties predict, where they want to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import common_features
from guerdon.models.features import Computed
from guerdon.models.party_noise import PartyNoise, noise_of_party
from guerdon.models.protocols import NoiseResponse
from guerdon.models.references import PredictiveResponse, References
from guerdon.models.statistics import all_statistics, as_rows
from guerdon.types import Contribution, FloatArray, ModelGame, Progress, Statistics, silent
from guerdon.valuation.party_game import ModelPartyGame, require_rows
from guerdon.valuation.row_draws import arrival_orders

__all__ = ["PredictiveInformation", "PredictiveInformationGame", "PredictiveModel"]


class PredictiveModel(Protocol):
    """A model that knows what data tell of new outputs: those of ``guerdon.models`` do."""

    def predictive_gains(
        self, contributions: Sequence[Contribution], references: References, *, progress: Progress = ...
    ) -> FloatArray: ...
    def predictive_gain_chains(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> FloatArray: ...
    def predictive_response(
        self, own: Contribution, others: Contribution, references: References, own_value: float, *, tempered: bool
    ) -> PredictiveResponse: ...
    def predictive_row_gains(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> FloatArray: ...
    def noise_of(self, contribution: Contribution) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class PredictiveInformation:
    """v_C = sum_j w_j mean_{x in X*_j} I(y(x); D_C), the information about a new output at the references, in nats.

    For a Gaussian process 1/2 log[(k(x, x) + s2) / (var_C(x) + s2)], var_C the variance of f given D_C: how much the
    log loss of a prediction is expected to fall. For a logistic model the same under its one linearization. Monotone;
    not submodular in general. Inputs that nobody wants predictions at are worth nothing, however many they are.

    Parameters
    ----------
    model : PredictiveModel, optional
        With all hyperparameters known: fit it on the pool first. Where it is left out, ``game`` is given one.
    references : sequence of (q_j, d) array, optional
        X*_j, the inputs at which predictions are wanted, as those of rows that party j holds out; one set where they
        are public. A set may be empty. Where they are left out, ``game`` is given some. Where the model has a noise
        variance for each party, s2 at party j's inputs is its own.
    weights : sequence of float, optional
        w_j, one a set; all the same when None, so that nobody's rows drown the others'. They are scaled to sum to 1.

    Examples
    --------
    >>> from guerdon.models import BayesianLinear
    >>> valuation = PredictiveInformation(BayesianLinear(noise=1.0), [np.array([[1.0]])])
    >>> game = valuation.game([Contribution("a", np.array([[1.0]]))])
    >>> round(float(game.table()[1]), 6)  # 1/2 log[(1 + 1) / (1/2 + 1)]
    0.143841
    """

    gives: ClassVar[type] = ModelGame
    unit: ClassVar[str] = "nats a prediction"

    model: PredictiveModel | None = None
    references: Sequence[FloatArray] | None = None
    weights: Sequence[float] | None = None

    @property
    def asks(self) -> tuple[str, ...]:
        """What ``game`` can't do without: a model and references, where there are none yet."""
        return tuple(name for name in ("model", "references") if getattr(self, name) is None)

    def game(
        self,
        contributions: Sequence[Contribution] | Sequence[Statistics],
        *,
        model: Any = None,
        references: Sequence[FloatArray] | None = None,
        progress: Progress = silent,
    ) -> PredictiveInformationGame:
        """The game of these parties, in this order.

        Parameters
        ----------
        contributions : sequence of Contribution or of Statistics
            Statistics give the game of the rows that they are sums over.
        model : PredictiveModel, optional
            Taken where the valuation has none of its own.
        references : sequence of (q_j, d) array, optional
            The same.
        progress : callable

        Raises
        ------
        ValueError
            There is no party, no model or no references, or the number of features differs.
        """
        model = self.model if self.model is not None else model
        inputs = self.references if self.references is not None else references
        if model is None or inputs is None:
            raise ValueError("predictive information is on a model and at references: expected both")
        if not hasattr(model, "predictive_gains"):
            raise ValueError(f"{type(model).__name__} does not say what data tell of new outputs: predictive_gains")
        at = References.of(inputs, self.weights, _noise_by_party(model, contributions, inputs))
        computed = isinstance(getattr(model, "features", None), Computed)
        if not (computed or all_statistics(contributions)):
            width = common_features(cast(Sequence[Contribution], contributions))
            if at.X.shape[1] != width:
                raise ValueError(f"references have {at.X.shape[1]} features, the parties {width}")
        valued, rows = as_rows(model, contributions)
        return PredictiveInformationGame(valued, tuple(rows), at, progress, valued is model)


def _noise_by_party(
    model: Any, contributions: Sequence[Contribution] | Sequence[Statistics], inputs: Sequence[FloatArray]
) -> Any:
    """The noise VARIANCE of new outputs of each party, where the model has one for each; else None."""
    noise = getattr(model, "noise", None)
    if not isinstance(noise, PartyNoise) or len(inputs) != len(contributions):
        return None
    return [
        noise_of_party(noise, c.party) if isinstance(c, Statistics) else float(np.mean(noise.of(c)))
        for c in contributions
    ]


@dataclass(frozen=True, eq=False)
class PredictiveInformationGame(ModelPartyGame):
    """The values of the contributions' coalitions; the table of all is computed once, when first asked for.

    It answers to noise and to tempering as a model does, so that rewards are made to be worth a value of this game.
    """

    model: PredictiveModel
    contributions: tuple[Contribution, ...]
    references: References
    progress: Progress = field(default=silent, repr=False)
    of_rows: bool = True
    """Whether the contributions are the parties' rows; else rows that say what all of a party's say together."""

    def row_influences(self) -> list[tuple[int, FloatArray]]:
        """phi less phi without a row, of each party: see ``guerdon.valuation.row_draws``.

        Empty for a model that has no ``predictive_row_influences``, or does not tell them.
        """
        influences_of = getattr(self.model, "predictive_row_influences", None) if self.of_rows else None
        if influences_of is None:
            return []
        influences = influences_of(self.contributions, self.references, arrival_orders(self.n))
        return [(len(c), U) for c, U in zip(self.contributions, influences, strict=True)] if influences else []

    def row_gains(self, orders: NDArray[np.intp]) -> FloatArray:
        """What each row adds when all rows arrive in an order: (k, m) for orders (k, m), rows as they are.

        Raises
        ------
        ValueError
            The contributions are not the parties' rows.
        """
        require_rows(self.of_rows)
        return self.model.predictive_row_gains(self.contributions, self.references, orders)

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """As the model has it."""
        return self.model.noise_of(contribution)

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How the value answers to noise on the others' outputs."""
        return self.model.predictive_response(own, others, self.references, self._alone(own), tempered=False)

    def tempering_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How the value answers to tempering the others' likelihood."""
        return self.model.predictive_response(own, others, self.references, self._alone(own), tempered=True)

    def _alone(self, own: Contribution) -> float:
        return float(self.model.predictive_gains([own], self.references)[1])

    def _value(self, members: Sequence[Contribution]) -> float:
        everybody = np.arange(len(members))[None]
        return float(self.model.predictive_gain_chains(members, self.references, everybody)[0, -1])

    def _grown(self, orders: NDArray[np.intp]) -> FloatArray:
        return self.model.predictive_gain_chains(self.contributions, self.references, orders)

    def _all_values(self) -> FloatArray:
        return self.model.predictive_gains(self.contributions, self.references, progress=self.progress)
