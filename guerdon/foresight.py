"""A verdict before signing: who can expect to gain from pooling sums, from sizes, features and epsilons alone.

Rows are taken to have M features phi = (x, 1) with x ~ N(0, I) and outputs y = w' phi + N(0, s), so that sums over m
rows can be drawn without rows: Phi' Phi is a Wishart matrix beside its row and column of the constant, and Phi' y =
Phi' Phi w + N(0, s Phi' Phi). A party's noise goes on top, and what is left of its sums is its effective Gram matrix
A_i = U diag(g^2 / (s g + t)) U' (``guerdon.types.Statistics``). With E the mean over these random matrices,

    v_C = E 1/2 log det(I + sum_{i in C} A_i)     what the mediator can make of the coalition's sums
    alone_i = E 1/2 log det(I + G_i / s)          what a party's rows are worth at home, without noise
    error = E |w^ - w|^2 / |w|^2                  1 is as bad as predicting the mean

where w^ is the mean of the weights by the party's own model, or by its reward. Rewards are r_i = (phi_i / phi*)^rho
v_N, made by noise of variance eta_i on the others' outputs. Nats say how sure a model is of its weights; whether a
party gains is judged by the error: beyond s, a prediction is off by |w|^2 times it, in the mean of its square.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal, cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtr, gammaincinv

from guerdon.models.statistics import WARY
from guerdon.privacy import LARGEST, Bounds, check_promise, noise_multiplier, noisy_sums
from guerdon.rewards import RhoShapley
from guerdon.shapley import exact_shapley
from guerdon.types import FloatArray, Statistics, TableGame

__all__ = [
    "EPSILONS",
    "LEAST_GAIN",
    "MOST_FEATURES",
    "MOST_PARTIES",
    "TIMES",
    "Assumptions",
    "Foreseen",
    "Prospect",
    "foresee",
    "require_setting",
    "thresholds",
]

MOST_PARTIES = 8
"""Every coalition is valued in every draw, for each number that is tried on the way to a threshold."""

MOST_FEATURES = 200

LEAST_GAIN = 0.01
"""A party gains, or loses, where its error falls or grows by more than this share; in between it is about even."""

EPSILONS, TIMES = (0.01, LARGEST), (0.01, 1000.0)
"""How far thresholds are looked for."""

WITHIN = 1.05
"""And how near they are known."""

SHARE_WITHIN = 0.9
"""Of public rows so many are within the bound that follows from them (``guerdon.models.sums``)."""


@dataclass(frozen=True)
class Assumptions:
    """What is taken for granted of rows that nobody has seen.

    Parameters
    ----------
    features : int
        M, the constant among them.
    noise : float
        s, the VARIANCE of outputs given the features, where outputs have variance 1.
    weights : float, optional
        |w|^2, what features explain of the outputs; 1 - s when None. The model's own belief is w ~ N(0, I).
    norm : float, optional
        R, what rows are clipped to where noise is added, in standard deviations; when None the length that nine rows in
        ten are within, as a run with public rows has it. Bounds of a schema are wider: sqrt(M) times half a column's
        range over its standard deviation.
    output : float
        Y, what outputs are clipped to, in standard deviations.
    delta : float
        Of everybody's promise.
    rho : float or str
        As ``RhoShapley`` has it.
    draws : int
        Random matrices that are averaged.
    seed : int
        Same seed, same matrices.

    Raises
    ------
    ValueError
        A number is out of range; the message names it.
    """

    features: int
    noise: float = 0.5
    weights: float | None = None
    norm: float | None = None
    output: float = 3.0
    delta: float = 1e-5
    rho: float | Literal["rational", "stable"] = "stable"
    draws: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.features <= MOST_FEATURES:
            raise ValueError(
                f"features is a whole number from 2 (the constant is one) to {MOST_FEATURES}, got {self.features!r}"
            )
        if not 0.0 < self.noise < math.inf:
            raise ValueError(f"noise is a variance above 0, got {self.noise!r}")
        if self.weights is None and self.noise >= 1.0:
            raise ValueError(
                f"noise is the part of the outputs' variance of 1 that features do not explain: below 1, got "
                f"{self.noise!r}. Where outputs vary by more, say by how much features move them (weights)"
            )
        for name, value in (("weights", self.weights), ("norm", self.norm), ("output", self.output)):
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError(f"{name} is a number above 0, got {value!r}")
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"delta is a probability between 0 and 1, such as 1e-5, got {self.delta!r}")
        if not 2 <= self.draws <= 10_000:
            raise ValueError(f"draws is a whole number from 2 to 10,000, got {self.draws!r}")
        RhoShapley(self.rho)

    @property
    def weight_square(self) -> float:
        """|w|^2."""
        return 1.0 - self.noise if self.weights is None else self.weights

    @cached_property
    def bounds(self) -> Bounds:
        """R and Y."""
        suggested = math.sqrt(1.0 + 2.0 * float(gammaincinv(0.5 * (self.features - 1), SHARE_WITHIN)))
        return Bounds(suggested if self.norm is None else self.norm, self.output)

    @cached_property
    def kept(self) -> float:
        """What clipping leaves of Phi' Phi: E min(|phi|^2, R^2) / M, |phi|^2 being 1 and chi-squared of M - 1."""
        M, beyond = self.features, max(0.0, self.bounds.norm**2 - 1.0)
        within, longer = chdtr(M - 1, beyond), chdtr(M + 1, beyond)
        return float((within + (M - 1) * longer + self.bounds.norm**2 * (1.0 - within)) / M)


