"""Gradient-driven rewards (Xu et al., NeurIPS 2021): whose updates point where all do gets more of what all found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from guerdon.federated import (
    Weights,
    added,
    contributions,
    download_shares,
    importance,
    largest_share,
    normalised,
    weighted_sum,
)
from guerdon.types import FloatArray
from strategies.federated_learning import FederatedLearning

__all__ = ["CosineGradientRewards"]


class CosineGradientRewards(FederatedLearning):
    """Each round a party downloads, layer by layer, the largest part of the aggregate that its importance earns.

    See ``guerdon.federated.cosine_gradients`` for the formulas. In the first round, before anything is known, all
    parties count the same in the aggregate (not by rows, which are only claimed); importances start from 0.

    Parameters
    ----------
    a : how much of the importance stays from round to round, in [0, 1)
    b : the larger, the more equal are the downloads
    gamma : Gamma, the length of every party's update
    rounds, hidden, classes, epochs, batch, learning_rate, scale : see ``FederatedLearning``
    """

    columns: ClassVar[Sequence[tuple[str, str]]] = (
        ("importance\nr_i", "importance"),
        ("share\ndownloaded", "share"),
    )

    def __init__(
        self,
        a: float = 0.95,
        b: float = 1.0,
        gamma: float = 0.5,
        *,
        rounds: int = 100,
        hidden: Sequence[int] = (32,),
        classes: int = 10,
        epochs: int = 1,
        batch: int = 32,
        learning_rate: float = 0.1,
        scale: float = 1.0,
    ) -> None:
        super().__init__(rounds, hidden, classes, epochs, batch, learning_rate, scale)
        if not (0.0 <= a < 1.0 and b > 0.0 and gamma > 0.0):
            raise ValueError(f"a is in [0, 1), b and gamma are positive, got a={a!r}, b={b!r}, gamma={gamma!r}")
        self.a, self.b, self.gamma = a, b, gamma

    def prepare(self, parties: Sequence[str]) -> None:
        self.importances = dict.fromkeys(parties, 0.0)
        self.shares = dict.fromkeys(parties, 0.0)

    def learn(self, server_round: int, starts: Mapping[str, Weights], updates: Mapping[str, Weights]) -> None:
        parties = sorted(updates)
        before: FloatArray = np.array([self.importances[party] for party in parties])
        moves = [normalised(updates[party], self.gamma) for party in parties]
        weights = before / before.sum() if before.sum() > 0.0 else np.full(len(parties), 1.0 / len(parties))
        aggregate = weighted_sum(moves, weights)
        after = importance(before, contributions(moves, aggregate), self.a)
        for party, r, share in zip(parties, after, download_shares(after, self.b), strict=True):
            self.importances[party], self.shares[party] = float(r), float(share)
            self.models[party] = added(starts[party], largest_share(aggregate, float(share)))

    def standing(self, party: str) -> dict[str, Any]:
        best = max(self.importances[name] for name in self.nodes)
        r = self.importances[party]
        return {"alpha": r / best, "importance": r, "share": self.shares[party]}
