"""Noise realization: the value reached is the target, whatever the noise, the sizes and the end of the scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from guerdon.linalg import LossOfPrecisionError
from guerdon.metrics import expected_mnlp, mnlp
from guerdon.models import BayesianLinear, GaussianProcess, SparseGaussianProcess
from guerdon.models.protocols import Model, SpectralResponse
from guerdon.realization import (
    LikelihoodTempering,
    NoiseInjection,
    expected_reward_mnlp,
    noise_responses,
    noise_variances,
    reward_data,
    solve_noise,
    tempering_exponents,
)
from guerdon.rewards import RewardTargets, RhoShapley
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain, InformationGainGame
from tests import exact

KERNEL = "rbf(lengthscale=0.9, outputscale=2.0) + exponential(lengthscale=2.0, outputscale=0.5)"


def drawn_game(seed: int, sizes: list[int], noise: str = "one", kernel: str = KERNEL) -> InformationGainGame:
    """Parties with inputs at random; noise: "one" for all, a "party's" own, or the "rows'" own."""
    rng = np.random.default_rng(seed)
    parties = []
    for i, m in enumerate(sizes):
        own = {"one": None, "party's": rng.uniform(0.02, 1.0), "rows'": rng.uniform(0.02, 1.0, m)}[noise]
        parties.append(Contribution(f"party {i}", rng.normal(size=(m, 2)) + i, rng.normal(size=m), noise=own))
    return InformationGain(GaussianProcess(kernel, noise=0.1)).game(parties)


def value_under_noise(game: InformationGainGame, i: int, eta: float) -> float:
    """IG of D_i^r by one Cholesky of the whole matrix."""
    if np.isinf(eta):
        return float(game.table()[1 << i])
    X = np.concatenate([c.X for c in game.contributions])
    noise = [game.model.noise_of(c) + (0.0 if k == i else eta) for k, c in enumerate(game.contributions)]
    return game.model.information_gain(X, np.concatenate(noise))


def alone(game: InformationGainGame) -> FloatArray:
    return game.table()[1 << np.arange(game.n)]


games = st.builds(
    drawn_game,
    st.integers(0, 10**6),
    st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any),
    st.sampled_from(["one", "party's", "rows'"]),
)


@settings(max_examples=60)
@given(games, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_what_is_reached_is_the_target(game: InformationGainGame, shares: list[float]) -> None:
    pool = game.table()[-1]
    targets = alone(game) + np.array(shares[: game.n]) * (pool - alone(game))
    for i, eta in enumerate(noise_variances(game.model, game.contributions, targets)):
        # A target within 1e-10 v_N of the party's own value is met by its own rows alone.
        allowed = 1.001e-10 if np.isinf(eta) else 1e-11
        assert abs(value_under_noise(game, i, eta) - targets[i]) <= allowed * pool


@settings(max_examples=40)
@given(games, st.sampled_from([1e-13, 1e-9, 1e-4, "stable", "rational"]))
def test_what_is_reached_is_the_rho_shapley_reward(game: InformationGainGame, rho: float | str) -> None:
    targets = RhoShapley(rho)(exact_shapley(game.table()), game)  # type: ignore[arg-type]
    rewards = NoiseInjection()(game, targets, rng=np.random.default_rng(0))
    etas = noise_variances(game.model, game.contributions, targets)
    for i, (reward, eta) in enumerate(zip(rewards, etas, strict=True)):
        assert reward.eta == eta
        assert reward.target == targets.values[i]
        allowed = 1.001e-10 if np.isinf(eta) else 1e-11
        assert abs(value_under_noise(game, i, eta) - targets.values[i]) <= allowed * targets.maximum


@pytest.mark.parametrize("noise", ["one", "party's", "rows'"])
def test_tiny_deficits_are_met_to_their_own_digits(noise: str) -> None:
    """rho = 1e-13: the targets differ from v_N by less than a float at v_N shows, their etas must not."""
    game = drawn_game(1, [8, 5, 3], noise)
    phi = exact_shapley(game.table())
    targets = RhoShapley(1e-13)(phi, game)
    etas = noise_variances(game.model, game.contributions, targets)
    top = int(np.argmax(phi))
    for i in range(3):
        if i == top:
            assert etas[i] == 0.0
            continue
        response = _response(game, i)
        assert 0.0 < etas[i] < 1e-11
        assert response.deficit(etas[i]).value == pytest.approx(targets.deficits[i], rel=1e-12)
        assert etas[i] == pytest.approx(targets.deficits[i] / response.small_noise, rel=1e-9)


@pytest.mark.parametrize("noise", ["one", "party's", "rows'"])
def test_tiny_gains_are_met_to_their_own_digits(noise: str) -> None:
    game = drawn_game(2, [8, 5, 3], noise)
    gains = 1e-7 * np.ones(3)
    etas = noise_variances(game.model, game.contributions, alone(game) + gains)
    for i, eta in enumerate(etas):
        assert eta > 1e5
        assert _response(game, i).gain(eta).value == pytest.approx(gains[i], rel=1e-7)


def _response(game: InformationGainGame, i: int) -> SpectralResponse:
    others = [c for k, c in enumerate(game.contributions) if k != i]
    noise = np.concatenate([game.model.noise_of(c) for c in others])
    return game.model.noise_response(
        game.contributions[i], Contribution("others", np.concatenate([c.X for c in others]), noise=noise)
    )


@pytest.mark.parametrize("noise", ["one", "rows'"])
def test_against_brentq_on_the_whole_matrix(noise: str) -> None:
    game = drawn_game(3, [9, 6, 4], noise)
    targets = alone(game) + np.array([0.2, 0.5, 0.9]) * (game.table()[-1] - alone(game))
    for i, eta in enumerate(noise_variances(game.model, game.contributions, targets)):
        expected = brentq(lambda e, i=i: value_under_noise(game, i, e) - targets[i], 0.0, 1e3, xtol=1e-15, rtol=1e-14)
        assert eta == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("noise", ["one", "party's", "rows'"])
@pytest.mark.parametrize("eta", [1e-6, 0.3, 1e4])
def test_the_response_in_fifty_digits(noise: str, eta: float) -> None:
    game = drawn_game(4, [5, 4, 3], noise, "matern32(lengthscale=0.9, outputscale=2.0)")
    response = _response(game, 1)
    k = exact.kernel("matern32", 0.9, 2.0)
    X = np.concatenate([c.X for c in game.contributions])
    noise_rows = [game.model.noise_of(c) for c in game.contributions]
    truth = {
        e: exact.information_gain(k, X, np.concatenate([noise_rows[0] + e, noise_rows[1], noise_rows[2] + e]))
        for e in (0.0, eta)
    }
    own = exact.information_gain(k, game.contributions[1].X, noise_rows[1])
    assert response.own_value == pytest.approx(own, rel=1e-12)
    assert response.own_value + response.gain(eta).value == pytest.approx(truth[eta], rel=1e-12)
    assert response.deficit(eta).value == pytest.approx(truth[0.0] - truth[eta], abs=1e-12 * truth[0.0])


def test_one_decomposition_serves_many_targets() -> None:
    game = drawn_game(20, [6, 4, 5], "rows'")
    phi = exact_shapley(game.table())
    responses = noise_responses(game.model, game.contributions)
    for rho in (0.1, 0.2, 0.3):
        targets = RhoShapley(rho)(phi, game)
        again = noise_variances(game.model, game.contributions, targets)
        reused = noise_variances(game.model, game.contributions, targets, responses=responses)
        np.testing.assert_array_equal(reused, again)


@settings(max_examples=15)
@given(games)
def test_the_noise_rises_with_rho(game: InformationGainGame) -> None:
    phi = exact_shapley(game.table())
    limit = RhoShapley("rational")(phi, game).rho
    last = np.zeros(game.n)
    for share in (0.0, 1e-10, 0.1, 0.5, 0.9, 1.0):
        etas = noise_variances(game.model, game.contributions, RhoShapley(share * limit)(phi, game))
        assert np.all(etas >= last)
        last = etas
    top = int(np.argmax(phi))
    assert last[top] == 0.0


def test_at_rho_r_one_party_keeps_to_its_own_rows() -> None:
    # Shapley values given, so that rho_r is below 1 and binds party 1.
    game = drawn_game(5, [10, 10, 2])
    targets = RhoShapley("rational")([5.0, 0.6, 4.0], game)
    assert targets.thresholds.rational < 1.0
    rewards = NoiseInjection()(game, targets, rng=np.random.default_rng(0))
    assert [np.isinf(reward.eta) for reward in rewards] == [False, True, False]
    own = rewards[1]
    assert own.reached == pytest.approx(own.target, rel=1e-9)
    assert len(own.draws) == 0
    assert own.posterior is own.alone
    at = np.random.default_rng(1).normal(size=(4, 2))
    by_itself = game.model.posterior(game.contributions[1].X, game.contributions[1].y)
    for got, expected in zip(own.posterior.predict(at), by_itself.predict(at), strict=True):
        np.testing.assert_array_equal(got, expected)


def badly_scaled(model: Model, seed: int, size: float = 1.0) -> InformationGainGame:
    rng = np.random.default_rng(seed)
    rows = [(rng.normal(size=(m, 6)) * size, rng.normal(size=m)) for m in (40, 3, 1)]
    return InformationGain(model).game([Contribution(f"party {i}", X, y) for i, (X, y) in enumerate(rows)])


@pytest.mark.parametrize("rho", ["rational", "stable"])
@pytest.mark.parametrize("realization", [NoiseInjection(), LikelihoodTempering()])
@pytest.mark.parametrize(
    ("model", "size"),
    [
        (BayesianLinear(0.01), 1000.0),
        (GaussianProcess("rbf(lengthscale=1000.0, outputscale=1e4)", 1e-4), 100.0),
        (SparseGaussianProcess("rbf(lengthscale=20.0, outputscale=1e6)", 0.01, np.eye(6).tolist()), 1.0),
    ],
    ids=["linear", "exact", "sparse"],
)
def test_at_rho_r_nobody_is_below_its_own_value(
    model: Model, size: float, realization: NoiseInjection | LikelihoodTempering, rho: str
) -> None:
    """A quarter of the linear runs were refused: "rho = 0.705601 is above rho_r = 0.705601"."""
    for seed in range(8):
        game = badly_scaled(model, seed, size)
        targets = RhoShapley(rho)(exact_shapley(game.table()), game)  # type: ignore[arg-type]
        for reward in realization(game, targets, rng=np.random.default_rng(0)):
            assert reward.reached == pytest.approx(reward.target, rel=1e-9)


@pytest.mark.parametrize("error", [-8e-7, -1e-9, 1e-9, 8e-7])
@pytest.mark.parametrize("rho", ["rational", "stable", 0.1])
def test_a_game_that_rounds_otherwise_is_realized(rho: str | float, error: float) -> None:
    """Values may be off by 1e-6: what the game says of a party holds from its threshold to its reward."""
    game = drawn_game(5, [10, 10, 2])
    alone_as_well = game.table().copy()
    alone_as_well[1:] *= 1.0 + error * np.cos(np.arange(1, 8))
    object.__setattr__(game, "_table", alone_as_well)  # what the cached property holds
    targets = RhoShapley(rho)([5.0, 0.6, 4.0], game)  # type: ignore[arg-type]
    rewards = NoiseInjection()(game, targets, rng=np.random.default_rng(0))
    for reward in rewards:
        assert reward.reached == pytest.approx(reward.target, rel=2e-6)
    if rho == "rational":
        assert [np.isinf(reward.eta) for reward in rewards] == [False, True, False]
    etas = noise_variances(game.model, game.contributions, targets)
    assert np.all(etas >= 0.0)
    kappas = tempering_exponents(game.model, game.contributions, targets)
    assert np.all((kappas >= 0.0) & (kappas <= 1.0))


def test_a_target_below_the_own_value_is_refused_with_rho_r() -> None:
    game = drawn_game(5, [10, 10, 2])
    targets = RhoShapley(1.0)([5.0, 0.6, 4.0], game)
    with pytest.raises(ValueError, match=r"party 'party 1': target .* below the .* rho = 1 is above rho_r = 0\.\d+"):
        noise_variances(game.model, game.contributions, targets)
    with pytest.raises(ValueError, match=r"party 'party 1': .*above rho_r"):
        noise_variances(game.model, game.contributions, targets.values)
    with pytest.raises(ValueError, match="party 1"):
        NoiseInjection()(game, targets, rng=np.random.default_rng(0))


@pytest.mark.parametrize("above", [1.000001, 2.0, np.inf, np.nan])
def test_a_target_above_the_pool_is_refused(above: float) -> None:
    game = drawn_game(6, [4, 3])
    pool = game.table()[-1]
    with pytest.raises(ValueError, match=r"party 'party 1': target .* is more than the"):
        noise_variances(game.model, game.contributions, np.array([pool, above * pool]))


def test_the_ends_of_the_scale() -> None:
    game = drawn_game(7, [6, 4])
    pool = game.table()[-1]
    for target in (pool, pool * (1 + 1e-13), pool * (1 - 1e-13)):
        assert noise_variances(game.model, game.contributions, np.array([target, target])).tolist() == [0.0, 0.0]
    for off in (0.0, 0.9e-10, -0.9e-10):
        etas = noise_variances(game.model, game.contributions, alone(game) + off * pool)
        assert np.all(np.isinf(etas))
    with pytest.raises(ValueError, match="below"):
        noise_variances(game.model, game.contributions, alone(game) - 1.1e-10 * pool)


@pytest.mark.parametrize("with_deficits", [False, True])
def test_a_scheme_may_give_less_than_the_pool_to_all(with_deficits: bool) -> None:
    """Deficits are from the scheme's own maximum, which need not be v_N."""
    game = drawn_game(19, [6, 5, 4])
    pool = float(game.table()[-1])
    best = 0.9 * pool
    values = np.array([best, 0.8 * pool, 0.85 * pool])
    deficits = best - values if with_deficits else None
    targets = RewardTargets(values, None, best, np.full(3, pool), deficits=deficits)
    for i, eta in enumerate(noise_variances(game.model, game.contributions, targets)):
        assert value_under_noise(game, i, eta) == pytest.approx(values[i], rel=1e-11)


