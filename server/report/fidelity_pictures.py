"""How alike synthetic rows are to the pool: each column in all synthetic rows and in each reward, and each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from guerdon.types import FloatArray
from wire.pages.page import Picture
from wire.pages.pictures import draw, ink, party_colour, quiet_axes

__all__ = ["fidelity_pictures"]

Record = Mapping[str, Any]

COLUMNS = 20
"""Columns in a picture at most, those least alike."""

PARTIES = 8
"""Parties in a picture at most, those with the largest Shapley values."""

LOWEST = 0.7
"""What is less alike than this is as pale."""

DARKEST = 0.6
"""So that numbers can be read on it."""


def fidelity_pictures(record: Record) -> list[Picture]:
    """Of a run that drew synthetic rows of a table; none of any other."""
    everything = record.get("fidelity")
    if not everything:
        return []
    scores = {str(found["column"]): found["score"] for found in everything["columns"]}
    lowest = sorted(scores, key=lambda name: 2.0 if scores[name] is None else scores[name])[:COLUMNS]
    chosen = [name for name in scores if name in lowest]
    more = "" if len(chosen) == len(scores) else f" The {len(chosen)} of {len(scores)} columns least alike."
    pictures = [_by_party(record, everything, chosen, more)]
    if len(chosen) > 1:
        pictures.append(_by_pair(everything, chosen, more))
    return pictures


def _by_party(record: Record, everything: Record, chosen: Sequence[str], more: str) -> Picture:
    parties = [(i, party) for i, party in enumerate(record["parties"]) if party.get("fidelity")]
    parties = sorted(sorted(parties, key=lambda each: -each[1].get("shapley", 0.0))[:PARTIES])
    sets = [("all of G", ink("ink"), everything)]
    sets += [(str(party["party"])[:14], party_colour(i), party["fidelity"]) for i, party in parties]
    scores = np.full((len(chosen), len(sets)), np.nan)
    for j, (_, _, found) in enumerate(sets):
        known = {column["column"]: column["score"] for column in found["columns"]}
        scores[:, j] = [np.nan if known.get(name) is None else known[name] for name in chosen]

    def paint(figure: Figure) -> None:
        axes = _cells(figure, scores, chosen)
        axes.set_xticks(range(len(sets)), [name for name, _, _ in sets], rotation=30, ha="right", fontsize=8)
        for tick, (_, colour, _) in zip(axes.get_xticklabels(), sets, strict=True):
            tick.set_color(colour)
        for (i, j), score in np.ndenumerate(scores):
            if np.isfinite(score):
                axes.annotate(f"{score:.2f}", (j, i), ha="center", va="center", fontsize=7.5)

    caption = (
        "Column shapes: the KS complement of numbers, the total-variation complement of categories, against all pooled "
        "rows; 1 is the same. G is all synthetic rows; a reward is drawn for what its party lacks, and need not be as "
        f"the pool is.{more}"
    )
    width = max(4.2, 2.0 + 0.55 * len(sets))
    svg = draw(width, 1.0 + 0.24 * len(chosen), paint, "Column shapes")
    return Picture("Fidelity, column by column", caption, svg)


def _by_pair(everything: Record, chosen: Sequence[str], more: str) -> Picture:
    place = {name: i for i, name in enumerate(chosen)}
    scores = np.full((len(chosen), len(chosen)), np.nan)
    for pair in everything["pairs"]:
        a, b = pair["columns"]
        if pair["score"] is not None and a in place and b in place:
            scores[place[a], place[b]] = scores[place[b], place[a]] = pair["score"]

    def paint(figure: Figure) -> None:
        axes = _cells(figure, scores, chosen)
        axes.set_xticks(range(len(chosen)), [name[:16] for name in chosen], rotation=60, ha="right", fontsize=7)
        axes.tick_params(axis="y", labelsize=7)

    caption = (
        "Column pair trends of all synthetic rows, G, against all pooled rows: the correlation similarity of two "
        f"numbers, the contingency similarity of any other two; darker is more alike, {LOWEST} or less is pale.{more}"
    )
    side = 1.6 + 0.2 * len(chosen)
    return Picture("Fidelity, pair by pair", caption, draw(max(4.2, side + 1), side, paint, "Column pair trends"))


def _cells(figure: Figure, scores: FloatArray, rows: Sequence[str]) -> Axes:
    axes: Axes = figure.subplots()
    for (i, j), score in np.ndenumerate(scores):
        if np.isfinite(score):
            strength = DARKEST * max(0.0, score - LOWEST) / (1.0 - LOWEST)
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=ink("accent"), alpha=strength, linewidth=0))
    axes.set_xlim(-0.5, scores.shape[1] - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [name[:20] for name in rows], fontsize=8)
    quiet_axes(axes)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)
    return axes
