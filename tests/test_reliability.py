"""Each promise of docs/reliability.md and SECURITY.md names a test, and there is one of that name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHO_CAN = "## What a mediator, a party, several parties and an outsider can do"


def table() -> list[list[str]]:
    """The rows of the table of who can do what, by cell."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    section = text.partition(WHO_CAN)[2].partition("\n\n|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines()[2:]]


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row[0]} {row[1]}"[:60])
def test_each_row_names_tests_that_there_are(row: list[str]) -> None:
    who, tries, happens, shown = row
    assert all((who, tries, happens))
    found = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert found
    assert re.sub(r"`[^`]*`|, ", "", shown) == ""
    for path, name in found:
        names = [
            node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)
        ]
        assert name in names


def test_all_four_are_in_it() -> None:
    assert {"a mediator", "a party", "several parties", "an outsider"} <= {row[0] for row in table()}


@pytest.mark.parametrize(
    "page", ["SECURITY.md", *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md"))]
)
def test_every_file_of_tests_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not [path for path in re.findall(r"`(tests/[\w/]+\.py)", text) if not (ROOT / path).is_file()]
