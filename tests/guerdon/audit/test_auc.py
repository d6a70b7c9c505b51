"""The area under the curve of two twins, and whether its interval holds what it promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from guerdon.audit import Area, area_with_interval
from guerdon.types import FloatArray

Draw = Callable[[np.random.Generator, FloatArray], FloatArray]


def covered(truth: float, draw: Callable[[np.random.Generator, int], Area], m: int, times: int = 400) -> float:
    rng = np.random.default_rng(m)
    found = [draw(rng, m) for _ in range(times)]
    return float(np.mean([area.low <= truth <= area.high for area in found]))


def halves(rng: np.random.Generator, m: int) -> FloatArray:
    return rng.permutation(m) < m // 2


def test_by_hand() -> None:
    inside = np.array([True, True, False, False])
    first, second = np.array([3.0, 1.0, 2.0, 0.0]), np.array([0.0, 1.0, 1.0, 2.0])
    # The first twin has 3 of 4 pairs right; the second, made of the others, 3 and a tie.
    assert area_with_interval((first, second), inside).auc == pytest.approx((0.75 + 0.875) / 2)


@pytest.mark.parametrize("m", [20, 60, 200])
def test_where_nothing_is_told_the_interval_holds_one_half(m: int) -> None:
    def draw(rng: np.random.Generator, m: int) -> Area:
        easy = rng.normal(size=m)  # a row is as easy to attack in the one twin as in the other
        return area_with_interval((easy + rng.normal(size=m), easy + rng.normal(size=m)), halves(rng, m))

    assert covered(0.5, draw, m) > 0.92


@pytest.mark.parametrize("m", [20, 60, 200])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_where_something_is_told_the_interval_holds_how_much(m: int, shift: float) -> None:
    def draw(rng: np.random.Generator, m: int) -> Area:
        inside, easy = halves(rng, m), 0.8 * rng.normal(size=m)
        scores = tuple(easy + 0.6 * rng.normal(size=m) + shift * side for side in (inside, ~inside))
        return area_with_interval((scores[0], scores[1]), inside)

    assert covered(float(norm.cdf(shift / np.sqrt(2.0))), draw, m) > 0.92


def test_rows_that_are_easy_whatever_they_are_in_cost_no_width() -> None:
    rng = np.random.default_rng(0)
    inside, easy = halves(rng, 100), 3.0 * rng.normal(size=100)
    both = area_with_interval((easy, easy + 0.01 * rng.normal(size=100)), inside)
    apart = area_with_interval((easy, 3.0 * rng.normal(size=100)), inside)
    assert both.auc == pytest.approx(0.5, abs=0.01)
    assert both.high - both.low < 0.3 * (apart.high - apart.low)


def test_one_row_many_times_counts_once() -> None:
    rng = np.random.default_rng(0)
    inside, scores = halves(rng, 40), rng.normal(size=40)
    once = area_with_interval((scores, -scores[::-1]), inside)
    five = [np.repeat(array, 5) for array in (scores, -scores[::-1], inside)]
    together = area_with_interval((five[0], five[1]), five[2].astype(bool), np.repeat(np.arange(40), 5))
    assert together == pytest.approx(once, abs=0.02)
    alone = area_with_interval((five[0], five[1]), five[2].astype(bool))
    assert alone.high - alone.low < 0.6 * (once.high - once.low)


def test_all_told_apart_is_not_sure_on_few_rows() -> None:
    few, many = (np.arange(m) < m // 2 for m in (8, 800))
    found = [area_with_interval((side * 1.0, ~side * 1.0), side) for side in (few, many)]
    assert [area.auc for area in found] == [1.0, 1.0] == [area.high for area in found]
    assert found[0].low < 0.8 < 0.98 < found[1].low


def test_of_scores_that_are_no_numbers_nothing_is_known() -> None:
    inside, scores = np.arange(40) < 20, np.arange(40.0)
    broken = np.where(np.arange(40) == 7, np.nan, scores)
    for pair in ((scores, broken), (broken, scores)):
        assert area_with_interval(pair, inside) == (0.5, 0.0, 1.0)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two rows must be in and two not, got 1 and 3"):
        area_with_interval((np.arange(4.0), np.arange(4.0)), np.arange(4) < 1)
