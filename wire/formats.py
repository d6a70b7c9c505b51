"""The numbers that kept files carry, so that a later Guerdon knows what it reads: one home for all of them.

Each file's content holds ``format``, a whole number; in a ledger each entry does, so that a line that a crash cut short
takes none of the others with it and a run that goes on under a later Guerdon may hold entries of both. Where it is
missing the file is from before there were numbers (Guerdon 0.1), and that is format 1. Who reads gets the content in
today's format and without the number, so that the hash of a reward's description is the same in every format.

To change what a file holds, raise its ``number`` and say in ``upgrades`` how the format before becomes the new one; a
format without an upgrade is refused from then on, in a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ALLOCATION",
    "EARLIER",
    "HOLDOUT_SECRET",
    "LEDGER",
    "POOL",
    "PRIVACY",
    "REWARD",
    "REWARDS",
    "RUN_STATE",
    "FormatError",
    "KeptFormat",
]

KEY = "format"
UNNUMBERED = 1
"""What a file without a number is."""


class FormatError(ValueError):
    """A file can't be read here; the text says which format came, what is read, and what to do."""


@dataclass(frozen=True)
class KeptFormat:
    """The format of one kind of file.

    Parameters
    ----------
    file : str
        What the file is called.
    number : int
        Of the format that is written here, and the latest that is read.
    upgrades : Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
        Under k, the function that turns the content in format k into that in format k + 1.
    """

    file: str
    number: int = 1
    upgrades: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)

    @property
    def oldest(self) -> int:
        """The earliest format that is read: from there on every upgrade is known."""
        found = self.number
        while found - 1 in self.upgrades:
            found -= 1
        return found

    def numbered(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content as it is kept, with the number of its format first.

        Raises
        ------
        FormatError
            It has an entry of that name already.
        """
        if KEY in content:
            raise FormatError(
                f"{self.file} keeps the number of its format as {KEY!r}, but its content has {KEY} = "
                f"{content[KEY]!r} already: give that another name"
            )
        return {KEY: self.number, **content}

    def read(self, kept: object) -> dict[str, Any]:
        """What was kept, in today's format and without the number.

        Parameters
        ----------
        kept : object
            What JSON made of the file, or of a ledger's line.

        Raises
        ------
        FormatError
            It is no mapping, its format is no number, or none that is read here.
        """
        if not isinstance(kept, dict):
            raise FormatError(
                f"{self.file} should hold a JSON object, {{...}}, got {type(kept).__name__}: restore it from a copy"
            )
        content = dict(kept)
        number = content.pop(KEY, UNNUMBERED)
        if type(number) is not int or number < 1:
            raise FormatError(
                f"{self.file} gives its format as {number!r}, and a format is a whole number from 1: "
                "restore the file from a copy"
            )
        if number > self.number:
            raise FormatError(
                f"{self.file} was written by a newer Guerdon (format {number}; this one reads {self._span}): update "
                "Guerdon, or read it with the one that wrote it"
            )
        if number < self.oldest:
            raise FormatError(
                f"{self.file} was written by an older Guerdon (format {number}; this one reads {self._span}): read it "
                "with that one, whose version is in the run's ledger"
            )
        for before in range(number, self.number):
            content = self.upgrades[before](content)
        return content

    @property
    def _span(self) -> str:
        if self.oldest == 1:
            return f"up to {self.number}"
        return f"{self.number} only" if self.oldest == self.number else f"{self.oldest} to {self.number}"


ALLOCATION = KeptFormat("allocation.json")
POOL = KeptFormat("pool.json")
REWARDS = KeptFormat("rewards.json")
REWARD = KeptFormat("reward.json")
LEDGER = KeptFormat("the ledger")
HOLDOUT_SECRET = KeptFormat("_holdout.json")
RUN_STATE = KeptFormat("the state of a run")
EARLIER = KeptFormat("_earlier.json")
PRIVACY = KeptFormat("_privacy.json")
