"""Exact Shapley values of the MMD game in polynomial time.

The value of a coalition S of size s = sum of its sizes m_j is v(S) = 2/(t s) sum_j A_j - 1/s^2 sum_jk B_jk, linear
and quadratic sums over the members divided by powers of s. With

    1/s = int_0^inf e^(-us) du,    1/s^2 = int_0^inf u e^(-us) du,

and the Shapley value as the mean over q in [0, 1] of the gain when every other party is in S with probability q, the
parties become independent and the expectations are products. Put e_j = exp(-u m_j), f_j = 1 - q + q e_j,
r_j = q e_j / f_j, P_i = prod_{j != i} f_j. Over the coalitions without i,

    E[e^(-us) sum_S A]  = P_i L_i,  L_i = sum_{j != i} A_j r_j,
    E[e^(-us) sum_SS B] = P_i Q_i,  Q_i = sum_{j != k, both != i} B_jk r_j r_k + sum_{j != i} B_jj r_j,

and with i joined e_i P_i (A_i + L_i) and e_i P_i (B_ii + 2 sum_{j != i} B_ij r_j + Q_i). Then

    phi_i = int_0^1 dq int_0^inf du [ 2/t (joined - without, linear) - u (joined - without, quadratic) ].

Gauss-Legendre in x with q = x^2 (coalitions of few members, where q ~ 1/n, need the nodes) and in log u.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from guerdon.parallel import ordered_map
from guerdon.types import FloatArray, Progress, ShapleyValues, silent

__all__ = ["closed_form_shapley", "grand_value", "row_shapley"]

TOLERANCE = 2e-13
"""The efficiency gap at which no more nodes are tried, relative to the sum of |phi_i|."""

REFUSED = 1e-8
"""A relative efficiency gap that is still larger at the most nodes is an error."""

NODES = ((32, 192), (64, 192), (96, 192), (192, 384), (384, 768))
"""Nodes in q and in u, tried in turn."""

ENOUGH = (100, 1500)
"""Up to so many parties the first nodes suffice for data seen so far, and the second: larger games start higher."""

SMALLEST, LARGEST = 1e-8, 60.0
"""u runs from SMALLEST / (all rows), below which the integrand is linear, to LARGEST / (fewest rows): e^-60 = 1e-26."""


def grand_value(A: FloatArray, B: FloatArray, sizes: FloatArray, reference: float) -> float:
    """v(N) = 2/(t s) sum A - 1/s^2 sum B, 0 when there are no rows."""
    s = float(np.sum(sizes))
    return float(2.0 * A.sum() / (reference * s) - B.sum() / s**2) if s > 0 else 0.0


def closed_form_shapley(
    A: FloatArray, B: FloatArray, sizes: FloatArray, reference: float, *, progress: Progress = silent
) -> ShapleyValues:
    """Shapley values of v(S) = 2/(t s) sum_S A - 1/s^2 sum_SS B.

    Parameters
    ----------
    A : (n,) array
        Sums of k over D_i x T.
    B : (n, n) array
        Sums of k over D_i x D_j.
    sizes : (n,) array
        Rows of each party, not all 0; a party without rows is a null party.
    reference : float
        t, the number of points in T.
    progress : callable
        Called as progress("shapley", nodes in q done, nodes in q).

    Returns
    -------
    ShapleyValues
        ``efficiency_gap`` is |sum phi - v_N|, a free estimate of the error. O(nodes k n) work for k different sizes.

    Raises
    ------
    ValueError
        The gap stays above 1e-8 of the values at the most nodes.
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    pool = grand_value(A, B, sizes, reference)
    for q_nodes, u_nodes in NODES[bisect_left(ENOUGH, len(A)) :]:
        phi = _Quadrature(A, B, sizes, 2.0 / reference, q_nodes, u_nodes).shapley(progress)
        gap = abs(float(phi.sum()) - pool)
        if gap <= TOLERANCE * np.abs(phi).sum():
            break
    if gap > REFUSED * np.abs(phi).sum():
        raise ValueError(
            f"the closed form's Shapley values sum to {phi.sum():.10g} but the pool is worth {pool:.10g}, with "
            f"{q_nodes} x {u_nodes} nodes: the parties' sizes ({sizes.min():g} to {sizes.max():g} rows) are too far "
            "apart. Use PermutationShapley()."
        )
    method = f"exact, closed form by quadrature on {q_nodes} x {u_nodes} nodes"
    return ShapleyValues(phi, method=method, efficiency_gap=gap)


