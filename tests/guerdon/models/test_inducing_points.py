"""Whitened covariances with inducing points: what near-duplicates do to them."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from guerdon.linalg import LossOfPrecisionError
from guerdon.models import GaussianProcess, SparseGaussianProcess
from guerdon.models.inducing_points import InducingPoints, as_inducing, whitening_of
from guerdon.models.kernels import as_kernel, covariance
from guerdon.types import Contribution, FloatArray
from tests import exact

KERNEL = "rbf(lengthscale=1.0, outputscale=1.0)"


def test_whitened() -> None:
    Z = np.random.default_rng(0).normal(size=(6, 2))
    K = covariance(as_kernel(KERNEL, 2), Z)
    W, errors, dropped = whitening_of(K)
    np.testing.assert_allclose(W.T @ K @ W, np.eye(6), atol=1e-10)
    assert errors.shape == (6,)
    assert dropped.shape == (6, 0)
    assert np.all(np.diff(errors) >= 0.0)  # the smaller the eigenvalue, the less is known of it
    features = InducingPoints(KERNEL, Z)
    np.testing.assert_allclose(features(Z) @ features(Z).T, K, atol=1e-12)
    np.testing.assert_allclose(features.unexplained(Z, features(Z)), 0.0, atol=1e-12)
    assert np.all(features.unexplained(Z + 9.0, features(Z + 9.0)) > 0.9)


def gain_in_fifty_digits(X: FloatArray, Z: FloatArray, noise: float) -> float:
    k = exact.kernel("rbf")
    K_uu, K_uf = exact.covariance_matrix(k, Z), mp.matrix([[k(z, x) for x in X] for z in Z])
    S = K_uu + K_uf * K_uf.T / mp.mpf(noise)
    return float((mp.log(mp.det(S)) - mp.log(mp.det(K_uu))) / 2)


@pytest.mark.parametrize("apart", [1e-1, 1e-3, 1e-5, 1e-6, 1e-9])
def test_two_points_closer_and_closer(apart: float) -> None:
    """The value is right, or refused, or that of one point where two can't be told apart, which is reported."""
    X = np.linspace(-2.0, 2.0, 30)[:, None]
    Z = np.array([[0.3], [0.3 + apart], [-1.0]])
    model = SparseGaussianProcess(KERNEL, 0.1, Z)
    if apart in (1e-5, 1e-6):
        assert model.dropped_rank == 0
        for refused in (lambda: model.information_gain(X), lambda: model.information_gains([Contribution("ada", X)])):
            with pytest.raises(LossOfPrecisionError, match=r"inducing points .* too close together"):
                refused()
    elif apart == 1e-9:
        assert model.dropped_rank == 1
        assert model.information_gain(X) == pytest.approx(gain_in_fifty_digits(X, Z[[0, 2]], 0.1), rel=1e-6)
    else:
        assert model.dropped_rank == 0
        assert model.information_gain(X) == pytest.approx(gain_in_fifty_digits(X, Z, 0.1), rel=1e-15 / apart**2)


@pytest.mark.parametrize("apart", [1e-7, 3e-8])
@pytest.mark.parametrize("noise", [0.1, 1e-3])
def test_a_value_that_a_dropped_direction_holds_is_refused(apart: float, noise: float) -> None:
    """Half of the value is in the difference of two points that float64 can't tell apart."""
    X = 2.0 * np.random.default_rng(0).normal(size=(40, 1))
    Z = np.array([[0.0], [apart]])
    model = SparseGaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise, Z)
    assert model.dropped_rank == 1
    one = SparseGaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise, Z[:1])
    assert one.information_gain(X) < 0.6 * gain_in_fifty_digits(X, Z, noise)
    parties = [Contribution("ada", X[:20]), Contribution("bob", X[20:])]
    for refused in (
        lambda: model.information_gain(X),
        lambda: model.information_gains(parties),
        lambda: model.information_gain_chains(parties, np.array([[0, 1]])),
    ):
        with pytest.raises(LossOfPrecisionError, match="difference between inducing points that are too close"):
            refused()


def test_directions_that_hold_nothing_are_dropped() -> None:
    X = np.random.default_rng(0).normal(size=(60, 1))
    model = SparseGaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", 0.01, np.linspace(-3.0, 3.0, 40)[:, None])
    assert model.dropped_rank > 10
    exact = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", 0.01)
    assert model.information_gain(X) == pytest.approx(exact.information_gain(X), rel=1e-6)


def test_points_stay_as_they_are() -> None:
    given = np.zeros((2, 2))
    kept = as_inducing(given)
    given[0] = 5.0
    assert kept[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1.0
