"""What docs/ prints is so: its code runs, its commands are understood, its numbers come out.

deployment.md and extending.md have tests of their own (tests/deployment/test_guide.py, tests/test_extending.py).
"""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from guerdon.plugins import build
from guerdon.rewards import certify
from guerdon.shapley import exact_shapley
from guerdon.types import TableGame
from simulations import cli
from simulations.scenarios import load_scenario, scenario_names

ROOT = Path(__file__).parents[1]
PAGES = {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in (ROOT / "docs").rglob("*.md")}
PAGES["README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
PART = re.findall(r"```python\n(.*?)```", PAGES["docs/tutorials/part.md"], flags=re.DOTALL)

BUNDLED = (
    "breast-cancer",
    "breast-cancer-diagnosis",
    "credit-ratings",
    "diabetes",
    "digits",
    "digits-gradients",
    "digits-training-time",
    "friedman",
)
"""Scenarios whose data come with scikit-learn or are drawn."""


def commands(module: str) -> list[tuple[str, ...]]:
    """The arguments of every ``python -m MODULE`` that stands on a line of its own, without comments."""
    found = set()
    for text in PAGES.values():
        joined = text.replace("\\\n", " ")
        for line in re.findall(rf"^ *python -m {re.escape(module)} (.*)$", joined, flags=re.MULTILINE):
            found.add(tuple(shlex.split(line, comments=True)))
    return sorted(found)


SIMULATIONS = commands("simulations")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's working directory, with the modules of the documentation in it; none stays imported."""
    (tmp_path / "my_module.py").write_text(PART[0])
    for name, content in re.findall(r"```python\n# (my_\w+\.py)\n(.*?)```", PAGES["docs/extending.md"], re.DOTALL):
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("my_")]:
        del sys.modules[name]


def test_there_are_commands_to_try() -> None:
    assert {command[0] for command in SIMULATIONS} >= {
        "run",
        "resume",
        "compare",
        "report",
        "export",
        "prepare",
        "paper",
    }


@pytest.mark.parametrize("command", SIMULATIONS, ids=" ".join)
def test_every_option_and_argument_is_understood(command: tuple[str, ...]) -> None:
    name, *arguments = command
    known = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    assert name in known
    known[name].make_context(name, arguments)


OWN_FILES = ("mine.toml", "my.csv")
"""What docs/scenarios.md builds and tests/simulations/test_own_data.py runs as printed."""

TRIED = [
    command
    for command in SIMULATIONS
    if command[0] in ("run", "prepare", "resume") and not any(name in " ".join(command) for name in OWN_FILES)
]


