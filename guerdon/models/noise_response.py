"""How a linear model's information gain answers to noise on the others' outputs, without cancellation at either end.

With the party's own rows known, the others' rows w_r = R_i^-T phi_r, R_i' R_i = I + Phi_i' L_i^-1 Phi_i, add
IG(eta) - v_i = 1/2 log det(I + C(eta)) with C(eta) = sum_r w_r w_r' / (l_r + eta).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from guerdon.linalg import require_precision, triangular_factor
from guerdon.models.protocols import Curve, NoiseResponse, SpectralResponse
from guerdon.types import FloatArray

__all__ = ["ShiftedNoiseResponse", "noise_response_of"]


def noise_response_of(
    own_value: float, own_root: FloatArray, rows: Iterable[FloatArray], noise: FloatArray
) -> NoiseResponse:
    """The response of the others' rows Phi (m, M) with noise variances (m,), given root root' = R_i^-1 R_i^-T.

    Equal noise: the squared singular values of W are the generalised eigenvalues of (Phi' Phi, R_i' R_i), one
    decomposition for every eta. Unequal noise: two small factorisations an eta.

    Raises
    ------
    LossOfPrecisionError
        Float64 can't tell the values.
    """
    W = (Phi @ own_root for Phi in rows)
    equal = len(noise) == 0 or bool(np.all(noise == noise[0]))
    all_rows = None if equal else np.concatenate(list(W))
    singular = np.linalg.svd(triangular_factor(len(own_root), W if all_rows is None else [all_rows]), compute_uv=False)
    response: NoiseResponse
    if all_rows is None:
        response = SpectralResponse(own_value, np.square(singular), np.resize(noise, len(singular)))
    else:
        response = ShiftedNoiseResponse(own_value, _narrow(all_rows), noise)
    if len(singular):
        smallest = float(noise.min())
        slack = float(np.sum(singular / (smallest + np.square(singular))))
        error = float(np.finfo(np.float64).eps) * float(singular[0]) * slack
        require_precision(own_value + response.gain(0.0).value, error, "the pooled data")
    return response


@dataclass(frozen=True, eq=False)
class ShiftedNoiseResponse:
    """The response where the others' noise differs from row to row, so that no eigenbasis serves every eta.

    With R(eta)' R(eta) = I + C(eta), from the QR factors of [rows / sqrt(floor + eta); I]:
    gain = 1/2 log det(I + C(eta)) = 1/2 sum log1p(s^2) with s the singular values of rows / sqrt(floor + eta);
    deficit = 1/2 log det((I + C(eta))^-1 (I + C(0))) = 1/2 sum log1p(t^2) with t those of sqrt(E) rows R(eta)^-1, where
    E = 1 / floor - 1 / (floor + eta) = eta / (floor (floor + eta)): sums of positive terms, both.

    Attributes
    ----------
    own_value : float
        v_i in nats.
    rows : (m, k) array
        w_r, the others' rows.
    floor : (m,) array
        l_r > 0, the others' noise variances.
    """

    own_value: float
    rows: FloatArray
    floor: FloatArray

    @property
    def small_noise(self) -> float:
        return self._slope(0.0)

    @property
    def large_noise(self) -> float:
        return float(0.5 * np.sum(np.square(self.rows)))

    def gain(self, eta: float) -> Curve:
        s = np.linalg.svd(self.rows / np.sqrt(self.floor + eta)[:, None], compute_uv=False)
        return Curve(float(0.5 * np.sum(np.log1p(np.square(s)))), -self._slope(eta))

    def deficit(self, eta: float) -> Curve:
        lost = np.sqrt(eta / (self.floor * (self.floor + eta)))
        t = np.linalg.svd(lost[:, None] * self._known(eta), compute_uv=False)
        return Curve(float(0.5 * np.sum(np.log1p(np.square(t)))), self._slope(eta))

    def _known(self, eta: float) -> FloatArray:
        """rows R(eta)^-1: (m, k)."""
        weighted = self.rows / np.sqrt(self.floor + eta)[:, None]
        R = np.linalg.qr(np.concatenate([weighted, np.eye(self.rows.shape[1])]), mode="r")
        return np.asarray(solve_triangular(R, self.rows.T, trans=1, check_finite=False)).T

    def _slope(self, eta: float) -> float:
        """- d IG / d eta = 1/2 sum_r |R(eta)^-T w_r|^2 / (l_r + eta)^2."""
        return float(0.5 * np.sum(np.square(self._known(eta) / (self.floor + eta)[:, None])))


def _narrow(W: FloatArray) -> FloatArray:
    """Rows (m, min(m, M)) with the same inner products as those of W (m, M)."""
    return W if len(W) >= W.shape[1] else np.asarray(np.linalg.qr(W.T, mode="r")).T
