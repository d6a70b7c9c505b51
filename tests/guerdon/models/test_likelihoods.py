"""Log likelihoods against SciPy's, and their slopes against differences, for every kernel on offer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from guerdon.models.kernels import as_kernel, covariance
from guerdon.models.likelihoods import Likelihood, exact_likelihood, inducing_likelihood
from guerdon.types import FloatArray

KERNELS = ("rbf", "rbf(ard=True)", "exponential", "matern32(ard=True)", "matern52", "periodic", "rational_quadratic")
SUMS = ("rbf + exponential", "rbf(ard=True) + periodic")
X = np.random.default_rng(0).normal(size=(40, 3))
X[7] = X[3]  # 0 apart
Y = np.random.default_rng(1).normal(size=40)


def noise(*, requires_grad: bool = False) -> torch.Tensor:
    return torch.linspace(0.1, 0.5, 40, dtype=torch.float64).requires_grad_(requires_grad)


@pytest.mark.parametrize("text", KERNELS + SUMS)
def test_the_density_is_scipys(text: str) -> None:
    kernel = as_kernel(text, 3)
    found = exact_likelihood(X)(kernel, torch.as_tensor(Y), noise())
    assert found is not None
    wanted = multivariate_normal(np.zeros(40), covariance(kernel, X) + np.diag(noise().numpy())).logpdf(Y)
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("text", KERNELS + SUMS)
@pytest.mark.parametrize("likelihood", [exact_likelihood(X), inducing_likelihood(X, X[:9])], ids=["exact", "inducing"])
def test_slopes_are_those_of_differences(likelihood: Likelihood, text: str) -> None:
    kernel, residuals, variances = as_kernel(text, 3), torch.tensor(Y, requires_grad=True), noise(requires_grad=True)
    value = likelihood(kernel, residuals, variances)
    assert value is not None
    parameters = [*kernel.parameters(), variances, residuals]
    slopes = torch.autograd.grad(value, parameters)

    def at() -> float:
        found = likelihood(kernel, residuals, variances)
        assert found is not None
        return float(found.detach())

    def difference(parameter: torch.Tensor, place: int, step: float = 1e-6) -> float:
        flat = parameter.data.view(-1)
        before, sides = float(flat[place]), []
        for side in (1.0, -1.0):
            flat[place] = before + side * step
            sides.append(at())
        flat[place] = before
        return (sides[0] - sides[1]) / (2.0 * step)

    for parameter, slope in zip(parameters, slopes, strict=True):
        wanted: FloatArray = np.array([difference(parameter, k) for k in range(min(parameter.numel(), 5))])
        np.testing.assert_allclose(slope.reshape(-1)[: len(wanted)].numpy(), wanted, rtol=1e-6, atol=1e-6)


def test_no_likelihood_where_the_matrix_is_not_positive_definite() -> None:
    too_little = torch.full((40,), -0.1, dtype=torch.float64)
    assert exact_likelihood(X)(as_kernel("rbf", 3), torch.as_tensor(Y), too_little) is None
