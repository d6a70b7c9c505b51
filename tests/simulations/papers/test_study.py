"""Studies resume, order their rows by task, and draw what was asked for; tables say what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
import pytest

from simulations.papers import PAPERS, find_studies
from simulations.papers.figures import figure_style, save_figure
from simulations.papers.study import IMPOSSIBLE, ImpossibleTaskError, Options, StudyError, Task, run_study
from simulations.papers.tables import markdown, save_table


def square(number: int, trace: str) -> list[dict[str, float]]:
    with Path(trace).open("a") as file:
        file.write(f"{number}\n")
    if number == 13:
        raise RuntimeError("unlucky")
    if number == 4321:
        raise ImpossibleTaskError("4321 is too large to square")
    return [{"number": number, "square": number**2, "sign": sign} for sign in (1.0, -1.0)]


@dataclass(frozen=True)
class Squares:
    numbers: tuple[int, ...]
    trace: Path
    name: str = "squares"
    title: str = "Squares of numbers"

    def tasks(self, options: Options) -> list[Task]:
        kept = [n for n in self.numbers if options.only.get("number", str(n)) == str(n)]
        return [Task(f"n{n}", square, {"number": n, "trace": str(self.trace)}) for n in kept]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        return save_table(results, options.folder, self.name)


@dataclass(frozen=True)
class Fixed:
    fixed: tuple[Task, ...]
    name: str = "fixed"
    title: str = "Given tasks"
    results: str = "shared"

    def tasks(self, options: Options) -> tuple[Task, ...]:
        return self.fixed

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        return save_table(results, options.folder, self.name)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(folder=tmp_path / "papers")


def test_it_goes_on_where_it_stopped_and_computes_nothing_twice(options: Options, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(RuntimeError, match="unlucky"):
        run_study(Squares((4, 2, 13, 7), trace), options)
    reported: list[tuple[int, int]] = []
    paths = run_study(Squares((4, 2, 7), trace), options, lambda done, total: reported.append((done, total))).written
    assert trace.read_text().split() == ["4", "2", "13", "7"]
    assert reported == [(2, 3), (3, 3)]
    table = pl.read_csv(paths[1])
    assert table["number"].to_list() == [4, 4, 2, 2, 7, 7]
    assert table["sign"].to_list() == [1.0, -1.0] * 3
    run_study(Squares((7, 2), trace), options)
    assert trace.read_text().count("\n") == 4
    assert pl.read_csv(paths[1])["square"].to_list() == [49, 49, 4, 4], "what was not asked for is kept but not drawn"


def test_the_order_of_arrival_changes_nothing(options: Options, tmp_path: Path) -> None:
    study = Squares((5, 3, 8, 1), tmp_path / "trace")
    one = run_study(study, options).written
    two = run_study(study, replace(options, folder=tmp_path / "two", jobs=2)).written
    assert one[1].read_bytes() == two[1].read_bytes()


def test_a_task_runs_after_those_that_it_waits_for(options: Options, tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    @dataclass(frozen=True)
    class Chain(Squares):
        def tasks(self, options: Options) -> list[Task]:
            """Each number waits for the one after it."""
            tasks = super().tasks(options)
            waiting = [replace(task, after=(later.key,)) for task, later in pairwise(tasks)]
            return [*waiting, tasks[-1]]

    paths = run_study(Chain((4, 2, 7), trace), options).written
    assert trace.read_text().split() == ["7", "2", "4"]
    assert pl.read_csv(paths[1])["number"].to_list() == [4, 4, 2, 2, 7, 7]
    run_study(Chain((5, 4, 2, 7), trace), options)
    assert trace.read_text().split() == ["7", "2", "4", "5"], "what is in the file need not run for those that wait"

    lost = Squares((3,), trace)
    stuck = replace(lost.tasks(options)[0], after=("n9",))
    with pytest.raises(StudyError, match="n3 waits for n9"):
        run_study(Fixed((stuck,)), options)


def test_an_impossible_task_leaves_out_what_waits_for_it_and_nothing_else(options: Options, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    four, large, seven, nine = Squares((4, 4321, 7, 9), trace).tasks(options)
    tasks = (replace(nine, after=("n7",)), replace(seven, after=("n4321",)), large, four)
    seen: list[tuple[int, int]] = []
    reason = "4321 is too large to square"
    for jobs in (1, 2):
        seen.clear()
        outcome = run_study(Fixed(tasks), replace(options, jobs=jobs), lambda done, total: seen.append((done, total)))
        assert outcome.missing == dict.fromkeys(("n9", "n7", "n4321"), reason)
        assert seen[-1] == (4, 4)
    assert sorted(trace.read_text().split()) == ["4", "4321"], "the reason is kept as a result is"
    table = pl.read_csv(outcome.written[1])
    assert table["number"].to_list() == [None, 4, 4]
    assert table[IMPOSSIBLE].to_list() == [reason, None, None]


def test_studies_of_one_file_compute_nothing_twice(options: Options, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    one, two = (
        Fixed(tuple(Squares(numbers, trace).tasks(options)), name)
        for numbers, name in (((4, 2), "one"), ((2, 7), "two"))
    )
    run_study(one, options)
    paths = run_study(two, options).written
    assert paths[0] == options.folder / "shared.parquet"
    assert trace.read_text().split() == ["4", "2", "7"]
    assert pl.read_csv(paths[1])["number"].to_list() == [2, 2, 7, 7]


def test_nothing_to_run_and_a_file_of_something_else_are_refused(options: Options, tmp_path: Path) -> None:
    study = Squares((5,), tmp_path / "trace")
    with pytest.raises(StudyError, match="nothing to run"):
        run_study(study, replace(options, only={"number": "6"}))
    options.folder.mkdir()
    (options.folder / "squares.parquet").write_bytes(b"no table")
    with pytest.raises(StudyError, match="can't be read"):
        run_study(study, options)
    pl.DataFrame({"x": [1]}).write_parquet(options.folder / "squares.parquet")
    with pytest.raises(StudyError, match="no results of squares"):
        run_study(study, options)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_study_goes_by_its_papers_name_and_can_be_asked_for(paper: str) -> None:
    studies = find_studies(paper)
    assert len({study.name for study in studies}) == len(studies)
    for study in studies:
        assert study.name.startswith(f"{paper}-")
        assert study.title
        assert find_studies(study.name) == (study,)


def test_an_unknown_study_is_answered_with_those_there_are() -> None:
    with pytest.raises(StudyError, match="On offer: sim2020, tay2022"):
        find_studies("friedman")
    with pytest.raises(StudyError, match="no study 'sim2020-fig9'"):
        find_studies("sim2020-fig9")


def test_pictures_are_the_same_bytes_for_the_same_numbers(tmp_path: Path) -> None:
    kept = []
    for name in ("one", "two"):
        with figure_style():
            figure, axes = plt.subplots()
            axes.plot([0, 1], [1, 0])
            kept.append(save_figure(figure, tmp_path / name, "line"))
    assert not plt.get_fignums()
    for one, two in zip(*kept, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_a_table_for_people_rounds_and_aligns() -> None:
    table = pl.DataFrame({"party": ["a|b", None, "c"], "value": [1.23456, None, 36481.25], "rows": [3, 40000, None]})
    assert markdown(table).splitlines() == [
        "| party | value | rows |",
        "| --- | ---: | ---: |",
        "| a\\|b | 1.235 | 3 |",
        "| – | – | 40000 |",
        "| c | 36481 | – |",
    ]
