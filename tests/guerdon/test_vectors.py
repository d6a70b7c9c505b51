"""The reference numbers of tests/data, computed elsewhere in exact fractions and in 50 digits."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.metrics import mnlp
from guerdon.models import BayesianLinear, GaussianProcess
from guerdon.realization import NoiseInjection, expected_reward_mnlp, noise_variances, reward_data
from guerdon.rewards import RewardTargets, RhoShapley, certify, rho_thresholds
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain, InformationGainGame

DATA = Path(__file__).parents[1] / "data"
GAMES: dict[str, Any] = json.loads((DATA / "games.json").read_text())
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


Numbers = dict[str, np.ndarray]


def stored(name: str) -> Numbers:
    with np.load(DATA / name, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def stored_game(numbers: Numbers, model: BayesianLinear | GaussianProcess, inputs: str) -> InformationGainGame:
    rows = [numbers["party"] == i for i in range(int(numbers["n"]))]
    return InformationGain(model).game(
        [Contribution(str(i), numbers[inputs][own], numbers["y"][own]) for i, own in enumerate(rows)]
    )


@pytest.fixture(scope="module")
def gp() -> Numbers:
    return stored("ig_gp_n3.npz")


@pytest.fixture(scope="module")
def game(gp: Numbers) -> InformationGainGame:
    lengthscale = tuple(gp["lengthscale"].tolist())
    kernel = f"rbf(lengthscale={lengthscale}, outputscale={float(gp['outputscale'])})"
    return stored_game(gp, GaussianProcess(kernel, noise=float(gp["s2"])), "X")


@pytest.fixture(scope="module")
def blr() -> Numbers:
    return stored("ig_blr_n4.npz")


@pytest.fixture(scope="module")
def linear_game(blr: Numbers) -> InformationGainGame:
    return stored_game(blr, BayesianLinear(float(blr["s2"])), "Phi")


@pytest.mark.parametrize("name", GAMES)
def test_games(name: str) -> None:
    case = GAMES[name]
    table = np.array([float(Fraction(v)) for v in case["v"]])
    phi = np.array([float(Fraction(p)) for p in case["phi"]])
    np.testing.assert_allclose(exact_shapley(table), phi, rtol=1e-14)
    thresholds = rho_thresholds(exact_shapley(table), table)
    expected = [np.inf if case[key] is None else case[key] for key in ("rho_r", "rho_s")]
    np.testing.assert_allclose([thresholds.rational, thresholds.stable], expected, rtol=1e-12)
    for rho, key in ((1.0, "r_rho1"), (0.5, "r_rho_half")):
        np.testing.assert_allclose(RhoShapley(rho)(exact_shapley(table), table).values, case[key], rtol=1e-14)
    certificate = certify(table, exact_shapley(table), RhoShapley(1.0)(exact_shapley(table), table))
    checks = case["checks_rho1"]
    for condition in ("R1", "R2", "R3", "R4", "F1", "F2", "F3", "R6"):
        assert certificate[condition].holds is checks[condition], certificate[condition]
    assert certificate.R7.holds is checks["R7_max"]
    stable = certify(table, exact_shapley(table), RhoShapley("stable")(exact_shapley(table), table))
    assert stable.R6.holds is True
    assert stable.R5.holds is (case["rho_s"] != 0.0)


def test_rewards_kept_at_the_own_value_are_not_fair() -> None:
    """Tay et al., appendix C.3: max(v_i, alpha_i v_N) breaks strict desirability."""
    case = GAMES["tay_c3"]
    table = np.array([float(Fraction(v)) for v in case["v"]])
    rectified = np.maximum(table[1 << np.arange(4)], RhoShapley(1.0)(exact_shapley(table), table).values)
    np.testing.assert_allclose(rectified, case["rectified_rho1"], rtol=1e-14)
    assert certify(table, exact_shapley(table), rectified).F3.holds is case["rectified_F3_holds"]


def assert_values(numbers: Numbers, game: InformationGainGame) -> None:
    np.testing.assert_allclose(game.table(), numbers["v"], **CLOSE)
    np.testing.assert_allclose(exact_shapley(game.table()), numbers["phi"], **CLOSE)
    thresholds = rho_thresholds(exact_shapley(game.table()), game)
    np.testing.assert_allclose([thresholds.rational, thresholds.stable], [numbers["rho_r"], numbers["rho_s"]], **CLOSE)


def assert_noise(numbers: Numbers, game: InformationGainGame, a: int) -> None:
    """The targets at one rho, and the noise that realizes them; targets below an own value are refused."""
    targets = RhoShapley(float(numbers["rhos"][a]))(exact_shapley(game.table()), game)
    np.testing.assert_allclose(targets.values, numbers["r"][a], **CLOSE)
    for asked in (targets, targets.values, numbers["r"][a]):
        if numbers["feasible"][a].all():
            eta = noise_variances(game.model, game.contributions, asked)
            np.testing.assert_allclose(eta, numbers["eta"][a], rtol=1e-9)
        else:
            with pytest.raises(ValueError, match="below"):
                noise_variances(game.model, game.contributions, asked)


def assert_predictions(numbers: Numbers, game: InformationGainGame, a: int, inputs: str) -> None:
    """The rewards' predictions with the file's own draws, with and without the average over them."""
    s2 = float(numbers.get("s2_test", numbers["s2"]))
    for i, eta in enumerate(numbers["eta"][a].tolist()):
        own = numbers["party"] == i
        if np.isinf(eta):
            data = game.contributions[i]
        else:
            data = reward_data(game, i, eta, np.sqrt(eta) * numbers["eps"][i][~own])
        mean, variance = game.model.posterior(data.X, data.y, data.noise).predict(numbers[inputs], s2)
        np.testing.assert_allclose(mean, numbers["pred_mean"][a, i], **CLOSE)
        np.testing.assert_allclose(variance, numbers["pred_var"][a, i], **CLOSE)
        np.testing.assert_allclose(mnlp(mean, variance, numbers["ytest"]), numbers["mnlp"][a, i], **CLOSE)
        expected = expected_reward_mnlp(game, i, eta, numbers[inputs], numbers["ytest"])
        np.testing.assert_allclose(expected, numbers["mnlp_expected"][a, i], **CLOSE)


def test_values_and_shapley_values(gp: Numbers, game: InformationGainGame) -> None:
    assert_values(gp, game)


@pytest.mark.parametrize("a", range(3))
def test_rewards_and_noise(gp: Numbers, game: InformationGainGame, a: int) -> None:
    assert_noise(gp, game, a)


@pytest.mark.parametrize("a", range(3))
def test_predictions_of_the_rewards(gp: Numbers, game: InformationGainGame, a: int) -> None:
    assert_predictions(gp, game, a, "Xtest")
    targets = RhoShapley(float(gp["rhos"][a]))(exact_shapley(game.table()), game)
    for i, reward in enumerate(NoiseInjection()(game, targets, rng=np.random.default_rng(0))):
        assert reward.reached == pytest.approx(gp["r"][a, i], rel=1e-12)


def test_values_and_shapley_values_of_a_linear_model(blr: Numbers, linear_game: InformationGainGame) -> None:
    assert_values(blr, linear_game)


@pytest.mark.parametrize("a", range(3))
def test_rewards_and_noise_of_a_linear_model(blr: Numbers, linear_game: InformationGainGame, a: int) -> None:
    assert_noise(blr, linear_game, a)


@pytest.mark.parametrize("a", range(3))
def test_predictions_of_the_rewards_of_a_linear_model(blr: Numbers, linear_game: InformationGainGame, a: int) -> None:
    assert_predictions(blr, linear_game, a, "Xtest")


def test_the_order_of_contributions_only_permutes(gp: Numbers, game: InformationGainGame) -> None:
    turned = InformationGain(game.model).game(game.contributions[::-1])
    r: FloatArray = gp["r"][1][::-1].copy()
    np.testing.assert_allclose(noise_variances(game.model, turned.contributions, r), gp["eta"][1][::-1], rtol=1e-9)
    assert isinstance(RhoShapley(1.0)(exact_shapley(turned.table()), turned), RewardTargets)
