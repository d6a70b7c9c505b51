"""Exact Gaussian process regression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dtrtri

from guerdon.linalg import (
    PRECISION,
    chain_half_log_determinants,
    excess_spectrum,
    half_log_determinant,
    lattice_explained,
    lattice_half_log_determinants,
    psd_cholesky,
    require_precision,
    rounding_error,
    whitened,
)
from guerdon.models.kernel_model import KernelModel
from guerdon.models.kernels import (
    KernelFunction,
    as_kernel,
    covariance,
    covariance_diagonal,
    kernel_text,
    missing_hyperparameters,
)
from guerdon.models.likelihoods import Likelihood, exact_likelihood
from guerdon.models.party_noise import Noise, described_noise, known_noise, noise_of_rows, row_noise
from guerdon.models.pool import blocks, require_known
from guerdon.models.protocols import Arrays, FitReport, SpectralResponse
from guerdon.models.references import PredictiveResponse, References, narrowing
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray, Progress, closed, silent

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = ["GaussianProcess", "GaussianProcessPosterior"]


@dataclass(frozen=True, eq=False)
class GaussianProcess(KernelModel):
    """y = f(x) + e with f ~ GP(mean, k) and e ~ N(0, noise).

    The value of data is the information gain on f: I(f; D) = 1/2 log det(I + L^-1/2 K L^-1/2) in nats, with L the
    diagonal of the rows' noise variances (Sim et al., ICML 2020, equation 1).

    Parameters
    ----------
    kernel : GPyTorch kernel or str
        A kernel is taken as it is (a float64 copy); a text such as ``"rbf + exponential(lengthscale=2.0)"`` leaves the
        hyperparameters that it does not give to ``fit``. See ``guerdon.models.kernels``.
    noise : float or str, optional
        Noise VARIANCE of rows that bring none of their own; None to learn it, "by-party" to learn one for each party
        (``guerdon.models.PartyNoise``), which what it declares can only raise.
    mean : float, optional
        The constant prior mean; None to learn it.
    learn : bool
        Let ``fit`` learn the hyperparameters of a GPyTorch kernel given as an object, starting from its own.
    report : FitReport, optional
        How ``fit`` ended; set by it.

    Examples
    --------
    >>> model = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.5)
    >>> round(model.information_gain(np.array([[0.0]])), 6)  # 1/2 log(1 + 1/0.5)
    0.549306
    """

    discloses_rows: ClassVar[str] = (
        "an exact Gaussian process predicts from the rows it was trained on, so that every reward holds all parties' "
        "inputs as they are and the others' outputs with noise of variance eta, and the best party's eta is 0: it gets "
        "the others' rows exactly"
    )
    """How others' rows come into a reward."""

    kernel: Kernel | str = "rbf"
    noise: Noise = None
    mean: float | None = 0.0
    learn: bool = False
    report: FitReport | None = None

    def __post_init__(self) -> None:
        self._check_hyperparameters()

    def fit(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> Self:
        """The model with every open hyperparameter learned by maximum likelihood on the pool, to convergence.

        Rows with a noise variance of their own keep it. A GPyTorch kernel given as an object is kept unless ``learn``.
        Where nothing is open, outputs only serve the report: without them the model is returned as it is.

        Raises
        ------
        ConvergenceError
            The gradient did not vanish from any start.
        ValueError
            Something is open, and a party sent no outputs.
        """
        learned = self._learned(contributions, progress)
        return replace(self, **learned) if learned else self

    def information_gain(self, X: FloatArray, noise: float | FloatArray | None = None) -> float:
        """I(f; D) in nats of inputs X (m, d) measured with the noise variances given, else the model's.

        Raises
        ------
        LossOfPrecisionError
            Repeated rows with (almost) no noise: float64 can't tell the value.
        """
        X = np.asarray(X, dtype=np.float64)
        if len(X) == 0:
            return 0.0
        return half_log_determinant(self._whitened(X, row_noise(self.noise, len(X), noise)), "the data")

    def information_gains(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> FloatArray:
        """I(f; D_C) in nats of every coalition: (2**n,), by one walk of the subset lattice."""
        X = np.concatenate([c.X for c in contributions])
        B = self._whitened(X, np.concatenate([self.noise_of(c) for c in contributions]))
        with one_thread():
            half_log_determinant(B, "the pooled data")  # the pool loses the most precision: refuse before the walk
        return lattice_half_log_determinants(B, [len(c) for c in contributions], progress=progress)

    def information_gain_chains(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> FloatArray:
        """I(f; D_C) in nats of all prefixes of each order of the parties: (k, n + 1), one Cholesky factor an order."""
        X = np.concatenate([c.X for c in contributions])
        B = self._whitened(X, np.concatenate([self.noise_of(c) for c in contributions]))
        return chain_half_log_determinants(B, [len(c) for c in contributions], orders)

    def row_influences(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> list[FloatArray]:
        """What each party adds when it arrives, less what it adds without row r, on average over the orders.

        For each party's rows (m, n), in nats. A row adds -1/2 log (B_C^-1)_rr to v_C. With R the inverse of the factor
        of the pool's B in the order of arrival, (B_C^-1)_rr is the sum of R_sr^2 over the rows s of C: all prefixes at
        once.
        """
        X = np.concatenate([c.X for c in contributions])
        B = self._whitened(X, np.concatenate([self.noise_of(c) for c in contributions]))
        sizes = np.array([len(c) for c in contributions])
        ends = np.cumsum(sizes)
        total = np.zeros((len(sizes), len(X)))
        for order in orders:
            rows = np.concatenate([np.arange(ends[i] - sizes[i], ends[i]) for i in order])
            with one_thread():
                factor = psd_cholesky(B[np.ix_(rows, rows)], "the pooled data")
                inverse, _ = dtrtri(factor, lower=1)
            squares = np.square(np.tril(inverse))
            starts = np.cumsum(sizes[order]) - sizes[order]
            kept = np.cumsum(np.add.reduceat(squares, starts, axis=0), axis=0)  # 0 before a row has arrived
            adds = -0.5 * np.log(np.where(kept > 0.0, kept, 1.0))
            total[order[:, None], rows] += np.diff(adds, axis=0, prepend=0.0) / len(orders)
        return [part.T for part in np.split(total, ends[:-1], axis=1)]

    def row_gains(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> FloatArray:
        """What each row of the pool adds in nats when the rows arrive in an order: (k, m) for orders (k, m).

        The pivots of one Cholesky factor an order: row r adds log L_rr. In the pool's own order.
        """
        X = np.concatenate([c.X for c in contributions])
        B = self._whitened(X, np.concatenate([self.noise_of(c) for c in contributions]))
        gains = np.empty(orders.shape)
        with one_thread():
            for k, order in enumerate(orders):
                gains[k, order] = np.log(np.diagonal(psd_cholesky(B[np.ix_(order, order)], "the pooled data")))
        return gains

    def degrees_of_freedom(self, contributions: Sequence[Contribution]) -> float:
        """tr(K (K + L)^-1) = sum_r (B^-1 (B - I))_rr of the pool, with B = I + L^-1/2 K L^-1/2."""
        X = np.concatenate([c.X for c in contributions])
        B = self._whitened(X, np.concatenate([self.noise_of(c) for c in contributions]))
        inverse = solve_triangular(psd_cholesky(B, "the pooled data"), np.eye(len(B)), lower=True, check_finite=False)
        return float(len(B) - np.sum(np.square(inverse)))

    def memory(self, rows: int) -> float:
        """Bytes that a pool of so many rows takes at its height.

        In matrices of rows x rows, as measured: 6 to value and reward; to learn hyperparameters 6.5, and 2 for each
        term of the kernel.
        """
        text = self.kernel if isinstance(self.kernel, str) else ""
        learns = (
            bool(missing_hyperparameters(self.kernel))
            or self.learn
            or known_noise(self.noise) is None
            or self.mean is None
        )
        terms = 1 + len(re.findall(r"(?<![eE])\+", text))
        return 8.0 * float(rows) ** 2 * (6.5 + 2.0 * terms if learns else 6.0)

    @property
    def lighter(self) -> str:
        """The model to take where that is too much: the same kernel on inducing points."""
        kernel = self.kernel if isinstance(self.kernel, str) else "rbf"
        return f"SparseGaussianProcess(kernel={kernel!r}, inducing=200)"

    def predictive_gains(
        self, contributions: Sequence[Contribution], references: References, *, progress: Progress = silent
    ) -> FloatArray:
        """What every coalition's data tell of new outputs at the references, in nats: (2**n,), by one walk."""
        B, cross, before = self._at_references(contributions, references)
        with one_thread():
            half_log_determinant(B, "the pooled data")

        def worth(explained: FloatArray) -> float:
            return float(references.weights @ narrowing((explained / before)[:, None, None]))

        return lattice_explained(B, [len(c) for c in contributions], cross, worth, progress=progress)

    def predictive_gain_chains(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> FloatArray:
        """The same of all prefixes of each order of the parties: (k, n + 1), one Cholesky factor an order."""
        B, cross, before = self._at_references(contributions, references)
        ends = np.cumsum([0, *(len(c) for c in contributions)])
        values = np.zeros((len(orders), len(contributions) + 1))
        for k, order in enumerate(orders):
            rows = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in order])
            factor = psd_cholesky(B[np.ix_(rows, rows)], "the pooled data")
            V = np.square(solve_triangular(factor, cross[:, rows].T, lower=True, check_finite=False))
            explained = np.cumsum(V, axis=0)
            for j, end in enumerate(np.cumsum([len(contributions[i]) for i in order]), start=1):
                if end:
                    values[k, j] = references.weights @ narrowing((explained[end - 1] / before)[:, None, None])
        return values

    def predictive_row_gains(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> FloatArray:
        """What each row adds to what is known at the references when rows arrive in an order: (k, m) as orders."""
        B, cross, before = self._at_references(contributions, references)
        gains = np.empty(orders.shape)
        with one_thread():
            for k, order in enumerate(orders):
                factor = psd_cholesky(B[np.ix_(order, order)], "the pooled data")
                V = solve_triangular(factor, cross[:, order].T, lower=True, check_finite=False)
                explained = np.cumsum(np.square(V), axis=0) / before
                gains[k, order] = np.diff(-0.5 * np.log1p(-explained) @ references.weights, prepend=0.0)
        return gains

    def predictive_response(
        self, own: Contribution, others: Contribution, references: References, own_value: float, *, tempered: bool
    ) -> PredictiveResponse:
        """How what is known at the references answers to noise on the others' outputs, or to tempering them.

        var_eta(x) = var_own(x) - sum_j (u_j' c(x))^2 / (mu_j + eta), c(x) = Cov(f(x), f_o | own) and mu_j, u_j of
        S + L_o as in ``noise_response``; tempered, all in units of the others' own noise.
        """
        noise = self.noise_of(others)
        scale = 1.0 / np.sqrt(noise) if tempered else np.ones(len(others))
        _, S, _ = self._unexplained(own, others, scale)
        kernel = self._kernel(own.X.shape[1])
        c = covariance(kernel, references.X, others.X) * scale
        before = self._prior_variance(references)
        if len(own):
            factor = psd_cholesky(covariance(kernel, own.X) + np.diag(self.noise_of(own)), "the party's own data")
            V = solve_triangular(factor, covariance(kernel, own.X, references.X), lower=True, check_finite=False)
            W = solve_triangular(factor, covariance(kernel, own.X, others.X) * scale, lower=True, check_finite=False)
            c, before = c - V.T @ W, before - np.square(V).sum(axis=0)
        floor, U = np.linalg.eigh(S + np.diag(np.ones(len(others)) if tempered else noise))
        return PredictiveResponse(own_value, references.weights, before[:, None, None], (c @ U).T[:, :, None], floor)

    def _prior_variance(self, references: References) -> FloatArray:
        """Of a new output at each reference (q,)."""
        kernel = self._kernel(references.X.shape[1])
        return covariance_diagonal(kernel, references.X) + references.noise_by(self.noise)

    def _at_references(
        self, contributions: Sequence[Contribution], references: References
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """B (m, m) of the pool, the references' white covariances (q, m) with it, and their own variances (q,)."""
        X = np.concatenate([c.X for c in contributions])
        noise = np.concatenate([self.noise_of(c) for c in contributions])
        cross = covariance(self._kernel(X.shape[1]), references.X, X) / np.sqrt(noise)
        return self._whitened(X, noise), cross, self._prior_variance(references)

    def noise_response(self, own: Contribution, others: Contribution) -> SpectralResponse:
        """How IG falls as noise is added to the others' outputs: one eigendecomposition for every eta.

        IG(eta) = v_i + 1/2 log det((S + L_o + eta I)(L_o + eta I)^-1), S = K_oo - K_oi (K_ii + L_i)^-1 K_io.

        Raises
        ------
        LossOfPrecisionError
            Repeated rows with (almost) no noise: float64 can't tell the values.
        """
        L_o = self.noise_of(others)
        own_value, S, scale = self._unexplained(own, others, np.ones(len(others)))
        return SpectralResponse(own_value, *excess_spectrum(S, L_o, scale + float(L_o.max(initial=0.0)), own_value))

    def tempering_response(self, own: Contribution, others: Contribution) -> SpectralResponse:
        """How IG falls as the others' noise variances are scaled, L_o (1 + eta): one eigendecomposition for every eta.

        IG(kappa) = v_i + 1/2 log det(I + kappa L_o^-1/2 S L_o^-1/2) with kappa = 1 / (1 + eta) and S as above.

        Raises
        ------
        LossOfPrecisionError
            Repeated rows with (almost) no noise: float64 can't tell the values.
        """
        own_value, S, scale = self._unexplained(own, others, 1.0 / np.sqrt(self.noise_of(others)))
        return SpectralResponse(own_value, *excess_spectrum(S, np.ones(len(others)), scale + 1.0, own_value))

    def _unexplained(
        self, own: Contribution, others: Contribution, weights: FloatArray
    ) -> tuple[float, FloatArray, float]:
        """v_i, W S W with W = diag(weights), and the norm of what it is the difference from: W K_oo W."""
        L_i = self.noise_of(own)
        own_value = self.information_gain(own.X, L_i)
        kernel = self._kernel(own.X.shape[1])
        S = covariance(kernel, others.X) * weights[:, None] * weights
        scale = float(np.abs(S).sum(axis=1).max(initial=0.0))
        if len(own):
            factor = psd_cholesky(covariance(kernel, own.X) + np.diag(L_i), "the party's own data")
            W = solve_triangular(factor, covariance(kernel, own.X, others.X) * weights, lower=True, check_finite=False)
            S = S - W.T @ W
        return own_value, S, scale

    def posterior(
        self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None
    ) -> GaussianProcessPosterior:
        """The belief after outputs y (m,) at X (m, d), measured with the noise variances given, else the model's.

        Its first prediction raises LossOfPrecisionError where the data's information gain would.
        """
        X, y = closed(X), closed(y)
        mean = require_known("mean", self.mean)
        self._kernel(X.shape[1])
        return GaussianProcessPosterior(
            kernel=self.kernel,
            mean=float(mean),
            noise=float("nan") if (known := known_noise(self.noise)) is None else known,
            X=X,
            y=y,
            row_noise=row_noise(self.noise, len(X), noise),
        )

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """The noise variance of each row: the contribution's own where given, else the model's: (m,)."""
        return noise_of_rows(self.noise, contribution)

    def describe(self) -> dict[str, Any]:
        """The kernel's text with its hyperparameters, noise variance, mean, and how the fit ended."""
        fit = None if self.report is None else asdict(self.report)
        return {"kernel": kernel_text(self.kernel), "noise": described_noise(self.noise), "mean": self.mean, "fit": fit}

    def _likelihood(self, X: FloatArray) -> Likelihood:
        return exact_likelihood(X)

    def _whitened(self, X: FloatArray, noise: FloatArray) -> FloatArray:
        return whitened(covariance(self._kernel(X.shape[1]), X), noise)


@dataclass(frozen=True, eq=False)
class GaussianProcessPosterior:
    """A Gaussian process after data: mean k_*' (K + L)^-1 (y - m) + m, variance k_** - k_*' (K + L)^-1 k_* + noise.

    Attributes
    ----------
    X : (m, d) array
        The inputs that it was trained on.
    y : (m,) array
        Their outputs.
    row_noise : (m,) array
        Their noise VARIANCES.
    noise : float
        The VARIANCE of a new observation.
    """

    kernel: Kernel | str
    mean: float
    noise: float
    X: FloatArray
    y: FloatArray
    row_noise: FloatArray

    def retrained(self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None) -> Self:
        """The belief of the same model after other rows: outputs y (m,) at X (m, d), with their noise VARIANCES.

        Raises
        ------
        ValueError
            Neither the rows nor the model have noise variances.
        """
        own = None if np.isnan(self.noise) else self.noise
        return replace(self, X=X, y=y, row_noise=row_noise(own, len(X), noise))

    @property
    def contains(self) -> str:
        """What the holder of this posterior can read from it."""
        return (
            "the posterior of an exact Gaussian process: the pool's inputs, its outputs with whatever noise was added "
            "to them, and the mean and standard deviation of all"
        )

    def predict(self, X: FloatArray, noise: float | FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and variance (k,) of new outputs at X (k, d), with the model's noise or the one given."""
        X = self._inputs(X)
        observation = self.noise if noise is None else np.asarray(noise, dtype=np.float64)
        if np.any(np.isnan(observation)):
            raise ValueError("the model has no noise variance of its own: give predict() the new observations' noise")
        weights = self._solve(self.y - self.mean)
        mean, explained = np.empty(len(X)), np.empty(len(X))
        for rows in blocks(len(X)):
            K = covariance(self._kernel, self.X, X[rows])  # (m, k)
            mean[rows] = self.mean + K.T @ weights
            W = solve_triangular(self._factor, K, lower=True, check_finite=False)
            explained[rows] = np.einsum("ij,ij->j", W, W)
        latent = np.clip(covariance_diagonal(self._kernel, X) - explained, 0.0, None)
        return mean, latent + observation

    def covariance(self, X: FloatArray) -> FloatArray:
        """Of the function at X (k, d), without new observations' noise: (k, k)."""
        X = self._inputs(X)
        W = solve_triangular(self._factor, covariance(self._kernel, self.X, X), lower=True, check_finite=False)
        return np.asarray(covariance(self._kernel, X) - W.T @ W)

    def sensitivity(self, X: FloatArray, rows: NDArray[np.bool_]) -> FloatArray:
        """||[(K + L)^-1 k_*]_rows||^2 at each x: (k,).

        Noise of variance eta on those outputs adds eta times this to the variance of the predictive mean.
        """
        X = self._inputs(X)
        result = np.empty(len(X))
        for block in blocks(len(X)):
            weights = self._solve(covariance(self._kernel, self.X, X[block]))[rows]
            result[block] = np.einsum("ij,ij->j", weights, weights)
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that predicts, as arrays: the pool's inputs X are among them, as an exact GP needs them."""
        return {
            "kernel": np.array(kernel_text(self.kernel)),
            "mean": np.array(self.mean),
            "noise": np.array(self.noise),
            "X": self.X,
            "y": self.y,
            "row_noise": self.row_noise,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            kernel=str(arrays["kernel"]),
            mean=float(arrays["mean"]),
            noise=float(arrays["noise"]),
            X=np.asarray(arrays["X"], dtype=np.float64),
            y=np.asarray(arrays["y"], dtype=np.float64),
            row_noise=np.asarray(arrays["row_noise"], dtype=np.float64),
        )

    def _inputs(self, X: FloatArray) -> FloatArray:
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.X.shape[1]:
            raise ValueError(f"X must have shape (rows, {self.X.shape[1]}), got {X.shape}")
        return X

    @cached_property
    def _kernel(self) -> KernelFunction:
        return as_kernel(self.kernel, self.X.shape[1])

    @cached_property
    def _factor(self) -> FloatArray:
        A = covariance(self._kernel, self.X) + np.diag(self.row_noise)
        factor = psd_cholesky(A, "the training data")
        # A = L^1/2 B L^1/2 has B's A_jj (A^-1)_jj: a posterior is refused exactly where its value is.
        gain = float(np.sum(np.log(np.diagonal(factor)) - 0.5 * np.log(self.row_noise)))
        error = rounding_error(A, factor, floor=self.row_noise, enough=PRECISION)
        require_precision(gain, error, "the training data")
        return factor

    def _solve(self, right: FloatArray) -> FloatArray:
        half = solve_triangular(self._factor, right, lower=True, check_finite=False)
        return np.asarray(solve_triangular(self._factor, half, lower=True, trans=1, check_finite=False))
