"""How far values depend on hyperparameters that the data leave open: profile-likelihood intervals.

Hyperparameters are learned by maximum likelihood, and values hold for the likeliest. Where the likelihood is flat,
others are as likely and values are not the same: an interval says what a value is for all hyperparameters whose
log-likelihood is at most 1.35 nats (for 90 %) below the largest. It costs less than a fit where that is at hand, and
13 valuations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from scipy.special import chdtri

from guerdon.linalg import LossOfPrecisionError
from guerdon.models.protocols import Model
from guerdon.shapley.auto import Auto
from guerdon.types import Contribution, FloatArray, Game, RewardTargets, ShapleyValues
from guerdon.valuation.information_gain import InformationGain

__all__ = ["Learnable", "RewardScheme", "ShapleyEstimator", "ValueUncertainty", "value_uncertainty"]

IDENTIFIED = 2.0
"""v_N is identified where the largest that is about as likely is at most so many times the least."""


@runtime_checkable
class Learnable(Protocol):
    """A model that can say which of its kind are about as likely as the likeliest."""

    def likely(
        self, contributions: Sequence[Contribution], *, drop: float, fitted: Self | None = None
    ) -> list[Self]: ...


class RewardScheme(Protocol):
    """Targets from Shapley values and the game, as ``guerdon.rewards.RhoShapley`` makes them."""

    def __call__(self, shapley: ShapleyValues, game: Game, /) -> RewardTargets: ...


class ShapleyEstimator(Protocol):
    """Shapley values of a game."""

    def __call__(self, game: Any, *, rng: np.random.Generator) -> ShapleyValues: ...


@dataclass(frozen=True, eq=False)
class ValueUncertainty:
    """Intervals of the values over the hyperparameters that are about as likely as the likeliest.

    Parameters
    ----------
    level : float
        The confidence, such as 0.9, of each interval by itself.
    drop : float
        By how many nats the log-likelihood may fall, half of the chi-square quantile at ``level``.
    parties : tuple of str
    pool : (2,) array
        Least and largest v_N in nats.
    alone, shapley, alpha : (n, 2) array
        Those of v_i and phi_i in nats, and of phi_i / phi*.
    rewards : (n, 2) array, optional
        Those of the targets r_i in nats; None without a scheme, or where it refuses every game.
    models : int
        How many models the intervals are taken over; 1 where every hyperparameter was given.
    """

    level: float
    drop: float
    parties: tuple[str, ...]
    pool: FloatArray
    alone: FloatArray
    shapley: FloatArray
    alpha: FloatArray
    rewards: FloatArray | None
    models: int

    @property
    def identified(self) -> bool:
        """Whether the data tell v_N to within a factor of 2."""
        return bool(self.pool[1] <= IDENTIFIED * self.pool[0])

    @property
    def sentence(self) -> str:
        """What is known of v_N, and what helps where that is too little."""
        low, high = self.pool
        if self.models == 1:
            return f"every hyperparameter was given, so that v_N = {low:.4g} nats has no uncertainty of theirs"
        if self.identified:
            return (
                f"hyperparameters that are about as likely (within {self.drop:.2f} nats, {self.level:.0%}) make v_N "
                f"{low:.4g} to {high:.4g} nats"
            )
        return (
            f"v_N is not identified: hyperparameters that are about as likely (within {self.drop:.2f} nats, "
            f"{self.level:.0%}) make it anything from {low:.4g} to {high:.4g} nats at least, so give the noise "
            "variance or the lengthscale where they are known, as from public rows that they were learned on "
            "before, or bring more rows"
        )

    def record(self) -> dict[str, Any]:
        """All of it as plain numbers, lists and text."""
        return {
            "level": self.level,
            "drop": self.drop,
            "models": self.models,
            "identified": self.identified,
            "sentence": self.sentence,
            "pool": self.pool.tolist(),
            "parties": {
                name: {
                    "alone": self.alone[i].tolist(),
                    "shapley": self.shapley[i].tolist(),
                    "alpha": self.alpha[i].tolist(),
                    "reward": None if self.rewards is None else self.rewards[i].tolist(),
                }
                for i, name in enumerate(self.parties)
            },
        }


def value_uncertainty(
    model: Learnable,
    contributions: Sequence[Contribution],
    *,
    fitted: Any = None,
    scheme: RewardScheme | None = None,
    level: float = 0.9,
    rng: np.random.Generator | None = None,
    game: Callable[[Any], Game] | None = None,
    shapley: ShapleyEstimator | None = None,
) -> ValueUncertainty:
    """The intervals of v_N, v_i, phi, alpha and rewards over the hyperparameters that ``model`` leaves open.

    Parameters
    ----------
    model : Learnable
        As it was before ``fit``, its open hyperparameters still open.
    contributions : sequence of Contribution
        With outputs.
    fitted : Learnable, optional
        What ``model.fit(contributions)`` gave, where that is at hand: it is not looked for again.
    scheme : RewardScheme, optional
    level : float
    rng : Generator, optional
        For Shapley values that are sampled; seeded with 0 when None. Each model gets the same draws.
    game : callable, optional
        Makes the game of a likely model; that of its information gain when None.
    shapley : ShapleyEstimator, optional
        ``Auto()`` when None.

    Raises
    ------
    LossOfPrecisionError
        Float64 can't tell the values of any likely hyperparameters.

    Examples
    --------
    >>> from guerdon.models import BayesianLinear
    >>> x = np.arange(6.0)[:, None]
    >>> found = value_uncertainty(BayesianLinear(noise=1.0), [Contribution("ada", x, x[:, 0])])
    >>> found.pool.round(6).tolist(), found.identified
    ([2.012676, 2.012676], True)
    """
    drop = 0.5 * float(chdtri(1, 1.0 - level))
    rng = np.random.default_rng(0) if rng is None else rng
    estimate = Auto() if shapley is None else shapley
    pools, alones, shapleys, rewards = [], [], [], []
    models = model.likely(contributions, drop=drop, fitted=fitted)
    for likely in models:
        try:
            found = InformationGain(_as_model(likely)).game(contributions) if game is None else game(likely)
            values = estimate(found, rng=copy.deepcopy(rng))
            pool = float(found(np.ones((1, found.n), dtype=bool))[0])
        except LossOfPrecisionError:
            continue
        pools.append(pool)
        alones.append(found(np.eye(found.n, dtype=bool)))
        shapleys.append(values.values)
        targets = _targets(scheme, values, found)
        if targets is not None:
            rewards.append(targets)
    if not pools:
        raise LossOfPrecisionError("float64 can't tell the pool's value for any likely hyperparameters: give the noise")
    phi = np.array(shapleys)
    return ValueUncertainty(
        level=level,
        drop=drop,
        parties=tuple(c.party for c in contributions),
        pool=_range(np.array(pools)),
        alone=_range(np.array(alones)),
        shapley=_range(phi),
        alpha=_range(phi / phi.max(axis=1, keepdims=True)),
        rewards=_range(np.array(rewards)) if rewards else None,
        models=len(models),
    )


def _targets(scheme: RewardScheme | None, values: ShapleyValues, game: Game) -> FloatArray | None:
    if scheme is None:
        return None
    try:
        return scheme(values, game).values
    except ValueError:  # no fair rewards at these hyperparameters: rounding, or nothing to share out
        return None


def _as_model(likely: Any) -> Model:
    found: Model = likely
    return found


def _range(values: FloatArray) -> FloatArray:
    """Least and largest over the models, the first axis: (..., 2)."""
    return np.stack([values.min(axis=0), values.max(axis=0)], axis=-1)
