"""The rows of a linear model, a block at a time, for what needs no copy of the features of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from guerdon.models.features import Features, design_matrix
from guerdon.models.pool import blocks
from guerdon.types import FloatArray

__all__ = ["FeatureRows"]


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """phi(x) of inputs X (m, d), divided by ``scale`` (m,) where given: by sqrt(L) they are white, P = L^-1/2 Phi."""

    features: Features | None
    X: FloatArray
    scale: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.X.ndim != 2:
            raise ValueError(f"X must have shape (rows, features), got {self.X.shape}")

    def __len__(self) -> int:
        return len(self.X)

    def __iter__(self) -> Iterator[FloatArray]:
        """The rows in their order, in blocks (k, M)."""
        for block in blocks(len(self)):
            Phi = design_matrix(self.features, self.X[block])
            yield Phi if self.scale is None else Phi / self.scale[block, None]

    @property
    def width(self) -> int:
        """M, the number of features."""
        return int(design_matrix(self.features, self.X[:1]).shape[1])

    def whole(self) -> FloatArray:
        """All rows at once: (m, M)."""
        return np.concatenate([np.empty((0, self.width)), *self])
