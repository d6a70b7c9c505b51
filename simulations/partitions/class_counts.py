"""Parties that know some classes only: the class imbalance of Xu et al. (NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.partitions.partition import check_labels, check_rows

__all__ = ["ClassCounts"]


@dataclass(frozen=True)
class ClassCounts:
    """Party i has ``rows`` rows of ``counts[i]`` classes, which are drawn at random; rows left over are nobody's.

    Examples
    --------
    >>> labels = np.repeat(np.arange(3.0), 40)
    >>> rng = np.random.default_rng(0)
    >>> blocks = ClassCounts(counts=(1, 3), rows=30).split(np.zeros((120, 1)), 2, rng=rng, target=labels)
    >>> [(len(rows), len(set(labels[rows]))) for rows in blocks]
    [(30, 1), (30, 3)]
    """

    counts: Sequence[int] = (1, 3, 5, 7, 10)
    rows: int = 130

    def __post_init__(self) -> None:
        if not self.counts or not all(isinstance(count, int) and count >= 1 for count in self.counts):
            raise ValueError(f"counts are whole numbers of at least 1, one a party, got {self.counts!r}")
        if not (isinstance(self.rows, int) and self.rows >= 2):
            raise ValueError(f"rows of each party are a whole number of at least 2, got {self.rows!r}")

    def split(
        self,
        X: NDArray[np.float64],
        parties: int,
        *,
        rng: np.random.Generator,
        target: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.intp], ...]:
        """Row numbers of each party, drawn without replacement from all rows of its classes."""
        check_rows(X, parties)
        target = check_labels(target)
        classes = np.unique(target)
        if len(self.counts) != parties or max(self.counts) > len(classes):
            raise ValueError(f"counts={tuple(self.counts)!r} does not fit {parties} parties and {len(classes)} classes")
        free = np.ones(len(X), dtype=bool)
        blocks = []
        for count in self.counts:
            known = rng.permutation(classes)[:count]
            there = rng.permutation(np.flatnonzero(free & np.isin(target, known)))
            if len(there) < self.rows:
                raise ValueError(
                    f"rows={self.rows} can't be had of {count} classes: {len(there)} rows are left of them"
                )
            block = there[: self.rows].astype(np.intp)
            free[block] = False
            blocks.append(block)
        return tuple(blocks)
