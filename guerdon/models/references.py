"""Inputs at which a model is to predict, and how well it does there as it learns more.

What data is worth at a reference input x is the information that it gives on a new output there, 1/2 log of how much
narrower the prediction gets. A reference has p white rows R_x (p, W): one where outputs have Gaussian noise, K - 1 for
K classes. With C the covariance of what the model is unsure of, that is 1/2 log det(I + R_x C R_x').
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from guerdon.models.party_noise import Noise, row_noise
from guerdon.models.protocols import Curve
from guerdon.types import FloatArray

__all__ = ["PredictiveResponse", "References", "narrowing"]


@dataclass(frozen=True, eq=False)
class References:
    """Inputs X (q, d) with weights (q,) that sum to 1, and the noise VARIANCES (q,) of new outputs there.

    The noise is the model's where it is None.
    """

    X: FloatArray
    weights: FloatArray
    noise: FloatArray | None = None

    @classmethod
    def of(
        cls,
        inputs: Sequence[FloatArray],
        weights: Sequence[float] | FloatArray | None = None,
        noise: Sequence[float] | None = None,
    ) -> References:
        """Sets of inputs (q_j, d) with a weight each, 1 / their number when None; within a set all count the same.

        Sets without inputs have no weight, and those of the others are raised to sum to 1 again. Each may have a noise
        VARIANCE of its own.

        Raises
        ------
        ValueError
            There are no inputs, they differ in their number of features or are not finite, or the weights don't fit.
        """
        sets = [np.asarray(X, dtype=np.float64) for X in inputs]
        if any(X.ndim != 2 or not np.all(np.isfinite(X)) for X in sets):
            raise ValueError("references are finite arrays of shape (rows, features), one a party")
        shares = np.ones(len(sets)) if weights is None else np.asarray(weights, dtype=np.float64)
        if shares.shape != (len(sets),) or np.any(~(shares >= 0.0)) or np.any(np.isinf(shares)):
            raise ValueError(f"{len(sets)} sets of references need as many weights of at least 0, got {weights!r}")
        of_sets: Sequence[float | None] = [None] * len(sets) if noise is None else noise
        used = [(X, s, n) for X, s, n in zip(sets, shares, of_sets, strict=True) if len(X) and s > 0.0]
        if not used:
            raise ValueError("there are no references: nobody said where predictions are wanted")
        if len({X.shape[1] for X, *_ in used}) > 1:
            raise ValueError(f"references differ in their number of features: {[X.shape[1] for X, *_ in used]}")
        total = sum(share for _, share, _ in used)
        variances = [np.full(len(X), own) for X, _, own in used if own is not None]
        return cls(
            np.concatenate([X for X, *_ in used]),
            np.concatenate([np.full(len(X), share / total / len(X)) for X, share, _ in used]),
            np.concatenate(variances) if variances else None,
        )

    def __len__(self) -> int:
        return len(self.X)

    def noise_by(self, noise: Noise) -> FloatArray:
        """The noise VARIANCE of a new output at each reference (q,): their own, else the model's."""
        return row_noise(noise, len(self), self.noise)


def narrowing(explained: FloatArray) -> FloatArray:
    """-1/2 log det(I - T) of matrices T (q, p, p) with eigenvalues in [0, 1): (q,), without cancellation near 0."""
    if explained.shape[-1] == 1:
        return np.asarray(-0.5 * np.log1p(-explained[:, 0, 0]))
    return np.asarray(-0.5 * np.log1p(-np.linalg.eigvalsh(explained)).sum(axis=-1))


@dataclass(frozen=True, eq=False)
class PredictiveResponse:
    """How what a party can predict answers to noise of variance eta on the others' outputs.

    With the party's own rows known, reference x has the (p, p) covariance ``own`` of a prediction, observation noise
    included, and the others' rows, in an eigenbasis of theirs, take z_jx z_jx' / (floor_j + eta) off it:
    gain(eta) = sum_x weight_x 1/2 [log det own_x - log det(own_x - sum_j z_jx z_jx' / (floor_j + eta))].

    Attributes
    ----------
    own_value : float
        v_i in nats.
    weights : (q,) array
    own : (q, p, p) array
    z : (J, q, p) array
    floor : (J,) array
        Positive.
    """

    own_value: float
    weights: FloatArray
    own: FloatArray
    z: FloatArray
    floor: FloatArray

    @cached_property
    def _before(self) -> FloatArray:
        """z in units in which ``own`` is the identity."""
        return self._whitened(self.own)

    @cached_property
    def _after(self) -> FloatArray:
        """z in units in which the prediction after all rows without noise is the identity."""
        return self._whitened(self.own - self._squares(self.z, 1.0 / self.floor))

    def _whitened(self, covariance: FloatArray) -> FloatArray:
        factor = np.linalg.cholesky(covariance)  # (q, p, p)
        white: FloatArray = np.linalg.solve(factor, self.z.transpose(1, 2, 0))
        return white.transpose(2, 0, 1)

    @staticmethod
    def _squares(z: FloatArray, share: FloatArray) -> FloatArray:
        """sum_j share_j z_jx z_jx': (q, p, p)."""
        if z.shape[2] == 1:
            return np.asarray(share @ np.square(z[:, :, 0]))[:, None, None]
        return np.asarray(np.einsum("jqa,jqb->qab", z * share[:, None, None], z))

    @property
    def small_noise(self) -> float:
        return self._mean(0.5 * np.trace(self._squares(self._after, self.floor**-2), axis1=1, axis2=2))

    @property
    def large_noise(self) -> float:
        """A bound of eta times the gain."""
        return self._mean(0.5 * np.square(self._after).sum(axis=(0, 2)))

    def gain(self, eta: float) -> Curve:
        T = self._squares(self._before, 1.0 / (self.floor + eta))
        falls = self._squares(self._before, (self.floor + eta) ** -2)
        slope = -0.5 * np.trace(np.linalg.solve(np.eye(T.shape[-1]) - T, falls), axis1=1, axis2=2)
        return Curve(self._mean(narrowing(T)), self._mean(slope))

    def deficit(self, eta: float) -> Curve:
        D = self._squares(self._after, eta / (self.floor * (self.floor + eta)))
        rises = self._squares(self._after, (self.floor + eta) ** -2)
        slope = 0.5 * np.trace(np.linalg.solve(np.eye(D.shape[-1]) + D, rises), axis1=1, axis2=2)
        return Curve(self._mean(-narrowing(-D)), self._mean(slope))

    def _mean(self, values: FloatArray) -> float:
        return float(self.weights @ values)
