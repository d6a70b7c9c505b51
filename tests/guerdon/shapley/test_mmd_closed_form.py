"""The closed form on block sums of any size: against enumeration, and against itself where that is out of reach."""

import numpy as np
import pytest

from guerdon.shapley import exact_shapley
from guerdon.shapley.mmd_closed_form import closed_form_shapley, grand_value
from guerdon.types import all_coalitions


def random_sums(rng, n, largest=200):
    """A, B, sizes and t as data would give them: k between clusters on the plane, 1 on the diagonal."""
    m = rng.integers(1, largest + 1, n).astype(float)
    centers = rng.normal(size=(n, 2))
    K = 0.8 * np.exp(-np.square(centers[:, None] - centers[None]).sum(axis=-1) / 2)
    B = K * np.outer(m, m)
    B[np.diag_indices(n)] = m + 0.8 * m * (m - 1)
    G = rng.uniform(0.1, 0.6, n) * m * m.sum()
    return B.sum(axis=1) + G, B, m, int(2 * m.sum())


def enumerate_shapley(A, B, m, t):
    C = all_coalitions(len(A)).astype(float)[1:]
    s = C @ m
    return exact_shapley(np.concatenate([[0.0], 2 * (C @ A) / (t * s) - ((C @ B) * C).sum(axis=1) / s**2]))


@pytest.mark.parametrize("n", range(1, 13))
def test_equals_enumeration(n):
    rng = np.random.default_rng(n)
    for largest in (1, 10, 1000):
        sums = random_sums(rng, n, largest)
        result = closed_form_shapley(*sums)
        np.testing.assert_allclose(result.values, enumerate_shapley(*sums), atol=1e-12)
        assert result.efficiency_gap <= 1e-12


@pytest.mark.parametrize("n", [50, 300])
def test_efficiency_beyond_enumeration(n):
    sums = random_sums(np.random.default_rng(n), n)
    result = closed_form_shapley(*sums)
    pool = grand_value(*sums)
    assert result.values.sum() == pytest.approx(pool, abs=1e-12)
    assert result.efficiency_gap == abs(result.values.sum() - pool)


def test_permuting_the_parties_permutes_the_values():
    rng = np.random.default_rng(0)
    A, B, m, t = random_sums(rng, 40)
    order = rng.permutation(40)
    shuffled = closed_form_shapley(A[order], B[np.ix_(order, order)], m[order], t)
    np.testing.assert_allclose(shuffled.values, closed_form_shapley(A, B, m, t).values[order], atol=1e-14)


def test_nodes_are_doubled_until_it_is_exact_enough():
    few = closed_form_shapley(*random_sums(np.random.default_rng(1), 60))
    many = closed_form_shapley(*random_sums(np.random.default_rng(1), 300))
    assert "nodes" in few.method
    assert few.method != many.method


def test_very_unequal_sizes():
    rng = np.random.default_rng(2)
    A, B, m, t = random_sums(rng, 6)
    scale = np.array([1.0, 1e-2, 1e2, 1.0, 1e3, 10.0])
    sums = (A * scale, B * np.outer(scale, scale), np.ceil(m * scale), int(t * 1e3))
    np.testing.assert_allclose(closed_form_shapley(*sums).values, enumerate_shapley(*sums), rtol=0, atol=1e-11)