def test_the_refusal_of_a_scheme_without_rho_names_the_party() -> None:
    game = drawn_game(19, [6, 5, 4])
    pool = float(game.table()[-1])
    thresholds = RhoShapley(1.0)(exact_shapley(game.table()), game).thresholds
    targets = RewardTargets(np.array([pool, 0.0, pool]), None, pool, np.full(3, pool), thresholds)
    with pytest.raises(ValueError, match=r"party 'party 1': target 0 nats is below"):
        noise_variances(game.model, game.contributions, targets)


def test_one_party_alone_and_parties_without_rows() -> None:
    single = drawn_game(8, [5])
    assert noise_variances(single.model, single.contributions, single.table()[-1:]).tolist() == [0.0]
    empty = drawn_game(9, [5, 0, 3])
    targets = np.array([empty.table()[-1], 0.5 * empty.table()[-1], empty.table()[-1]])
    etas = noise_variances(empty.model, empty.contributions, targets)
    assert etas[[0, 2]].tolist() == [0.0, 0.0]
    assert value_under_noise(empty, 1, etas[1]) == pytest.approx(targets[1], rel=1e-12)
    lone = drawn_game(10, [5, 0])
    assert noise_variances(lone.model, lone.contributions, [lone.table()[1]] * 2).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kernel", [KERNEL, "exponential(lengthscale=2.0, outputscale=1.0)"])
