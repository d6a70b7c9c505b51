"""Shapley values from plain independent permutations, with a bound on their error in advance."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import ArrayLike

from guerdon.checks import is_number, require_count, unwrap_scalars
from guerdon.shapley.coalition_values import BATCH, CoalitionValues
from guerdon.types import FloatArray, Game, ShapleyValues

__all__ = ["MonteCarloShapley", "hoeffding_permutations"]

USUAL = 1000
"""The default number of permutations."""

SLACK = 1e-9
"""Gains may leave their range by this share of the largest value: rounding."""


@dataclass(frozen=True)
class MonteCarloShapley:
    """Shapley values as the mean gains over independent uniformly random orders of arrival (Castro et al. 2009).

    phi_i is the mean over m orders of v(S + i) - v(S), S being who came before i. How many orders are enough for a
    wanted (epsilon, delta) is known in advance (Maleki et al. 2013; ``hoeffding_permutations``):

        P(max_i |estimate_i - phi_i| >= epsilon) <= delta.

    ``PermutationShapley`` needs several times fewer orders for the same error, but knows it only afterwards.

    Parameters
    ----------
    permutations : int, optional
        Orders of arrival, at least two, 1000 when None and no epsilon is given.
    epsilon : float, optional
        The error wanted, in the unit of the game, for all parties at once.
    delta : float
        The probability with which it may be larger.
    range : float or sequence of n float, optional
        How far apart a party's gains can be, at most. None takes [v_N - v_{N - i}, v_i], the gains of who comes last
        and first, between which all of i's gains lie in a SUBMODULAR game such as information gain; that costs 2n
        evaluations. For any other game give the range. Gains that turn up outside are refused.

    Raises
    ------
    ValueError
        A gain lies outside its range, so that the bound is void.

    Examples
    --------
    >>> from guerdon.types import TableGame
    >>> found = MonteCarloShapley(epsilon=1.0, delta=0.1)(TableGame([0, 7, 5, 8]), rng=np.random.default_rng(0))
    >>> found.method
    "30 independent permutations, off by 1 with probability 0.1 at most by Hoeffding's bound for a submodular game"
    >>> bool(np.all(np.abs(found.values - [5.0, 3.0]) < 1.0))
    True
    """

    permutations: int | None = None
    epsilon: float | None = None
    delta: float = 0.05
    range: float | tuple[float, ...] | FloatArray | None = None

    def __post_init__(self) -> None:
        unwrap_scalars(self, "permutations", "epsilon", "delta", "range")
        if self.permutations is not None:
            require_count("permutations", self.permutations)
            if self.epsilon is not None or self.range is not None:
                raise ValueError("give permutations, or epsilon (with delta and range) for as many as that takes")
        if self.epsilon is not None:
            hoeffding_permutations(1.0 if self.range is None else self.range, self.epsilon, self.delta, 1)
        elif self.range is not None:
            raise ValueError(f"range serves the bound for a wanted epsilon, which is not given; got {self.range!r}")

    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues:
        values, sample = CoalitionValues(game), _Sample.of(game.n)
        permutations, promise, widths = self.permutations or USUAL, "", np.full(game.n, np.inf)
        if self.epsilon is not None:
            widths, source = self._widths(values, sample)
            permutations = hoeffding_permutations(widths, self.epsilon, self.delta, game.n)
            promise = (
                f", off by {self.epsilon:g} with probability {self.delta:g} at most by Hoeffding's bound for {source}"
            )
        permutations = max(2, permutations)
        batch = max(1, BATCH // (game.n * (game.n + 1)))
        while sample.count < permutations:
            sample.add(_gains(values, rng, min(batch, permutations - sample.count)))
            _require_within(sample, widths)
        return ShapleyValues(
            values=sample.mean,
            covariance=sample.scatter / (permutations - 1) / permutations,
            degrees_of_freedom=permutations - 1,
            evaluations=values.evaluations,
            method=f"{permutations} independent permutations{promise}",
        )

    def _widths(self, values: CoalitionValues, sample: _Sample) -> tuple[FloatArray, str]:
        """How far apart each party's gains can be (n,), and by what authority."""
        n = values.game.n
        if self.range is not None:
            given = np.asarray(self.range, dtype=np.float64)
            if given.shape not in ((), (n,)):
                raise ValueError(f"range must be one number or {n}, one a party, got shape {given.shape}")
            return np.broadcast_to(given, n), "the range given"
        last, first = _extreme_gains(values)
        sample.see(np.stack([last, first]))
        _require_within(sample, first - last)
        return np.abs(first - last), "a submodular game"


