"""Rows of a table taken apart and put together; whatever is put together is a row of the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.scaling import Scaling
from guerdon.tables import Boolean, Category, Columns, Gap, Number, infer_columns
from guerdon.types import Contribution

TABLE = Columns.of(
    [
        Number("age", 0, 18, 95, whole=True),
        Category("pain", (1, 2, 3), Gap(1, 4)),
        Boolean("smoker", 5, Gap(0.0, 6)),
        Number("cholesterol", 7, 0.5, 20.0, gap=Gap(5.25, 8)),
        Number("stay", 9, 0.0, whole=True, gap=Gap(-1.0)),
        Category("sole", (10,)),
        Boolean("sick", 11),
    ]
)


def rows(seed, m=40):
    rng = np.random.default_rng(seed)
    numbers = np.column_stack([rng.normal(50, 30, m), rng.normal(5, 5, m), rng.normal(2, 3, m)])
    codes = np.column_stack([rng.integers(levels, size=m) for levels in TABLE.levels])
    return TABLE.join(numbers, codes), numbers, codes


def test_columns_are_rows_of_few_levels_and_numbers():
    assert [column.name for column in TABLE.numbers] == ["age", "cholesterol", "stay"]
    assert [column.name for column in TABLE.coded] == ["pain", "smoker", "cholesterol", "stay", "sole", "sick"]
    assert TABLE.levels == (4, 3, 2, 2, 1, 2)


def test_what_is_joined_is_a_row_of_the_table():
    X, _, _ = rows(0)
    assert set(X[:, 0]) <= set(np.arange(18.0, 96.0))
    np.testing.assert_array_equal(X[:, 1:4].sum(axis=1), 1.0)
    for place in (4, 5, 6, 8, 10, 11):
        assert set(X[:, place]) <= {0.0, 1.0}
    gap = X[:, 4] == 1.0
    np.testing.assert_array_equal(X[gap, 1:4], np.tile([0.0, 1.0, 0.0], (gap.sum(), 1)))
    assert set(X[X[:, 6] == 1.0, 5]) == {0.0}
    assert set(X[X[:, 8] == 1.0, 7]) == {5.25}
    assert np.all((X[:, 7] >= 0.5) & (X[:, 7] <= 20.0))
    assert X[:, 9].min() == -1.0
    assert np.all(X[:, 9] == np.round(X[:, 9]))


@given(st.integers(0, 2**32 - 1))
def test_a_row_taken_apart_and_joined_is_the_row(seed):
    X, _, codes = rows(seed)
    parts = TABLE.split(X)
    np.testing.assert_array_equal(parts.codes, codes)
    np.testing.assert_array_equal(TABLE.join(parts.numbers, parts.codes), X)
    np.testing.assert_array_equal(TABLE.conform(X), X)
    np.testing.assert_array_equal(parts.gaps.T, np.stack([np.zeros(len(X)), codes[:, 2], codes[:, 3]]))


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100.0))
def test_whatever_comes_becomes_a_row_and_stays_one(seed, size):
    X = size * np.random.default_rng(seed).normal(size=(20, len(TABLE)))
    once = TABLE.conform(X)
    np.testing.assert_array_equal(TABLE.conform(once), once)


def test_units_and_order_change_nothing():
    X, _, codes = rows(3)
    own = Contribution("A", X, feature_names=tuple("abcdefghijkl"), columns=TABLE)
    scaling = Scaling.of_pool([own])
    scaled = scaling.apply(own)
    np.testing.assert_array_equal(scaled.columns.split(scaled.X).codes, codes)
    np.testing.assert_allclose(scaling.original_features(scaled.columns.conform(scaled.X + 1e-9)), X, atol=1e-6)
    turned = own.in_order(tuple("lkjihgfedcba"))
    np.testing.assert_array_equal(turned.columns.split(turned.X).codes, codes)
    np.testing.assert_array_equal(turned.columns.conform(turned.X), X[:, ::-1])


def test_a_feature_belongs_to_one_column():
    with pytest.raises(ValueError, match="each of 2 features belongs to one column"):
        Columns.of([Number("a", 0), Boolean("b", 0)])
    with pytest.raises(ValueError, match="columns of party 'A' are of 12 features but X has 2"):
        Contribution("A", np.zeros((3, 2)), columns=TABLE)


def test_what_columns_hold_is_taken_with_care():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [
            np.arange(30) % 2,
            rng.poisson(2, 30),
            rng.normal(0, 1, 30),
            rng.exponential(size=30),
            rng.normal(100, 5, 30),
            np.full(30, 7.0),
            1e300 * rng.random(30),
        ]
    )
    columns = infer_columns(X, tuple("abcdefg"))
    assert columns.findings() == {
        "whole numbers": ["b", "f"],
        "0 or 1": ["a"],
        "not below 0": ["b", "d", "g"],
    }
    assert infer_columns(X[:9], tuple("abcdefg")).findings() == {}
    assert infer_columns(np.ones((20, 1)), ["one"]).findings() == {"whole numbers": ["one"]}


def test_numbers_keep_their_decimals():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.round(rng.normal(0, 3, 40), k) for k in (1, 3, 15)])
    columns = infer_columns(X, tuple("abc"))
    assert [number.decimals for number in columns.numbers] == [1, 3, None]
    np.testing.assert_array_equal(columns.conform(X), X)
    drawn = columns.conform(rng.normal(0, 3, (50, 3)))
    np.testing.assert_array_equal(
        drawn, np.column_stack([np.round(drawn[:, 0], 1), np.round(drawn[:, 1], 3), drawn[:, 2]])
    )
    assert [f"{value:.17g}" for value in columns.conform(np.full((1, 3), 1.1449))[0]] == [
        *(f"{value:.17g}" for value in (1.1, 1.145, 1.1449)),
    ]


@pytest.mark.parametrize(
    ("low", "high", "ends"), [(0.55, 2.449, (0.6, 2.4)), (1.1, 2.2, (1.1, 2.2)), (-0.05, 0.0, (0.0, 0.0))]
)
def test_bounds_between_two_numbers_of_the_column_are_rounded_inwards(low, high, ends):
    column = Number("a", 0, low, high, decimals=1)
    found = column.allowed(np.array([-9.0, 9.0]))
    assert tuple(found) == ends
    np.testing.assert_array_equal(column.allowed(found), found)


def test_a_schema_is_not_overruled():
    known = Columns.of([Number("change", 0, low=-10.0), Number("count", 1, low=0.0, whole=True)])
    found = known.refined(np.column_stack([np.arange(20.0), np.arange(20.0)]))
    assert found.findings(known) == {"whole numbers": ["change"]}
    assert found.numbers[0].low == -10.0
