"""Every generator on a table of all kinds of columns: its rows, its shares, its labels."""

import dataclasses

import numpy as np
import pytest

from guerdon.generators import AdversarialForest, GaussianMixture, KernelDensity, MmdGan
from guerdon.scaling import Scaling
from guerdon.tables import Boolean, Category, Columns, Gap, Number
from guerdon.testing import GeneratorSuite
from guerdon.types import Contribution

COLUMNS = Columns.of(
    [
        Number("age", 0, 18, 95, whole=True),
        Category("ward", (1, 2, 3)),
        Boolean("female", 4),
        Number("cholesterol", 5, 0.0, 20.0, gap=Gap(5.0, 6)),
        Number("same", 7, whole=True),
        Number("constant", 8),
    ]
)
GENERATORS = {
    "mixture": GaussianMixture(max_components=3),
    "kernel density": KernelDensity(),
    "forest": AdversarialForest(trees=20),
    "gan": MmdGan(epochs=2, batch=20, critic_steps=1, width=4),
}


def clinic(m, seed, rare=0.05):
    rng = np.random.default_rng(seed)
    ward = rng.choice(3, m, p=[0.6, 0.3, 0.1])
    age = np.clip(np.round(rng.normal(50 + 10 * ward, 8)), 18, 95)
    cholesterol, gap = np.clip(rng.normal(5 + 0.03 * age, 0.5), 0, 20), rng.random(m) < 0.2
    female = rng.random(m) < 0.4
    y = (np.argsort(np.argsort(age + rng.normal(0, 10, m))) >= (1 - rare) * m).astype(float)
    X = np.column_stack([age, np.eye(3)[ward], female, np.where(gap, 5.0, cholesterol), gap, 2 * age, np.full(m, 7.0)])
    return Contribution("A", X, y, columns=COLUMNS)


def scaled(contribution):
    scaling = Scaling.of_pool([dataclasses.replace(contribution, y=None)])
    own = scaling.apply(dataclasses.replace(contribution, y=None))
    return scaling, dataclasses.replace(own, y=contribution.y)


@pytest.mark.parametrize("name", GENERATORS)
def test_what_is_drawn_are_rows_of_the_table(name):
    scaling, pool = scaled(clinic(120, 0))
    drawn = GENERATORS[name].fit([pool], rng=np.random.default_rng(1)).sample(300, rng=np.random.default_rng(2))
    own = scaling.original_features(drawn.points)
    np.testing.assert_allclose(COLUMNS.conform(own), own, atol=1e-9)


@pytest.mark.parametrize("name", ["mixture", "kernel density", "forest"])
def test_levels_and_gaps_keep_their_shares(name):
    pool, draws = clinic(400, 0), 4000
    drawn = GENERATORS[name].fit([pool], rng=np.random.default_rng(1)).sample(draws, rng=np.random.default_rng(2))
    for place in (1, 2, 3, 4, 6):
        share = pool.X[:, place].mean()
        # Four standard errors: of the draws, and a little for leaves that are weighted by the bootstrap.
        assert abs(drawn.points[:, place].mean() - share) < 4 * np.sqrt(share * (1 - share) / draws) + 0.005
    known, own = pool.X[:, 6] == 0, drawn.points[:, 6] == 0
    assert drawn.points[own, 5].mean() == pytest.approx(pool.X[known, 5].mean(), abs=0.1)
    assert np.unique(drawn.points[~own, 5]).tolist() == [5.0]


@pytest.mark.parametrize("name", ["mixture", "forest"])
def test_columns_that_follow_from_others_follow_again(name):
    drawn = (
        GENERATORS[name].fit([clinic(200, 0)], rng=np.random.default_rng(1)).sample(200, rng=np.random.default_rng(2))
    )
    assert np.abs(drawn.points[:, 7] - 2 * drawn.points[:, 0]).max() <= 1.0  # whole numbers, each by itself
    assert set(drawn.points[:, 8]) == {7.0}