def test_identical_parties_get_the_same(kernel: str) -> None:
    X, y = np.random.default_rng(11).normal(size=(40, 3)), np.random.default_rng(12).normal(size=40)
    parties = [Contribution(name, X, y) for name in ("ada", "bob")] + [Contribution("cyn", X[:10] + 1.0, y[:10])]
    game = InformationGain(GaussianProcess(kernel, noise=0.01)).game(parties)
    assert game.table()[1] == pytest.approx(game.table()[2], rel=1e-14)
    target = 0.5 * (game.table()[1] + game.table()[-1])
    etas = noise_variances(game.model, game.contributions, [target, target, target])
    assert etas[0] == pytest.approx(etas[1], rel=1e-9)
    for i, eta in enumerate(etas):
        assert abs(value_under_noise(game, i, eta) - target) <= 1e-11 * game.table()[-1]


@pytest.mark.parametrize("noise", [1e-12, 1e-14, 1e-16])
def test_rows_repeated_between_parties_with_almost_no_noise_are_refused(noise: float) -> None:
    X = np.random.default_rng(13).normal(size=(6, 2))
    rbf = "rbf(lengthscale=1.0, outputscale=1.0)"
    parties = [Contribution(name, x, np.zeros(len(x))) for name, x in (("ada", X), ("bob", X[:3]), ("cyn", X[3:] + 5))]
    with pytest.raises(LossOfPrecisionError):
        noise_variances(GaussianProcess(rbf, noise=noise), parties, [50.0, 50.0, 50.0])


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 1.0, 1.0], [[1.0, 1.0]]])
def test_one_target_a_party(wrong: object) -> None:
    game = drawn_game(6, [4, 3])
    with pytest.raises(ValueError, match=r"2 parties need targets of shape \(2,\)"):
        noise_variances(game.model, game.contributions, wrong)  # type: ignore[arg-type]


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.floats(-9, 6), st.floats(-4, 4)), min_size=1, max_size=8),
    st.floats(-14, 14),
)
def test_newton_finds_eta_over_many_decades(spectrum: list[tuple[float, float]], exponent: float) -> None:
    excess, floor = (10.0 ** np.array(column) for column in zip(*spectrum, strict=True))
    response = SpectralResponse(1.0, excess, floor)
    eta = 10.0**exponent
    gain, deficit = response.gain(eta).value, response.deficit(eta).value
    found = solve_noise(response, gain, deficit)
    # eta itself is known as well as the smaller of the two is: through its condition number.
    curve = response.gain(eta) if gain <= deficit else response.deficit(eta)
    condition = abs(curve.value / (curve.slope * eta))
    assert found == pytest.approx(eta, rel=1e-12 * max(1.0, condition))


