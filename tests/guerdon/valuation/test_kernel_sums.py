"""Blocked sums against the matrix of all pairs, for sizes on both sides of every block's edge."""

import numpy as np
import pytest

import guerdon.parallel
from guerdon.valuation import kernel_sums
from guerdon.valuation.kernel_sums import cross_sums, kernel_extremes, party_sums, self_sums
from guerdon.valuation.pair_kernels import SquaredExponential


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(kernel_sums, "ROWS", 7)
    monkeypatch.setattr(kernel_sums, "BLOCK", 35)


def matrix(X, Z):
    return np.exp(-np.square(X[:, None] - Z[None]).sum(axis=-1) / 2)


@pytest.mark.parametrize("expanded", [True, False])
@pytest.mark.parametrize("rows", [1, 5, 6, 7, 8, 14, 29])
def test_sums(rows, expanded):
    rng = np.random.default_rng(rows)
    X, Z = rng.normal(size=(rows, 3)), rng.normal(size=(12, 3))
    kernel = SquaredExponential(1.0, np.zeros(3), expanded)
    K = matrix(X, Z)
    sums = cross_sums(kernel, X, Z)
    np.testing.assert_allclose(sums.rows, K.sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(sums.columns, K.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(self_sums(kernel, X), matrix(X, X).sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize("sizes", [(1,), (5, 1, 9), (7, 7), (0, 3, 0, 20, 1), (40,)])
def test_party_sums(sizes):
    X = np.random.default_rng(0).normal(size=(sum(sizes), 2))
    K = matrix(X, X)
    owner = np.repeat(np.eye(len(sizes)), sizes, axis=0)  # (rows, n)
    np.testing.assert_allclose(party_sums(SquaredExponential(1.0, np.zeros(2)), X, sizes), owner.T @ K @ owner)


@pytest.mark.parametrize("rows", [2, 7, 8, 15, 30])
def test_extremes(rows):
    X = np.random.default_rng(rows).normal(size=(rows, 2))
    K = matrix(X, X)
    off = K[~np.eye(rows, dtype=bool)]
    assert kernel_extremes(SquaredExponential(1.0, np.zeros(2)), X) == pytest.approx((off.min(), off.max()))


def test_bits_do_not_depend_on_the_number_of_cores(monkeypatch):
    rng = np.random.default_rng(1)
    X, Z = rng.normal(size=(60, 2)), rng.normal(size=(50, 2))
    kernel = SquaredExponential(0.3, np.zeros(2))
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(guerdon.parallel, "cpu_count", lambda cores=cores: cores)
        found.append((*cross_sums(kernel, X, Z), self_sums(kernel, X), party_sums(kernel, X, (20, 30, 10))))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert np.array_equal(one, two)


def test_no_rows():
    kernel = SquaredExponential(1.0, np.zeros(2))
    assert cross_sums(kernel, np.empty((0, 2)), np.ones((3, 2))).columns.tolist() == [0.0, 0.0, 0.0]
    assert cross_sums(kernel, np.ones((3, 2)), np.empty((0, 2))).rows.tolist() == [0.0, 0.0, 0.0]
    assert self_sums(kernel, np.empty((0, 2))).shape == (0,)
