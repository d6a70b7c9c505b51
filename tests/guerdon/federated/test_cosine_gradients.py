"""The formulas of Xu et al. (NeurIPS 2021) against cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.federated import (
    contributions,
    download_shares,
    importance,
    largest_share,
    norm,
    normalised,
    weighted_sum,
)


def test_updates_have_the_length_gamma_over_all_layers() -> None:
    update = {"0.weight": np.array([[3.0, 0.0]]), "0.bias": np.array([4.0])}
    found = normalised(update, 0.5)
    np.testing.assert_allclose(found["0.weight"], [[0.3, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(found["0.bias"], [0.4], rtol=1e-15)
    assert norm(found) == pytest.approx(0.5, rel=1e-15)
    assert norm(normalised({"w": np.zeros(3)}, 0.5)) == 0.0


def test_the_aggregate_and_its_cosines() -> None:
    updates = [{"w": np.array([1.0, 0.0])}, {"w": np.array([0.0, 1.0])}, {"w": np.array([-1.0, 0.0])}]
    aggregate = weighted_sum(updates, np.array([0.5, 0.3, 0.1]))
    np.testing.assert_allclose(aggregate["w"], [0.4, 0.3], rtol=1e-15)
    np.testing.assert_allclose(contributions(updates, aggregate), [0.8, 0.6, -0.8], rtol=1e-15)
    assert contributions([{"w": np.zeros(2)}], aggregate).tolist() == [0.0]


def test_importance_is_averaged_clamped_and_normalised() -> None:
    found = importance(np.array([0.5, 0.5, 0.0]), np.array([1.0, -1.0, -1.0]), 0.9)
    raw = np.array([0.55, 0.35, 1e-3])  # the last would be -0.1
    np.testing.assert_allclose(found, raw / raw.sum(), rtol=1e-15)


def test_the_share_downloaded() -> None:
    found = download_shares(np.array([0.5, 0.25, 0.001]), 2.0)
    expected = [1.0, math.tanh(0.5) / math.tanh(1.0), math.tanh(0.002) / math.tanh(1.0)]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_the_mask_takes_the_largest_of_each_layer() -> None:
    update = {"0.weight": np.array([[1.0, -4.0, 2.0], [0.5, 3.0, -0.1]]), "0.bias": np.array([0.2, -0.1])}
    found = largest_share(update, 0.5)
    np.testing.assert_array_equal(found["0.weight"], [[0.0, -4.0, 2.0], [0.0, 3.0, 0.0]])
    np.testing.assert_array_equal(found["0.bias"], [0.2, 0.0])
    np.testing.assert_array_equal(largest_share({"w": np.ones(4)}, 0.3)["w"], [1.0, 1.0, 0.0, 0.0])  # rounded up


@given(st.integers(1, 40), st.floats(0.0, 1.0), st.integers(0, 10**6))
def test_the_mask_in_general(size: int, share: float, seed: int) -> None:
    update = {"w": np.random.default_rng(seed).normal(size=size)}
    found = largest_share(update, share)["w"]
    kept = found != 0.0
    assert share * size - 1e-6 <= kept.sum() <= share * size + 1.0
    np.testing.assert_array_equal(found[kept], update["w"][kept])
    if 0 < kept.sum() < size:
        assert np.abs(update["w"][kept]).min() >= np.abs(update["w"][~kept]).max()


@given(st.lists(st.floats(1e-3, 1.0), min_size=2, max_size=6), st.floats(0.1, 5.0))
def test_the_most_important_downloads_everything_and_more_importance_more(r: list[float], b: float) -> None:
    shares = download_shares(np.array(r), b)
    assert shares[int(np.argmax(r))] == 1.0
    order = np.argsort(r)
    assert np.all(np.diff(shares[order]) >= 0.0)
