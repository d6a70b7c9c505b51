"""The values of all coalitions: the lattice walk against one Cholesky a coalition.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from guerdon.linalg import lattice_half_log_determinants
from guerdon.threads import one_thread
from guerdon.types import FloatArray

PARTIES, ROWS = 10, 2000
AT_LEAST = 6.0


def plain(B: FloatArray, sizes: list[int]) -> FloatArray:
    """1/2 log det of each coalition's rows, every coalition from the beginning."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    table = np.zeros(1 << len(sizes))
    for mask in range(1, len(table)):
        rows = np.flatnonzero(mask >> owner & 1)
        table[mask] = np.log(np.diagonal(np.linalg.cholesky(B[np.ix_(rows, rows)]))).sum()
    return table


def test_lattice_walk(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(ROWS, ROWS))
    B = np.eye(ROWS) + A @ A.T / ROWS
    sizes = [ROWS // PARTIES] * PARTIES
    times = []

    def walk() -> FloatArray:
        start = perf_counter()
        table = lattice_half_log_determinants(B, sizes)
        times.append(perf_counter() - start)
        return table

    table = benchmark.pedantic(walk, rounds=3, warmup_rounds=1)
    with one_thread():  # as the walk itself: the same arithmetic units for both
        start = perf_counter()
        expected = plain(B, sizes)
        ratio = (perf_counter() - start) / min(times)
    benchmark.extra_info["times faster than one Cholesky a coalition"] = round(ratio, 1)
    print(f"\nlattice walk, {PARTIES} parties, {ROWS} rows: {min(times):.2f} s, {ratio:.1f} times faster")
    np.testing.assert_allclose(table, expected, rtol=1e-12)
    assert ratio >= AT_LEAST
