"""Information gains of coalitions of a linear model, from one Gram matrix a party.

With white features P = L^-1/2 Phi (m, M), a party's Gram matrix is G_i = P_i' P_i, and a coalition is worth
v_C = 1/2 log det(I + sum_{i in C} G_i), whatever the number of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from guerdon.linalg import (
    chain_half_log_determinants,
    half_log_determinant,
    lattice_half_log_determinants,
    require_precision,
    rounding_error,
    triangular_factor,
)
from guerdon.models.linear_gaussian_posterior import square_root_information
from guerdon.models.references import narrowing
from guerdon.threads import one_thread
from guerdon.types import FloatArray, Progress, coalition_members, silent

__all__ = [
    "chains_of_gains",
    "chains_of_predictive_gains",
    "gain",
    "gains_of_rows",
    "predictive_gains_of_rows",
    "table_of_gains",
    "table_of_predictive_gains",
]


EXACT = 2e-11
"""A value whose rounding error may be a larger share of it (or of 1 nat) is computed again without squaring P."""


def gain(P: FloatArray, what: str = "the data") -> float:
    """1/2 log det(I + P' P) of white features P (m, M), on the smaller side.

    Where the Gram matrix is too close to singular to give all digits, the value comes from the triangular factor of
    [P; I], which never squares: so that a party has one value, to 1e-10 of the pool's, whoever asks for it.

    Raises
    ------
    LossOfPrecisionError
        (Almost) collinear rows or features with (almost) no noise.
    """
    if not P.size:
        return 0.0
    P = P.T if len(P) < P.shape[1] else P
    value = _squared(_inner(P.T))
    return _triangular(P, what) if value is None else value


def _squared(A: FloatArray) -> float | None:
    """1/2 log det A, None where rounding could show."""
    factor, info = lapack.dpotrf(np.asfortranarray(A), lower=1, clean=0)
    if info != 0:
        return None
    value = float(np.log(np.diagonal(factor)).sum())
    allowed = EXACT * max(1.0, value)
    return value if rounding_error(A, factor, enough=allowed) <= allowed else None


def _triangular(P: FloatArray, what: str) -> float:
    """1/2 log det(I + P' P) = sum log |R_jj| with R' R = I + P' P; rows of P that are larger come first."""
    order = np.argsort(-np.square(P).sum(axis=1), kind="stable")
    R = triangular_factor(P.shape[1], [P[order], np.eye(P.shape[1])])
    pivots = np.abs(np.diagonal(R))
    value = float(np.log(pivots).sum())
    error = float(np.finfo(np.float64).eps * np.sum(np.linalg.norm(R, axis=0) / pivots))
    require_precision(value, error, what)
    return value


def table_of_gains(parts: Sequence[FloatArray], *, progress: Progress = silent) -> FloatArray:
    """The gain of every coalition of parties with white features P_i (m_i, M): (2**n,), indexed by bitmask.

    A depth-first walk of the subset lattice adds one Gram matrix a coalition, and never subtracts one; a coalition
    costs one Cholesky factor of M^3 / 3 flops. Where the whole pool has fewer rows than features, the walk is over its
    rows instead.

    Notes
    -----
    Bits are the same on any number of cores: the walk runs on one BLAS thread.
    """
    sizes = [len(P) for P in parts]
    if sum(sizes) < parts[0].shape[1]:
        B = _inner(np.concatenate(parts))
        with one_thread():
            half_log_determinant(B, "the pooled data")
        return lattice_half_log_determinants(B, sizes, progress=progress)
    with one_thread():
        sums = _Sums(parts)
    return _table(sums, progress)


def chains_of_gains(parts: Sequence[FloatArray], orders: NDArray[np.intp]) -> FloatArray:
    """The gains of all prefixes of each order of the parties: orders (k, n) -> (k, n + 1), the first column 0."""
    sizes = [len(P) for P in parts]
    if sum(sizes) < parts[0].shape[1]:
        return chain_half_log_determinants(_inner(np.concatenate(parts)), sizes, orders)
    with one_thread():
        sums = _Sums(parts)
    return _chains(sums, orders)


def table_of_predictive_gains(
    parts: Sequence[FloatArray], at: FloatArray, weights: FloatArray, *, progress: Progress = silent
) -> FloatArray:
    """What every coalition tells of predictions at references with white rows R_x, in nats: (2**n,).

    v_C = sum_x weight_x 1/2 [log det(I + R_x R_x') - log det(I + R_x (I + sum_{i in C} G_i)^-1 R_x')], one Cholesky
    factor and one triangular solve a coalition.

    Parameters
    ----------
    parts : sequence of n (m_i, M) array
    at : (q, p, M) array
    weights : (q,) array
    progress : callable
    """
    return _table(_PredictiveSums(parts, at, weights), progress)


def chains_of_predictive_gains(
    parts: Sequence[FloatArray], at: FloatArray, weights: FloatArray, orders: NDArray[np.intp]
) -> FloatArray:
    """The same of all prefixes of each order of the parties: orders (k, n) -> (k, n + 1), the first column 0."""
    return _chains(_PredictiveSums(parts, at, weights), orders)


def gains_of_rows(rows: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    """What each row adds to 1/2 log det(I + P' P) when rows arrive in this order: (m,), in the rows' own order.

    Blocks of rows at once: given those before, with R' R = I + P' P so far, the pivots of the Cholesky factor of
    I + W W', W = P_block R^-1, are what the block's rows add one after the other.

    Parameters
    ----------
    rows : (m, p, M) array
        White rows, p a row.
    order : (m,) array
    """
    gains = np.empty(len(order))
    with one_thread():
        for block, W, _ in _arrivals(rows, order):
            factor = np.linalg.cholesky(_inner(W))
            gains[block] = np.log(np.diagonal(factor)).reshape(len(block), -1).sum(axis=1)
    return gains


def predictive_gains_of_rows(
    rows: FloatArray, at: FloatArray, weights: FloatArray, order: NDArray[np.intp]
) -> FloatArray:
    """What each row adds to what is known at references when rows arrive in this order: (m,).

    Parameters
    ----------
    rows : (m, p, M) array
    at : (q, p, M) array
        White rows of the references.
    weights : (q,) array
    order : (m,) array
    """
    gains = np.empty(len(order))
    q, p, M = at.shape
    with one_thread():
        for block, W, root in _arrivals(rows, order):
            g = at.reshape(q * p, M) @ root  # (q p, M): before the block
            V = np.linalg.solve(np.linalg.cholesky(_inner(W)), W @ g.T).reshape(len(block), -1, q, p)
            explained = np.cumsum(np.einsum("bsqi,bsqj->bqij", V, V), axis=0)
            before = np.eye(p) + np.einsum("qik,qjk->qij", g.reshape(q, p, M), g.reshape(q, p, M))
            L = np.linalg.cholesky(before)
            T = np.linalg.solve(L, np.linalg.solve(L, explained).swapaxes(-1, -2))
            worth = narrowing(T.reshape(-1, p, p)).reshape(len(block), q) @ weights
            gains[block] = np.diff(worth, prepend=0.0)
    return gains


ROWS = 64
"""Rows that arrive at once, as one block of linear algebra."""


def _arrivals(rows: FloatArray, order: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], FloatArray, FloatArray]]:
    """Blocks of rows as they arrive: which, their white rows P root, and root root' = (I + P' P before them)^-1."""
    M = rows.shape[2]
    A, root = np.eye(M), np.eye(M)
    for start in range(0, len(order), ROWS):
        block = order[start : start + ROWS]
        P = rows[block].reshape(-1, M)
        yield block, P @ root, root
        A = A + P.T @ P
        factor = np.linalg.cholesky(A)
        root = np.asarray(lapack.dtrtri(factor, lower=1)[0]).T


def _table(sums: _Sums, progress: Progress) -> FloatArray:
    n = len(sums.parts)
    table = np.zeros(1 << n)
    report_every = max(1, (1 << n) // 64)
    with one_thread():
        for done, _ in enumerate(sums.walk(table), start=2):
            if done % report_every == 0 or done == 1 << n:
                progress("value", done, 1 << n)
    return table


def _chains(sums: _Sums, orders: NDArray[np.intp]) -> FloatArray:
    with one_thread():
        return np.array([sums.chain(order) for order in orders]).reshape(len(orders), len(sums.parts) + 1)


class _Sums:
    """Running sums I + sum_{i in C} G_i, and what they are worth."""

    def __init__(self, parts: Sequence[FloatArray]) -> None:
        self.parts = parts
        M = parts[0].shape[1]
        self.grams = [P.T @ P for P in parts]
        self.levels = [np.eye(M)] + [np.empty((M, M)) for _ in parts]
        self.work = np.empty((M, M), order="F")
        self.eps = float(0.5 * np.finfo(np.float64).eps)

    def walk(self, table: FloatArray) -> Iterator[int]:
        """Fill the table, one coalition at a time, each yielded when its value is there."""
        n = len(self.parts)

        def joined_by(mask: int, depth: int, first: int) -> Iterator[int]:
            """Every coalition of these members and at least one of the parties from ``first`` on."""
            for i in range(first, n):
                larger = mask | 1 << i
                A = np.add(self.levels[depth], self.grams[i], out=self.levels[depth + 1])
                table[larger] = self.value(A, larger)
                yield larger
                yield from joined_by(larger, depth + 1, i + 1)

        return joined_by(0, 0, 0)

    def chain(self, order: NDArray[np.intp]) -> list[float]:
        """The values of all prefixes of one order."""
        values, mask, A = [0.0], 0, self.levels[0]
        for i in order.tolist():
            mask |= 1 << i
            A = np.add(A, self.grams[i], out=self.levels[1])
            values.append(self.value(A, mask))
        return values

    def value(self, A: FloatArray, mask: int) -> float:
        """1/2 log det A; from the members' rows where A has lost digits, as few rows with little noise make it do."""
        factor = self.factor(A)
        if factor is not None:
            return float(np.log(factor.diagonal()).sum())
        return gain(self.rows(mask), "a coalition's data")

    def factor(self, A: FloatArray) -> FloatArray | None:
        """The lower Cholesky factor of A, None where A has lost digits."""
        np.copyto(self.work.T, A)  # A is symmetric, so its transpose is as good, and lies in memory as dpotrf wants it
        factor, info = lapack.dpotrf(self.work, lower=1, clean=0, overwrite_a=1)
        pivots = factor.diagonal()
        if info != 0:
            return None
        value = float(np.log(pivots).sum())
        exact = self.eps * float((A.diagonal() / (pivots * pivots)).sum()) <= EXACT * max(1.0, value)
        return np.asarray(factor) if exact else None

    def rows(self, mask: int) -> FloatArray:
        """The white rows of a coalition's members."""
        return np.concatenate([self.parts[i] for i in coalition_members(mask, len(self.parts))])


class _PredictiveSums(_Sums):
    """The same sums, worth what they tell of predictions at references with white rows R_x (q, p, M)."""

    def __init__(self, parts: Sequence[FloatArray], at: FloatArray, weights: FloatArray) -> None:
        super().__init__(parts)
        self.at, self.weights = at, weights
        self.before = self._half_log_determinants(at.reshape(-1, at.shape[2]).T)

    def value(self, A: FloatArray, mask: int) -> float:
        R = self.at.reshape(-1, self.at.shape[2]).T
        factor = self.factor(A)
        if factor is None:
            Z = square_root_information([self.rows(mask)], len(A)).T @ R
        else:
            Z = blas.dtrsm(1.0, factor, R, lower=1)
        return float(self.weights @ (self.before - self._half_log_determinants(Z)))

    def _half_log_determinants(self, Z: FloatArray) -> FloatArray:
        """1/2 log det(I + Z_x' Z_x) of the columns (M, q p) that belong to each reference: (q,)."""
        q, p = self.at.shape[:2]
        if p == 1:
            return np.asarray(0.5 * np.log1p(np.einsum("mq,mq->q", Z, Z)))
        by_reference = Z.T.reshape(q, p, -1)
        return -narrowing(-by_reference @ by_reference.transpose(0, 2, 1))


def _inner(P: FloatArray) -> FloatArray:
    """I + P P'."""
    B = P @ P.T
    B[np.diag_indices_from(B)] += 1.0
    return np.asarray(B)
