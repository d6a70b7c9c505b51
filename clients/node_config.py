"""What a party says of itself and of its data, in its own SuperNode's node config; the mediator has no say in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from clients import writing
from clients.errors import PartyError
from guerdon.privacy import LARGEST
from wire.defaults import MAX_SCORED_RUNS, MIN_HELD_OUT
from wire.text import is_line, shown, tidy

__all__ = [
    "ANY_SCHEMA",
    "DELTA",
    "KEYS",
    "Privacy",
    "check_keys",
    "columns_of",
    "contribute_of",
    "holdout_of",
    "max_scored_runs_of",
    "min_held_out_of",
    "noise_of",
    "privacy_of",
    "share_references_of",
    "share_scores_of",
]

KEYS = (
    *("party", "data-path", "target", "noise", "holdout", "holdout-path", "holdout-by", "reward-dir"),
    *("min-held-out", "share-scores", "share-references", "max-scored-runs", "discloses-rows", "min-difference"),
    *("contribute", "epsilon", "delta", "privacy-budget"),
    *("key", "mediator-key", "confirm-schema"),
    *writing.KEYS,
)

TEXTS = ("party", "data-path", "target", "holdout-path", "reward-dir", "key", "mediator-key", "confirm-schema")
PATH_LIMIT, NAME_LIMIT = 4000, 200  # what Linux takes, less what is put behind

FLOWERS = ("partition-id", "num-partitions")
"""Keys of simulated nodes."""

ANY_SCHEMA = "any"
"""As ``confirm-schema``: whatever columns a run asks for may be sent."""


DELTA = 1e-5
"""The probability with which a private release may promise nothing, unless the node config says ``delta``."""


@dataclass(frozen=True)
class Privacy:
    """The noise that a party puts on its sums: its promise of each release, and what all may come to together.

    budget : the epsilon of all releases together, at the same delta; None for no limit.
    """

    epsilon: float
    delta: float = DELTA
    budget: float | None = None


def check_keys(node_config: Mapping[str, Any]) -> None:
    """Refuse a key that nobody reads, which is a protection that was spelled wrongly, and a value not of its kind.

    Raises
    ------
    PartyError
    """
    for key in node_config:
        if key not in (*KEYS, *FLOWERS):
            near = get_close_matches(key, KEYS, 1)
            meant = f"did you mean {near[0]}?" if near else f"it has {', '.join(KEYS)}"
            raise PartyError(f"the node config has no key {shown(key)}; {meant}")
    for key in TEXTS:
        text = node_config.get(key, "")
        if not isinstance(text, str) or (text and not is_line(text, PATH_LIMIT)):
            raise PartyError(f"{key} in the node config is a text of one line that can be printed, got {shown(text)}")
        if any(len(part.encode()) > NAME_LIMIT for part in text.split("/")):
            raise PartyError(f"{key} in the node config has a name of more than {NAME_LIMIT} bytes in it")
    partition = node_config.get("partition-id", 0)
    if type(partition) is not int or partition < 0:
        raise PartyError(f"partition-id in the node config is a whole number from 0, got {shown(partition)}")
    noise_of(node_config)
    privacy_of(node_config)
    contribute_of(node_config)


def holdout_of(node_config: Mapping[str, Any]) -> float | None:
    """The share of rows that stay with the party; None where it leaves that open.

    Raises
    ------
    PartyError
    """
    share = node_config.get("holdout")
    if share is None:
        return None
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 <= share <= 0.9:
        raise PartyError(f"holdout in the node config is a share from 0 to 0.9, got {shown(share)}")
    return float(share)


def noise_of(node_config: Mapping[str, Any]) -> float | str | None:
    """The variance of the party's own measurement noise, or the name of the column that holds it for each row.

    Raises
    ------
    PartyError
    """
    noise = node_config.get("noise")
    if noise is None or isinstance(noise, str):
        return tidy(noise) or None if noise else None
    try:
        variance = math.nan if isinstance(noise, bool) else float(noise)
    except (TypeError, ValueError, OverflowError):
        variance = math.nan
    if not (math.isfinite(variance) and variance > 0.0):
        raise PartyError(f"noise in the node config is a variance above 0 or a column's name, got {shown(noise)}")
    return variance


def privacy_of(node_config: Mapping[str, Any]) -> Privacy | None:
    """The noise that the party puts on its sums; None where it sends them, or its rows, as they are.

    Raises
    ------
    PartyError
    """
    if "epsilon" not in node_config:
        for key in ("delta", "privacy-budget"):
            if key in node_config:
                raise PartyError(f"{key} in the node config goes with epsilon, without which nothing is private")
        return None
    epsilon: Any = node_config["epsilon"]
    delta: Any = node_config.get("delta", DELTA)
    budget: Any = node_config.get("privacy-budget")
    if not (_is_number(epsilon) and 0.0 < epsilon <= LARGEST):
        raise PartyError(f"epsilon in the node config is a number above 0, at most {LARGEST:g}, got {shown(epsilon)}")
    if not (_is_number(delta) and 0.0 < delta < 1.0):
        raise PartyError(f"delta in the node config is a probability between 0 and 1, such as 1e-5, got {shown(delta)}")
    if budget is not None and not (_is_number(budget) and budget >= epsilon):
        raise PartyError(
            f"privacy-budget in the node config is at least epsilon = {epsilon:g}, or nothing could be sent; got "
            f"{shown(budget)}"
        )
    return Privacy(float(epsilon), float(delta), None if budget is None else float(budget))


def contribute_of(node_config: Mapping[str, Any]) -> str:
    """What the party sends and nothing else: rows, or statistics; "" where it leaves that to the run.

    Raises
    ------
    PartyError
    """
    said = node_config.get("contribute", "statistics" if "epsilon" in node_config else "")
    if said not in ("", "rows", "statistics"):
        raise PartyError(f"contribute in the node config is rows or statistics, got {shown(said)}")
    if said == "rows" and "epsilon" in node_config:
        raise PartyError('epsilon in the node config is for sums, and contribute="rows" sends rows: leave one out')
    return str(said)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def columns_of(node_config: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns by which rows are held out (``holdout-by``), separated by commas; none where it leaves that open.

    Raises
    ------
    PartyError
    """
    names = node_config.get("holdout-by", "")
    found = [name.strip() for name in names.split(",")] if isinstance(names, str) else [""]
    if names != "" and ("" in found or len(set(found)) < len(found)):
        raise PartyError(f'holdout-by in the node config names columns, such as "patient_id,visit"; got {names!r}')
    return tuple(found) if names else ()


