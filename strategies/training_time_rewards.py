"""Training-time rewards (Wu et al., ICLR 2024): who contributes more learns, each round, from more of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from guerdon.federated import Weights, added, mean_of, others_drawn, others_numbers, reward_rates
from strategies.federated_learning import FederatedLearning

__all__ = ["TrainingTimeRewards"]


class TrainingTimeRewards(FederatedLearning):
    """Each round a party's model moves by the mean of its own update and those of as many others as it has earned.

    See ``guerdon.federated.training_time`` for the formulas. p_i are the rows that a party trains on, as it introduced
    them. Which others, and who starts from the reference model, is drawn from the mediator's secret seed.

    Parameters
    ----------
    kappa : in [0, 1]; the larger, the more equal are parties, at 1 all learn from everybody
    q : probability, each round, that a party starts from the server's reference model
    ceiling : p_ceil, the rows that earn everything; as many as the largest party has when None
    rounds, hidden, classes, epochs, batch, learning_rate, scale : see ``FederatedLearning``
    """

    columns: ClassVar[Sequence[tuple[str, str]]] = (
        ("reward rate\ngamma_i", "gamma"),
        ("others\na round", "others"),
        ("starts from\nthe reference", "references"),
    )

    def __init__(
        self,
        kappa: float = 0.0,
        q: float = 0.1,
        ceiling: float | None = None,
        *,
        rounds: int = 60,
        hidden: Sequence[int] = (32,),
        classes: int = 10,
        epochs: int = 1,
        batch: int = 32,
        learning_rate: float = 0.3,
        scale: float = 1.0,
    ) -> None:
        super().__init__(rounds, hidden, classes, epochs, batch, learning_rate, scale)
        if not (0.0 <= kappa <= 1.0 and 0.0 <= q <= 1.0 and (ceiling is None or ceiling > 0.0)):
            raise ValueError(
                f"kappa and q are in [0, 1] and ceiling is positive or None, got {kappa!r}, {q!r} and {ceiling!r}"
            )
        self.kappa, self.q, self.ceiling = kappa, q, ceiling

    def prepare(self, parties: Sequence[str]) -> None:
        rows = np.array([self.introductions[party].rows for party in parties], dtype=np.float64)
        self.rates = dict(zip(parties, map(float, reward_rates(rows, self.ceiling)), strict=True))
        self.reference: Weights = self.first
        self.references = dict.fromkeys(parties, 0)

    def starts(self, server_round: int) -> Mapping[str, Weights]:
        lucky = self._rng(server_round, 0).random(len(self.rates)) < self.q
        chosen = {party for party, drawn in zip(sorted(self.rates), lucky, strict=True) if drawn}
        for party in chosen:
            self.references[party] += 1
        return {party: self.reference if party in chosen else model for party, model in self.models.items()}

    def learn(self, server_round: int, starts: Mapping[str, Weights], updates: Mapping[str, Weights]) -> None:
        parties = sorted(updates)
        moves = [updates[party] for party in parties]
        numbers = others_numbers(np.array([self.rates[party] for party in parties]), self.kappa)
        drawn = others_drawn(numbers, self._rng(server_round, 1))
        for i, party in enumerate(parties):
            self.models[party] = added(starts[party], mean_of(moves, [i, *drawn[i]]))
        self.reference = added(self.reference, mean_of(moves, range(len(moves))))

    def standing(self, party: str) -> dict[str, Any]:
        parties = sorted(self.nodes)
        numbers = others_numbers(np.array([self.rates[name] for name in parties]), self.kappa)
        gamma = self.rates[party]
        return {
            "alpha": gamma / max(self.rates[name] for name in parties),
            "gamma": gamma,
            "others": int(numbers[parties.index(party)]),
            "references": self.references[party],
        }

    def _rng(self, server_round: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.journal.secret_seed(), server_round, purpose])
