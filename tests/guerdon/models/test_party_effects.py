"""Party effects against dense matrices: y_i = Phi_i (w + u_i) + e_i with w ~ N(0, I), u_i ~ N(0, tau2_i I)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from guerdon.models import BayesianLinear, GaussianProcess, PartyEffects, PartyNoise
from guerdon.models.statistics import as_rows, rotated_parts
from guerdon.models.sums_likelihood import SumsLikelihood
from guerdon.plugins import PluginError, build
from guerdon.realization import LikelihoodTempering, NoiseInjection, noise_variances, tempering_exponents
from guerdon.rewards import RhoShapley
from guerdon.row_marks import RowMarks
from guerdon.shapley import Auto, RowShapley
from guerdon.types import Contribution, FloatArray, Statistics
from guerdon.valuation import InformationGain, PredictiveInformation, noise_sensitivity, value_uncertainty

NOISE = {"ada": 0.3, "bob": 0.5, "cy": 0.4}
EFFECTS = {"ada": 0.0, "bob": 0.2, "cy": 0.05}
MODEL = BayesianLinear(noise=PartyNoise(NOISE), features="Affine()", effects=PartyEffects(EFFECTS))


def parties(rows: tuple[int, ...] = (30, 45, 3), d: int = 3, seed: int = 0) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    w = rng.normal(size=d + 1)
    found = []
    for name, m in zip(NOISE, rows, strict=True):
        X = rng.normal(size=(m, d))
        u = np.sqrt(EFFECTS[name]) * rng.normal(size=d + 1)
        y = _phi(X) @ (w + u) + np.sqrt(NOISE[name]) * rng.normal(size=m)
        found.append(Contribution(name, X, y))
    return found


def _phi(X: FloatArray) -> FloatArray:
    return np.column_stack([X, np.ones(len(X))])


def _covariance(
    contributions: list[Contribution], noise: dict[str, float], effects: dict[str, float]
) -> tuple[FloatArray, FloatArray]:
    """Of all outputs, given w (block diagonal) and as they are."""
    blocks = [noise[c.party] * np.eye(len(c)) + effects[c.party] * _phi(c.X) @ _phi(c.X).T for c in contributions]
    given = np.zeros((sum(map(len, contributions)),) * 2)
    start = 0
    for block in blocks:
        given[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    Phi = _phi(np.concatenate([c.X for c in contributions]))
    return given, given + Phi @ Phi.T


def _precision(c: Contribution, eta: float = 0.0) -> FloatArray:
    """What a party's rows tell of the shared weights, by the dense covariance of its outputs."""
    Phi = _phi(c.X)
    given = (NOISE[c.party] + eta) * np.eye(len(c)) + EFFECTS[c.party] * Phi @ Phi.T
    return np.asarray(Phi.T @ np.linalg.solve(given, Phi))


def test_the_likelihood_is_that_of_the_dense_covariance() -> None:
    pool = parties()
    likelihood = SumsLikelihood(rotated_parts(pool, MODEL._features(), "by-party", "by-party"))
    rng = np.random.default_rng(1)
    y = np.concatenate([np.asarray(c.y) for c in pool])
    for _ in range(4):
        theta = likelihood.within(np.concatenate([rng.normal(size=3), np.abs(rng.normal(size=3))]))
        noise, effects = (dict(zip(NOISE, v, strict=True)) for v in likelihood.variances(theta))
        exact = multivariate_normal.logpdf(y, np.zeros(len(y)), _covariance(pool, noise, effects)[1])
        assert likelihood.value(theta) == pytest.approx(-exact, rel=1e-11)


@pytest.mark.parametrize("noise", ["by-party", None, 0.3])
def test_the_gradient_is_that_of_finite_differences(noise: str | float | None) -> None:
    likelihood = SumsLikelihood(rotated_parts(parties(), MODEL._features(), noise, "by-party"))  # type: ignore[arg-type]
    theta = np.concatenate([np.full(likelihood.noises, -0.7), [0.0, 1.3, 0.4]])
    slope = likelihood.objective(theta)[1]
    step = 1e-6
    for k, e in enumerate(np.eye(len(theta))):
        difference = (likelihood.value(theta + step * e) - likelihood.value(theta - step * e)) / (2.0 * step)
        assert slope[k] == pytest.approx(difference, rel=1e-6, abs=1e-6)