@dataclass(frozen=True)
class Prospect:
    """What a party can expect.

    Attributes
    ----------
    rows : int
    epsilon : float
        inf without noise.
    alone : float
        Nats that its rows are worth to itself.
    value : float
        Nats that its sums are worth to the mediator, v_i.
    reward : float
        Nats that its reward is worth, r_i.
    error_alone : float
        Expected |w^ - w|^2 / |w|^2 of its model alone.
    error_reward : float
        And of its reward.
    better : float
        Share of the draws in which its reward is nearer the truth than its model alone.
    """

    rows: int
    epsilon: float
    alone: float
    value: float
    reward: float
    error_alone: float
    error_reward: float
    better: float

    @property
    def gain(self) -> float:
        """Nats of the reward over those alone."""
        return self.reward - self.alone

    @property
    def verdict(self) -> Literal["gains", "about even", "loses"]:
        """Whether it predicts better with its reward than alone, by more than 1 % of its error."""
        change = self.error_reward - self.error_alone
        if abs(change) <= LEAST_GAIN * self.error_alone:
            return "about even"
        return "gains" if change < 0.0 else "loses"


@dataclass(frozen=True)
class Foreseen:
    """What all can expect.

    Attributes
    ----------
    parties : tuple of Prospect
    pool : float
        v_N in nats; 0 where the noise leaves nothing.
    rho : float
    """

    parties: tuple[Prospect, ...]
    pool: float
    rho: float


def foresee(rows: Sequence[int], epsilons: Sequence[float], assumed: Assumptions) -> Foreseen:
    """What parties of so many rows can expect, each with its epsilon (inf: no noise).

    Raises
    ------
    ValueError
        Lists of different lengths, too many parties, a party without rows, an epsilon that promises nothing.

    Examples
    --------
    >>> assumed = Assumptions(features=15, draws=8)
    >>> seen = [foresee([227, 220, 91, 107], [epsilon] * 4, assumed) for epsilon in (1.0, math.inf)]
    >>> [[party.verdict for party in each.parties] for each in seen]
    [['loses', 'loses', 'loses', 'loses'], ['gains', 'gains', 'gains', 'gains']]
    """
    require_setting(rows, epsilons, assumed)
    return _foreseen([_Draws(m, e, k, assumed) for k, (m, e) in enumerate(zip(rows, epsilons, strict=True))], assumed)


def thresholds(rows: Sequence[int], epsilons: Sequence[float], assumed: Assumptions) -> list[tuple[float, float]]:
    """For each party the epsilon of its own, and the times everybody's rows, at which its verdict turns.

    Each is the nearest one to what is given, found by doubling or halving and then closing in, all else as it is. A
    party gains from there on; inf: not up to epsilon = 100, or 1,000 times the rows; 0: also at epsilon = 0.01, or at
    a hundredth of the rows.

    Returns
    -------
    list of (epsilon, times)
        One pair a party.
    """
    require_setting(rows, epsilons, assumed)
    drawn = [_Draws(m, e, k, assumed) for k, (m, e) in enumerate(zip(rows, epsilons, strict=True))]
    grown: dict[float, Foreseen] = {}

    def gains_at_epsilon(i: int, epsilon: float) -> bool:
        others = [replace(drawn[i], epsilon=epsilon) if k == i else d for k, d in enumerate(drawn)]
        return _foreseen(others, assumed, only=i).parties[0].verdict == "gains"

    def gains_at_times(i: int, times: float) -> bool:
        if times not in grown:
            grown[times] = _foreseen([replace(d, rows=max(1, round(times * d.rows))) for d in drawn], assumed)
        return grown[times].parties[i].verdict == "gains"

    return [
        (
            _turns(partial(gains_at_epsilon, i), min(epsilons[i], LARGEST), *EPSILONS),
            _turns(partial(gains_at_times, i), 1.0, *TIMES),
        )
        for i in range(len(rows))
    ]