def row_shapley(
    A: FloatArray,
    sums: FloatArray,
    diagonal: FloatArray,
    owner: NDArray[np.intp],
    counts: NDArray[np.int64],
    reference: float,
) -> FloatArray:
    """Shapley values (m,) of v(S) = 2/(t s) sum_S A - 1/s^2 sum_SS B where every player is one row.

    The players are a draw of ``counts`` rows of each party, and the values means over all draws.

    Parameters
    ----------
    A : (m,) array
        Sums of k between each row and T.
    sums : (m, n) array
        Sums of k between each row and all rows of each party.
    diagonal : (m,) array
        k(x, x) of each row.
    reference : float
        t, the number of points in T.
    """
    n, rows = len(counts), np.bincount(owner, minlength=len(counts))
    share = counts / np.maximum(rows, 1)
    second = (counts - 1) / np.maximum(rows - 1, 1)  # of a party's other rows, beside one that is drawn
    third = (counts - 2) / np.maximum(rows - 2, 1)
    M = int(counts.sum())
    if M == 1:
        return np.asarray(share[owner] * (2.0 * A / reference - diagonal))

    def others(values: FloatArray) -> FloatArray:
        """The mean of a row's value over the others, for every row."""
        totals = np.bincount(owner, weights=values, minlength=n)
        drawn = share * totals
        return np.asarray((drawn.sum() - drawn[owner] + second[owner] * (totals[owner] - values)) / (M - 1))

    mine = sums.copy()
    mine[np.arange(len(A)), owner] -= diagonal
    within = mine[np.arange(len(A)), owner]
    pairs = np.stack([np.bincount(owner, weights=column, minlength=n) for column in mine.T], axis=1)  # i != j of k
    own = np.diagonal(pairs)
    apart = np.outer(share, share) * (pairs - np.diag(own))  # between parties, drawn
    # Ordered pairs of others: of other parties, of theirs with mine, and of mine.
    strangers = apart.sum() - 2.0 * apart.sum(axis=1) + (share * second * own).sum() - share * second * own
    theirs = (pairs - np.diag(own)) @ share
    b_theirs = mine @ share - share[owner] * within
    off = (
        strangers[owner]
        + 2.0 * second[owner] * (theirs[owner] - b_theirs)
        + (second * third)[owner] * (own[owner] - 2.0 * within)
    )
    a, d = others(A), others(diagonal)
    o = off / ((M - 1) * max(M - 2, 1))
    b = (b_theirs + second[owner] * within) / (M - 1)
    s = np.arange(M, dtype=np.float64)
    joined = 1.0 / (s + 1.0)
    before = np.divide(1.0, s, out=np.zeros(M), where=s > 0)
    linear = joined.sum() * A + ((s * joined).sum() - (M - 1)) * a
    quadratic = (
        np.square(joined).sum() * diagonal
        + 2.0 * (s * joined**2).sum() * b
        + (s * joined**2 - before).sum() * d
        + (s * (s - 1.0) * (joined**2 - before**2)).sum() * o
    )
    return np.asarray(share[owner] * (2.0 / reference * linear - quadratic) / M)


