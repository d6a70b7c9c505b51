"""What ``python -m simulations paper`` does: find the studies, run them with a progress bar, say what was written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from simulations.papers import find_studies
from simulations.papers.study import Options, Study, StudyError, run_study
from wire.terminal import Screen

__all__ = ["only_parts", "run_papers", "run_with_bar"]


def run_papers(
    name: str,
    *,
    quick: bool = False,
    repeats: int | None = None,
    only: Sequence[str] = (),
    generator_file: Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
    workers: str = "local",
    folder: Path = Path("papers"),
) -> dict[str, str]:
    """Run and draw every study that ``name`` stands for; results go to ``folder``.

    Returns the reason for each task that has no numbers, by its key: empty where nothing is missing.
    """
    studies = find_studies(name)
    options = Options(
        quick, seed, repeats, only_parts(only), generator_file, jobs or os.cpu_count() or 1, folder, workers
    )
    console = Screen()
    if len(studies) > 1:  # of a whole paper, what --only leaves
        studies = tuple(study for study in studies if study.tasks(options))
        if not studies:
            raise StudyError(f"{name}: nothing to run for --only {', '.join(only)}; see `paper --help`")
    missing: dict[str, str] = {}
    for study in studies:
        missing |= run_with_bar(study, options, console)
    return missing


def run_with_bar(study: Study, options: Options, console: Screen) -> dict[str, str]:
    """Run one study with a progress bar, and say what was written; returns the reasons of tasks without numbers."""
    console.print(f"[bold]{study.name}[/bold]  {study.title}", highlight=False)
    with _bar(console) as bar:
        row = bar.add_task("tasks", total=None)
        outcome = run_study(study, options, partial(_advance, bar, row))
    for path in outcome.written:
        console.print(f"  {path}", highlight=False, markup=False, soft_wrap=True)
    return outcome.missing


def _advance(bar: Progress, row: TaskID, done: int, total: int) -> None:
    bar.update(row, completed=done, total=total)


def only_parts(only: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping."""
    parts = {}
    for text in only:
        key, separator, value = (piece.strip() for piece in text.partition("="))
        if not (key and separator and value):
            raise StudyError(f"--only takes KEY=VALUE, such as dataset=mnist, got {text!r}")
        parts[key] = value
    return parts


def _bar(console: Screen) -> Progress:
    columns = (TextColumn("  "), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)