def _turns(holds: Callable[[float], bool], start: float, least: float, most: float) -> float:
    """Where, nearest to the start, it begins to hold; 0 where it does down to the least, inf where it never does."""
    here = holds(start)
    known, tried = start, start
    while holds(tried) == here:
        known = tried
        if tried == (least if here else most):
            return 0.0 if here else math.inf
        tried = max(least, 0.5 * tried) if here else min(most, 2.0 * tried)
    fails, works = (tried, known) if here else (known, tried)
    while works / fails > WITHIN:
        middle = math.sqrt(fails * works)
        fails, works = (fails, middle) if holds(middle) else (middle, works)
    return works


def require_setting(rows: Sequence[int], epsilons: Sequence[float], assumed: Assumptions) -> None:
    """Refuse what can't be foreseen, before anything is drawn.

    Raises
    ------
    ValueError
        Lists of different lengths, too many parties, a party without rows, an epsilon that promises nothing.
    """
    if len(rows) != len(epsilons):
        raise ValueError(f"each party has rows and an epsilon (inf without noise), got {len(rows)} and {len(epsilons)}")
    if not 1 <= len(rows) <= MOST_PARTIES:
        raise ValueError(f"from 1 to {MOST_PARTIES} parties can be foreseen, got {len(rows)}")
    for m in rows:
        if m != int(m) or not 1 <= m <= 10**9:
            raise ValueError(f"rows are whole numbers from 1 to 1,000,000,000, got {m!r}")
    for epsilon in epsilons:
        if epsilon != math.inf:
            check_promise(epsilon, assumed.delta)


