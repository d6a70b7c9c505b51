"""The reference numbers of tests/data, computed elsewhere in exact fractions and in 50 digits."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.metrics import mnlp
from guerdon.models import GaussianProcess
from guerdon.realization import NoiseInjection, expected_reward_mnlp, noise_variances, reward_data
from guerdon.rewards import RewardTargets, RhoShapley, certify, rho_thresholds
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain, InformationGainGame

DATA = Path(__file__).parents[1] / "data"
GAMES: dict[str, Any] = json.loads((DATA / "games.json").read_text())
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module")
def gp() -> dict[str, np.ndarray]:
    with np.load(DATA / "ig_gp_n3.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def game(gp: dict[str, np.ndarray]) -> InformationGainGame:
    lengthscale = tuple(gp["lengthscale"].tolist())
    kernel = f"rbf(lengthscale={lengthscale}, outputscale={float(gp['outputscale'])})"
    model = GaussianProcess(kernel, noise=float(gp["s2"]))
    parties = [Contribution(str(i), gp["X"][gp["party"] == i], gp["y"][gp["party"] == i]) for i in range(int(gp["n"]))]
    return InformationGain(model).game(parties)


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


def test_values_and_shapley_values(gp: dict[str, np.ndarray], game: InformationGainGame) -> None:
    np.testing.assert_allclose(game.table(), gp["v"], **CLOSE)
    np.testing.assert_allclose(exact_shapley(game.table()), gp["phi"], **CLOSE)
    thresholds = rho_thresholds(exact_shapley(game.table()), game)
    np.testing.assert_allclose([thresholds.rational, thresholds.stable], [gp["rho_r"], gp["rho_s"]], **CLOSE)


@pytest.mark.parametrize("a", range(3))
def test_rewards_and_noise(gp: dict[str, np.ndarray], game: InformationGainGame, a: int) -> None:
    targets = RhoShapley(float(gp["rhos"][a]))(exact_shapley(game.table()), game)
    np.testing.assert_allclose(targets.values, gp["r"][a], **CLOSE)
    for asked in (targets, targets.values, gp["r"][a]):
        eta = noise_variances(game.model, game.contributions, asked)
        assert gp["feasible"][a].all()
        np.testing.assert_allclose(eta, gp["eta"][a], rtol=1e-9)


@pytest.mark.parametrize("a", range(3))
def test_predictions_of_the_rewards(gp: dict[str, np.ndarray], game: InformationGainGame, a: int) -> None:
    targets = RhoShapley(float(gp["rhos"][a]))(exact_shapley(game.table()), game)
    rewards = NoiseInjection()(game, targets, rng=np.random.default_rng(0))
    for i, reward in enumerate(rewards):
        draws = np.sqrt(reward.eta) * gp["eps"][i][gp["party"] != i]
        data = reward_data(game, i, reward.eta, draws)
        posterior = game.model.posterior(data.X, data.y, data.noise)
        mean, variance = posterior.predict(gp["Xtest"], float(gp["s2_test"]))
        np.testing.assert_allclose(mean, gp["pred_mean"][a, i], **CLOSE)
        np.testing.assert_allclose(variance, gp["pred_var"][a, i], **CLOSE)
        np.testing.assert_allclose(mnlp(mean, variance, gp["ytest"]), gp["mnlp"][a, i], **CLOSE)
        expected = expected_reward_mnlp(game, i, reward.eta, gp["Xtest"], gp["ytest"])
        np.testing.assert_allclose(expected, gp["mnlp_expected"][a, i], **CLOSE)
        assert reward.reached == pytest.approx(gp["r"][a, i], rel=1e-12)


def test_the_order_of_contributions_only_permutes(gp: dict[str, np.ndarray], game: InformationGainGame) -> None:
    turned = InformationGain(game.model).game(game.contributions[::-1])
    r: FloatArray = gp["r"][1][::-1].copy()
    np.testing.assert_allclose(noise_variances(game.model, turned.contributions, r), gp["eta"][1][::-1], rtol=1e-9)
    assert isinstance(RhoShapley(1.0)(exact_shapley(turned.table()), turned), RewardTargets)
