"""Predictions of a reward at every noise level are those of the model trained on the reward's data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.metrics import mnlp
from guerdon.models import GaussianProcess
from guerdon.realization import expected_reward_mnlp, reward_data
from guerdon.types import Contribution
from guerdon.valuation import InformationGain
from simulations.papers.sim2020.sweep import RewardSweep


@pytest.fixture
def parties() -> list[Contribution]:
    rng = np.random.default_rng(3)
    return [Contribution(str(k), rng.normal(size=(m, 2)), rng.normal(size=m)) for k, m in enumerate((7, 5, 9))]


MODEL = GaussianProcess("rbf(lengthscale=0.9, outputscale=1.3)", noise=0.2, mean=0.4)


@pytest.mark.parametrize("party", [0, 1, 2])
@pytest.mark.parametrize("eta", [0.0, 1e-3, 0.7, 50.0])
def test_it_is_the_posterior_on_the_rewards_data(parties: list[Contribution], party: int, eta: float) -> None:
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    sweep = RewardSweep.of_party(MODEL, parties, party, X, y)
    game = InformationGain(MODEL).game(parties)
    draws = rng.standard_normal((3, 21 - len(parties[party])))
    for draw, value in zip(draws, sweep.drawn_mnlps(eta, draws), strict=True):
        data = reward_data(game, party, eta, np.sqrt(eta) * draw)
        mean, variance = MODEL.posterior(data.X, np.asarray(data.y), data.noise).predict(X)
        assert value == pytest.approx(mnlp(mean, variance, y), rel=1e-10)
        np.testing.assert_allclose(sweep.predict(eta)[1], variance, rtol=1e-10)
    assert sweep.expected_mnlp(eta) == pytest.approx(expected_reward_mnlp(game, party, eta, X, y), rel=1e-10)


def test_without_end_to_the_noise_it_is_the_partys_own_model(parties: list[Contribution]) -> None:
    X, y = np.zeros((1, 2)), np.ones(1)
    sweep = RewardSweep.of_party(MODEL, parties, 1, X, y)
    alone = MODEL.posterior(parties[1].X, np.asarray(parties[1].y)).predict(X)
    assert sweep.expected_mnlp(np.inf) == pytest.approx(mnlp(*alone, y), rel=1e-12)
    np.testing.assert_allclose(sweep.drawn_mnlps(np.inf, np.ones((2, 16))), mnlp(*alone, y), rtol=1e-12)


def test_noise_of_a_partys_own_and_an_open_model_are_refused(parties: list[Contribution]) -> None:
    X, y = np.zeros((1, 2)), np.ones(1)
    with pytest.raises(ValueError, match="no party's own"):
        RewardSweep.of_party(MODEL, [replace(parties[0], noise=0.3), *parties[1:]], 0, X, y)
    with pytest.raises(ValueError, match="a fitted model"):
        RewardSweep.of_party(GaussianProcess("rbf"), parties, 0, X, y)
