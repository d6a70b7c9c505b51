"""The belief on the weights of features after data: their mean and covariance, and nothing of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from guerdon.linalg import require_precision, triangular_factor
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.features import (
    Features,
    contents_of,
    design_matrix,
    features_arrays,
    features_from_arrays,
    unexplained_variance,
)
from guerdon.models.party_noise import row_noise
from guerdon.models.pool import blocks
from guerdon.models.protocols import Arrays
from guerdon.types import FloatArray, closed

__all__ = ["LinearGaussianPosterior", "square_root_information"]


def square_root_information(rows: Iterable[FloatArray], width: int) -> FloatArray:
    """root (M, M) with root root' = (I + P' P)^-1 for white rows P, in blocks (k, M).

    By the triangular factor of [P; I], which never squares their condition number. I comes last: see
    ``triangular_factor``.

    Raises
    ------
    LossOfPrecisionError
        The noise is so small against (almost) collinear features that float64 can't tell the covariance.
    """
    return _inverse(triangular_factor(width, chain(rows, [np.eye(width)])))


def _inverse(R: FloatArray) -> FloatArray:
    """R^-1 of the triangular factor R (M, M) of [P; I]."""
    pivots = np.abs(np.diagonal(R))
    error = float(np.finfo(np.float64).eps * np.sum(np.linalg.norm(R, axis=0) / pivots))
    require_precision(float(np.sum(np.log(pivots))), error, "the training data")
    return np.ascontiguousarray(solve_triangular(R, np.eye(len(R)), check_finite=False))


@dataclass(frozen=True, eq=False)
class LinearGaussianPosterior:
    """w ~ N(weights, root root') after data: mean m + phi' w, variance |root' phi|^2 + unexplained + noise.

    Parameters
    ----------
    features : Features or None
        phi, the inputs themselves when None.
    mean : float
        The prior mean m of the outputs.
    noise : float
        The variance of a new observation.
    weights : (M,) array
    root : (M, M) array
    trained_on : FeatureRows, optional
        The training rows over their noise VARIANCES, L^-1 Phi: what ``sensitivity`` needs. They refer to the inputs
        that the posterior was made of, without a copy where nobody can change these, and are no part of ``arrays``.
    """

    features: Features | None
    mean: float
    noise: float
    weights: FloatArray
    root: FloatArray
    trained_on: FeatureRows | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        features: Features | None,
        X: FloatArray,
        residuals: FloatArray,
        row_noise: FloatArray,
        *,
        mean: float,
        noise: float,
    ) -> Self:
        """The belief after residuals y - m (m,) at inputs X (m, d) with noise variances (m,).

        The triangular factor of [P b; I 0], with b the white residuals, holds root^-1 and root' P' b.
        """
        if residuals.shape != X.shape[:1]:
            raise ValueError(f"y must have shape ({len(X)},) as X has rows, got {residuals.shape}")
        deviation = np.sqrt(row_noise)
        white, M = FeatureRows(features, X, deviation), FeatureRows(features, X).width
        b = residuals / deviation
        rows = (np.column_stack([P, b[block]]) for P, block in zip(white, blocks(len(X)), strict=True))
        R = triangular_factor(M + 1, chain(rows, [np.eye(M, M + 1)]))
        root = _inverse(R[:M, :M])
        return cls(features, mean, noise, root @ R[:M, M], root, FeatureRows(features, closed(X), row_noise))

    def retrained(self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None) -> Self:
        """The belief of the same model after other rows: outputs y (m,) at X (m, d), with their noise VARIANCES.

        Raises
        ------
        ValueError
            Neither the rows nor the model have noise variances.
        """
        own = None if np.isnan(self.noise) else self.noise
        variances = row_noise(own, len(X), noise)
        return self.of(self.features, X, y - self.mean, variances, mean=self.mean, noise=self.noise)

    @property
    def contains(self) -> str:
        """What the holder of this posterior can read from it."""
        return (
            f"the posterior of a linear model: the mean and covariance of {len(self.weights)} weights, and the "
            f"features that they weigh: {contents_of(self.features)}"
        )

    def predict(self, X: FloatArray, noise: float | FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and variance (k,) of new outputs at X (k, d), with the model's noise or the one given."""
        X = np.asarray(X, dtype=np.float64)
        observation = self.noise if noise is None else np.asarray(noise, dtype=np.float64)
        if np.any(np.isnan(observation)):
            raise ValueError("the model has no noise variance of its own: give predict() the new observations' noise")
        mean, latent = np.empty(len(X)), np.empty(len(X))
        for rows in blocks(len(X)):
            Phi = self._design(X[rows])
            mean[rows] = self.mean + Phi @ self.weights
            latent[rows] = np.square(Phi @ self.root).sum(axis=1) + unexplained_variance(self.features, X[rows], Phi)
        return mean, latent + observation

    def covariance(self, X: FloatArray) -> FloatArray:
        """Of the function at X (k, d), without new observations' noise: (k, k); what features leave out is white."""
        Phi = self._design(X)
        half = Phi @ self.root
        return np.asarray(half @ half.T + np.diag(np.zeros(len(X)) + unexplained_variance(self.features, X, Phi)))

    def sensitivity(self, X: FloatArray, rows: NDArray[np.bool_]) -> FloatArray:
        """||[d mean / d y]_rows||^2 at each x, for the training rows (m,) that are marked: (k,).

        A row's derivative is known to about eps |P| / sqrt(noise), P the white features, also where it is 0.

        Raises
        ------
        ValueError
            The posterior came as arrays, which hold nothing of the training rows, or it was not trained on m.
        """
        if self.trained_on is None:
            raise ValueError("a posterior from arrays knows nothing of its training rows: ask the one that was trained")
        if np.shape(rows) != (len(self.trained_on),):
            raise ValueError(f"rows must have shape ({len(self.trained_on)},) as training rows, got {np.shape(rows)}")
        X = np.asarray(X, dtype=np.float64)
        pairs = zip(self.trained_on, blocks(len(rows)), strict=True)
        marked = triangular_factor(len(self.root), (part[rows[block]] @ self.root for part, block in pairs))
        weights = [self._design(X[block]) @ self.root @ marked.T for block in blocks(len(X))]
        return np.concatenate([np.empty(0), *(np.square(w).sum(axis=1) for w in weights)])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Mean and covariance of the weights and the features: no row of the pool is among them."""
        return {
            "mean": np.array(self.mean),
            "noise": np.array(self.noise),
            "weights": self.weights,
            "root": self.root,
            **features_arrays(self.features),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            features=features_from_arrays(arrays),
            mean=float(arrays["mean"]),
            noise=float(arrays["noise"]),
            weights=np.asarray(arrays["weights"], dtype=np.float64),
            root=np.asarray(arrays["root"], dtype=np.float64),
        )

    def _design(self, X: FloatArray) -> FloatArray:
        Phi = design_matrix(self.features, X)
        if Phi.shape[1] != len(self.weights):
            raise ValueError(f"X must have {len(self.weights)} features, got {Phi.shape[1]}")
        return Phi
