"""Docstrings of everything public in guerdon render: what stands in numpydoc's type slot is a type, not a sentence."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest

import guerdon

NAMED = ("Parameters", "Attributes")
SECTIONS = (*NAMED, "Returns", "Yields")
WORDS = frozenset(
    re.findall(
        r"\w+",
        "int float bool str bytes object array sequence mapping iterator iterable tuple list dict set callable of or "
        "and to in optional number numbers at least kernel inf uint8 float32 float64",
    )
)
"""The lower-case words of types. Names with a capital are classes; shapes (m, d) are left out."""


def documented(module: str) -> Iterator[tuple[str, str]]:
    """(name, docstring) of the module, of each class and function that it makes public, and of their methods."""
    found = importlib.import_module(module)
    yield module, inspect.getdoc(found) or ""
    for name in found.__all__:
        value = getattr(found, name)
        if getattr(value, "__module__", None) != module or not callable(value):
            continue
        yield name, inspect.getdoc(value) or ""
        for method, function in vars(value).items() if inspect.isclass(value) else ():
            if inspect.isfunction(function) and function.__doc__ and (method[0] != "_" or method == "__call__"):
                yield f"{name}.{method}", inspect.getdoc(function) or ""


MODULES = [module.name for module in pkgutil.walk_packages(guerdon.__path__, "guerdon.")]


def entries(text: str) -> Iterator[tuple[str, str]]:
    """(section, line) of each line that opens an entry of a section, so at the section's own indentation."""
    section = None
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""][: len(lines)], strict=True):
        if re.fullmatch(r"-{3,}", below.strip()):
            section = line.strip()
        elif section in SECTIONS and line and not line.startswith((" ", "-")):
            yield section, line


def why_not_a_type(text: str) -> str | None:
    """What in this text no type has, or None where it can be one."""
    bare = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text)  # without shapes and intervals
    if not re.search(r"[A-Za-z]", bare.replace("optional", "")):
        return "no name of a type"
    if re.search(r"[;:=.?!\"`]", bare):
        return "punctuation of a sentence"
    words = re.findall(r"[A-Za-z_][\w.]*", bare)
    wrong = [word for word in words if word.islower() and word not in WORDS and len(word) > 1]
    return f"the words {' '.join(wrong)!r}" if wrong else None


@pytest.mark.parametrize(
    "text",
    ["float", "int, optional", "(m, d) array", "None, float or (m,) array", "float in [0, 1] or str",
     "sequence of n Contribution", "mapping of str to (m, d) array", "Generator"],
)  # fmt: skip
def test_a_type_is_taken_for_one(text: str) -> None:
    assert why_not_a_type(text) is None


@pytest.mark.parametrize(
    "text",
    ["how many coalition values were computed", "(n,) in the unit of the game; sums to v_N", "draws for the estimate",
     "None stops before it: nothing is made", "(n,) rows of each party", "one or (n,), how well errors are known"],
)  # fmt: skip
def test_a_description_is_not(text: str) -> None:
    assert why_not_a_type(text) is not None


@pytest.mark.parametrize("module", MODULES)
def test_types_stand_in_the_type_slot(module: str) -> None:
    wrong = []
    for name, text in documented(module):
        for section, line in entries(text):
            names, colon, kind = line.partition(" : ")
            named = section in NAMED
            if named and (not re.fullmatch(r"\*{0,2}\w+(, \w+)*", names) or (not colon and ":" in line)):
                wrong.append(f"{name}: {line!r} is not name : type")
            elif reason := why_not_a_type(kind if named else kind or line):
                wrong.append(f"{name}: {line!r} has {reason} where a type belongs; descriptions go on the next line")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", MODULES)
def test_parameters_stand_in_a_section_and_not_in_prose(module: str) -> None:
    """``name : what it is; other : ...`` in running text is read as text, and is no table of parameters."""
    wrong = []
    for name, text in documented(module):
        prose = re.split(r"\n\w+( \w+)*\n-{3,}\n", text)[0]
        wrong += [f"{name}: {line}" for line in re.findall(r"(?:^|; )\w+(?:, \w+)* : .*", prose, re.MULTILINE)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_says_what_it_is(module: str) -> None:
    assert [name for name, text in documented(module) if len(text.partition("\n")[0]) < 10] == []


@pytest.mark.parametrize("module", MODULES)
def test_names_that_are_described_exist(module: str) -> None:
    found, wrong = importlib.import_module(module), []
    for name, text in documented(module):
        if name == module:
            continue
        described = [line.partition(" : ")[0] for section, line in entries(text) if section in NAMED]
        if described:
            value = functools.reduce(getattr, name.split("."), found)
            known = {*inspect.signature(value).parameters, *dir(value), *getattr(value, "__annotations__", {})}
            wrong += [f"{name}: {word}" for words in described for word in words.split(", ") if word not in known]
    assert not wrong, "\n".join(wrong)
