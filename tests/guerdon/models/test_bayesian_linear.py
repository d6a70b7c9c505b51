"""Bayesian linear regression: closed forms, the Gaussian process with a linear kernel, and the learned noise."""

from __future__ import annotations

import json

import mpmath as mp
import numpy as np
import pytest
from gpytorch.kernels import LinearKernel
from scipy.stats import multivariate_normal

from guerdon.linalg import LossOfPrecisionError
from guerdon.models import BayesianLinear, GaussianProcess
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.likelihoods import linear_likelihood
from guerdon.models.maximum_likelihood import NOISE_BOUNDS
from guerdon.types import Contribution, FloatArray
from tests import exact


def drawn(seed: int, m: int, noise: float = 0.3, d: int = 3) -> Contribution:
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(m, d)), rng.normal(size=d)
    return Contribution(f"party {seed}", X, X @ w + np.sqrt(noise) * rng.normal(size=m))


def linear_kernel() -> GaussianProcess:
    kernel = LinearKernel().double()
    kernel.variance = 1.0
    return GaussianProcess(kernel, noise=0.3)


@pytest.mark.parametrize(("m", "d"), [(12, 3), (3, 12), (1, 1), (5, 5)])
@pytest.mark.parametrize("noise", [2.0, 0.1, 1e-6])
def test_the_gain_against_fifty_digits(m: int, d: int, noise: float) -> None:
    X = np.random.default_rng(1).normal(size=(m, d))
    variances = noise * np.linspace(0.5, 2.0, m)
    assert exact.mp.mp.dps == 50
    P = mp.matrix(X.tolist())
    A = mp.eye(d)
    for r in range(m):
        A += P[r, :].T * P[r, :] / mp.mpf(float(variances[r]))
    assert BayesianLinear(noise).information_gain(X, variances) == pytest.approx(
        float(mp.log(mp.det(A)) / 2), rel=1e-11
    )


def test_it_is_the_gaussian_process_with_a_linear_kernel() -> None:
    data, model = [drawn(2, 6), drawn(3, 1), drawn(4, 9)], BayesianLinear(0.3)
    reference = linear_kernel()
    np.testing.assert_allclose(model.information_gains(data), reference.information_gains(data), rtol=1e-12)
    X, y = np.concatenate([c.X for c in data]), np.concatenate([c.y for c in data])
    noise, at = np.linspace(0.1, 0.9, 16), np.random.default_rng(5).normal(size=(7, 3))
    ours, theirs = model.posterior(X, y, noise), reference.posterior(X, y, noise)
    for got, expected in zip(ours.predict(at), theirs.predict(at), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10)
    marked = np.arange(16) % 3 == 0
    np.testing.assert_allclose(ours.sensitivity(at, marked), theirs.sensitivity(at, marked), rtol=1e-10)
    for i in range(3):
        others = Contribution("others", np.concatenate([c.X for k, c in enumerate(data) if k != i]))
        ours, theirs = model.noise_response(data[i], others), reference.noise_response(data[i], others)
        for eta in (0.0, 0.1, 10.0):
            assert ours.gain(eta).value == pytest.approx(theirs.gain(eta).value, rel=1e-10)
            assert ours.deficit(eta).value == pytest.approx(theirs.deficit(eta).value, rel=1e-10, abs=1e-12)


def test_the_textbook_posterior() -> None:
    data, at = drawn(6, 20), np.random.default_rng(7).normal(size=(4, 3))
    precision = np.eye(3) + data.X.T @ data.X / 0.3
    mean, variance = BayesianLinear(0.3).posterior(data.X, data.y).predict(at)
    np.testing.assert_allclose(mean, at @ np.linalg.solve(precision, data.X.T @ data.y / 0.3), rtol=1e-12)
    np.testing.assert_allclose(
        variance, np.einsum("ij,ij->i", at, np.linalg.solve(precision, at.T).T) + 0.3, rtol=1e-12
    )


def log_likelihood(data: Contribution, noise: float | FloatArray) -> float:
    covariance = data.X @ data.X.T + np.diag(np.broadcast_to(noise, len(data)))
    return float(multivariate_normal(np.zeros(len(data)), covariance).logpdf(data.y))


def test_the_noise_is_the_likeliest() -> None:
    data = drawn(8, 60)
    fitted = BayesianLinear().fit([data])
    assert fitted.report.log_likelihood == pytest.approx(log_likelihood(data, fitted.noise), rel=1e-10)
    assert abs(fitted.report.gradient) < 1e-5
    around = [log_likelihood(data, fitted.noise * factor) for factor in (0.2, 0.9, 0.999, 1.001, 1.1, 5.0)]
    assert max(around) < fitted.report.log_likelihood
    assert fitted.noise == pytest.approx(0.3, rel=0.5)
    assert not fitted.report.noise_at_bound


def test_rows_with_noise_of_their_own_keep_it() -> None:
    first, second = drawn(8, 30), drawn(8, 40)
    own = Contribution("ada", first.X, first.y, noise=2.0)
    fitted = BayesianLinear().fit([own, second])
    both = Contribution("both", np.concatenate([first.X, second.X]), np.concatenate([first.y, second.y]))
    noise = np.repeat([2.0, fitted.noise], [30, 40])
    assert fitted.report.log_likelihood == pytest.approx(log_likelihood(both, noise), rel=1e-10)
    assert BayesianLinear().fit([own]).noise is None


