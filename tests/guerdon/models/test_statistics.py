"""Sums in the place of rows: reference numbers, the same values and rewards as from rows, and less from noisy ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guerdon.models import BayesianLinear, FourierFeatures, GaussianProcess
from guerdon.models.features import Affine, Features, design_matrix
from guerdon.realization import LikelihoodTempering, NoiseInjection, noise_variances, tempering_exponents
from guerdon.rewards import RhoShapley
from guerdon.shapley import Auto, exact_shapley
from guerdon.types import Contribution, FloatArray, Statistics
from guerdon.valuation import InformationGain

with np.load(Path(__file__).parents[2] / "data/statistics_blr_n4.npz", allow_pickle=False) as file:
    STORED = {name: file[name] for name in file.files}
CLOSE = {"rtol": 1e-8, "atol": 1e-8}


def private() -> list[Statistics]:
    return [
        Statistics(str(i), G, b, np.nan, 50, gram_noise=float(STORED["sg"]), moment_noise=float(STORED["sb"]))
        for i, (G, b) in enumerate(zip(STORED["G_noisy"], STORED["b_noisy"], strict=True))
    ]


def exact() -> list[Statistics]:
    rows = [STORED["party"] == i for i in range(4)]
    return [Statistics.of(str(i), STORED["Phi"][own], STORED["y"][own]) for i, own in enumerate(rows)]


def parties(features: Features | None, sizes: tuple[int, ...] = (30, 41, 7), seed: int = 3) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    w = rng.normal(size=2)
    return [
        Contribution(f"p{k}", X := rng.normal(size=(m, 2)), X @ w + 0.4 * rng.normal(size=m) + 0.3)
        for k, m in enumerate(sizes)
    ]


def sums_of(contributions: list[Contribution], features: Features | None) -> list[Statistics]:
    return [Statistics.of(c.party, design_matrix(features, c.X), np.asarray(c.y)) for c in contributions]


class TestReferenceNumbers:
    def test_the_sums_are_those_of_the_rows(self) -> None:
        for i, sums in enumerate(exact()):
            np.testing.assert_allclose(sums.gram, STORED["G"][i], **CLOSE)
            np.testing.assert_allclose(sums.moment, STORED["b"][i], **CLOSE)
            assert sums.square == pytest.approx(STORED["c"][i], rel=1e-12)

    def test_noise_by_maximum_likelihood(self) -> None:
        model = BayesianLinear().fit(exact())
        assert model.noise == pytest.approx(float(STORED["s2_mle"]), rel=1e-8)
        assert model.report is not None
        assert model.report.log_likelihood == pytest.approx(-float(STORED["nll_at_mle"]), rel=1e-12)
        assert not model.report.noise_at_bound

    def test_values(self) -> None:
        game = InformationGain(BayesianLinear(float(STORED["s2_mle"]))).game(exact())
        np.testing.assert_allclose(game.table(), STORED["v"], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(exact_shapley(game.table()), STORED["phi"], rtol=1e-12, atol=1e-12)

    def test_of_noisy_sums(self) -> None:
        s2 = float(STORED["s2_mle"])
        for i, sums in enumerate(private()):
            A, h = sums.effective(noise=s2, weight_square=float(STORED["w2"]))
            np.testing.assert_allclose(A, STORED["A"][i], **CLOSE)
            np.testing.assert_allclose(h, STORED["h"][i], **CLOSE)
        game = InformationGain(BayesianLinear(s2)).game(private())
        np.testing.assert_allclose(game.table(), STORED["v_private"], **CLOSE)
        np.testing.assert_allclose(exact_shapley(game.table()), STORED["phi_private"], **CLOSE)
        everything = NoiseInjection()(game, np.full(4, game.table()[-1]), rng=np.random.default_rng(0))[0].posterior
        np.testing.assert_allclose(everything.weights, STORED["mean_private"], **CLOSE)
        np.testing.assert_allclose(everything.root @ everything.root.T, STORED["cov_private"], **CLOSE)


@pytest.mark.parametrize("features", [None, Affine(), FourierFeatures(count=8, lengthscale=1.5)], ids=repr)
class TestAsFromRows:
    def test_noise_values_and_targets(self, features: Features | None) -> None:
        rows = parties(features)
        sums = sums_of(rows, features)
        of_rows, of_sums = BayesianLinear(features=features).fit(rows), BayesianLinear(features=features).fit(sums)
        assert of_sums.noise == pytest.approx(of_rows.noise, rel=1e-9)
        assert of_sums.report is not None
        assert of_rows.report is not None
        assert of_sums.report.log_likelihood == pytest.approx(of_rows.report.log_likelihood, rel=1e-9)
        game, like = InformationGain(of_rows).game(rows), InformationGain(of_rows).game(sums)
        np.testing.assert_allclose(like.table(), game.table(), rtol=1e-10, atol=1e-10)
        targets = RhoShapley(rho="stable")(Auto()(game, rng=np.random.default_rng(0)), game)
        for solve in (noise_variances, tempering_exponents):
            np.testing.assert_allclose(solve(of_rows, sums, targets), solve(of_rows, rows, targets), rtol=1e-8)

    def test_tempered_rewards_are_the_same(self, features: Features | None) -> None:
        rows = parties(features)
        model = BayesianLinear(0.2, features)
        X = np.random.default_rng(8).normal(size=(5, 2))
        game, like = InformationGain(model).game(rows), InformationGain(model).game(sums_of(rows, features))
        targets = RhoShapley(rho="stable")(Auto()(game, rng=np.random.default_rng(0)), game)
        for of_rows, of_sums in zip(
            LikelihoodTempering()(game, targets, rng=np.random.default_rng(0)),
            LikelihoodTempering()(like, targets, rng=np.random.default_rng(0)),
            strict=True,
        ):
            assert of_sums.reached == pytest.approx(of_rows.reached, rel=1e-10)
            np.testing.assert_allclose(of_sums.posterior.predict(X), of_rows.posterior.predict(X), rtol=1e-9)
            back = type(of_sums.posterior).from_arrays(of_sums.posterior.arrays())
            np.testing.assert_array_equal(back.predict(X), of_sums.posterior.predict(X))

    def test_noise_on_sums_is_noise_on_outputs(self, features: Features | None) -> None:
        """The others' noisy outputs have the moment b + N(0, eta G): its covariance over many secrets."""
        rows = parties(features)
        sums = sums_of(rows, features)
        game = InformationGain(BayesianLinear(0.2, features)).game(sums)
        targets = RhoShapley(rho=0.6)(Auto()(game, rng=np.random.default_rng(0)), game)
        i = int(np.argmin(targets.values))
        moments = []
        for secret in range(300):
            reward = NoiseInjection()(game, targets, rng=np.random.default_rng(secret))[i]
            precision = np.linalg.inv(reward.posterior.root @ reward.posterior.root.T)
            moments.append(precision @ reward.posterior.weights)
        others = np.sum([s.gram for k, s in enumerate(sums) if k != i], axis=0)
        wanted = others * reward.eta / (0.2 + reward.eta) ** 2
        found = np.cov(np.array(moments).T)
        scale = np.sqrt(np.outer(np.diagonal(wanted), np.diagonal(wanted)))
        assert np.abs((found - wanted) / scale).max() < 5.0 * np.sqrt(2.0 / 300)


