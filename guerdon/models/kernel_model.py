"""What all models with a kernel share: hyperparameters, and learning them by maximum likelihood on the pool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from guerdon.checks import is_number, unwrap_scalars
from guerdon.models.kernels import (
    KernelFunction,
    as_kernel,
    check_kernel,
    learnable,
    median_kernel,
    missing_hyperparameters,
)
from guerdon.models.likelihoods import Likelihood
from guerdon.models.party_noise import (
    Noise,
    check_noise,
    known_noise,
    learned_noise,
    median_noise,
    noise_groups,
    noise_is_open,
)
from guerdon.models.pool import check_report, plain_noise, pool_of
from guerdon.models.protocols import FitReport
from guerdon.types import Contribution, FloatArray, Progress

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = ["KernelModel"]


class KernelModel(ABC):
    """y = f(x) + e with f ~ GP(mean, k) and e ~ N(0, noise), for models that say what the likelihood of outputs is."""

    kernel: Kernel | str
    noise: Noise
    mean: float | None
    learn: bool
    report: FitReport | None

    @abstractmethod
    def _likelihood(self, X: FloatArray) -> Likelihood:
        """log p(y) at inputs X (m, d), to be maximised."""

    def _check_hyperparameters(self) -> None:
        unwrap_scalars(self, "noise", "mean")
        check_noise(self.noise)
        if self.mean is not None and not (is_number(self.mean) and np.isfinite(self.mean)):
            raise ValueError(f"mean is a finite number (or None to learn it), got {self.mean!r}")
        if not isinstance(self.learn, bool):
            raise ValueError(f"learn is True or False, got {self.learn!r}")
        check_report(self.report)
        check_kernel(self.kernel)

    def _learned(self, contributions: Sequence[Contribution], progress: Progress) -> dict[str, Any]:
        """The parameters that maximum likelihood on the pool changes, by name; none where nothing can be or is open.

        Rows with a noise variance of their own keep it. A GPyTorch kernel given as an object is kept unless ``learn``.
        Where nothing is open, outputs only serve the report.

        Raises
        ------
        ConvergenceError
            The gradient did not vanish from any start.
        ValueError
            Something is open, and a party sent no outputs.
        """
        if any(c.y is None for c in contributions) and not self._is_open(contributions):
            return {}
        from guerdon.models.maximum_likelihood import (
            maximize_likelihood,
        )  # here: whoever only predicts loads none of it

        X, y, noise = pool_of(contributions, self.noise)
        groups = noise_groups(contributions, self.noise)
        fitted = maximize_likelihood(
            self._open_kernel(X, y),
            self._likelihood(X),
            y,
            noise,
            self.mean,
            X=X,
            groups=None if groups is None else groups.owner,
            progress=progress,
        )
        return {
            "kernel": _given(fitted.kernel),
            "learn": False,
            "noise": learned_noise(self.noise, fitted.noise, groups),
            "mean": fitted.mean,
            "report": fitted.report,
        }

    def likely(
        self, contributions: Sequence[Contribution], *, drop: float, fitted: KernelModel | None = None
    ) -> list[Self]:
        """Models that are within ``drop`` nats as likely on the pool as the likeliest, spread over what v_N then is.

        One where nothing is open. The first is the likeliest: what ``fit`` gave, where that is at hand.
        """
        from guerdon.models.likely import likely_thetas, spread_of_values
        from guerdon.models.maximum_likelihood import Problem

        X, y, noise = pool_of(contributions, self.noise)
        groups = noise_groups(contributions, self.noise)
        index = None if groups is None else groups.owner
        problem = Problem(self._open_kernel(X, y), self._likelihood(X), y, noise, self.mean, index)
        likeliest = None
        if fitted is not None:
            its_noise = known_noise(fitted.noise) if groups is None else groups.variances(fitted.noise)
            likeliest = problem.theta_of(learnable(fitted.kernel, X.shape[1]), its_noise, fitted.mean)

        def model(theta: FloatArray) -> Any:
            fitted = problem.at(theta)
            kernel = _given(fitted.kernel)
            changed = {"noise": learned_noise(self.noise, fitted.noise, groups), "mean": fitted.mean}
            frozen: Any = self
            return replace(frozen, kernel=kernel, learn=False, report=None, **changed)

        def value(theta: FloatArray) -> float:
            there = model(theta)
            return float(there.information_gain(X, np.concatenate([there.noise_of(c) for c in contributions])))

        return [model(theta) for theta, _ in spread_of_values(likely_thetas(problem, X, drop, value, likeliest))]

    def median(self, fitted: Sequence[KernelModel], features: int) -> Self:
        """The model with what is open of it the median of the fitted ones': of positive hyperparameters in log.

        Parameters
        ----------
        fitted : sequence of KernelModel
        features : int
            How many inputs there are.
        """
        frozen: Any = self
        kernels = [learnable(m.kernel, features) for m in fitted]
        kernel: Kernel | str = self.kernel
        if self.learn or missing_hyperparameters(self.kernel):
            kernel = median_kernel(kernels).given()
        means = [m.mean for m in fitted if m.mean is not None]
        mean = float(np.median(means)) if self.mean is None and means else self.mean
        noise = median_noise(self.noise, [m.noise for m in fitted])
        made: Self = replace(frozen, kernel=kernel, learn=False, noise=noise, mean=mean, report=None)
        return made

    def unlearned(self, own: Contribution) -> Self:
        """The model with plain values of what is open, for a party whose rows do not tell them.

        Lengthscales of about the distance between two rows, an outputscale of the outputs' variance, half of it as
        noise, and their mean.
        """
        y = np.zeros(0) if own.y is None else own.y
        frozen: Any = self
        kernel = self._open_kernel(own.X, y).given()
        mean = (float(np.mean(y)) if len(y) else 0.0) if self.mean is None else self.mean
        noise = plain_noise(y) if known_noise(self.noise) is None else self.noise
        made: Self = replace(frozen, kernel=kernel, learn=False, noise=noise, mean=mean, report=None)
        return made

    def _is_open(self, contributions: Sequence[Contribution]) -> bool:
        """Whether there is anything to learn from these contributions."""
        kernel = bool(missing_hyperparameters(self.kernel)) if isinstance(self.kernel, str) else self.learn
        return kernel or noise_is_open(contributions, self.noise) or self.mean is None

    def _kernel(self, features: int) -> KernelFunction:
        missing = missing_hyperparameters(self.kernel)
        if missing:
            raise ValueError(f"{', '.join(missing)} of the kernel {self.kernel!r} are open: call fit(), or give them")
        return as_kernel(self.kernel, features)

    def _open_kernel(self, X: FloatArray, y: FloatArray) -> KernelFunction:
        spread = np.std(X, axis=0) if len(X) else np.zeros(X.shape[1])
        variance = float(np.var(y)) if len(y) else 0.0
        kernel = learnable(
            self.kernel, X.shape[1], spread=np.where(spread > 0.0, spread, 1.0), variance=variance or 1.0
        )
        return kernel.opened() if self.learn and not isinstance(self.kernel, str) else kernel


def _given(kernel: KernelFunction | None) -> Kernel | str:
    assert kernel is not None
    return kernel.given()
