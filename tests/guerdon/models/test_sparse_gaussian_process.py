"""The sparse Gaussian process: against plain N x N matrices, and the exact process where it must be the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gpytorch.kernels import RBFKernel, ScaleKernel
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from guerdon.models import GaussianProcess, SparseGaussianProcess
from guerdon.models.kernels import as_kernel, covariance
from guerdon.plugins import build
from guerdon.types import Contribution, FloatArray

KERNEL = "rbf(lengthscale=0.8, outputscale=2.0) + exponential(lengthscale=3.0, outputscale=0.5)"
RNG = np.random.default_rng(0)
X, AT, Z = RNG.normal(size=(40, 2)), RNG.normal(size=(9, 2)) * 1.5, RNG.normal(size=(7, 2))
Y = np.sin(2.0 * X[:, 0]) + 0.5 * X[:, 1] + 0.3 * RNG.normal(size=40) + 1.0
NOISE = RNG.uniform(0.05, 0.5, 40)
PARTIES = [
    Contribution("ada", X[:20], Y[:20]),
    Contribution("bob", X[20:39], Y[20:39]),
    Contribution("cyn", X[39:], Y[39:]),
]


def k(A: FloatArray, B: FloatArray, text: str = KERNEL) -> FloatArray:
    return covariance(as_kernel(text, 2), A, B)


def q(A: FloatArray, B: FloatArray, text: str = KERNEL, Z: FloatArray = Z) -> FloatArray:
    return k(A, Z, text) @ np.linalg.solve(k(Z, Z, text), k(Z, B, text))


def dense_log_likelihood(text: str, noise: float | FloatArray, mean: float) -> float:
    L = np.diag(np.broadcast_to(noise, 40))
    return float(multivariate_normal(np.full(40, mean), q(X, X, text) + L).logpdf(Y))


class TestAgainstPlainMatrices:
    def test_value(self) -> None:
        model = SparseGaussianProcess(KERNEL, 0.3, Z)
        for rows in (40, 7, 3, 1):  # more rows than inducing points, as many, fewer
            expected = 0.5 * np.linalg.slogdet(np.eye(rows) + q(X[:rows], X[:rows]) / NOISE[:rows])[1]
            assert model.information_gain(X[:rows], NOISE[:rows]) == pytest.approx(expected, rel=1e-11)
        table = model.information_gains(PARTIES)
        assert table[4] == pytest.approx(0.5 * np.log1p(q(X[39:], X[39:])[0, 0] / 0.3), rel=1e-11)
        assert table[7] == pytest.approx(model.information_gain(X), rel=1e-12)

    def test_predictions(self) -> None:
        C = q(X, X) + np.diag(NOISE)
        mean = 0.7 + q(AT, X) @ np.linalg.solve(C, Y - 0.7)
        variance = np.diagonal(k(AT, AT)) - np.einsum("ij,ji->i", q(AT, X), np.linalg.solve(C, q(X, AT)))
        posterior = SparseGaussianProcess(KERNEL, 0.3, Z, mean=0.7).posterior(X, Y, NOISE)
        got = posterior.predict(AT)
        np.testing.assert_allclose(got[0], mean, rtol=1e-10)
        np.testing.assert_allclose(got[1], variance + 0.3, rtol=1e-10)
        weights = np.linalg.solve(C, q(X, AT))
        marked = np.arange(40) < 11
        np.testing.assert_allclose(posterior.sensitivity(AT, marked), np.square(weights[marked]).sum(axis=0), rtol=1e-9)

    def test_likelihood(self) -> None:
        parties = [Contribution("ada", X, Y, noise=NOISE)]
        report = SparseGaussianProcess(KERNEL, None, Z, mean=0.7).fit(parties).report
        assert report.log_likelihood == pytest.approx(dense_log_likelihood(KERNEL, NOISE, 0.7), rel=1e-11)

    def test_the_likeliest_hyperparameters(self) -> None:
        """No better place is found by a simplex on the plain likelihood, started from where it ended."""
        fitted = SparseGaussianProcess("rbf", None, Z, mean=None).fit(PARTIES)
        found = as_kernel(fitted.kernel, 2).terms[0].values
        scales = [float(found["lengthscale"][0]), float(found["outputscale"][0]), fitted.noise]

        def minus(theta: FloatArray) -> float:
            lengthscale, outputscale, noise = np.exp(theta[:3])
            return -dense_log_likelihood(f"rbf(lengthscale={lengthscale}, outputscale={outputscale})", noise, theta[3])

        start = np.array([*np.log(scales), fitted.mean])
        best = minimize(minus, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-11, "maxiter": 400})
        assert fitted.report.log_likelihood == pytest.approx(-minus(start), rel=1e-10)
        assert fitted.report.log_likelihood >= -best.fun - 1e-8
        assert fitted.report.gradient < 1e-4


class TestWhereItIsExact:
    """With the training inputs as inducing points nothing is left out."""

    exact = GaussianProcess(KERNEL, 0.3, mean=0.7)
    sparse = SparseGaussianProcess(KERNEL, 0.3, X, mean=0.7)

    def test_value_and_noise(self) -> None:
        np.testing.assert_allclose(
            self.sparse.information_gains(PARTIES), self.exact.information_gains(PARTIES), rtol=1e-11
        )
        own, others = PARTIES[2], Contribution("others", X[:39], noise=NOISE[:39])
        ours, theirs = (model.noise_response(own, others) for model in (self.sparse, self.exact))
        for eta in (1e-3, 1.0, 1e3):
            assert ours.gain(eta).value == pytest.approx(theirs.gain(eta).value, rel=1e-10)
            assert ours.deficit(eta).value == pytest.approx(theirs.deficit(eta).value, rel=1e-10)
        assert self.sparse.degrees_of_freedom(PARTIES) == pytest.approx(self.exact.degrees_of_freedom(PARTIES))

    def test_predictions(self) -> None:
        pairs = zip(*(m.posterior(X, Y, NOISE).predict(AT) for m in (self.sparse, self.exact)), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, rtol=1e-10)

    def test_hyperparameters(self) -> None:
        ours = SparseGaussianProcess("rbf", None, X, mean=None).fit(PARTIES)
        theirs = GaussianProcess("rbf", None, mean=None).fit(PARTIES)
        assert ours.report.log_likelihood == pytest.approx(theirs.report.log_likelihood, rel=1e-10)
        assert ours.noise == pytest.approx(theirs.noise, rel=1e-5)
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-4)

    @pytest.mark.parametrize("lengthscale", [2.0, 8.0])
    def test_smooth_kernels_whose_matrix_is_singular_to_rounding(self, lengthscale: float) -> None:
        text = f"rbf(lengthscale={lengthscale}, outputscale=1.0)"
        sparse = SparseGaussianProcess(text, 0.1, X)
        assert sparse.dropped_rank > 0
        assert sparse.information_gain(X) == pytest.approx(GaussianProcess(text, 0.1).information_gain(X), rel=1e-10)
        for ours, theirs in zip(
            sparse.posterior(X, Y).predict(AT), GaussianProcess(text, 0.1).posterior(X, Y).predict(AT), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def test_repeated_inducing_points_change_nothing() -> None:
    once, again = SparseGaussianProcess(KERNEL, 0.3, Z), SparseGaussianProcess(KERNEL, 0.3, np.concatenate([Z, Z[:3]]))
    assert (once.dropped_rank, again.dropped_rank) == (0, 3)
    assert again.describe()["dropped_rank"] == 3
    np.testing.assert_allclose(again.information_gains(PARTIES), once.information_gains(PARTIES), rtol=1e-12)
    for a, b in zip(once.posterior(X, Y).predict(AT), again.posterior(X, Y).predict(AT), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    fits = [SparseGaussianProcess("rbf", None, points).fit(PARTIES) for points in (Z, np.concatenate([Z, Z[:3]]))]
    assert fits[1].report.log_likelihood == pytest.approx(fits[0].report.log_likelihood, rel=1e-9)


class TestChosenPoints:
    def test_whatever_the_order_of_arrival(self) -> None:
        model = SparseGaussianProcess("rbf", 0.2, 6, seed=3)
        first, second = model.fit(PARTIES), model.fit(PARTIES[::-1])
        np.testing.assert_array_equal(first.inducing, second.inducing)
        assert first.report.log_likelihood == pytest.approx(second.report.log_likelihood, rel=1e-9)
        assert isinstance(model.inducing, int)  # nothing changed in place

    def test_points_alone_need_no_outputs(self) -> None:
        blind = [Contribution(c.party, c.X) for c in PARTIES]
        fitted = SparseGaussianProcess(KERNEL, 0.3, 6).fit(blind)
        assert fitted.report is None
        assert fitted.information_gain(X) > 0.0

    def test_before_fit_they_are_asked_for(self) -> None:
        model = SparseGaussianProcess(KERNEL, 0.3, 6)
        assert json.loads(json.dumps(model.describe()))["dropped_rank"] is None
        with pytest.raises(ValueError, match="6 inducing points are not chosen yet: call fit"):
            model.information_gain(X)

    def test_no_more_than_there_are_inputs(self) -> None:
        with pytest.raises(ValueError, match="100 inducing points need as many different inputs, but the pool has 40"):
            SparseGaussianProcess(KERNEL, 0.3).fit(PARTIES)


def test_from_the_text_of_a_run_config() -> None:
    offer = {"SparseGaussianProcess": SparseGaussianProcess}
    model = build("SparseGaussianProcess(kernel='rbf', noise=0.2, inducing=((0.0, 1.0), (1.0, 0.0)))", offer)
    assert model.inducing.shape == (2, 2)
    assert build("SparseGaussianProcess(inducing=50, seed=7)", offer).inducing == 50


def test_a_kernel_given_as_an_object() -> None:
    kernel = ScaleKernel(RBFKernel())
    fixed = SparseGaussianProcess(kernel, 0.3, Z).fit(PARTIES)
    learned = SparseGaussianProcess(kernel, 0.3, Z, learn=True).fit(PARTIES)
    assert learned.report.log_likelihood > fixed.report.log_likelihood
    text = SparseGaussianProcess(fixed.describe()["kernel"], 0.3, Z)
    assert text.information_gain(X) == pytest.approx(fixed.information_gain(X), rel=1e-12)


def test_what_it_says_of_itself_is_json() -> None:
    said = json.loads(json.dumps(SparseGaussianProcess("rbf", None, Z, mean=None).fit(PARTIES).describe()))
    assert said["inducing_points"] == 7
    assert said["dropped_rank"] == 0
    assert said["fit"]["starts"] > 3


@pytest.mark.parametrize("inducing", [0, -3, 2.5, True, None, "many", [1.0, 2.0], [[np.nan, 1.0]], np.empty((0, 2))])
def test_inducing_points_that_are_none_are_refused(inducing: object) -> None:
    with pytest.raises(ValueError, match="inducing"):
        SparseGaussianProcess(KERNEL, 0.3, inducing)  # type: ignore[arg-type]


def test_other_wrong_arguments_are_refused() -> None:
    for wrong in ({"noise": -1.0}, {"mean": "1"}, {"learn": 1}, {"seed": -1}, {"seed": 0.5}, {"report": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SparseGaussianProcess(KERNEL, **{"noise": 0.3, "inducing": Z, **wrong})
    with pytest.raises(ValueError, match=r"rbf.lengthscale .* are open: call fit"):
        SparseGaussianProcess("rbf", 0.3, Z).information_gain(X)
    with pytest.raises(ValueError, match="mean is open"):
        SparseGaussianProcess(KERNEL, 0.3, Z, mean=None).posterior(X, Y)
    with pytest.raises(ValueError, match=r"X must have shape \(rows, 2\)"):
        SparseGaussianProcess(KERNEL, 0.3, Z).information_gain(np.ones((3, 5)))
