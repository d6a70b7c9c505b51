"""Maximum likelihood of hyperparameters, to convergence, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from guerdon.linalg import LossOfPrecisionError
from guerdon.models.kernels import KernelFunction, Parameter
from guerdon.models.likelihoods import Density, Likelihood
from guerdon.models.protocols import FitReport
from guerdon.models.starts import Distances, Start, kernel_starts
from guerdon.threads import one_thread
from guerdon.types import FloatArray, Progress, silent

__all__ = ["ConvergenceError", "Fitted", "Problem", "maximize_likelihood"]

NOISE_STARTS = (0.3, 0.03)
"""Where a learned noise variance starts, as shares of the outputs' variance, with each start of the kernel."""

NOISE_STARTS_ALONE = tuple(np.geomspace(1e-5, 10.0, 16).tolist())
"""The same, where nothing else has several starts."""

CLIMBERS, CLIMB = 8, 8
"""Of all starts, so many of the likeliest are followed for so many steps of L-BFGS."""

FINALISTS, FINAL_CLIMB = 3, 100
"""So many of those, the likeliest, are followed on, and the likeliest of all to the end."""

GRADIENT_TOLERANCE = 1e-3
"""A fit ends with no gradient entry above this (nats an e-fold of a positive hyperparameter), or is refused."""

HYPERPARAMETER_RANGE = 1e6
"""How many times larger or smaller than where it starts a positive hyperparameter is looked for."""

ROUNDS = 4
"""Restarts from where L-BFGS stopped: they drop its stale memory, which ends the last digits of progress early."""

POLISH_ROUNDS = 12
"""Newton steps on the gradient after L-BFGS, at most, where that did not bring it below the tolerance."""

POLISH_STEP = 1e-2
"""Of the differences that give those steps their curvature: with (almost) no noise a gradient is known to some 1e-4,
which differences over a smaller step would multiply."""

NOISE_BOUNDS = (1e-6, 1e3)
"""Learned noise variances, as shares of the outputs' variance."""


STAGES = 3
"""What progress counts: a few steps from many starts, many from few, and the last one to the end."""

SAME = 0.1
"""Points so close in every logarithm, and in nats, are on the way to one end."""

AT_LIMIT = 1e-3
"""So close, in log, to an end of its range a hyperparameter is at its limit."""

UNKNOWN = 1e20
"""The objective where float64 can't tell the likelihood, so that a search turns round."""


class ConvergenceError(ValueError):
    """Maximum likelihood did not converge from any start."""


@dataclass(frozen=True, eq=False)
class Fitted:
    kernel: KernelFunction | None
    noise: float | FloatArray | None
    mean: float
    report: FitReport


