"""What a party lets others' rewards show of it: rows only where it says so, and no run that differs from an earlier one
by a few of its rows.

STORE/_earlier.json    keyed digests of the rows that it has sent, by run; nobody can read a row from them
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from logging import WARNING
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flwr.common.logger import log

from clients.errors import PartyError
from guerdon.types import Contribution
from wire.files import make_folder, write_whole
from wire.formats import EARLIER, FormatError
from wire.messages import Proposal

__all__ = [
    "CONTRIBUTE",
    "DISCLOSES_ROWS",
    "MIN_DIFFERENCE",
    "ROWS",
    "Nearest",
    "check_difference",
    "confirm_contribution",
    "confirm_disclosure",
    "nearest",
    "remember",
]

DISCLOSES_ROWS = "discloses-rows"
"""A key of the node config, and of a run's terms: whether others' rewards may hold this party's rows."""

CONTRIBUTE, ROWS = "contribute", "rows"
"""A term of a run's proposal: what each party sends; rows where it says nothing."""

MIN_DIFFERENCE = 5
"""Rows by which two runs should differ, if at all, where the node config doesn't say ``min-difference``."""


def confirm_disclosure(node_config: Mapping[str, Any], proposal: Proposal) -> None:
    """Make sure that others' rewards hold none of this party's rows, unless it has confirmed that they may.

    A simulated party (its node config has ``partition-id``) takes part as the run says.

    Raises
    ------
    PartyError
    """
    confirmed = node_config.get(DISCLOSES_ROWS, False)
    if not isinstance(confirmed, bool):
        raise PartyError(f"discloses-rows in the node config is true or false, got {confirmed!r}")
    if proposal.terms.get(DISCLOSES_ROWS) == "true" and not confirmed and "partition-id" not in node_config:
        raise PartyError(
            "in this run others' rewards may hold this party's rows (discloses-rows = true), which it has not "
            "confirmed. Put discloses-rows=true into its node config if it agrees; otherwise the run takes a "
            "model that ships weights"
        )


def confirm_contribution(own: str, proposal: Proposal) -> None:
    """Make sure that a run asks for nothing else than what the party sends, where its node config says that.

    Raises
    ------
    PartyError
    """
    asked = proposal.terms.get(CONTRIBUTE, ROWS)
    if own and own != asked:
        sends = "sums over its rows, and no rows" if own != ROWS else "its rows"
        raise PartyError(
            f"this party sends {sends} (contribute, or epsilon, in its node config), and this run asks for {asked}"
        )


class Nearest(NamedTuple):
    """The earlier run whose rows differ least from these: how many were added since, and how many left out."""

    run: str
    added: int
    left_out: int


def check_difference(store: Path, node_config: Mapping[str, Any], run: str, contribution: Contribution) -> None:
    """Warn, or refuse where the node config says ``min-difference``, if a few rows tell this run from an earlier one.

    What tells the rewards of two such runs apart is what those rows say. The same rows again show nothing new.

    Raises
    ------
    PartyError
    """
    given = node_config.get("min-difference")
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 0):
        raise PartyError(f"min-difference in the node config is a whole number of rows, got {given!r}")
    found, least = nearest(store, run, contribution), MIN_DIFFERENCE if given is None else given
    if found is None or not 0 < max(found.added, found.left_out) < least:
        return
    sentence = (
        f"this run would be of nearly the same rows as run {found.run}: {found.added} added and {found.left_out} left "
        f"out, fewer than min-difference = {least}, so that who holds rewards of both could learn of those rows"
    )
    if given is not None:
        raise PartyError(f"{sentence}. Take part again with the same rows, or when more have changed")
    log(WARNING, "%s. min-difference=%d in the node config would refuse it", sentence, least)


def nearest(store: Path, run: str, contribution: Contribution) -> Nearest | None:
    """The earlier run that differs from this in the fewest rows, none where there is no earlier one."""
    key, runs = _kept(store)
    now = Counter(_digests(key, contribution))
    found = []
    for name, digests in runs.items():
        before = Counter(digests)
        if name != run:
            found.append(Nearest(name, (now - before).total(), (before - now).total()))
    return min(found, key=lambda n: (max(n.added, n.left_out), n.run), default=None)


def remember(store: Path, run: str, contribution: Contribution) -> None:
    """Keep the digests of the rows that were sent to this run."""
    key, runs = _kept(store)
    runs[run] = _digests(key, contribution)
    make_folder(store)
    write_whole(store / "_earlier.json", json.dumps(EARLIER.numbered({"key": key.hex(), "runs": runs})).encode())


def _kept(store: Path) -> tuple[bytes, dict[str, list[str]]]:
    """The party's own key and the digests by run."""
    path = store / "_earlier.json"
    if not path.exists():
        return secrets.token_bytes(32), {}
    try:
        kept = EARLIER.read(json.loads(path.read_text(encoding="utf-8")))
        return bytes.fromhex(str(kept["key"])), {str(run): list(rows) for run, rows in kept["runs"].items()}
    except (FormatError, ValueError, KeyError, AttributeError) as error:
        raise PartyError(
            "this party's list of the rows of earlier runs can't be read: restore or delete it",
            here=f"it is {path}",
        ) from error


def _digests(key: bytes, contribution: Contribution) -> list[str]:
    """A digest a row, by column names, so that their order changes nothing."""
    names = contribution.feature_names or tuple(str(j) for j in range(contribution.X.shape[1]))
    order = sorted(range(len(names)), key=lambda j: names[j])
    y = np.zeros(len(contribution)) if contribution.y is None else contribution.y
    rows = np.ascontiguousarray(np.column_stack([contribution.X[:, order], y]) + 0.0)
    return [blake2b(row, key=key, digest_size=8).hexdigest() for row in rows]
