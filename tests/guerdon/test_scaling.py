"""Standardisation and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.scaling import Scaling
from guerdon.types import Contribution


def pool(seed: int = 0) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    return [
        Contribution("ada", rng.normal(5.0, 3.0, size=(20, 2)), rng.normal(100.0, 7.0, 20), ("a", "b"), noise=2.0),
        Contribution("bob", rng.normal(-5.0, 1.0, size=(9, 2)), rng.normal(90.0, 7.0, 9), ("a", "b"), np.ones(9)),
    ]


def test_the_pool_becomes_standard() -> None:
    scaling = Scaling.of_pool(pool())
    scaled = [scaling.apply(c) for c in pool()]
    X, y = np.concatenate([c.X for c in scaled]), np.concatenate([c.y for c in scaled])
    np.testing.assert_allclose(X.mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(X.std(axis=0), 1.0, rtol=1e-14)
    assert (y.mean(), y.std()) == pytest.approx((0.0, 1.0), abs=1e-13)
    assert scaled[0].feature_names == ("a", "b")


@given(st.integers(0, 10**6))
def test_there_and_back(seed: int) -> None:
    contributions = pool(seed)
    scaling = Scaling.of_pool(contributions)
    for c in contributions:
        scaled = scaling.apply(c)
        np.testing.assert_allclose(scaled.X * scaling.feature_scale + scaling.feature_mean, c.X, rtol=1e-12, atol=1e-12)
        mean, variance = scaling.target(scaled.y, np.broadcast_to(scaled.noise, len(c)))
        np.testing.assert_allclose(mean, c.y, rtol=1e-13)
        np.testing.assert_allclose(variance, np.broadcast_to(c.noise, len(c)), rtol=1e-13)
        np.testing.assert_array_equal(scaling.features(c.X), scaled.X)


@pytest.mark.parametrize("constant", [0.0, 7.0, 1e9 / 3.0, -1e-9 / 3.0])
def test_a_constant_column_is_centred_only(constant: float) -> None:
    X = np.column_stack([np.full(30, constant), np.linspace(0.0, 1e-6, 30)])
    scaling = Scaling.of_pool([Contribution("ada", X, np.full(30, constant))])
    assert scaling.feature_scale[0] == 1.0
    assert scaling.target_scale == 1.0
    assert scaling.feature_scale[1] == pytest.approx(X[:, 1].std())


def test_identity_and_no_outputs() -> None:
    contribution = Contribution("ada", np.array([[1.0, 2.0], [3.0, 5.0]]))
    same = Scaling.identity(2).apply(contribution)
    np.testing.assert_array_equal(same.X, contribution.X)
    assert same.y is None
    assert same.noise is None
    scaling = Scaling.of_pool([contribution])
    assert (scaling.target_mean, scaling.target_scale) == (0.0, 1.0)


def test_arrays_hold_all_of_it() -> None:
    scaling = Scaling.of_pool(pool())
    arrays = scaling.arrays()
    assert set(arrays) == {"feature_mean", "feature_scale", "target_mean", "target_scale"}
    assert float(arrays["target_scale"]) == scaling.target_scale


def test_by_median_and_quartiles_one_cell_squashes_nothing() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(50.0, 10.0, size=(200, 3)), rng.normal(5.0, 2.0, 200)
    X[:, 2] = rng.random(200) < 0.1  # rare: its quartiles coincide
    clean = Scaling.of_pool([Contribution("ada", X, y)], robust=True)
    np.testing.assert_allclose(clean.feature_scale[:2], 10.0, rtol=0.15)
    np.testing.assert_allclose(clean.feature_mean[:2], 50.0, atol=2.0)
    assert (clean.feature_mean[2], clean.feature_scale[2]) == (0.0, 1.0)
    X[0, 0], X[1, 2], y[0] = 6e9, 1e9, 1e9
    spoilt = Scaling.of_pool([Contribution("ada", X, y)], robust=True)
    np.testing.assert_allclose(spoilt.feature_scale, clean.feature_scale, rtol=0.05)
    assert spoilt.target_scale == pytest.approx(clean.target_scale, rel=0.05)
    assert Scaling.of_pool([Contribution("ada", X, y)]).feature_scale[0] > 1e8
    assert Scaling.of_pool([Contribution("ada", np.full((5, 1), 7.0))], robust=True).feature_scale[0] == 1.0