class TestPrivacy:
    @staticmethod
    def noisy(sums: Statistics, sd: float, seed: int) -> Statistics:
        rng = np.random.default_rng(seed)
        M = len(sums.moment)
        E = rng.normal(size=(M, M)) * sd
        return Statistics(
            sums.party,
            sums.gram + (E + E.T) / 2.0,
            sums.moment + sd * rng.normal(size=M),
            np.nan,
            sums.rows,
            gram_noise=sd,
            moment_noise=sd,
        )

    def test_more_noise_is_worth_less_on_average(self) -> None:
        """The same data, ever more noise: a value never rises by more than its draws explain."""
        sums = sums_of(parties(None, (300, 200)), None)
        means = []
        for sd in (0.0, 1.0, 4.0, 16.0, 64.0):
            values = []
            for seed in range(60):
                parts = sums if sd == 0.0 else [self.noisy(s, sd, seed) for s in sums]
                values.append(InformationGain(BayesianLinear(0.2)).game(parts).table()[-1])
            means.append(np.mean(values))
        assert np.all(np.diff(means) < 0.0), means

    @pytest.mark.parametrize("sd", [0.1, 1.0, 10.0, 100.0])
    def test_declaring_more_noise_for_the_same_sums_lowers_every_value(self, sd: float) -> None:
        parts = [
            Statistics(s.party, s.gram, s.moment, s.square, s.rows, gram_noise=k * sd, moment_noise=k * sd)
            for k in (1.0, 2.0)
            for s in sums_of(parties(None), None)
        ]
        less, more = (InformationGain(BayesianLinear(0.2)).game(p).table() for p in (parts[:3], parts[3:]))
        assert np.all(more <= less)

    def test_the_noise_variance_is_found_in_spite_of_the_privacy(self) -> None:
        rng = np.random.default_rng(0)
        found = []
        for seed in range(20):
            w, rows = rng.normal(size=6), []
            for k in range(3):
                X = rng.normal(size=(4000, 6))
                rows.append(Contribution(f"p{k}", X, X @ w + np.sqrt(0.5) * rng.normal(size=4000)))
            found.append(BayesianLinear().fit([self.noisy(s, 5.0, seed) for s in sums_of(rows, None)]).noise)
        assert 0.1 < np.exp(np.mean(np.log(np.array(found, dtype=float)))) < 2.0


