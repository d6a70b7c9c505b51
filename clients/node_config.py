"""What a party says of itself and of its data, in its own SuperNode's node config; the mediator has no say in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from clients.errors import PartyError
from wire.defaults import MAX_SCORED_RUNS, MIN_HELD_OUT
from wire.text import is_line, shown, tidy

__all__ = [
    "ANY_SCHEMA",
    "KEYS",
    "check_keys",
    "columns_of",
    "holdout_of",
    "max_scored_runs_of",
    "min_held_out_of",
    "noise_of",
    "share_references_of",
    "share_scores_of",
]

KEYS = (
    *("party", "data-path", "target", "noise", "holdout", "holdout-path", "holdout-by", "reward-dir"),
    *("min-held-out", "share-scores", "max-scored-runs", "share-references", "discloses-rows", "min-difference"),
    *("key", "mediator-key", "confirm-schema"),
)

TEXTS = ("party", "data-path", "target", "holdout-path", "reward-dir", "key", "mediator-key", "confirm-schema")
PATH_LIMIT, NAME_LIMIT = 4000, 200  # what Linux takes, less what is put behind

FLOWERS = ("partition-id", "num-partitions")
"""Keys of simulated nodes."""

ANY_SCHEMA = "any"
"""As ``confirm-schema``: whatever columns a run asks for may be sent."""


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
    """Whether scores on held-out rows leave at all.

    Raises
    ------
    PartyError
    """
    return _yes_or_no(node_config, "share-scores")


def share_references_of(node_config: Mapping[str, Any]) -> bool:
    """Whether inputs of held-out rows leave where a run asks for them.

    Raises
    ------
    PartyError
    """
    return _yes_or_no(node_config, "share-references")


def _yes_or_no(node_config: Mapping[str, Any], key: str) -> bool:
    said = node_config.get(key, True)
    if not isinstance(said, bool):
        raise PartyError(f"{key} in the node config is true or false, got {said!r}")
    return said
