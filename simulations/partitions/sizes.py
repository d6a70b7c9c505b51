"""Rows dealt out at random in given proportions: the parties' data are alike, but some have more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.partitions.partition import check_rows

__all__ = ["Sizes"]


@dataclass(frozen=True)
class Sizes:
    """A random permutation of the rows, cut in proportion to ``shares``, one number a party.

    Examples
    --------
    >>> [len(rows) for rows in Sizes(shares=(1, 2, 7)).split(np.zeros((20, 1)), 3, rng=np.random.default_rng(0))]
    [2, 4, 14]
    """

    shares: Sequence[float]

    def __post_init__(self) -> None:
        numbers = all(isinstance(share, int | float) and share > 0 for share in self.shares)
        if not self.shares or not numbers:
            raise ValueError(f"shares are positive numbers, one a party, got {self.shares!r}")

    def split(
        self,
        X: NDArray[np.float64],
        parties: int,
        *,
        rng: np.random.Generator,
        target: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.intp], ...]:
        """Row numbers of each party; every row is somebody's."""
        if len(self.shares) != parties:
            raise ValueError(f"shares has {len(self.shares)} numbers for {parties} parties")
        order = rng.permutation(check_rows(X, parties)).astype(np.intp)  # (m,)
        ends = np.round(np.cumsum(self.shares) / np.sum(self.shares) * len(order)).astype(np.intp)
        blocks = np.split(order, ends[:-1])
        if min(map(len, blocks)) == 0:
            raise ValueError(f"{len(order)} rows leave a party of shares {tuple(self.shares)} without any")
        return tuple(blocks)
