"""What speaks for and against a party's data: evidence for people, which never changes a value by itself.

For each party, with hyperparameters learned from the others' rows only:

    surprise = mean (y - mu)^2 / var,    mu and var (noise included) what the others' rows predict for the party's

about 1 where it measures what the others do, larger where its outputs are not of their world. What the others' rows do
not tell is in var, so that rows far from theirs surprise nobody. Residuals are correlated, R, since they share what is
unknown of the function: surprise has the spread of a mean of (tr R)^2 / tr R^2 independent squares, and var is learned
from the others' rows: an F distribution gives the p-value.

The question is whether the party's outputs follow the weights that all share. Where the model has party effects
(``guerdon.models.PartyEffects``), the others' own weights are therefore out of mu, by which a party that differs no
longer bends what the others are judged by, and the party judged is given none: tau2 = 0, whatever the pool learned. So
one whose weights differ is told of, though the values take care of it already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.special import fdtrc

from guerdon.duplicates import near_copies, near_copies_between
from guerdon.models.features import Computed
from guerdon.models.party_noise import PartyNoise
from guerdon.models.statistics import as_rows
from guerdon.types import Contribution, FloatArray, Game

__all__ = ["Evident", "PartyEvidence", "gather_evidence"]

LEVEL = 0.05
"""A surprise that honest parties have less often than this is told."""


class Evident(Protocol):
    """A model that can be fitted, and whose posterior has a ``covariance``."""

    def fit(self, contributions: Sequence[Contribution]) -> Any: ...


@dataclass(frozen=True)
class PartyEvidence:
    """What there is of one party.

    Attributes
    ----------
    party : str
    surprise : float
        As above.
    probability : float
        The p-value of as large a surprise, where the party measures what the others do.
    alone_share : float or None
        The share of what its rows are worth alone that is still new beside all others' rows; near 1 where nobody else's
        data speak to it. None where its rows are worth nothing.
    leverage : float
        How far the pool's model bends to the party's rows, degrees of freedom a row, over the pool's mean.
    near_copies : int
        Rows that are copies of others of its own but for a little noise.
    without : dict of str to float
        Its alpha where the hyperparameters are learned without the party so named, itself included.
    copies_of_others : int
        Rows that are copies of another party's but for a little noise, or that another party has such copies of.
    """

    party: str
    surprise: float
    probability: float
    alone_share: float | None
    leverage: float
    near_copies: int
    without: dict[str, float]
    copies_of_others: int = 0

    @property
    def flagged(self) -> bool:
        """Whether the surprise is one that few honest parties have."""
        return self.probability < LEVEL

    def sentences(self) -> list[str]:
        """What people should know, in plain words; none where there is nothing."""
        said = []
        if self.flagged:
            said.append(
                f"the others' data do not foresee its outputs: squared errors are {self.surprise:.2g} times what they "
                f"should be (one honest party in {_one_in(self.probability)} has as much)"
            )
        if self.alone_share is not None and self.alone_share > 0.9:
            said.append(f"nobody else's data speak to {self.alone_share:.0%} of what its rows are worth")
        if self.leverage > 3.0:
            said.append(f"the model bends {self.leverage:.2g} times as much to one of its rows as to the average row")
        if self.without and max(self.without.values()) - min(self.without.values()) > 0.2:
            low, high = min(self.without.values()), max(self.without.values())
            said.append(
                f"its alpha is from {low:.2g} to {high:.2g}, by whose rows the hyperparameters are learned without"
            )
        if self.near_copies:
            said.append(f"{self.near_copies} of its rows are copies of its other rows but for a little noise")
        if self.copies_of_others:
            said.append(
                f"{self.copies_of_others} of its rows and rows of another party are copies of each other but for a "
                "little noise, whoever copied"
            )
        return said


def gather_evidence(
    model: Evident,
    contributions: Sequence[Contribution],
    game: Game,
    *,
    alphas: Callable[[Any], FloatArray] | None = None,
) -> list[PartyEvidence]:
    """The evidence on each party: one fit a party.

    Parameters
    ----------
    model : Evident
        With its hyperparameters open as the run has them.
    contributions : sequence of n Contribution
        With outputs; of two parties at least.
    game : Game
        What they were valued by.
    alphas : callable, optional
        The parties' alpha (n,) under a fitted model; asked with the models that are learned without each party.

    Raises
    ------
    ValueError
        There is one party only, or the model's posterior has no covariance.
    """
    n = len(contributions)
    if n < 2:
        raise ValueError("evidence on a party comes from the others, and there is one party only")
    every, alone = np.ones((1, n), dtype=bool), np.eye(n, dtype=bool)
    pool, own, others = float(game(every)[0]), game(alone), game(~alone)
    fitted = model.fit(contributions)
    pooled = _Believed(fitted, contributions)
    bends = [float((spread / noise).sum()) for noise, spread in pooled.noise_and_spread()]
    average = sum(bends) / sum(map(len, contributions))
    rests = [[other for other in contributions if other is not c] for c in contributions]
    models = [model.fit(rest) for rest in rests]
    without = {} if alphas is None else {c.party: alphas(m) for c, m in zip(contributions, models, strict=True)}
    found, copies = [], near_copies_between(contributions)
    for i, c in enumerate(contributions):
        surprise, probability = _surprise(models[i], c, rests[i])
        found.append(
            PartyEvidence(
                party=c.party,
                surprise=surprise,
                probability=probability,
                alone_share=float((pool - others[i]) / own[i]) if own[i] > 0.0 else None,
                leverage=bends[i] / max(len(c), 1) / average if average > 0.0 else 1.0,
                near_copies=near_copies(c).count,
                without={name: float(alpha[i]) for name, alpha in without.items()},
                copies_of_others=copies[c.party],
            )
        )
    return found


class _Believed:
    """What a fitted model believes after contributions, its party effects integrated out."""

    def __init__(self, fitted: Any, contributions: Sequence[Contribution]) -> None:
        self.fitted = fitted
        self.outputs_noise = [np.asarray(fitted.noise_of(c)) for c in contributions]
        self.shared, self.parts = as_rows(fitted, contributions)
        self.noise = [np.asarray(self.shared.noise_of(part)) for part in self.parts]
        self.posterior = self.shared.posterior(
            np.concatenate([part.X for part in self.parts]),
            np.concatenate([np.asarray(part.y) for part in self.parts]),
            noise=np.concatenate(self.noise),
        )

    def noise_and_spread(self) -> list[tuple[FloatArray, FloatArray]]:
        """By party, the noise variance of each row and what else is unknown of the function there."""
        features = getattr(self.shared, "features", None)
        at_rows = replace(self.posterior, features=features) if isinstance(features, Computed) else self.posterior
        return [
            (noise, at_rows.predict(part.X, noise=noise)[1] - noise)
            for part, noise in zip(self.parts, self.noise, strict=True)
        ]

    def of_noise(self) -> float:
        """Degrees of freedom that tell the noise: rows, less what the shared function and parties' own weights take."""
        left = 0.0
        for outputs, (noise, spread) in zip(self.outputs_noise, self.noise_and_spread(), strict=True):
            with_own_weights = len(outputs) and self.shared is not self.fitted
            alone = np.exp(np.mean(np.log(outputs))) if with_own_weights else noise
            left += len(outputs) - len(noise) + float(np.sum(alone / noise * (1.0 - spread / noise)))
        return max(left, 1.0)


def _surprise(fitted: Any, own: Contribution, others: Sequence[Contribution]) -> tuple[float, float]:
    """mean (y - mu)^2 / var of a party's outputs as the others foresee them, and its p-value."""
    believed = _Believed(fitted, others)
    posterior = believed.posterior
    if not hasattr(posterior, "covariance"):
        raise ValueError(f"{type(posterior).__name__} has no covariance, by which a surprise is judged")
    of_others = fitted.noise.typical if isinstance(fitted.noise, PartyNoise) else fitted.noise
    observed = own.noise if own.noise is not None and not isinstance(fitted.noise, PartyNoise) else of_others
    mean, variance = posterior.predict(own.X, noise=observed)
    z = (np.asarray(own.y) - mean) / np.sqrt(variance)
    covariance = posterior.covariance(own.X) + np.diag(np.broadcast_to(np.asarray(observed), len(own)))
    deviations = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    freedom = len(own) ** 2 / float(np.square(correlation).sum())
    surprise = float(np.mean(np.square(z)))
    return surprise, float(fdtrc(freedom, believed.of_noise(), surprise))


def _one_in(probability: float) -> str:
    return "a million or more" if probability < 1e-6 else f"{1.0 / probability:,.0f}"