class TestNoiseInjection:
    def targets(self, game: InformationGainGame) -> RewardTargets:
        pool = float(game.table()[-1])
        values = alone(game) + 0.5 * (pool - alone(game))
        return RewardTargets(values, None, pool, np.full(game.n, pool))

    def test_the_draws_have_the_variance_they_should(self) -> None:
        game = drawn_game(14, [5, 60, 65])
        targets = self.targets(game)
        draws, etas = [], []
        for seed in range(40):
            reward = NoiseInjection()(game, targets, rng=np.random.default_rng(seed))[0]
            draws.append(reward.draws)
            etas.append(reward.eta)
        assert len(set(etas)) == 1
        sample = np.concatenate(draws) / np.sqrt(etas[0])  # 5,000 standard normals
        assert abs(sample.mean()) < 5 / np.sqrt(sample.size)
        assert abs(np.square(sample).mean() - 1.0) < 5 * np.sqrt(2 / sample.size)
        assert abs(np.corrcoef(draws[0], draws[1])[0, 1]) < 5 / np.sqrt(125)

    def test_the_reward_is_the_model_of_the_noisy_pool(self) -> None:
        game = drawn_game(15, [6, 4, 5], "party's")
        rewards = NoiseInjection()(game, self.targets(game), rng=np.random.default_rng(3))
        at = np.random.default_rng(4).normal(size=(7, 2))
        X = np.concatenate([c.X for c in game.contributions])
        owner = np.repeat([0, 1, 2], [6, 4, 5])
        for i, reward in enumerate(rewards):
            y = np.concatenate([c.y for c in game.contributions])
            noise = np.concatenate([game.model.noise_of(c) for c in game.contributions])
            y[owner != i] += reward.draws
            noise[owner != i] += reward.eta
            expected = game.model.posterior(X, y, noise).predict(at)
            for got, wanted in zip(reward.posterior.predict(at), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)
            data = reward_data(game, i, reward.eta, reward.draws)
            np.testing.assert_array_equal(data.y[owner == i], game.contributions[i].y)
            assert data.party == f"party {i}"

    def test_same_seed_same_bits_and_every_party_its_own(self) -> None:
        game = drawn_game(16, [6, 4, 5])
        first, second, other = (
            NoiseInjection()(game, self.targets(game), rng=np.random.default_rng(seed)) for seed in (5, 5, 6)
        )
        for one, two, three in zip(first, second, other, strict=True):
            np.testing.assert_array_equal(one.draws, two.draws)
            assert not np.array_equal(one.draws, three.draws)
        scaled = [reward.draws[:4] / np.sqrt(reward.eta) for reward in first]
        assert not np.allclose(scaled[0], scaled[1])

    def test_a_partys_draws_do_not_depend_on_the_others_rewards(self) -> None:
        game = drawn_game(16, [6, 4, 5])
        targets = self.targets(game)
        without_noise = targets.values.copy()
        without_noise[:2] = [targets.maximum, alone(game)[1]]
        first = NoiseInjection()(game, targets, rng=np.random.default_rng(5))
        second = NoiseInjection()(game, without_noise, rng=np.random.default_rng(5))
        assert [len(reward.draws) for reward in second] == [9, 0, 10]
        np.testing.assert_array_equal(second[2].draws, first[2].draws)

    def test_no_outputs_no_model(self) -> None:
        X = np.random.default_rng(0).normal(size=(4, 2))
        game = InformationGain(GaussianProcess(KERNEL, noise=0.1)).game(
            [Contribution("ada", X, np.zeros(4)), Contribution("bob", X + 1.0)]
        )
        with pytest.raises(ValueError, match="party 'bob' sent no outputs"):
            NoiseInjection()(game, np.full(2, game.table()[-1]), rng=np.random.default_rng(0))


