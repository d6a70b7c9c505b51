"""Rows dealt out at random, in equal numbers: the parties' data are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.partitions.partition import check_rows

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform:
    """A random permutation of the rows in blocks of equal size, to within one row.

    Examples
    --------
    >>> [len(rows) for rows in Uniform().split(np.zeros((7, 1)), 3, rng=np.random.default_rng(0))]
    [3, 2, 2]
    """

    def split(
        self,
        X: NDArray[np.float64],
        parties: int,
        *,
        rng: np.random.Generator,
        target: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.intp], ...]:
        """Row numbers of each party; the first parties get the row that is left over."""
        order = rng.permutation(check_rows(X, parties)).astype(np.intp)  # (m,)
        return tuple(np.array_split(order, parties))
