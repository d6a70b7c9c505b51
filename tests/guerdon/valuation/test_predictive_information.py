"""What data tell of new outputs: reference numbers, dense formulas for every model, and rewards worth their targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.models import BayesianLinear, BayesianLogistic, GaussianProcess, SparseGaussianProcess
from guerdon.models.class_rows import ClassRows
from guerdon.realization import noise_variances, tempering_exponents
from guerdon.realization.noise import others_of
from guerdon.row_marks import RowMarks
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray, all_coalitions
from guerdon.valuation import InformationGain, PredictiveInformation, PredictiveInformationGame

VECTORS = Path(__file__).parents[2] / "data"
SIZES = (9, 0, 14, 5)
RBF = "rbf(lengthscale=1.1, outputscale=1.4)"
INDUCING = np.random.default_rng(9).normal(size=(6, 2))


def parties(seed: int = 0, noise: bool = False) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    return [
        Contribution(
            f"party {k}",
            rng.normal(size=(m, 2)),
            rng.integers(3, size=m).astype(float),
            noise=rng.uniform(0.2, 2.0, size=m) if noise and m else None,
        )
        for k, m in enumerate(SIZES)
    ]


def references() -> list[FloatArray]:
    rng = np.random.default_rng(7)
    return [rng.normal(size=(q, 2)) for q in (4, 3, 0, 5)]


def linear_models() -> dict[str, Any]:
    data = parties()
    return {
        "linear": BayesianLinear(0.4, "Affine()"),
        "sparse": SparseGaussianProcess(RBF, 0.4, INDUCING),
        "two classes": BayesianLogistic("Affine()", classes=2, weights=np.array([1.0, -0.5, 0.3])),
        "three classes": BayesianLogistic("Affine()").fit(data),
    }


MODELS = ["gaussian process", *linear_models()]
CLASSES = "classes"
"""In the names of models of labels, which have no noise."""


def model_of(name: str) -> Any:
    return GaussianProcess(RBF, 0.4) if name == "gaussian process" else linear_models()[name]


def worth(name: str, X: FloatArray, noise: FloatArray, at: FloatArray) -> FloatArray:
    """The information about a new output at each x, by the plain formula with whole matrices."""
    model = model_of(name)
    if name == "gaussian process":
        k = lambda a, b: 1.4 * np.exp(-0.5 * np.square(a[:, None] - b).sum(axis=2) / 1.1**2)  # noqa: E731
        after = 1.4 - np.einsum("qm,mq->q", k(at, X), np.linalg.solve(k(X, X) + np.diag(noise), k(X, at)))
        return np.asarray(0.5 * np.log((1.4 + 0.4) / (after + 0.4)))
    if isinstance(model, BayesianLogistic):
        assert model.weights is not None
        assert model.classes is not None
        rows = ClassRows(model._features(), X, model.weights, model.classes, 1.0 / noise).whole()
        R = ClassRows(model._features(), at, model.weights, model.classes).whole().reshape(len(at), -1, rows.shape[1])
        left = np.ones(len(at))
    else:
        phi = model._features()
        rows, Phi = phi(X) / np.sqrt(noise)[:, None], phi(at)
        unexplained = phi.unexplained(at, Phi) if name == "sparse" else 0.0
        R, left = Phi[:, None, :], np.full(len(at), 0.4) + unexplained
    covariance = np.linalg.inv(np.eye(rows.shape[1]) + rows.T @ rows)
    eye = np.eye(R.shape[1]) * left[:, None, None]
    before, after = eye + R @ R.transpose(0, 2, 1), eye + R @ covariance @ R.transpose(0, 2, 1)
    return np.asarray(0.5 * (np.linalg.slogdet(before)[1] - np.linalg.slogdet(after)[1]))


def expected_value(name: str, X: FloatArray, noise: FloatArray) -> float:
    sets = [np.mean(worth(name, X, noise, at)) for at in references() if len(at)]
    return float(np.mean(sets))


def game_of(name: str, noise: bool = False) -> PredictiveInformationGame:
    return PredictiveInformation(model_of(name), references()).game(parties(noise=noise))


def test_the_reference_numbers() -> None:
    found = np.load(VECTORS / "predictive_gp_n3.npz")
    data = [Contribution(f"party {k}", found["X"][found["party"] == k]) for k in range(3)]
    kernel = f"rbf(lengthscale={float(found['lengthscale'])}, outputscale={float(found['outputscale'])})"
    model = GaussianProcess(kernel, noise=float(found["s2"]))
    game = PredictiveInformation(model, [found[f"ref{k}"] for k in range(3)]).game(data)
    np.testing.assert_allclose(game.table(), found["v"], rtol=0, atol=1e-13)
    np.testing.assert_allclose(exact_shapley(game.table()), found["phi"], rtol=0, atol=1e-13)
    eta = noise_variances(game, data, found["r"])  # type: ignore[arg-type]
    np.testing.assert_allclose(eta, found["eta"], rtol=1e-12)


@pytest.mark.parametrize(("name", "noise"), [(n, k) for n in MODELS for k in (False, True) if not (k and CLASSES in n)])
def test_every_coalition_by_the_plain_formula(name: str, noise: bool) -> None:
    game = game_of(name, noise)
    data = game.contributions
    expected = np.zeros(16)
    for mask, joined in enumerate(all_coalitions(4)):
        members = [c for c, is_in in zip(data, joined, strict=True) if is_in and len(c)]
        if members:
            variances = np.concatenate([game.noise_of(c) for c in members])
            expected[mask] = expected_value(name, np.concatenate([c.X for c in members]), variances)
    np.testing.assert_allclose(game.table(), expected, rtol=0, atol=1e-12)
    orders = np.array([[3, 1, 0, 2], [0, 1, 2, 3]])
    chains = game.model.predictive_gain_chains(data, game.references, orders)
    np.testing.assert_allclose(chains, game.chains(orders), rtol=0, atol=1e-12)
    table = game.table()
    for mask in range(16):
        for i in range(4):
            assert table[mask | 1 << i] >= table[mask] - 1e-12, "more data never tell less"


@pytest.mark.parametrize(
    ("name", "noise", "tempered"),
    [
        (name, noise, tempered)
        for name in MODELS
        for noise in (False, True)
        for tempered in (False, True)
        if CLASSES not in name or (tempered and not noise)
    ],
)
def test_rewards_are_worth_their_targets(name: str, noise: bool, tempered: bool) -> None:
    game = game_of(name, noise)
    data, table = game.contributions, game.table()
    for share in (1e-6, 0.3, 0.999):
        targets = table[[1, 2, 4, 8]] + share * (table[-1] - table[[1, 2, 4, 8]])
        solve = tempering_exponents if tempered else noise_variances
        found = solve(game, data, targets)  # type: ignore[arg-type]
        for i, c in enumerate(data):
            others = others_of(game, data, i)  # type: ignore[arg-type]
            theirs = np.asarray(others.noise) / found[i] if tempered else np.asarray(others.noise) + found[i]
            X = np.concatenate([c.X, others.X])
            reached = expected_value(name, X, np.concatenate([game.noise_of(c), theirs]))
            assert reached == pytest.approx(targets[i], rel=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_the_response_is_exact_at_both_ends_and_has_the_right_slopes(name: str) -> None:
    game = game_of(name)
    own, others = game.contributions[0], others_of(game, game.contributions, 0)  # type: ignore[arg-type]
    response = game.tempering_response(own, others)
    rise = float(game.table()[-1] - game.table()[1])
    assert response.own_value == pytest.approx(float(game.table()[1]), rel=1e-12)
    assert response.gain(0.0).value == pytest.approx(rise, rel=1e-9)
    for eta in (1e-3, 1.0, 1e3):
        gain, deficit = response.gain(eta), response.deficit(eta)
        assert gain.value + deficit.value == pytest.approx(rise, rel=1e-9)
        step = 1e-5 * eta
        for curve in (response.gain, response.deficit):
            slope = (curve(eta + step).value - curve(eta - step).value) / (2 * step)
            assert curve(eta).slope == pytest.approx(slope, rel=1e-4)
    assert response.deficit(1e-9).value <= 1e-9 * response.small_noise * (1 + 1e-9)
    assert response.deficit(1e-9).value == pytest.approx(1e-9 * response.small_noise, rel=1e-6)
    assert response.gain(1e9).value <= response.large_noise / 1e9 * (1 + 1e-9)


def test_inputs_far_from_where_anybody_predicts_are_worth_nothing() -> None:
    near, far = parties()[0], Contribution("far", 50.0 + np.random.default_rng(0).uniform(0, 900, size=(200, 2)))
    game = PredictiveInformation(GaussianProcess(RBF, 0.4), references()).game([near, far])
    alpha = exact_shapley(game.table()) / exact_shapley(game.table()).max()
    assert alpha[1] < 1e-12


def test_what_is_missing_is_said() -> None:
    data, model = parties(), GaussianProcess(RBF, 0.4)
    assert PredictiveInformation().asks == ("model", "references")
    with pytest.raises(ValueError, match="expected both"):
        PredictiveInformation(model).game(data)
    with pytest.raises(ValueError, match="there are no references"):
        PredictiveInformation(model, [np.empty((0, 2))]).game(data)
    with pytest.raises(ValueError, match="references have 3 features, the parties 2"):
        PredictiveInformation(model, [np.ones((1, 3))]).game(data)
    with pytest.raises(ValueError, match="need as many weights"):
        PredictiveInformation(model, references(), [1.0]).game(data)
    with pytest.raises(ValueError, match="the model's noise is open"):
        PredictiveInformation(GaussianProcess(RBF), references()).game(parties(noise=True)).table()


def test_rewards_are_made_of_the_rows_as_others_may_see_them() -> None:
    """In every game that rewards are made in: a copy of ``inputs`` that forgot it gave the rows' own units away."""
    c = parties()[0]
    blurred = replace(c, X=c.X + 1.0)
    marked = replace(c, marks=replace(RowMarks.of(c), shown=blurred))
    for valuation in (InformationGain(model_of("linear")), PredictiveInformation(model_of("linear"), references())):
        np.testing.assert_array_equal(valuation.game([marked]).inputs, blurred.X)
