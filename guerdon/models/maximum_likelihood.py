"""Maximum likelihood of hyperparameters, to convergence, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import Kernel
from scipy.optimize import minimize

from guerdon.linalg import LossOfPrecisionError
from guerdon.models.likelihoods import Likelihood
from guerdon.models.protocols import FitReport
from guerdon.threads import one_thread
from guerdon.types import FloatArray, Progress, silent

__all__ = ["ConvergenceError", "Fitted", "maximize_likelihood"]

STARTS = (1.0, 0.25, 4.0)
"""Initial lengthscales tried, as multiples of the kernel's own (noise variances, where no lengthscale is learned); the
likeliest end is kept."""

GRADIENT_TOLERANCE = 1e-3
"""A fit ends with no gradient entry above this (nats an e-fold of a positive hyperparameter), or is refused."""

HYPERPARAMETER_RANGE = 1e6
"""How many times larger or smaller than where it starts a positive hyperparameter is looked for."""

ROUNDS = 4
"""Restarts from where L-BFGS stopped: they drop its stale memory, which ends the last digits of progress early."""

POLISH_ROUNDS = 4
"""Newton steps on the gradient after L-BFGS, at most, where that did not bring it below the tolerance."""

NOISE_BOUNDS = (1e-6, 1e3)
"""Learned noise variances, as shares of the outputs' variance."""

NOISE_START = 0.3
"""Where a learned noise variance starts, as a share of the outputs' variance."""


class ConvergenceError(ValueError):
    """Maximum likelihood did not converge from any start."""


@dataclass(frozen=True, eq=False)
class Fitted:
    kernel: Kernel
    noise: float | None
    mean: float
    report: FitReport


def maximize_likelihood(
    make_kernel: Callable[[], Kernel],
    likelihood: Likelihood,
    y: FloatArray,
    noise: FloatArray,
    mean: float | None,
    *,
    progress: Progress = silent,
) -> Fitted:
    """Learn the open hyperparameters of a model: minimise -log p(y) by L-BFGS from several starts.

    Parameters
    ----------
    make_kernel : callable
        Gives a fresh float64 kernel, or a GPyTorch module where the model has no kernel. Those of its parameters that
        require a gradient are learned.
    likelihood : callable
        log p(y) in nats of the kernel, the residuals y - mean and the noise variances.
    y : (m,) array
        The outputs.
    noise : (m,) array
        Noise VARIANCES; NaN where the noise is to be learned, one variance for all such rows.
    mean : float or None
        The constant mean, None to learn it.

    Raises
    ------
    ConvergenceError
        No start ended where the gradient vanishes.
    LossOfPrecisionError
        Nothing is to be learned, and float64 can't tell the likelihood of what is given.
    ValueError
        There is something to learn, but the outputs do not vary.
    """
    best: Fitted | None = None
    evaluations = 0
    with one_thread():
        for number, factor in enumerate(STARTS):
            problem = _Problem(make_kernel(), likelihood, y, noise, mean, factor)
            if problem.free and len(np.unique(y)) < 2:
                raise ValueError(
                    f"hyperparameters can't be learned from {len(y)} rows whose outputs do not vary: give them all, "
                    "such as kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.1 and mean=0.0"
                )
            fitted = problem.solve()
            evaluations += problem.evaluations
            progress("fit", number + 1, len(STARTS))
            if best is None or fitted.report.log_likelihood > best.report.log_likelihood:
                best = fitted
            if not problem.free:
                break
    assert best is not None
    report = replace(best.report, evaluations=evaluations, starts=number + 1)
    if not report.gradient <= GRADIENT_TOLERANCE:
        raise ConvergenceError(
            f"maximum likelihood did not converge: the largest gradient entry is {report.gradient:.2g} after "
            f"{evaluations} evaluations from {report.starts} starts. Give the hyperparameters, such as "
            "kernel='rbf(lengthscale=1.0, outputscale=1.0)' and noise=0.1, or try another kernel."
        )
    return Fitted(best.kernel, best.noise, best.mean, report)


