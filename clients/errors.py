"""What a party says when it can't."""

from __future__ import annotations

__all__ = ["PartyError"]


class PartyError(ValueError):
    """The party can't do what it was asked.

    said : names file, column and row; it is sent to the mediator and never quotes what stands in the file
    here : more, for the party's own eyes
    """

    def __init__(self, said: str, here: str = "") -> None:
        super().__init__(said)
        self.here = here

    @property
    def in_full(self) -> str:
        """As it is shown on the party's own machine."""
        return f"{self}; {self.here}" if self.here else str(self)
