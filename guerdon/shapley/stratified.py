"""Shapley values by stratified sampling: every party's gain from coalitions of each size apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import require_count, unwrap_scalars
from guerdon.shapley.coalition_values import BATCH, CoalitionValues
from guerdon.types import FloatArray, Game, ShapleyValues

__all__ = ["StratifiedShapley"]

Allocation = Literal["neyman", "equal"]

PILOT = 0.25
"""The share of the draws that goes into finding out where the gains vary."""

PRIOR = 2
"""A stratum's pilot variance counts together with so many draws of the party's average variance: pilots are small."""


@dataclass(frozen=True)
class StratifiedShapley:
    """Shapley values from gains drawn separately for each party and each size of the coalition that it joins.

    phi_i = 1/n sum_{s=0}^{n-1} mu_is, mu_is the mean of v(S + i) - v(S) over the coalitions S of s parties without i
    (Castro et al. 2017). Every stratum (i, s) is sampled by itself, so

        Var(phi_i) = 1/n^2 sum_s sigma_is^2 / m_is,

    which is least for m_is in proportion to sigma_is (Neyman 1934). Strata of no more coalitions than an equal share
    of the draws are enumerated and have no error; nobody and everybody else, one coalition each, always are. The
    draws of a first stage only decide how many the second takes, and don't enter the estimate, which is therefore
    unbiased with unbiased variances. Estimates of different parties are independent. The degrees of freedom are
    Satterthwaite's, (sum_s e_s)^2 / sum_s (e_s^2 / (m_is - 1)) with e_s = s_is^2 / m_is. Where a party's gain is almost
    always the same, a few draws a stratum may show no variance at all and the error looks too small: draw more.

    Parameters
    ----------
    samples : int
        Gains to draw for each party, each of two coalition values; at least as many more as it takes for two (and
        two in the pilot) in each of its n strata.
    allocation : str
        "neyman", second-stage draws as the pilot found the gains to vary, or "equal", the same number in each stratum,
        without a pilot.

    Examples
    --------
    >>> from guerdon.types import TableGame
    >>> game = TableGame(np.sqrt(np.arange(16.0)))
    >>> found = StratifiedShapley(samples=8)(game, rng=np.random.default_rng(0))
    >>> found.values.round(2), found.standard_errors.round(2)
    (array([0.4 , 0.65, 1.1 , 1.82]), array([0.  , 0.04, 0.08, 0.03]))
    >>> found.method
    "stratified, 16 gains drawn in 8 strata (allocation 'neyman'), the other 8 strata enumerated"
    """

    samples: int = 1000
    allocation: Allocation = "neyman"

    def __post_init__(self) -> None:
        unwrap_scalars(self, "samples")
        require_count("samples", self.samples)
        if self.allocation not in get_args(Allocation):
            raise ValueError(f"allocation is 'neyman' or 'equal', got {self.allocation!r}")

    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues:
        n, values = game.n, CoalitionValues(game)
        enumerated = [size for size in range(n) if comb(n - 1, size) <= max(1, self.samples // n)]
        sampled = np.setdiff1d(np.arange(n), enumerated)
        draws = self.samples - sum(comb(n - 1, size) for size in enumerated)
        phi, variances, freedom, drawn = np.zeros(n), np.zeros(n), np.full(n, np.inf), 0
        for i in range(n):
            phi[i] = sum(_all_gains(values, i, size).mean() for size in enumerated) / n
            if len(sampled):
                counts = self._counts(values, i, sampled, draws, rng)
                means, errors = _stratum_means(_drawn_gains(values, i, np.repeat(sampled, counts), rng), counts)
                phi[i] += means.sum() / n
                variances[i], freedom[i] = errors.sum() / n**2, _satterthwaite(errors, counts)
                drawn += int(counts.sum())
        how = f"{drawn} gains drawn in {n * len(sampled)} strata (allocation {self.allocation!r}), the other "
        return ShapleyValues(
            values=phi,
            covariance=np.diag(variances),
            degrees_of_freedom=freedom,
            evaluations=values.evaluations,
            method=f"stratified, {how if drawn else 'all '}{n * len(enumerated)} strata enumerated",
        )

    def _counts(
        self, values: CoalitionValues, i: int, sizes: NDArray[np.intp], draws: int, rng: np.random.Generator
    ) -> NDArray[np.intp]:
        """How many gains of party i to draw from each of the strata, at least two: (k,)."""
        strata = len(sizes)
        if self.allocation == "equal":
            return np.full(strata, max(2, draws // strata))
        pilot = np.full(strata, max(2, int(PILOT * draws) // strata))
        variances = pilot * _stratum_means(_drawn_gains(values, i, np.repeat(sizes, pilot), rng), pilot)[1]
        seen = pilot - 1
        deviations = np.sqrt((seen * variances + PRIOR * variances.mean()) / (seen + PRIOR))
        left = max(0, draws - int(pilot.sum()) - 2 * strata)
        parts = deviations / deviations.sum() if np.any(deviations) else np.full(strata, 1.0 / strata)
        return 2 + (left * parts).astype(np.intp)


def _gains(values: CoalitionValues, i: int, others: NDArray[np.bool_]) -> FloatArray:
    """v(S + i) - v(S) (k,) of coalitions (k, n - 1) of the parties but i."""
    without, joined = np.insert(others, i, False, axis=1), np.insert(others, i, True, axis=1)
    found = values(np.concatenate([without, joined]))
    return found[len(others) :] - found[: len(others)]


def _all_gains(values: CoalitionValues, i: int, size: int) -> FloatArray:
    """Party i's gain from every coalition of that size: (comb(n - 1, size),)."""
    n = values.game.n
    members = np.array(list(combinations(range(n - 1), size)), dtype=np.intp)  # (k, size)
    others = np.zeros((len(members), n - 1), dtype=bool)
    np.put_along_axis(others, members, True, axis=1)
    return _gains(values, i, others)


def _drawn_gains(values: CoalitionValues, i: int, sizes: NDArray[np.intp], rng: np.random.Generator) -> FloatArray:
    """Party i's gain from a uniformly drawn coalition of each of the sizes (k,): (k,)."""
    n, gains = values.game.n, np.empty(len(sizes))
    rows = max(1, BATCH // n)
    for start in range(0, len(sizes), rows):
        some = sizes[start : start + rows]
        ranks = rng.permuted(np.tile(np.arange(n - 1), (len(some), 1)), axis=1)
        gains[start : start + rows] = _gains(values, i, ranks < some[:, None])
    return gains


def _stratum_means(gains: FloatArray, counts: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Means (k,) and variances of the means (k,) of gains that lie one stratum after the other."""
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(gains, starts) / counts
    squares = np.add.reduceat(np.square(gains - np.repeat(means, counts)), starts)
    return means, squares / (counts - 1) / counts


def _satterthwaite(errors: FloatArray, counts: NDArray[np.intp]) -> float:
    """Degrees of freedom of a sum of independent variances; infinite where there is no variance."""
    below = float(np.sum(np.square(errors) / (counts - 1)))
    return float(errors.sum()) ** 2 / below if below > 0.0 else np.inf