class _Problem:
    """One start of the optimisation: the free parameters as one flat vector theta, and the objective on it.

    Positive hyperparameters enter theta as logarithms: GPyTorch's own softplus is linear in a lengthscale that drifts
    off to infinity, as those of useless features do, and L-BFGS then steps far below 0.
    """

    def __init__(
        self,
        kernel: Kernel,
        likelihood: Likelihood,
        y: FloatArray,
        noise: FloatArray,
        mean: float | None,
        factor: float,
    ) -> None:
        self.kernel, self.likelihood = kernel, likelihood
        self.y = torch.as_tensor(y.copy())
        self.unknown = torch.as_tensor(np.isnan(noise))
        self.known_noise = torch.as_tensor(np.nan_to_num(noise))
        self.evaluations = 0
        outputs = y if len(y) else np.zeros(1)
        self.variance = max(float(np.var(outputs)), np.finfo(np.float64).tiny)
        share = NOISE_START if _stretch(kernel, factor) else NOISE_START * factor
        self.log_noise = torch.tensor(np.log(share * self.variance), requires_grad=bool(self.unknown.any()))
        start = float(np.mean(outputs)) if mean is None else mean
        self.mean = torch.tensor(start, dtype=torch.float64, requires_grad=mean is None)
        self.free = [p for p in [*kernel.parameters(), self.log_noise, self.mean] if p.requires_grad]
        constraints = {id(p): c for _, p, c in kernel.named_parameters_and_constraints()}
        self.positive = {k: c for k, c in constraints.items() if isinstance(c, Positive)}
        self.start = np.concatenate([self._theta(p) for p in self.free]) if self.free else np.empty(0)
        self.bounds: list[tuple[float | None, float | None]] = []
        for parameter in self.free:
            if parameter is self.log_noise:
                low, high = (float(np.log(bound * self.variance)) for bound in NOISE_BOUNDS)
                self.bounds.append((low, high))
            elif id(parameter) in self.positive:
                far = float(np.log(HYPERPARAMETER_RANGE))
                self.bounds += [(start - far, start + far) for start in self._theta(parameter).tolist()]
            else:
                self.bounds += [(None, None)] * parameter.numel()

    def solve(self) -> Fitted:
        gradient = 0.0
        if self.free:
            theta = self.start
            for _ in range(ROUNDS):
                result = minimize(
                    self.objective,
                    theta,
                    jac=True,
                    method="L-BFGS-B",
                    bounds=self.bounds,
                    options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-15, "gtol": 1e-7, "maxcor": 20},
                )
                stuck, theta = np.array_equal(theta, result.x), result.x
                gradient = self._steepest(theta, self.objective(theta)[1])
                if stuck or gradient <= 1e-3 * GRADIENT_TOLERANCE:
                    break
            if gradient > GRADIENT_TOLERANCE:
                theta, gradient = self._polished(theta, gradient)
            value, _ = self.objective(theta)
        else:
            value, _ = self.objective(np.empty(0))
        noise = float(torch.exp(self.log_noise.detach())) if bool(self.unknown.any()) else None
        report = FitReport(-value, gradient, self.evaluations, 1, self._noise_at_bound(noise))
        return Fitted(self.kernel.requires_grad_(False), noise, float(self.mean.detach()), report)

    def _steepest(self, theta: FloatArray, slope: FloatArray) -> float:
        return float(np.max(np.abs(_projected(theta, slope, self.bounds))))

    def _polished(self, theta: FloatArray, gradient: float) -> tuple[FloatArray, float]:
        """Newton steps on the gradient: theta and its largest gradient entry.

        The rounding of the likelihood of many rows, some 1e-11 of it, hides the last of the ascent from a line search;
        the gradient itself is known better. A step, or a part of it, is kept if it makes the largest
        entry smaller.
        """
        low = np.array([-np.inf if bound is None else bound for bound, _ in self.bounds])
        high = np.array([np.inf if bound is None else bound for _, bound in self.bounds])
        for _ in range(POLISH_ROUNDS):
            slope = _projected(theta, self.objective(theta)[1], self.bounds)
            H, pinned = self._curvature(theta), slope == 0.0
            H[pinned] = H[:, pinned] = 0.0  # what is at its bound stays there
            values, vectors = np.linalg.eigh(H)
            curvature = np.maximum(np.abs(values), gradient)  # so that flat directions go about 1 far
            step = vectors @ (vectors.T @ slope / curvature)
            for share in (1.0, 0.25, 0.0625):
                after = np.clip(theta - share * step, low, high)
                steepest = self._steepest(after, self.objective(after)[1])
                if steepest < gradient:
                    break
            else:
                break
            theta, gradient = after, steepest
        return theta, gradient

    def _curvature(self, theta: FloatArray, step: float = 1e-4) -> FloatArray:
        """The Hessian, by differences of gradients."""
        slopes = [
            self.objective(theta + step * unit)[1] - self.objective(theta - step * unit)[1]
            for unit in np.eye(len(theta))
        ]
        H = np.array(slopes) / (2.0 * step)
        return np.asarray(0.5 * (H + H.T))

    def _noise_at_bound(self, noise: float | None) -> bool:
        share = None if noise is None else noise / self.variance
        return share is not None and not NOISE_BOUNDS[0] * 1.001 < share < NOISE_BOUNDS[1] / 1.001

    def objective(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The negative log marginal likelihood (nats) and its gradient."""
        self.evaluations += 1
        unknowns = torch.tensor(theta, requires_grad=bool(self.free))
        raw = self._assign(unknowns)
        noise = torch.where(self.unknown, torch.exp(self.log_noise), self.known_noise)
        likelihood = self.likelihood(self.kernel, self.y - self.mean, noise)
        if likelihood is None and not self.free:
            raise LossOfPrecisionError(
                "the likelihood of the pooled data can't be told in float64 with the hyperparameters given: the noise "
                "variance is too small against what the model expects of the outputs. Give a larger noise, or learn it."
            )
        if likelihood is None:
            return 1e20, np.zeros_like(theta)
        value = -likelihood
        if not self.free:
            return float(value.detach()), np.empty(0)
        slopes = torch.autograd.grad(value, self.free)
        (slope,) = torch.autograd.grad(raw, unknowns, grad_outputs=slopes)  # the chain rule, through the logarithms
        return float(value.detach()), slope.numpy()

    def _theta(self, parameter: torch.Tensor) -> FloatArray:
        """The part of theta that stands for a parameter as it is now."""
        constraint = self.positive.get(id(parameter))
        value = parameter if constraint is None else torch.log(constraint.transform(parameter))
        return value.detach().numpy().ravel()

    def _assign(self, theta: torch.Tensor) -> list[torch.Tensor]:
        """Set the parameters to theta; their new values, as functions of theta."""
        raw, place = [], 0
        for parameter in self.free:
            part = theta[place : place + parameter.numel()].reshape(parameter.shape)
            constraint = self.positive.get(id(parameter))
            raw.append(part if constraint is None else constraint.inverse_transform(torch.exp(part)))
            place += parameter.numel()
            with torch.no_grad():
                parameter.copy_(raw[-1])
        return raw


def _stretch(kernel: Kernel, factor: float) -> bool:
    """Multiply every lengthscale that is to be learned; whether there was one."""
    found = False
    for module in kernel.modules():
        raw: Any = getattr(module, "raw_lengthscale", None)
        if isinstance(raw, torch.nn.Parameter) and raw.requires_grad:
            module.lengthscale = module.lengthscale.detach() * factor
            found = True
    return found


def _projected(theta: FloatArray, slope: FloatArray, bounds: list[tuple[float | None, float | None]]) -> FloatArray:
    """The gradient without the entries that push against an active bound."""
    projected = slope.copy()
    for k, (low, high) in enumerate(bounds):
        pushes_down = low is not None and theta[k] <= low and slope[k] > 0
        pushes_up = high is not None and theta[k] >= high and slope[k] < 0
        if pushes_down or pushes_up:
            projected[k] = 0.0
    return projected
