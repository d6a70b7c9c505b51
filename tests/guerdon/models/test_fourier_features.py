"""Random Fourier features: the kernel that they stand for, and that everybody draws the same."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models import BayesianLinear, FourierFeatures, GaussianProcess
from guerdon.models.features import features_arrays, features_from_arrays
from guerdon.models.fourier_features import orthogonal_frequencies


def test_inner_products_are_near_the_kernel_and_nearer_with_more() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    K = 2.0 * np.exp(-0.5 * np.square(X[:, None] - X).sum(axis=2) / 1.5**2)
    errors = []
    for count in (100, 10_000):
        Phi = FourierFeatures(count, lengthscale=1.5, outputscale=2.0)(X)
        errors.append(np.sqrt(np.mean(np.square(Phi @ Phi.T - 1.0 - K))))
    assert errors[1] < 0.02 < errors[0] < 0.3
    assert errors[1] < errors[0] / 5.0


def test_the_value_is_near_the_gaussian_process() -> None:
    X = np.random.default_rng(1).uniform(-3, 3, size=(80, 2))
    near = BayesianLinear(0.1, FourierFeatures(4_000, 1.0)).information_gain(X)
    exact = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.1).information_gain(X)
    assert near == pytest.approx(exact, rel=0.05)  # and a constant besides


def test_frequencies_are_orthogonal_in_blocks_normal_and_always_the_same() -> None:
    W = orthogonal_frequencies(40_000, 5, 0)
    block = W[:5] / np.linalg.norm(W[:5], axis=1, keepdims=True)
    np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(W.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(np.cov(W.T), np.eye(5), atol=0.03)
    assert W.shape == (40_000, 5)
    np.testing.assert_allclose(orthogonal_frequencies(2, 2, 7), orthogonal_frequencies(4, 2, 7)[:2], rtol=0, atol=0)
    np.testing.assert_allclose(orthogonal_frequencies(1, 1, 3), FIRST, rtol=1e-9)


FIRST = [[1.291984677960116]]
"""What the seed 3 draws first, here as on any machine."""


def test_they_travel_with_a_scale_an_input() -> None:
    features = FourierFeatures(6, [1.0, 2.0], seed=4)
    X = np.random.default_rng(2).normal(size=(5, 2))
    rebuilt = features_from_arrays(features_arrays(features))
    assert rebuilt is not None
    assert np.array_equal(rebuilt(X), features(X))
    with pytest.raises(ValueError, match="2 lengthscales for 3 inputs"):
        features(np.ones((1, 3)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"count": 3, "lengthscale": 1.0}, "count is even"),
        ({"count": 0, "lengthscale": 1.0}, "count"),
        ({"count": 2, "lengthscale": 0.0}, "lengthscale is positive"),
        ({"count": 2, "lengthscale": []}, "lengthscale is positive"),
        ({"count": 2, "lengthscale": 1.0, "outputscale": -1.0}, "outputscale is a positive variance"),
        ({"count": 2, "lengthscale": 1.0, "seed": -1}, "seed is a whole number"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FourierFeatures(**arguments)  # type: ignore[arg-type]
