"""Parts by name: literals only, and every refusal says what was expected and what is on offer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.models import GaussianProcess
from guerdon.plugins import Call, PluginError, build, module_of, parse_call
from guerdon.rewards import RhoShapley
from guerdon.shapley import Auto, ExactShapley, PermutationShapley


def kept(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


OFFER = {"RhoShapley": RhoShapley, "Auto": Auto, "ExactShapley": ExactShapley, "kept": kept, "complex": complex}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RhoShapley(rho='stable')", RhoShapley("stable")),
        ("RhoShapley(0.5)", RhoShapley(0.5)),
        ("  Auto  ", Auto()),
        ("Auto()", Auto()),
        ("Auto(permutations=10)", Auto(10)),
        ("complex(real=-1, imag=2)", -1 + 2j),
        ("guerdon.shapley:PermutationShapley(permutations=10)", PermutationShapley(10)),
        ("guerdon.shapley : PermutationShapley", PermutationShapley()),
    ],
)
def test_parts_are_built(text: str, expected: Any) -> None:
    assert build(text, OFFER) == expected


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.lists(literals, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "key"]), literals))
def test_every_literal_arrives_as_it_was_written(args: list[Any], kwargs: dict[str, Any]) -> None:
    if any("inf" in repr(value) for value in (*args, *kwargs.values())):
        return  # Python has no literal for infinity
    written = ", ".join([repr(arg) for arg in args] + [f"{key}={value!r}" for key, value in kwargs.items()])
    assert build(f"kept({written})", OFFER) == (tuple(args), kwargs)


@pytest.mark.parametrize(
    "text",
    [
        "kept(1 + 1 * 2)",
        "kept(print('x'))",
        "kept(x=open('/etc/passwd').read())",
        "kept(__import__('os'))",
        "kept(lambda: 0)",
        "kept([x for x in (1, 2)])",
        "kept(f'{1}')",
        "kept(*[1])",
        "kept(x=y)",
        "kept(rho=float('inf'))",
        "kept({[]: 1})",
        "kept({1, [2]})",
    ],
)
def test_expressions_are_not_evaluated(text: str) -> None:
    with pytest.raises(PluginError, match="must be literals"):
        build(text, OFFER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kept(",
        "kept(1))",
        "kept; kept",
        "kept()()",
        "kept.other()",
        "1",
        "'kept'",
        "kept[0]",
        "kept = 1",
        "not kept",
        "guerdon.shapley:",
        "guerdon.shapley:Auto:Auto",
        "kept(\x00)",
    ],
)
def test_what_is_no_part_cannot_be_read(text: str) -> None:
    with pytest.raises(PluginError, match="can't be read"):
        build(text, OFFER)


@pytest.mark.parametrize("text", ["../evil:Part()", "a b:Part", "1module:Part", ".hidden:Part", ":Part"])
def test_module_names_are_names(text: str) -> None:
    with pytest.raises(PluginError, match="is not a module name"):
        build(text, OFFER)


@pytest.mark.parametrize("value", [None, 3, b"Auto()"])
def test_a_part_is_a_string(value: Any) -> None:
    with pytest.raises(PluginError, match="a part is a string such as"):
        build(value, OFFER)


def test_starred_and_repeated_keywords_are_not_read() -> None:
    with pytest.raises(PluginError, match="a keyword is given twice"):
        build("kept(a=1, a=2)", OFFER)
    with pytest.raises(PluginError, match="name every keyword"):
        build("kept(**{'a': 1})", OFFER)


def test_an_unknown_part_is_answered_with_the_nearest_and_the_offer() -> None:
    with pytest.raises(PluginError) as refused:
        build("RhoShaply(rho=1)", OFFER)
    assert "there is no 'RhoShaply'. Did you mean 'RhoShapley'?" in str(refused.value)
    assert "On offer: Auto, ExactShapley, RhoShapley, complex, kept" in str(refused.value)
    assert "module:Name(key=value)" in str(refused.value)
    with pytest.raises(PluginError, match="On offer: nothing"):
        build("Auto", {})


def test_a_part_that_refuses_its_arguments_is_named() -> None:
    with pytest.raises(PluginError, match=r"'RhoShapley\(rho=2\)': rho must be a number in \[0, 1\]"):
        build("RhoShapley(rho=2)", OFFER)
    with pytest.raises(PluginError, match=r"'Auto\(speed=3\)': .*unexpected keyword argument 'speed'"):
        build("Auto(speed=3)", OFFER)
    with pytest.raises(PluginError, match="kernel term 'gaussian'"):
        build("GaussianProcess(kernel='gaussian')", {"GaussianProcess": GaussianProcess})


def test_a_users_own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_schemes_for_a_test.py").write_text(
        "LIMIT = 3\n\nclass EqualReward:\n    def __init__(self, share=1.0):\n        self.share = share\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert build("my_schemes_for_a_test:EqualReward(share=0.5)", {}).share == 0.5
        with pytest.raises(PluginError, match="has no 'EqualRewards'; it has EqualReward"):
            build("my_schemes_for_a_test:EqualRewards()", {})
        with pytest.raises(PluginError, match="'LIMIT' in 'my_schemes_for_a_test' is a int, not a part to call"):
            build("my_schemes_for_a_test:LIMIT", {})
    finally:
        sys.modules.pop("my_schemes_for_a_test", None)
    with pytest.raises(PluginError, match="there is no module 'no_such_module_here'"):
        build("no_such_module_here:Part()", {})


def test_what_a_text_says() -> None:
    assert parse_call("a.b:Part(1, key='x:y')") == Call("a.b", "Part", (1,), {"key": "x:y"})
    assert parse_call("Part(key='a:b')") == Call(None, "Part", (), {"key": "a:b"})
    assert module_of("a.b:Part()") == "a.b"
    assert module_of("Part(key='a:b')") is None


def test_a_wrong_argument_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(PluginError, match=r"'roh'\. Did you mean 'rho'\? RhoShapley takes rho.*\.$"):
        build("RhoShapley(roh=0.5)", OFFER)
    with pytest.raises(PluginError, match=r"takes a=1, \*, b\.|takes a=1, b\."):
        build("Own(c=2)", {"Own": lambda a=1, *, b: None})
    with pytest.raises(PluginError, match=r"takes no arguments\."):
        build("Own(2)", {"Own": lambda: None})