def maximize_likelihood(
    kernel: KernelFunction | None,
    likelihood: Likelihood,
    y: FloatArray,
    noise: FloatArray,
    mean: float | None,
    *,
    X: FloatArray | None = None,
    noise_starts: Sequence[float] | None = None,
    groups: NDArray[np.intp] | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Learn the open hyperparameters of a model: minimise -log p(y) by L-BFGS from several starts.

    The likelihood is looked at where every start is, followed a few steps from the best of them, and to the end from
    the best of those.

    Parameters
    ----------
    kernel : KernelFunction or None
        What is open of it is learned; None where the model has no kernel.
    likelihood : callable
        The density of the outputs under the kernel, the residuals y - mean and the noise variances.
    y : (m,) array
        The outputs.
    noise : (m,) array
        Noise VARIANCES; NaN where the noise is to be learned, one variance for all such rows.
    mean : float or None
        The constant mean, None to learn it.
    X : (m, d) array, optional
        Inputs, whose distances give the starts of lengthscales and periods.
    noise_starts : sequence of float, optional
        Where an open noise variance starts; shares of the outputs' variance when None.
    groups : (m,) array, optional
        Rows of one number have one open noise variance, numbered from 0; all the same when None.

    Raises
    ------
    ConvergenceError
        The gradient does not vanish at the likeliest end, and no hyperparameter is at an end of its range there.
    LossOfPrecisionError
        Nothing is to be learned, and float64 can't tell the likelihood of what is given.
    ValueError
        There is something to learn, but the outputs do not vary.
    """
    with one_thread():
        problem = Problem(kernel, likelihood, y, noise, mean, groups)
        if problem.free and len(np.unique(y)) < 2:
            raise ValueError(
                f"hyperparameters can't be learned from {len(y)} rows whose outputs do not vary: give them all, "
                "such as kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.1 and mean=0.0"
            )
        starts = problem.starts(X, noise_starts)
        best = problem.solve(problem.likeliest(starts, progress))
        progress("fit", STAGES, STAGES)
        if not best.gradient <= GRADIENT_TOLERANCE and not problem.limits(best.theta):
            raise ConvergenceError(
                f"maximum likelihood did not converge: the largest gradient entry is {best.gradient:.2g} after "
                f"{problem.evaluations} evaluations from {len(starts)} starts. Give the hyperparameters, such as "
                "kernel='rbf(lengthscale=1.0, outputscale=1.0)' and noise=0.1, or try another kernel."
            )
        return problem.fitted(best, len(starts))


class _End(NamedTuple):
    """Where one start led: theta, -log p(y) there in nats, and the largest entry of its gradient."""

    theta: FloatArray
    value: float
    gradient: float


class Problem:
    """The free parameters as one flat vector theta, and the objective on it.

    First what is open of the kernel, positive hyperparameters as logarithms; then the logarithm of the noise variance,
    or of each group's; then the mean.
    """

    def __init__(
        self,
        kernel: KernelFunction | None,
        likelihood: Likelihood,
        y: FloatArray,
        noise: FloatArray,
        mean: float | None,
        groups: NDArray[np.intp] | None = None,
    ) -> None:
        self.kernel, self.likelihood, self.groups = kernel, likelihood, groups
        self.y, self.unknown, self.known_noise = y, np.isnan(noise), np.nan_to_num(noise)
        self.evaluations = 0
        outputs = y if len(y) else np.zeros(1)
        self.variance = max(float(np.var(outputs)), np.finfo(np.float64).tiny)
        self.parameters: Sequence[Parameter] = () if kernel is None else kernel.parameters
        self.noises = 0 if not self.unknown.any() else 1 if groups is None else int(groups.max()) + 1
        self.learns_mean, self.mean = mean is None, float(np.mean(outputs)) if mean is None else mean
        own = np.empty(0) if kernel is None else kernel.theta
        self.width = len(own)
        noise_start = np.full(self.noises, np.log(NOISE_STARTS[0] * self.variance))
        self.start = np.concatenate([own, noise_start, np.full(int(self.learns_mean), self.mean)])
        self.free = len(self.start) > 0
        far = float(np.log(HYPERPARAMETER_RANGE))
        positive = np.repeat([p.positive for p in self.parameters], [p.size for p in self.parameters])
        self.bounds: list[tuple[float | None, float | None]] = [
            (value - far, value + far) if logarithm else (None, None)
            for value, logarithm in zip(own.tolist(), positive, strict=True)
        ]
        low, high = (float(np.log(bound * self.variance)) for bound in NOISE_BOUNDS)
        self.bounds += [(low, high)] * self.noises + [(None, None)] * int(self.learns_mean)

    @property
    def open_ended(self) -> bool:
        """Whether anything is to be learned."""
        return bool(self.free)

    def starts(self, X: FloatArray | None, noises: Sequence[float] | None) -> list[FloatArray]:
        """The thetas to begin from: the model's own, and those that the data suggest."""
        kernels: list[Start] = [{}]
        if X is not None and self.kernel is not None:
            kernels = kernel_starts(self.kernel.open_terms(), Distances.of(X))
        if noises is None:
            shares = NOISE_STARTS if len(kernels) > 1 else NOISE_STARTS_ALONE
            noises = [share * self.variance for share in shares]
        if not self.noises:
            noises = noises[:1]
        found = []
        for start in kernels:
            for noise in noises:
                theta, place = self.start.copy(), 0
                for parameter in self.parameters:
                    if (given := start.get((parameter.term, parameter.name))) is not None:
                        theta[place : place + parameter.size] = np.log(given)
                    place += parameter.size
                theta[self.width : self.width + self.noises] = np.log(noise)
                found.append(self.within(theta))
        return found

    def likeliest(self, starts: list[FloatArray], progress: Progress) -> FloatArray:
        """Near the likeliest end that any start leads to."""
        points = [(self.value(theta) if len(starts) > CLIMBERS else 0.0, theta) for theta in starts]
        stages = [(CLIMBERS, CLIMB), (FINALISTS, FINAL_CLIMB)][len(starts) <= FINALISTS :]
        for number, (kept, steps) in enumerate(stages):
            best = _apart(sorted(points, key=lambda point: point[0]))[:kept]
            points = [self.climb(theta, steps) for _, theta in best] if len(starts) > 1 else best
            progress("fit", number + STAGES - len(stages), STAGES)
        return min(points, key=lambda point: point[0])[1]

    def climb(self, theta: FloatArray, steps: int) -> tuple[float, FloatArray]:
        """A few steps of L-BFGS: -log p(y) in nats, and theta."""
        options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-7}
        result = minimize(self.objective, theta, jac=True, method="L-BFGS-B", bounds=self.bounds, options=options)
        return float(result.fun), result.x

    def solve(self, theta: FloatArray) -> _End:
        """Where L-BFGS from theta ends."""
        if not self.free:
            return _End(theta, self.objective(theta)[0], 0.0)
        gradient = 0.0
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
        return _End(theta, self.objective(theta)[0], gradient)

    def at(self, theta: FloatArray) -> Fitted:
        """The hyperparameters that theta stands for."""
        report = FitReport(float("nan"), float("nan"), self.evaluations, 0)
        return Fitted(self._kernel(theta), self._noise(theta), self._mean(theta), report)

    def fitted(self, end: _End, starts: int) -> Fitted:
        """The model at an end."""
        noise = self._noise(end.theta)
        report = FitReport(
            log_likelihood=-end.value,
            gradient=end.gradient,
            evaluations=self.evaluations,
            starts=starts,
            noise_at_bound=self._noise_at_bound(noise),
            limits=self.limits(end.theta),
        )
        return Fitted(self._kernel(end.theta), noise, self._mean(end.theta), report)

    def _steepest(self, theta: FloatArray, slope: FloatArray) -> float:
        return float(np.max(np.abs(_projected(theta, slope, self.bounds))))

    def _polished(self, theta: FloatArray, gradient: float) -> tuple[FloatArray, float]:
        """Newton steps on the gradient: theta and its largest gradient entry.

        The rounding of the likelihood of many rows, some 1e-11 of it, hides the last of the ascent from a line search;
        the gradient itself is known better. A step, or a part of it, is kept if it makes the largest
        entry smaller.
        """
        for _ in range(POLISH_ROUNDS):
            slope = _projected(theta, self.objective(theta)[1], self.bounds)
            H, pinned = self.curvature(theta, POLISH_STEP), slope == 0.0
            H[pinned] = H[:, pinned] = 0.0  # what is at its bound stays there
            values, vectors = np.linalg.eigh(H)
            curvature = np.maximum(np.abs(values), gradient)  # so that flat directions go about 1 far
            step = vectors @ (vectors.T @ slope / curvature)
            for share in (1.0, 0.25, 0.0625):
                after = self.within(theta - share * step)
                steepest = self._steepest(after, self.objective(after)[1])
                if steepest < gradient:
                    break
            else:
                break
            theta, gradient = after, steepest
        return theta, gradient

    def curvature(self, theta: FloatArray, step: float = 1e-4) -> FloatArray:
        """The Hessian, by differences of gradients."""
        slopes = [
            self.objective(theta + step * unit)[1] - self.objective(theta - step * unit)[1]
            for unit in np.eye(len(theta))
        ]
        H = np.array(slopes) / (2.0 * step)
        return np.asarray(0.5 * (H + H.T))

    def limits(self, theta: FloatArray) -> tuple[str, ...]:
        """The hyperparameters, by name, that are at an end of the range in which they are looked for."""
        names = [parameter.label for parameter in self.parameters for _ in range(parameter.size)]
        names += ["noise"] * self.noises + ["mean"] * int(self.learns_mean)
        found = [
            name
            for name, value, (low, high) in zip(names, theta, self.bounds, strict=True)
            if low is not None and high is not None and min(value - low, high - value) < AT_LIMIT
        ]
        return tuple(dict.fromkeys(found))

    def _kernel(self, theta: FloatArray) -> KernelFunction | None:
        return self.kernel.at(theta[: self.width]) if self.kernel is not None and self.width else self.kernel

    def _noise(self, theta: FloatArray) -> float | FloatArray | None:
        """The noise variance, or that of each group of rows; None where none is open."""
        if not self.noises:
            return None
        noise = np.exp(theta[self.width : self.width + self.noises])
        return float(noise[0]) if self.groups is None else noise

    def _mean(self, theta: FloatArray) -> float:
        return float(theta[-1]) if self.learns_mean else self.mean

    def _noise_at_bound(self, noise: float | FloatArray | None) -> bool:
        shares = np.atleast_1d(np.empty(0) if noise is None else np.asarray(noise) / self.variance)
        return not bool(np.all((NOISE_BOUNDS[0] * 1.001 < shares) & (shares < NOISE_BOUNDS[1] / 1.001)))

    def value(self, theta: FloatArray) -> float:
        """The negative log marginal likelihood (nats)."""
        density = self._density(theta)
        return UNKNOWN if density is None else -density.value

    def _density(self, theta: FloatArray) -> Density | None:
        self.evaluations += 1
        noise = self.known_noise
        if self.noises:
            opened = np.exp(theta[self.width : self.width + self.noises])
            noise = np.where(self.unknown, opened[0 if self.groups is None else self.groups], noise)
        return self.likelihood(self._kernel(theta), self.y - self._mean(theta), noise)

    def objective(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The negative log marginal likelihood (nats) and its gradient."""
        density = self._density(theta)
        if density is None and not self.free:
            raise LossOfPrecisionError(
                "the likelihood of the pooled data can't be told in float64 with the hyperparameters given: the noise "
                "variance is too small against what the model expects of the outputs. Give a larger noise, or learn it."
            )
        if density is None:
            return UNKNOWN, np.zeros_like(theta)
        if not self.free:
            return -density.value, np.empty(0)
        slopes = density.slopes()
        parts = [slopes.theta]
        if self.noises:
            owner = np.zeros(len(self.y), dtype=np.intp) if self.groups is None else self.groups
            open_ones = np.where(self.unknown, slopes.noise, 0.0)
            noise = np.exp(theta[self.width : self.width + self.noises])
            parts.append(noise * np.bincount(owner, open_ones, minlength=self.noises))
        if self.learns_mean:
            parts.append(np.array([-slopes.residuals.sum()]))
        return -density.value, -np.concatenate(parts)

    def theta_of(
        self, kernel: KernelFunction | None, noise: float | FloatArray | None, mean: float | None
    ) -> FloatArray:
        """What stands for the hyperparameters of a kernel like this one, noise (one, or of each group), and a mean."""
        parts = [np.empty(0) if self.kernel is None else self.kernel.theta_of(kernel)]
        if self.noises:
            parts.append(np.log(np.atleast_1d(float("nan") if noise is None else noise)))
        if self.learns_mean:
            parts.append(np.full(1, float("nan") if mean is None else mean))
        return np.concatenate(parts)

    def within(self, theta: FloatArray) -> FloatArray:
        low = np.array([-np.inf if bound is None else bound for bound, _ in self.bounds])
        high = np.array([np.inf if bound is None else bound for _, bound in self.bounds])
        return np.asarray(np.clip(theta, low, high)) if self.bounds else theta


def _apart(points: Sequence[tuple[float, FloatArray]]) -> list[tuple[float, FloatArray]]:
    """The points, each with its value, without those that are all but where an earlier one is."""
    kept: list[tuple[float, FloatArray]] = []
    for value, theta in points:
        if not any(value - v < SAME and np.all(np.abs(theta - t) < SAME) for v, t in kept):
            kept.append((value, theta))
    return kept


def _projected(theta: FloatArray, slope: FloatArray, bounds: list[tuple[float | None, float | None]]) -> FloatArray:
    """The gradient without the entries that push against an active bound."""
    projected = slope.copy()
    for k, (low, high) in enumerate(bounds):
        pushes_down = low is not None and theta[k] <= low and slope[k] > 0
        pushes_up = high is not None and theta[k] >= high and slope[k] < 0
        if pushes_down or pushes_up:
            projected[k] = 0.0
    return projected
