"""The likelihood of a linear model's one open noise variance s, at as many values as one likes.

With the rows of known noise taken in, the weights are N(mu, R R'), and the other rows' outputs y have

    log p(y) = -1/2 sum_j [log(s + l_j) + z_j^2 / (s + l_j)] - 1/2 (m - k) log s - 1/2 e^2 / s + constant,

where l_j are the k squared singular values of W = Phi R, z_j the parts of y - Phi mu along them, and e^2 what is left
of |y - Phi mu|^2. It can have several maxima: one where the weights explain the outputs, one where noise does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from guerdon.linalg import triangular_factor
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.linear_gaussian_posterior import LinearGaussianPosterior
from guerdon.models.pool import blocks
from guerdon.types import FloatArray

__all__ = ["likeliest_noises", "noise_profile"]


def noise_profile(rows: FeatureRows, y: FloatArray, noise: FloatArray, values: FloatArray) -> FloatArray:
    """log p(y) in nats, up to a constant, at each of the ``values`` (k,) of the open noise variance: (k,).

    Parameters
    ----------
    rows : FeatureRows
    y : (m,) array
        Their outputs.
    noise : (m,) array
        VARIANCES of the rows, NaN where open.
    values : (k,) array
        Of the open variance.
    """
    is_open = np.isnan(noise)
    known = LinearGaussianPosterior.of(
        rows.features, rows.X[~is_open], y[~is_open], noise[~is_open], mean=0.0, noise=np.nan
    )
    Phi = FeatureRows(rows.features, rows.X[is_open])

    def reduced() -> Iterator[FloatArray]:
        for part, block in zip(Phi, blocks(len(Phi)), strict=True):
            yield np.column_stack([part @ known.root, y[is_open][block] - part @ known.weights])

    triangle = triangular_factor(len(known.weights) + 1, reduced())
    U, singular, _ = np.linalg.svd(triangle[:, :-1], full_matrices=False)
    z = U.T @ triangle[:, -1]
    left = float(np.sum(np.square(triangle[:, -1] - U @ z)))
    s = np.asarray(values)[:, None]
    spread = s + np.square(singular)
    along = np.sum(np.log(spread) + np.square(z) / spread, axis=1)
    return np.asarray(-0.5 * (along + (len(Phi) - len(z)) * np.log(s[:, 0]) + left / s[:, 0]))


def likeliest_noises(
    rows: FeatureRows, y: FloatArray, noise: FloatArray, values: FloatArray, most: int = 2
) -> list[float]:
    """The values (ascending) at which the profile has its highest peaks, the highest first; at most so many."""
    profile = noise_profile(rows, y, noise, values)
    padded = np.concatenate([[-np.inf], profile, [-np.inf]])
    peaks = np.flatnonzero((profile >= padded[:-2]) & (profile >= padded[2:]))
    return [float(values[k]) for k in peaks[np.argsort(-profile[peaks], kind="stable")][:most]]