@pytest.mark.parametrize(("m", "d"), [(2, 5), (40, 3), (5000, 2)])
@pytest.mark.parametrize("known", ["none", "some", "all"])
def test_the_reduced_likelihood_is_that_of_all_rows(m: int, d: int, known: str) -> None:
    rng = np.random.default_rng(m)
    Phi, y = rng.normal(size=(m, d)), rng.normal(size=m)
    noise = rng.uniform(0.1, 3.0, m)
    is_open = {"none": np.full(m, True), "some": rng.random(m) < 0.6, "all": np.full(m, False)}[known]
    likelihood = linear_likelihood(FeatureRows(None, Phi), y, np.where(is_open, np.nan, noise))
    for variance in (1e-4, 0.7):
        L = np.where(is_open, variance, noise)
        found = likelihood(None, y, L)
        assert found is not None
        A = np.eye(d) + Phi.T @ (Phi / L[:, None])  # Woodbury's identity
        b = Phi.T @ (y / L)
        quadratic = y @ (y / L) - b @ np.linalg.solve(A, b)
        expected = -0.5 * (quadratic + np.linalg.slogdet(A)[1] + np.log(2.0 * np.pi * L).sum())
        assert found.value == pytest.approx(expected, rel=1e-9)
        if known != "all":
            slope = float(found.slopes().noise.sum())
            alpha = (y - Phi @ np.linalg.solve(A, b)) / L  # C^-1 y, and diag C^-1 below: d log p = (a' a - tr C^-1) / 2
            leverage = np.einsum("ij,ji->i", Phi, np.linalg.solve(A, Phi.T)) / L**2
            expected = 0.5 * np.sum((alpha**2 - 1.0 / L + leverage)[is_open])
            assert slope == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_outputs_without_noise_are_said() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    fitted = BayesianLinear().fit([Contribution("ada", X, X @ np.array([0.3, -0.2, 0.1]))])
    assert fitted.report.noise_at_bound
    assert fitted.noise == pytest.approx(NOISE_BOUNDS[0] * np.var(X @ np.array([0.3, -0.2, 0.1])), rel=1e-3)
    assert "noise" in fitted.report.sentence


def test_nothing_open_nothing_learned() -> None:
    data = drawn(9, 10)
    assert BayesianLinear(0.3).fit([data]).noise == 0.3
    blind = Contribution("ada", data.X)
    model = BayesianLinear(0.3)
    assert model.fit([blind]) is model
    with pytest.raises(ValueError, match="outputs y are needed, but ada sent none"):
        BayesianLinear().fit([blind])
    with pytest.raises(ValueError, match="noise is open: call fit"):
        BayesianLinear().information_gain(data.X)


@pytest.mark.parametrize("noise", [0.0, -1.0, np.inf, np.nan, True, "0.1", np.ones(2)])
def test_a_noise_that_is_no_variance_is_refused(noise: object) -> None:
    with pytest.raises(ValueError, match="noise is a positive variance"):
        BayesianLinear(noise)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="report is a FitReport"):
        BayesianLinear(0.1, report=3)  # type: ignore[arg-type]


def test_inputs_that_do_not_fit_are_refused() -> None:
    posterior = BayesianLinear(0.3).posterior(np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match="X must have 3 features, got 2"):
        posterior.predict(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"noise must be one variance or shape \(2,\)"):
        BayesianLinear(0.3).information_gain(np.ones((2, 3)), np.ones(3))


def test_repeated_features_with_almost_no_noise_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(6, 1))
    twice = np.concatenate([x, x], axis=1)
    expected = 0.5 * np.log1p(2.0 * float(x[:, 0] @ x[:, 0]) / 1e-14)
    assert BayesianLinear(1e-14).information_gain(twice) == pytest.approx(expected, rel=1e-8)
    with pytest.raises(LossOfPrecisionError):
        BayesianLinear(1e-30).information_gain(twice)
    with pytest.raises(LossOfPrecisionError):
        BayesianLinear(1e-30).information_gains([Contribution("ada", twice[:3]), Contribution("bob", twice[3:])])
    with pytest.raises(LossOfPrecisionError):
        BayesianLinear(1e-30).posterior(twice, x[:, 0])


def test_a_likelihood_that_float64_cannot_tell_is_no_number() -> None:
    X = 1e9 * np.random.default_rng(0).normal(size=(2, 5))
    with pytest.raises(LossOfPrecisionError, match="likelihood of the pooled data can't be told"):
        BayesianLinear(0.5).fit([Contribution("ada", X, np.ones(2))])


def test_what_it_says_of_itself_is_json() -> None:
    fitted = BayesianLinear(features="Affine()").fit([drawn(10, 20)])
    said = json.loads(json.dumps(fitted.describe()))
    assert said["features"] == {"kind": "Affine"}
    assert said["fit"]["starts"] >= 1
