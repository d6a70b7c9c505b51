"""Games whose Shapley values are known in closed form, and random monotone games."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from guerdon.types import FloatArray, TableGame, all_coalitions

__all__ = [
    "CLOSED_FORM",
    "ClosedFormGame",
    "additive",
    "airport",
    "airport_of_hundred",
    "electoral_college",
    "gloves",
    "log_of_sum",
    "monotone_closure",
    "monotone_games",
    "symmetric",
    "unanimity",
    "weighted_voting",
    "weighted_voting_1958",
]


@dataclass(frozen=True, eq=False)
class ClosedFormGame:
    """A game by its formula on coalitions (m, n), with its Shapley values (n,). It offers no table.

    ``chains`` are the values of all prefixes of orders (k, n): (k, n + 1), for those games that are fast in them.
    """

    name: str
    phi: FloatArray
    formula: Callable[[NDArray[np.bool_]], FloatArray]
    chains: Callable[[NDArray[np.intp]], FloatArray] | None = None

    @property
    def n(self) -> int:
        return len(self.phi)

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        return np.asarray(self.formula(coalitions), dtype=np.float64)

    def table(self) -> FloatArray:
        return self(all_coalitions(self.n))


def _after_nobody(values: FloatArray) -> FloatArray:
    """The empty prefix's 0 ahead of the others' values (k, n): (k, n + 1)."""
    return np.concatenate([np.zeros((len(values), 1)), values], axis=1)


def additive(weights: FloatArray) -> ClosedFormGame:
    """v(C) = sum of the weights: phi_i = w_i."""
    return ClosedFormGame("additive", weights, lambda C: C @ weights)


def unanimity(n: int, members: list[int], worth: float = 1.0) -> ClosedFormGame:
    """v(C) = worth when all the members are in: they share it, the others are null."""
    phi = np.zeros(n)
    phi[members] = worth / len(members)
    return ClosedFormGame("unanimity", phi, lambda C: worth * C[:, members].all(axis=1))


def airport(costs: FloatArray) -> ClosedFormGame:
    """v(C) = the largest cost (Littlechild and Owen 1973): each stretch of runway is shared by those who need it."""
    order = np.argsort(costs)
    steps = np.diff(costs[order], prepend=0.0)
    phi = np.empty(len(costs))
    phi[order] = np.cumsum(steps / np.arange(len(costs), 0, -1))
    return ClosedFormGame(
        "airport",
        phi,
        lambda C: np.where(C, costs, 0.0).max(axis=1),
        lambda orders: _after_nobody(np.maximum.accumulate(costs[orders], axis=1)),
    )


def airport_of_hundred() -> ClosedFormGame:
    """Castro, Gomez and Tejada's (2009) airport: costs 1 to 10 for ten groups of aircraft, a hundred in all."""
    return airport(np.repeat(np.arange(1.0, 11.0), [8, 12, 6, 14, 8, 9, 13, 10, 10, 10]))


def symmetric(n: int, value: Callable[[FloatArray], FloatArray]) -> ClosedFormGame:
    """v(C) = value(|C|): everybody gets value(n) / n."""
    return ClosedFormGame("symmetric", np.full(n, value(np.array([n]))[0] / n), lambda C: value(C.sum(axis=1)))


def gloves() -> ClosedFormGame:
    """One left and two right gloves, a pair is worth 1: (2/3, 1/6, 1/6)."""
    return ClosedFormGame(
        "gloves", np.array([4, 1, 1]) / 6, lambda C: np.minimum(C[:, :1].sum(axis=1), C[:, 1:].sum(axis=1))
    )


def weighted_voting(weights: NDArray[np.int64], quota: int) -> ClosedFormGame:
    """v(C) = 1 when the weights in C reach the quota: phi_i is the share of orders in which i's arrival does it.

    Counting coalitions by size and weight, first all of them and then, dividing party i's factor 1 + x y^{w_i} out
    again, those without i, gives phi_i = sum_s s! (n - s - 1)! / n! #{S: |S| = s, quota - w_i <= w(S) < quota}.
    """
    n, total = len(weights), int(weights.sum())
    counts = np.zeros((n + 1, total + 1), dtype=np.int64)  # [size, weight]; comb(51, 25) fits
    counts[0, 0] = 1
    for w in weights:
        counts[1:, w:] += counts[:-1, : total + 1 - w].copy()
    phi = np.empty(n)
    for i, w in enumerate(weights):
        without = counts.copy()
        for size in range(1, n + 1):
            without[size, w:] -= without[size - 1, : total + 1 - w]
        swung = without[:n, max(0, quota - w) : quota].sum(axis=1)
        phi[i] = sum(float(swung[size]) / (n * comb(n - 1, size)) for size in range(n))
    return ClosedFormGame(
        "weighted voting",
        phi,
        lambda C: C @ weights >= quota,
        lambda orders: _after_nobody((np.cumsum(weights[orders], axis=1) >= quota).astype(np.float64)),
    )


