"""What all linear models with Gaussian weights share: value, noise response and posterior."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from guerdon.linalg import PRECISION, LossOfPrecisionError, psd_cholesky
from guerdon.models.coalition_sums import chains_of_gains, gain, table_of_gains
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.features import Features
from guerdon.models.linear_gaussian_posterior import LinearGaussianPosterior, square_root_information
from guerdon.models.noise_response import noise_response_of
from guerdon.models.pool import row_noise, some_rows
from guerdon.models.protocols import NoiseResponse
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray, Progress, silent

__all__ = ["LinearGaussian"]

DROPPED = 1e-3
"""The largest share of a value (or of 1 nat) that features lost to rounding may hold, at least."""


class LinearGaussian:
    """y = mean + w' phi(x) + e with w ~ N(0, I) and e ~ N(0, noise), for models that say what phi is.

    With Phi (m, M) the features of the rows and L their noise variances, the value is I(w; D) =
    1/2 log det(I + Phi' L^-1 Phi) in nats, on the smaller side of Phi.
    """

    noise: float | None

    def _features(self) -> Features | None:
        """phi, ready to be used; None for the inputs themselves."""
        raise NotImplementedError

    def _prior_mean(self) -> float:
        return 0.0

    def information_gain(self, X: FloatArray, noise: float | FloatArray | None = None) -> float:
        """I(w; D) in nats of inputs X (m, d) measured with the noise variances given, else the model's.

        Raises
        ------
        LossOfPrecisionError
            (Almost) repeated features with (almost) no noise: float64 can't tell the value.
        """
        X = np.asarray(X, dtype=np.float64)
        if len(X) == 0:
            return 0.0
        P = self._white(X, row_noise(self.noise, len(X), noise)).whole()
        value = gain(P)
        self._require_scales([P], value)
        self._require_directions(X, row_noise(self.noise, len(X), noise), value)
        return value

    def information_gains(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> FloatArray:
        """I(w; D_C) in nats of every coalition: (2**n,), from one Gram matrix a party."""
        parts = [rows.whole() for rows in self._parts(contributions)]
        table = table_of_gains(parts, progress=progress)
        self._require_scales(parts, float(table[-1]))
        for c in contributions:
            self._require_directions(c.X, self.noise_of(c), float(table[-1]))
        return table

    def information_gain_chains(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> FloatArray:
        """I(w; D_C) in nats of all prefixes of each order of the parties: (k, n + 1), from running sums."""
        parts = [rows.whole() for rows in self._parts(contributions)]
        chains = chains_of_gains(parts, orders)
        value = float(chains[0, -1]) if len(chains) else 0.0
        self._require_scales(parts, value)
        for c in contributions:
            self._require_directions(c.X, self.noise_of(c), value)
        return chains

    def row_influences(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> list[FloatArray]:
        """What each party adds when it arrives, less what it adds without row r, on average over the orders.

        For each party (some m, n), in nats. With p_r the white features of row r and A_C = I + P_C' P_C, it adds
        -1/2 log(1 - p_r' A_C^-1 p_r) to v_C. Of a party with many rows, those of some.
        """
        parts = self._parts(contributions)
        n, width = len(parts), parts[0].width
        grams = np.stack([sum((P.T @ P for P in part), np.zeros((width, width))) for part in parts])
        places = [some_rows(len(c), n) for c in contributions]
        chosen = [self._white(c.X[k], self.noise_of(c)[k]).whole() for c, k in zip(contributions, places, strict=True)]
        starts = np.cumsum([0, *map(len, places)])
        total = np.zeros((n, starts[-1]))
        for order in orders:
            A, adds = np.eye(width), np.zeros(starts[-1])
            for place, i in enumerate(order):
                A = A + grams[i]
                arrived = np.concatenate([np.arange(starts[j], starts[j + 1]) for j in order[: place + 1]])
                P = np.concatenate([chosen[j] for j in order[: place + 1]])
                with one_thread():
                    half = solve_triangular(psd_cholesky(A, "the pooled data"), P.T, lower=True, check_finite=False)
                after = np.zeros(starts[-1])
                after[arrived] = -0.5 * np.log1p(-np.minimum(np.sum(np.square(half), axis=0), 1.0 - 1e-15))
                total[i] += (after - adds) / len(orders)
                adds = after
        return [part.T for part in np.split(total, starts[1:-1], axis=1)]

    def degrees_of_freedom(self, contributions: Sequence[Contribution]) -> float:
        """tr(Q (Q + L)^-1) = tr(P (I + P' P)^-1 P') of the pool, with Q = Phi Phi' and P = L^-1/2 Phi."""
        parts = self._parts(contributions)
        root = square_root_information(chain(*parts), parts[0].width)
        return float(sum(np.square(P @ root).sum() for P in chain(*parts)))

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How IG falls as noise is added to the others' outputs, without cancellation at either end."""
        L_o = self.noise_of(others)
        rows = FeatureRows(self._features(), others.X)
        return self._response(own, rows, L_o, replace(rows, scale=np.sqrt(L_o)))

    def tempering_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How IG falls as the others' noise variances are scaled, L_o (1 + eta), kappa = 1 / (1 + eta).

        Their white features L_o^-1/2 Phi_o have noise 1 each, so one decomposition serves every eta whatever L_o is.
        """
        white = self._white(others.X, self.noise_of(others))
        return self._response(own, white, np.ones(len(white)), white)

    def _response(self, own: Contribution, rows: FeatureRows, noise: FloatArray, white: FeatureRows) -> NoiseResponse:
        P = self._white(own.X, self.noise_of(own))
        own_value = self.information_gain(own.X, self.noise_of(own))
        response = noise_response_of(own_value, square_root_information(P, P.width), rows, noise)
        self._require_scales(chain(P, white), own_value + response.gain(0.0).value)
        return response

    def posterior(
        self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None
    ) -> LinearGaussianPosterior:
        """The belief after outputs y (m,) at X (m, d), measured with the noise variances given, else the model's."""
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        return LinearGaussianPosterior.of(
            self._features(),
            X,
            y - self._prior_mean(),
            row_noise(self.noise, len(X), noise),
            mean=self._prior_mean(),
            noise=float("nan") if self.noise is None else self.noise,
        )

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """The noise variance of each row: the contribution's own where given, else the model's: (m,)."""
        return row_noise(self.noise, len(contribution), contribution.noise)

    def _white(self, X: FloatArray, noise: FloatArray) -> FeatureRows:
        """L^-1/2 Phi: (m, M)."""
        return FeatureRows(self._features(), X, np.sqrt(noise))

    def _parts(self, contributions: Sequence[Contribution]) -> list[FeatureRows]:
        return [self._white(c.X, self.noise_of(c)) for c in contributions]

    def _require_directions(self, X: FloatArray, noise: FloatArray, value: float) -> None:
        """Refuse a value that directions of the features which float64 can't tell would add to."""
        dropped = getattr(self._features(), "dropped", None)
        if dropped is not None and len(X):
            lost = float(0.5 * np.sum(np.log1p(np.sum(np.square(dropped(X)) / noise[:, None], axis=0))))
            if not lost <= DROPPED * max(1.0, value):
                raise LossOfPrecisionError(
                    f"the information gain of the data would be {value:.6g} nats, without {lost:.3g} nats or more that "
                    "the data tell of the difference between inducing points that are too close together for float64. "
                    "Leave some out, or move them apart."
                )

    def _require_scales(self, white: Iterable[FloatArray], value: float) -> None:
        """Refuse a value that the rounding of the features' own scales could have moved.

        A relative error e_j in the scale of feature j moves the value by e_j [G (I + G)^-1]_jj, G = P' P.
        """
        errors = getattr(self._features(), "scale_errors", None)
        if errors is not None:
            root = square_root_information(white, len(errors))
            freedom = np.clip(1.0 - np.square(root).sum(axis=1), 0.0, 1.0)
            error = float(errors @ freedom)
            if not error <= PRECISION * max(1.0, value):
                raise LossOfPrecisionError(
                    f"the information gain of the data is {value:.6g} nats with a rounding error of about {error:.1g}: "
                    "features such as inducing points are too close together for float64 to tell them apart, and the "
                    "data depend on their difference. Leave some out, or move them apart."
                )
