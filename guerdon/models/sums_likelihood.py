"""The likelihood of noise variances and party effects, from what is left of each party's rows when they are rotated.

Party i's rows F_i = diag(sqrt g) U', z_i (``party_effects.rotated``), and further numbers whose squares sum to e_i.
With w ~ N(0, I) and the variances d_ij = s_i + beside_ij + tau2_i g_ij of z_ij given w,

    -2 log p = sum_ij [log d_ij + z_ij^2 / d_ij] + log det A - h' A^-1 h + sum_i [further_i log s_i + e_i / s_i],
    A = I + sum_i F_i' D_i^-1 F_i,   h = sum_i F_i' D_i^-1 z_i,   but for a constant.

Its slopes: d(-2 log p)/d d_ij = 1 / d_ij - [(z_ij - f' mu)^2 + f' A^-1 f] / d_ij^2 with mu = A^-1 h. It can have
several maxima, of which each says another party's data to be those that differ; it is followed from starts of each
kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from guerdon.models.maximum_likelihood import GRADIENT_TOLERANCE, NOISE_BOUNDS, ConvergenceError
from guerdon.models.protocols import FitReport
from guerdon.threads import one_thread
from guerdon.types import FloatArray

__all__ = ["End", "RotatedRows", "SumsLikelihood"]

MOST_EFFECT = 1e4
"""The largest variance of a party's weights, in units of the shared weights' prior variance."""

APART = 30.0
"""Where a party is taken to differ at a start: its rows tell of the shared weights about so many times less."""

CLIMBERS, CLIMB = 6, 30
"""So many of the likeliest starts are followed for so many steps, and the likeliest of them to the end."""

ROUNDS = 6
"""Restarts of L-BFGS from where it stopped, at most."""

FLOOR = 1e-12
"""A share of the outputs' mean square that stands for a noise variance where rows leave nothing over."""


@dataclass(frozen=True, eq=False)
class RotatedRows:
    """What one party's rows are, rotated.

    Attributes
    ----------
    F : (k, M) array
        Orthogonal rows.
    z : (k,) array
    beside : (k,) array
        VARIANCES beside the noise, of sums with noise of their own; else 0.
    further : float
        How many numbers there are beside z.
    left : float
        The sum of their squares.
    noise : float
        The noise VARIANCE where it is known; NaN where it is to be learned.
    group : int
        Which of the open noise variances it has; of no account where it is known.
    effect : float
        tau2 where it is known; NaN where it is to be learned.
    """

    F: FloatArray
    z: FloatArray
    beside: FloatArray
    further: float
    left: float
    noise: float
    group: int
    effect: float


class End(NamedTuple):
    """Where one start led: theta, -log p there in nats, and the largest entry of its gradient."""

    theta: FloatArray
    value: float
    gradient: float