class TestRefusals:
    G, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"gram": np.array([[2.0, 1.0], [0.5, 3.0]])}, "not symmetric"),
            ({"gram": np.array([[1.0, 2.0], [2.0, 1.0]])}, "not positive semidefinite"),
            ({"gram": np.array([[1.0, 30.0], [30.0, 1.0]]), "gram_noise": 1.0}, "not positive semidefinite"),
            ({"gram": np.ones((2, 3))}, "gram"),
            ({"moment": np.ones(3)}, "shapes"),
            ({"gram": np.array([[np.nan, 0.0], [0.0, 1.0]])}, "finite"),
            ({"rows": 1}, "2 directions, more than its 1 rows span"),
            ({"rows": -1}, "at least 0"),
            ({"rows": 2.5}, "whole number"),
            ({"square": 0.1}, "do not belong together"),
            ({"gram_noise": -1.0}, "standard deviation"),
            ({"moment_noise": np.nan}, "standard deviation"),
        ],
    )
    def test_sums_that_are_none(self, changes: dict[str, object], match: str) -> None:
        given: dict[str, object] = {"gram": self.G, "moment": self.b, "square": 9.0, "rows": 5}
        with pytest.raises(ValueError, match=match):
            Statistics("ada", **(given | changes))  # type: ignore[arg-type]

    def test_noise_explains_an_indefinite_gram(self) -> None:
        Statistics("ada", np.array([[1.0, 2.0], [2.0, 1.0]]), self.b, np.nan, 5, gram_noise=1.0)

    def test_rows_and_sums_together(self) -> None:
        mixed = [Statistics("ada", self.G, self.b, 9.0, 5), Contribution("bob", np.ones((3, 2)), np.ones(3))]
        with pytest.raises(ValueError, match=r"ada brought statistics and bob rows"):
            InformationGain(BayesianLinear(1.0)).game(mixed)  # type: ignore[arg-type]

    def test_a_model_that_needs_rows(self) -> None:
        with pytest.raises(ValueError, match="GaussianProcess can't be had from statistics"):
            InformationGain(GaussianProcess("rbf", 1.0)).game([Statistics("ada", self.G, self.b, 9.0, 5)])

    def test_an_open_noise(self) -> None:
        with pytest.raises(ValueError, match="open"):
            InformationGain(BayesianLinear()).game([Statistics("ada", self.G, self.b, 9.0, 5)])

    def test_other_features(self) -> None:
        one = Statistics("bob", np.eye(3), np.zeros(3), 1.0, 5)
        with pytest.raises(ValueError, match="the same features"):
            BayesianLinear().fit([Statistics("ada", self.G, self.b, 9.0, 5), one])


def test_no_rows_say_nothing() -> None:
    nobody = Statistics("none", np.zeros((2, 2)), np.zeros(2), 0.0, 0)
    somebody = Statistics("ada", TestRefusals.G, TestRefusals.b, 9.0, 5)
    game = InformationGain(BayesianLinear(1.0)).game([nobody, somebody])
    assert game.table()[1] == 0.0
    assert game.table()[2] == game.table()[3]


def test_columns_of_very_different_size_keep_their_digits() -> None:
    rng = np.random.default_rng(2)
    scales = np.array([1e6, 1.0, 1e-5])
    X = rng.normal(size=(80, 3)) * scales
    rows = [Contribution("ada", X, rng.normal(size=80))]
    model = BayesianLinear(0.3)
    value: FloatArray = InformationGain(model).game(sums_of(rows, None)).table()
    np.testing.assert_allclose(value, InformationGain(model).game(rows).table(), rtol=1e-10)
