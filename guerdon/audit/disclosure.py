"""What a reward gives away of other parties' rows, as attacks on twins of it show.

Whoever holds a reward asks of a row that another party could have sent: was it in? The mediator has only rows that
were; those that parties hold out never reach it. So the reward itself is not attacked but two *twins* of it, each made
in the same way from one random half of every party's rows, and with the other half for comparison. A twin is made of
fewer rows than the reward, so that one row weighs more in it: what is found is rather too much than too little, for
rewards that learn from their rows (no theorem).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.audit.attacks import Scored
from guerdon.audit.auc import Area, area_with_interval
from guerdon.exchange import exchanged_targets
from guerdon.pipeline import Allocation, MadeReward, Realization, ValueFunction, needs
from guerdon.types import Contribution, Game, lacks

__all__ = ["Attack", "Disclosure", "Targets", "judge_attacks", "twin_rewards"]

CERTAIN = 1.0


@dataclass(frozen=True)
class Attack:
    """How well one attack tells who was in.

    Attributes
    ----------
    name : str
        Such as "nearest row".
    area : Area
        The AUC, with its interval.
    inside, outside : float or None
        Of an attack with a share in plain words, that of rows that were in, and of rows that were not.
    """

    name: str
    area: Area
    inside: float | None = None
    outside: float | None = None


@dataclass(frozen=True)
class Disclosure:
    """What one party's reward gives away of the others' rows.

    Attributes
    ----------
    party : str
        Whose reward it is.
    attacks : tuple of Attack
        Those that were tried on its twins; none where it could not be audited, or nothing was there to attack.
    exposed : mapping of str to Area
        By other party, the strongest attack on its rows alone.
    bound : float or None
        What no attack at all can exceed, where differential privacy promises it.
    reason : str
        Why there are no attacks; "" where there are.
    harmless : bool
        Nothing of the others is in it.
    rows : int
        Rows of others that were attacked.
    closest : tuple of float, optional
        Of synthetic rows, for information: the median distance from one in the reward itself to the nearest row of
        others, and from one of these to its nearest other, in standard units. It is evidence of nothing.
    """

    party: str
    attacks: tuple[Attack, ...] = ()
    exposed: Mapping[str, Area] = field(default_factory=dict)
    bound: float | None = None
    reason: str = ""
    harmless: bool = False
    rows: int = 0
    closest: tuple[float, float] | None = None

    @property
    def most(self) -> float:
        """The AUC that is not excluded: the largest upper end of the attacks' intervals, or what is promised.

        1 where nothing is known, or something came out as no number. That every attack's upper end lies below a limit
        is wrong for an AUC above it in at most one of 40 rewards, however many attacks there are: all of them have to
        pass.
        """
        if self.harmless:
            return 0.5
        ends = [attack.area.high for attack in self.attacks] if self.bound is None else [self.bound]
        return max((end if isfinite(end) else CERTAIN for end in ends), default=CERTAIN)

    @property
    def strongest(self) -> Attack | None:
        """The attack with the largest AUC."""
        return max(self.attacks, key=lambda attack: attack.area.auc, default=None)


@dataclass(frozen=True, eq=False)
class Targets:
    """The rows that one reward's twins are attacked with: all others' rows.

    Attributes
    ----------
    owners : (m,) array of int
        Whose each is, by place among the parties.
    first : (m,) array of bool
        Which the first twin was made of.
    groups : (m,) array of int
        Equal rows have one number.
    """

    owners: NDArray[np.intp]
    first: NDArray[np.bool_]
    groups: NDArray[np.intp]


def judge_attacks(
    party: str, parties: Sequence[str], targets: Targets, scored: Sequence[Mapping[str, Scored]]
) -> Disclosure:
    """What the scores of both twins, by attack, come to.

    Parameters
    ----------
    party : str
        Whose reward it is.
    parties : sequence of str
        That ``targets.owners`` are places in.
    targets : Targets
    scored : sequence of mapping of str to Scored
        Two, each twin's, of the same attacks.
    """
    attacks, exposed = [], {}
    names = [name for name in scored[0] if name in scored[1]]
    for name in names:
        pair = scored[0][name].scores, scored[1][name].scores
        shares = [own for own in (twin[name].shares for twin in scored) if own is not None]
        sides = [targets.first, ~targets.first]
        inside = float(np.mean([own[side].mean() for own, side in zip(shares, sides, strict=True)])) if shares else None
        outside = (
            float(np.mean([own[~side].mean() for own, side in zip(shares, sides, strict=True)])) if shares else None
        )
        attacks.append(Attack(name, area_with_interval(pair, targets.first, targets.groups), inside, outside))
    for k in np.unique(targets.owners):
        own = targets.owners == k
        first, groups = targets.first[own], targets.groups[own]
        if min(first.sum(), (~first).sum()) < 2:
            continue
        found = [
            area_with_interval((scored[0][name].scores[own], scored[1][name].scores[own]), first, groups)
            for name in names
        ]
        if found:
            exposed[parties[k]] = max(found)
    return Disclosure(party, tuple(attacks), exposed, rows=len(targets.owners))


def twin_rewards(
    allocation: Allocation,
    half: Sequence[Contribution],
    value: ValueFunction,
    realization: Realization,
    *,
    carrier: ValueFunction,
    rng: np.random.Generator,
) -> Sequence[MadeReward]:
    """Rewards made of one half of the rows, each as far on the way from what the party has to the most that it could
    have as the reward itself is.

    Parameters
    ----------
    allocation : Allocation
        What was decided on all rows.
    half : sequence of Contribution
        One half of each party's, in the order of the allocation's parties.
    value, carrier : ValueFunction
        As ``allocate`` had them.
    realization : Realization
        As ``allocate`` had it.
    rng : Generator
        Draws for the realization.
    """
    game: Game = value.game(half)
    if lacks(game, needs(realization)):
        game = carrier.game(half)
    targets = exchanged_targets(allocation.game, allocation.targets, game).targets
    made: Any = realization(game, targets, rng=rng)
    return list(made)
