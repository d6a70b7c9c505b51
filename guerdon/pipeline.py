"""The mechanism on one page: contributions -> game -> Shapley values -> targets -> rewards.

Each step is a part of its own, and what a part needs of the game stands in the open: a valuation says what kind of game
it ``gives``, a scheme and a realization what kind they ``need``, each as one of the protocols in ``guerdon.types``. Who
says nothing gives, and needs, a plain ``Game``. ``unfit`` compares the two before any data is there.

A realization makes rewards in a game that it understands: noise is added until a model has the right information gain,
synthetic rows are drawn until the maximum mean discrepancy is right. Where data are valued in another way, that game is
the *carrier*: each reward covers the same share of the way from what the party has to the most that it could have,
in the carrier's unit as in the value's (``guerdon.exchange``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, signature
from typing import Any, Protocol, runtime_checkable

import numpy as np

from guerdon.exchange import Exchanged, exchanged_targets
from guerdon.rewards.certificate import Certificate, certify
from guerdon.types import Contribution, Game, Progress, RewardTargets, ShapleyValues, TableGame, lacks, members, silent

__all__ = [
    "Allocation",
    "Given",
    "MadeReward",
    "Realization",
    "RewardScheme",
    "ShapleyEstimator",
    "ValueFunction",
    "allocate",
    "asks",
    "conclude",
    "gives",
    "needs",
    "unfit",
]


class ValueFunction(Protocol):
    """Turns contributions into a game; may say which kind of game it ``gives``."""

    def game(self, contributions: Sequence[Contribution], *, progress: Progress = ...) -> Game: ...


class ShapleyEstimator(Protocol):
    """Turns a game into Shapley values; says how, and with what error."""

    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues: ...


class RewardScheme(Protocol):
    """Decides what each reward should be worth; may say which kind of game it ``needs``."""

    def __call__(self, shapley: ShapleyValues, game: Game, /) -> RewardTargets: ...


@runtime_checkable
class MadeReward(Protocol):
    """A reward that was made: whose it is, the value it reached, what can be read from it, and how it came about.

    ``facts()`` are plain numbers and texts by name, as they go into the record of the run: the noise variance ``eta``
    (in squared units of the outputs that the realization saw), the number of ``synthetic_rows``, and so on.
    """

    @property
    def party(self) -> str: ...
    @property
    def reached(self) -> float: ...
    @property
    def contains(self) -> str: ...
    def facts(self) -> Mapping[str, Any]: ...


class Realization(Protocol):
    """Makes the n rewards; tells the game's ``progress``, where it has one. May say which kind of game it ``needs``."""

    def __call__(self, game: Any, targets: RewardTargets, *, rng: np.random.Generator) -> Sequence[MadeReward]: ...


@dataclass(frozen=True, eq=False)
class Allocation:
    """Everything the mechanism decided. Parties are in the order of the contributions; ``rewards`` is empty when it was
    stopped before realization."""

    parties: tuple[str, ...]
    game: Game
    shapley: ShapleyValues
    targets: RewardTargets
    certificate: Certificate
    rewards: tuple[MadeReward, ...]


