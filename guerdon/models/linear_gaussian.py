"""Linear models with Gaussian noise: their white rows, noise response and posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from guerdon.models.feature_rows import FeatureRows
from guerdon.models.features import design_matrix, predicting, unexplained_variance
from guerdon.models.linear_gaussian_posterior import LinearGaussianPosterior
from guerdon.models.linear_model import LinearModel
from guerdon.models.party_noise import Noise, known_noise, noise_of_rows, row_noise
from guerdon.models.protocols import NoiseResponse
from guerdon.models.references import References
from guerdon.types import Contribution, FloatArray

__all__ = ["LinearGaussian"]

ROWS = "(rows)"
"""Stands for a party where rows are nobody's; no party has such a name."""


class LinearGaussian(LinearModel):
    """y = mean + w' phi(x) + e with w ~ N(0, I) and e ~ N(0, noise), for models that say what phi is.

    With Phi (m, M) the features of the rows and L their noise variances, the value is I(w; D) =
    1/2 log det(I + Phi' L^-1 Phi) in nats, on the smaller side of Phi.
    """

    noise: Noise

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
        return self.value_of(Contribution(ROWS, X, noise=row_noise(self.noise, len(X), noise)))

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How IG falls as noise is added to the others' outputs, without cancellation at either end."""
        white = self._white(others)
        return self._response(own, replace(white, scale=None), self.noise_of(others), white)

    def posterior(
        self,
        X: FloatArray,
        y: FloatArray,
        noise: float | FloatArray | None = None,
    ) -> LinearGaussianPosterior:
        """The belief after outputs y (m,) at X (m, d), measured with the noise variances given, else the model's."""
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        posterior = LinearGaussianPosterior.of(
            self._features(),
            X,
            y - self._prior_mean(),
            row_noise(self.noise, len(X), noise),
            mean=self._prior_mean(),
            noise=float("nan") if (known := known_noise(self.noise)) is None else known,
        )
        return replace(posterior, features=predicting(self._features()))

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """The noise variance of each row: the contribution's own where given, else the model's: (m,)."""
        return noise_of_rows(self.noise, contribution)

    def _noisy(self, others: Contribution, tempered: bool) -> tuple[FeatureRows, FloatArray]:
        white = self._white(others)
        return (white, np.ones(len(others))) if tempered else (replace(white, scale=None), self.noise_of(others))

    def _at(self, references: References) -> FloatArray:
        """phi(x) over the standard deviation of an output there: (q, 1, M)."""
        features = predicting(self._features())
        Phi = design_matrix(features, references.X)
        variance = references.noise_by(self.noise) + unexplained_variance(features, references.X, Phi)
        return np.asarray(Phi / np.sqrt(np.broadcast_to(variance, len(Phi)))[:, None])[:, None, :]

    def _white(self, contribution: Contribution) -> FeatureRows:
        """L^-1/2 Phi: (m, M)."""
        return FeatureRows(self._features(), contribution.X, np.sqrt(self.noise_of(contribution)))

    def _least_noise(self, contribution: Contribution) -> FloatArray:
        return self.noise_of(contribution)
