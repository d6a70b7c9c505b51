"""Rewards made in another game than the one that says what they should be worth.

A model with noise has an information gain, and a set of synthetic rows a maximum mean discrepancy; what either would be
worth under a value of another kind, such as the number of rows, nobody says. So a target is carried over by its place
between the two ends that both games know. With v_i and c_i what party i's own data is worth and the most that its
reward could be (the ceiling), and w_i and C_i the same in the game that rewards are made in (the carrier),

    share_i = (r_i - v_i) / (c_i - v_i),        target in the carrier = w_i + share_i (C_i - w_i).

Own data stay own data, the most stays the most, and more in the one game is more in the other. A party that has the
most already (c_i = v_i) gets it in the carrier too. Where there is no way to go, since data of others would only lower
the value (c_i < v_i) or since the carrier sees nothing in them (C_i <= w_i), the party keeps its own data, worth v_i.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from guerdon.types import FloatArray, Game, RewardTargets, ceilings_of

__all__ = ["Exchange", "Exchanged", "exchanged_targets"]

SLACK = 1e-9
"""What r_i may lie below v_i, or above c_i, by rounding, beside the largest ceiling."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """Both ends in both games, by party.

    Parameters
    ----------
    alone : (n,) array
        v_i.
    most : (n,) array
        c_i.
    carried_alone : (n,) array
        w_i, in the carrier's unit.
    carried_most : (n,) array
        C_i, in the carrier's unit; w_i where that is more.
    targets : RewardTargets
        The targets in the carrier's unit.
    parties : tuple of str
    """

    alone: FloatArray
    most: FloatArray
    carried_alone: FloatArray
    carried_most: FloatArray
    targets: RewardTargets
    parties: tuple[str, ...]

    def back(self, party: str, reached: float) -> float:
        """What a reward that reached this in the carrier is worth in the game that targets come from."""
        i = self.parties.index(party)
        way = self.carried_most[i] - self.carried_alone[i]
        share = (reached - self.carried_alone[i]) / way if way > _slack(self.carried_most) else 0.0
        return float(self.alone[i] + share * (self.most[i] - self.alone[i]))


@dataclass(frozen=True, eq=False)
class Exchanged:
    """A reward that was made in the carrier; everything but the value it reached is the made reward's own."""

    made: Any
    exchange: Exchange

    @property
    def party(self) -> str:
        return str(self.made.party)

    @cached_property
    def reached(self) -> float:
        """In the unit of the game that says what rewards should be worth."""
        return self.exchange.back(self.made.party, self.made.reached)

    @property
    def contains(self) -> str:
        return str(self.made.contains)

    def facts(self) -> Mapping[str, Any]:
        """The made reward's, and what it reached in the carrier."""
        return {**self.made.facts(), "reached_in_carrier": float(self.made.reached)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "made":  # a copy asks before it has any
            raise AttributeError(name)
        return getattr(self.made, name)


def exchanged_targets(game: Game, targets: RewardTargets, carrier: Game) -> Exchange:
    """The targets in the carrier's unit.

    Raises
    ------
    ValueError
        A target is below what the party's own data is worth, or above its ceiling: no share of the way is that.
    """
    n = game.n
    parties = getattr(carrier, "parties", None) or tuple(str(i) for i in range(n))
    alone, most = game(np.eye(n, dtype=bool)), np.asarray(targets.ceilings, dtype=np.float64)
    way, gain = most - alone, targets.values - alone
    slack = _slack(most)
    for i in np.flatnonzero((gain < -slack) | (gain > np.maximum(way, 0.0) + slack)):
        raise ValueError(
            f"party {parties[i]!r}: its target {targets.values[i]:.10g} is not between the {alone[i]:.10g} that its "
            f"own data is worth and the {most[i]:.10g} that is the most its reward can be; with a smaller rho it is, "
            "or with rho='rational' or 'stable'"
        )
    share = np.where(way > slack, np.clip(gain / np.where(way > slack, way, 1.0), 0.0, 1.0), way >= -slack)
    carried_alone = carrier(np.eye(n, dtype=bool))
    carried_most = np.maximum(ceilings_of(carrier), carried_alone)
    values = np.where(share == 1.0, carried_most, carried_alone + share * (carried_most - carried_alone))
    carried = RewardTargets(values, rho=None, maximum=float(values.max()), ceilings=carried_most)
    return Exchange(alone, most, carried_alone, carried_most, carried, parties)


def _slack(most: FloatArray) -> float:
    return SLACK * max(float(np.abs(most).max()), float(np.finfo(np.float64).tiny))
