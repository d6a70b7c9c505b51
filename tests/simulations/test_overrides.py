"""Overrides: typed as in TOML, bare texts welcome."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.overrides import OverrideError, parse_overrides


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=1", 1),
        ("k = 0.5", 0.5),
        ("k=true", True),
        ("k=True", "True"),
        ("k=", ""),
        ("k='a b'", "a b"),
        ('k="7"', "7"),
        ("k=RhoShapley(rho='stable')", "RhoShapley(rho='stable')"),
        ("k=a,b", "a,b"),
        ("k=/a/b c", "/a/b c"),
        ("k=a=b", "a=b"),
        ("k=2026-01-31", "2026-01-31"),
        ("k=1\nj=2", "1\nj=2"),
        ("k=[1, 2]", [1, 2]),
        ("k=1 # one", 1),
    ],
)
def test_values(text: str, value: Any) -> None:
    parsed = parse_overrides([text])["k"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_the_last_one_wins() -> None:
    assert parse_overrides(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}


@pytest.mark.parametrize("text", ["seed", "=7", ""])
def test_what_is_no_override(text: str) -> None:
    with pytest.raises(OverrideError, match="write key=value"):
        parse_overrides([text])


def test_reserved_keys_say_what_to_do() -> None:
    with pytest.raises(OverrideError, match="use --output-dir"):
        parse_overrides(["run-dir=/x"], {"run-dir": "use --output-dir"})


@given(st.text())
def test_any_text_is_a_value(text: str) -> None:
    assert set(parse_overrides([f"k={text}"])) == {"k"}
