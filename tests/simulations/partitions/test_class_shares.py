"""Splits by classes: the paper's shares, no row twice, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.partitions.class_shares import SHARES, ClassShares


@pytest.mark.parametrize("key", sorted(SHARES))
def test_the_papers_shares_add_up(key: tuple[str, int]) -> None:
    assert SHARES[key].shape == (5, key[1])
    assert SHARES[key].sum(axis=1) == pytest.approx(np.ones(5), abs=1e-12)


@pytest.mark.parametrize(("shares", "classes"), sorted(SHARES))
def test_parties_have_the_shares_and_no_row_is_in_two(shares: str, classes: int) -> None:
    rng = np.random.default_rng(0)
    target = rng.permutation(np.repeat(np.arange(classes), 200)).astype(float)
    blocks = ClassShares(shares).split(np.zeros((len(target), 2)), 5, rng=rng, target=target)  # type: ignore[arg-type]
    rows = np.concatenate(blocks)
    assert len(set(rows.tolist())) == len(rows)
    size = len(blocks[0])
    for block, share in zip(blocks, SHARES[shares, classes], strict=True):
        counts = np.bincount(target[block].astype(int), minlength=classes)
        assert np.abs(counts - share * size).max() <= 1
    used = np.bincount(target[rows].astype(int), minlength=classes)
    assert used.max() >= 190  # parties are as large as the classes allow


def test_the_same_generator_gives_the_same_split() -> None:
    target = np.repeat(np.arange(5.0), 40)
    one, other = (
        ClassShares("unequal").split(np.zeros((200, 1)), 5, rng=np.random.default_rng(3), target=target)
        for _ in range(2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_does_not_fit_is_refused() -> None:
    X, rng = np.zeros((60, 1)), np.random.default_rng(0)
    with pytest.raises(ValueError, match="needs a data set with labels"):
        ClassShares().split(X, 5, rng=rng)
    with pytest.raises(ValueError, match="5 or 10 classes among 5 parties, got 3 classes and 5 parties"):
        ClassShares().split(X, 5, rng=rng, target=np.repeat(np.arange(3.0), 20))
    with pytest.raises(ValueError, match="'equal-disjoint' or 'unequal', got 'even'"):
        ClassShares("even")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="too few rows for this split"):
        ClassShares().split(np.zeros((5, 1)), 5, rng=rng, target=np.arange(5.0))


def test_parties_have_as_many_rows_as_asked_for_or_the_most_there_are() -> None:
    labels = np.repeat(np.arange(5.0), 100)
    split = {"X": labels[:, None], "parties": 5, "target": labels}
    blocks = ClassShares("unequal", rows=100).split(**split, rng=np.random.default_rng(0))
    assert [len(block) for block in blocks] == [100] * 5
    with pytest.raises(
        ValueError, match=r"rows=101 a party can't be had: of the 5 classes there are 100, .* at most 100"
    ):
        ClassShares("unequal", rows=101).split(**split, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="whole number of at least 2, got 0"):
        ClassShares(rows=0)
