"""An allocation as plain data: the mediator's record of everything, and the part of it that a party may see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from guerdon.pipeline import Allocation, MadeReward
from guerdon.rewards import weaker_coalitions
from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import Contribution, game_table
from strategies.errors import Errors
from wire.kinds import kind_of
from wire.pages.numbers import share_of_best
from wire.pages.party_page import common_errors, own_errors

__all__ = ["allocation_record", "number", "own_record", "party_view", "plain"]

NOBODY: Mapping[str, Any] = {"parties": ()}

WAITING: Mapping[str, Any] = {"alone": None, "reward": None, "delivered": False, "store": None}
"""What is not known of a party before its reward is delivered and scored."""

QUIET = ("drift", "reached_in_carrier")
"""Facts that no table has a column for; they stay in allocation.json."""


def number(value: float | None) -> float | str | None:
    """A number that JSON can hold: infinity is the text "inf"."""
    if value is None or math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def plain(value: Any) -> Any:
    """Facts as JSON can hold them: numbers of NumPy become Python's, and infinite ones a text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return number(float(value)) if isinstance(value, float | np.floating) else value


def allocation_record(
    allocation: Allocation,
    contributions: Sequence[Contribution],
    run: str,
    texts: Mapping[str, str],
    *,
    kind: str,
    unit: str,
    variance_unit: float = 1.0,
    errors: Errors | None = None,
) -> dict[str, Any]:
    """Everything the mechanism decided, as allocation.json holds it.

    Parameters
    ----------
    allocation : Allocation
    contributions : sequence of Contribution
        In the order of the allocation's parties.
    run : str
    texts : mapping of str to str
        The parts as the run config has them.
    kind : str
        Of the rewards, as ``wire.kinds`` knows it.
    unit : str
        Of the values.
    variance_unit : float
        What a fact named ``eta``, a noise variance, is multiplied by: the realization saw scaled outputs.
    errors : Errors, optional
        How well its numbers are known.
    """
    game, shapley, targets = allocation.game, allocation.shapley, allocation.targets
    made = {reward.party: reward for reward in allocation.rewards}
    facts = {party: _facts(reward, variance_unit) for party, reward in made.items()}
    shown = {column.place.partition(" ")[0].partition(".")[0] for column in kind_of({"kind": kind}).columns(NOBODY)}
    more = dict.fromkeys(
        name for own in facts.values() for name, value in own.items() if name not in shown and _is_number(value)
    )
    n = len(allocation.parties)
    alone, floors = game(np.eye(n, dtype=bool)), game(weaker_coalitions(shapley))
    estimated = shapley.standard_errors
    return {
        "run": run,
        "stage": "rewarded" if allocation.rewards else "valued",
        "kind": kind,
        "facts_of_rewards": [name for name in more if name not in QUIET],
        "parts": dict(texts),
        "strategy": texts.get("strategy", ""),
        "scheme": texts.get("scheme", ""),
        "shapley_method": shapley.method,
        "shapley_evaluations": int(shapley.evaluations),
        "unit": unit,
        "grand_value": float(game(np.ones((1, n), dtype=bool))[0]),
        "values": game_table(game).tolist() if n <= MAX_EXACT_PARTIES else None,
        "rho": targets.rho,
        "thresholds": _thresholds(allocation),
        "maximum": targets.maximum,
        "parties": [
            _with_facts(
                {
                    "party": party,
                    "rows": len(contributions[i]),
                    "value": float(alone[i]),
                    "shapley": float(shapley.values[i]),
                    "shapley_error": None if estimated is None else float(estimated[i]),
                    "alpha": float(shapley.alpha[i]),
                    "floor": float(floors[i]),
                    "target": float(targets.values[i]),
                    "ceiling": float(targets.ceilings[i]),
                    "reached": float(made[party].reached) if party in made else None,
                    **({} if errors is None else errors.entry(i)),
                },
                facts.get(party, {}),
            )
            for i, party in enumerate(allocation.parties)
        ],
        **({} if errors is None else errors.record()),
        "diagnostics": [] if errors is None else [sentence for sentence, warns in errors.sentences() if not warns],
        "refused": [],
        "certificate": [
            {"name": check.name, "title": check.title, "holds": check.holds, "witness": check.witness}
            for check in allocation.certificate
        ],
        "notes": [],  # the mediator's, when it saves
    }


def party_view(
    allocation: Allocation, i: int, run: str, texts: Mapping[str, str], *, unit: str, errors: Errors | None = None
) -> dict[str, Any]:
    """What party i may see: names, alpha, rho, thresholds and r / r_max of all; values of its own only.

    With each how well it is known, as far as the number itself is for it to see.
    """
    known = [{} if errors is None else errors.entry(k) for k in range(len(allocation.parties))]
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
            {
                "party": party,
                "alpha": float(alpha),
                "share_of_best": share_of_best(value, best),
                **common_errors(entry),
            }
            for party, alpha, value, entry in zip(
                allocation.parties, allocation.shapley.alpha, targets.values, known, strict=True
            )
        ],
        **own_errors(known[i]),
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
    run : str
    texts : mapping of str to str
        The parts as the run config has them.
    parties : sequence of mappings
        For each its ``party`` (the name) and whatever else the strategy knows of it.
    columns : sequence of (header, place)
        Of the table; a place is as ``wire.kinds.columns`` says. ``alone`` and ``reward`` hold what the party scored.
    unit : str
        Of the numbers, for the table's title.
    kind : str
        Of the rewards; one of the strategy's own where ``wire.kinds`` knows none of this name.
    """
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
        "parties": [{**party, **WAITING} for party in parties],
        "refused": [],
        "certificate": [],
        "notes": [],
    }


def _with_facts(own: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """A party's entry; of a fact that bears the name of a number of the mediator's own, that number stands."""
    return {**own, **{name: fact for name, fact in facts.items() if name not in own}, **WAITING}


def _facts(reward: MadeReward, variance_unit: float) -> dict[str, Any]:
    """How a reward came about, with noise variances in the target's own units."""
    facts = {str(name): value for name, value in reward.facts().items()}
    if _is_number(facts.get("eta")):
        facts["eta"] = facts["eta"] * variance_unit
    return {name: plain(value) for name, value in facts.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _thresholds(allocation: Allocation) -> dict[str, Any] | None:
    thresholds = allocation.targets.thresholds
    if thresholds is None:
        return None
    return {"rational": number(thresholds.rational), "stable": number(thresholds.stable)}
