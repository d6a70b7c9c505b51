"""Noise by party: found out by maximum likelihood, raised by what is declared and never lowered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from guerdon.models import BayesianLinear, GaussianProcess, PartyNoise, SparseGaussianProcess, median_fit
from guerdon.models.kernels import as_kernel
from guerdon.models.party_noise import BY_PARTY
from guerdon.realization import noise_variances, own_posterior, reward_data
from guerdon.rewards import RhoShapley
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import InformationGain, PredictiveInformation

KERNEL = "rbf(lengthscale=1.5, outputscale=1.0)"
MODELS: dict[str, Any] = {
    "linear": BayesianLinear(BY_PARTY, "Affine()"),
    "gaussian process": GaussianProcess(KERNEL, BY_PARTY),
    "sparse": SparseGaussianProcess(KERNEL, BY_PARTY, inducing=12),
}


def pool(shuffled: str = "", declared: dict[str, float] | None = None, seed: int = 0) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    found = []
    for party in ("ada", "bob", "cyd"):
        X = rng.normal(size=(60, 2))
        y = X[:, 0] - 0.5 * X[:, 1] + 0.3 * rng.normal(size=60)
        y = rng.permutation(y) if party == shuffled else y
        found.append(Contribution(party, X, y, noise=(declared or {}).get(party)))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_shuffled_outputs_are_found_out(name: str) -> None:
    honest = MODELS[name].fit(pool()).noise.variances
    model = MODELS[name].fit(pool("cyd"))
    found = model.noise.variances
    assert max(honest.values()) < 0.2
    assert found["cyd"] > 5.0 * honest["cyd"]
    assert found["ada"] < 0.2
    assert found["bob"] < 0.2
    alpha = [
        Auto()(InformationGain(m).game(pool("cyd")), rng=np.random.default_rng(0)).alpha[2]
        for m in (model, type(model).fit(_one_for_all(MODELS[name]), pool("cyd")))
    ]
    assert alpha[0] < 0.7 < 0.8 < alpha[1]


def _one_for_all(model: Any) -> Any:

    return replace(model, noise=None)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_where_the_likelihood_is_largest(name: str) -> None:
    data = pool(seed=3)
    model = MODELS[name].fit(data)
    assert model.report.gradient < 1e-3

    def likelihood(noise: PartyNoise) -> float:

        return float(replace(model, noise=noise, report=None).fit(data).report.log_likelihood)

    best = likelihood(model.noise)
    assert best == pytest.approx(model.report.log_likelihood, abs=1e-8)
    for party in ("ada", "bob", "cyd"):
        for factor in (0.8, 1.25):
            other = PartyNoise({**model.noise.variances, party: factor * model.noise.variances[party]})
            assert likelihood(other) < best


@pytest.mark.parametrize("name", MODELS)
def test_what_is_declared_raises_and_never_lowers(name: str) -> None:
    plain = MODELS[name].fit(pool())
    declared = pool(declared={"ada": 1e-6, "bob": 4.0})
    model = MODELS[name].fit(declared)
    assert model.noise.variances == plain.noise.variances, "what is declared is no evidence"
    used = [model.noise_of(c) for c in declared]
    assert np.all(used[0] == plain.noise.variances["ada"])
    assert np.all(used[1] == 4.0)
    assert np.all(used[2] == plain.noise.variances["cyd"])
    games = [InformationGain(m).game(d) for m, d in ((plain, pool()), (model, pool(declared={"ada": 1e-6})))]
    np.testing.assert_array_equal(games[0].table(), games[1].table())


@pytest.mark.parametrize("name", MODELS)
def test_values_realization_and_prediction_go_by_it(name: str) -> None:
    data = pool("cyd")
    model = MODELS[name].fit(data)
    own = [Contribution(c.party, c.X, c.y, noise=model.noise.variances[c.party]) for c in data]

    plain = replace(model, noise=0.1)
    game, given = InformationGain(model).game(data), InformationGain(plain).game(own)
    np.testing.assert_allclose(game.table(), given.table(), rtol=1e-13)
    targets = RhoShapley(rho=0.1)(Auto()(game, rng=np.random.default_rng(0)), game)
    np.testing.assert_allclose(
        noise_variances(model, data, targets), noise_variances(plain, own, targets.values), rtol=1e-7
    )
    rewarded = reward_data(game, 1, 0.5, np.zeros(120))
    assert np.all(np.asarray(rewarded.noise)[60:120] == model.noise.variances["bob"])
    x = np.array([[0.2, 0.1]])
    alone = own_posterior(game, 2).predict(x, noise=0.1)
    expected = plain.posterior(own[2].X, np.asarray(own[2].y), noise=own[2].noise).predict(x, noise=0.1)
    np.testing.assert_allclose(alone, expected, rtol=1e-10)


def test_predictions_of_a_party_have_its_own_noise() -> None:
    data = pool("cyd")
    model = MODELS["gaussian process"].fit(data)
    at = [np.random.default_rng(k).normal(size=(4, 2)) for k in range(3)]
    value = PredictiveInformation(model, at).game(data).table()[1]
    expected = 0.0
    for party, X in zip(("ada", "bob", "cyd"), at, strict=True):
        s2 = model.noise.variances[party]
        _, after = model.posterior(data[0].X, np.asarray(data[0].y), model.noise_of(data[0])).predict(X, noise=s2)
        expected += float(np.mean(0.5 * np.log((1.0 + s2) / after))) / 3.0
    assert value == pytest.approx(expected, rel=1e-10)


def test_the_order_of_the_parties_changes_no_variance() -> None:
    one, other = (MODELS["linear"].fit(d).noise.variances for d in (pool(), pool()[::-1]))
    assert one == pytest.approx(other, rel=1e-6)


def test_it_is_open_until_it_is_learned() -> None:
    with pytest.raises(ValueError, match="noise by party is open"):
        MODELS["linear"].noise_of(pool()[0])
    with pytest.raises(ValueError, match="'by-party' to learn one for each party"):
        BayesianLinear("by-row")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODELS)
def test_models_about_as_likely_have_other_variances(name: str) -> None:
    data = pool()
    fitted = MODELS[name].fit(data)
    likely = MODELS[name].likely(data, drop=1.35, fitted=fitted)
    assert len(likely) > 3
    assert all(set(m.noise.variances) == {"ada", "bob", "cyd"} for m in likely)


def test_the_party_median_is_not_dragged_by_one_party() -> None:
    rng = np.random.default_rng(1)
    honest = [*pool(), *(Contribution(f"{c.party} too", c.X, c.y) for c in pool(seed=5))]
    liar = Contribution("zed", rng.uniform(-4.0, 4.0, size=(80, 2)), 3.0 * rng.normal(size=80))
    model = BayesianLinear(features="Affine()")
    moved = {
        how: median_fit(model, [*honest, liar], how).noise / median_fit(model, honest, how).noise
        for how in ("leave-one-out median", "party median")
    }
    moved["pool"] = model.fit([*honest, liar]).noise / model.fit(honest).noise
    assert moved["party median"] < 1.5
    assert moved["leave-one-out median"] > 3.0, "the liar is in all parts but one"
    assert moved["pool"] > 3.0


@pytest.mark.parametrize("kernel", ["rbf", "rbf(ard=True) + exponential"])
def test_the_median_is_taken_in_log_of_each_hyperparameter(kernel: str) -> None:

    made = [
        GaussianProcess(text, 0.1 * 10.0**k)
        for k, text in enumerate(
            f"rbf(lengthscale={s}, outputscale={2 * s})"
            if kernel == "rbf"
            else f"rbf(lengthscale=({s}, {3 * s}), outputscale=1.0) + exponential(lengthscale={s}, outputscale={s})"
            for s in (0.5, 1.0, 8.0)
        )
    ]
    middle = GaussianProcess(kernel).median(made, 2)
    assert middle.noise == pytest.approx(1.0)
    one, other = (as_kernel(m.kernel, 2).opened().theta for m in (middle, made[1]))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_two_parties_have_no_median() -> None:
    with pytest.raises(ValueError, match="takes at least three parties, got 2"):
        median_fit(BayesianLinear(), pool()[:2], "party median")
