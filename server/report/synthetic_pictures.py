"""What synthetic rewards look like: D_i, G and G_i in a plane and by column, and the value as points are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from guerdon.types import FloatArray
from wire.pages.page import Picture
from wire.pages.pictures import draw, ink, party_colour, quiet_axes

__all__ = ["growth_picture", "synthetic_pictures"]

Record = Mapping[str, Any]
View = Mapping[str, NDArray[Any]]

DOTS = 180
"""Points of one kind in one panel at most."""

COLUMNS = 4
"""Columns with histograms at most."""

BINS = 24


def growth_picture(record: Record) -> Picture | None:
    """v(D_i u the first k rows of G_i) against k; None where no rewards were made yet."""
    told = [(i, party) for i, party in enumerate(record["parties"]) if party.get("growth")]
    if not told:
        return None
    carried = any(party.get("reached_in_carrier") is not None for _, party in told)  # the targets are in another unit

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for i, party in told:
            rows, values = party["growth"]["rows"], party["growth"]["values"]
            axes.plot(rows, values, color=party_colour(i), label=str(party["party"])[:22])
            if not carried:
                axes.plot(rows[-1], party["target"], "_", markersize=12, markeredgewidth=2, color=party_colour(i))
        axes.set_xscale("symlog", linthresh=10)
        axes.xaxis.set_major_formatter(lambda rows, _: f"{rows:,.0f}")
        axes.set_xlim(0, None)
        axes.set_xlabel("synthetic rows added (logarithmic from 10)")
        axes.set_ylabel("value that rewards were made by" if carried else str(record["unit"]))
        axes.grid(axis="y", color=ink("line"), linewidth=0.7)
        quiet_axes(axes)
        if len(told) <= 10:
            axes.legend(loc="best", handlelength=1.2)

    caption = "The worth of a party's data with the first so many of its synthetic rows" + (
        ", in the value that rewards were made by, which is not the one that says what they should be worth."
        if carried
        else "; the dashes are the targets."
    )
    return Picture("Worth against the number of rows", caption, draw(4.2, 3.2, paint, "Value against number of rows"))


def synthetic_pictures(record: Record, view: View | None) -> list[Picture]:
    """The plane and the histograms; empty where the run keeps nothing to draw them from (or was purged)."""
    if view is None:
        return []
    shown = [(i, str(p["party"])) for i, p in enumerate(record["parties"]) if f"map.party.{p['party']}" in view]
    more = "" if len(shown) == len(record["parties"]) else f" The {len(shown)} parties with the largest Shapley values."
    given = any(f"map.reward.{party}" in view for _, party in shown)
    drawn = " Filled in its colour: the rows it gets, earlier draws more opaque." if given else ""
    caption = (
        f"Grey: synthetic rows, G. Rings: the party's own.{drawn} The plane is {view['map']}; "
        f"at most {DOTS} points of each are shown.{more}"
    )
    pictures = [Picture("Own rows, synthetic rows, and what each gets", caption, _planes(shown, view), "wide")]
    if "columns" in view and len(view["columns"]):
        caption = (
            "Line in its colour: the party's own rows. Grey: all synthetic rows, G."
            + (" Filled: the rows it gets." if given else "")
            + f" The {min(COLUMNS, len(view['columns']))} columns in which the parties' means differ most.{more}"
        )
        pictures.append(Picture("Column by column", caption, _histograms(shown, view), "wide"))
    return pictures


def _planes(shown: Sequence[tuple[int, str]], view: View) -> str:
    across = 3 if len(shown) in (5, 6) else min(len(shown), 4)
    down = -(-len(shown) // across)
    G = _some(view["map.synthetic"])
    everything = np.concatenate([view[f"map.party.{party}"] for _, party in shown] + [view["map.synthetic"]])
    low, high = np.quantile(everything, [0.003, 0.997], axis=0)
    margin = 0.06 * (high - low) + 1e-12

    def paint(figure: Figure) -> None:
        panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        for axes, (i, party) in zip(panels, shown, strict=False):
            _bare(axes)
            axes.set_title(party[:24], loc="left", color=party_colour(i))
            axes.scatter(*G.T, s=5, color=ink("quiet"), alpha=0.3, linewidths=0)
            own = _some(view[f"map.party.{party}"])
            axes.scatter(*own.T, s=11, facecolors="none", edgecolors=ink("ink"), linewidths=0.6, alpha=0.75)
            reward = view.get(f"map.reward.{party}")
            if reward is not None and len(reward):
                drawn = _some(reward)
                for part, alpha in zip(np.array_split(drawn, 4), (1.0, 0.75, 0.5, 0.3), strict=True):
                    axes.scatter(*part.T, s=11, color=party_colour(i), alpha=alpha, linewidths=0)
            axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axes.set_ylim(low[1] - margin[1], high[1] + margin[1])

    return draw(2.5 * across if across > 1 else 4.2, 2.45 * down, paint, "Rows in a plane, a panel a party")


def _histograms(shown: Sequence[tuple[int, str]], view: View) -> str:
    names = [str(name) for name in view["columns"][:COLUMNS]]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(len(shown), len(names), squeeze=False, sharex="col")
        for j, name in enumerate(names):
            values = np.concatenate(
                [view[f"columns.party.{party}"][:, j] for _, party in shown] + [view["columns.synthetic"][:, j]]
            )
            low, high = np.quantile(values, [0.003, 0.997])
            edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
            for k, (i, party) in enumerate(shown):
                axes = panels[k, j]
                _bare(axes)
                reward = view.get(f"columns.reward.{party}")
                if reward is not None and len(reward):
                    axes.stairs(_density(reward[:, j], edges), edges, fill=True, color=party_colour(i), alpha=0.3)
                axes.stairs(_density(view["columns.synthetic"][:, j], edges), edges, color=ink("quiet"), linewidth=1.0)
                axes.stairs(
                    _density(view[f"columns.party.{party}"][:, j], edges), edges, color=party_colour(i), linewidth=1.5
                )
                axes.set_ylim(0, None)
                if k == 0:
                    axes.set_title(name[:20], loc="left", fontsize=9)
                if j == 0:
                    axes.set_ylabel(party[:14], color=party_colour(i))
                if k == len(shown) - 1:
                    axes.tick_params(axis="x", length=2, labelbottom=True, labelsize=8)
                    axes.locator_params(axis="x", nbins=3)

    return draw(max(4.2, 2.4 * len(names)), 0.6 + 0.85 * len(shown), paint, "Histograms of columns, a row a party")


def _density(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts, _ = np.histogram(values, bins=edges)
    return np.asarray(counts / max(len(values), 1))


def _bare(axes: Axes) -> None:
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(ink("line"))


def _some(points: FloatArray) -> FloatArray:
    chosen = np.unique(np.linspace(0, len(points) - 1, DOTS).astype(int)) if len(points) else np.empty(0, dtype=int)
    return np.asarray(points[chosen])
