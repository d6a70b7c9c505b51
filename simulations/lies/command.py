"""What ``python -m simulations lies`` does: run the catalogue with a progress bar, and print what lies earn."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.table import Table

from simulations.lies.study import LieStudy
from simulations.papers.command import only_parts, run_with_bar
from simulations.papers.study import Options
from wire.terminal import Screen

__all__ = ["run_lies"]


def run_lies(
    scenario: str,
    *,
    overrides: Sequence[str] = (),
    quick: bool = False,
    seeds: int | None = None,
    only: Sequence[str] = (),
    seed: int = 0,
    jobs: int | None = None,
    workers: str = "local",
    folder: Path = Path("lies"),
) -> dict[str, str]:
    """Run and draw; results go to ``folder``. Returns the reasons of tasks that have no numbers."""
    study = LieStudy(scenario, tuple(overrides))
    options = Options(quick, seed, seeds, only_parts(only), None, jobs or os.cpu_count() or 1, folder, workers)
    console = Screen()
    missing = run_with_bar(study, options, console)
    rows = pl.read_csv(folder / f"{study.name}.csv").to_dicts()
    for rule in dict.fromkeys(row["rules"] for row in rows):
        console.print(_table(rule, [row for row in rows if row["rules"] == rule]), highlight=False)
    return missing


def _table(rule: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    title = f"{rule}: what a lie earns, less what honesty does (mean ± standard error over seeds)"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("lie", "seeds", "refused", "reward value", "share of value", "true utility", "worst alpha"):
        table.add_column(name, justify="left" if name == "lie" else "right", no_wrap=name != "lie", overflow="fold")
    for row in rows:
        cells = (_cell(row, name) for name in ("reward_change", "share_change", "gain", "alpha_change"))
        pays = row["gain"] is not None and row["gain"] > (row["gain_error"] or 0.0)
        table.add_row(row["lie"], str(row["seeds"]), str(row["refused"]), *cells, style="red" if pays else "")
    return table


def _cell(row: Mapping[str, Any], name: str) -> str:
    mean, error = row[name], row[f"{name}_error"]
    if mean is None or mean != mean:
        return "–"
    return f"{mean:+.3f}" + ("" if error is None or error != error else f" ± {error:.3f}")
