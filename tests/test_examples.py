"""Every example runs, as it stands, and comes to what it says."""

from __future__ import annotations

import io
import json
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

FOLDER = Path(__file__).parents[1] / "examples"
NOTEBOOK = FOLDER / "negotiation.ipynb"


def run(name: str) -> list[list[str]]:
    """The words of each line that the script prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(FOLDER / name), run_name="__main__")
    return [line.split() for line in printed.getvalue().splitlines() if line]


def test_model_rewards_reach_their_targets() -> None:
    lines = run("model_rewards.py")
    parties = {line[0]: line for line in lines if line[0] in ("small", "middle", "large")}
    assert len(parties) == 3
    assert all(line[4] == line[5] for line in parties.values())  # target, reached
    assert parties["large"][6] == "0"  # who contributed most gets the pool's own model
    assert all(float(line[9]) < float(line[7]) for line in parties.values())  # and all predict better
    assert ["R6", "holds"] in [line[:2] for line in lines]


def test_synthetic_rewards_reach_their_targets_and_come_closer() -> None:
    lines = run("synthetic_rewards.py")
    parties = [line for line in lines if line[0] in ("hospital", "oncology", "screening")]
    assert len(parties) == 3
    for _, _, _, target, reached, got, before, _, after in parties:
        assert float(reached) >= float(target)
        assert int(got) > 0
        assert float(after) <= float(before)
    assert "holds." in lines[-1]


def test_own_parts_pass_their_suites() -> None:
    lines = run("own_parts.py")
    assert lines[0] == ["both", "suites", "pass"]
    assert lines[-1] == ["does", "not", "hold:", "R7"]


def test_the_notebook_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code cells one after another in one namespace, which is what a kernel does."""
    mpl.use("Agg")
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    printed, names = io.StringIO(), dict[str, Any]()
    with redirect_stdout(printed):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, {cell['id']}", "exec"), names)
    assert "rho = 0.0: noise variances [0. 0. 0.]" in printed.getvalue()
    assert names["rewards"].shape == (51, 3)
    names["plt"].close("all")


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_the_documentation_names_every_example() -> None:
    text = (FOLDER.parent / "docs" / "examples.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted(FOLDER.iterdir()) if path.is_file() and path.name not in text] == []
