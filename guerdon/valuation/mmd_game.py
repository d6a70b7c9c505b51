"""The game of the MMD value: every coalition's worth from n + n^2 sums of kernel values.

| Tay et al. (AAAI 2022) | code |
|---|---|
| T = D_1 + ... + D_n + G, a multiset; t | ``reference``, its number of points |
| A_i = sum over D_i x T of k | ``A`` (n,) |
| B_ij = sum over D_i x D_j of k, G last | ``block_sums`` (n + 1, n + 1), ``B`` (n, n) |
| sum over T of k(x, .), x in G | ``candidate_sums`` (g,) |

Where T is not the pool as it is, a point of D_j counts in it ``weights``[j] times, G's last, and public points besides
once each, so that the weights of all sum to t, and A_i = sum_j weights_j B_ij and the sum over the public points.

Where of party i's m_i rows only c_i ``counts`` count, a coalition's value is the mean over all draws of so many rows of
each member, T held fixed. A sum over a draw is on average c/m of that over all rows, and one over its pairs

    A_i c_i/m_i,    B_ij c_i/m_i c_j/m_j,    B_ii -> c (c - 1)/(m (m - 1)) (B_ii - d_i) + c/m d_i,    d_i = sum k(x, x)

so that with c_i for the sizes everything below holds as it stands: s_C = sum c_i is the same for all draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.models.pool import some_rows
from guerdon.shapley.mmd_closed_form import closed_form_shapley, row_shapley
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray, Progress, ShapleyValues, silent
from guerdon.valuation.kernel_sums import cross_sums, self_sums
from guerdon.valuation.pair_kernels import PairKernel
from guerdon.valuation.party_game import PartyGame
from guerdon.valuation.sampling_error import shapley_weights

__all__ = ["MAX_TABLE_PARTIES", "MaximumMeanDiscrepancyGame", "UnionSums", "finite_rows", "over_reference"]

MAX_TABLE_PARTIES = 20
"""Beyond this many parties the table of 2**n values is refused; the closed-form Shapley values don't need it."""


@dataclass(frozen=True)
class UnionSums:
    """What v and the unbiased MMD^2 of a set S need: s, sum_{S,T} k, sum_{S,S} k and sum_S k(x, x)."""

    size: int
    to_reference: float
    within: float
    diagonal: float