@dataclass(eq=False)
class _Sample:
    """Running mean (n,), scatter about it (n, n) and extremes (n,) of gains that come in batches."""

    count: int
    mean: FloatArray
    scatter: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def of(cls, n: int) -> _Sample:
        return cls(0, np.zeros(n), np.zeros((n, n)), np.full(n, np.inf), np.full(n, -np.inf))

    def see(self, gains: FloatArray) -> None:
        """Note the extremes of gains (k, n)."""
        self.lowest = np.minimum(self.lowest, gains.min(axis=0))
        self.highest = np.maximum(self.highest, gains.max(axis=0))

    def add(self, gains: FloatArray) -> None:
        """Take gains (k, n) into the mean and the scatter, by the update of Chan, Golub and LeVeque (1983)."""
        self.see(gains)
        k, total = len(gains), self.count + len(gains)
        mean = gains.mean(axis=0)
        shift, centered = mean - self.mean, gains - mean
        self.scatter = self.scatter + centered.T @ centered + np.outer(shift, shift) * (self.count * k / total)
        self.mean = self.mean + shift * (k / total)
        self.count = total


def hoeffding_permutations(widths: ArrayLike, epsilon: float, delta: float, n: int) -> int:
    """m = ceil(r^2 log(2 n / delta) / (2 epsilon^2)), with r the largest width; at least 1.

    The gains of party i in m independent orders lie in an interval of width r_i <= r, so by Hoeffding (1963)
    P(|mean - phi_i| >= epsilon) <= 2 exp(-2 m epsilon^2 / r^2). The n parties together, whose gains come from the same
    orders, fail with at most n times that (union bound), which is delta at this m (Maleki et al., arXiv:1306.4265).

    Parameters
    ----------
    widths : float or (n,) array
        How far apart a party's gains can be; finite and not negative.
    epsilon : float
        The error wanted, positive.
    delta : float
        The probability with which some party's error may be as large, between 0 and 1.

    Examples
    --------
    >>> hoeffding_permutations(1.0, epsilon=0.05, delta=0.05, n=10)
    1199
    """
    if not (is_number(epsilon) and 0.0 < epsilon < np.inf):
        raise ValueError(f"epsilon is a positive number, got {epsilon!r}")
    if not (is_number(delta) and 0.0 < delta < 1.0):
        raise ValueError(f"delta is a probability between 0 and 1, got {delta!r}")
    widths = np.asarray(widths, dtype=np.float64)
    if not (np.all(np.isfinite(widths)) and np.all(widths >= 0.0)):
        raise ValueError(f"range must be finite and not negative, got {widths}")
    return max(1, ceil(float(widths.max()) ** 2 * log(2 * n / delta) / (2.0 * epsilon**2)))


def _gains(values: CoalitionValues, rng: np.random.Generator, k: int) -> FloatArray:
    """What each party adds in k random orders: (k, n), a column a party."""
    orders = rng.permuted(np.tile(np.arange(values.game.n), (k, 1)), axis=1)
    arrivals = np.argsort(orders, axis=1)
    return np.take_along_axis(np.diff(values.chains(orders), axis=1), arrivals, axis=1)


def _extreme_gains(values: CoalitionValues) -> tuple[FloatArray, FloatArray]:
    """v_N - v_{N - i} and v_i, each (n,)."""
    n = values.game.n
    alone = np.eye(n, dtype=bool)
    found = values(np.concatenate([np.ones((1, n), dtype=bool), ~alone, alone]))
    return found[0] - found[1 : n + 1], found[n + 1 :]


def _require_within(sample: _Sample, widths: FloatArray) -> None:
    """Refuse gains that are farther apart than the widths say."""
    spread = sample.highest - sample.lowest
    excess = spread - widths
    worst = int(np.argmax(excess))
    if excess[worst] > SLACK * max(np.abs(sample.highest).max(), np.abs(sample.lowest).max()):
        raise ValueError(
            f"party {worst}'s gains lie between {sample.lowest[worst]:.6g} and {sample.highest[worst]:.6g}, farther "
            f"apart than {widths[worst]:.6g}, on which the number of permutations was to rest: the game is not "
            "submodular, or the range too small. Give a range=... that holds all gains, or permutations=... without a "
            "bound."
        )
