"""Contributions in two halves, so that what is made of the one can be attacked with the other for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from guerdon.duplicates import some_of
from guerdon.types import Contribution

__all__ = ["FEWEST", "Halves", "split_in_halves"]

FEWEST = 4
"""Different rows that each party needs, or its halves are no data."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Which rows of each contribution are in the first half, and which of all rows are equal.

    Parameters
    ----------
    contributions : sequence of Contribution
    first : sequence of (m,) array of bool
        By contribution.
    groups : sequence of (m,) array of int
        By contribution: equal rows, of whatever party, have one number.
    """

    contributions: Sequence[Contribution]
    first: Sequence[NDArray[np.bool_]]
    groups: Sequence[NDArray[np.intp]]

    def half(self, second: bool) -> list[Contribution]:
        """The contributions with the rows of one half only."""
        sides = [~first if second else first for first in self.first]
        return [_with_rows(c, np.flatnonzero(s)) for c, s in zip(self.contributions, sides, strict=True)]


def split_in_halves(contributions: Sequence[Contribution], rng: np.random.Generator) -> Halves:
    """Each party's rows dealt at random to two halves; equal rows, also of several parties, go to the same one.

    Raises
    ------
    ValueError
        A party has fewer than four different rows.
    """
    rows = np.ascontiguousarray(np.concatenate([c.X for c in contributions]) + 0.0)
    _, groups = np.unique(rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel(), return_inverse=True)
    by_party = np.split(groups.astype(np.intp), np.cumsum([len(c) for c in contributions])[:-1])
    in_first: dict[int, bool] = {}
    for c, own in zip(contributions, by_party, strict=True):
        distinct = np.unique(own)
        if len(distinct) < FEWEST:
            raise ValueError(f"{c.party} has {len(distinct)} different rows, and halves take at least {FEWEST}")
        dealt = rng.permutation(distinct)
        new = [int(group) for group in dealt if int(group) not in in_first]
        taken = sum(in_first[int(group)] for group in dealt if int(group) in in_first)
        wanted = max(0, len(distinct) // 2 - taken)
        in_first |= {group: place < wanted for place, group in enumerate(new)}
    first = [np.array([in_first[int(group)] for group in own], dtype=bool) for own in by_party]
    for c, own in zip(contributions, first, strict=True):
        if own.all() or not own.any():
            raise ValueError(f"the rows of {c.party} are those of others, so that they can't be dealt to two halves")
    return Halves(contributions, first, by_party)


def _with_rows(contribution: Contribution, rows: NDArray[np.intp]) -> Contribution:
    marks = contribution.marks
    if marks is None or marks.shown is None:
        return some_of(contribution, rows)
    kept = replace(replace(marks, shown=None).of_rows(rows), shown=some_of(marks.shown, rows))
    return replace(some_of(replace(contribution, marks=None), rows), marks=kept)