def weighted_voting_1958() -> ClosedFormGame:
    """The EEC's council of 1958, weights 4 4 4 2 2 1 and quota 12; Luxembourg was null (Shapley and Shubik's index)."""
    weights = np.array([4, 4, 4, 2, 2, 1])
    return ClosedFormGame("weighted voting", np.array([14, 14, 14, 9, 9, 0]) / 60, lambda C: C @ weights >= 12)


def electoral_college() -> ClosedFormGame:
    """Castro, Gomez and Tejada's (2009) non-symmetric voting game: 51 states with 538 electors, 270 of whom decide."""
    some = [45, 41, 27, 26, 26, 25, 21, 17, 17, 14, 13, 13, 12, 12, 12, 11]
    many = np.repeat([10, 9, 8, 7, 6, 5, 4, 3], [4, 4, 2, 4, 4, 1, 9, 7])
    return weighted_voting(np.array([*some, *many]), 270)


def log_of_sum(a: FloatArray) -> ClosedFormGame:
    """v(C) = 1/2 log(1 + sum a), the information gain of a Bayesian mean with signal-to-noise ratios a.

    log(1 + x) = int (1 - e^-xt) e^-t / t dt makes it a mixture of product games, in each of which party i's gain is
    (1 - e^(-a_i t)) prod over the parties before it of e^(-a_j t), and with every party before it with probability q
    phi_i = 1/2 int e^-t / t (1 - e^(-a_i t)) int_0^1 prod_{j != i} (1 - q + q e^(-a_j t)) dq dt.
    """
    q, q_weights = np.polynomial.legendre.leggauss(len(a))  # exact: a polynomial of degree n - 1 in q
    q, q_weights = 0.5 * (q + 1.0), 0.5 * q_weights
    u, u_weights = np.polynomial.legendre.leggauss(300)
    low, high = np.log(1e-18 / a.sum()), np.log(45.0)
    u, u_weights = 0.5 * (high - low) * (u + 1.0) + low, 0.5 * (high - low) * u_weights  # t = e^u, dt / t = du
    t = np.exp(u)
    e = np.exp(-a[:, None] * t)  # (n, t)
    factors = 1.0 - q[:, None] + q[:, None] * e[:, None, :]  # (n, q, t)
    phi = np.empty(len(a))
    for i in range(len(a)):
        inner = q_weights @ np.delete(factors, i, axis=0).prod(axis=0)  # (t,)
        phi[i] = 0.5 * np.sum(u_weights * np.exp(-t) * -np.expm1(-a[i] * t) * inner)
    return ClosedFormGame(
        "log of sum",
        phi,
        lambda C: 0.5 * np.log1p(C @ a),
        lambda orders: _after_nobody(0.5 * np.log1p(np.cumsum(a[orders], axis=1))),
    )


CLOSED_FORM = [
    additive(np.array([0.5, 2.0, 0.0, 3.25, 1.0])),
    unanimity(5, [1, 3, 4], worth=2.5),
    airport(np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])),
    symmetric(6, np.sqrt),
    gloves(),
    weighted_voting_1958(),
    weighted_voting(np.array([4, 4, 4, 2, 2, 1]), 12),
    weighted_voting(np.array([5, 3, 3, 1, 1, 1, 2]), 9),
    log_of_sum(np.array([0.3, 1.0, 2.5, 2.5, 10.0, 40.0, 0.05])),
]


def monotone_closure(table: FloatArray) -> FloatArray:
    """The smallest monotone game above a (2**n,) table: each coalition is worth what its best part is."""
    closed = np.array(table, dtype=np.float64)
    closed[0] = 0.0
    for i in range(len(closed).bit_length() - 1):
        split = closed.reshape(-1, 2, 1 << i)
        np.maximum(split[:, 1], split[:, 0], out=split[:, 1])
    return closed


@st.composite
def monotone_games(draw: st.DrawFn, min_n: int = 2, max_n: int = 6) -> TableGame:
    """Monotone games with v_N > 0, of integers (so that ties are common), some with null or symmetric parties."""
    n = draw(st.integers(min_n, max_n))
    most = draw(st.sampled_from([2, 9, 60]))
    table = np.array(draw(st.lists(st.integers(0, most), min_size=1 << n, max_size=1 << n)), dtype=np.float64)
    table[-1] += 1.0
    if draw(st.booleans()):
        sizes = np.bitwise_count(np.arange(1 << n))
        table += most * sizes * (2 * n - sizes)  # mostly submodular, as information gain is
    i, j = draw(st.permutations(range(n)))[:2]
    bit_i, bit_j, masks = 1 << i, 1 << j, np.arange(1 << n)
    special = draw(st.sampled_from(["none", "null", "symmetric", "both"]))
    if special in ("symmetric", "both"):
        swapped = masks & ~(bit_i | bit_j) | np.where(masks & bit_i, bit_j, 0) | np.where(masks & bit_j, bit_i, 0)
        table = np.maximum(table, table[swapped])
    table = monotone_closure(table)
    if special in ("null", "both") and n > 2:
        null = 1 << next(k for k in range(n) if k not in (i, j))
        table = table[masks & ~null]
    if table[-1] == 0.0:
        table = np.where(masks == masks[-1], 1.0, table)
    return TableGame(table)
