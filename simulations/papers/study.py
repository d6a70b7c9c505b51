"""A study: independent tasks over the cores, their results in one Parquet file with which an interrupted run goes on.

    tasks(options) -> run those that the file lacks -> draw(results) -> pictures and tables

A task's key says everything that its numbers depend on, so that a key in the file is a task that need not run again.
A task whose numbers don't exist raises ``ImpossibleTaskError``: the reason is its result, those that wait for it are
left out, and the study goes on and draws what there is.
Studies that look at the same results share one file: what one of them has computed, the others only draw.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import polars as pl

from guerdon.threads import one_thread
from simulations.engines import Local, engine_of

__all__ = [
    "IMPOSSIBLE",
    "ImpossibleTaskError",
    "Options",
    "Outcome",
    "Study",
    "StudyError",
    "Task",
    "run_study",
    "without_generator",
]

KEY = "task"

IMPOSSIBLE = "impossible"
"""The column with the reason of a task that has no numbers; null in other rows, absent where every task has some."""

Row = Mapping[str, Any]
Report = Callable[[int, int], None]
"""Called as ``report(tasks done, tasks in all)``."""


class StudyError(ValueError):
    """A study can't be run as asked; the message says what was expected and how to mend it."""


class ImpossibleTaskError(StudyError):
    """A task's numbers don't exist, and won't if it runs again; the message says why."""


@dataclass(frozen=True)
class Options:
    """How much of a study to run.

    Attributes
    ----------
    quick : a small version that ends in about a minute; its keys differ from those of the full one
    seed : of everything random
    repeats : how many random partitions, draws or the like; the paper's number (or the study's) when None
    only : the part of the study to run, by name of the dimension, such as {"dataset": "mnist"}
    generator_file : a trained generator, for the studies that draw images
    jobs : processes of this machine
    folder : where results, pictures and tables go
    workers : where tasks run: "local", or on a cluster that is there, "ray" or "dask" (``simulations.engines``)
    """

    quick: bool = False
    seed: int = 0
    repeats: int | None = None
    only: Mapping[str, str] = field(default_factory=dict)
    generator_file: Path | None = None
    jobs: int = 1
    folder: Path = Path("papers")
    workers: str = "local"


@dataclass(frozen=True)
class Task:
    """``run(**arguments)`` returns rows of numbers and text; a module-level function, since it travels to a process.

    ``after`` are the keys of tasks that must have run before, whose arrays it reads.
    """

    key: str
    run: Callable[..., Iterable[Row]]
    arguments: Mapping[str, Any]
    after: tuple[str, ...] = ()


class Study(Protocol):
    """One figure or table of a paper.

    A study may offer ``results``, the name of a file of results that it shares with others; its own name if it does
    not.
    """

    @property
    def name(self) -> str:
        """What the command line calls it, such as sim2020-fig2; its files are called so too."""
        ...

    @property
    def title(self) -> str:
        """One line for the list."""
        ...

    def tasks(self, options: Options) -> Sequence[Task]: ...

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        """Pictures and tables from the rows of these tasks, into ``options.folder``; returns what was written."""
        ...


def without_generator(options: Options, name: str) -> None:
    """Refuse a generator where nothing is drawn from one."""
    if options.generator_file is not None:
        raise StudyError(f"{name} draws nothing from a generator: leave --generator-file out")


class Outcome(NamedTuple):
    """The files written, the results first; and the reason for each task that has no numbers, by its key."""

    written: list[Path]
    missing: dict[str, str]


def run_study(study: Study, options: Options, report: Report = lambda done, total: None) -> Outcome:
    """Run the tasks that are not in ``folder/RESULTS.parquet`` yet, then draw.

    Results are written after every task, whole or not at all. Tasks run one a process with one BLAS thread each, here
    or on a cluster; those that wait for others when all that don't have ended.

    Raises
    ------
    StudyError
        Nothing is left to run under ``options.only``, or the file holds no results of this study.
    """
    tasks = study.tasks(options)
    if not tasks:
        raise StudyError(f"{study.name}: nothing to run for {dict(options.only)}; see `paper --help`")
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"{getattr(study, 'results', study.name)}.parquet"
    results = _read(path, study.name)
    known = set() if results is None else set(results[KEY].to_list())
    missing = _impossible(results)
    todo = [task for task in tasks if task.key not in known]
    done = len(tasks) - len(todo)
    report(done, len(tasks))
    engine = engine_of(options.workers, options.jobs) if todo else Local(1)
    for wave in _waves(todo, known, study.name):
        possible = [task for task in wave if missing.keys().isdisjoint(task.after)]
        for rows in engine.unordered(_rows, possible) if possible else ():
            results = rows if results is None else pl.concat([results, rows], how="diagonal_relaxed")
            _write(results, path)
            done += 1
            report(done, len(tasks))
        missing |= _impossible(results)
        for task in wave:
            if not missing.keys().isdisjoint(task.after):  # it waits for one that is missing, and is missing with it
                missing[task.key] = next(missing[key] for key in task.after if key in missing)
                done += 1
                report(done, len(tasks))
    assert results is not None  # there was a task, so there are rows
    # In the order of the tasks, whatever the order of arrival.
    order = pl.DataFrame({KEY: [task.key for task in tasks], "_place": range(len(tasks))})
    wanted = results.join(order, on=KEY, how="inner", maintain_order="left").sort("_place", maintain_order=True)
    drawn = study.draw(wanted.drop("_place"), options)
    return Outcome([path, *drawn], {task.key: missing[task.key] for task in tasks if task.key in missing})


def _impossible(results: pl.DataFrame | None) -> dict[str, str]:
    """The reasons in the file, by key."""
    if results is None or IMPOSSIBLE not in results.columns:
        return {}
    return dict(results.filter(pl.col(IMPOSSIBLE).is_not_null()).select(KEY, IMPOSSIBLE).iter_rows())


def _waves(tasks: Sequence[Task], known: set[str], name: str) -> Iterator[list[Task]]:
    """The tasks in groups, each of which waits for no other than those of the groups before it."""
    known = set(known)
    while tasks:
        wave = [task for task in tasks if known.issuperset(task.after)]
        if not wave:
            missing = sorted(set(tasks[0].after) - known)
            raise StudyError(f"{name}: task {tasks[0].key} waits for {', '.join(missing)}, which nothing makes")
        yield wave
        known |= {task.key for task in wave}
        tasks = [task for task in tasks if task.key not in known]


def _rows(task: Task) -> pl.DataFrame:
    with one_thread():
        try:
            rows = [{KEY: task.key, **row} for row in task.run(**task.arguments)]
        except ImpossibleTaskError as error:
            rows = [{KEY: task.key, IMPOSSIBLE: str(error)}]
    if not rows:
        raise StudyError(f"task {task.key} came back without a row")
    return pl.DataFrame(rows, infer_schema_length=None)


def _read(path: Path, name: str) -> pl.DataFrame | None:
    if not path.exists():
        return None
    try:
        results = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StudyError(
            f"{path} can't be read as results of {name}: {error}. Move it away to start afresh."
        ) from error
    if KEY not in results.columns:
        raise StudyError(f"{path} holds no results of {name}: it has no column {KEY!r}. Move it away to start afresh.")
    return results


def _write(results: pl.DataFrame, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    results.write_parquet(part)
    os.replace(part, path)
