"""Labelled data sets: every row once, either to divide or to score on."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.datasets import BreastCancer, Digits


@pytest.mark.parametrize(
    ("source", "rows", "features", "classes"), [(Digits, 1797, 64, 10), (BreastCancer, 569, 30, 2)]
)
def test_rows_are_divided_or_scored_on(source: type, rows: int, features: int, classes: int) -> None:
    data, again = (source(test=0.2).load(np.random.default_rng(3)) for _ in range(2))
    assert len(data.held_out.target) == round(0.2 * rows)
    assert len(data.target) + len(data.held_out.target) == rows
    assert data.features.shape[1] == data.held_out.features.shape[1] == features
    assert len(set(data.target)) == len(set(data.held_out.target)) == classes
    assert np.array_equal(data.features, again.features)
    everything = source(test=0.0).load(np.random.default_rng(3))
    assert everything.held_out is None
    both = np.concatenate([data.features, data.held_out.features])
    assert np.array_equal(np.sort(both, axis=0), np.sort(everything.features, axis=0))


@pytest.mark.parametrize("test", [-0.1, 1.0])
def test_a_share_is_a_share(test: float) -> None:
    with pytest.raises(ValueError, match="test is a share of the rows"):
        Digits(test=test)
