"""Hyperparameters that are about as likely as the likeliest, where the likelihood is flat or has several ends.

A value of the model, such as v_N, is a function of its hyperparameters theta. Its profile-likelihood interval is what
it takes on {theta : log p(y | theta) >= max - drop}, with drop = 1.35 nats for 90 %. That needs no curvature, which is
singular where a likelihood is flat, and no prior; where the likelihood is Gaussian in theta it is Laplace's interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from guerdon.linalg import LossOfPrecisionError
from guerdon.models.maximum_likelihood import CLIMBERS
from guerdon.threads import one_thread
from guerdon.types import FloatArray

__all__ = ["Search", "likely_thetas", "spread_of_values"]

LIKELY = 12
"""Models of about the same likelihood that are looked at more closely."""

CLIMBS = 30
"""Steps of L-BFGS from each of the likeliest starts."""

OTHERS, SHORT = 3, 12
"""Where the likeliest theta is known: so many of the likeliest starts, followed for so many steps, may be as likely."""

ENOUGH = 60
"""Evaluations of the likelihood after which no further walk begins; the first is always made."""

OPEN = 10.0
"""Where values differ by more than this factor they are open enough, and are looked for no farther."""

SWEEPS = 3
"""Walks from the likeliest theta, and then from those of the least and the largest value found."""

REACH = 2.0
"""How far a first step goes at most, in e-folds of a hyperparameter, where the curvature says it could go anywhere."""

FARTHEST = 40
"""Steps in one direction at most, each 1.5 times as far as the last."""


class Search(Protocol):
    """-log p of hyperparameters theta, in nats, and how it is searched."""

    evaluations: int

    @property
    def open_ended(self) -> bool:
        """Whether anything is to be learned."""
        ...

    def starts(self, X: FloatArray | None, noises: Sequence[float] | None) -> list[FloatArray]: ...
    def value(self, theta: FloatArray) -> float: ...
    def climb(self, theta: FloatArray, steps: int) -> tuple[float, FloatArray]: ...
    def solve(self, theta: FloatArray) -> Any: ...
    def within(self, theta: FloatArray) -> FloatArray: ...
    def curvature(self, theta: FloatArray) -> FloatArray: ...


def likely_thetas(
    problem: Search,
    X: FloatArray | None,
    drop: float,
    value: Callable[[FloatArray], float],
    likeliest: FloatArray | None = None,
) -> list[tuple[FloatArray, float]]:
    """Thetas (the likeliest first) whose log-likelihood is within ``drop`` nats of the largest, with their values.

    Walks along the eigenvectors of the curvature, in both directions until the likelihood has fallen by ``drop``; from
    the likeliest theta of all starts, and then from wherever ``value`` was least and largest. The extremes of the
    values found are those of the whole set or, where it is curved, inside of them. Where the ``likeliest`` theta is
    known, as ``fit`` finds it, it is not looked for again.
    """
    with one_thread():
        if not problem.open_ended:
            theta = np.empty(0)
            return [(theta, value(theta))]
        looked_at = [(problem.value(theta), theta) for theta in problem.starts(X, None)]
        starts = sorted(looked_at, key=lambda start: start[0])
        climbers, steps = (CLIMBERS, CLIMBS) if likeliest is None else (OTHERS, SHORT)
        ends = sorted((problem.climb(theta, steps) for _, theta in starts[:climbers]), key=lambda end: end[0])
        best = problem.solve(ends[0][1]).theta if likeliest is None else likeliest
        least = min(problem.value(best), ends[0][0])
        inside = [best, *(theta for height, theta in [*ends, *starts] if height <= least + drop)]
        found = [(theta, v) for theta in inside if (v := _known(value, theta)) is not None]
        walked: list[FloatArray] = []
        begun = problem.evaluations
        for sweep in range(SWEEPS):
            if sweep and found and max(v for _, v in found) > OPEN * min(v for _, v in found):
                break
            if sweep and problem.evaluations - begun > ENOUGH:
                break
            extremes = [pick(found, key=lambda pair: pair[1])[0] for pick in (min, max)] if sweep and found else [best]
            for base in extremes:
                if not any(np.array_equal(base, before) for before in walked):
                    walked.append(base)
                    near = _walk(problem, base, least + drop)
                    found += [(theta, v) for theta in near if (v := _known(value, theta)) is not None]
        return found


def spread_of_values(found: list[tuple[FloatArray, float]]) -> list[tuple[FloatArray, float]]:
    """The first, and others evenly spread over the ranks of their values, both extremes among them."""
    ranked = sorted(found[1:], key=lambda pair: pair[1])
    if not ranked:
        return found
    places = np.unique(np.linspace(0, len(ranked) - 1, LIKELY).round().astype(int))
    return [*found[:1], *(ranked[k] for k in places.tolist())]


def _walk(problem: Search, base: FloatArray, limit: float) -> list[FloatArray]:
    """Thetas along the eigenvectors of the curvature at ``base`` with an objective of at most ``limit``."""
    curvature, vectors = np.linalg.eigh(problem.curvature(base))
    room = max(limit - problem.value(base), 0.0)
    found = []
    for bend, direction in zip(curvature, vectors.T, strict=True):
        first = min(np.sqrt(2.0 * room / bend), REACH) if bend > 0.0 else REACH
        for sign in (-1.0, 1.0):
            step, last = 0.5 * first, base
            for _ in range(FARTHEST):
                theta = problem.within(base + sign * step * direction)
                if np.array_equal(theta, last) or problem.value(theta) > limit:
                    break
                found.append(theta)
                step, last = 1.5 * step, theta
    return found


def _known(value: Callable[[FloatArray], float], theta: FloatArray) -> float | None:
    try:
        return value(theta)
    except LossOfPrecisionError:
        return None