class _Quadrature:
    """The double integral on given numbers of nodes; weight = 2/t.

    e, f, r and P are a party's only through its size, and joined - without is linear in what else a party is. With L
    and Q over all members, what a party of some size has is

        2/t P [(e - 1) L + A_i w] - u P [(e - 1) Q + B_ii (e (1 - 2 r) - (e - 1) r (1 - 2 r)) + 2 w sum_j B_ij r_j],

    w = e - (e - 1) r, so that for k sizes a node costs one product of O(k n).
    """

    def __init__(
        self, A: FloatArray, B: FloatArray, sizes: FloatArray, weight: float, q_nodes: int, u_nodes: int
    ) -> None:
        self.A, self.B, self.weight, self.q_nodes, self.u_nodes = A, B, weight, q_nodes, u_nodes
        self.sizes, self.group, self.count = np.unique(sizes, return_inverse=True, return_counts=True)
        self.rows = float(sizes.sum())
        order = np.argsort(self.group, kind="stable")
        self.by_size = np.add.reduceat(B[order], np.cumsum(self.count) - self.count, axis=0)  # (k, n)
        self.diagonal = np.diagonal(B)
        self.sums = np.bincount(self.group, weights=A), np.bincount(self.group, weights=self.diagonal)

    def shapley(self, progress: Progress) -> FloatArray:
        u, u_weights = self._scales()
        x, x_weights = _gauss_legendre(self.q_nodes, 0.0, 1.0)

        def at(node: int) -> tuple[FloatArray, FloatArray]:
            q = x[node] ** 2  # dq = 2 x dx
            return self._integrated(float(q), u, 2.0 * x[node] * x_weights[node] * u_weights)

        by_size, phi = np.zeros((3, len(self.sizes))), np.zeros(len(self.A))
        for done, (single, pairs) in enumerate(ordered_map(at, range(self.q_nodes)), 1):
            by_size += single
            phi += pairs
            progress("shapley", done, self.q_nodes)
        constant, of_A, of_B = by_size[:, self.group]
        tail = self.weight * self.A * self._u0()  # below u_0, where joined - without = A_i to first order
        return np.asarray(phi + constant + of_A * self.A + of_B * self.diagonal + tail)

    def _u0(self) -> float:
        return SMALLEST / self.rows

    def _scales(self) -> tuple[FloatArray, FloatArray]:
        """Nodes in u and their weights, the du = u d(log u) included."""
        top = LARGEST / float(self.sizes[self.sizes > 0].min())
        log_u, weights = _gauss_legendre(self.u_nodes, np.log(self._u0()), np.log(top))
        u = np.exp(log_u)
        return u, weights * u

    def _integrated(self, q: float, u: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What joined - without at one q, over all u, is made of for a party of each size.

        A constant, what A_i and what B_ii are multiplied by: (3, k); and each party's sum with the others, (n,).
        """
        A, diagonal = self.sums
        e = np.exp(-np.outer(u, self.sizes))  # (u, k)
        less = np.expm1(-np.outer(u, self.sizes))  # e - 1
        f = 1.0 + q * less
        r = q * e / f
        log_f = np.log1p(q * less)
        P = np.exp((log_f @ self.count)[:, None] - log_f)  # prod over j != i
        L = (r @ A)[:, None]
        Br = r @ self.by_size  # (u, n): the only O(k n) work
        Q = (np.einsum("ui,ui->u", r[:, self.group], Br) + ((1.0 - r) * r) @ diagonal)[:, None]
        linear, quadratic = self.weight * weights[:, None] * P, -(u * weights)[:, None] * P
        joining = e - less * r
        single = np.stack(
            [
                (linear * less * L + quadratic * less * Q).sum(axis=0),
                (linear * joining).sum(axis=0),
                (quadratic * (e - 2.0 * e * r - less * r * (1.0 - 2.0 * r))).sum(axis=0),
            ]
        )
        return single, np.einsum("ui,ui->i", (2.0 * quadratic * joining)[:, self.group], Br)


def _gauss_legendre(nodes: int, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    x, weights = np.polynomial.legendre.leggauss(nodes)
    return low + 0.5 * (high - low) * (x + 1.0), 0.5 * (high - low) * weights
