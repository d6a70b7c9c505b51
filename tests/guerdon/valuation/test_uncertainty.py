"""How far hyperparameters leave values open: intervals against grids, and what pure noise does not tell."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gpytorch.kernels import RBFKernel, ScaleKernel

from guerdon.models import BayesianLinear, GaussianProcess, SparseGaussianProcess
from guerdon.rewards import RhoShapley
from guerdon.types import Contribution
from guerdon.valuation.uncertainty import Learnable, value_uncertainty
from tests.guerdon.models.fitting_problems import problem

DROP = 1.3527717270522  # half of the 90 % quantile of chi-square with one degree of freedom


def parties_of(data: Contribution, n: int = 3) -> list[Contribution]:
    assert data.y is not None
    places = np.array_split(np.random.default_rng(0).permutation(len(data)), n)
    return [Contribution(f"party {i}", data.X[rows], data.y[rows]) for i, rows in enumerate(places)]


@pytest.mark.parametrize("seed", range(3))
def test_outputs_of_pure_noise_identify_nothing(seed: int) -> None:
    """v_N of .4 and of 184 nats are as likely there, and each was reported as converged."""
    kernel, data = problem("noise", seed)
    found = value_uncertainty(GaussianProcess(kernel), parties_of(data))
    assert not found.identified
    assert found.pool[1] > 10.0 * found.pool[0]
    assert "v_N is not identified" in found.sentence
    for help_ in ("noise variance", "lengthscale", "public rows", "more rows"):
        assert help_ in found.sentence


@pytest.mark.parametrize("kind", [pytest.param("trend and season", marks=pytest.mark.slow), "smooth"])
def test_what_the_data_tell_is_identified(kind: str) -> None:
    kernel, data = problem(kind, 0)
    parties = parties_of(data)
    found = value_uncertainty(GaussianProcess(kernel), parties, scheme=RhoShapley("stable"))
    fitted = GaussianProcess(kernel).fit(parties)
    assert found.identified
    assert found.pool[0] < fitted.information_gain(data.X) < found.pool[1]
    assert found.rewards is not None
    for bounds in (found.alone, found.shapley, found.alpha, found.rewards):
        assert bounds.shape == (3, 2)
        assert np.all(bounds[:, 0] <= bounds[:, 1])
    assert found.alpha.max() == 1.0
    assert "about as likely" in found.sentence


@pytest.mark.slow
def test_the_interval_is_that_of_a_grid() -> None:
    """Two open hyperparameters: v_N over all points of a fine grid within 1.35 nats of its best."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-3.0, 3.0, (40, 1))
    data = Contribution("ada", X, np.sin(2.0 * X[:, 0]) + 0.3 * rng.normal(size=40))
    found = value_uncertainty(GaussianProcess("rbf(outputscale=1.0)"), [data])
    points = []
    for lengthscale in np.geomspace(0.2, 3.0, 40):
        for noise in np.geomspace(0.02, 0.5, 40):
            model = GaussianProcess(f"rbf(lengthscale={lengthscale}, outputscale=1.0)", float(noise)).fit([data])
            assert model.report is not None
            points.append((model.report.log_likelihood, model.information_gain(X)))
    likelihoods, values = np.array(points).T
    inside = values[likelihoods >= likelihoods.max() - DROP]
    assert found.pool == pytest.approx([inside.min(), inside.max()], rel=0.15)


@pytest.mark.parametrize("noise", [None, 0.5])
def test_a_linear_models_noise(noise: float | None) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, 3))
    parties = parties_of(Contribution("ada", X, X @ [1.0, -1.0, 0.5] + 0.7 * rng.normal(size=50)))
    found = value_uncertainty(BayesianLinear(noise), parties)
    if noise is not None:
        assert found.models == 1
        assert found.pool[0] == found.pool[1] == pytest.approx(BayesianLinear(noise).information_gain(X))
        assert "every hyperparameter was given" in found.sentence
        return
    values = np.geomspace(0.1, 3.0, 400)
    fits = [BayesianLinear(float(s)).fit(parties) for s in values]
    likelihoods = np.array([fit.report.log_likelihood for fit in fits if fit.report is not None])
    inside = [
        fit.information_gain(X) for fit, kept in zip(fits, likelihoods >= likelihoods.max() - DROP, strict=True) if kept
    ]
    assert found.pool == pytest.approx([min(inside), max(inside)], rel=0.01)
    assert found.identified


@pytest.mark.parametrize(
    "model",
    [
        SparseGaussianProcess("rbf", inducing=8),
        GaussianProcess(ScaleKernel(RBFKernel()), learn=True),
        GaussianProcess("rbf", mean=None),
    ],
    ids=["sparse", "object", "mean"],
)
def test_every_model_that_learns_can_say(model: Learnable) -> None:
    _, data = problem("smooth", 1)
    found = value_uncertainty(model, parties_of(data, 2))
    assert isinstance(model, Learnable)
    assert found.models > 1
    record = json.loads(json.dumps(found.record()))
    assert record["identified"] is True
    assert record["pool"] == found.pool.tolist()
    assert record["parties"]["party 0"]["alpha"] == found.alpha[0].tolist()
    assert record["parties"]["party 1"]["reward"] is None


def test_the_same_again() -> None:
    kernel, data = problem("rough", 0)
    one, other = (value_uncertainty(GaussianProcess(kernel), parties_of(data)) for _ in range(2))
    np.testing.assert_array_equal(one.pool, other.pool)
    np.testing.assert_array_equal(one.alpha, other.alpha)
