"""Tempering: the value is met in closed form at every kappa, and with equal noise it is noise injection's value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.metrics import mnlp
from guerdon.models import BayesianLinear, BayesianLogistic, GaussianProcess, Predictor, SparseGaussianProcess
from guerdon.models.protocols import Model
from guerdon.realization import (
    LikelihoodTempering,
    NoiseInjection,
    expected_reward_mnlp,
    mnlp_with_noise_instead,
    noise_variances,
    tempered_data,
    tempering_exponents,
)
from guerdon.rewards import RewardTargets, RhoShapley
from guerdon.row_marks import RowMarks
from guerdon.scaling import Scaling
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain, InformationGainGame

MODELS: dict[str, Model] = {
    "exact": GaussianProcess("rbf(lengthscale=0.9, outputscale=2.0)", noise=0.1),
    "linear": BayesianLinear(0.1, features="Affine()"),
    "sparse": SparseGaussianProcess(
        "rbf(lengthscale=0.9, outputscale=2.0)", 0.1, np.random.default_rng(0).normal(size=(5, 2)).tolist()
    ),
}


def drawn_game(seed: int, sizes: list[int], model: str = "exact", noise: str = "one") -> InformationGainGame:
    """Parties with inputs at random; noise: "one" for all, a "party's" own, or the "rows'" own."""
    rng = np.random.default_rng(seed)
    parties = []
    for i, m in enumerate(sizes):
        own = {"one": None, "party's": rng.uniform(0.02, 1.0), "rows'": rng.uniform(0.02, 1.0, m)}[noise]
        parties.append(Contribution(f"party {i}", rng.normal(size=(m, 2)) + i, rng.normal(size=m), noise=own))
    return InformationGain(MODELS[model]).game(parties)


def alone(game: InformationGainGame) -> FloatArray:
    return game.table()[1 << np.arange(game.n)]


def value_at(game: InformationGainGame, i: int, kappa: float) -> float:
    """IG of the tempered data, from all its rows at once."""
    if kappa == 0.0:
        return float(alone(game)[i])
    data = tempered_data(game, i, kappa)
    return game.model.information_gain(data.X, data.noise)


games = st.builds(
    drawn_game,
    st.integers(0, 10**6),
    st.lists(st.integers(1, 9), min_size=2, max_size=4),
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(["one", "party's", "rows'"]),
)


@settings(max_examples=60)
@given(games, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_the_value_is_met_with_a_kappa_between_0_and_1(game: InformationGainGame, shares: list[float]) -> None:
    pool = float(game.table()[-1])
    targets = alone(game) + np.array(shares[: game.n]) * (pool - alone(game))
    for i, kappa in enumerate(tempering_exponents(game.model, game.contributions, targets)):
        assert 0.0 <= kappa <= 1.0
        assert abs(value_at(game, i, kappa) - targets[i]) <= 1e-9 * pool


@given(games)
def test_the_ends_of_the_scale(game: InformationGainGame) -> None:
    pool = float(game.table()[-1])
    assert tempering_exponents(game.model, game.contributions, np.full(game.n, pool)).tolist() == [1.0] * game.n
    own = tempering_exponents(game.model, game.contributions, alone(game))
    nothing_to_add = pool - alone(game) <= 1e-10 * pool
    assert np.all((own == 0.0) | nothing_to_add)


@settings(max_examples=30)
@given(games)
def test_kappa_falls_as_rho_rises(game: InformationGainGame) -> None:
    phi = exact_shapley(game.table())
    most = min(1.0, RhoShapley("rational")(phi, game).rho or 0.0)
    kappas = np.array(
        [
            tempering_exponents(game.model, game.contributions, RhoShapley(rho)(phi, game))
            for rho in np.linspace(0.0, most, 5)
        ]
    )
    assert np.all(kappas[0] == 1.0)
    assert np.all(np.diff(kappas, axis=0) <= 1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=2, max_size=4), st.sampled_from(sorted(MODELS)))
def test_with_equal_noise_it_is_noise_injection_with_s2_over_kappa(seed: int, sizes: list[int], model: str) -> None:
    game = drawn_game(seed, sizes, model)
    targets = alone(game) + 0.6 * (game.table()[-1] - alone(game))
    etas = noise_variances(game.model, game.contributions, targets)
    kappas = tempering_exponents(game.model, game.contributions, targets)
    np.testing.assert_allclose(kappas, 0.1 / (0.1 + etas), rtol=1e-8)
    for reward in LikelihoodTempering()(game, targets, rng=np.random.default_rng(0)):
        assert reward.eta == pytest.approx(0.1 * (1.0 / reward.kappa - 1.0), rel=1e-12)


def test_one_row_by_hand() -> None:
    """Two rows at one input, v = 1/2 log(1 + 1/s2) each; tempered: 1/2 log(1 + (1 + kappa) / s2)."""
    model = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.5)
    game = InformationGain(model).game([Contribution(name, np.zeros((1, 1)), np.zeros(1)) for name in ("ada", "bob")])
    targets = np.full(2, 0.5 * np.log(1.0 + 1.25 / 0.5))
    np.testing.assert_allclose(tempering_exponents(model, game.contributions, targets), 0.25, rtol=1e-12)


def test_unequal_noise_has_no_noise_injection_of_the_same_value_in_closed_form() -> None:
    game = drawn_game(4, [6, 5, 4], noise="rows'")
    targets = alone(game) + 0.5 * (game.table()[-1] - alone(game))
    assert [r.eta for r in LikelihoodTempering()(game, targets, rng=np.random.default_rng(0))] == [None] * 3


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("noise", ["one", "rows'"])
def test_the_reward_is_the_posterior_of_the_tempered_likelihood(model: str, noise: str) -> None:
    """In natural parameters: a power kappa of a Gaussian likelihood scales its precision and its pull on the mean."""
    game = drawn_game(5, [6, 5, 4], model, noise)
    targets = alone(game) + 0.5 * (game.table()[-1] - alone(game))
    at = np.random.default_rng(6).normal(size=(5, 2))
    for i, reward in enumerate(LikelihoodTempering()(game, targets, rng=np.random.default_rng(0))):
        X = np.concatenate([c.X for c in game.contributions])
        y = np.concatenate([c.y for c in game.contributions if c.y is not None])
        noises = np.concatenate(
            [game.model.noise_of(c) / (1.0 if k == i else reward.kappa) for k, c in enumerate(game.contributions)]
        )
        expected = game.model.posterior(X, y, noises).predict(at, 0.1)
        np.testing.assert_allclose(reward.posterior.predict(at, 0.1), expected, rtol=1e-12)
        start, stop = reward.rows
        np.testing.assert_array_equal(X[start:stop], game.contributions[i].X)


def test_nothing_is_drawn_and_the_reward_says_what_it_shows() -> None:
    game = drawn_game(7, [6, 5, 4])
    pool = float(game.table()[-1])
    values = np.array([alone(game)[0], 0.5 * (alone(game)[1] + pool), pool])
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    rewards = LikelihoodTempering()(game, RewardTargets(values, None, pool, np.full(3, pool)), rng=rng)
    assert rng.bit_generator.state == before
    assert [r.kappa for r in rewards][::2] == [0.0, 1.0]
    said = ["as they were sent" in r.contains for r in rewards]
    assert said == [False, True, True]
    y = np.concatenate([c.y for c in game.contributions if c.y is not None])
    np.testing.assert_array_equal(rewards[1].posterior.arrays()["y"], y)  # which is what it says


def test_the_expected_mnlp_of_noise_injection_from_the_tempered_model() -> None:
    game = drawn_game(8, [9, 8, 7])
    targets = alone(game) + 0.5 * (game.table()[-1] - alone(game))
    at, y = np.random.default_rng(5).normal(size=(12, 2)), np.random.default_rng(6).normal(size=12)
    scaling = Scaling(np.array([1.0, 2.0]), np.array([2.0, 3.0]), 5.0, 4.0)
    for i, reward in enumerate(LikelihoodTempering()(game, targets, rng=np.random.default_rng(0))):
        others = np.ones(24, dtype=bool)
        others[slice(*reward.rows)] = False
        predictor = Predictor(reward.posterior, scaling, ("a", "b"), "y")
        X, Y = at * [2.0, 3.0] + [1.0, 2.0], y * 4.0 + 5.0  # the same rows in the data's own units
        found = mnlp_with_noise_instead(predictor, float(reward.eta or 0.0), others, X, Y)
        expected = expected_reward_mnlp(game, i, float(reward.eta or 0.0), at, y) + np.log(4.0)
        assert found == pytest.approx(expected, rel=1e-12)
        assert found > mnlp(*predictor.predict(X), Y)


def test_targets_that_no_tempering_meets() -> None:
    game = drawn_game(9, [6, 5])
    with pytest.raises(ValueError, match="below"):
        tempering_exponents(game.model, game.contributions, 0.9 * alone(game))
    with pytest.raises(ValueError, match="more than"):
        tempering_exponents(game.model, game.contributions, np.full(2, 1.01 * game.table()[-1]))


def test_noise_injection_and_tempering_agree_where_nothing_is_hidden() -> None:
    game = drawn_game(10, [6, 5])
    pool = np.full(2, game.table()[-1])
    at = np.random.default_rng(1).normal(size=(4, 2))
    noisy = NoiseInjection()(game, pool, rng=np.random.default_rng(0))
    tempered = LikelihoodTempering()(game, pool, rng=np.random.default_rng(0))
    for one, other in zip(noisy, tempered, strict=True):
        np.testing.assert_array_equal(one.posterior.predict(at), other.posterior.predict(at))


def test_two_rewards_of_classes_do_not_subtract_to_a_row() -> None:
    """One row less in the pool changes the sums over rows in a reward by that row; with the blur by more than it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = (X[:, 0] + rng.logistic(size=90) > 0.0).astype(float)

    def precision(out: int | None, rows: float) -> FloatArray:
        own = Contribution("east", X[:40], y[:40])
        kept = np.delete(np.arange(40, 90), [] if out is None else [out - 40])
        others = Contribution("west", X[kept], y[kept])
        pool = [replace(c, marks=RowMarks.of(c).weighted(b"secret", rows)) for c in (own, others)]
        game = InformationGain(BayesianLogistic("Affine()").fit(pool)).game(pool)
        values = np.full(2, float(game(np.ones((1, 2), dtype=bool))[0]))
        made = LikelihoodTempering()(game, values, rng=rng)[0]
        root = made.posterior.arrays()["root"]
        return np.asarray(np.linalg.inv(root @ root.T))

    told = {
        rows: [float(np.linalg.norm(precision(None, rows) - precision(out, rows))) for out in range(40, 48)]
        for rows in (0.0, 2.0)
    }
    assert np.median(told[2.0]) > 3.0 * np.median(told[0.0])
    assert min(told[2.0]) > np.median(told[0.0])