@dataclass(frozen=True, eq=False)
class MaximumMeanDiscrepancyGame(PartyGame):
    """The values of the contributions' coalitions, from n + n^2 sums of kernel values.

    Attributes
    ----------
    contributions : tuple of n Contribution
        The parties' data.
    synthetic : (g, d) array
        G.
    lengthscale : float
        l, in the data's unit.
    kernel : PairKernel
        k on pairs of points.
    block_sums : (n + 1, n + 1) array
        Sums of k between D_1, ..., D_n and G.
    candidate_sums : (g,) array
        The sum over T of k(x, .) for each x in G.
    weights : (n + 1,) array
        How often each point of D_1, ..., D_n and G counts in T; 1 in the pool as it is.
    counts : (n,) array of int, optional
        How many rows of each party count; all when None.
    public : (p, d) array, optional
        Points of T that are no party's.
    """

    contributions: tuple[Contribution, ...]
    synthetic: FloatArray
    lengthscale: float
    kernel: PairKernel = field(repr=False)
    block_sums: FloatArray = field(repr=False)
    candidate_sums: FloatArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    progress: Progress = field(default=silent, repr=False)
    counts: NDArray[np.int64] | None = field(default=None, repr=False)
    public: FloatArray | None = field(default=None, repr=False)

    @cached_property
    def A(self) -> FloatArray:  # noqa: N802
        """sum over D_i x T of k, of the rows that count: (n,)."""
        return np.asarray(self.share * (self.block_sums[:-1] @ self.weights + self._over_public[:-1]))

    @cached_property
    def B(self) -> FloatArray:  # noqa: N802
        """sum over D_i x D_j of k, of the rows that count: (n, n)."""
        B = self.block_sums[:-1, :-1]
        if self.counts is None:
            return B
        diagonals = np.array([self.kernel.diagonal(c.X).sum() for c in self.contributions])
        own = self._pairs * (np.diagonal(B) - diagonals) + self.share * diagonals
        return np.where(np.eye(self.n, dtype=bool), own, B * np.outer(self.share, self.share))

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many rows of each party count: (n,)."""
        return np.array([len(c) for c in self.contributions]) if self.counts is None else self.counts

    @cached_property
    def share(self) -> FloatArray:
        """The share of each party's rows that counts, c/m: (n,)."""
        return self.sizes / np.maximum([len(c) for c in self.contributions], 1)

    @cached_property
    def reference(self) -> int:
        """t, the number of points in T."""
        if self.public is not None:
            return len(self.public)
        return int(self.sizes.sum()) + len(self.synthetic)

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        """v_c of the coalitions (m, n): v(union of D_i) = 2/(t s_C) sum A_i - 1/s_C^2 sum B_ij, 0 when empty."""
        members = np.atleast_2d(np.asarray(coalitions, dtype=bool))
        if members.shape[1] != self.n:
            raise ValueError(f"coalitions must have shape (m, {self.n}), got {members.shape}")
        with one_thread():
            chunks = [self._values(chunk.astype(np.float64)) for chunk in _chunks(members)]
        return np.concatenate([np.empty(0), *chunks])

    def table(self) -> FloatArray:
        """v_c of all coalitions: (2**n,), indexed by bitmask; up to 20 parties.

        Raises
        ------
        ValueError
            There are more parties.
        """
        return self._table

    def shapley(self) -> FloatArray:
        """Exact Shapley values (n,) by the closed form, O(n^2) a node of its quadrature."""
        return self.shapley_values.values

    @cached_property
    def shapley_values(self) -> ShapleyValues:
        """``shapley()`` with the efficiency gap and the number of nodes."""
        return closed_form_shapley(self.A, self.B, self.sizes.astype(np.float64), self.reference)

    def row_shapley(self) -> FloatArray:
        """Exact Shapley values of single rows as players: (m,), in the parties' order.

        A coalition of s rows without row i, uniformly drawn, has on average s a in sum A and s d + s (s - 1) o in
        sum B, with a, d and o the others' mean sum over T, diagonal and pair, and s b_i in common with i. So phi_i =
        1/m sum_{s=0}^{m-1} of the mean gain, whose sums over s are the same for all rows: one pass over the kernel.

        Where not all rows count, m is how many do, the others are a draw in which row i is, and phi_i is what it is
        worth there times the share of draws that it is in.
        """
        pool = np.concatenate([c.X for c in self.contributions])
        owner = np.repeat(np.arange(self.n), [len(c) for c in self.contributions])
        to_parties = self._sums_over_parties(pool)  # (m, n), itself included
        return row_shapley(
            self._over_reference(pool), to_parties, self.kernel.diagonal(pool), owner, self.sizes, self.reference
        )

    def value(self, points: ArrayLike) -> float:
        """v of any points (s, d); O(s t) kernel values."""
        S = finite_rows(points, self.synthetic.shape[1])
        to_reference = float(self._over_reference(S).sum())
        return self.value_of(UnionSums(len(S), to_reference, float(self_sums(self.kernel, S).sum()), 0.0))

    def ceilings(self) -> FloatArray:
        """v(D_i u G) (n,), the most that a reward can be worth if more synthetic data is never worse."""
        s = self.sizes + len(self.synthetic)
        G = self.block_sums[-1]
        within = np.diagonal(self.B) + 2.0 * self.share * G[:-1] + G[-1]
        of_G = float(G @ self.weights + self._over_public[-1])
        return np.asarray(2.0 / (self.reference * s) * (self.A + of_G) - within / s**2)

    def row_influences(self) -> list[tuple[int, FloatArray]]:
        """phi less phi without a row, of each party and of G: see ``guerdon.valuation.sampling_error``.

        phi is linear in A and B, phi_i = sum_k L_ik A_k + sum_kl Q_ikl B_kl. With b_k(x) the sum over D_k of k(x, .), a
        row x of party j counts in D_j and in T, and one of G in T only, so that to first order, sizes held, they add

            L_ij sum_T k(x, .) + sum_k L_ik b_k(x) + 2 sum_l Q_ijl b_l(x),    sum_k L_ik b_k(x)

        with the shares of rows that count before L_ik, and before Q_ijl.
        """
        L, Q = self._shapley_of_sums()
        L = L * self.share
        Q = Q * np.where(np.eye(self.n, dtype=bool), np.diag(self._pairs), np.outer(self.share, self.share))
        found = []
        for j, c in enumerate(self.contributions):
            X = c.X[some_rows(len(c), self.n)]
            b = self._sums_over_parties(X)
            to_all = b @ self.weights[:-1] + self.weights[-1] * cross_sums(self.kernel, X, self.synthetic).rows
            if self.public is not None:
                to_all = to_all + cross_sums(self.kernel, X, self.public).rows
            U = np.outer(to_all, L[:, j]) + self.weights[j] * (b @ L.T) + 2.0 * b @ Q[:, j].T
            found.append((len(c), U * len(c) / max(len(c) - 1, 1)))
        G = self.synthetic[some_rows(len(self.synthetic), 1)]
        return [*found, (len(self.synthetic), self.weights[-1] * (self._sums_over_parties(G) @ L.T))]

    def _over_reference(self, X: FloatArray) -> FloatArray:
        """sum over T of k(x, .), for every x of X (a, d): (a,)."""
        clouds = [*(c.X for c in self.contributions), self.synthetic]
        return over_reference(self.kernel, X, clouds, self.weights, self.public)

    @cached_property
    def _over_public(self) -> FloatArray:
        """Sums of k between D_1, ..., D_n and G, and the public points: (n + 1,)."""
        if self.public is None:
            return np.zeros(self.n + 1)
        clouds = [*(c.X for c in self.contributions), self.synthetic]
        return np.array([cross_sums(self.kernel, X, self.public).rows.sum() for X in clouds])

    @cached_property
    def _pairs(self) -> FloatArray:
        """The share of each party's pairs of different rows that counts: (n,)."""
        rows = np.array([len(c) for c in self.contributions])
        return np.asarray(self.sizes * (self.sizes - 1) / np.maximum(rows * (rows - 1), 1))

    def _sums_over_parties(self, X: FloatArray) -> FloatArray:
        return np.stack([cross_sums(self.kernel, X, c.X).rows for c in self.contributions], axis=1)

    def _shapley_of_sums(self) -> tuple[FloatArray, FloatArray]:
        """L (n, n) and Q (n, n, n): the Shapley values of games that are one A_k, or one B_kl, and nothing else."""
        coalitions, weights = shapley_weights(self.n)
        members, s = coalitions.astype(np.float64), np.maximum(coalitions @ self.sizes, 1)
        L = weights * (2.0 / (self.reference * s)) @ members
        Q = np.stack([(members * (row / s**2)[:, None]).T @ members for row in weights])
        return np.asarray(L), -Q

    def union_sums(self, party: int, indices: ArrayLike = ()) -> UnionSums:
        """The sums of D_i with these rows of G, computed afresh; ``value_of`` and ``unbiased_mmd2_of`` take them."""
        chosen = np.asarray(indices, dtype=np.int64)
        own, points = self.contributions[party].X, self.synthetic[chosen]
        share = float(self.share[party])
        between = share * cross_sums(self.kernel, own, points).rows.sum()
        return UnionSums(
            size=int(self.sizes[party]) + len(chosen),
            to_reference=float(self.A[party] + self.candidate_sums[chosen].sum()),
            within=float(self.B[party, party] + 2.0 * between + self_sums(self.kernel, points).sum()),
            diagonal=float(share * self.kernel.diagonal(own).sum() + self.kernel.diagonal(points).sum()),
        )

    def value_of(self, sums: UnionSums) -> float:
        """v = 2/(s t) sum_{S,T} k - 1/s^2 sum_{S,S} k, 0 when S is empty."""
        s = sums.size
        return 2.0 * sums.to_reference / (s * self.reference) - sums.within / s**2 if s else 0.0

    def unbiased_mmd2_of(self, sums: UnionSums) -> float:
        """The unbiased estimate of MMD^2(S, T) (equation 1); NaN for fewer than two points."""
        s, t = sums.size, self.reference
        if s < 2:
            return float("nan")
        own = (sums.within - sums.diagonal) / (s * (s - 1))
        return float(own - 2.0 * sums.to_reference / (s * t) + self._reference_mean)

    @property
    def reference_value(self) -> float:
        """v(T), the most that any points could be worth: the mean of k over all pairs of points of T."""
        if self.public is not None:
            return float(self_sums(self.kernel, self.public).sum()) / len(self.public) ** 2
        return float(self.weights @ self.block_sums @ self.weights) / self.reference**2

    @cached_property
    def _reference_mean(self) -> float:
        """The mean of k over pairs of different points of T."""
        if self.public is not None:
            p, of_pairs = len(self.public), self_sums(self.kernel, self.public).sum()
            return float((of_pairs - self.kernel.diagonal(self.public).sum()) / (p * max(p - 1, 1)))
        clouds, w = (*(c.X for c in self.contributions), self.synthetic), self.weights
        diagonal = sum(w_j**2 * float(self.kernel.diagonal(X).sum()) for X, w_j in zip(clouds, w, strict=True))
        same = float(np.square(w) @ [len(X) for X in clouds])
        return float((w @ self.block_sums @ w - diagonal) / (self.reference**2 - same))

    def _values(self, members: FloatArray) -> FloatArray:
        s = members @ self.sizes
        linear, quadratic = members @ self.A, ((members @ self.B) * members).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = 2.0 * linear / (self.reference * s) - quadratic / s**2
        return np.where(s > 0, values, 0.0)

    @cached_property
    def _table(self) -> FloatArray:
        n = self.n
        if n > MAX_TABLE_PARTIES:
            raise ValueError(
                f"a table of {n} parties has 2**{n} values; the limit is {MAX_TABLE_PARTIES} parties. Ask for single "
                "coalitions, or for shapley(), which needs no table."
            )
        s, linear, quadratic = np.zeros(1), np.zeros(1), np.zeros(1)
        for i in range(n):  # every coalition of the first i parties, then the same with party i
            to_members = np.zeros(1)  # sum of B_ij over the members j
            for j in range(i):
                to_members = np.concatenate([to_members, to_members + self.B[i, j]])
            s = np.concatenate([s, s + self.sizes[i]])
            linear = np.concatenate([linear, linear + self.A[i]])
            quadratic = np.concatenate([quadratic, quadratic + 2.0 * to_members + self.B[i, i]])
        with np.errstate(divide="ignore", invalid="ignore"):
            values = 2.0 * linear / (self.reference * s) - quadratic / s**2
        table = np.where(s > 0, values, 0.0)
        table.setflags(write=False)
        return table


