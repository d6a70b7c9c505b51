"""Data sets: shapes, units, reproducibility, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from simulations.datasets import OFFER, Dataset, Diabetes, Friedman
from simulations.datasets.files import data_file

FILES = {
    "California": "california_housing_raw.csv.gz",
    "Cifar10": "cifar10_jpeg_q75_all60000.npz",
    "CreditCard": "creditcard_subset.csv.gz",
    "HeartDisease": "heart_disease_4sites.csv",
    "Mnist": "mnist_full.npz",
}
"""What the data sets read that no installed package carries."""


def test_diabetes_is_raw() -> None:
    data = Diabetes().load(np.random.default_rng(0))
    assert data.features.shape == (442, 10)
    assert data.features.dtype == np.float64
    assert data.target.shape == (442,)
    assert 19 <= data.features[:, data.feature_names.index("age")].min() <= 30  # years, not standardised
    assert (data.target.min(), data.target.max()) == (25, 346)


def test_diabetes_is_what_scikit_learn_reads() -> None:
    data, theirs = Diabetes().load(np.random.default_rng(0)), load_diabetes(scaled=False)
    np.testing.assert_array_equal(data.features, theirs.data)
    np.testing.assert_array_equal(data.target, theirs.target)
    assert list(data.feature_names) == theirs.feature_names


def test_diabetes_drops_features_by_name() -> None:
    whole, part = (Diabetes(drop=drop).load(np.random.default_rng(0)) for drop in ((), ("sex",)))
    assert part.feature_names == tuple(name for name in whole.feature_names if name != "sex")
    np.testing.assert_array_equal(part.features[:, 0], whole.features[:, 0])
    assert Diabetes(drop="sex") == Diabetes(drop=("sex",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("drop", "message"), [(("sx",), "Did you mean 'sex'"), (("height",), "The features are age, sex")]
)
def test_diabetes_names_the_features_on_offer(drop: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Diabetes(drop=drop).load(np.random.default_rng(0))


def test_diabetes_keeps_at_least_one_feature() -> None:
    names = Diabetes().load(np.random.default_rng(0)).feature_names
    with pytest.raises(ValueError, match="leaves no feature"):
        Diabetes(drop=names).load(np.random.default_rng(0))


def test_friedman_is_the_function_plus_noise() -> None:
    data = Friedman(rows=500, noise=0.0).load(np.random.default_rng(3))
    x = data.features
    expected = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    assert x.shape == (500, 6)
    np.testing.assert_allclose(data.target, expected, rtol=1e-12)


def test_friedman_is_drawn_from_the_generator() -> None:
    first, again, other = (Friedman(rows=20).load(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.target, again.target)
    assert not np.array_equal(first.features, other.features)


@pytest.mark.parametrize("arguments", [{"rows": 0}, {"noise": -1.0}, {"noise": float("nan")}])
def test_friedman_refuses(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        Friedman(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(OFFER))
def test_everything_on_offer_loads(name: str) -> None:
    try:
        _ = data_file(FILES[name]) if name in FILES else None  # no test fetches them
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    data = OFFER[name]().load(np.random.default_rng(0))
    assert len(data.feature_names) == data.features.shape[1]
    assert not data.features.flags.writeable
    assert not data.target.flags.writeable


@pytest.mark.parametrize(
    ("features", "target", "names", "message"),
    [
        (np.zeros((2, 1)), np.zeros(3), ("a",), r"got \(2, 1\) and \(3,\)"),
        (np.zeros((2, 2)), np.zeros(2), ("a",), "2 columns, but 1"),
        (np.zeros((2, 1)), np.zeros(2), ("y",), "must differ"),
        (np.full((2, 1), np.nan), np.zeros(2), ("a",), "must be finite.*or bring a schema"),
    ],
)
def test_a_dataset_that_does_not_fit_together(
    features: np.ndarray, target: np.ndarray, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Dataset("mine", features, target, names, "y", "")
