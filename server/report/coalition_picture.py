"""What every coalition is worth, in one picture: who is in which for up to eight parties, sorted curves beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from guerdon.rewards import weaker_coalitions
from guerdon.types import FloatArray, coalition_members
from wire.pages.numbers import number_text
from wire.pages.page import Picture
from wire.pages.pictures import draw, ink, party_colour, quiet_axes

__all__ = ["coalition_picture"]

NAMED = 8
"""Up to so many parties each coalition has a column that says who is in it."""

LETTERS = 22
"""Of a party's name at most; the page has all of it."""

SHOWN = 120
"""Points of a sorted curve at most."""


def coalition_picture(record: Mapping[str, Any]) -> Picture | None:
    """The values of all coalitions; None where the run has no table of them."""
    values, unit = record.get("values"), str(record["unit"])
    if not values:
        return None
    table = np.asarray(values)
    names = [str(party["party"]) for party in record["parties"]]
    phi = np.array([party["shapley"] for party in record["parties"]])
    floors = sorted({int(row @ (1 << np.arange(len(names)))) for row in weaker_coalitions(phi)})
    title = "What every coalition is worth"
    if len(names) <= NAMED:
        caption = (
            "Each column is a coalition, the dots below it its members; larger coalitions stand to the right. Gold: "
            "what each party is worth with all that contributed no more, which a stable reward must match."
        )
        return Picture(title, caption, _columns(table, names, floors, unit), "wide long" if len(names) > 4 else "")
    caption = (
        f"All {len(table) - 1:,} coalitions: for each number of members their values in ascending order. Gold: what "
        "each party is worth with all that contributed no more, which a stable reward must match."
    )
    return Picture(title, caption, _curves(table, len(names), floors, unit), "wide")


def _columns(table: FloatArray, names: Sequence[str], floors: Sequence[int], unit: str) -> str:
    n = len(names)
    sizes = np.bitwise_count(np.arange(len(table)))
    order = sorted(range(1, len(table)), key=lambda mask: (sizes[mask], table[mask]))
    columns = np.arange(len(order))

    def paint(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, 0.085 * n + 0.12])
        shades = [ink("gold") if mask in floors else ink("accent") for mask in order]
        above.bar(columns, table[order], width=0.72, color=shades)
        above.set_ylabel(unit)
        above.axhline(0.0, color=ink("quiet"), linewidth=0.8)
        quiet_axes(above)
        above.spines["bottom"].set_visible(False)
        above.tick_params(axis="x", length=0, labelbottom=False)
        if n <= 4:
            for x, mask in zip(columns, order, strict=True):
                above.annotate(number_text(table[mask]), (x, max(table[mask], 0.0)), (0, 2), ha="center", va="bottom",
                               textcoords="offset points", fontsize=8)  # fmt: skip
        for i in range(n):
            inside = [k for k, mask in enumerate(order) if mask >> i & 1]
            below.plot(columns, np.full(len(order), i), "o", markersize=2.2, color=ink("line"))
            below.plot(inside, np.full(len(inside), i), "o", markersize=5.5, color=party_colour(i))
        for x, mask in zip(columns, order, strict=True):
            members = coalition_members(mask, n)
            below.plot([x, x], [members[0], members[-1]], color=ink("line"), linewidth=1.0, zorder=0)
        below.set_yticks(range(n), [name[:LETTERS] for name in names])
        below.set_ylim(n - 0.5, -0.6)
        below.set_xlim(-0.7, len(order) - 0.3)
        quiet_axes(below)
        below.spines["bottom"].set_visible(False)
        below.tick_params(axis="x", length=0, labelbottom=False)

    description = f"Values of the {len(order)} coalitions of {', '.join(names)}; all together {number_text(table[-1])}"
    width = max(4.2 + 0.6 * (n > 3) if n <= 4 else 9.6, 1.2 + 0.13 * len(order) if n < 8 else 1.2 + 0.075 * len(order))
    return draw(width, 2.6 + 0.24 * n, paint, description)


def _curves(table: FloatArray, n: int, floors: Sequence[int], unit: str) -> str:
    masks = np.arange(len(table))
    sizes = np.bitwise_count(masks)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for size in range(1, n + 1):
            own = masks[sizes == size]
            own = own[np.argsort(table[own], kind="stable")]
            place = size - 0.42 + 0.84 * (np.arange(len(own)) + 0.5) / len(own)
            chosen = np.unique(np.linspace(0, len(own) - 1, SHOWN).astype(int))
            axes.fill_between(place[chosen], table[own[chosen]], color=ink("accent"), alpha=0.18, linewidth=0)
            axes.plot(place[chosen], table[own[chosen]], color=ink("accent"), marker="o" if len(own) == 1 else None)
            at = [k for k, mask in enumerate(own) if mask in floors]
            axes.plot(place[at], table[own[at]], "o", markersize=4.5, color=ink("gold"))
        axes.set_xticks(range(1, n + 1))
        axes.set_xlabel("members")
        axes.set_ylabel(unit)
        axes.set_ylim(min(0.0, float(table.min())), None)
        quiet_axes(axes)

    description = f"Values of all coalitions by their number of members; all {n} together {number_text(table[-1])}"
    return draw(9.6, 3.4, paint, description)