class TestExpectedMnlp:
    def test_it_is_the_mean_over_the_noise(self) -> None:
        game = drawn_game(17, [6, 9, 5], "party's")
        at, y = np.random.default_rng(5).normal(size=(12, 2)), np.random.default_rng(6).normal(size=12)
        eta, rng = 0.7, np.random.default_rng(7)
        sampled = []
        for _ in range(150):
            data = reward_data(game, 1, eta, np.sqrt(eta) * rng.standard_normal(11))
            sampled.append(mnlp(*game.model.posterior(data.X, data.y, data.noise).predict(at), y))
        expected = expected_reward_mnlp(game, 1, eta, at, y)
        assert abs(np.mean(sampled) - expected) < 5 * np.std(sampled, ddof=1) / np.sqrt(len(sampled))

    def test_without_noise_it_is_the_pools(self) -> None:
        game = drawn_game(18, [6, 5])
        at, y = np.random.default_rng(5).normal(size=(6, 2)), np.zeros(6)
        X, Y = (np.concatenate([getattr(c, name) for c in game.contributions]) for name in ("X", "y"))
        expected = mnlp(*game.model.posterior(X, Y).predict(at), y)
        assert expected_reward_mnlp(game, 0, 0.0, at, y) == pytest.approx(expected, rel=1e-14)

    def test_with_infinite_noise_it_is_the_partys_own(self) -> None:
        game = drawn_game(18, [6, 5])
        at, y = np.random.default_rng(5).normal(size=(6, 2)), np.zeros(6)
        own = game.contributions[0]
        expected = mnlp(*game.model.posterior(own.X, own.y).predict(at, 0.3), y)
        assert expected_reward_mnlp(game, 0, np.inf, at, y, 0.3) == expected
        # ... and it is the limit of more and more noise.
        assert expected_reward_mnlp(game, 0, 1e9, at, y, 0.3) == pytest.approx(expected, rel=1e-6)

    def test_the_formula(self) -> None:
        mean, variance, y, spread = (
            np.array([1.0, 2.0]),
            np.array([0.5, 2.0]),
            np.array([0.0, 5.0]),
            np.array([0.1, 3.0]),
        )
        by_hand = np.mean(0.5 * (np.log(2 * np.pi * variance) + ((mean - y) ** 2 + spread) / variance))
        assert expected_mnlp(mean, variance, y, spread) == pytest.approx(by_hand, rel=1e-15)