@dataclass(frozen=True)
class _Draws:
    """A party's sums, drawn; in each draw the same normal numbers whatever its rows and epsilon."""

    rows: int
    epsilon: float
    place: int
    assumed: Assumptions

    @cached_property
    def truth(self) -> FloatArray:
        """The weights of each draw, the same for all parties: (draws, M), of the length assumed, 0 for the constant."""
        rng = np.random.default_rng([self.assumed.seed, 0])
        w = rng.standard_normal((self.assumed.draws, self.assumed.features))
        w[:, -1] = 0.0
        return np.asarray(w * np.sqrt(self.assumed.weight_square) / np.linalg.norm(w, axis=1, keepdims=True))

    @cached_property
    def exact(self) -> tuple[FloatArray, FloatArray]:
        """Phi' Phi (draws, M, M) and Phi' y (draws, M) of the party's rows as they are."""
        K, M = self.assumed.draws, self.assumed.features
        rng = np.random.default_rng([self.assumed.seed, 1, self.place])
        # Bartlett: Phi' Phi = T T', the first column of T of the constant, then chi on the diagonal, normal below it
        T = np.tril(rng.standard_normal((K, M, M)), -1)
        uniform = rng.random((K, M))
        freedom = self.rows - np.arange(M)
        T[:, np.arange(M), np.arange(M)] = np.sqrt(2.0 * gammaincinv(0.5 * np.maximum(freedom, 1), uniform))
        T[:, 0, 0] = math.sqrt(self.rows)
        T[:, :, freedom < 1] = 0.0  # fewer rows than features
        T = T[:, ::-1, :]  # the constant last
        moment = np.sqrt(self.assumed.noise) * np.einsum("kij,kj->ki", T, rng.standard_normal((K, M)))
        gram = T @ T.transpose(0, 2, 1)
        return gram, moment + np.einsum("kij,kj->ki", gram, self.truth)

    @cached_property
    def alone(self) -> tuple[float, FloatArray]:
        """What the rows are worth to the party itself, and the errors of its model (draws,)."""
        gram, moment = self.exact
        return _worth(gram / self.assumed.noise), self.errors(gram / self.assumed.noise, moment / self.assumed.noise)

    @cached_property
    def sent(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What is sent, as rows: F (draws, M, M), z and the variances beside the noise (draws, M); 0 where none is."""
        gram, moment = self.exact
        K, M = moment.shape
        F, z, beside = np.zeros((K, M, M)), np.zeros((K, M)), np.zeros((K, M))
        private = self.epsilon != math.inf
        rng = np.random.default_rng([self.assumed.seed, 2, self.place])
        multiplier = noise_multiplier(self.epsilon, self.assumed.delta) if private else 0.0
        kept = self.assumed.kept if private else 1.0
        for k in range(K):
            sums = Statistics("party", kept * gram[k], kept * moment[k], math.nan, self.rows)  # y' y is not used
            if private:
                sums = noisy_sums(sums, self.assumed.bounds, multiplier, rng.standard_normal)
            rows = sums.like_rows(WARY * M)
            r = len(rows[1])
            F[k, :r], z[k, :r], beside[k, :r] = rows
        return F, z, beside

    def effective(self, eta: float = 0.0) -> FloatArray:
        """A_i of each draw with noise of variance eta on the outputs: (draws, M, M)."""
        F, _, beside = self.sent
        return np.asarray(F.transpose(0, 2, 1) @ (F / (self.assumed.noise + eta + beside)[:, :, None]))

    def moment(self, eta: float = 0.0) -> FloatArray:
        """h_i of each draw, with that noise drawn: (draws, M)."""
        F, z, beside = self.sent
        noise = np.random.default_rng([self.assumed.seed, 3, self.place]).standard_normal(z.shape)
        weighed = (z + math.sqrt(eta) * noise) / (self.assumed.noise + eta + beside)
        return np.asarray(np.einsum("kri,kr->ki", F, weighed))

    def errors(self, precision: FloatArray, moment: FloatArray) -> FloatArray:
        """|w^ - w|^2 / |w|^2 of each draw."""
        eye = np.eye(precision.shape[-1])
        mean = np.linalg.solve(precision + eye, moment[..., None])[..., 0]
        return np.asarray(np.square(mean - self.truth).sum(axis=1) / self.assumed.weight_square)


def _worth(precision: FloatArray) -> float:
    """E 1/2 log det(I + A), in nats."""
    return 0.5 * float(np.linalg.slogdet(precision + np.eye(precision.shape[-1]))[1].mean())


def _foreseen(drawn: Sequence[_Draws], assumed: Assumptions, only: int | None = None) -> Foreseen:
    n = len(drawn)
    effective = [d.effective() for d in drawn]
    table = np.zeros(2**n)
    sums = [np.zeros_like(effective[0])]
    for mask in range(1, 2**n):
        top = mask.bit_length() - 1
        sums.append(sums[mask ^ (1 << top)] + effective[top])
        table[mask] = _worth(sums[mask])
    pool = float(table[-1])
    values, rho = np.zeros(n), 0.0
    if pool > 0.0:  # else the noise left nothing of anybody's sums
        shapley = np.maximum(exact_shapley(table), 0.0)  # below 0 by rounding only: what is told is monotone
        targets = RhoShapley(assumed.rho)(shapley, TableGame(table))
        values, rho = targets.values, cast(float, targets.rho)
    wanted = range(n) if only is None else (only,)
    return Foreseen(tuple(_prospect(i, drawn, effective, float(values[i]), pool, assumed) for i in wanted), pool, rho)


def _prospect(
    i: int, drawn: Sequence[_Draws], effective: Sequence[FloatArray], reward: float, pool: float, assumed: Assumptions
) -> Prospect:
    own, others = drawn[i], [d for k, d in enumerate(drawn) if k != i]
    alone, errors_alone = own.alone
    value = _worth(effective[i])

    def with_others(eta: float) -> FloatArray:
        return np.asarray(np.sum([effective[i], *(d.effective(eta) for d in others)], axis=0))

    precision, moment = effective[i], own.moment()
    rounding = 1e-9 * max(pool, 1e-300)
    if others and reward > value + rounding:
        eta = 0.0 if reward >= pool - rounding else _noise(lambda e: _worth(with_others(e)) - reward, assumed.noise)
        precision, moment = with_others(eta), np.sum([moment, *(d.moment(eta) for d in others)], axis=0)
    errors = own.errors(precision, moment)
    better = float(np.mean(errors < (1.0 - 1e-9) * errors_alone))
    return Prospect(
        own.rows,
        own.epsilon,
        alone,
        value,
        max(reward, value),
        float(errors_alone.mean()),
        float(errors.mean()),
        better,
    )


def _noise(excess: Callable[[float], float], scale: float) -> float:
    """eta at which the reward is worth its target, to within 1 %."""
    low, high = math.log(1e-9 * scale), math.log(scale)
    while excess(math.exp(high)) > 0.0 and high < 80.0:
        high += 5.0
    if excess(math.exp(low)) <= 0.0 or high >= 80.0:
        return math.exp(low if high < 80.0 else high)
    return float(math.exp(brentq(lambda x: excess(math.exp(x)), low, high, xtol=0.01)))