def test_values_are_those_of_the_dense_covariance() -> None:
    pool = parties()
    game = InformationGain(MODEL).game(pool)
    for mask in range(1, 8):
        precision = sum((_precision(c) for i, c in enumerate(pool) if mask >> i & 1), np.eye(4))
        assert game.table()[mask] == pytest.approx(0.5 * np.linalg.slogdet(precision)[1], rel=1e-12)


def test_predictive_values_are_those_of_the_dense_covariance() -> None:
    pool, rng = parties(), np.random.default_rng(5)
    references = [rng.normal(size=(q, 3)) for q in (4, 2, 3)]
    game = PredictiveInformation(MODEL, references).game(pool)
    for mask in range(1, 8):
        precision = sum((_precision(c) for i, c in enumerate(pool) if mask >> i & 1), np.eye(4))
        worth = []
        for c, X in zip(pool, references, strict=True):
            R, s2 = _phi(X), NOISE[c.party]
            after = np.einsum("qi,ij,qj->q", R, np.linalg.inv(precision), R)
            worth.append(np.mean(0.5 * np.log((np.square(R).sum(axis=1) + s2) / (after + s2))))
        assert game.table()[mask] == pytest.approx(np.mean(worth), rel=1e-12)


def test_the_posterior_is_that_of_the_dense_covariance() -> None:
    pool, X = parties(), np.random.default_rng(2).normal(size=(5, 3))
    model, rows = as_rows(MODEL, pool)
    y = np.concatenate([np.asarray(c.y) for c in rows])
    posterior = model.posterior(np.concatenate([c.X for c in rows]), y, np.concatenate([c.noise for c in rows]))
    mean, variance = posterior.predict(X, noise=0.0)
    Phi, K = _phi(np.concatenate([c.X for c in pool])), _covariance(pool, NOISE, EFFECTS)[1]
    cross = _phi(X) @ Phi.T
    outputs = np.concatenate([np.asarray(c.y) for c in pool])
    assert np.allclose(mean, cross @ np.linalg.solve(K, outputs), rtol=1e-10)
    exact = np.square(_phi(X)).sum(axis=1) - np.einsum("qi,iq->q", cross, np.linalg.solve(K, cross.T))
    assert np.allclose(variance, exact, rtol=1e-10)


def test_without_effects_all_is_as_it_was() -> None:
    pool, rng = parties(), np.random.default_rng(3)
    none = replace(MODEL, effects=PartyEffects(dict.fromkeys(NOISE, 0.0)))
    plain = replace(MODEL, effects=None)
    references = [rng.normal(size=(4, 3))]
    for value in (InformationGain, lambda m: PredictiveInformation(m, references)):
        with_none, without = value(none).game(pool), value(plain).game(pool)  # type: ignore[operator]
        assert np.allclose(with_none.table(), without.table(), rtol=1e-12)
        targets = 0.5 * (without.table()[[1, 2, 4]] + without.table()[-1])
        etas = [noise_variances(game, game.contributions, targets) for game in (with_none, without)]
        assert np.allclose(*etas, rtol=1e-9)
        kappas = [tempering_exponents(game, game.contributions, targets) for game in (with_none, without)]
        assert np.allclose(*kappas, rtol=1e-9)


@pytest.mark.parametrize("tempered", [False, True])
def test_value_falls_as_noise_is_added_to_the_others(tempered: bool) -> None:
    pool = parties()
    references = [np.random.default_rng(4).normal(size=(6, 3))]
    for game in (InformationGain(MODEL).game(pool), PredictiveInformation(MODEL, references).game(pool)):
        own, rest = game.contributions[1], [game.contributions[k] for k in (0, 2)]
        others = Contribution(
            "(others)",
            np.concatenate([c.X for c in rest]),
            noise=np.concatenate([np.asarray(c.noise) for c in rest]),
        )
        respond = game.tempering_response if tempered else game.noise_response
        response = respond(own, others)
        gains = [response.gain(eta).value for eta in np.geomspace(1e-4, 1e4, 30)]
        assert all(a > b for a, b in pairwise(gains))


