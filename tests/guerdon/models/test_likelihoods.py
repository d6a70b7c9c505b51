"""Log likelihoods against SciPy's, and their slopes against differences, for every kernel on offer."""

from __future__ import annotations

import numpy as np
import pytest
from gpytorch.kernels import MaternKernel, PeriodicKernel, RBFKernel, RQKernel, ScaleKernel
from scipy.stats import multivariate_normal

from guerdon.models.kernels import KernelFunction, as_kernel, covariance, learnable
from guerdon.models.likelihoods import Likelihood, exact_likelihood, inducing_likelihood
from guerdon.types import FloatArray

NAMES = ("rbf", "rbf(ard=True)", "exponential", "exponential(ard=True)", "matern32(ard=True)", "matern32", "matern52")
MORE = ("periodic", "periodic(ard=True)", "rational_quadratic", "rational_quadratic(ard=True)")
SUMS = ("rbf + exponential", "rbf(ard=True) + periodic")
OBJECTS = (
    ScaleKernel(RBFKernel(ard_num_dims=3)),
    ScaleKernel(MaternKernel(nu=0.5)) + ScaleKernel(RQKernel()),
    PeriodicKernel(),
)
X = np.random.default_rng(0).normal(size=(40, 3))
X[7] = X[3]  # 0 apart
Y = np.random.default_rng(1).normal(size=40)
NOISE = np.linspace(0.1, 0.5, 40)


def kernels() -> list[KernelFunction]:
    return [*(as_kernel(text, 3) for text in NAMES + MORE + SUMS), *(learnable(k, 3).opened() for k in OBJECTS)]


IDS = [*NAMES, *MORE, *SUMS, "object", "objects", "periodic object"]


@pytest.mark.parametrize("kernel", kernels(), ids=IDS)
def test_the_density_is_scipys(kernel: KernelFunction) -> None:
    found = exact_likelihood(X)(kernel, Y, NOISE)
    assert found is not None
    wanted = multivariate_normal(np.zeros(40), covariance(kernel, X) + np.diag(NOISE)).logpdf(Y)
    assert found.value == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("kernel", kernels(), ids=IDS)
@pytest.mark.parametrize("likelihood", [exact_likelihood(X), inducing_likelihood(X, X[:9])], ids=["exact", "inducing"])
def test_slopes_are_those_of_differences(likelihood: Likelihood, kernel: KernelFunction) -> None:
    found = likelihood(kernel, Y, NOISE)
    assert found is not None
    slopes, theta = found.slopes(), kernel.theta

    def at(theta: FloatArray, residuals: FloatArray, noise: FloatArray) -> float:
        there = likelihood(kernel.at(theta), residuals, noise)
        assert there is not None
        return there.value

    places = (theta, Y, NOISE)
    for k, slope in enumerate(slopes):
        for place in range(min(len(slope), 5)):
            sides = []
            for step in (1e-6, -1e-6):
                moved = [value.copy() for value in places]
                moved[k][place] += step
                sides.append(at(*moved))
            assert slope[place] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["rbf", "exponential", "matern32", "matern52", "rational_quadratic", "periodic"])
def test_a_named_kernel_is_gpytorchs(name: str) -> None:
    theirs = {
        "rbf": RBFKernel(),
        "exponential": MaternKernel(nu=0.5),
        "matern32": MaternKernel(nu=1.5),
        "matern52": MaternKernel(nu=2.5),
        "rational_quadratic": RQKernel(),
        "periodic": PeriodicKernel(),
    }[name]
    named = as_kernel(f"{name}(outputscale=1.0)", 3).opened()
    size = len(named.theta) - 1
    theta = np.array([0.3, -0.2])[:size]
    own, other = named.at(np.concatenate([[0.0], theta])), learnable(theirs, 3).opened()
    values = dict(zip((p.name for p in named.parameters[1:]), theta, strict=True))
    other = other.at(np.array([values[p.name] for p in other.parameters]))
    np.testing.assert_allclose(covariance(own, X), covariance(other, X), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(covariance(own, X, X[:5]), covariance(other, X, X[:5]), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", NAMES + MORE)
def test_far_apart_is_0_and_no_warning(name: str) -> None:
    text = name.replace("ard=True", "lengthscale=(1e-200, 1e-200, 1e-200)")
    text = text if "(" in text else f"{name}(lengthscale=1e-200)"
    if "periodic" in name:
        pytest.skip("what repeats is never far apart")
    K = covariance(as_kernel(text, 3).at(np.zeros(len(as_kernel(text, 3).theta))), X)
    assert np.isfinite(K).all()
    assert (np.diagonal(K) == 1.0).all()


def test_no_likelihood_where_the_matrix_is_not_positive_definite() -> None:
    assert exact_likelihood(X)(as_kernel("rbf", 3), Y, np.full(40, -0.1)) is None
