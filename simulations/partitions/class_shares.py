"""The class-skewed splits of Tay et al. (AAAI 2022), appendix I.6: each party with its own mix of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulations.partitions.partition import check_labels, check_rows

__all__ = ["SHARES", "ClassShares", "Split"]

Split = Literal["equal-disjoint", "unequal"]

_FIVE_UNEQUAL = [
    [0.20, 0.20, 0.20, 0.20, 0.20],
    [0.20, 0.20, 0.20, 0.20, 0.20],
    [0.58, 0.39, 0.01, 0.01, 0.01],
    [0.01, 0.20, 0.58, 0.20, 0.01],
    [0.01, 0.01, 0.01, 0.39, 0.58],
]

SHARES: dict[tuple[str, int], NDArray[np.float64]] = {
    ("equal-disjoint", 5): np.full((5, 5), 0.01) + 0.95 * np.eye(5),
    ("unequal", 5): np.array(_FIVE_UNEQUAL),
    ("equal-disjoint", 10): np.repeat(np.full((5, 5), 0.005) + 0.475 * np.eye(5), 2, axis=1),
    ("unequal", 10): np.repeat(np.array(_FIVE_UNEQUAL) / 2, 2, axis=1),
}
"""SHARES[split, classes][i, c] = the part of party i's rows that is of class c (Tables 1 to 4)."""


@dataclass(frozen=True)
class ClassShares:
    """Five parties of equal size whose rows are of given classes in given parts; rows that fit nowhere are left out.

    Parameters
    ----------
    shares : "equal-disjoint" (each party has nearly all of its own classes) or "unequal" (the first two have all
        classes, the others some)
    rows : of each party; as many as the classes allow when None
    """

    shares: Split = "unequal"
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.shares not in ("equal-disjoint", "unequal"):
            raise ValueError(f"shares must be 'equal-disjoint' or 'unequal', got {self.shares!r}")
        if self.rows is not None and not (isinstance(self.rows, int) and self.rows >= 2):
            raise ValueError(f"rows of each party must be a whole number of at least 2, got {self.rows!r}")

    def split(
        self,
        X: NDArray[np.float64],
        parties: int,
        *,
        rng: np.random.Generator,
        target: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.intp], ...]:
        """Row numbers of each party, drawn without replacement from each class of ``target``, then shuffled."""
        check_rows(X, parties)
        target = check_labels(target)
        classes, codes = np.unique(target, return_inverse=True)
        if (self.shares, len(classes)) not in SHARES or parties != 5:
            raise ValueError(
                f"the paper's splits are of 5 or 10 classes among 5 parties, got {len(classes)} classes and "
                f"{parties} parties; use PartialSort() or Uniform() for other data"
            )
        table = SHARES[self.shares, len(classes)]
        of_class = [rng.permutation(np.flatnonzero(codes == c)) for c in range(len(classes))]
        size = _largest_size(table, [len(rows) for rows in of_class])
        if self.rows is not None:
            if self.rows > size:
                raise ValueError(
                    f"rows={self.rows} a party can't be had: of the {len(classes)} classes there are "
                    f"{', '.join(str(len(rows)) for rows in of_class)} rows, which allow at most {size} a party"
                )
            size = self.rows
        taken = [0] * len(classes)
        blocks = []
        for share in table:
            counts = [round(part * size) for part in share]
            rows = np.concatenate([r[t : t + k] for r, t, k in zip(of_class, taken, counts, strict=True)])
            taken = [t + k for t, k in zip(taken, counts, strict=True)]
            blocks.append(rng.permutation(rows).astype(np.intp))
        return tuple(blocks)


def _largest_size(shares: NDArray[np.float64], available: list[int]) -> int:
    """The most rows a party can have so that no class is asked for more rows than there are."""
    size = int(min(np.array(available) / shares.sum(axis=0)))
    while size and any(sum(round(p * size) for p in shares[:, c]) > available[c] for c in range(len(available))):
        size -= 1
    if size < 2:
        raise ValueError(f"too few rows for this split: the classes have {available}")
    return size
