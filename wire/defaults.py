"""What settings of a run are when nobody says otherwise, where both sides need to know."""

__all__ = ["HOLDOUT", "MAX_CONTRIBUTION_MB"]

HOLDOUT = 0.25
"""The share of its rows that stays with a party."""

MAX_CONTRIBUTION_MB = 512.0
"""How large a contribution may be, in millions of bytes as float64."""