def test_a_rewards_value_is_that_of_the_dense_covariance_with_its_noise() -> None:
    pool = parties()
    game = InformationGain(MODEL).game(pool)
    phi = Auto()(game, rng=np.random.default_rng(0))
    targets = RhoShapley(rho="stable")(phi, game)
    for i, made in enumerate(NoiseInjection()(game, targets, rng=np.random.default_rng(1))):
        if np.isfinite(made.eta):
            precision = sum((_precision(c, 0.0 if k == i else made.eta) for k, c in enumerate(pool)), np.eye(4))
            assert 0.5 * np.linalg.slogdet(precision)[1] == pytest.approx(targets.values[i], rel=1e-9)
        assert made.posterior.predict(pool[0].X)[0].shape == (30,)
    LikelihoodTempering()(game, targets, rng=np.random.default_rng(1))


def test_noise_drawn_for_the_rotated_rows_is_noise_on_the_outputs() -> None:
    pool = parties()
    _, rows = as_rows(MODEL, pool)
    for c, r in zip(pool, rows, strict=True):
        G = _phi(c.X).T @ _phi(c.X)  # Phi' e ~ N(0, eta G) and F' e_z the same
        assert np.allclose(r.X.T @ r.X, G, atol=1e-10)
        assert np.allclose(r.X.T @ np.asarray(r.y), _phi(c.X).T @ np.asarray(c.y), atol=1e-10)


def test_more_of_the_same_rows_never_tell_more_than_the_effect_allows() -> None:
    (c, *_) = parties()
    model = replace(MODEL, effects=PartyEffects({"ada": 0.1}))
    for times in (1, 100, 10_000):
        copies = Contribution("ada", np.tile(c.X, (times, 1)))
        value = InformationGain(model).game([copies]).table()[1]
        assert value <= 0.5 * 4 * np.log1p(1.0 / 0.1)
    assert value == pytest.approx(0.5 * 4 * np.log1p(1.0 / 0.1), rel=1e-3)


def test_declared_noise_of_single_rows_is_taken_with_the_effect() -> None:
    (c, *_) = parties()
    declared = np.linspace(0.5, 2.0, len(c))
    one = replace(c, noise=declared)
    model = replace(MODEL, noise=PartyNoise({"ada": 0.1}), effects=PartyEffects({"ada": 0.2}))
    Phi = _phi(c.X)
    precision = np.eye(4) + Phi.T @ np.linalg.solve(np.diag(declared) + 0.2 * Phi @ Phi.T, Phi)
    value = InformationGain(model).game([one]).table()[1]
    assert value == pytest.approx(0.5 * np.linalg.slogdet(precision)[1], rel=1e-12)


def test_who_says_something_else_counts_for_less_and_the_honest_do_not() -> None:
    rng = np.random.default_rng(8)
    w = rng.normal(size=4)
    pool = [
        Contribution(name, X, _phi(X) @ w + 0.5 * rng.normal(size=60))
        for name in NOISE
        for X in [rng.normal(size=(60, 3))]
    ]
    wide = 5.0 * rng.normal(size=(60, 3))
    liar = Contribution("ada", wide, rng.permutation(np.asarray(pool[0].y)))
    model = BayesianLinear(noise="by-party", features="Affine()", effects="by-party")
    honest, lied = model.fit(pool), model.fit([liar, *pool[1:]])
    assert isinstance(honest.effects, PartyEffects)
    assert isinstance(lied.effects, PartyEffects)
    assert max(honest.effects.variances.values()) < 0.05
    assert lied.effects.of("ada") > 0.2 > 0.02 > max(lied.effects.of("bob"), lied.effects.of("cy"))
    assert honest.report is not None
    assert honest.report.gradient < 1e-3


