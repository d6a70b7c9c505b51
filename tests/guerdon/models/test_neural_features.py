"""Features of a network: learned on public rows, the same bits for the same seed, and whole after a journey."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.metrics import rmse
from guerdon.models import BayesianLinear, NeuralFeatures
from guerdon.testing import ModelSuite
from guerdon.types import Contribution


def sample(rows: int, seed: int) -> Contribution:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2.0, 2.0, size=(rows, 2)) * [1.0, 100.0]
    y = np.sin(2.0 * X[:, 0]) * np.cos(X[:, 1] / 100.0) + 0.05 * rng.normal(size=rows)
    return Contribution("public", X, y)


PUBLIC = sample(1500, 0)
PLAN = NeuralFeatures(hidden=(24, 8), epochs=30, batch=64)


@pytest.fixture(scope="module")
def model() -> BayesianLinear:
    return BayesianLinear(noise=0.01, features=PLAN).pretrain(PUBLIC, rng=np.random.default_rng(1))


class TestLinearModelOnNeuralFeatures(ModelSuite):
    def make(self) -> BayesianLinear:
        small = NeuralFeatures(hidden=(6, 3), epochs=2)
        return BayesianLinear(noise=0.2, features=small).pretrain(PUBLIC, rng=np.random.default_rng(3))


def test_the_features_are_the_last_hidden_layer_and_a_constant(model: BayesianLinear) -> None:
    features = model.features
    assert isinstance(features, NeuralFeatures)
    arrays = features.arrays()
    X = PUBLIC.X[:5]
    first = np.tanh((X - arrays["center"]) / arrays["scale"] @ arrays["W0"].T + arrays["b0"])
    last = np.tanh(first @ arrays["W1"].T + arrays["b1"])
    assert features(X) == pytest.approx(np.column_stack([last, np.ones(5)]), abs=1e-14)
    assert arrays["center"] == pytest.approx(PUBLIC.X.mean(axis=0))


def test_what_it_learned_on_public_rows_serves_few_rows_of_a_party(model: BayesianLinear) -> None:
    few, held = sample(60, 5), sample(400, 6)
    assert few.y is not None
    assert held.y is not None
    learned = rmse(model.posterior(few.X, few.y).predict(held.X)[0], held.y)
    plain = BayesianLinear(noise=0.01, features="Affine()").posterior(few.X, few.y).predict(held.X)[0]
    assert learned < 0.5 * rmse(plain, held.y)
    training = model.describe()["features"]["training"]
    assert training["validation_error"] < 0.4, "of the target's variance"
    assert 1 <= training["best_epoch"] <= training["epochs"] == 30


def test_the_same_seed_gives_the_same_bits_and_leaves_torchs_own_generator_alone() -> None:
    import torch

    before = torch.get_rng_state()
    plan = replace(PLAN, epochs=3)
    one, two, other = (
        plan.fit(PUBLIC.X, np.asarray(PUBLIC.y), rng=np.random.default_rng(seed)).arrays() for seed in (7, 7, 8)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["W0"], other["W0"])


def test_it_travels_as_arrays_and_a_plan_alone_does_not(model: BayesianLinear) -> None:
    features = model.features
    assert isinstance(features, NeuralFeatures)
    back = NeuralFeatures.from_arrays(features.arrays())
    assert back.hidden == (24, 8)
    assert back.trained
    assert np.array_equal(back(PUBLIC.X), features(PUBLIC.X))
    with pytest.raises(ValueError, match="not trained yet"):
        PLAN.arrays()


def test_training_tells_how_far_it_is() -> None:
    seen: list[tuple[str, int, int]] = []
    plan = replace(PLAN, epochs=2)
    plan.fit(PUBLIC.X, np.asarray(PUBLIC.y), rng=np.random.default_rng(0), progress=lambda *step: seen.append(step))
    assert seen == [("pretrain", 1, 2), ("pretrain", 2, 2)]


def test_only_the_text_says_whether_a_model_needs_public_rows(model: BayesianLinear) -> None:
    assert BayesianLinear(features="NeuralFeatures(hidden=(4,))").needs_pretraining
    assert not BayesianLinear(features="Affine()").needs_pretraining
    assert not model.needs_pretraining


def test_a_network_that_is_not_trained_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call pretrain\(\) with public rows"):
        BayesianLinear(noise=1.0, features=PLAN).information_gain(PUBLIC.X)
    with pytest.raises(ValueError, match=r"call fit\(\) with public rows"):
        PLAN(PUBLIC.X)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"hidden": ()}, "one layer at least"),
        ({"hidden": (4, 0)}, "hidden"),
        ({"epochs": 0}, "epochs"),
        ({"batch": 2.5}, "batch"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"weight_decay": float("nan")}, "weight_decay"),
    ],
)
def test_arguments_that_make_no_network_are_refused(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        NeuralFeatures(**arguments)  # type: ignore[arg-type]


def test_rows_that_train_no_network_are_refused(model: BayesianLinear) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 20 public rows"):
        PLAN.fit(PUBLIC.X[:5], np.asarray(PUBLIC.y)[:5], rng=rng)
    with pytest.raises(ValueError, match="finite"):
        PLAN.fit(PUBLIC.X, np.full(len(PUBLIC), np.nan), rng=rng)
    assert model.features is not None
    with pytest.raises(ValueError, match="shape"):
        model.features(PUBLIC.X[:, :1])  # type: ignore[operator]
