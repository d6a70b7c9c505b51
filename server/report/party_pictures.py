"""One row a party: what it added, what it gets against what it had, and how that scores on rows it held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wire.kinds import kind_of
from wire.kinds.kind import Score
from wire.pages.glossary import MEANINGS
from wire.pages.numbers import number_text
from wire.pages.page import Picture
from wire.pages.pictures import draw, ink, party_colour, quiet_axes

__all__ = ["reward_picture", "score_pictures", "shapley_picture"]

Record = Mapping[str, Any]
WIDTH = 4.2
MOST = 40
"""Parties that a picture has a row for; beyond, those with the largest Shapley values."""

NORMAL_95 = 1.96


DISTANCE = Score(
    "mmd2",
    "MMD²",
    "distance to all data",
    MEANINGS["mmd2"],
    axis="unbiased MMD² to all data, real and synthetic",
    summary="",
    lower_is_better=True,
)
"""What the mediator itself computes of synthetic rewards."""


def shapley_picture(record: Record) -> Picture:
    """phi_i with its sampling error, if it has one."""
    parties, more = _chosen(record)
    sampled = any(party.get("shapley_error") for party in parties)

    def paint(figure: Figure) -> None:
        axes = _rows(figure, parties)
        phi = np.array([party["shapley"] for party in parties])
        errors = [NORMAL_95 * (party.get("shapley_error") or 0.0) for party in parties]
        axes.barh(range(len(parties)), phi, height=0.62, color=[party_colour(party["row"]) for party in parties])
        if sampled:
            axes.errorbar(phi, range(len(parties)), xerr=errors, fmt="none", ecolor=ink("ink"), capsize=3, elinewidth=1)
        for k, value in enumerate(phi):
            axes.annotate(number_text(float(value)), (max(value + errors[k], 0.0), k), (5, 0), va="center",
                          textcoords="offset points", fontsize=9)  # fmt: skip
        axes.set_xlim(min(0.0, float(phi.min())), float(max(phi.max() + max(errors), 0.0)) * 1.17 or 1.0)
        axes.set_xlabel(str(record["unit"]))

    caption = (
        "The Shapley value: what a party's data adds to the others' on average over all orders of joining. "
        + ("Bars of error are 95 % intervals of the sampling. " if sampled else "They are exact and add up to v_N. ")
        + more
    )
    return Picture("Who added how much", caption, draw(WIDTH, _height(parties), paint, "Shapley values"))


def reward_picture(record: Record) -> Picture:
    """v_i -> r_i, with what the reward could be worth at most."""
    parties, more = _chosen(record)
    best = max(float(party["ceiling"]) for party in parties)

    def paint(figure: Figure) -> None:
        axes = _rows(figure, parties)
        for k, party in enumerate(parties):
            colour = party_colour(party["row"])
            low, high = float(party["value"]), float(party["target"])
            _from_to(axes, k, low, high, colour)
            axes.plot(float(party["ceiling"]), k, "|", markersize=15, color=ink("quiet"), markeredgewidth=1.6)
            if party.get("floor") is not None:
                axes.plot(float(party["floor"]), k, "|", markersize=11, color=ink("gold"), markeredgewidth=2)
        if all(float(party["ceiling"]) == best for party in parties):
            axes.set_xlim(min(0.0, *(float(party["value"]) for party in parties)), best * 1.04)
        axes.set_xlabel(str(record["unit"]))

    caption = (
        f"Hollow: a party's own data alone, as it was sent. Full: its reward. Grey line: the most it could be, "
        f"{kind_of(record).most_in(record)}. Gold: what it could reach with those that contributed no more. {more}"
    )
    return Picture("What each gets, against alone", caption, draw(WIDTH, _height(parties), paint, "Rewards"))


def score_pictures(record: Record) -> list[Picture]:
    """Each score that parties reported, and the distance to all data where there is one: alone -> with the reward."""
    pictures = []
    for score in (*kind_of(record).scores, DISTANCE):
        parties, more = _chosen(record)
        sides = [(k, party, _sides(party, score)) for k, party in enumerate(parties)]
        told = [(k, party, pair) for k, party, pair in sides if pair is not None]
        if told:
            improved = sum(
                (after < before) == score.lower_is_better for _, _, (before, after) in told if before != after
            )
            way = "left" if score.lower_is_better else "right"
            caption = (
                f"Further {way} is better. Hollow: with its own data alone. Full: with its reward. "
                f"Better for {improved} of {len(told)}. {more}"
            )
            title = f"{score.name[:1].upper()}{score.name[1:]}" + (" on held-out rows" if score is not DISTANCE else "")
            pictures.append(Picture(title, caption, _arrows(parties, told, score)))
    return pictures


def _arrows(parties: Sequence[Record], told: Sequence[tuple[int, Record, tuple[float, float]]], score: Score) -> str:
    def paint(figure: Figure) -> None:
        axes = _rows(figure, parties)
        for k, party, (before, after) in told:
            colour = party_colour(party["row"])
            _from_to(axes, k, before, after, colour)
        axes.margins(x=0.12)
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(score.axis)

    return draw(WIDTH, _height(parties), paint, score.name)


def _from_to(axes: Axes, row: int, before: float, after: float, colour: str) -> None:
    """Hollow where it was, full where it is."""
    hollow: dict[str, Any] = {"markerfacecolor": ink("card"), "markeredgecolor": colour, "markeredgewidth": 1.6}
    axes.plot([before, after], [row, row], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
    axes.plot([before], [row], "o", markersize=7, **hollow)
    axes.plot([after], [row], "o", markersize=8.5, color=colour)


def _sides(party: Record, score: Score) -> tuple[float, float] | None:
    """What stands beside both ``alone`` and ``reward``: in the party's scores, or in the record itself."""
    found = party.get(score.key)
    if isinstance(found, Mapping):
        pair = found.get("alone"), found.get("reward")
    else:
        pair = score.sides(party.get("alone"), party.get("reward"))
    if not all(isinstance(side, int | float) for side in pair):
        return None
    return float(pair[0]), float(pair[1])  # type: ignore[arg-type]


def _chosen(record: Record) -> tuple[list[dict[str, Any]], str]:
    """The parties that get a row, each with its row in the record for its colour, and a sentence about the others."""
    parties = [{**party, "row": i} for i, party in enumerate(record["parties"])]
    if len(parties) <= MOST:
        return parties, ""
    largest = sorted(parties, key=lambda party: -(party.get("shapley") or 0.0))[:MOST]
    return largest, f"The {MOST} of {len(parties)} parties with the largest Shapley values."


def _rows(figure: Figure, parties: Sequence[Record]) -> Axes:
    axes: Axes = figure.subplots()
    axes.set_yticks(range(len(parties)), [str(party["party"])[:22] for party in parties])
    axes.set_ylim(len(parties) - 0.45, -0.55)
    axes.grid(axis="x", color=ink("line"), linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", labelcolor=ink("ink"))
    quiet_axes(axes)
    return axes


def _height(parties: Sequence[Record]) -> float:
    return 0.75 + 0.34 * len(parties)
