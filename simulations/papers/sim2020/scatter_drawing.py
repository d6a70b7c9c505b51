"""Improvement against maximal improvement in IG and MNLP, at both rhos: four panels, as in the paper."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from simulations.papers.figures import figure_style, save_figure
from simulations.papers.sim2020.improvement import RHOS

__all__ = ["POSITIVE", "draw_scatter", "points"]

POSITIVE = 1e-9
"""Improvements above this many nats are positive: what is equal but for rounding is no improvement."""


def points(results: pl.DataFrame) -> pl.DataFrame:
    """The points of the figure, one a draw, where R4 holds: improvements ``ig``, ``mnlp`` and their maxima."""
    return results.filter(pl.col("rational")).select(
        "setting",
        "partition",
        "party",
        "rho",
        "alpha",
        ig=pl.col("r") - pl.col("v_own"),
        ig_max=pl.col("v_pool") - pl.col("v_own"),
        mnlp=pl.col("mnlp_alone") - pl.col("mnlp"),
        mnlp_max=pl.col("mnlp_alone") - pl.col("mnlp_pool"),
    )


def draw_scatter(results: pl.DataFrame, folder: Path, name: str) -> list[Path]:
    """(a), (b) IG and (c), (d) MNLP at rho = 1 and 0.5, lighter for a larger phi_i / phi*."""
    cloud = points(results)
    low = float(cloud["alpha"].to_numpy().min(initial=1.0))
    with figure_style():
        figure, panels = plt.subplots(2, 2, figsize=(8.2, 7.0), sharex="row", sharey="row")
        for row, (what, title) in enumerate((("ig", "IG"), ("mnlp", "MNLP"))):
            for column, rho in enumerate(RHOS):
                axes = panels[row, column]
                drawn = _panel(axes, cloud.filter(pl.col("rho") == rho), what, low)
                letter = "abcd"[2 * row + column]
                axes.set(
                    title=rf"({letter}) {title}, $\rho$ = {rho:g}", xlabel=f"maximal improvement in {title} (nats)"
                )
            panels[row, 0].set_ylabel(f"improvement in {title} (nats)")
            for axes in panels[row]:
                _identity(axes)
        figure.colorbar(drawn, ax=panels, label=r"$\phi_i / \phi^*$", shrink=0.6, aspect=30)
        return save_figure(figure, folder, name)


def _panel(axes: Axes, cloud: pl.DataFrame, what: str, low: float) -> PathCollection:
    improvement = cloud[what].to_numpy()
    drawn = axes.scatter(
        cloud[f"{what}_max"].to_numpy(),
        improvement,
        c=cloud["alpha"].to_numpy(),
        cmap="viridis",
        vmin=low,
        vmax=1.0,
        s=9,
        linewidths=0,
        alpha=0.8,
    )
    drawn.set_rasterized(True)
    axes.text(
        0.03,
        0.96,
        f"{np.count_nonzero(improvement > POSITIVE)} positive",
        transform=axes.transAxes,
        va="top",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )
    return drawn


def _identity(axes: Axes) -> None:
    axes.axline((0.0, 0.0), slope=1.0, color="#555555", linewidth=0.8, zorder=0)
    axes.axhline(0.0, color="#555555", linewidth=0.6, linestyle=":", zorder=0)
