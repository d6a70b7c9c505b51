"""The partition of Sim et al. (2020): partially sorted by one feature, cut into blocks of random sizes (Fig. 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.partitions.partition import check_rows

__all__ = ["PartialSort"]


@dataclass(frozen=True)
class PartialSort:
    """Parties whose data overlap partly, as hospitals with patients of different ages do.

    A feature a and a data point d are drawn uniformly. One pass of quick-select with d as its pivot puts the rows below
    d before it and the rows above d after it; only d is sure to stand at its sorted place. The order is then cut
    into consecutive blocks of random sizes.

    Parameters
    ----------
    minimum_share : float in [0, 1]
        Each party owns at least this share of the rows (the paper: 0.1 for three parties, 0.05 for ten).

    Examples
    --------
    >>> blocks = PartialSort().split(np.arange(20.0)[:, None], 3, rng=np.random.default_rng(0))
    >>> [len(block) >= 2 for block in blocks], sum(len(block) for block in blocks)
    ([True, True, True], 20)
    """

    minimum_share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.minimum_share <= 1:
            raise ValueError(f"minimum_share is a share of the rows, between 0 and 1, got {self.minimum_share!r}")

    def split(
        self,
        X: NDArray[np.float64],
        parties: int,
        *,
        rng: np.random.Generator,
        target: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.intp], ...]:
        """Row numbers of each party, in the order of the partial sort."""
        check_rows(X, parties)
        # The small tolerance keeps 0.1 * 30 = 3.0000000000000004 from asking for 4 rows, and 1/3 * 3 within 1.
        if self.minimum_share * parties > 1 + 1e-9:
            raise ValueError(
                f"minimum_share={self.minimum_share} for {parties} parties is more than all rows; "
                f"give at most {1 / parties:.3g}, or fewer parties"
            )
        least = max(1, math.ceil(self.minimum_share * X.shape[0] - 1e-9))
        rows = check_rows(X, parties, least)
        column = X[:, rng.integers(X.shape[1])]  # (m,)
        order = _quick_select_pass(column, int(rng.integers(rows)))
        sizes = least + _random_composition(rows - parties * least, parties, rng)
        return tuple(np.split(order, np.cumsum(sizes)[:-1]))


def _quick_select_pass(column: NDArray[np.float64], pivot: int) -> NDArray[np.intp]:
    """Row numbers with ``pivot`` at its sorted place: lower rows before it, higher ones after, each side as it came.

    Rows that tie with the pivot stay on the side they are on, which is where a stable sort would put them.
    """
    rows = np.arange(len(column), dtype=np.intp)
    before = (column < column[pivot]) | ((column == column[pivot]) & (rows < pivot))
    after = ~before & (rows != pivot)
    return np.concatenate([rows[before], rows[[pivot]], rows[after]])


def _random_composition(total: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``parts`` whole numbers >= 0 with sum ``total``, every such tuple equally likely (stars and bars)."""
    bars = np.sort(rng.choice(total + parts - 1, size=parts - 1, replace=False)) if parts > 1 else np.empty(0)
    edges = np.concatenate([[-1], bars, [total + parts - 1]])
    return (np.diff(edges) - 1).astype(np.int64)
