"""Maximum likelihood of Gaussian process hyperparameters, to convergence, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gpytorch.kernels import Kernel
from scipy.optimize import minimize

from guerdon.linalg import one_thread
from guerdon.models.protocols import FitReport
from guerdon.types import FloatArray, Progress, silent

__all__ = ["ConvergenceError", "Fitted", "maximize_likelihood"]

STARTS = (1.0, 0.25, 4.0)
"""Initial lengthscales tried, as multiples of the kernel's own; the likeliest end is kept."""

GRADIENT_TOLERANCE = 1e-3
"""A fit ends with no gradient entry above this (nats a unit of an unconstrained hyperparameter), or is refused."""

NOISE_BOUNDS = (1e-8, 1e3)
"""Learned noise variances, as shares of the outputs' variance."""


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
    X: FloatArray,
    y: FloatArray,
    noise: FloatArray,
    mean: float | None,
    *,
    progress: Progress = silent,
) -> Fitted:
    """Learn the open hyperparameters of a GP: minimise -log N(y; mean, K + L) by L-BFGS from several starts.

    Parameters
    ----------
    make_kernel : () -> a fresh float64 kernel; parameters that require a gradient are learned
    X : (m, d); y : (m,)
    noise : (m,) noise variances; NaN where the noise is to be learned, one variance for all such rows
    mean : the constant mean, None to learn it

    Raises
    ------
    ConvergenceError
        No start ended where the gradient vanishes.
    """
    best: Fitted | None = None
    evaluations = 0
    with one_thread():
        for number, factor in enumerate(STARTS):
            problem = _Problem(make_kernel(), X, y, noise, mean, factor)
            fitted = problem.solve()
            evaluations += problem.evaluations
            progress("fit", number + 1, len(STARTS))
            if best is None or fitted.report.log_likelihood > best.report.log_likelihood:
                best = fitted
            if not problem.free:
                break
    assert best is not None
    report = FitReport(best.report.log_likelihood, best.report.gradient, evaluations, number + 1)
    if not report.gradient <= GRADIENT_TOLERANCE:
        raise ConvergenceError(
            f"maximum likelihood did not converge: the largest gradient entry is {report.gradient:.2g} after "
            f"{evaluations} evaluations from {report.starts} starts. Give the hyperparameters, such as "
            "kernel='rbf(lengthscale=1.0, outputscale=1.0)' and noise=0.1, or try another kernel."
        )
    return Fitted(best.kernel, best.noise, best.mean, report)


class _Problem:
    """One start of the optimisation: the free parameters as one flat vector, and the objective on it."""

    def __init__(
        self, kernel: Kernel, X: FloatArray, y: FloatArray, noise: FloatArray, mean: float | None, factor: float
    ) -> None:
        self.kernel = kernel
        self.X, self.y = torch.as_tensor(X.copy()), torch.as_tensor(y.copy())
        self.unknown = torch.as_tensor(np.isnan(noise))
        self.known_noise = torch.as_tensor(np.nan_to_num(noise))
        self.evaluations = 0
        variance = max(float(np.var(y)), np.finfo(np.float64).tiny)
        _stretch(kernel, factor)
        self.log_noise = torch.tensor(np.log(0.3 * variance), requires_grad=bool(self.unknown.any()))
        start = float(np.mean(y)) if mean is None else mean
        self.mean = torch.tensor(start, dtype=torch.float64, requires_grad=mean is None)
        self.free = [p for p in [*kernel.parameters(), self.log_noise, self.mean] if p.requires_grad]
        self.bounds: list[tuple[float | None, float | None]] = []
        for parameter in self.free:
            limits = (None, None)
            if parameter is self.log_noise:
                limits = tuple(float(np.log(b * variance)) for b in NOISE_BOUNDS)  # type: ignore[assignment]
            self.bounds += [limits] * parameter.numel()

    def solve(self) -> Fitted:
        gradient = 0.0
        if self.free:
            theta = np.concatenate([p.detach().numpy().ravel() for p in self.free])
            # Two rounds: restarting drops L-BFGS's stale memory, which ends the last digits of progress early.
            for _ in range(2):
                result = minimize(
                    self.objective,
                    theta,
                    jac=True,
                    method="L-BFGS-B",
                    bounds=self.bounds,
                    options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-15, "gtol": 1e-7, "maxcor": 20},
                )
                theta = result.x
            value, slope = self.objective(theta)
            gradient = float(np.max(np.abs(_projected(theta, slope, self.bounds))))
        else:
            value, _ = self.objective(np.empty(0))
        noise = float(torch.exp(self.log_noise)) if bool(self.unknown.any()) else None
        return Fitted(
            self.kernel.requires_grad_(False), noise, float(self.mean), FitReport(-value, gradient, self.evaluations, 1)
        )

    def objective(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The negative log marginal likelihood (nats) and its gradient."""
        self.evaluations += 1
        self._assign(theta)
        K = self.kernel(self.X).to_dense()
        noise = torch.where(self.unknown, torch.exp(self.log_noise), self.known_noise)
        factor, info = torch.linalg.cholesky_ex(K + torch.diag(noise))
        if int(info) != 0:
            return 1e20, np.zeros_like(theta)
        centred = self.y - self.mean
        whitened = torch.linalg.solve_triangular(factor, centred[:, None], upper=False).squeeze(1)
        value = (
            0.5 * whitened @ whitened + torch.log(torch.diagonal(factor)).sum() + 0.5 * len(self.y) * np.log(2 * np.pi)
        )
        if not self.free:
            return float(value), np.empty(0)
        slopes = torch.autograd.grad(value, self.free)
        return float(value), np.concatenate([s.numpy().ravel() for s in slopes])

    def _assign(self, theta: FloatArray) -> None:
        place = 0
        with torch.no_grad():
            for parameter in self.free:
                part = theta[place : place + parameter.numel()]
                parameter.copy_(torch.as_tensor(part.copy()).reshape(parameter.shape))
                place += parameter.numel()


def _stretch(kernel: Kernel, factor: float) -> None:
    """Multiply every lengthscale that is to be learned."""
    for module in kernel.modules():
        raw: Any = getattr(module, "raw_lengthscale", None)
        if isinstance(raw, torch.nn.Parameter) and raw.requires_grad:
            module.lengthscale = module.lengthscale.detach() * factor


def _projected(theta: FloatArray, slope: FloatArray, bounds: list[tuple[float | None, float | None]]) -> FloatArray:
    """The gradient without the entries that push against an active bound."""
    projected = slope.copy()
    for k, (low, high) in enumerate(bounds):
        pushes_down = low is not None and theta[k] <= low and slope[k] > 0
        pushes_up = high is not None and theta[k] >= high and slope[k] < 0
        if pushes_down or pushes_up:
            projected[k] = 0.0
    return projected
