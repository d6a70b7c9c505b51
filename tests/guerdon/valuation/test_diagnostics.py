"""How a value answers to the noise level, and when it counts rows rather than what they tell."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models import BayesianLinear, GaussianProcess, SparseGaussianProcess
from guerdon.models.kernels import as_kernel, covariance
from guerdon.types import Contribution
from guerdon.valuation import noise_sensitivity

X = np.random.default_rng(0).normal(size=(30, 2))
PARTIES = [Contribution("ada", X[:20]), Contribution("bob", X[20:], noise=np.linspace(0.1, 0.5, 10))]
SMOOTH = "rbf(lengthscale=1.0, outputscale=2.0)"
NOISE = np.concatenate([np.full(20, 0.3), np.linspace(0.1, 0.5, 10)])


@pytest.mark.parametrize(
    "model", [GaussianProcess(SMOOTH, 0.3), SparseGaussianProcess(SMOOTH, 0.3, X[:5]), BayesianLinear(0.3, "Affine()")]
)
def test_the_elasticity_is_the_slope_of_the_value(model: GaussianProcess) -> None:
    found = noise_sensitivity(model, PARTIES)
    step = 1e-5
    up, down = (model.information_gain(X, NOISE * np.exp(sign * step)) for sign in (1, -1))
    assert found.elasticity == pytest.approx((up - down) / (2 * step), rel=1e-6)
    assert found.value == pytest.approx(model.information_gains(PARTIES)[-1], rel=1e-12)
    assert found.rows == 30


def test_it_is_the_trace_of_the_smoother() -> None:
    K = covariance(as_kernel(SMOOTH, 2), X)
    expected = np.trace(K @ np.linalg.inv(K + np.diag(NOISE)))
    assert noise_sensitivity(GaussianProcess(SMOOTH, 0.3), PARTIES).degrees_of_freedom == pytest.approx(expected)


def test_a_linear_model_has_no_more_than_its_weights() -> None:
    found = noise_sensitivity(BayesianLinear(1e-6), [Contribution("ada", X)])
    assert found.degrees_of_freedom == pytest.approx(2.0, rel=1e-5)
    assert not found.counts_noise


def test_a_term_that_acts_as_a_nugget_is_said() -> None:
    nugget = f"{SMOOTH} + exponential(lengthscale=1e-3, outputscale=5.0)"
    found = noise_sensitivity(GaussianProcess(nugget, 0.3), PARTIES)
    assert found.counts_noise
    assert found.share > 0.9
    assert "rows" in found.sentence
    assert "short lengthscale" in found.sentence
    smooth = noise_sensitivity(GaussianProcess(SMOOTH, 0.3), PARTIES)
    assert not smooth.counts_noise
    assert "short lengthscale" not in smooth.sentence


def test_no_rows() -> None:
    empty = noise_sensitivity(GaussianProcess(SMOOTH, 0.3), [Contribution("ada", np.empty((0, 2)))])
    assert (empty.value, empty.rows, empty.degrees_of_freedom, empty.share) == (0.0, 0, 0.0, 0.0)
