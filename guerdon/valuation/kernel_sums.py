"""Sums of kernel values over sets of points, in one pass of bounded memory.

A pass holds one block of at most 2^18 kernel values (2 MB) a worker, and vectors as long as the sets; never a matrix
of all pairs. Blocks are added up in one order, so the bits are the same on any number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from guerdon.parallel import ordered_map
from guerdon.types import FloatArray
from guerdon.valuation.pair_kernels import PairKernel

__all__ = ["CrossSums", "cross_sums", "kernel_extremes", "party_sums", "self_sums"]

ROWS = 256
BLOCK = 1 << 18
"""Kernel values in a block: in L2, yet long enough that the interpreter's share is below a hundredth."""

Advance = Callable[[int], None]
"""Called with the number of kernel values just computed."""


def _ignore(_: int) -> None:
    """A callback that does nothing."""


class CrossSums(NamedTuple):
    """Sums of k(X, Z) over the columns, (a,), and over the rows, (b,)."""

    rows: FloatArray
    columns: FloatArray


def cross_sums(kernel: PairKernel, X: FloatArray, Z: FloatArray, advance: Advance = _ignore) -> CrossSums:
    """sum_z k(x, z) for every x of X (a, d), and sum_x k(x, z) for every z of Z (b, d)."""
    left, right = kernel.left(X), kernel.right(Z)

    def stripe(start: int) -> CrossSums:
        rows = left[start : start + ROWS]
        sums = CrossSums(np.zeros(len(rows)), np.zeros(right.shape[1]))
        for low, K in _blocks(kernel, rows, right, 0):
            sums.rows[:] += K.sum(axis=1)
            sums.columns[low : low + K.shape[1]] = K.sum(axis=0)
        return sums

    starts = range(0, len(left), ROWS)
    total = CrossSums(np.zeros(len(X)), np.zeros(len(Z)))
    for start, sums in zip(starts, ordered_map(stripe, starts, kernel.workers), strict=True):
        total.rows[start : start + ROWS] = sums.rows
        total.columns[:] += sums.columns
        advance(len(sums.rows) * len(Z))
    return total


def self_sums(kernel: PairKernel, X: FloatArray, advance: Advance = _ignore) -> FloatArray:
    """sum_{x'} k(x, x') over all x' of X, itself included, for every x: (a,). Each pair is computed once."""
    left, right = kernel.left(X), kernel.right(X)

    def stripe(start: int) -> FloatArray:
        rows = left[start : start + ROWS]
        sums = np.zeros(len(left) - start)  # for the points from ``start`` on
        for low, K in _blocks(kernel, rows, right, start):
            sums[: len(rows)] += K.sum(axis=1)
            later = max(start + len(rows) - low, 0)  # pairs within the stripe are in the sums over rows already
            sums[low - start + later : low - start + K.shape[1]] += K[:, later:].sum(axis=0)
        return sums

    starts = range(0, len(left), ROWS)
    total = np.zeros(len(X))
    for start, sums in zip(starts, ordered_map(stripe, starts, kernel.workers), strict=True):
        total[start:] += sums
        advance(min(ROWS, len(left) - start) * len(sums))
    return total


def party_sums(kernel: PairKernel, X: FloatArray, sizes: Sequence[int], advance: Advance = _ignore) -> FloatArray:
    """B_ij = sum over the rows of i and of j of k: (n, n), for rows grouped by party with these sizes."""
    left, right = kernel.left(X), kernel.right(X)
    owner = np.repeat(np.arange(len(sizes)), sizes)

    def stripe(start: int) -> FloatArray:
        rows = left[start : start + ROWS]
        sums = np.zeros((len(rows), len(sizes)))
        for low, K in _blocks(kernel, rows, right, 0):
            owners = owner[low : low + K.shape[1]]
            firsts = np.flatnonzero(np.diff(owners, prepend=-1))  # where each party's columns start
            sums[:, owners[firsts]] += np.add.reduceat(K, firsts, axis=1)
        return sums

    starts = range(0, len(left), ROWS)
    total = np.zeros((len(sizes), len(sizes)))
    for start, sums in zip(starts, ordered_map(stripe, starts, kernel.workers), strict=True):
        owners = owner[start : start + ROWS]
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        total[owners[firsts]] += np.add.reduceat(sums, firsts, axis=0)
        advance(len(owners) * len(left))
    return 0.5 * (total + total.T)


def kernel_extremes(kernel: PairKernel, X: FloatArray) -> tuple[float, float]:
    """The smallest and the largest k(x, x') over pairs of different rows of X (a, d), a >= 2."""
    left, right = kernel.left(X), kernel.right(X)

    def stripe(start: int) -> tuple[float, float]:
        low_value, high_value = np.inf, -np.inf
        rows = left[start : start + ROWS]
        for low, K in _blocks(kernel, rows, right, start):
            own = np.arange(max(start + len(rows) - low, 0)) if low < start + len(rows) else np.arange(0)
            own = own[own < K.shape[1]]
            K[low - start + own, own] = np.nan  # a row with itself
            low_value, high_value = (
                min(low_value, float(np.fmin.reduce(K.ravel()))),
                max(high_value, float(np.fmax.reduce(K.ravel()))),
            )
        return low_value, high_value

    found = list(ordered_map(stripe, range(0, len(left), ROWS), kernel.workers))
    values = np.array(found)
    return float(np.nanmin(values[:, 0])), float(np.nanmax(values[:, 1]))


def _blocks(kernel: PairKernel, rows: FloatArray, right: FloatArray, start: int) -> Iterator[tuple[int, FloatArray]]:
    """Blocks of the kernel between prepared rows and the columns from ``start`` on: (first column, (rows, c) array).

    The array is overwritten by the next block.
    """
    width = max(BLOCK // max(len(rows), 1), 1)
    buffer = np.empty(len(rows) * min(width, max(right.shape[1] - start, 0)))
    for low in range(start, right.shape[1], width):
        columns = right[:, low : low + width]
        K = buffer[: len(rows) * columns.shape[1]].reshape(len(rows), columns.shape[1])
        kernel.block(rows, columns, K)
        yield low, K
