"""Figures 1 and 2, and those of appendix I.9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from guerdon.types import FloatArray
from simulations.papers.figures import figure_style, save_figure
from simulations.papers.study import Options, Task
from simulations.papers.tables import save_table
from simulations.papers.tay2022.cases import DATASETS, SPLITS, Case, chosen_betas, chosen_cases
from simulations.papers.tay2022.measures import METRICS, MeanError, alpha_correlations, missing, per_beta
from simulations.papers.tay2022.tables import RESULTS, about
from simulations.papers.tay2022.tasks import (
    closeness_tasks,
    embedding_key,
    embedding_tasks,
    sample_key,
    sample_tasks,
    value_tasks,
)
from simulations.papers.tay2022.valued import Valued, kept_arrays, value_key

__all__ = ["Correlations", "Embeddings"]

PARTY, GIVEN, POOL = "#0072b2", "#d55e00", "#b8b8b8"


@dataclass(frozen=True)
class Correlations:
    """Fig. 2: how well closeness to T and the number of points follow alpha, over beta."""

    results: str = RESULTS
    name: str = "tay2022-fig2"
    title: str = "Fig. 2: correlations of the metrics and |G_i| with alpha"

    def tasks(self, options: Options) -> list[Task]:
        makers = (value_tasks, sample_tasks, closeness_tasks)
        return [task for case in chosen_cases(options) for make in makers for task in make(case, options)]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        cases = chosen_cases(options)
        there = [case for case in cases if missing(results, case) is None]
        found = {case: _correlations(per_beta(results, case)) for case in there}
        rows = []
        for case in cases:
            row: dict[str, str | None] = {"data set": DATASETS[case.dataset], "split": case.split}
            for column, label in METRICS.items():
                row[label] = str(found[case][column]) if case in found else None
            rows.append(row)
        heading = (
            f"# {self.title}\n\nMean ± standard error over beta; the paper prints no numbers.\n{about(cases, results)}"
        )
        table = save_table(pl.DataFrame(rows, infer_schema_length=None), options.folder, self.name, heading)
        splits = [split for split in SPLITS if any(case.split == split for case in there)]
        if not splits:
            return table
        with figure_style():
            figure, axes = plt.subplots(1, len(splits), figsize=(4.6 * len(splits), 3.2), sharey=True, squeeze=False)
            for place, split in zip(axes[0], splits, strict=True):
                _bars(place, [case for case in there if case.split == split], found, f"{split.replace('-', ' ')} split")
            axes[0, 0].set_ylabel("correlation with alpha")
            axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
            return [*table, *save_figure(figure, options.folder, self.name)]


def _correlations(table: pl.DataFrame) -> dict[str, MeanError]:
    return {column: alpha_correlations(table, column, 1.0 if column == "count" else -1.0) for column in METRICS}


def _bars(axes: Axes, cases: Sequence[Case], found: dict[Case, dict[str, MeanError]], title: str) -> None:
    width = 0.8 / len(METRICS)
    for k, (column, label) in enumerate(METRICS.items()):
        means = [found[case][column].mean or 0.0 for case in cases]
        errors = [found[case][column].error or 0.0 for case in cases]
        at = np.arange(len(cases)) + (k - (len(METRICS) - 1) / 2) * width
        axes.bar(at, means, width, yerr=errors, label=label, error_kw={"linewidth": 0.8})
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(title=title, ylim=(-1.05, 1.1))
    axes.set_xticks(np.arange(len(cases)), [DATASETS[case.dataset] for case in cases])


@dataclass(frozen=True)
class Embeddings:
    """Fig. 1 and appendix I.9: the synthetic rows of each party for each beta, in two dimensions."""

    name: str
    title: str
    datasets: tuple[str, ...]
    splits: tuple[str, ...]
    parties: tuple[int, ...]
    results: str = RESULTS

    def tasks(self, options: Options) -> list[Task]:
        makers = (value_tasks, sample_tasks, embedding_tasks)
        return [task for case in self._cases(options) for make in makers for task in make(case, options)]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        paths: list[Path] = []
        for case in self._cases(options):
            if missing(results, case) is not None:  # the tables say why
                continue
            name = self.name if len(self.datasets) == 1 else f"{self.name}-{case.dataset}-{case.split}"
            paths += self._draw_case(case, options, name)
        return paths

    def _cases(self, options: Options) -> list[Case]:
        return chosen_cases(options, self.datasets, self.splits)

    def _draw_case(self, case: Case, options: Options, name: str) -> list[Path]:
        valued = Valued.load(options.folder, value_key(case))
        points = kept_arrays(options.folder, embedding_key(case))["points"]
        betas, own = chosen_betas(options), int(valued.game.sizes.sum())
        starts = np.concatenate([[0], np.cumsum(valued.game.sizes)])
        drawn = {beta: kept_arrays(options.folder, sample_key(case, beta)) for beta in betas}
        with figure_style():
            size = (2.5 * len(betas), 2.6 * len(self.parties) + 0.4)
            figure, axes = plt.subplots(len(self.parties), len(betas), figsize=size, squeeze=False)
            for row, party in zip(axes, self.parties, strict=True):
                theirs = points[starts[party - 1] : starts[party]]
                for place, beta in zip(row, betas, strict=True):
                    indices = drawn[beta][f"party{party}"]
                    _panel(place, points[own:], theirs, points[own + indices[indices < len(points) - own]])
                    place.set_title(f"beta = {beta}, |G_i| = {len(indices)}", fontsize=8.5)
                row[0].set_ylabel(f"party {party}, alpha = {valued.alpha[party - 1]:.3f}", fontsize=8.5)
            shown = len(points) - own
            part = f", first {shown:,} rows" if shown < len(valued.synthetic) else ""
            title = f"{case.label}: synthetic pool (grey{part}), party's rows (blue), its reward (red)"
            figure.suptitle(title, fontsize=9.5)
            return save_figure(figure, options.folder, name)


def _panel(axes: Axes, pool: FloatArray, own: FloatArray, given: FloatArray) -> None:
    """Grey G, blue D_i, red G_i: the earlier a row was drawn, the more opaque."""
    colours = np.tile(to_rgba(GIVEN), (len(given), 1))
    colours[:, 3] = np.linspace(0.9, 0.1, len(given)) if len(given) else 0.0
    layers = ((pool, 1.2, POOL), (own, 2.5, PARTY), (given[::-1], 2.5, colours[::-1]))
    for points, size, colour in layers:
        axes.scatter(points[:, 0], points[:, 1], s=size, c=colour, linewidths=0, rasterized=True)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
