"""What a party says of itself and of its data, in its own SuperNode's node config; the mediator has no say in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clients.errors import PartyError
from strategies.signing import KeyFileError, PartySeal

__all__ = ["ANY_SCHEMA", "KEYS", "check_keys", "check_start", "holdout_of"]

KEYS = (
    *("party", "data-path", "target", "noise", "holdout", "holdout-path", "reward-dir"),
    *("key", "mediator-key", "confirm-schema"),
)

FLOWERS = ("partition-id", "num-partitions")
"""Keys of simulated nodes."""

ANY_SCHEMA = "any"
"""As ``confirm-schema``: whatever columns a run asks for may be sent."""

HOLDOUT = 0.25


def check_keys(node_config: Mapping[str, Any]) -> None:
    """Refuse a key that nobody reads: it is a protection that was spelled wrongly.

    Raises
    ------
    PartyError
    """
    for key in node_config:
        if key not in (*KEYS, *FLOWERS):
            near = get_close_matches(key, KEYS, 1)
            raise PartyError(
                f"the node config has no key {key!r}; " + (f"did you mean {near[0]}?" if near else f"it has {KEYS}")
            )


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


def check_start(node_config: Mapping[str, Any]) -> None:
    """Refuse to connect with a node config that would fail, or send more than was meant, once a run asks.

    Raises
    ------
    PartyError
    """
    check_keys(node_config)
    holdout_of(node_config)
    for name in ("party", "data-path"):
        if not node_config.get(name):
            raise PartyError(
                f"{name} is missing from --node-config, as in --node-config "
                '\'party="north" data-path="/path/to/north.csv" confirm-schema="HASH"\''
            )
    for name in ("data-path", "holdout-path"):
        path = Path(str(node_config.get(name) or ".")).expanduser()
        if node_config.get(name) and not (path.is_file() and os.access(path, os.R_OK)):
            raise PartyError(f"{name}: {path} is no file that can be read")
    if node_config.get("holdout-path") == node_config["data-path"]:
        raise PartyError("holdout-path is data-path: its rows would be sent and not stay here")
    if not node_config.get("confirm-schema"):
        raise PartyError(
            "confirm-schema is missing from --node-config. Give the hash that `python -m clients check FILE --schema "
            'SCHEMA` prints, confirm-schema="HASH", so that nothing is sent by another schema; or '
            f'confirm-schema="{ANY_SCHEMA}" if a run may ask for any column of your file'
        )
    data = Path(str(node_config["data-path"])).expanduser()
    store = Path(str(node_config.get("reward-dir") or data.with_name(f"{data.stem}-reward"))).expanduser()
    place = store if store.exists() else store.parent
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise PartyError(f"rewards can't be kept in {store}: {place} is no folder that can be written to (reward-dir)")
    try:
        PartySeal.of(str(node_config["party"]), node_config)
    except KeyFileError as error:
        raise PartyError(str(error)) from error
