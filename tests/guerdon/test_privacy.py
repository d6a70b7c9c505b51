"""The analytic Gaussian mechanism: its noise against integrals and draws, and what releases come to together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from guerdon.models import Affine, BayesianLinear
from guerdon.models.statistics import rows_in_units
from guerdon.models.sums import sums_of
from guerdon.privacy import Bounds, delta_of, epsilon_of, noise_multiplier, noisy_sums, together
from guerdon.scaling import Scaling
from guerdon.types import Statistics
from guerdon.valuation import InformationGain

DELTA = 1e-5
UNITS = Scaling.identity(3)


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, size=(count, 3))
    return X, np.clip(X @ [0.4, -0.2, 0.1] + 0.1 * rng.normal(size=count), -1.0, 1.0)


def released(sums: Statistics, bounds: Bounds, epsilon: float, seed: int) -> Statistics:
    return noisy_sums(sums, bounds, noise_multiplier(epsilon, DELTA), np.random.default_rng(seed).standard_normal)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("mu", [0.3, 1.0, 2.0])
def test_delta_is_the_mass_by_which_one_density_exceeds_exp_epsilon_times_the_other(epsilon: float, mu: float) -> None:
    def excess(x: float) -> float:
        return max(0.0, norm.pdf(x, mu) - math.exp(epsilon) * norm.pdf(x))

    found, _ = quad(excess, epsilon / mu + mu / 2, 40.0, epsabs=1e-13)
    assert delta_of(epsilon, mu) == pytest.approx(found, rel=1e-6, abs=1e-12)


@given(st.floats(0.05, 50.0), st.sampled_from([1e-3, 1e-5, 1e-8]))
def test_the_noise_is_the_least_that_keeps_the_promise(epsilon: float, delta: float) -> None:
    sigma = noise_multiplier(epsilon, delta)
    assert delta_of(epsilon, 1.0 / sigma) <= delta * (1 + 1e-9)
    assert delta_of(epsilon, 1.0 / (0.999 * sigma)) > delta
    assert epsilon_of(1.0 / sigma, delta) == pytest.approx(epsilon, rel=1e-6)


def test_it_is_less_than_the_classical_bound_and_known_where_that_is_published() -> None:
    assert noise_multiplier(0.5, DELTA) < math.sqrt(2.0 * math.log(1.25 / DELTA)) / 0.5
    assert noise_multiplier(1.0, DELTA) == pytest.approx(3.730632, rel=1e-6)  # Balle and Wang's own code


def test_releases_add_up_as_one_of_more_influence() -> None:
    sigma = noise_multiplier(1.0, DELTA)
    assert together([sigma]) == pytest.approx(1.0 / sigma)
    four = epsilon_of(together([sigma] * 4), DELTA)
    assert epsilon_of(2.0 / sigma, DELTA) == four
    assert 1.0 < four < 4.0  # less than the sum of the epsilons
    rho = together([sigma] * 4) ** 2 / 2.0
    assert four <= rho + 2.0 * math.sqrt(rho * math.log(1.0 / DELTA))  # Bun and Steinke's conversion, which is looser


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, DELTA), (-1.0, DELTA), (1e3, DELTA), (1.0, 0.0), (1.0, 1.0)])
def test_a_promise_of_nothing_is_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon is a number above 0|delta is a probability"):
        noise_multiplier(epsilon, delta)


@given(st.integers(0, 10_000), st.floats(0.2, 5.0), st.floats(0.2, 5.0))
def test_one_row_moves_the_sums_by_no_more_than_the_noise_is_made_for(seed: int, norm_: float, output: float) -> None:
    bounds = Bounds(norm_, output)
    rng = np.random.default_rng(seed)
    X, y = 5.0 * rng.normal(size=(6, 3)), 5.0 * rng.normal(size=6)
    whole, _ = sums_of("p", X, y, Affine(), UNITS, bounds)
    without, _ = sums_of("p", X[1:], y[1:], Affine(), UNITS, bounds)
    moment = bounds.norm / bounds.output * (whole.moment - without.moment)
    moved = math.hypot(float(np.linalg.norm(whole.gram - without.gram)), float(np.linalg.norm(moment)))
    assert moved <= math.sqrt(2.0) * bounds.norm**2 * (1 + 1e-9)


def test_a_row_that_is_too_long_is_scaled_down_as_a_whole() -> None:
    X, y = np.array([[30.0, 0.0, 40.0], [0.1, 0.0, 0.0]]), np.array([5.0, 0.5])
    sums, clipped = sums_of("p", X, y, Affine(), UNITS, Bounds(2.0, 1.0))
    length = math.sqrt(50.0**2 + 1.0)
    row = 2.0 / length * np.array([30.0, 0.0, 40.0, 1.0])
    assert clipped == 1
    np.testing.assert_allclose(sums.gram, np.outer(row, row) + np.outer([0.1, 0, 0, 1], [0.1, 0, 0, 1]), rtol=1e-12)
    np.testing.assert_allclose(sums.moment, row * 2.0 / length * 5.0 + 0.5 * np.array([0.1, 0, 0, 1]), rtol=1e-12)


def test_what_leaves_has_the_noise_that_it_says_and_neither_the_count_nor_y_squared() -> None:
    X, y = rows(300)
    bounds = Bounds(2.0, 1.0)
    exact, _ = sums_of("p", X, y, Affine(), UNITS, bounds)
    draws = [released(exact, bounds, 1.0, seed) for seed in range(2000)]
    sigma = noise_multiplier(1.0, DELTA) * math.sqrt(2.0) * 4.0
    errors = np.array([d.gram - exact.gram for d in draws])
    assert draws[0].gram_noise == pytest.approx(sigma)
    assert errors[:, 1, 1].std() == pytest.approx(sigma, rel=0.05)
    assert errors[:, 0, 2].std() == pytest.approx(sigma / math.sqrt(2.0), rel=0.05)
    moments = np.array([d.moment - exact.moment for d in draws])
    assert moments.std() == pytest.approx(draws[0].moment_noise, rel=0.05)
    assert draws[0].moment_noise == pytest.approx(sigma / 2.0)
    assert all(math.isnan(d.square) for d in draws)
    assert {d.rows == round(d.gram[-1, -1]) for d in draws} == {True}
    assert len({d.rows for d in draws}) > 20


@given(st.integers(0, 1000))
def test_more_privacy_never_raises_a_value(seed: int) -> None:
    """The same draw of noise, larger and larger: what every coalition is worth falls."""
    bounds = Bounds(2.0, 1.0)
    exact = [sums_of(str(k), *rows(150 * (k + 1), seed + k), Affine(), UNITS, bounds)[0] for k in range(3)]
    model = BayesianLinear(0.02, Affine())
    before = InformationGain(model).game(exact).table()
    for epsilon in (30.0, 10.0, 3.0, 1.0, 0.3):
        noisy = [released(sums, bounds, epsilon, seed + 17 * k) for k, sums in enumerate(exact)]
        like = [rows_in_units(sums, 0.02) for sums in noisy]
        table = InformationGain(model.on_computed()).game(like).table()
        assert np.all(table <= before + 0.05 * np.maximum(before, 1.0))
        assert table[-1] <= before[-1]
        before = table


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0, 10.0])
def test_the_posterior_of_noisy_sums_is_calibrated(epsilon: float) -> None:
    """z^2 of the weights under their posterior, for weights from the prior: about 1, and never overconfident."""
    bounds = Bounds(2.0, 8.0)
    found = []
    for seed in range(60):
        rng = np.random.default_rng([5, seed])
        w = rng.normal(size=4)
        X = rng.uniform(-1.0, 1.0, size=(600, 3))
        y = Affine()(X) @ w + 0.3 * rng.normal(size=600)
        exact, _ = sums_of("p", X, y, Affine(), UNITS, bounds)
        like = rows_in_units(released(exact, bounds, epsilon, seed), 0.09)
        white = like.X / np.asarray(like.noise)[:, None]
        A, h = like.X.T @ white + np.eye(4), white.T @ np.asarray(like.y)
        error = w - np.linalg.solve(A, h)
        found.append(float(error @ A @ error) / 4)
    assert 0.3 < np.mean(found) < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_who_sees_20_000_releases_can_tell_a_row_no_better_than_promised(epsilon: float) -> None:
    """The best test between two neighbours, the likelihood ratio, at every threshold: within epsilon and delta."""
    bounds, delta, draws = Bounds(2.0, 1.0), 1e-3, 10_000
    X, y = rows(40)
    X[0], y[0] = [1.0, 1.0, 1.0], 1.0  # as long as the bounds allow
    sigma = noise_multiplier(epsilon, delta)
    worlds = [sums_of("p", X[k:], y[k:], Affine(), UNITS, bounds)[0] for k in (0, 1)]

    def seen(sums: Statistics) -> np.ndarray:
        weights = np.where(np.eye(4, dtype=bool), 1.0, math.sqrt(2.0))[np.triu_indices(4)]
        return np.concatenate([sums.gram[np.triu_indices(4)] * weights, sums.moment * bounds.norm / bounds.output])

    towards = seen(worlds[0]) - seen(worlds[1])
    rng = np.random.default_rng(1)

    def score(sums: Statistics) -> float:
        return float(seen(noisy_sums(sums, bounds, sigma, rng.standard_normal)) @ towards)

    scores = [np.array([score(sums) for _ in range(draws)]) for sums in worlds]
    thresholds = np.quantile(np.concatenate(scores), np.linspace(0.01, 0.99, 99))
    rates = np.array([[np.mean(s > t) for t in thresholds] for s in scores])
    error = 4.0 * np.sqrt(0.25 / draws)
    for one, other in ((rates[0], rates[1]), (1 - rates[1], 1 - rates[0])):
        assert np.all(one <= math.exp(epsilon) * other + delta + error * (1 + math.exp(epsilon)))
    assert np.max(rates[0] - rates[1]) > 0.25 * math.tanh(epsilon / 2)  # the test can tell what may be told


def test_rows_can_be_summed_in_any_units_once_they_are_clipped() -> None:
    """That they could not would tell of them, and no noise would hide it."""
    X, y = np.array([[1.0, 2.0], [3.0, 1e300]]), np.array([1.0, -1e300])
    small = Scaling(np.zeros(2), np.full(2, 1e-12), 0.0, 1e-12)
    sums, clipped = sums_of("east", X, y, Affine(), small, Bounds(1.0, 2.0))
    assert clipped == 2
    assert np.isfinite(sums.gram).all()
    assert np.trace(sums.gram) <= 2.0 + 1e-9


@pytest.mark.parametrize("bounds", [Bounds(1e-200, 1.0), Bounds(1.0, 1e-200), Bounds(1e200, 1.0)])
def test_noise_that_rounding_would_lose_is_refused(bounds: Bounds) -> None:
    exact = Statistics.of("east", np.ones((30, 1)), np.zeros(30))
    with pytest.raises(ValueError, match="no room for the noise"):
        noisy_sums(exact, bounds, 3.73, lambda count: np.zeros(count))
