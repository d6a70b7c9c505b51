"""What a party says of itself and of its data, in its own SuperNode's node config; the mediator has no say in it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from clients.errors import PartyError
from wire.defaults import HOLDOUT

__all__ = ["ANY_SCHEMA", "KEYS", "check_keys", "holdout_of"]

KEYS = (
    *("party", "data-path", "target", "noise", "holdout", "holdout-path", "reward-dir"),
    *("key", "mediator-key", "confirm-schema", "discloses-rows", "min-difference"),
)

FLOWERS = ("partition-id", "num-partitions")
"""Keys of simulated nodes."""

ANY_SCHEMA = "any"
"""As ``confirm-schema``: whatever columns a run asks for may be sent."""


def check_keys(node_config: Mapping[str, Any]) -> None:
    """Refuse a key that nobody reads: it is a protection that was spelled wrongly.

    Raises
    ------
    PartyError
    """
    for key in node_config:
        if key not in (*KEYS, *FLOWERS):
            near = get_close_matches(key, KEYS, 1)
            meant = f"did you mean {near[0]}?" if near else f"it has {', '.join(KEYS)}"
            raise PartyError(f"the node config has no key {key!r}; {meant}")


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
