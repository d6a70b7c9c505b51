"""Gaussian mixtures: given ones are drawn from exactly, fitted ones are found by BIC, and misfits are named."""

import numpy as np
import pytest

from guerdon.generators import GaussianMixture, GeneratorFitError
from guerdon.types import Contribution

MEANS = ((0.0, 0.0), (4.0, 0.0), (0.0, 4.0))


def clusters(rng, per_cluster=100, unit=1.0):
    X = np.concatenate([rng.normal(mean, 0.5, size=(per_cluster, 2)) for mean in MEANS])
    y = np.repeat([0.0, 1.0, 2.0], per_cluster)
    order = rng.permutation(len(X))
    X, y = unit * X[order], y[order]
    return [Contribution("A", X[:120], y[:120]), Contribution("B", X[120:], y[120:])]


class TestGiven:
    def test_moments(self):
        covariance = np.array([[0.5, 0.2], [0.2, 0.3]])
        mixture = GaussianMixture(means=[[1.0, -1.0]], covariances=covariance)
        points = mixture.fit([], rng=np.random.default_rng(0)).sample(200_000, rng=np.random.default_rng(1)).points
        np.testing.assert_allclose(points.mean(axis=0), [1.0, -1.0], atol=0.01)
        np.testing.assert_allclose(np.cov(points, rowvar=False), covariance, atol=0.01)

    def test_weights(self):
        mixture = GaussianMixture(means=((0.0,), (100.0,)), covariances=1.0, weights=(0.2, 0.8))
        points = mixture.fit([], rng=np.random.default_rng(0)).sample(10_000, rng=np.random.default_rng(1)).points
        assert np.mean(points > 50) == pytest.approx(0.8, abs=0.02)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"means": MEANS},
            {"covariances": 1.0},
            {"means": MEANS, "covariances": 0.0},
            {"means": MEANS, "covariances": ((1.0, 1.0), (1.0, 1.0))},
            {"means": MEANS, "covariances": ((1.0,),)},
            {"means": MEANS, "covariances": 1.0, "weights": (1.0,)},
            {"means": MEANS, "covariances": 1.0, "weights": (0.5, 0.6, 0.2)},
            {"components": 0},
            {"max_components": 1.5},
        ],
    )
    def test_bad_parameters_are_refused(self, arguments):
        with pytest.raises(ValueError, match=r"covariance|weights|components"):
            GaussianMixture(**arguments)

    def test_other_features_are_refused(self):
        with pytest.raises(GeneratorFitError, match="2 features"):
            GaussianMixture(means=MEANS, covariances=1.0).fit(
                [Contribution("A", np.zeros((3, 1)))], rng=np.random.default_rng(0)
            )


class TestFitted:
    @pytest.mark.parametrize("unit", [1.0, 1e5, 1e-4])
    def test_bic_finds_the_clusters_in_any_unit(self, unit):
        pool = clusters(np.random.default_rng(0), unit=unit)
        fitted = GaussianMixture().fit(pool, rng=np.random.default_rng(1))
        assert fitted.describe()["components"] == 3
        order = np.lexsort(np.round(fitted.density.means / unit).T)
        np.testing.assert_allclose(fitted.density.means[order] / unit, MEANS, atol=0.2)

    def test_labels_follow_the_clusters(self):
        fitted = GaussianMixture(components=3).fit(clusters(np.random.default_rng(0)), rng=np.random.default_rng(1))
        data = fitted.sample(300, rng=np.random.default_rng(2))
        nearest = np.linalg.norm(data.points[:, None] - np.array(MEANS), axis=-1).argmin(axis=1)
        assert np.mean(data.labels == nearest) > 0.98

    def test_labels_of_some_parties_suffice(self):
        A, B = clusters(np.random.default_rng(0))
        fitted = GaussianMixture(components=3).fit([A, Contribution("B", B.X)], rng=np.random.default_rng(1))
        assert fitted.labeller.parties == ("A",)
        assert fitted.sample(5, rng=np.random.default_rng(2)).labels.shape == (5,)

    def test_no_labels(self):
        pool = [Contribution(c.party, c.X) for c in clusters(np.random.default_rng(0))]
        fitted = GaussianMixture(components=3).fit(pool, rng=np.random.default_rng(1))
        assert fitted.sample(5, rng=np.random.default_rng(2)).labels is None

    def test_outputs_that_are_no_classes_are_refused(self):
        with pytest.raises(ValueError, match=r"whole numbers.*'B'"):
            GaussianMixture().fit(
                [Contribution("A", np.zeros((2, 1)), [0.0, 1.0]), Contribution("B", np.zeros((1, 1)), [0.5])],
                rng=np.random.default_rng(0),
            )

    def test_same_seed_same_bits(self):
        pool = clusters(np.random.default_rng(0))
        one, two = (GaussianMixture().fit(pool, rng=np.random.default_rng(1)) for _ in range(2))
        assert np.array_equal(
            one.sample(50, rng=np.random.default_rng(2)).points, two.sample(50, rng=np.random.default_rng(2)).points
        )


class TestMisfits:
    def fit(self, X, **arguments):
        return GaussianMixture(**arguments).fit([Contribution("A", X)], rng=np.random.default_rng(0))

    def test_too_few_rows(self):
        with pytest.raises(GeneratorFitError, match="needs at least 5 rows, got 3"):
            self.fit(np.random.default_rng(0).normal(size=(3, 2)), components=5)
        with pytest.raises(GeneratorFitError, match="needs at least 3 rows, got 2"):
            self.fit(np.random.default_rng(0).normal(size=(2, 2)))

    def test_what_follows_from_others_follows_again(self):
        X = np.random.default_rng(0).normal(size=(60, 3)) + 4.0
        wide = np.c_[X[:, 0], np.full(60, 7.0), X[:, 1], 3.0 * X[:, 0], X[:, 2], 2.0 - X.sum(axis=1)]
        drawn = self.fit(wide).sample(500, rng=np.random.default_rng(1)).points
        np.testing.assert_allclose(drawn[:, 1], 7.0, rtol=1e-12)
        np.testing.assert_allclose(drawn[:, 3], 3.0 * drawn[:, 0], rtol=1e-9)
        np.testing.assert_allclose(drawn[:, 5], 2.0 - drawn[:, [0, 2, 4]].sum(axis=1), atol=1e-9)
        np.testing.assert_allclose(drawn[:, [0, 2, 4]].mean(axis=0), X.mean(axis=0), atol=0.2)
        np.testing.assert_allclose(drawn[:, [0, 2, 4]].std(axis=0), X.std(axis=0), rtol=0.15)

    def test_nothing_varies(self):
        drawn = self.fit(np.tile([3.0, 5.0], (20, 1))).sample(4, rng=np.random.default_rng(1)).points
        np.testing.assert_allclose(drawn, np.tile([3.0, 5.0], (4, 1)))

    def test_components_that_collapse(self):
        X = np.repeat(np.random.default_rng(0).normal(size=(4, 2)), 10, axis=0)
        with pytest.raises(GeneratorFitError, match="collapses"):
            self.fit(X, components=4)

    def test_no_contribution(self):
        with pytest.raises(GeneratorFitError, match="at least one contribution"):
            GaussianMixture().fit([], rng=np.random.default_rng(0))

    def test_no_points(self):
        fitted = GaussianMixture(means=((0.0,),), covariances=1.0).fit([], rng=np.random.default_rng(0))
        with pytest.raises(ValueError, match="at least 1"):
            fitted.sample(0, rng=np.random.default_rng(0))
