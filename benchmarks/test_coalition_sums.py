"""The values of all coalitions of a linear model: running sums of Gram matrices against rebuilding each coalition's.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from guerdon.models.coalition_sums import table_of_gains
from guerdon.threads import one_thread
from guerdon.types import FloatArray, coalition_members

ROWS, FEATURES = 300, 100
AT_LEAST = 10.0


def parts(parties: int) -> list[FloatArray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(ROWS, FEATURES)) for _ in range(parties)]


def plain(each: list[FloatArray]) -> FloatArray:
    """1/2 log det(I + P' P) of each coalition's rows, every coalition from the beginning."""
    table = np.zeros(1 << len(each))
    for mask in range(1, len(table)):
        P = np.concatenate([each[i] for i in coalition_members(mask, len(each))])
        table[mask] = np.log(np.diagonal(np.linalg.cholesky(np.eye(FEATURES) + P.T @ P))).sum()
    return table


def test_sums_of_grams(benchmark: BenchmarkFixture) -> None:
    each, times = parts(10), []

    def sums() -> FloatArray:
        start = perf_counter()
        table = table_of_gains(each)
        times.append(perf_counter() - start)
        return table

    table = benchmark.pedantic(sums, rounds=5, warmup_rounds=1)
    with one_thread():  # as the sums themselves
        start = perf_counter()
        expected = plain(each)
        ratio = (perf_counter() - start) / min(times)
    benchmark.extra_info["times faster than rebuilding"] = round(ratio, 1)
    print(f"\n10 parties, {FEATURES} features: {min(times):.3f} s, {ratio:.1f} times faster than rebuilding")
    np.testing.assert_allclose(table, expected, rtol=1e-11)
    assert ratio >= AT_LEAST


def test_sixteen_parties(benchmark: BenchmarkFixture) -> None:
    each = parts(16)
    table = benchmark.pedantic(lambda: table_of_gains(each), rounds=1)
    print(f"\n16 parties, {FEATURES} features: {benchmark.stats.stats.min:.1f} s for {len(table)} coalitions")
    assert np.all(np.diff(table[(1 << np.arange(17)) - 1]) > 0.0)
