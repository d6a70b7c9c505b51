"""A contribution held against the announced schema: each way not to keep to it is found, and no value is quoted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from clients.encoding import encode
from clients.table import PartyTable
from guerdon.types import Contribution
from strategies.schema_check import breach
from wire.schema import Schema

SCHEMA = Schema.from_toml(
    """
    target = "outcome"
    [columns.age]
    minimum = 0
    maximum = 120
    [columns.sex]
    type = "category"
    values = ["f", "m", "x"]
    missing = "x"
    flag-missing = true
    [columns.smoker]
    type = "boolean"
    [columns.weight]
    minimum = 20
    missing = -1.0
    flag-missing = true
    [columns.height]
    minimum = 20
    missing = 0.0
    [columns.outcome]
    type = "boolean"
    """
)
TABLE = pl.DataFrame(
    {
        "age": [30.5, 40.0, 50.0],
        "sex": ["f", None, "m"],
        "smoker": [True, False, True],
        "weight": [70.0, None, 61.0],
        "height": [170.0, None, 161.0],
        "outcome": [1, 0, 1],
    }
)


def honest() -> Contribution:
    encoded = encode(PartyTable.of(TABLE), SCHEMA)
    assert encoded.problems == ()
    return Contribution("ada", encoded.X, encoded.y, SCHEMA.features)


def spoilt(name: str, row: int, value: float) -> Contribution:
    contribution = honest()
    X, y = np.array(contribution.X), np.array(contribution.y)
    if name == "outcome":
        y[row] = value
    else:
        X[row, SCHEMA.features.index(name)] = value
    return replace(contribution, X=X, y=y)


def test_what_the_schema_makes_of_a_file_keeps_to_it() -> None:
    assert breach(honest(), SCHEMA) == ""
    names = SCHEMA.features[::-1]
    assert breach(honest().in_order(names), SCHEMA) == ""


@pytest.mark.parametrize(
    ("name", "row", "value", "says"),
    [
        ("age", 0, 1.23456e6, "column 'age': 1 of 3 values are above the maximum 120"),
        ("age", 0, -0.123456, "column 'age': 1 of 3 values are below the minimum 0"),
        ("sex=f", 0, 0.123456, "column 'sex': 1 of 2 values are not exactly one of its categories"),
        ("sex=m", 0, 1.0, "column 'sex': 1 of 2 values are not exactly one of its categories"),
        ("sex=f", 0, 0.0, "column 'sex': 1 of 2 values are not exactly one of its categories"),
        ("sex missing", 0, 0.123456, "column 'sex': what flags its gaps holds something else than 0 and 1"),
        ("sex missing", 0, 1.0, "column 'sex': where a gap is flagged stands something else"),
        ("smoker", 1, 1.3, "column 'smoker': 1 of 3 values are neither 0 nor 1"),
        ("weight", 1, 0.123456, "column 'weight': where a gap is flagged stands something else"),
        ("weight missing", 1, 0.0, "column 'weight': 1 of 3 values are below the minimum 20"),
        ("weight", 0, 12.3456, "column 'weight': 1 of 2 values are below the minimum 20"),
        ("height", 0, 12.3456, "column 'height': 1 of 2 values are below the minimum 20"),
        ("outcome", 2, 3.0, "column 'outcome': 1 of 3 values are neither 0 nor 1"),
    ],
)
def test_each_lie_is_found(name: str, row: int, value: float, says: str) -> None:
    found = breach(spoilt(name, row, value), SCHEMA)
    assert found.startswith(says)
    assert "123456" not in found.replace(".", "")


def test_a_category_as_target_is_its_place() -> None:
    schema = Schema.from_toml("target = 'c'\n[columns.a]\n[columns.c]\ntype = 'category'\nvalues = ['u', 'v']\n")
    assert breach(Contribution("ada", np.zeros((2, 1)), np.array([0.0, 1.0]), ("a",)), schema) == ""
    assert "1 of 2 values are no place among its 2" in breach(
        Contribution("ada", np.zeros((2, 1)), np.array([0.0, 0.5]), ("a",)), schema
    )


def test_other_columns() -> None:
    contribution = honest()
    other = replace(contribution, feature_names=("years", *SCHEMA.features[1:]))
    assert breach(other, SCHEMA) == "column 'age' of the schema is missing"
    more = replace(
        contribution, X=np.column_stack([contribution.X, np.zeros(3)]), feature_names=(*SCHEMA.features, "z")
    )
    assert breach(more, SCHEMA) == "column 'z' is not in the schema"