def min_held_out_of(node_config: Mapping[str, Any]) -> int:
    """Of how many held-out rows a score leaves at least.

    Raises
    ------
    PartyError
    """
    return _count(node_config, "min-held-out", MIN_HELD_OUT)


def max_scored_runs_of(node_config: Mapping[str, Any]) -> int:
    """Of how many runs scores leave at most.

    Raises
    ------
    PartyError
    """
    return _count(node_config, "max-scored-runs", MAX_SCORED_RUNS)


def _count(node_config: Mapping[str, Any], key: str, default: int) -> int:
    count = node_config.get(key, default)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise PartyError(f"{key} in the node config is a whole number of at least 1, got {shown(count)}")
    return count


def share_scores_of(node_config: Mapping[str, Any]) -> bool:
    """Whether scores on held-out rows leave at all: they are not private, so of a private party only where it says so.

    Raises
    ------
    PartyError
    """
    return _yes_or_no(node_config, "share-scores", "epsilon" not in node_config)


def share_references_of(node_config: Mapping[str, Any]) -> bool:
    """Whether inputs of held-out rows leave where a run asks for them.

    Raises
    ------
    PartyError
    """
    return _yes_or_no(node_config, "share-references", "epsilon" not in node_config)


def _yes_or_no(node_config: Mapping[str, Any], key: str, otherwise: bool = True) -> bool:
    said = node_config.get(key, otherwise)
    if not isinstance(said, bool):
        raise PartyError(f"{key} in the node config is true or false, got {said!r}")
    return said
