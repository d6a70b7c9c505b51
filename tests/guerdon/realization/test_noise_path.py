"""Nested noise: N(0, eta) for each reward, and no more than the least noisy one for who holds several."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from guerdon.models import BayesianLinear, GaussianProcess, SparseGaussianProcess
from guerdon.models.protocols import Model
from guerdon.realization import NoiseInjection, NoisePath, others_noise
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain

ROWS = 40_000
ETAS = (1e-300, 1e-9, 0.25, 0.3, 0.5, 0.5000001, 1.0, 7.0, 1e6, 1e250)


def rows(seed: int = 0, m: int = ROWS, party: str = "east") -> Contribution:
    rng = np.random.default_rng(seed)
    return Contribution(party, rng.normal(size=(m, 2)), rng.normal(size=m), ("a", "b"))


@pytest.fixture(scope="module")
def drawn() -> dict[float, FloatArray]:
    path, own = NoisePath.of(np.random.default_rng(5)), rows()
    return {eta: path.draws(own, eta) for eta in ETAS}


def test_the_marginal_law_is_normal_with_variance_eta(drawn: dict[float, FloatArray]) -> None:
    for eta, noise in drawn.items():
        z = noise / np.sqrt(eta)
        assert abs(z.mean()) < 4 / np.sqrt(ROWS)
        assert z.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / ROWS))
        assert np.mean(np.abs(z) < 1.959964) == pytest.approx(0.95, abs=0.005)
        assert np.mean(z**4) == pytest.approx(3.0, abs=0.3)


def test_the_covariance_is_the_lesser_eta_and_steps_are_independent(drawn: dict[float, FloatArray]) -> None:
    for a, b in pairwise(ETAS):
        step = drawn[b] - drawn[a]
        if b < 1.001 * a:
            assert np.var(step) / (b - a) == pytest.approx(1.0, abs=0.05)
        correlation = np.corrcoef(drawn[a], step)[0, 1]
        assert abs(correlation) < 4.5 / np.sqrt(ROWS), (a, b)


def test_it_is_a_function_of_secret_row_and_eta_only() -> None:
    path, own = NoisePath.of(np.random.default_rng(5)), rows(m=50)
    shuffled = np.random.default_rng(1).permutation(50)
    other_way = Contribution("east", own.X[shuffled][:, ::-1], own.y[shuffled], ("b", "a"))  # type: ignore[index]
    assert np.array_equal(path.draws(other_way, 0.3), path.draws(own, 0.3)[shuffled])
    few = Contribution("east", own.X[7:9], own.y[7:9], ("a", "b"))  # type: ignore[index]
    assert np.array_equal(path.draws(few, 0.3), path.draws(own, 0.3)[7:9])
    assert not np.any(NoisePath.of(np.random.default_rng(6)).draws(own, 0.3) == path.draws(own, 0.3))
    assert not np.any(path.draws(replace(own, party="west"), 0.3) == path.draws(own, 0.3))
    assert np.all(path.draws(own, 0.0) == 0.0)
    with pytest.raises(ValueError, match="a noise variance from 0 to"):
        path.draws(own, np.inf)


def test_rows_that_are_equal_have_paths_of_their_own() -> None:
    """The value of a pool counts them as two measurements, so their noise is independent."""
    path, own = NoisePath.of(np.random.default_rng(5)), rows(m=3)
    twice = Contribution("east", np.tile(own.X, (2, 1)), np.tile(own.y, 2), own.feature_names)  # type: ignore[arg-type]
    noise = path.draws(twice, 1.0)
    assert len(set(noise.tolist())) == 6
    assert np.array_equal(noise[:3], path.draws(own, 1.0))


def test_another_standardization_keeps_the_path() -> None:
    """Two pools have two scales: in the data's units a row's noise of the same variance is the same."""
    path, own = NoisePath.of(np.random.default_rng(5)), rows(m=30)
    one = Scaling.of_pool([own])
    two = Scaling.of_pool([own, Contribution("west", own.X + 3.0, 5.0 * own.y, own.feature_names)])  # type: ignore[operator]
    at_one = path.draws(one.apply(own), 2.0 / one.target_scale**2) * one.target_scale
    at_two = path.draws(two.apply(own), 2.0 / two.target_scale**2) * two.target_scale
    assert one.target_scale != two.target_scale
    np.testing.assert_allclose(at_one, at_two, rtol=1e-6)
    np.testing.assert_allclose(at_one, path.draws(own, 2.0), rtol=1e-6)


MODELS = (
    GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.2),
    BayesianLinear(noise=0.2, features="Affine()"),
    SparseGaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.2, inducing=np.eye(2)),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("own_noise", [False, True])
def test_colluders_and_reruns_learn_no_more_than_the_least_noisy_reward(model: Model, own_noise: bool) -> None:
    """Five parties in three runs of other targets: the best average of all their noises is that of the least eta."""
    pool = [rows(k, 300, party) for k, party in enumerate(("ada", "bob", "cyn", "dan", "victim"))]
    if own_noise:
        pool = [replace(c, noise=np.linspace(0.1, 0.9, len(c))) for c in pool]
    noises, etas = [], []
    for share in (0.3, 0.6, 0.9):
        game = InformationGain(model).game(pool)
        alone = game(np.eye(5, dtype=bool))
        pooled = float(game(np.ones((1, 5), dtype=bool))[0])
        shares = share * np.linspace(0.5, 1.0, 5)
        rewards = NoiseInjection()(game, alone + shares * (pooled - alone), rng=np.random.default_rng(9))
        noises += [made.draws[-300:] for made in rewards[:4]]  # on the victim's rows, last in the pool
        etas += [made.eta for made in rewards[:4]]
    covariance = np.cov(noises)
    expected = np.minimum.outer(etas, etas)
    scale = np.sqrt(np.outer(etas, etas))
    assert np.abs(covariance - expected).max() / scale.max() < 0.35
    least = min(etas)
    weights = np.linalg.solve(expected + 1e-12 * np.eye(len(etas)) * least, np.ones(len(etas)))
    assert 1.0 / weights.sum() == pytest.approx(least, rel=1e-6)  # the best weights leave the least eta
    left = np.var(weights @ np.array(noises) / weights.sum())
    assert left == pytest.approx(least, rel=0.35)
    independent = 1.0 / np.sum(1.0 / np.array(etas))
    assert independent < 0.5 * left


def test_the_order_and_the_presence_of_other_parties_change_nothing() -> None:
    ada, bob, victim = (rows(k, 20, party) for k, party in enumerate(("ada", "bob", "victim")))
    path, model = NoisePath.of(np.random.default_rng(3)), MODELS[1]
    three = InformationGain(model).game([ada, bob, victim])
    turned = InformationGain(model).game([victim, bob, ada])
    two = InformationGain(model).game([ada, victim])
    of_victim = others_noise(three, 0, 0.7, path)[20:]
    assert np.array_equal(of_victim, others_noise(turned, 2, 0.7, path)[:20])
    assert np.array_equal(of_victim, others_noise(two, 0, 0.7, path))
    assert np.array_equal(of_victim, others_noise(three, 1, 0.7, path)[20:])
    assert not len(others_noise(three, 0, np.inf, path))