@pytest.mark.parametrize("name", ["mixture", "kernel density", "forest"])
@pytest.mark.parametrize("rare", [0.01, 0.03, 0.1])
def test_a_rare_class_keeps_its_share(name, rare):
    """Over five seeds: the mean share lies within three standard errors of the pools'."""
    shares, draws = [], 2000
    for seed in range(5):
        pool = clinic(600, seed, rare)
        fitted = GENERATORS[name].fit([pool], rng=np.random.default_rng(seed))
        shares.append(fitted.sample(draws, rng=np.random.default_rng(seed)).labels.mean() - pool.y.mean())
    error = np.sqrt(rare * (1 - rare) / (5 * draws))
    assert abs(np.mean(shares)) < 3 * error + 0.05 * rare, (np.mean(shares), error)


@pytest.mark.parametrize("name", ["mixture", "kernel density", "forest", "gan"])
def test_points_are_the_same_with_labels_and_without(name):
    _, pool = scaled(clinic(120, 0))
    plain = dataclasses.replace(pool, y=None)
    with_labels, without = (
        GENERATORS[name].fit([c], rng=np.random.default_rng(1)).sample(50, rng=np.random.default_rng(2))
        for c in (pool, plain)
    )
    np.testing.assert_array_equal(with_labels.points, without.points)
    assert without.labels is None


def test_labels_go_with_what_they_label():
    pool = clinic(600, 0, rare=0.2)
    gap = pool.X[pool.y == 1, 0].mean() - pool.X[pool.y == 0, 0].mean()
    for name in ("mixture", "kernel density", "forest"):
        drawn = GENERATORS[name].fit([pool], rng=np.random.default_rng(1)).sample(3000, rng=np.random.default_rng(2))
        assert drawn.points[drawn.labels == 1, 0].mean() - drawn.points[drawn.labels == 0, 0].mean() > 0.5 * gap, name


def test_a_table_of_categories_only():
    rng = np.random.default_rng(0)
    columns = Columns.of([Category("a", (0, 1)), Category("b", (2, 3, 4))])
    first = rng.integers(2, size=100)
    X = np.column_stack([np.eye(2)[first], np.eye(3)[(first + (rng.random(100) < 0.2)) % 3]])
    pool = Contribution("A", X, columns=columns)
    for name in ("mixture", "kernel density", "forest"):
        drawn = (
            GENERATORS[name].fit([pool], rng=np.random.default_rng(1)).sample(500, rng=np.random.default_rng(2)).points
        )
        np.testing.assert_array_equal(columns.conform(drawn), drawn)
    assert np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1] > 0.5  # the forest has found what ties them together


class TestForest(GeneratorSuite):
    def make(self):
        return AdversarialForest(trees=10)


class TestForestOfATable(GeneratorSuite):
    def make(self):
        return AdversarialForest(trees=10)

    def contributions(self):
        return [dataclasses.replace(clinic(60, seed), party=party, y=None) for seed, party in enumerate(("ada", "bob"))]


class TestMixtureOfATable(TestForestOfATable):
    def make(self):
        return GaussianMixture(max_components=2)


class TestForestsParameters:
    @pytest.mark.parametrize("wrong", [{"trees": 0}, {"leaf": 1.5}, {"delta": 0.5}, {"delta": True}, {"rounds": -1}])
    def test_out_of_range(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AdversarialForest(**wrong)

    def test_too_few_rows(self):
        with pytest.raises(ValueError, match="needs at least 10 rows, got 3"):
            AdversarialForest().fit([Contribution("A", np.eye(3))], rng=np.random.default_rng(0))

    def test_no_leaf_holds_fewer_rows_than_asked_for(self):
        pool = clinic(200, 0)
        density = AdversarialForest(trees=10, leaf=7).fit([pool], rng=np.random.default_rng(0)).density
        assert (density.weights * 10 * len(pool)).min() >= 7 - 1e-9
        assert density.weights.sum() == pytest.approx(1.0)
