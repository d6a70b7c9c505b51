"""What a Bayesian model offers to valuation, realization and prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from guerdon.types import Contribution, FloatArray, Progress

__all__ = [
    "Arrays",
    "Classifier",
    "Curve",
    "FitReport",
    "Heavy",
    "Model",
    "NoiseResponse",
    "Posterior",
    "Pretrainable",
    "SpectralResponse",
]

Arrays = Mapping[str, NDArray[Any]]
"""Named arrays of numbers or text, enough to rebuild what they came from; no pickle."""


@dataclass(frozen=True)
class FitReport:
    """How maximum likelihood ended: the log marginal likelihood (nats), the largest gradient entry, and the work.

    ``noise_at_bound`` says that the data did not tell the noise from the signal (the kernel explains everything, or
    nothing), so that values mean little: give the noise or a smoother kernel.
    ``limits`` are the hyperparameters that ended at a limit of the range in which they are looked for, by name: the
    likelihood has no maximum within it, and the model is that of the limit, as a rational quadratic kernel becomes the
    rbf where its alpha grows without end.
    """

    log_likelihood: float
    gradient: float
    evaluations: int
    starts: int
    noise_at_bound: bool = False
    limits: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """How it ended, in words."""
        starts = "start" if self.starts == 1 else "starts"
        text = (
            f"maximum likelihood ended at {self.log_likelihood:.6g} nats, where no hyperparameter gains more than "
            f"{self.gradient:.1g} nats an e-fold, after {self.evaluations} evaluations from {self.starts} {starts}"
        )
        drifted = [name for name in self.limits if name != "noise"]
        if drifted:
            text += (
                f"; {', '.join(drifted)} ended at the limit of the range looked in: the likelihood rises, or stays the "
                "same, up to it"
            )
        if self.noise_at_bound:
            text += (
                "; the learned noise variance is at its bound: the data do not tell noise from signal, so that values "
                "mean little. Give the model a noise, or a smoother kernel or fewer features"
            )
        return text


class Posterior(Protocol):
    """A model's belief after seeing data."""

    @property
    def contains(self) -> str:
        """What the holder of the posterior can read from it, as a phrase for the reward that carries it."""
        ...

    def predict(self, X: FloatArray, noise: float | FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and variance (k,) of new outputs at X (k, d), observation noise included."""
        ...

    def sensitivity(self, X: FloatArray, rows: NDArray[np.bool_]) -> FloatArray:
        """Squared norm (k,) of d mean / d y over the marked training rows."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]: ...

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self: ...


class Curve(NamedTuple):
    """A function of eta and its derivative at one point."""

    value: float
    slope: float


class NoiseResponse(Protocol):
    """How the information gain answers to noise of variance eta on the others' outputs (Sim et al., section 4.3).

    The gain is IG(eta) - v_i, falling from v_N - v_i at eta = 0 to 0; the deficit is v_N - IG(eta), both without
    cancellation. ``small_noise`` and ``large_noise`` are the limits of deficit / eta at 0 and gain * eta at infinity,
    which bound the root from both sides.
    """

    @property
    def own_value(self) -> float: ...
    @property
    def small_noise(self) -> float: ...
    @property
    def large_noise(self) -> float: ...
    def gain(self, eta: float) -> Curve: ...
    def deficit(self, eta: float) -> Curve: ...


@dataclass(frozen=True, eq=False)
class SpectralResponse:
    """The response in a shared eigenbasis: IG(eta) = v_i + 1/2 sum_j log1p(excess_j / (floor_j + eta)).

    Attributes
    ----------
    own_value : float
        v_i in nats.
    excess : (k,) array
        mu_j - l_j >= 0.
    floor : (k,) array
        l_j > 0, the others' noise variances.
    """

    own_value: float
    excess: FloatArray
    floor: FloatArray

    @property
    def small_noise(self) -> float:
        return float(0.5 * np.sum(self.excess / (self.floor * (self.floor + self.excess))))

    @property
    def large_noise(self) -> float:
        return float(0.5 * np.sum(self.excess))

    def gain(self, eta: float) -> Curve:
        value = 0.5 * np.sum(np.log1p(self.excess / (self.floor + eta)))
        return Curve(float(value), -self._slope(eta))

    def deficit(self, eta: float) -> Curve:
        # v_N - IG = 1/2 sum log[(l + e) / l * (l + eta) / (l + e + eta)] with e the excess
        value = 0.5 * np.sum(np.log1p(eta * self.excess / (self.floor * (self.floor + self.excess + eta))))
        return Curve(float(value), self._slope(eta))

    def _slope(self, eta: float) -> float:
        noisy = self.floor + eta
        return float(0.5 * np.sum(self.excess / (noisy * (noisy + self.excess))))


@runtime_checkable
class Pretrainable(Protocol):
    """A model with a part that is trained on public rows, before the parties' data come."""

    @property
    def needs_pretraining(self) -> bool:
        """Whether that has still to be done."""
        ...

    def pretrain(self, public: Contribution, *, rng: np.random.Generator, progress: Progress = ...) -> Model:
        """The model with that part trained, which then stays as it is."""
        ...


@runtime_checkable
class Heavy(Protocol):
    """A model whose matrices grow with the pool, so that a large one needs more memory than there may be."""

    def memory(self, rows: int) -> float:
        """Bytes that valuing and rewarding a pool of so many rows takes at its height."""
        ...

    @property
    def lighter(self) -> str:
        """The model to take where that is too much, as a run config has it."""
        ...


@runtime_checkable
class Classifier(Protocol):
    """A model of classes: outputs are their places 0 to K - 1, and its posteriors have ``predict_proba``.

    Beside this it has what a ``Model`` has, but no ``noise_response``: labels take no Gaussian noise.
    """

    def of_classes(self, classes: int) -> Model:
        """The model for this number K of classes, whether or not there are rows of each."""
        ...


class Model(Protocol):
    """A Bayesian regression model with (or still without) hyperparameters."""

    def fit(self, contributions: Sequence[Contribution], *, progress: Progress = ...) -> Self:
        """The model with every None or named hyperparameter learned by maximum likelihood on the pool."""
        ...

    def information_gain(self, X: FloatArray, noise: float | FloatArray | None = None) -> float:
        """I(theta; D) in nats of inputs X (m, d)."""
        ...

    def information_gains(self, contributions: Sequence[Contribution], *, progress: Progress = ...) -> FloatArray:
        """I(theta; D_C) in nats for every coalition C: (2**n,), indexed by bitmask."""
        ...

    def information_gain_chains(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> FloatArray:
        """I(theta; D_C) in nats of all prefixes of each order of the parties: orders (k, n) -> (k, n + 1).

        Column j is worth the first j parties of the order, column 0 is 0: what permutation sampling asks for.
        """
        ...

    def degrees_of_freedom(self, contributions: Sequence[Contribution]) -> float:
        """tr(K (K + L)^-1) of the pool, K the prior covariance of f at its rows: how many numbers the data tell.

        Scaling all noise variances by s moves the pool's value by d v_N / d log s = -1/2 of this.
        """
        ...

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse: ...

    def tempering_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How the information gain answers to noise of eta times each of the others' noise variances.

        That is what tempering their likelihood to the power kappa = 1 / (1 + eta) does.
        """
        ...

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """The noise variance of each row: the contribution's own where given, else the model's: (m,)."""
        ...

    def posterior(self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None) -> Posterior: ...

    def describe(self) -> dict[str, Any]:
        """Hyperparameters and the fit, as plain numbers and text."""
        ...
