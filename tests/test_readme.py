"""What the README prints is what runs."""

from __future__ import annotations

import io
import re
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import guerdon
from guerdon.plugins import build
from guerdon.rewards import certify
from guerdon.shapley import exact_shapley
from guerdon.types import TableGame

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_two_commands_stand_alone_on_their_lines() -> None:
    for command in ("pip install -e . && python -m simulations run diabetes", 'pip install -e ".[dev]" && pytest'):
        assert [line.strip() for line in README.splitlines()].count(command) == 1


def test_the_scheme_of_ones_own_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_module.py").write_text(BLOCKS[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    scheme = build("my_module:EqualReward(share=0.75)", {})
    game = TableGame(np.array([0.0, 7.0, 5.0, 8.0]))
    phi = exact_shapley(game.values)
    targets = scheme(phi, game)
    assert targets.values.tolist() == [6.0, 6.0]
    assert not certify(game, phi, targets).F3.holds
    assert len(BLOCKS[0].splitlines()) <= 25


def test_the_library_example_works_as_printed() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(BLOCKS[1], "README.md", "exec"), {})
    lines = [line.split() for line in printed.getvalue().splitlines()]
    assert [line[0] for line in lines] == ["east", "north", "west"]
    assert all(float(line[1]) > 0 for line in lines)


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == guerdon.__version__


def test_files_the_readme_shows_exist() -> None:
    for path in re.findall(r"!\[[^]]*\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).is_file(), path
