"""What a linear posterior ships: mean and covariance, and nothing of the pool."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models import BayesianLinear, GaussianProcess, LinearGaussianPosterior, Predictor, SparseGaussianProcess
from guerdon.models.linear_gaussian_posterior import square_root_information
from guerdon.scaling import Scaling
from guerdon.testing.suite import through_a_file
from guerdon.types import Contribution

RNG = np.random.default_rng(0)
X, AT = RNG.normal(size=(300, 2)), RNG.normal(size=(6, 2))
Y = X[:, 0] + 0.1 * RNG.normal(size=300)
MODELS = [
    BayesianLinear(0.1, "Affine()"),
    BayesianLinear(0.1),
    SparseGaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", 0.1, [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
]


@pytest.mark.parametrize("rows", [2, 3, 50])
@pytest.mark.parametrize("scale", [1.0, 1e7])
def test_square_root(rows: int, scale: float) -> None:
    P = scale * np.random.default_rng(1).normal(size=(rows, 3))
    root = square_root_information([P[:1], P[1:]], 3)
    s, V = np.linalg.svd(P)[1:]
    s = np.concatenate([s, np.zeros(3 - len(s))])
    np.testing.assert_allclose(root @ root.T, V.T @ np.diag(1 / (1 + s**2)) @ V, rtol=1e-7, atol=1e-9 / scale)


@pytest.mark.parametrize("scale", [1e4, 1e6])
def test_what_few_large_rows_leave_open_stays_as_the_prior_has_it(scale: float) -> None:
    rng = np.random.default_rng(2)
    P, y = scale * rng.normal(size=(2, 5)), scale * rng.normal(size=2)
    V = np.linalg.svd(P)[2]
    unseen = BayesianLinear(1.0).posterior(P, y).predict(V[2:])
    np.testing.assert_allclose(unseen[1], 2.0, rtol=1e-13)  # one of the prior and one of the noise
    np.testing.assert_allclose(unseen[0], 0.0, atol=1e-13)


def test_later_changes_of_the_callers_rows_do_not_reach_it() -> None:
    for model in (BayesianLinear(0.1), GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", 0.1)):
        rows, outputs, marked = X.copy(), Y.copy(), np.arange(300) < 9
        posterior = model.posterior(rows, outputs)
        before = posterior.sensitivity(AT, marked), posterior.predict(AT)[0]
        rows[:], outputs[:] = 0.0, 0.0
        for one, other in zip(before, (posterior.sensitivity(AT, marked), posterior.predict(AT)[0]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_shapes_that_do_not_fit_are_said() -> None:
    with pytest.raises(ValueError, match=r"X must have shape \(rows, features\), got \(6,\)"):
        BayesianLinear(0.1).posterior(np.ones(6), np.ones(6))
    with pytest.raises(ValueError, match=r"y must have shape \(6,\) as X has rows, got \(5,\)"):
        BayesianLinear(0.1).posterior(np.ones((6, 2)), np.ones(5))
    with pytest.raises(ValueError, match=r"rows must have shape \(300,\) as training rows, got \(3,\)"):
        BayesianLinear(0.1).posterior(X, Y).sensitivity(AT, np.ones(3, dtype=bool))


@pytest.mark.parametrize("model", MODELS)
def test_no_row_of_the_pool_travels(model: BayesianLinear | SparseGaussianProcess) -> None:
    posterior = model.posterior(X, Y)
    arrays = posterior.arrays()
    assert max(array.size for array in arrays.values()) <= 9
    values = np.concatenate([a.ravel() for a in arrays.values() if a.dtype.kind == "f"])
    assert not np.intersect1d(values, np.concatenate([X.ravel(), Y])).size
    assert "weights" in posterior.contains


@pytest.mark.parametrize("model", MODELS)
def test_it_travels_in_a_predictor(model: BayesianLinear | SparseGaussianProcess) -> None:
    scaling = Scaling.of_pool([Contribution("ada", X, Y)])
    predictor = Predictor(model.posterior(X, Y), scaling, ("a", "b"), "y")
    rebuilt = Predictor.from_arrays(through_a_file(predictor.arrays()))
    assert isinstance(rebuilt.posterior, LinearGaussianPosterior)
    for before, after in zip(predictor.predict(AT), rebuilt.predict(AT), strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(ValueError, match="knows nothing of its training rows"):
        rebuilt.posterior.sensitivity(AT, np.ones(300, dtype=bool))


def test_many_rows_are_predicted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior, marked = MODELS[2].posterior(X, Y), np.arange(300) < 9
    whole = *posterior.predict(AT), posterior.sensitivity(AT, marked)
    monkeypatch.setattr("guerdon.models.pool.BLOCK", 4)
    for one, other in zip(whole, (*posterior.predict(AT), posterior.sensitivity(AT, marked)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_model_without_noise_asks_for_it() -> None:
    posterior = BayesianLinear().posterior(X, Y, 0.1)
    with pytest.raises(ValueError, match="no noise variance of its own"):
        posterior.predict(AT)
    assert np.all(posterior.predict(AT, 0.1)[1] > 0.1)


def test_without_data_it_is_the_prior() -> None:
    mean, variance = BayesianLinear(0.5).posterior(np.empty((0, 2)), np.empty(0)).predict(AT)
    assert mean.tolist() == [0.0] * 6
    np.testing.assert_allclose(variance, np.square(AT).sum(axis=1) + 0.5, rtol=1e-14)
