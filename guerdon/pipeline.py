"""The mechanism on one page: contributions -> game -> Shapley values -> targets -> rewards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from guerdon.rewards.certificate import Certificate, certify
from guerdon.types import Contribution, Game, Progress, RewardTargets, ShapleyValues, silent

__all__ = ["Allocation", "Realization", "RewardScheme", "ShapleyEstimator", "ValueFunction", "allocate", "conclude"]


class ValueFunction(Protocol):
    """Turns contributions into a game."""

    def game(self, contributions: Sequence[Contribution], *, progress: Progress = ...) -> Game: ...


class ShapleyEstimator(Protocol):
    """Turns a game into Shapley values; says how, and with what error."""

    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues: ...


class RewardScheme(Protocol):
    """Decides what each reward should be worth."""

    def __call__(self, shapley: ShapleyValues, game: Game) -> RewardTargets: ...


class Realization(Protocol):
    """Makes the n rewards, each with the value it ``reached``; tells the game's ``progress``, where it has one."""

    def __call__(self, game: Any, targets: RewardTargets, *, rng: np.random.Generator) -> Sequence[Any]: ...


@dataclass(frozen=True, eq=False)
class Allocation:
    """Everything the mechanism decided. Parties are in the order of the contributions; ``rewards`` is empty when it was
    stopped before realization."""

    parties: tuple[str, ...]
    game: Game
    shapley: ShapleyValues
    targets: RewardTargets
    certificate: Certificate
    rewards: tuple[Any, ...]


def allocate(
    contributions: Sequence[Contribution],
    value: ValueFunction,
    shapley: ShapleyEstimator,
    scheme: RewardScheme,
    realization: Realization | None,
    *,
    rng: np.random.Generator,
    secret_rng: np.random.Generator | None = None,
    progress: Progress = silent,
) -> Allocation:
    """Value the contributions, share the value out, decide what each reward should be worth, and make the rewards.

    Parameters
    ----------
    contributions : sequence of Contribution
        Taken in the order of the parties' names, so that the order of arrival changes nothing.
    value : ValueFunction
        What a coalition's data is worth.
    shapley : ShapleyEstimator
        How the value is shared out.
    scheme : RewardScheme
        What each reward should be worth.
    realization : Realization or None
        How the rewards are made; with None everything is valued and nothing is made.
    rng : Generator
        Draws for the Shapley estimate.
    secret_rng : Generator, optional
        Draws for the realization, ``rng`` when None; keep its seed from the parties.
    progress : callable
        Called as progress(stage, done, total).

    Raises
    ------
    ValueError
        Two contributions bear one name, or a part refuses what it is given.
    """
    contributions = sorted(contributions, key=lambda c: c.party)
    parties = tuple(c.party for c in contributions)
    if len(set(parties)) < len(parties):
        raise ValueError(f"each party contributes once, got {', '.join(parties)}")

    game = value.game(contributions, progress=progress)
    values = shapley(game, rng=rng)
    progress("shapley", 1, 1)
    targets = scheme(values, game)
    return conclude(
        game, values, targets, realization, rng=rng if secret_rng is None else secret_rng, progress=progress
    )


def conclude(
    game: Game,
    shapley: ShapleyValues,
    targets: RewardTargets,
    realization: Realization | None,
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Allocation:
    """The second half: certify what was decided, and make the rewards (none where ``realization`` is None)."""
    certificate = certify(game, shapley, targets)
    progress("rewards", 1, 1)
    rewards: Sequence[Any] = ()
    if realization is not None:
        progress("realize", 0, game.n)
        rewards = realization(game, targets, rng=rng)
    parties = getattr(game, "parties", None) or tuple(str(i) for i in range(game.n))
    return Allocation(parties, game, shapley, targets, certificate, tuple(rewards))
