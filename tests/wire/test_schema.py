"""The schema: read, written, hashed, and refused with the reason."""

from __future__ import annotations

import pytest

from wire.schema import Column, Schema, SchemaError

TEXT = """
target = "sick"
missing-values = ["", "NA"]

[columns.age]
minimum = 0
maximum = 120

[columns.pain]
type = "category"
values = ["typical", 2, "3.0"]
missing = "drop"

[columns.chol]
missing = 240.0
flag-missing = true
unit = "mg/dl"

[columns.sick]
type = "boolean"
"""


def test_a_schema_says_which_features_there_are_in_which_order() -> None:
    schema = Schema.from_toml(TEXT)
    assert schema.features == ("age", "pain=typical", "pain=2", "pain=3.0", "chol", "chol missing")
    assert schema.target == "sick"
    assert schema.columns[0] == Column("age", minimum=0.0, maximum=120.0)
    assert schema.columns[2].fills
    assert not schema.columns[1].fills


def test_what_is_sent_is_what_was_written_and_has_one_hash() -> None:
    schema = Schema.from_toml(TEXT)
    assert Schema.from_json(schema.to_json()) == schema
    assert Schema.from_json(schema.to_json()).hash == schema.hash
    assert len(schema.hash) == 64


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("maximum = 120", "maximum = 121"),
        TEXT.replace("240.0", "241.0"),
        TEXT.replace('"drop"', '"refuse"'),
        TEXT.replace('"NA"', '"na"'),
        TEXT.replace('"typical", 2', '2, "typical"'),
        TEXT.replace('target = "sick"', 'target = ""'),
    ],
)
def test_whatever_changes_what_is_sent_changes_the_hash(other: str) -> None:
    assert other != TEXT
    assert Schema.from_toml(other).hash != Schema.from_toml(TEXT).hash


def test_defaults_written_out_do_not_change_the_hash() -> None:
    longer = TEXT.replace("[columns.age]", '[columns.age]\ntype = "number"\nmissing = "refuse"\nflag-missing = false')
    assert Schema.from_toml(longer).hash == Schema.from_toml(TEXT).hash
    zero = Schema.from_toml("[columns.a]\nminimum = 0\nmissing = 0.0")
    assert zero.columns[0].minimum == 0.0
    assert Schema.from_json(zero.to_json()) == zero


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[columns", "not TOML"),
        ("", "names its columns"),
        ("nonsense = 1\n[columns.a]", "got nonsense besides"),
        ("[columns.a]\ncolour = 3", "there is no colour; the keys are"),
        ('[columns.a]\ntype = "time"', "type must be number, category, boolean, date, got 'time'"),
        ('[columns.a]\ntype = "date"\nminimum = "3.4.2020"', "minimum is a day such as 2020-03-04, got '3.4.2020'"),
        ('[columns.a]\ntype = "date"\nminimum = 2021-01-01\nmaximum = 2020-01-01', "2021-01-01 is above its maximum 20"),
        ('[columns.a]\ntype = "date"\nmissing = 1e9', "missing is a day such as 2020-03-04, got 1000000000.0"),
        ('[columns.a]\ntype = "boolean"\nwhole = true', "whole is true or false, of a number"),
        ('[columns.a]\ntype = "category"', "a category has values"),
        ('[columns.a]\nvalues = ["x"]', "a category has values"),
        ('[columns.a]\ntype = "category"\nvalues = ["1", 1.0]', "its values must differ, got 1, 1"),
        ("[columns.a]\nminimum = 3\nmaximum = 2", "minimum 3 is above its maximum 2"),
        ('[columns.a]\nminimum = "3"', "must be a finite number, got '3'"),
        ('[columns.a]\ntype = "boolean"\nminimum = 0', "only a number or a date has a minimum"),
        ("[columns.a]\nflag-missing = true", "flag-missing needs a value"),
        ('[columns.a]\nmissing = "guess"', "missing must be 'refuse', 'drop' or what stands in for a gap, got 'guess'"),
        ('[columns.a]\ntype = "category"\nvalues = ["x"]\nmissing = "y"', "'refuse', 'drop' or one of x, got 'y'"),
        ('[columns.a]\ntype = "boolean"\nmissing = 2', "what stands in for a gap, got 2"),
        ('target = "b"\n[columns.a]', "target = 'b' is none of the columns a"),
        ('target = "a"\n[columns.a]', "no column besides the target"),
        ('target = "a"\n[columns.a]\nmissing = 1.0\n[columns.b]', "a target is never made up"),
        ('[columns.a]\ntype = "category"\nvalues = ["x"]\n[columns."a=x"]', "feature of the same name: a=x"),
    ],
)
def test_a_schema_that_can_not_be_used_says_why(text: str, problem: str) -> None:
    with pytest.raises(SchemaError, match=problem):
        Schema.from_toml(text)


def test_what_no_mediator_would_send_is_refused() -> None:
    for text in ("", "[]", "{}", '{"columns": [1]}', '{"columns": [{"type": "number"}]}'):
        with pytest.raises(SchemaError):
            Schema.from_json(text)
