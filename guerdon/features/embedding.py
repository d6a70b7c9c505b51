"""Dimension reduction by UMAP (McInnes, Healy and Melville, 2018)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.types import FloatArray

__all__ = ["PACKAGES", "Embedding"]

PACKAGES = {"umap": "umap-learn"}

NEIGHBOURS = 15
"""UMAP's own default."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """A map to few dimensions, learnt on some points; ``points`` (m, components) are these points' images under it."""

    reducer: Any
    points: FloatArray

    @classmethod
    def fit(cls, X: NDArray[np.float32], components: int, rng: np.random.Generator) -> Self:
        """UMAP with its default settings, on these points (m, q); in one thread, so that the same seed gives the same.

        Raises
        ------
        ValueError
            There are too few points.
        """
        if len(X) < components + 2:
            raise ValueError(f"{components} components need at least {components + 2} rows, got {len(X)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its remarks on what it lacks and on what it chose for itself
            from umap import UMAP

            reducer = UMAP(
                n_components=components,
                n_neighbors=min(NEIGHBOURS, len(X) - 1),
                random_state=int(rng.integers(2**31)),
                n_jobs=1,
            ).fit(X)
        return cls(reducer, np.asarray(reducer.embedding_, dtype=np.float64))

    def __call__(self, X: NDArray[np.float32]) -> FloatArray:
        """Further points, placed among those it was learnt on, which stay where they are."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(self.reducer.transform(X), dtype=np.float64)
