"""Data sets that come divided by class: the paper's shares, rows to score on that nobody holds, no row twice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simulations.datasets import Dataset
from simulations.datasets.divided import Labelled, SplitByClass
from simulations.partitions.class_shares import SHARES

LABELS = np.tile(np.arange(5), 300)


def divided(how: SplitByClass, official: NDArray[np.intp] | None = None) -> Dataset:
    source = Labelled(LABELS, lambda rows: rows[:, None].astype(np.float64), official)
    return how.divide(
        source, np.random.default_rng(0), name="n", feature_names=("row",), target_name="class", description=""
    )


def test_parties_hold_the_papers_shares_and_no_row_twice() -> None:
    data = divided(SplitByClass(rows=200, split="equal-disjoint", test=100))
    assert data.blocks is not None
    assert data.held_out is not None
    for block, shares in zip(data.blocks, SHARES["equal-disjoint", 5], strict=True):
        assert np.bincount(data.target[block].astype(int)).tolist() == (200 * shares).tolist()
    rows = np.concatenate([data.features.ravel(), data.held_out.features.ravel()])
    assert len(np.unique(rows)) == 1100
    assert np.array_equal(LABELS[data.features.ravel().astype(int)], data.target)
    assert np.bincount(data.held_out.target.astype(int)).tolist() == [20] * 5


def test_rows_to_score_on_are_the_official_ones_where_there_are_any() -> None:
    official = np.arange(1000, 1500)
    data = divided(SplitByClass(rows=100, test=102), official)
    assert data.held_out is not None
    assert set(data.held_out.features.ravel()) <= set(official)
    assert not set(data.features.ravel()) & set(official)
    assert np.bincount(data.held_out.target.astype(int)).tolist() == [21, 21, 20, 20, 20]


def test_too_many_rows_asked_for_says_how_many_there_can_be() -> None:
    with pytest.raises(ValueError, match=r"rows=301 a party can't be had.*at most 300 a party"):
        divided(SplitByClass(rows=301, test=0))
    with pytest.raises(ValueError, match="test=2000 needs 400 rows of class 0, there are 300"):
        divided(SplitByClass(rows=10, test=2000))
    with pytest.raises(ValueError, match="must be 'equal-disjoint' or 'unequal'"):
        SplitByClass(split="fair")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 0, got -1"):
        SplitByClass(test=-1)
