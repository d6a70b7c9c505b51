"""The columns of the mediator's table, by the kind of reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wire.pages.glossary import MEANINGS
from wire.pages.numbers import count_text, number_text, with_error
from wire.pages.page import Column

__all__ = ["columns_of"]

Party = Mapping[str, Any]


def columns_of(record: Mapping[str, Any]) -> list[Column]:
    """Those of the record's kind, without what no party has yet."""
    kind = str(record.get("kind") or "model")
    return [
        column
        for column in (*WORTH, *REWARD.get(kind, ()), *SCORES)
        if any(column.cell(party) != "–" for party in record["parties"])
    ]


def _plain(header: str, key: str) -> Column:
    return Column(header, MEANINGS[key], lambda party: number_text(party.get(key)))


def _sides(found: Mapping[str, Any]) -> str:
    sides = [found.get(side) for side in ("alone", "reward")]
    return " → ".join(number_text(value) for value in sides) if any(value is not None for value in sides) else "–"


def _gain(header: str, score: str) -> Column:
    return Column(
        header,
        MEANINGS[score],
        lambda party: _sides({side: (party.get(side) or {}).get(score) for side in ("alone", "reward")}),
    )


def _calibration(party: Party) -> str:
    shares = [(party.get("reward") or {}).get(f"coverage_{level}") for level in (50, 90)]
    return ", ".join(number_text(share, 2) for share in shares) if None not in shares else "–"


def _held_out(party: Party) -> str:
    rows = (party.get("alone") or party.get("reward") or {}).get("rows")
    return count_text(None if rows is None else int(rows))


WORTH = (
    Column("rows", MEANINGS["rows"], lambda party: count_text(party.get("rows"))),
    _plain("alone vᵢ", "value"),
    Column(
        "Shapley φᵢ",
        MEANINGS["shapley"],
        lambda party: "–" if party.get("shapley") is None else with_error(party["shapley"], party.get("shapley_error")),
    ),
    Column("α", MEANINGS["alpha"], lambda party: number_text(party.get("alpha"), 3)),
)
REWARD = {
    "model": (_plain("reward rᵢ", "target"), _plain("noise ηᵢ", "eta"), _plain("reached", "reached")),
    "synthetic": (
        _plain("floor", "floor"),
        _plain("reward rᵢ", "target"),
        _plain("ceiling", "ceiling"),
        Column("rows got", MEANINGS["synthetic_rows"], lambda party: count_text(party.get("synthetic_rows"))),
        _plain("reached", "reached"),
        Column("MMD², alone → reward", MEANINGS["mmd2"], lambda party: _sides(party.get("mmd2") or {})),
    ),
}
SCORES = (
    Column("held out", MEANINGS["held_out"], _held_out),
    _gain("MNLP, alone → reward", "mnlp"),
    _gain("RMSE, alone → reward", "rmse"),
    _gain("accuracy, alone → reward", "accuracy"),
    Column("in its 50 %, 90 %", MEANINGS["coverage"], _calibration),
)
