"""Fig. 2 as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes

from simulations.papers.figures import PARTY_COLOURS, figure_style, save_figure

__all__ = ["draw_curves"]

OTHERS = "#555555"

FAR = 1.5
"""Levels that are higher above the curves than this many times the curves' range are named, not drawn."""

LABEL_GAP = 0.045
"""Labels on the right are at least this part of the axis apart."""


def draw_curves(results: pl.DataFrame, folder: Path, name: str) -> list[Path]:
    """(a) r_i against rho, which falls to the right; (b) MNLP, the mean and its 95 % interval over the draws."""
    parties = results.filter(pl.col("kind") == "party")
    curves = results.filter(pl.col("kind") == "curve")
    first = parties.row(0, named=True)
    with figure_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4))
        values = [_Level(first["v_23"], r"$v_{\{2,3\}}$", OTHERS)]
        scores = [_Level(first["m_23"], r"$m_{\{2,3\}}$", OTHERS)]
        for i, party in enumerate(parties.iter_rows(named=True)):
            number, colour = party["party"], PARTY_COLOURS[i]
            curve = curves.filter(pl.col("party") == number).sort("rho")
            rho, mnlp, half = (curve[c].to_numpy() for c in ("rho", "mnlp", "mnlp_half_interval"))
            left.plot(rho, curve["reached"], color=colour, label=f"$r_{number}$")
            right.plot(rho, mnlp, color=colour, label=f"$m_{number}$")
            right.fill_between(rho, mnlp - half, mnlp + half, color=colour, alpha=0.25, linewidth=0)
            values.append(_Level(party["v_own"], f"$v_{number}$", colour))
            scores.append(_Level(party["m_own"], f"$m_{{\\{{{number}\\}}}}$", colour))
        _panel(left, values, "(a) IG", "information gain (nats)", first)
        _panel(right, scores, "(b) MNLP", "MNLP (nats)", first)
        return save_figure(figure, folder, name)


class _Level(NamedTuple):
    """A dotted line across the panel, and its name on the right."""

    value: float
    label: str
    colour: str


def _panel(axes: Axes, levels: Sequence[_Level], title: str, ylabel: str, first: dict[str, Any]) -> None:
    axes.set(title=title, xlabel=r"$\rho$", ylabel=ylabel, xlim=(1.0, 0.0))
    low, high = axes.get_ylim()  # of the curves
    inside = [level for level in sorted(levels) if level.value <= high + FAR * (high - low)]
    for level in inside:
        axes.axhline(level.value, color=level.colour, linestyle=":", linewidth=1.2)
    low, high = axes.get_ylim()
    place = -np.inf
    for level in inside:
        place = max(level.value, place + LABEL_GAP * (high - low))
        _name(axes, level, level.label, place, "data")
    for k, level in enumerate(sorted(set(levels) - set(inside), reverse=True)):
        _name(axes, level, rf"{level.label} $\uparrow$ {level.value:.2f}", 1.0 - k * 1.3 * LABEL_GAP, "axes fraction")
    _thresholds(axes, first["rho_r"], first["rho_s"])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)


def _name(axes: Axes, level: _Level, text: str, place: float, unit: str) -> None:
    axes.annotate(
        text,
        (1.0, place),
        xycoords=("axes fraction", unit),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        color=level.colour,
    )


def _thresholds(axes: Axes, rational: float, stable: float) -> None:
    for rho, label in ((rational, r"$\rho_r$"), (stable, r"$\rho_s$")):
        if rho < 1.0:
            axes.axvline(rho, color=OTHERS, linestyle="--", linewidth=1.0)
            axes.annotate(
                label, (rho, 0.0), xycoords=("data", "axes fraction"), xytext=(3, 4), textcoords="offset points"
            )
