"""What has to be right at a party before its SuperNode connects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from clients.errors import PartyError
from clients.holdout import Dealer
from clients.node_config import ANY_SCHEMA
from clients.party_data import PartyFile
from wire.signing import KeyFileError, PartySeal

__all__ = ["check_start"]


def check_start(node_config: Mapping[str, Any]) -> None:
    """Refuse to connect with a node config that would fail, or send more than was meant, once a run asks.

    Raises
    ------
    PartyError
    """
    file = PartyFile.of(node_config, {})
    for name, path in (("data-path", file.path), ("holdout-path", file.held_path)):
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            raise PartyError(f"{name}: {path} is no file that can be read")
    if file.held_path is not None and file.held_path.samefile(file.path):
        raise PartyError("holdout-path is data-path: its rows would be sent and not stay here")
    if not node_config.get("confirm-schema"):
        raise PartyError(
            "confirm-schema is missing from --node-config. Give the hash that `python -m clients check FILE --schema "
            'SCHEMA` prints, confirm-schema="HASH", so that nothing is sent by another schema; or '
            f'confirm-schema="{ANY_SCHEMA}" if a run may ask for any column of your file'
        )
    Dealer.kept(file.store, file.holdout_by)
    place = file.store if file.store.exists() else file.store.parent
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise PartyError(
            f"rewards can't be kept in {file.store}: {place} is no folder that can be written to (reward-dir)"
        )
    try:
        PartySeal.of(file.party, node_config)
    except KeyFileError as error:
        raise PartyError(str(error)) from error
