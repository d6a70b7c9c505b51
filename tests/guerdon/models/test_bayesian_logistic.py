"""Bayesian logistic regression: reference numbers, closed forms, and what tempering makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from guerdon.models import BayesianLinear, BayesianLogistic, LogisticPosterior
from guerdon.models.class_rows import ClassRows, log_probabilities
from guerdon.pipeline import allocate
from guerdon.realization import LikelihoodTempering, NoiseInjection, tempering_exponents
from guerdon.rewards import RhoShapley
from guerdon.shapley import ExactShapley, exact_shapley
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain

VECTORS = Path(__file__).parents[2] / "data"


def drawn(seed: int, sizes: tuple[int, ...] = (20, 9, 14), classes: int = 3, d: int = 3) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(classes, d))
    parties = []
    for k, m in enumerate(sizes):
        X = np.column_stack([rng.normal(size=(m, d - 1)), np.ones(m)])
        gumbel = rng.gumbel(size=(m, classes))
        parties.append(Contribution(f"party {k}", X, np.argmax(X @ W.T + gumbel, axis=1).astype(float)))
    return parties


def pooled(parties: list[Contribution]) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([c.X for c in parties]), np.concatenate([np.asarray(c.y) for c in parties])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_reference_numbers(classes: int) -> None:
    found = np.load(VECTORS / f"classify_k{classes}.npz")
    P, y, party = found["P"], found["y"], found["party"]
    parties = [Contribution(f"party {k}", P[party == k], y[party == k].astype(float)) for k in range(party.max() + 1)]
    model = BayesianLogistic().fit(parties)
    assert model.weights is not None
    np.testing.assert_allclose(model.weights, found["pool_map"], rtol=0, atol=1e-12)
    table = InformationGain(model).game(parties).table()
    np.testing.assert_allclose(table, found["v"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(exact_shapley(table), found["phi"], rtol=0, atol=1e-12)
    assert found["feasible"].all()
    np.testing.assert_allclose(tempering_exponents(model, parties, found["r"]), found["kappa"], rtol=0, atol=1e-10)
    for i in range(len(parties)):
        powers = np.where(party == i, 1.0, found["kappa"][i])
        reward = model.posterior(P, y, weights=powers, classes=classes)
        np.testing.assert_allclose(reward.weights, found["reward_map"][i], rtol=0, atol=1e-11)
        np.testing.assert_allclose(reward.predict_proba(found["Xtest"]), found["prob"][i], rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_white_rows_are_a_root_of_the_curvature(classes: int) -> None:
    rng = np.random.default_rng(classes)
    X = rng.normal(size=(7, 4))
    W = 3.0 * rng.normal(size=4 if classes == 2 else 4 * classes)
    power = rng.uniform(0.1, 2.0, size=7)
    P = ClassRows(None, X, W, classes, power).whole()
    table = W.reshape(-1, 4)
    f = np.column_stack([np.zeros(7), X @ table[0]]) if classes == 2 else X @ table.T
    p = np.exp(log_probabilities(f))
    expected = np.zeros((len(W), len(W)))
    for r in range(7):
        bend = np.diag(p[r]) - np.outer(p[r], p[r])
        bend = bend[1:, 1:] if classes == 2 else bend
        expected += power[r] * np.kron(bend, np.outer(X[r], X[r]))
    np.testing.assert_allclose(P.T @ P, expected, rtol=0, atol=1e-13)
    assert P.shape == (7 * (classes - 1), len(W))


def test_two_classes_are_the_linear_model_with_noise_of_the_curvature() -> None:
    parties = drawn(1, classes=2)
    model = BayesianLogistic().fit(parties)
    assert model.weights is not None
    p = [1.0 / (1.0 + np.exp(-c.X @ model.weights)) for c in parties]
    like = [Contribution(c.party, c.X, noise=1.0 / (q * (1.0 - q))) for c, q in zip(parties, p, strict=True)]
    np.testing.assert_allclose(
        model.information_gains(parties), BayesianLinear(1.0).information_gains(like), rtol=1e-12
    )
    orders = np.array([[2, 0, 1], [0, 1, 2]])
    np.testing.assert_allclose(
        model.information_gain_chains(parties, orders),
        BayesianLinear(1.0).information_gain_chains(like, orders),
        rtol=1e-12,
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_the_weights_are_the_most_probable_ones(classes: int) -> None:
    X, y = pooled(drawn(3, classes=classes))
    labels = y.astype(int)
    power = np.random.default_rng(0).uniform(0.0, 1.0, size=len(y))

    def objective(w: FloatArray) -> float:
        f = np.column_stack([np.zeros(len(X)), X @ w]) if classes == 2 else X @ w.reshape(classes, -1).T
        return float(0.5 * w @ w - power @ log_probabilities(f)[np.arange(len(y)), labels])

    found = BayesianLogistic().posterior(X, y, weights=power, classes=classes)
    best = minimize(objective, np.zeros(len(found.weights)), tol=1e-12)
    np.testing.assert_allclose(found.weights, best.x, atol=1e-5)
    assert objective(found.weights) <= best.fun + 1e-12


def test_values_grow_and_returns_diminish() -> None:
    for seed in range(5):
        v = BayesianLogistic().fit(drawn(seed)).information_gains(drawn(seed))
        assert np.all(np.diff([v[0], v[1], v[3], v[7]]) > 0)
        for extra, without in ((1, 2), (2, 4), (4, 1)):
            both = 7
            assert v[extra | without] - v[without] >= v[both] - v[both & ~extra] - 1e-12


@pytest.mark.parametrize("classes", [2, 3])
def test_tempered_rewards_are_worth_their_targets(classes: int) -> None:
    parties = drawn(5, sizes=(25, 12, 18), classes=classes)
    model = BayesianLogistic().fit(parties)
    found = allocate(
        parties,
        InformationGain(model),
        ExactShapley(),
        RhoShapley(rho="stable"),
        LikelihoodTempering(),
        rng=np.random.default_rng(0),
    )
    X, y = pooled(parties)
    for i, (made, target) in enumerate(zip(found.rewards, found.targets.values, strict=True)):
        assert made.reached == pytest.approx(target, rel=1e-9)
        own = np.concatenate([np.full(len(c), k == i) for k, c in enumerate(parties)])
        kappa = float(made.facts()["kappa"])
        expected = model.posterior(X, y, weights=np.where(own, 1.0, kappa))
        reward = made.posterior  # type: ignore[attr-defined]
        np.testing.assert_allclose(reward.weights, expected.weights, atol=1e-10)
        value = model.information_gain(X, np.where(own, 1.0, 1.0 / kappa)) if kappa else made.reached
        assert value == pytest.approx(made.reached, rel=1e-9)


def test_noise_is_refused_with_the_reason() -> None:
    parties = drawn(6, classes=2)
    game = InformationGain(BayesianLogistic().fit(parties)).game(parties)
    with pytest.raises(ValueError, match=r"labels take no Gaussian noise.*LikelihoodTempering"):
        NoiseInjection()(game, game.table()[[1, 2, 4]] + 0.01, rng=np.random.default_rng(0))
    loud = Contribution("loud", parties[0].X, parties[0].y, noise=0.1)
    with pytest.raises(ValueError, match=r"no noise variance, and party 'loud'"):
        BayesianLogistic().fit([loud])


@pytest.mark.parametrize("y", [[0.0, 1.5], [-1.0, 0.0], [0.0, 3.0]])
def test_labels_that_are_none_are_refused(y: list[float]) -> None:
    with pytest.raises(ValueError, match=r"labels of party 'odd' must be whole numbers from 0 to 2"):
        BayesianLogistic(classes=3).fit([Contribution("odd", np.ones((2, 1)), np.array(y))])


def test_separable_rare_and_single_classes_have_finite_weights() -> None:
    X = np.column_stack([np.linspace(-1, 1, 200), np.ones(200)])
    separable = BayesianLogistic().posterior(X, (X[:, 0] > 0).astype(float))
    assert np.all(np.isfinite(separable.weights))
    assert separable.predict_proba(X)[-1, 1] > 0.9
    rare = np.zeros(200)
    rare[-3:] = 1.0
    assert 0.0 < BayesianLogistic().posterior(X, rare).predict_proba(X)[:, 1].mean() < 0.1
    single = BayesianLogistic().fit([Contribution("a", X, np.zeros(200))])
    assert single.classes == 2
    absent = BayesianLogistic().posterior(X, np.zeros(200), classes=4).predict_proba(X)
    assert absent.shape == (200, 4)
    np.testing.assert_allclose(absent.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_it_travels_as_arrays(classes: int) -> None:
    X, y = pooled(drawn(8, classes=classes))
    before = BayesianLogistic("Affine()").posterior(X, y, classes=classes)
    after = LogisticPosterior.from_arrays(before.arrays())
    assert np.array_equal(before.predict_proba(X), after.predict_proba(X))
    assert "none of the pool's rows" in before.contains


def test_features_of_fourier_do_what_a_straight_line_cannot() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(400, 2))
    y = (np.square(X).sum(axis=1) > 2.0).astype(float)
    at = rng.uniform(-2, 2, size=(400, 2))
    truth = (np.square(at).sum(axis=1) > 2.0).astype(int)
    accuracy = {}
    for features in ("Affine()", "FourierFeatures(count=100, lengthscale=1.0, outputscale=10.0)"):
        p = BayesianLogistic(features).posterior(X, y).predict_proba(at)
        accuracy[features[:6]] = float(np.mean(p.argmax(axis=1) == truth))
    assert accuracy["Fourie"] > 0.93 > 0.75 > accuracy["Affine"]


@pytest.mark.parametrize("classes", [2, 3])
def test_trained_again_it_is_the_model_of_the_other_rows(classes: int) -> None:
    rng = np.random.default_rng(0)
    X, y, power = rng.normal(size=(60, 2)), rng.integers(classes, size=60).astype(float), rng.uniform(0.2, 1.0, 30)
    model = BayesianLogistic("Affine()").of_classes(classes)
    again = model.posterior(X[:30], y[:30]).retrained(X[30:], y[30:], 1.0 / power)
    fresh = model.posterior(X[30:], y[30:], power)
    np.testing.assert_allclose(again.weights, fresh.weights, rtol=1e-12)
    np.testing.assert_allclose(again.root, fresh.root, rtol=1e-12)
    with pytest.raises(ValueError, match=f"labels must be whole numbers from 0 to {classes - 1}"):
        fresh.retrained(X[:2], np.array([0.0, classes]))
    with pytest.raises(ValueError, match=f"the model is for {classes} classes, and there are 4"):
        model.of_classes(4)
