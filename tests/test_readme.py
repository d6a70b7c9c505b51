"""The README: two commands, three minutes, nothing that is not so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import guerdon

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_stand_alone_on_their_lines() -> None:
    for command in ("pip install -e . && python -m simulations run diabetes", 'pip install -e ".[dev]" && pytest'):
        assert [line.strip() for line in README.splitlines()].count(command) == 1


def test_three_minutes_are_enough() -> None:
    assert len(re.sub(r"\([^)]*\)", "", README).split()) < 660  # at 220 words a minute


def test_whoever_reads_of_fairness_reads_of_honesty_too() -> None:
    first = next(paragraph for paragraph in README.split("\n\n") if re.search(r"\bfair", paragraph))
    assert "assumed to be honest" in first


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (cited,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert project["version"] == guerdon.__version__ == cited
    assert f"## {guerdon.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_what_it_points_to_is_there() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text):
            assert (ROOT / path).is_file(), f"{name}: {path}"
