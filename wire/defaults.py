"""What settings of a run are when nobody says otherwise, where both sides need to know."""

__all__ = ["CHOSEN_LATER", "HOLDOUT", "MAX_CONTRIBUTION_MB", "MAX_SCORED_RUNS", "MIN_HELD_OUT"]

CHOSEN_LATER = ("scheme", "realization")
"""Parts that a run which stopped after valuation may still choose, when the rows are pooled already."""

HOLDOUT = 0.25
"""The share of its rows that stays with a party."""

MIN_HELD_OUT = 10
"""Of fewer held-out rows no score leaves a party."""

MAX_CONTRIBUTION_MB = 512.0
"""How large a contribution may be, in millions of bytes as float64."""

MAX_SCORED_RUNS = 50
"""Runs to which a party sends scores, over all times."""
