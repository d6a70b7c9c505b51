"""What a party gets where its reward is held back: that, why, and what is common knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wire.kinds.kind import Kind, Score
from wire.messages import Reward

__all__ = ["Withheld"]


class Withheld(Kind):
    """The word that a reward is held back; nothing was made of it that could be scored or applied."""

    name: ClassVar[str] = "withheld"
    words: ClassVar[str] = "held back"
    scores: ClassVar[Sequence[Score]] = ()
    gives: ClassVar[bool] = False
    keeps: ClassVar[frozenset[str]] = frozenset(
        (
            *("run", "party", "unit", "strategy", "scheme", "own_value", "target", "rho", "thresholds", "parties"),
            *("findings", "own_value_range", "target_range", "exposed"),
        )
    )
    """What of a reward's description goes with the word."""

    def lines(self, reward: Reward) -> list[str]:
        about = reward.about
        return [
            f"The reward for {about.get('party')}, from run {about.get('run')}, is held back.",
            f"Why: {about.get('held_back')}.",
            "Nothing of it was sent. The mediator keeps to what all parties were told before they contributed.",
        ]