@pytest.mark.parametrize("command", TRIED, ids=" ".join)
def test_what_is_run_can_be_prepared(
    command: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that ``run`` checks before it starts Flower; ``resume`` takes the overrides of a run of its own."""
    name, scenario, *options = command
    if name == "resume":
        scenario = "diabetes"
    if scenario in ("SCENARIO", "my.toml"):
        return
    assert load_scenario(scenario).name == scenario
    if scenario in BUNDLED:
        if "--seeds" in options:
            at = options.index("--seeds")
            del options[at : at + 2]
        assert cli.main(["prepare", scenario, *options]) == 0, capsys.readouterr().err


def test_all_scenarios_are_named_in_the_documentation() -> None:
    everything = "\n".join(PAGES.values())
    assert [name for name in scenario_names() if not re.search(rf"\b{name}\b", everything)] == []


@pytest.mark.parametrize("module", ["clients", "server"])
def test_subcommands_exist(module: str) -> None:
    if module == "clients":
        from clients.__main__ import cli as app
    else:
        from server.__main__ import cli as app  # type: ignore[assignment]
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    told = {command[0] for command in commands(module)}
    told |= set(re.findall(rf"`python -m {module} ([a-z-]+)", "\n".join(PAGES.values())))
    assert told
    assert told <= set(known)


def test_parts_in_the_tables_are_built_as_written(tmp_path: Path) -> None:
    from server.config import RunConfig

    offered = re.findall(r"^\| `(\w+)` \| (.*?) \| ", PAGES["docs/using/parts.md"], flags=re.MULTILINE)
    assert len(offered) == 8
    models = re.findall(r"^\| (`\w+\(.*\)`) \| ", PAGES["docs/rewards/model.md"], flags=re.MULTILINE)
    assert len(models) == 4
    for key, cell in [*offered, *(("model", model) for model in models)]:
        for text in re.findall(r"`(.*?)`", cell):
            synthetic = key in ("generator", "features") or any(
                name in text for name in ("Rectified", "Weighted", "Discrepancy")
            )
            config: dict[str, Any] = {key: text, "parties": "a,b", "output-dir": str(tmp_path)}
            if key != "strategy":
                config["strategy"] = "SyntheticDataRewards()" if synthetic else "ModelRewards()"
            if "Logistic" in text:
                config["strategy"] = "ClassificationRewards()"
            RunConfig.parse(config).build_parts()


def test_the_tutorial_s_scheme_works_as_printed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    scheme = build("my_module:EqualReward(share=0.75)", {})
    game = TableGame(np.array([0.0, 7.0, 5.0, 8.0]))
    phi = exact_shapley(game.values)
    targets = scheme(phi, game)
    assert targets.values.tolist() == [6.0, 6.0]
    assert not certify(game, phi, targets).F3.holds
    assert len(PART[0].splitlines()) <= 25


def test_the_tutorial_s_library_example_works_as_printed() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(PART[1], "part.md", "exec"), {})
    lines = [line.split() for line in printed.getvalue().splitlines()]
    assert [line[0] for line in lines] == ["east", "north", "west"]
    assert all(float(line[1]) > 0 for line in lines)


def test_the_tutorial_s_scheme_in_the_library_example_keeps_and_breaks_what_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    names: dict[str, Any] = {}
    text = PART[1].replace('RhoShapley("stable")', "EqualReward(share=0.9)")
    with redirect_stdout(io.StringIO()):
        exec(compile("from my_module import EqualReward\n" + text, "part.md", "exec"), names)
    assert not names["result"].certificate.F3.holds


def test_the_tutorial_s_suite_passes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    names: dict[str, Any] = {}
    exec(compile(PART[2], "part.md", "exec"), names)
    names["TestEqualReward"]().run()


@pytest.fixture(scope="module")
def hospitals() -> dict[str, Any]:
    """What the notebook's cells leave behind."""
    import matplotlib as mpl

    mpl.use("Agg")
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()):
        for cell in json.loads((ROOT / "examples" / "negotiation.ipynb").read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    names["plt"].close("all")
    return names


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each row of a page's tables, by the first one."""
    lines = [line.strip("|").split("|") for line in PAGES[page].splitlines() if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in lines}


def test_the_coalitions_of_the_example_are_worth_what_is_said(hospitals: dict[str, Any]) -> None:
    told, table = rows("docs/concepts/mechanism.md"), hospitals["game"].table()
    parties = hospitals["valued"].parties
    for mask in range(1, 8):
        members = [parties[i] for i in range(3) if mask >> i & 1]
        (value,) = told["all three" if mask == 7 else ", ".join(members)]
        assert float(value) == pytest.approx(table[mask], abs=0.006)


def test_the_example_s_shapley_values_are_what_is_said(hospitals: dict[str, Any]) -> None:
    told, phi = rows("docs/concepts/shapley.md"), hospitals["shapley"].values
    for i, party in enumerate(hospitals["valued"].parties):
        want = [hospitals["alone"][i], phi[i], phi[i] / phi.max()]
        assert [float(cell) for cell in told[party]] == pytest.approx(want, abs=0.006)


def test_the_example_s_thresholds_are_what_is_said(hospitals: dict[str, Any]) -> None:
    told, thresholds = rows("docs/concepts/rewards.md"), hospitals["thresholds"]
    assert told["rho_r"][1].startswith(f"{thresholds.rational:.3f}")
    assert told["rho_s"][1].startswith(f"{thresholds.stable:.3f}")
    game, shapley = hospitals["game"], hospitals["shapley"]
    beyond = certify(game, shapley, hospitals["RhoShapley"](thresholds.stable + 0.01)(shapley, game))
    assert "{elders, youth}" in beyond.R6.witness
    assert f"{game.table()[0b110]:.2f}" in PAGES["docs/concepts/rewards.md"]


def test_every_condition_of_the_certificate_is_explained(hospitals: dict[str, Any]) -> None:
    told = rows("docs/concepts/certificate.md")
    for check in hospitals["valued"].certificate:
        assert check.title.split(" (")[0] in told[check.name][0] or check.name == "stability"


def test_pages_load_nothing_from_elsewhere() -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in config
    assert "http" not in config.replace("site_url", "")
    assert not re.findall(r"!\[[^]]*\]\(http", "\n".join(PAGES.values()))


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.removeprefix("docs/") for page in PAGES if page != "README.md"]
    assert [page for page in pages if page not in nav] == []
