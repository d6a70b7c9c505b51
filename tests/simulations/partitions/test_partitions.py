"""Partitions: every row once, sizes within bounds, and the partial sort of the paper's Fig. 4."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulations.partitions import OFFER, ClassCounts, PartialSort, Partition, Sizes, Uniform
from simulations.partitions.partial_sort import _quick_select_pass, _random_composition

seeds = st.integers(0, 2**32 - 1)


def covers_once(blocks: tuple[NDArray[np.intp], ...], rows: int) -> bool:
    return sorted(np.concatenate(blocks).tolist()) == list(range(rows))


@given(st.sampled_from(["PartialSort", "Uniform"]), st.integers(1, 8), st.integers(8, 60), st.integers(1, 4), seeds)
def test_every_row_goes_to_one_party(name: str, parties: int, rows: int, columns: int, seed: int) -> None:
    partition: Partition = OFFER[name](minimum_share=0.05) if name == "PartialSort" else OFFER[name]()
    X = np.random.default_rng(seed).integers(0, 5, (rows, columns)).astype(float)  # with ties
    blocks, again = (partition.split(X, parties, rng=np.random.default_rng(seed)) for _ in range(2))
    assert len(blocks) == parties
    assert min(map(len, blocks)) >= 1
    assert covers_once(blocks, rows)
    assert all(np.array_equal(one, other) for one, other in zip(blocks, again, strict=True))


@given(st.integers(1, 8), st.integers(8, 60), seeds)
def test_uniform_sizes_differ_by_one_at_most(parties: int, rows: int, seed: int) -> None:
    sizes = [len(b) for b in Uniform().split(np.zeros((rows, 1)), parties, rng=np.random.default_rng(seed))]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 6), st.integers(30, 200), seeds)
def test_each_party_has_its_minimum_share(parties: int, rows: int, seed: int) -> None:
    blocks = PartialSort(0.1).split(np.zeros((rows, 2)), parties, rng=np.random.default_rng(seed))
    assert min(map(len, blocks)) >= np.ceil(rows / 10)


def test_shares_that_fill_everything_are_allowed() -> None:
    blocks = PartialSort(1 / 3).split(np.zeros((30, 1)), 3, rng=np.random.default_rng(0))
    assert [len(block) for block in blocks] == [10, 10, 10]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.data())
def test_only_the_pivot_is_sure_to_be_sorted(values: list[int], data: st.DataObject) -> None:
    column = np.array(values, dtype=float)
    pivot = data.draw(st.integers(0, len(values) - 1))
    order = _quick_select_pass(column, pivot)
    place = order.tolist().index(pivot)
    assert (column[order[:place]] <= column[pivot]).all()
    assert (column[order[place + 1 :]] >= column[pivot]).all()
    assert place == np.argsort(column, kind="stable").tolist().index(pivot)
    # Each side keeps the order in which its rows came: nothing else was sorted.
    assert (np.diff(order[:place]) > 0).all()
    assert (np.diff(order[place + 1 :]) > 0).all()


def test_the_first_block_has_the_low_values() -> None:
    X = np.random.default_rng(1).normal(size=(400, 1))
    gaps = []
    for seed in range(20):
        blocks = PartialSort().split(X, 3, rng=np.random.default_rng(seed))
        gaps.append(X[blocks[-1], 0].mean() - X[blocks[0], 0].mean())
    assert min(gaps) > 0
    assert max(gaps) > 0.5


def test_compositions_are_equally_likely() -> None:
    rng = np.random.default_rng(0)
    drawn = [tuple(_random_composition(2, 3, rng).tolist()) for _ in range(6000)]
    counts = {sizes: drawn.count(sizes) for sizes in set(drawn)}
    assert len(counts) == 6  # C(2 + 3 - 1, 2)
    assert all(sum(sizes) == 2 for sizes in counts)
    assert max(counts.values()) - min(counts.values()) < 200  # about 1000 each, standard deviation 29


@pytest.mark.parametrize(
    ("partition", "shape", "parties", "message"),
    [
        (PartialSort(0.5), (100, 2), 3, "more than all rows"),
        (PartialSort(0.34), (8, 2), 2, None),
        (PartialSort(0.3), (4, 2), 3, "too few for 3 parties of at least 2"),
        (PartialSort(), (2, 2), 3, "2 rows are too few for 3 parties"),
        (Uniform(), (2, 2), 3, "2 rows are too few for 3 parties"),
        (Uniform(), (2, 0), 1, "at least one column"),
        (Uniform(), (2, 2), 0, "at least one party"),
    ],
)
def test_what_can_not_be_divided(
    partition: Partition, shape: tuple[int, int], parties: int, message: str | None
) -> None:
    if message is None:
        assert covers_once(partition.split(np.zeros(shape), parties, rng=np.random.default_rng(0)), shape[0])
        return
    with pytest.raises(ValueError, match=message):
        partition.split(np.zeros(shape), parties, rng=np.random.default_rng(0))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        PartialSort(share)


@given(st.lists(st.floats(0.5, 9.0), min_size=1, max_size=5), st.integers(100, 300), seeds)
def test_sizes_are_in_proportion(shares: list[float], rows: int, seed: int) -> None:
    blocks = Sizes(shares).split(np.zeros((rows, 1)), len(shares), rng=np.random.default_rng(seed))
    assert covers_once(blocks, rows)
    expected = np.array(shares) / sum(shares) * rows
    assert np.abs([len(block) for block in blocks] - expected).max() <= 1.0


@given(seeds)
def test_parties_know_so_many_classes(seed: int) -> None:
    target = np.repeat(np.arange(5.0), 60)
    blocks = ClassCounts((1, 2, 5), rows=20).split(
        np.zeros((300, 1)), 3, rng=np.random.default_rng(seed), target=target
    )
    assert [len(block) for block in blocks] == [20, 20, 20]
    assert len(set(np.concatenate(blocks).tolist())) == 60
    known = [len(set(target[block])) for block in blocks]
    assert known[0] == 1
    assert known[1] == 2
    assert known[2] > 2


@pytest.mark.parametrize(
    ("partition", "message"),
    [
        (lambda: Sizes((1, 0)), "positive numbers"),
        (lambda: Sizes((1, 1, 1)).split(np.zeros((9, 1)), 2, rng=np.random.default_rng(0)), "3 numbers for 2 parties"),
        (lambda: Sizes((1, 99)).split(np.zeros((9, 1)), 2, rng=np.random.default_rng(0)), "without any"),
        (lambda: ClassCounts((0,)), "at least 1"),
        (
            lambda: ClassCounts((3,), rows=2).split(
                np.zeros((9, 1)), 1, rng=np.random.default_rng(0), target=np.arange(9.0) % 2
            ),
            "does not fit 1 parties and 2 classes",
        ),
        (
            lambda: ClassCounts((1,), rows=8).split(
                np.zeros((9, 1)), 1, rng=np.random.default_rng(0), target=np.arange(9.0) % 2
            ),
            "rows=8 can't be had",
        ),
    ],
)
def test_what_can_not_be_dealt_out(partition: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        partition()
