"""Figs. 3, 5 and 6: what collaboration improves against what it could at most, over many random partitions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from simulations.papers.sim2020.improvement import Setting, improvements
from simulations.papers.sim2020.scatter_drawing import draw_scatter
from simulations.papers.sim2020.scatter_table import scatter_table
from simulations.papers.study import Options, StudyError, Task, without_generator

__all__ = ["Scatter"]


@dataclass(frozen=True)
class Scatter:
    """One figure: its first setting is the paper's, drawn under the figure's name; others are for comparison.

    quick : smaller settings for ``--quick``; repeats, quick_repeats : partitions; assumed : where the paper's main text
    is silent, for the table.
    """

    name: str
    title: str
    settings: tuple[Setting, ...]
    quick: tuple[Setting, ...]
    assumed: str
    repeats: int = 100
    quick_repeats: int = 4

    def tasks(self, options: Options) -> list[Task]:
        count = options.repeats or (self.quick_repeats if options.quick else self.repeats)
        return [
            Task(
                f"{setting!r} seed={options.seed} partition={k}",
                improvements,
                {"setting": setting, "seed": options.seed, "number": k},
            )
            for setting in self._chosen(options)
            for k in range(count)
        ]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        """A picture a setting, and one table of all."""
        written: list[Path] = []
        main = self.settings[0].label
        for label in results["setting"].unique(maintain_order=True):
            name = self.name if label == main else f"{self.name}-{label}"
            written += draw_scatter(results.filter(pl.col("setting") == label), options.folder, name)
        heading = f"# {self.title}\n\n{textwrap.fill(self.assumed, 120)}"
        return [*written, *scatter_table(results, options.folder, self.name, heading)]

    def _chosen(self, options: Options) -> list[Setting]:
        without_generator(options, self.name)
        settings = self.quick if options.quick else self.settings
        labels = [setting.label for setting in settings]
        wanted = options.only.get("setting")
        if set(options.only) - {"setting"} or (wanted is not None and wanted not in labels):
            raise StudyError(
                f"{self.name}: --only takes setting=NAME with NAME one of {', '.join(labels)}, got {dict(options.only)}"
            )
        return [setting for setting in settings if wanted in (None, setting.label)]