class SumsLikelihood:
    """-log p of theta: the logarithms of the open noise variances, and for each open effect x, tau2 = unit (e^x - 1).

    So x = 0 is tau2 = 0 itself, with a slope, and far out x is a logarithm. ``unit`` is the effect at which a party's
    rows tell half of what they would without.
    """

    def __init__(self, parts: Sequence[RotatedRows]) -> None:
        self.parts = parts
        self.M = parts[0].F.shape[1]
        self.g = [np.square(p.F).sum(axis=1) for p in parts]
        self.evaluations = 0
        of_noise = [k for k, p in enumerate(parts) if np.isnan(p.noise)]
        self.noises = 1 + max((parts[k].group for k in of_noise), default=-1)
        self.effects = [k for k, p in enumerate(parts) if np.isnan(p.effect)]
        self.free = self.noises + len(self.effects)
        squares = sum(float(p.z @ p.z) + p.left for p in parts)
        rows = sum(len(p.z) + p.further for p in parts)
        self.scale = squares / rows if squares > 0.0 else 1.0
        self.start = np.full(self.noises, np.log(self.scale))
        for group in range(self.noises):
            members = [parts[k] for k in of_noise if parts[k].group == group]
            further, left = sum(p.further for p in members), sum(p.left for p in members)
            if further > 0.0 and left > 0.0:
                self.start[group] = np.log(max(left / further, NOISE_BOUNDS[0] * self.scale))
        noise = [np.exp(self.start[p.group]) if np.isnan(p.noise) else p.noise for p in parts]
        self.unit = np.array([noise[k] / max(float(self.g[k].mean()), FLOOR) for k in self.effects])
        low, high = np.log(np.array(NOISE_BOUNDS) * self.scale)
        farthest = np.log1p(MOST_EFFECT / self.unit)
        self.bounds = [(low, high)] * self.noises + [(0.0, float(most)) for most in farthest]

    @property
    def open_ended(self) -> bool:
        """Whether anything is to be learned."""
        return self.free > 0

    def variances(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """s (n,) and tau2 (n,) that theta stands for."""
        s, tau2 = np.exp(theta[: self.noises]), self.unit * np.expm1(theta[self.noises :])
        noise = np.array([s[p.group] if np.isnan(p.noise) else p.noise for p in self.parts])
        effect = np.array([p.effect for p in self.parts])
        effect[self.effects] = tau2
        return noise, effect

    def objective(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """-log p in nats, and its gradient."""
        self.evaluations += 1
        noise, effect = self.variances(theta)
        D = [s + p.beside + t * g for p, s, t, g in zip(self.parts, noise, effect, self.g, strict=True)]
        A, h, total, rows = np.eye(self.M), np.zeros(self.M), 0.0, 0.0
        for p, d, s in zip(self.parts, D, noise, strict=True):
            white = p.F / d[:, None]
            A += p.F.T @ white
            h += white.T @ p.z
            total += float(np.sum(np.log(d) + np.square(p.z) / d)) + p.further * np.log(s) + p.left / s
            rows += len(d) + p.further
        L = np.linalg.cholesky(A)
        inverse = np.linalg.inv(L)
        mu = inverse.T @ (inverse @ h)
        total += 2.0 * float(np.log(np.diagonal(L)).sum()) - float(h @ mu) + rows * np.log(2.0 * np.pi)
        slope = np.zeros(self.free)
        at_effect = np.zeros(len(self.parts))
        for k, (p, d, s) in enumerate(zip(self.parts, D, noise, strict=True)):
            known = np.square(p.F @ inverse.T).sum(axis=1)
            by_d = 1.0 / d - (np.square(p.z - p.F @ mu) + known) / np.square(d)
            if np.isnan(p.noise):
                slope[p.group] += 0.5 * s * (float(by_d.sum()) + p.further / s - p.left / s**2)
            at_effect[k] = 0.5 * float(by_d @ self.g[k])
        slope[self.noises :] = at_effect[self.effects] * self.unit * np.exp(theta[self.noises :])
        return 0.5 * total, slope

    def value(self, theta: FloatArray) -> float:
        """-log p in nats."""
        return self.objective(theta)[0]

    def starts(self, X: FloatArray | None = None, noises: Sequence[float] | None = None) -> list[FloatArray]:
        """No party differs, all do, each alone does, each alone does not."""
        n = len(self.effects)
        one = np.eye(n) if n > 1 else np.empty((0, n))
        shapes = np.concatenate([np.zeros((1, n)), np.ones((min(n, 1), n)), one, 1.0 - one]) * np.log1p(APART)
        return [self.within(np.concatenate([self.start, x])) for x in shapes]

    def climb(self, theta: FloatArray, steps: int) -> tuple[float, FloatArray]:
        """A few steps of L-BFGS: -log p in nats, and theta."""
        result = minimize(
            self.objective, theta, jac=True, method="L-BFGS-B", bounds=self.bounds, options={"maxiter": steps}
        )
        return float(result.fun), result.x

    def solve(self, theta: FloatArray) -> End:
        """Where L-BFGS from theta ends."""
        if not self.free:
            return End(theta, self.value(theta), 0.0)
        options = {"maxiter": 1000, "maxfun": 2000, "ftol": 1e-15, "gtol": 1e-7, "maxcor": 20}
        for _ in range(ROUNDS):
            result = minimize(self.objective, theta, jac=True, method="L-BFGS-B", bounds=self.bounds, options=options)
            stuck, theta = np.array_equal(theta, result.x), result.x
            value, slope = self.objective(theta)
            low, high = np.reshape(self.bounds, (-1, 2)).T
            pushed = ((theta <= low) & (slope > 0.0)) | ((theta >= high) & (slope < 0.0))
            steepest = float(np.max(np.abs(np.where(pushed, 0.0, slope))))
            if stuck or steepest <= 1e-3 * GRADIENT_TOLERANCE:
                break
        return End(theta, value, steepest)

    def likeliest(self) -> End:
        """The likeliest end of all starts.

        Raises
        ------
        ConvergenceError
            The gradient does not vanish there.
        """
        with one_thread():
            starts = self.starts()
            looked_at = sorted(((self.value(theta), k) for k, theta in enumerate(starts)))
            ends = [self.climb(starts[k], CLIMB) for _, k in looked_at[:CLIMBERS]]
            end = self.solve(min(ends, key=lambda end: end[0])[1])
        if not end.gradient <= GRADIENT_TOLERANCE:
            raise ConvergenceError(
                f"maximum likelihood did not converge: the largest gradient entry is {end.gradient:.2g} after "
                f"{self.evaluations} evaluations. Give the noise, as noise=0.1, or leave effects='by-party' out"
            )
        return end

    def report(self, end: End) -> FitReport:
        """How it ended."""
        low, high = np.reshape(self.bounds, (-1, 2)).T[:, : self.noises]
        at = end.theta[: self.noises]
        at_bound = bool(np.any((at <= low + 1e-3) | (at >= high - 1e-3)))
        return FitReport(-end.value, end.gradient, self.evaluations, len(self.starts()), at_bound)

    def within(self, theta: FloatArray) -> FloatArray:
        low, high = np.reshape(self.bounds, (-1, 2)).T
        return np.asarray(np.clip(theta, low, high))

    def curvature(self, theta: FloatArray, step: float = 1e-4) -> FloatArray:
        """The Hessian, by differences of gradients."""
        slopes = [self.objective(theta + step * e)[1] - self.objective(theta - step * e)[1] for e in np.eye(self.free)]
        H = np.array(slopes) / (2.0 * step)
        return np.asarray(0.5 * (H + H.T))
