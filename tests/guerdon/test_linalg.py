"""Each numerical hazard with its owner: right where float64 can be, refused where it can't."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.linalg import (
    LossOfPrecisionError,
    chain_half_log_determinants,
    excess_spectrum,
    half_log_determinant,
    lattice_half_log_determinants,
    psd_cholesky,
    rounding_error,
    whitened,
)
from guerdon.types import FloatArray, all_coalitions


def gram(seed: int, m: int, rank: int | None = None) -> FloatArray:
    A = np.random.default_rng(seed).normal(size=(m, rank or m))
    return A @ A.T / m


def in_long_double(B: FloatArray) -> np.longdouble:
    """1/2 log det B by Cholesky in 80 bits."""
    A, total = B.astype(np.longdouble), np.longdouble(0.0)
    for k in range(len(A)):
        total += np.log(A[k, k])
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k + 1 :, k]) / A[k, k]
    return total / 2


def test_whitening() -> None:
    K, noise = gram(0, 5), np.linspace(0.1, 2.0, 5)
    expected = np.eye(5) + np.diag(noise**-0.5) @ K @ np.diag(noise**-0.5)
    np.testing.assert_allclose(whitened(K, noise), expected, rtol=1e-15)


def test_cholesky_leaves_its_argument_alone() -> None:
    B = np.eye(6) + gram(1, 6)
    before = B.copy()
    np.testing.assert_allclose(psd_cholesky(B), np.linalg.cholesky(B), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(B, before)
    assert psd_cholesky(np.empty((0, 0))).shape == (0, 0)


def test_cholesky_names_what_is_singular() -> None:
    with pytest.raises(LossOfPrecisionError, match="the pooled data is singular to working precision at row 2"):
        psd_cholesky(np.ones((3, 3)), "the pooled data")
    with pytest.raises(LossOfPrecisionError):
        half_log_determinant(np.array([[np.nan]]))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 30), st.floats(-9, 1))
def test_half_log_determinants_are_right_or_refused(seed: int, m: int, exponent: float) -> None:
    """Rank-deficient matrices with less and less noise."""
    B = whitened(gram(seed, m, rank=max(1, m // 2)), np.full(m, 10.0**exponent))
    truth = float(in_long_double(B))
    value = half_log_determinant(B)
    assert abs(value - truth) <= 1e-6 * max(1.0, abs(truth))
    assert abs(value - truth) <= 3 * rounding_error(B, psd_cholesky(B)) + 1e-14 * abs(truth)


@pytest.mark.parametrize("lengthscale", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("middle_first", [False, True])
def test_a_line_of_points_without_noise_is_refused(lengthscale: float, middle_first: bool) -> None:
    """Its pivots are rounding themselves, and said of it that it was known: 8e-3 of 111.82 nats passed."""
    x = np.linspace(0.0, 1.0, 20)
    x = np.concatenate([x[9:11], x[:9], x[11:]]) if middle_first else x
    K = np.exp(-0.5 * np.square((x[:, None] - x) / lengthscale))
    with pytest.raises(LossOfPrecisionError, match=r"rounding error of about 0\.0"):
        half_log_determinant(whitened(K, np.full(20, 1e-13)), "the data")


def test_the_rounding_error_is_bounded_before_it_is_computed() -> None:
    B = whitened(gram(0, 8, rank=4), np.full(8, 1e-3))
    factor = psd_cholesky(B)
    exact = 0.5 * np.finfo(np.float64).eps * np.sum(np.diagonal(B) * np.diagonal(np.linalg.inv(B)))
    assert rounding_error(B, factor) == pytest.approx(exact, rel=1e-6)
    assert exact <= rounding_error(B, factor, enough=1e-6) <= 1e-6


@pytest.mark.parametrize("noise", [1e-12, 1e-14])
def test_too_little_noise_is_refused_by_the_error_it_would_make(noise: float) -> None:
    B = whitened(gram(2, 20, rank=10), np.full(20, noise))
    with pytest.raises(LossOfPrecisionError, match="Raise the noise variance, or remove the repeated rows"):
        half_log_determinant(B, "the data")


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 7), min_size=1, max_size=6))
def test_the_lattice_walk_against_each_coalition(seed: int, sizes: list[int]) -> None:
    B = np.eye(sum(sizes)) + gram(seed, max(sum(sizes), 1))[: sum(sizes), : sum(sizes)]
    before = B.copy()
    table = lattice_half_log_determinants(B, sizes)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    for mask, row in enumerate(all_coalitions(len(sizes))):
        rows = np.flatnonzero(row[owner])
        expected = 0.5 * np.linalg.slogdet(B[np.ix_(rows, rows)])[1]
        assert table[mask] == pytest.approx(expected, rel=1e-12, abs=1e-14)
    np.testing.assert_array_equal(B, before)


def test_the_lattice_walk_reads_the_lower_triangle_only_where_it_may() -> None:
    """The blocks of B may be given in any memory order."""
    B = np.eye(9) + gram(3, 9)
    sizes = [2, 4, 3]
    expected = lattice_half_log_determinants(B, sizes)
    np.testing.assert_array_equal(lattice_half_log_determinants(np.asfortranarray(B), sizes), expected)


def test_the_lattice_walk_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="sizes sum to 5 but B has 4 rows"):
        lattice_half_log_determinants(np.eye(4), [2, 3])
    with pytest.raises(LossOfPrecisionError):
        lattice_half_log_determinants(np.ones((4, 4)), [2, 2])


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 12), st.booleans(), st.sampled_from([0.0, 0.3, 50.0]))
def test_the_excess_spectrum_gives_the_gain_at_every_noise(seed: int, m: int, equal: bool, eta: float) -> None:
    rng = np.random.default_rng(seed)
    S = gram(seed, max(m, 1), rank=max(1, m // 2))[:m, :m]
    noise = np.full(m, 0.2) if equal else rng.uniform(0.05, 2.0, m)
    excess, floor = excess_spectrum(S, noise, scale=float(np.abs(S).sum()))
    assert np.all(excess >= 0.0)
    np.testing.assert_array_equal(floor, np.sort(noise))
    # The spectrum is that of S + diag(noise), so noise on top of it is exact too.
    expected = 0.5 * (np.linalg.slogdet(S + np.diag(noise + eta))[1] - np.log(noise + eta).sum())
    assert 0.5 * np.sum(np.log1p(excess / (floor + eta))) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_chains_against_each_prefix() -> None:
    B, sizes = np.eye(9) + gram(3, 9), [2, 0, 4, 3]
    orders = np.array([[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]])
    table = lattice_half_log_determinants(B, sizes)
    chains = chain_half_log_determinants(B, sizes, orders)
    assert np.all(chains[:, 0] == 0.0)
    np.testing.assert_allclose(chains[:, 1:], table[np.cumsum(1 << orders, axis=1)], rtol=1e-13, atol=1e-15)
    with pytest.raises(ValueError, match="sizes sum to 8 but B has 9 rows"):
        chain_half_log_determinants(B, [2, 0, 4, 2], orders)
    repeated = np.ones((9, 9)) / 1e-14 + np.eye(9)
    with pytest.raises(LossOfPrecisionError):
        chain_half_log_determinants(repeated, sizes, orders)


def test_the_excess_spectrum_is_refused_against_too_little_noise() -> None:
    S = gram(4, 10, rank=5)
    for noise in (np.full(10, 1e-13), np.linspace(1e-13, 2e-13, 10)):
        with pytest.raises(LossOfPrecisionError, match="the pooled data"):
            excess_spectrum(S, noise, scale=float(np.abs(S).sum()))
    excess_spectrum(S, np.full(10, 1e-8), scale=float(np.abs(S).sum()))
    # What S was computed from may have been far larger than S.
    with pytest.raises(LossOfPrecisionError):
        excess_spectrum(1e-12 * S, np.full(10, 1e-12), scale=1.0)
