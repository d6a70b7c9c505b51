"""Exact Shapley values of the MMD game: the closed form at 10 to 3,000 parties, enumeration where it can follow."""

import time

import numpy as np
import pytest

from guerdon.shapley import exact_shapley
from guerdon.shapley.mmd_closed_form import closed_form_shapley
from guerdon.types import all_coalitions


def random_sums(n, smallest=1, largest=200):
    """A, B, sizes and t as the data of n clusters on the plane would give them."""
    rng = np.random.default_rng(n)
    m = rng.integers(smallest, largest, n).astype(float)
    centers = rng.normal(size=(n, 2))
    K = 0.8 * np.exp(-np.square(centers[:, None] - centers[None]).sum(axis=-1) / 2)
    B = K * np.outer(m, m)
    B[np.diag_indices(n)] = m + 0.8 * m * (m - 1)
    return 1.5 * B.sum(axis=1), B, m, int(1.5 * m.sum())


def enumeration(A, B, m, t):
    """The plain way: the value of every coalition."""
    C = all_coalitions(len(A)).astype(float)[1:]
    s = C @ m
    return exact_shapley(np.concatenate([[0.0], 2 * (C @ A) / (t * s) - ((C @ B) * C).sum(axis=1) / s**2]))


@pytest.mark.parametrize("n", [10, 100, 1000, 3000])
def test_closed_form(benchmark, n):
    """Aim: 1,000 parties in .7 CPU s, 3,000 in 8."""
    sums = random_sums(n)
    start = time.process_time()
    result = benchmark.pedantic(closed_form_shapley, args=sums, rounds=1)
    benchmark.extra_info.update(gap=result.efficiency_gap, method=result.method)
    print(f"\n{n} parties: {time.process_time() - start:.2f} CPU s, gap {result.efficiency_gap:.1e}, {result.method}")
    assert result.efficiency_gap < 1e-12


@pytest.mark.parametrize("n", [1000, 3000])
def test_closed_form_where_hardly_two_sizes_are_equal(benchmark, n):
    """The worst case."""
    sums = random_sums(n, 1000, 100_000)
    start = time.process_time()
    result = benchmark.pedantic(closed_form_shapley, args=sums, rounds=1)
    print(f"\n{n} parties of {len(np.unique(sums[2]))} sizes: {time.process_time() - start:.2f} CPU s")
    assert result.efficiency_gap < 1e-10 * np.abs(result.values).sum()


@pytest.mark.parametrize("n", [10, 16])
def test_enumeration(benchmark, n):
    """2**n coalitions; each further party doubles it."""
    sums = random_sums(n)
    values = benchmark.pedantic(enumeration, args=sums, rounds=1)
    np.testing.assert_allclose(closed_form_shapley(*sums).values, values, atol=1e-12)
