"""Fidelity against known values, SciPy's statistics, and what it must not see."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, pearsonr

from guerdon.table_metrics import (
    contingency_similarity,
    correlation_similarity,
    fidelity,
    ks_complement,
    missing_value_similarity,
    tv_complement,
)
from guerdon.tables import Boolean, Category, Columns, Gap, Number

COLUMNS = Columns.of(
    [
        Number("age", 0, 0, 120, whole=True),
        Category("ward", (1, 2, 3), Gap(0.0, 4)),
        Boolean("female", 5),
        Number("cholesterol", 6, gap=Gap(5.0, 7)),
        Number("stay", 8, 0.0),
    ]
)


def rows(m: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    numbers = np.column_stack([rng.normal(50, 12, m), rng.normal(5, 1, m), rng.exponential(2, m)])
    codes = np.column_stack([rng.integers(4, size=m), rng.integers(2, size=m), rng.random(m) < 0.3])
    return COLUMNS.join(numbers, codes.astype(np.int64))


def test_ks_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for a, b in [(rng.normal(size=50), rng.normal(1, size=70)), (rng.integers(5, size=40), rng.integers(3, size=9))]:
        assert ks_complement(a, b) == pytest.approx(1 - ks_2samp(a, b).statistic, abs=1e-12)
    assert ks_complement([1, 2], [3, 4]) == 0.0
    assert ks_complement([2, 1], [1, 2]) == 1.0


def test_total_variation_and_gaps_by_hand() -> None:
    assert tv_complement([0, 0, 0, 1], [0, 1, 1, 2]) == 0.5  # |3/4 - 1/4| + |1/4 - 2/4| + |0 - 1/4| = 1
    assert tv_complement([0, 0], [1]) == 0.0
    assert missing_value_similarity([True, False, False, False], [True, True]) == 0.25
    for compared in (ks_complement, tv_complement, missing_value_similarity):
        with pytest.raises(ValueError, match="m >= 1"):
            compared([], [1.0])


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(60, 2)) @ [[1e6, 1.0], [0, 1e-3]]
    b = rng.normal(size=(40, 2)) @ [[1, -1], [0, 1]] + 1e4
    expected = 1 - abs(pearsonr(*a.T).statistic - pearsonr(*b.T).statistic) / 2
    assert correlation_similarity(a, b) == pytest.approx(expected, abs=1e-9)
    line = np.arange(5.0)
    assert correlation_similarity(np.column_stack([line, line]), np.column_stack([line, -line])) == 0.0
    assert np.isnan(correlation_similarity(np.column_stack([line, line]), np.column_stack([line, np.full(5, 0.1)])))


def test_contingency_by_hand() -> None:
    real = [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert contingency_similarity(real, [[0, 0], [0, 0], [1, 1], [1, 1]]) == 0.5
    assert contingency_similarity(real, real * 3) == 1.0


def test_a_table_like_itself_and_what_each_column_is_compared_by() -> None:
    X = rows(200, 0)
    y = (X[:, 5] + X[:, 1]).astype(float)
    same = fidelity(COLUMNS, X, np.concatenate([X, X]), labels=(y, np.concatenate([y, y])), target="outcome")
    assert [(shape.column, shape.metric) for shape in same.shapes] == [
        ("age", "KSComplement"),
        ("ward", "TVComplement"),
        ("female", "TVComplement"),
        ("cholesterol", "KSComplement"),
        ("stay", "KSComplement"),
        ("outcome", "TVComplement"),
    ]
    assert {shape.column for shape in same.shapes if shape.missing is not None} == {"ward", "cholesterol"}
    assert len(same.trends) == 15
    numbers = {trend.columns for trend in same.trends if trend.metric == "CorrelationSimilarity"}
    assert numbers == {("age", "cholesterol"), ("age", "stay"), ("cholesterol", "stay")}
    assert same.column_shapes == same.missing_values == 1.0
    assert same.column_pair_trends == pytest.approx(1.0, abs=1e-12)


def test_gaps_are_left_out_of_shapes_and_correlations_and_are_a_level_elsewhere() -> None:
    columns = Columns.of([Number("a", 0, gap=Gap(99.0, 1)), Number("b", 2), Boolean("c", 3)])
    line = np.arange(4.0)
    real = np.column_stack([line, 0 * line, line, line > 1])
    gappy = np.concatenate([real, [[99.0, 1, -7, 0], [99.0, 1, 50, 1]]])
    found = fidelity(columns, real, gappy)
    assert (found.shapes[0].score, found.shapes[0].missing) == (1.0, pytest.approx(4 / 6))
    trend = {t.columns: t.score for t in found.trends}
    assert trend["a", "b"] == pytest.approx(1.0)
    assert trend["a", "c"] == pytest.approx(4 / 6)  # a third of the combinations are with a gap
    lost = fidelity(columns, real, gappy[4:])
    assert (lost.shapes[0].score, lost.shapes[0].missing) == (None, 0.0)


def test_pairs_see_what_columns_do_not() -> None:
    X = rows(400, 2)
    rng = np.random.default_rng(3)
    X = np.column_stack([X[:, :8], X[:, 0] / 10])  # the stay follows the age
    shuffled = COLUMNS.conform(np.column_stack([X[:, :8], rng.permutation(X[:, 8])]))
    found = fidelity(COLUMNS, X, shuffled)
    assert found.column_shapes == 1.0
    trend = {t.columns: t.score for t in found.trends}
    assert trend["age", "stay"] == pytest.approx(0.5, abs=0.1)
    assert trend["age", "female"] == 1.0


def test_numbers_beside_levels_are_in_ten_bins_of_the_real_ones() -> None:
    columns = Columns.of([Number("a", 0), Boolean("b", 1)])
    real = np.array([[0.0, 0], [10.0, 1]])  # bins of width 1
    near = np.array([[0.9, 0], [12.0, 1]])  # beyond the end is the last bin
    assert fidelity(columns, real, near).trends[0].score == 1.0
    assert fidelity(columns, real, np.array([[1.1, 0], [12.0, 1]])).trends[0].score == 0.5


def test_units_do_not_matter() -> None:
    real, synthetic = rows(150, 4), rows(90, 5)
    own = fidelity(COLUMNS, real, synthetic)
    mean, scale = real.mean(axis=0), real.std(axis=0) + 0.5
    scaled = fidelity(COLUMNS.scaled(mean, scale), (real - mean) / scale, (synthetic - mean) / scale)
    for a, b in zip((*own.shapes, *own.trends), (*scaled.shapes, *scaled.trends), strict=True):
        assert b.score == pytest.approx(a.score, abs=0.02)  # a number on the edge of a bin may fall to either side


def test_empty_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="got 0 real and 5 synthetic"):
        fidelity(COLUMNS, np.empty((0, 9)), rows(5, 0))


@given(st.integers(2, 30), st.integers(1, 30), st.integers(0, 10_000))
def test_all_scores_are_between_0_and_1_and_do_not_depend_on_the_order_of_rows(m: int, k: int, seed: int) -> None:
    real, synthetic = rows(m, seed), rows(k, seed + 1)
    found = fidelity(COLUMNS, real, synthetic)
    turned = fidelity(COLUMNS, real[::-1], synthetic[::-1])
    for a, b in zip((*found.shapes, *found.trends), (*turned.shapes, *turned.trends), strict=True):
        assert a.score is None or -1e-9 <= a.score <= 1 + 1e-9
        assert b.score == (None if a.score is None else pytest.approx(a.score, abs=1e-9))


def test_nearer_is_more_alike() -> None:
    real = rows(500, 6)
    shifted = [real + np.array([shift, 0, 0, 0, 0, 0, 0, 0, 0]) for shift in (0, 3, 10, 40)]
    scores = [fidelity(COLUMNS, real, rows_).column_shapes for rows_ in shifted]
    assert all(a > b for a, b in pairwise(scores))
