"""A model alone is of one party's rows, and says where these do not tell its hyperparameters."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models import BayesianLinear, GaussianProcess, Model, SparseGaussianProcess
from guerdon.types import Contribution
from strategies.alone import alone_model, told

MODELS = (GaussianProcess("rbf"), GaussianProcess("rbf", mean=None), BayesianLinear(), SparseGaussianProcess("rbf"))


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("model", MODELS, ids=["gp", "gp with a mean", "linear", "sparse"])
def test_few_rows_have_a_model_all_the_same(model: Model, rows: int) -> None:
    X = np.random.default_rng(0).normal(size=(rows, 2))
    found = alone_model(model, Contribution("ada", X, X[:, 0]))
    mean, variance = found.model.posterior(X, X[:, 0]).predict(X)
    assert np.all(np.isfinite(mean))
    assert np.all(variance > 0.0)
    if rows == 1:
        assert not found.learned


def test_enough_rows_are_learned_from() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1))
    own = Contribution("ada", X, np.sin(2.0 * X[:, 0]) + 0.3 * rng.normal(size=40))
    found = alone_model(GaussianProcess("rbf"), own)
    assert found.learned
    assert found.model.describe()["kernel"] == GaussianProcess("rbf").fit([own]).describe()["kernel"]
    assert told([found]) == ""


def test_whose_rows_do_not_tell_is_named() -> None:
    X = np.zeros((3, 1))
    found = alone_model(GaussianProcess("rbf"), Contribution("ada", X, np.ones(3)))
    sentence = told([found])
    assert "ada" in sentence
    assert "never on those of the pool" in sentence
