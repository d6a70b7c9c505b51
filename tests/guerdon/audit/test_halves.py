"""Rows dealt to two halves, and rewards made of one of them."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.audit import split_in_halves
from guerdon.row_marks import RowMarks, shown
from guerdon.types import Contribution


def party(name: str, count: int, seed: int) -> Contribution:
    rng = np.random.default_rng(seed)
    return Contribution(name, rng.normal(size=(count, 3)), rng.normal(size=count), noise=np.full(count, 0.5))


def test_each_party_is_dealt_in_two() -> None:
    pool = [party("east", 21, 0), party("west", 40, 1)]
    halves = split_in_halves(pool, np.random.default_rng(0))
    one, other = halves.half(False), halves.half(True)
    assert [len(c) for c in one] == [10, 20]
    assert [len(c) for c in other] == [11, 20]
    for c, a, b in zip(pool, one, other, strict=True):
        assert sorted(map(tuple, np.concatenate([a.X, b.X]))) == sorted(map(tuple, c.X))


def test_equal_rows_of_whatever_party_go_to_one_half() -> None:
    east = party("east", 30, 0)
    west = Contribution("west", np.concatenate([east.X[:12], party("", 20, 2).X, east.X[:3]]))
    for seed in range(20):
        halves = split_in_halves([east, west], np.random.default_rng(seed))
        one, other = (np.concatenate([c.X for c in halves.half(second)]) for second in (False, True))
        assert not set(map(tuple, one)) & set(map(tuple, other))
        sides = [int(first.sum()) for first in halves.first]
        assert abs(sides[0] - 15) <= 1
        assert 10 <= sides[1] <= 25


def test_marks_go_with_their_rows() -> None:
    own = party("east", 12, 0)
    marks = RowMarks.of(own).weighted(b"0" * 32, 2.0)
    blurred = Contribution("east", own.X + 1.0, own.y)
    marked = Contribution("east", own.X, own.y, marks=RowMarks(marks.keys, marks.unit, marks.weights, blurred))
    halves = split_in_halves([marked], np.random.default_rng(0))
    (half,) = halves.half(False)
    assert half.marks is not None
    np.testing.assert_array_equal(shown(half).X, half.X + 1.0)
    np.testing.assert_array_equal(half.marks.keys, marks.keys[halves.first[0]])


def test_too_few_different_rows_are_no_halves() -> None:
    few = Contribution("west", np.repeat(np.eye(3), 5, axis=0))
    with pytest.raises(ValueError, match="west has 3 different rows, and halves take at least 4"):
        split_in_halves([party("east", 20, 0), few], np.random.default_rng(0))
