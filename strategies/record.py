"""An allocation as plain data: the mediator's record of everything, and the part of it that a party may see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from guerdon.pipeline import Allocation
from guerdon.rewards import weaker_coalitions
from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import Contribution, game_table

__all__ = ["allocation_record", "number", "own_record", "party_view"]


def number(value: float | None) -> float | str | None:
    """A number that JSON can hold: infinity is the text "inf"."""
    if value is None:
        return None
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def allocation_record(
    allocation: Allocation, contributions: Sequence[Contribution], run: str, texts: Mapping[str, str], *, unit: str
) -> dict[str, Any]:
    """Everything the mechanism decided, as allocation.json holds it; ``eta`` and ``reached`` are for the strategy."""
    game, shapley, targets = allocation.game, allocation.shapley, allocation.targets
    n = len(allocation.parties)
    alone, floors = game(np.eye(n, dtype=bool)), game(weaker_coalitions(shapley))
    errors = shapley.standard_errors
    return {
        "run": run,
        "stage": "rewarded" if allocation.rewards else "valued",
        "parts": dict(texts),
        "strategy": texts.get("strategy", ""),
        "scheme": texts.get("scheme", ""),
        "shapley_method": shapley.method,
        "shapley_evaluations": shapley.evaluations,
        "unit": unit,
        "grand_value": float(game(np.ones((1, n), dtype=bool))[0]),
        "values": game_table(game).tolist() if n <= MAX_EXACT_PARTIES else None,
        "rho": targets.rho,
        "thresholds": _thresholds(allocation),
        "maximum": targets.maximum,
        "parties": [
            {
                "party": party,
                "rows": len(contributions[i]),
                "value": float(alone[i]),
                "shapley": float(shapley.values[i]),
                "shapley_error": None if errors is None else float(errors[i]),
                "alpha": float(shapley.alpha[i]),
                "floor": float(floors[i]),
                "target": float(targets.values[i]),
                "ceiling": float(targets.ceilings[i]),
                "eta": None,
                "reached": None,
                "alone": None,
                "reward": None,
                "delivered": False,
                "store": None,
            }
            for i, party in enumerate(allocation.parties)
        ],
        "refused": [],
        "certificate": [
            {"name": check.name, "title": check.title, "holds": check.holds, "witness": check.witness}
            for check in allocation.certificate
        ],
        "notes": [],  # the mediator's, when it saves
    }


def party_view(allocation: Allocation, i: int, run: str, texts: Mapping[str, str], *, unit: str) -> dict[str, Any]:
    """What party i may see: names, alpha, rho, thresholds and r / r_max of all; values of its own only."""
    targets = allocation.targets
    best = float(targets.values.max())
    return {
        "run": run,
        "party": allocation.parties[i],
        "unit": unit,
        "strategy": texts.get("strategy", ""),
        "scheme": texts.get("scheme", ""),
        "own_value": float(allocation.game(np.eye(len(allocation.parties), dtype=bool)[i : i + 1])[0]),
        "target": float(targets.values[i]),
        "rho": targets.rho,
        "thresholds": _thresholds(allocation),
        "parties": [
            {"party": party, "alpha": float(alpha), "share_of_best": float(value / best)}
            for party, alpha, value in zip(allocation.parties, allocation.shapley.alpha, targets.values, strict=True)
        ],
    }


def own_record(
    run: str,
    texts: Mapping[str, str],
    parties: Sequence[Mapping[str, Any]],
    columns: Sequence[tuple[str, str]],
    *,
    unit: str = "",
    kind: str = "own",
) -> dict[str, Any]:
    """The record of a strategy that values in a way of its own, with what ``show`` prints of it.

    Parameters
    ----------
    run, texts : the run's name and the parts as the run config has them
    parties : for each its ``party`` (the name) and whatever else the strategy knows of it
    columns : (header, place) of the table, where a place is ``key``, ``key.inner``, or ``key -> key`` for both sides of
        an arrow; ``alone`` and ``reward`` hold what the party scored
    unit : of the numbers, for the table's title
    """
    waiting = {"alone": None, "reward": None, "delivered": False, "store": None}
    return {
        "run": run,
        "stage": "rewarded",
        "kind": kind,
        "parts": dict(texts),
        "strategy": texts.get("strategy", ""),
        "scheme": texts.get("scheme", ""),
        "unit": unit,
        "columns": [list(column) for column in columns],
        "facts": {},
        "parties": [{**party, **waiting} for party in parties],
        "refused": [],
        "certificate": [],
        "notes": [],
    }


def _thresholds(allocation: Allocation) -> dict[str, Any] | None:
    thresholds = allocation.targets.thresholds
    if thresholds is None:
        return None
    return {"rational": number(thresholds.rational), "stable": number(thresholds.stable)}
