"""A party's sums over its rows, as it takes them on its own machine: by blocks, and clipped where noise is added.

A row that is longer than R is scaled down as a whole, features and output alike: of (c phi, c y) the model y = w' phi
holds as it does of (phi, y), with less noise. Then outputs beyond Y are cut off there. So one row moves Phi' Phi by at
most R^2 (in the Frobenius norm) and (R / Y) Phi' y by at most R^2, both together by at most sqrt(2) R^2.
"""

from __future__ import annotations

import numpy as np

from guerdon.models.features import Features, design_matrix
from guerdon.models.pool import blocks
from guerdon.privacy import Bounds
from guerdon.scaling import Scaling
from guerdon.threads import one_thread
from guerdon.types import FloatArray, Statistics

__all__ = ["bounds_of", "sums_of"]

FARTHEST = 1e100
"""Numbers beyond this are cut off where rows are clipped, so that no square is infinite."""

SHARE = 0.9
"""Of public rows so many are not scaled down by the bound that follows from them."""


def bounds_of(features: Features, X: FloatArray, y: FloatArray) -> Bounds:
    """Bounds that public rows X (m, d), y (m,) suggest: nine of ten are no longer, and all outputs are within.

    To scale long rows down costs nothing but their weight; to cut off outputs would move the weights that are learned.
    """
    norms = np.linalg.norm(design_matrix(features, X), axis=1)
    return Bounds(float(np.quantile(norms, SHARE)), float(np.abs(y).max()) or 1.0)


def sums_of(
    party: str, X: FloatArray, y: FloatArray, features: Features, scaling: Scaling, bounds: Bounds | None = None
) -> tuple[Statistics, int]:
    """The sums over rows X (m, d), y (m,), and how many rows were clipped.

    Parameters
    ----------
    party : str
    X : (m, d) array
    y : (m,) array
    features : Features
        phi, of inputs in the scaling's units.
    scaling : Scaling
        Brings inputs and outputs into the units that sums are taken in.
    bounds : Bounds, optional
        The rows are taken as they are where there are none.
    """
    gram, moment, square, clipped = np.zeros(()), np.zeros(()), 0.0, 0
    with one_thread():  # small blocks, and the same bits on any number of cores
        for rows in blocks(len(X)):
            with np.errstate(over="ignore"):
                units, out = scaling.features(X[rows]), (y[rows] - scaling.target_mean) / scaling.target_scale
            if bounds is not None:  # that rows can't be summed in some units would tell of them: they always can
                units, out = (np.clip(part, -FARTHEST, FARTHEST) for part in (units, out))
            Phi = design_matrix(features, units)
            if bounds is not None:
                shrink = np.minimum(
                    1.0, bounds.norm / np.maximum(np.linalg.norm(Phi, axis=1), np.finfo(np.float64).tiny)
                )
                scaled = shrink * out
                cut = np.clip(scaled, -bounds.output, bounds.output)
                clipped += int(np.count_nonzero((shrink < 1.0) | (cut != scaled)))
                Phi, out = shrink[:, None] * Phi, cut
            gram, moment, square = gram + Phi.T @ Phi, moment + Phi.T @ out, square + float(out @ out)
    return Statistics(party, gram, moment, square, len(X)), clipped
