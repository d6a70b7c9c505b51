"""A Gaussian process reward's predictions at every noise level from one eigendecomposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import solve_triangular

from guerdon.linalg import psd_cholesky
from guerdon.metrics import expected_mnlp
from guerdon.models import GaussianProcess
from guerdon.models.kernels import as_kernel, covariance
from guerdon.types import Contribution, FloatArray

__all__ = ["RewardSweep"]


@dataclass(frozen=True, eq=False)
class RewardSweep:
    """How one party's reward predicts at test inputs X* (k, d) as the noise on the others' outputs varies.

    Given the party's own rows the others' latent values have covariance S = K_oo - K_oi (K_ii + s2 I)^-1 K_io =
    U diag(l) U', and c* is theirs with the test points'. With A = U'c* and z = U'(y_o - their prediction)

        mean(eta) = own mean + A' (l + s2 + eta)^-1 z,  variance(eta) = own variance - A' (l + s2 + eta)^-1 A,

    so that every eta, and every draw of the noise, costs products with A only.

    Attributes
    ----------
    y : (k,) test outputs; own_mean, own_variance : (k,) the party's own model at X*, observation noise included
    noise : s2, the model's noise VARIANCE, the same for all rows
    eigenvalues : (o,) l; vectors : (o, o) U; cross : (o, k) A; residual : (o,) z
    """

    y: FloatArray
    own_mean: FloatArray
    own_variance: FloatArray
    noise: float
    eigenvalues: FloatArray
    vectors: FloatArray
    cross: FloatArray
    residual: FloatArray

    @classmethod
    def of_party(
        cls, model: GaussianProcess, contributions: Sequence[Contribution], i: int, X: FloatArray, y: FloatArray
    ) -> Self:
        """Party i's sweep for test rows X (k, d) and y (k,).

        Raises
        ------
        ValueError
            The model is not fitted, or a party brings noise variances of its own, which leave no shared eigenbasis.
        """
        noise, mean = model.noise, model.mean
        if not isinstance(noise, float) or mean is None or any(c.noise is not None for c in contributions):
            raise ValueError("a sweep needs a fitted model, and its noise variance for all rows: no party's own")
        own = contributions[i]
        others = np.concatenate([c.X for j, c in enumerate(contributions) if j != i])
        outputs = np.concatenate([np.asarray(c.y) for j, c in enumerate(contributions) if j != i])
        kernel = as_kernel(model.kernel, X.shape[1])
        factor = psd_cholesky(covariance(kernel, own.X) + noise * np.eye(len(own)), "the party's own data")
        both = covariance(kernel, own.X, np.concatenate([others, X]))  # (m_i, o + k)
        W = solve_triangular(factor, both, lower=True, check_finite=False)
        weights = solve_triangular(factor, np.asarray(own.y) - mean, lower=True, check_finite=False)
        seen, new = W[:, : len(others)], W[:, len(others) :]
        S = covariance(kernel, others) - seen.T @ seen
        values, vectors = np.linalg.eigh(0.5 * (S + S.T))
        _, own_variance = model.posterior(own.X, np.asarray(own.y)).predict(X)
        return cls(
            y=y,
            own_mean=mean + new.T @ weights,
            own_variance=own_variance,
            noise=noise,
            eigenvalues=np.clip(values, 0.0, None),
            vectors=vectors,
            cross=vectors.T @ (covariance(kernel, others, X) - seen.T @ new),
            residual=vectors.T @ (outputs - mean - seen.T @ weights),
        )

    def predict(self, eta: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean (k,), variance (k,) and the squared norm (k,) of the weights of the others' outputs in the mean."""
        weights = self._weights(eta)
        variance = self.own_variance - np.einsum("ok,ok->k", self.cross, weights)
        return self.own_mean + weights.T @ self.residual, variance, np.einsum("ok,ok->k", weights, weights)

    def expected_mnlp(self, eta: float) -> float:
        """MNLP in nats, averaged exactly over the noise of variance eta (0 to inf)."""
        mean, variance, sensitivity = self.predict(eta)
        return expected_mnlp(mean, variance, self.y, eta * sensitivity if np.isfinite(eta) else np.zeros(1))

    def drawn_mnlps(self, eta: float, draws: FloatArray) -> FloatArray:
        """MNLP in nats with sqrt(eta) times each row of standard normal draws (r, o) on the others' outputs: (r,)."""
        mean, variance, _ = self.predict(eta)
        if np.isfinite(eta):
            mean = mean + np.sqrt(eta) * (draws @ self.vectors) @ self._weights(eta)
        errors = np.square(mean - self.y) / variance
        return np.asarray(np.mean(0.5 * (np.log(2 * np.pi * variance) + errors), axis=-1) + np.zeros(len(draws)))

    def _weights(self, eta: float) -> FloatArray:
        """(l + s2 + eta)^-1 A: (o, k)."""
        return np.asarray(self.cross / (self.eigenvalues + self.noise + eta)[:, None])
