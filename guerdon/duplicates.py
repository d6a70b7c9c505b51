"""Repeated rows: always counted, removed on request. Copies change values, so parties should know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from guerdon.types import Contribution, FloatArray

__all__ = ["DuplicateReport", "count_duplicates", "without_repeats"]


@dataclass(frozen=True)
class DuplicateReport:
    """How many rows the parties hold more than once, and share with each other.

    Attributes
    ----------
    within : dict of str to int
        How many rows a party holds more than once, by party.
    between : dict of tuple to int
        How many distinct rows two parties share, by pair.
    """

    within: dict[str, int]
    between: dict[tuple[str, str], int]

    def sentences(self) -> list[str]:
        """The findings, one a line; none when every row is unique."""
        own = [f"{party} holds {count} repeated rows" for party, count in self.within.items() if count]
        shared = [f"{a} and {b} share {count} identical rows" for (a, b), count in self.between.items() if count]
        return own + shared


def count_duplicates(contributions: Sequence[Contribution]) -> DuplicateReport:
    """Count the rows (inputs, output and own noise variance, bit for bit) that repeat within and between parties."""
    keys = [set(_keys(c)) for c in contributions]
    within = {c.party: len(c) - len(k) for c, k in zip(contributions, keys, strict=True)}
    between = {
        (contributions[i].party, contributions[j].party): len(keys[i] & keys[j])
        for i in range(len(keys))
        for j in range(i + 1, len(keys))
    }
    return DuplicateReport(within, between)


def without_repeats(contribution: Contribution) -> Contribution:
    """The contribution with the first of each set of its identical rows."""
    first = sorted({key: row for row, key in reversed(list(enumerate(_keys(contribution))))}.values())
    rows: NDArray[np.intp] = np.array(first, dtype=np.intp)
    y, noise = contribution.y, contribution.noise
    return replace(
        contribution,
        X=contribution.X[rows],
        y=None if y is None else y[rows],
        noise=noise[rows] if isinstance(noise, np.ndarray) else noise,
    )


def _keys(contribution: Contribution) -> list[bytes]:
    columns: list[FloatArray] = [contribution.X]
    if contribution.y is not None:
        columns.append(contribution.y[:, None])
    own = np.nan if contribution.noise is None else contribution.noise  # NaN: the model's noise
    columns.append(np.broadcast_to(own, len(contribution))[:, None])
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1) + 0.0)  # -0.0 and 0.0 are one number
    return [blake2b(row, digest_size=16).digest() for row in rows]  # a row of pixels would be held twice