def over_reference(
    kernel: PairKernel,
    X: FloatArray,
    clouds: Sequence[FloatArray],
    weights: FloatArray,
    public: FloatArray | None = None,
) -> FloatArray:
    """sum_j weights_j sum over the j-th of these sets of k(x, .), for every x of X (a, d): (a,); public ones once."""
    if public is None and np.all(weights == 1.0):
        return cross_sums(kernel, X, np.concatenate(clouds)).rows
    weighted = [(w, cloud) for w, cloud in zip(weights, clouds, strict=True) if w and len(cloud)]
    weighted += [] if public is None else [(1.0, public)]
    return np.asarray(np.sum([w * cross_sums(kernel, X, cloud).rows for w, cloud in weighted], axis=0))


def finite_rows(points: ArrayLike, features: int) -> FloatArray:
    """Points (rows, features) as a read-only copy, refused unless finite and of this width."""
    array = np.array(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != features:
        raise ValueError(f"points must have shape (rows, {features}) as the parties' data has, got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError("points must be finite, got NaN or infinite values")
    array.setflags(write=False)
    return array


def _chunks(members: NDArray[np.bool_]) -> Sequence[NDArray[np.bool_]]:
    size = max(1, (1 << 22) // max(members.shape[1], 1))
    return [members[start : start + size] for start in range(0, len(members), size)]
