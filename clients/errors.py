"""What a party says when it can't."""

from __future__ import annotations

__all__ = ["PartyError"]


class PartyError(ValueError):
    """The party can't do what it was asked; the text names file, column and row, and is sent to the mediator."""
