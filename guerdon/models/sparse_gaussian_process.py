"""Sparse Gaussian process regression with inducing points: the deterministic training conditional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guerdon.checks import require_count
from guerdon.models.inducing_points import InducingPoints, as_inducing
from guerdon.models.k_means import centres
from guerdon.models.kernel_model import KernelModel
from guerdon.models.kernels import kernel_text, missing_hyperparameters
from guerdon.models.likelihoods import Likelihood, inducing_likelihood
from guerdon.models.linear_gaussian import LinearGaussian
from guerdon.models.party_noise import Noise, described_noise
from guerdon.models.pool import require_known
from guerdon.models.protocols import FitReport
from guerdon.row_marks import shown
from guerdon.types import Contribution, FloatArray, Progress, silent

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = ["SparseGaussianProcess"]

DRAWS = 50
"""Draws for each inducing point that is chosen without showing rows: enough for even clusters."""


@dataclass(frozen=True, eq=False)
class SparseGaussianProcess(KernelModel, LinearGaussian):
    """y = f(x) + e where the data tells about f through its values u at M inducing points Z only (DTC).

    Training outputs are N(mean, Q + L) with Q = K_fu K_uu^-1 K_uf and L the diagonal of the rows' noise variances, so
    that the model is linear in the whitened features phi(x) = K_uu^-1/2 k(Z, x). The value of data is the information
    gain 1/2 log det(I + Phi' L^-1 Phi) in nats (Sim et al., ICML 2020, equation 1); a prediction's variance adds
    k(x, x) - q(x, x). A reward holds the inducing points and the mean and covariance of the weights, and not the pool.

    Parameters
    ----------
    kernel : GPyTorch kernel or str
        As for ``GaussianProcess``.
    noise : float or str, optional
        As for ``GaussianProcess``.
    inducing : (M, d) array or int
        The inducing points, in the units that the model sees (standard units where the run standardizes), or how many
        centres of k-means on the pool ``fit`` is to take. The centre of a cluster of one row is that row's inputs.
    mean : float, optional
        The constant prior mean; None to learn it.
    learn : bool
        Let ``fit`` learn the hyperparameters of a GPyTorch kernel given as an object, starting from its own.
    seed : int
        Seeds k-means.
    report : FitReport, optional
        How ``fit`` ended; set by it.

    Examples
    --------
    >>> model = SparseGaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.5, inducing=[[0.0]])
    >>> round(model.information_gain(np.array([[0.0]])), 6)  # 1/2 log(1 + 1/0.5)
    0.549306
    """

    discloses_rows: ClassVar[str] = ""
    """How others' rows come into a reward: they don't, where rows are marked with weights."""

    kernel: Kernel | str = "rbf"
    noise: Noise = None
    inducing: FloatArray | int = 100
    mean: float | None = 0.0
    learn: bool = False
    seed: int = 0
    report: FitReport | None = None

    def __post_init__(self) -> None:
        self._check_hyperparameters()
        if not isinstance(self.seed, Integral) or isinstance(self.seed, bool) or self.seed < 0:
            raise ValueError(f"seed is a whole number of at least 0, got {self.seed!r}")
        if np.ndim(self.inducing) == 0:
            require_count("inducing, where it is not an array of points,", self.inducing)
            object.__setattr__(self, "inducing", int(self.inducing))
        else:
            object.__setattr__(self, "inducing", as_inducing(self.inducing))

    def fit(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> Self:
        """The model with its inducing points chosen and every open hyperparameter learned on the pool, to convergence.

        Where the points are a number, they are the centres of k-means on the pool's inputs, whatever the order of
        arrival; where the rows are marked with weights (``RowMarks.weighted``), so that others may not read them, on
        draws from a normal distribution with the mean and covariance of the rows so weighted. They stay where they are
        while the hyperparameters are learned. Rows with a noise variance of their own
        keep it. Where nothing is open, outputs only serve the report.

        Raises
        ------
        ConvergenceError
            The gradient did not vanish from any start.
        ValueError
            Something is open and a party sent no outputs, or the pool has fewer different inputs than points wanted.
        """
        chosen = self._with_points(contributions)
        learned = chosen._learned(contributions, progress)
        return replace(chosen, **learned) if learned else chosen

    def likely(
        self, contributions: Sequence[Contribution], *, drop: float, fitted: KernelModel | None = None
    ) -> list[Self]:
        """As ``KernelModel.likely``, with the inducing points where ``fit`` puts them."""
        return super(SparseGaussianProcess, self._with_points(contributions)).likely(
            contributions, drop=drop, fitted=fitted
        )

    def alone(self, own: Contribution) -> Self:
        """The model for one party's rows, with no more inducing points than it has different inputs."""
        if not isinstance(self.inducing, int):
            return self
        return replace(self, inducing=min(self.inducing, len(np.unique(own.X, axis=0))))

    def unlearned(self, own: Contribution) -> Self:
        """As ``KernelModel.unlearned``, with the inducing points where ``fit`` puts them."""
        return super(SparseGaussianProcess, self._with_points([own])).unlearned(own)

    def _with_points(self, contributions: Sequence[Contribution]) -> Self:
        if not isinstance(self.inducing, int):
            return self
        X = np.concatenate([shown(c).X for c in contributions])
        weights = [c.marks.weights for c in contributions if c.marks is not None and c.marks.weights is not None]
        if len(weights) == len(contributions):
            X = _lookalikes(X, np.concatenate(weights), DRAWS * self.inducing, np.random.default_rng(self.seed))
        return replace(self, inducing=centres(X, self.inducing, self.seed))

    @property
    def dropped_rank(self) -> int:
        """How many directions of K_uu were dropped, because inducing points are too close to tell apart in float64."""
        return len(self._inducing_features.points) - self._inducing_features.rank

    def describe(self) -> dict[str, Any]:
        """Kernel, noise variance and mean, the number of inducing points and of dropped directions, and the fit."""
        open_points = isinstance(self.inducing, int)
        return {
            "kernel": kernel_text(self.kernel),
            "noise": described_noise(self.noise),
            "mean": self.mean,
            "inducing_points": self.inducing if isinstance(self.inducing, int) else len(self.inducing),
            "dropped_rank": None if open_points or missing_hyperparameters(self.kernel) else self.dropped_rank,
            "fit": None if self.report is None else asdict(self.report),
        }

    def _likelihood(self, X: FloatArray) -> Likelihood:
        return inducing_likelihood(X, self._points)

    def _features(self) -> InducingPoints:
        return self._inducing_features

    def _prior_mean(self) -> float:
        return require_known("mean", self.mean)

    @property
    def _points(self) -> FloatArray:
        if isinstance(self.inducing, int):
            raise ValueError(
                f"the model's {self.inducing} inducing points are not chosen yet: call fit(), or give them"
            )
        return self.inducing

    @cached_property
    def _inducing_features(self) -> InducingPoints:
        self._kernel(self._points.shape[1])  # says what is open, where something is
        return InducingPoints(self.kernel, self._points)


def _lookalikes(X: FloatArray, weights: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Draws (count, d) from the normal distribution with the mean and covariance of rows X (m, d) by their weights."""
    mean = np.average(X, axis=0, weights=weights)
    centred = (X - mean) * np.sqrt(weights / weights.sum())[:, None]
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(mean + rng.standard_normal((count, len(mean))) * np.sqrt(np.clip(values, 0.0, None)) @ vectors.T)