def test_from_sums_it_is_as_from_rows() -> None:
    pool = parties((30, 45, 25))
    sums = [Statistics.of(c.party, _phi(c.X), np.asarray(c.y)) for c in pool]
    for noise in ("by-party", None, 0.4):
        model = BayesianLinear(noise=noise, features="Affine()", effects="by-party")  # type: ignore[arg-type]
        rows, of_sums = model.fit(pool), model.fit(sums)
        assert np.allclose(
            list(rows.effects.variances.values()),  # type: ignore[union-attr]
            list(of_sums.effects.variances.values()),  # type: ignore[union-attr]
            rtol=1e-4,
            atol=1e-6,
        )
        assert np.allclose(
            InformationGain(rows).game(sums).table(), InformationGain(rows).game(pool).table(), rtol=1e-9
        )
    by_party = BayesianLinear(noise="by-party", features="Affine()")
    found = by_party.fit(sums).noise.variances  # type: ignore[union-attr]
    assert np.allclose(list(found.values()), list(by_party.fit(pool).noise.variances.values()), rtol=1e-4)  # type: ignore[union-attr]


def test_of_fewer_than_three_parties_none_differs() -> None:
    pool = parties()
    model = BayesianLinear(noise="by-party", features="Affine()", effects="by-party")
    assert model.fit(pool[:2]).effects == PartyEffects({"ada": 0.0, "bob": 0.0})
    fitted = model.fit(pool[:1])
    assert fitted.effects == PartyEffects({"ada": 0.0})
    alone = BayesianLinear(features="Affine()").fit(pool[:1])
    assert fitted.noise.of(pool[0])[0] == pytest.approx(alone.noise, rel=1e-4)  # type: ignore[union-attr]


def test_weights_that_hide_rows_act_on_what_others_get() -> None:
    pool = [replace(c, marks=RowMarks.of(c).weighted(b"k" * 32, 2.0)) for c in parties((40, 45, 25))]
    game = InformationGain(MODEL).game(pool)
    marks = game.contributions[1].marks
    assert marks is not None
    assert marks.others is not None
    weights = pool[1].marks.weights  # type: ignore[union-attr]
    Phi = _phi(pool[1].X)
    assert np.allclose(marks.others.X.T @ marks.others.X, Phi.T @ (weights[:, None] * Phi))
    assert np.allclose(game.contributions[1].X.T @ game.contributions[1].X, Phi.T @ Phi)
    phi = Auto()(game, rng=np.random.default_rng(0))
    made = NoiseInjection()(game, RhoShapley(rho="stable")(phi, game), rng=np.random.default_rng(1))
    again = NoiseInjection()(game, RhoShapley(rho="stable")(phi, game), rng=np.random.default_rng(1))
    assert all(np.array_equal(a.draws, b.draws) for a, b in zip(made, again, strict=True))


def test_how_well_values_are_known() -> None:
    pool = parties((30, 45, 25))
    model = BayesianLinear(noise="by-party", features="Affine()", effects="by-party")
    fitted = model.fit(pool)
    found = value_uncertainty(model, pool, fitted=fitted)
    assert found.models > 1
    game = InformationGain(fitted).game(pool)
    assert found.pool[0] <= game.table()[-1] * (1 + 1e-9)
    assert found.pool[1] >= game.table()[-1] * (1 - 1e-9)
    sensitivity = noise_sensitivity(fitted, pool)
    assert sensitivity.rows == 100
    assert sensitivity.value == pytest.approx(game.table()[-1])


def test_what_it_is_not_for_is_said() -> None:
    pool = parties()
    with pytest.raises(ValueError, match="call fit"):
        InformationGain(BayesianLinear(noise=0.1, effects="by-party")).game(pool)
    with pytest.raises(ValueError, match="in a game"):
        MODEL.information_gains(pool)
    with pytest.raises(ValueError, match="single rows have no value"):
        RowShapley(orders=4)(InformationGain(MODEL).game(pool), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 0"):
        BayesianLinear(effects=PartyEffects({"ada": -1.0}))
    with pytest.raises(ValueError, match="outputs y are needed"):
        BayesianLinear(effects="by-party").fit([replace(c, y=None) for c in pool])
    with pytest.raises(PluginError, match="effects"):
        build("GaussianProcess(effects='by-party')", {"GaussianProcess": GaussianProcess})
