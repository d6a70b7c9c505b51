"""What a party says of itself and of its data, in its own SuperNode's node config; the mediator has no say in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from clients.errors import PartyError
from wire.defaults import HOLDOUT
from wire.text import is_line

__all__ = ["ANY_SCHEMA", "KEYS", "check_keys", "holdout_of"]

KEYS = (
    *("party", "data-path", "target", "noise", "holdout", "holdout-path", "reward-dir"),
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
            raise PartyError(f"the node config has no key {key[:60]!r}; {meant}")
    for key in TEXTS:
        text = node_config.get(key, "")
        if not isinstance(text, str) or (text and not is_line(text, PATH_LIMIT)):
            raise PartyError(f"{key} in the node config is a text of one line that can be printed, got {text!r:.60}")
        if any(len(part.encode()) > NAME_LIMIT for part in text.split("/")):
            raise PartyError(f"{key} in the node config has a name of more than {NAME_LIMIT} bytes in it")
    partition = node_config.get("partition-id", 0)
    if type(partition) is not int or partition < 0:
        raise PartyError(f"partition-id in the node config is a whole number from 0, got {partition!r:.60}")
    noise = node_config.get("noise", "")
    if isinstance(noise, str):
        if noise and not is_line(noise):
            raise PartyError("noise in the node config is a column's name or a variance, got no name")
    elif type(noise) not in (int, float) or not (0.0 < noise < math.inf):
        raise PartyError(f"noise in the node config is a column's name or a variance above 0, got {noise!r:.60}")


def holdout_of(node_config: Mapping[str, Any]) -> float:
    """The share of rows that stay with the party, a quarter unless it says otherwise.

    Raises
    ------
    PartyError
    """
    share = node_config.get("holdout", HOLDOUT)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 <= share <= 0.9:
        raise PartyError(f"holdout in the node config is a share from 0 to 0.9, got {share!r}")
    return float(share)