@dataclass(frozen=True, eq=False)
class Given:
    """A valuation with what there is to value by: its ``game`` gets, by name, whatever of it it asks for.

    Parameters
    ----------
    valuation : ValueFunction
        Whose ``game`` may have parameters of these names.
    things : mapping of str to object
        Such as the fitted ``model``, or the ``synthetic`` rows (g, d).

    Raises
    ------
    ValueError
        The ``game`` asks for something that is not among them.

    Examples
    --------
    >>> class Rows:
    ...     def game(self, contributions, *, synthetic, progress=None):
    ...         return len(contributions), len(synthetic)
    >>> Given(Rows(), {"synthetic": [1, 2, 3], "model": None}).game(["east", "west"])
    (2, 3)
    """

    valuation: Any
    things: Mapping[str, Any]

    def game(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> Game:
        if missing := [name for name in asks(self.valuation) if name not in self.things]:
            raise ValueError(
                f"the game of {type(self.valuation).__name__} asks for {', '.join(missing)}, and there is "
                f"{', '.join(self.things) or 'nothing'} beside the contributions to value by"
            )
        asked = signature(self.valuation.game).parameters
        every: dict[str, Any] = {**self.things, "progress": progress}
        game: Game = self.valuation.game(contributions, **{name: every[name] for name in every if name in asked})
        return game


def gives(valuation: Any) -> type:
    """The kind of game that a valuation says it gives; a plain ``Game`` where it says nothing."""
    return _kind(valuation, "gives")


def asks(valuation: Any) -> tuple[str, ...]:
    """What a valuation's ``game`` can't do without beside the contributions, by name.

    Those are its parameters without a default, and what the valuation names as ``asks``.
    """
    parameters = list(signature(valuation.game).parameters.values())[1:]
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    bare = [p.name for p in parameters if p.default is Parameter.empty and p.kind not in several]
    return tuple(dict.fromkeys(name for name in (*bare, *getattr(valuation, "asks", ())) if name != "progress"))


def needs(part: Any) -> type:
    """The kind of game that a scheme or realization says it needs; a plain ``Game`` where it says nothing."""
    return _kind(part, "needs")


def _kind(part: Any, said: str) -> type:
    kind = getattr(part, said, Game)
    if not isinstance(kind, type):
        raise ValueError(
            f"{type(part).__name__}.{said} is a kind of game, such as guerdon.types.ModelGame, got {kind!r}"
        )
    return kind


def unfit(part: Any, valuation: Any) -> str:
    """Why a scheme or realization can't work with the games of a valuation, "" where it can.

    Compares what the one needs with what the other gives; nothing is computed.
    """
    if members(needs(part)) <= members(gives(valuation)):
        return ""
    return (
        f"{type(part).__name__} needs a {needs(part).__name__}, and {type(valuation).__name__} gives a "
        f"{gives(valuation).__name__}"
    )


def allocate(
    contributions: Sequence[Contribution],
    value: ValueFunction,
    shapley: ShapleyEstimator,
    scheme: RewardScheme,
    realization: Realization | None,
    *,
    rng: np.random.Generator,
    secret_rng: np.random.Generator | None = None,
    carrier: ValueFunction | None = None,
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
    carrier : ValueFunction, optional
        Makes the game in which the realization works, where that of ``value`` is not of the kind that it needs.
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

    game = _of_all(value.game(contributions, progress=progress), contributions, value)
    values = shapley(game, rng=rng)
    _one_each(shapley, "Shapley value", getattr(values, "values", None), parties)
    progress("shapley", 1, 1)
    targets = scheme(values, game)
    _one_each(scheme, "target", getattr(targets, "values", None), parties)
    _one_each(scheme, "ceiling", getattr(targets, "ceilings", None), parties)
    made_in: Game = game
    if realization is not None and lacks(game, needs(realization)) and carrier is not None:
        made_in = carrier.game(contributions, progress=progress)
    return conclude(
        game,
        values,
        targets,
        realization,
        parties=parties,
        carrier=made_in,
        rng=rng if secret_rng is None else secret_rng,
        progress=progress,
    )


def _of_all(game: Game, contributions: Sequence[Contribution], value: Any) -> Game:
    """The game, once it is known to have a player for each contribution; a table without names gets the parties'."""
    name = type(value.valuation if isinstance(value, Given) else value).__name__
    if lacks(game, Game):
        raise ValueError(
            f"{name}.game should give something that has n and is called with coalitions, got {type(game).__name__}"
        )
    if game.n != len(contributions):
        raise ValueError(f"{name}.game should give a game of {len(contributions)} parties, got one of {game.n}")
    if isinstance(game, TableGame) and game.parties is None:
        return replace(game, parties=tuple(c.party for c in contributions))
    return game


def _one_each(part: Any, what: str, found: Any, parties: Sequence[str]) -> None:
    """Make sure that a part gave a number for each party."""
    if np.shape(found) != (len(parties),):
        name, came = type(part).__name__, "nothing" if found is None else f"shape {np.shape(found)}"
        raise ValueError(f"{name} should give one {what} a party, an array of shape ({len(parties)},), got {came}")


def conclude(
    game: Game,
    shapley: ShapleyValues,
    targets: RewardTargets,
    realization: Realization | None,
    *,
    rng: np.random.Generator,
    parties: Sequence[str] | None = None,
    carrier: Game | None = None,
    progress: Progress = silent,
) -> Allocation:
    """The second half: certify what was decided, and make the rewards (none where ``realization`` is None).

    Raises
    ------
    ValueError
        The realization needs another kind of game than this, or the ``carrier``, is.
    """
    if parties is None:
        parties = getattr(game, "parties", None) or tuple(str(i) for i in range(game.n))
    certificate = certify(game, shapley, targets)
    progress("rewards", 1, 1)
    rewards: Sequence[MadeReward] = ()
    if realization is not None:
        carrier = game if carrier is None else carrier
        if missing := lacks(carrier, needs(realization)):
            raise ValueError(
                f"{type(realization).__name__} needs a {needs(realization).__name__}, and the game has no "
                f"{', '.join(missing)}: take another valuation, or a realization that makes do with this one"
            )
        progress("realize", 0, int(game.n))
        if carrier is game:
            rewards = realization(game, targets, rng=rng)
        else:
            exchange = exchanged_targets(game, targets, carrier)
            rewards = [Exchanged(made, exchange) for made in realization(carrier, exchange.targets, rng=rng)]
    return Allocation(tuple(parties), game, shapley, targets, certificate, tuple(rewards))
