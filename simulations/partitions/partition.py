"""The contract of a partition, and the check on its arguments that every partition makes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Partition", "check_labels", "check_rows"]


class Partition(Protocol):
    """Divides the rows of a data set among parties."""

    def split(
        self,
        X: NDArray[np.float64],
        parties: int,
        *,
        rng: np.random.Generator,
        target: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.intp], ...]:
        """One array of row numbers a party; no row is in two. ``target`` (m,) is there for those who split by it."""
        ...


def check_rows(X: NDArray[np.float64], parties: int, least: int = 1) -> int:
    """The number of rows of X, once it is known to give ``parties`` parties ``least`` rows each."""
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"expected features (m, d) with at least one column, got shape {X.shape}")
    if parties < 1:
        raise ValueError(f"expected at least one party, got {parties}")
    rows = int(X.shape[0])
    if rows < parties * least:
        raise ValueError(f"{rows} rows are too few for {parties} parties of at least {least} rows each")
    return rows


def check_labels(target: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The labels (m,), once it is known that there are any."""
    if target is None:
        raise ValueError("a split by classes needs a data set with labels")
    return target
