"""Who is there: wait for the parties' nodes, ask their names and columns, and refuse whom the run can't use.

Nobody is asked for data before its name and its columns are known to fit.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import Message
from flwr.serverapp import Grid

from strategies import messages
from strategies.messages import Introduction, MessageError, RefusedError
from strategies.session import Journal, Settings

__all__ = ["Joined", "join"]

SETTLE = 2.0
"""Where no list says who will come: seconds without a newcomer after which the rest is not waited for."""

POLL = 0.2


@dataclass(frozen=True)
class Joined:
    """nodes : the Flower node of each party that can go on; introductions : theirs; refused : the others' reasons."""

    nodes: dict[str, int]
    introductions: dict[str, Introduction]
    refused: dict[str, str]


def join(grid: Grid, settings: Settings, journal: Journal) -> Joined:
    """Wait for nodes until ``join_timeout``, ask who they are, and sort out names and schemas."""
    nodes = _wait_for_nodes(grid, settings, journal)
    introduced, refused, unnamed = _introduce(grid, nodes, settings, journal)
    found: dict[str, tuple[int, Introduction]] = {}
    for party, entries in sorted(introduced.items()):
        if settings.parties and party not in settings.parties:
            refused[party] = f"its name is not on the list of parties: {', '.join(settings.parties)}"
        elif len(entries) > 1:
            refused[party] = (
                f"{len(entries)} nodes go by this name; none is asked, since none can be told to be the right one"
            )
        else:
            found[party] = entries[0]
    for party, reason in _schema_misfits({party: introduction for party, (_, introduction) in found.items()}).items():
        refused[party] = reason
        del found[party]
    missing = set(settings.parties) - set(found) - set(refused)
    for party in sorted(missing):
        failed = f"; a node of unknown name: {'; '.join(unnamed)}" if unnamed else ""
        refused[party] = f"it did not introduce itself within join-timeout = {settings.join_timeout:g} s{failed}"
    if not settings.parties:
        refused.update({f"node-{k + 1}": reason for k, reason in enumerate(unnamed)})
    for party, (node, introduction) in found.items():
        journal.ledger("introduced", party=party, node=str(node), rows=introduction.rows)
    return Joined(
        nodes={party: node for party, (node, _) in found.items()},
        introductions={party: introduction for party, (_, introduction) in found.items()},
        refused=refused,
    )


def _wait_for_nodes(grid: Grid, settings: Settings, journal: Journal) -> list[int]:
    wanted = len(settings.parties)
    journal.event("stage", stage="join", total=wanted or settings.min_parties)
    deadline = time.monotonic() + settings.join_timeout
    nodes: list[int] = []
    changed = time.monotonic()
    while True:
        now = sorted(grid.get_node_ids())
        if now != nodes:
            nodes, changed = now, time.monotonic()
            journal.event("progress", stage="join", done=len(nodes), total=wanted or settings.min_parties)
        settled = not wanted and len(nodes) >= settings.min_parties and time.monotonic() - changed >= SETTLE
        if (wanted and len(nodes) >= wanted) or settled or time.monotonic() >= deadline:
            return nodes
        time.sleep(POLL)


def _introduce(
    grid: Grid, nodes: list[int], settings: Settings, journal: Journal
) -> tuple[dict[str, list[tuple[int, Introduction]]], dict[str, str], list[str]]:
    """Introductions by party, refusals by party, and the failures of nodes that never said their name."""
    journal.event("stage", stage="introduce", total=len(nodes))
    asked = [
        Message(content=messages.encode_request(settings.run), dst_node_id=node, message_type=messages.INTRODUCE)
        for node in nodes
    ]
    replies = {
        reply.metadata.reply_to_message_id: reply
        for reply in grid.send_and_receive(asked, timeout=max(settings.join_timeout, 30.0))
    }
    introduced: dict[str, list[tuple[int, Introduction]]] = defaultdict(list)
    refused: dict[str, str] = {}
    unnamed: list[str] = []
    for node, request in zip(nodes, asked, strict=True):
        reply = replies.get(request.metadata.message_id)
        if reply is None:
            unnamed.append("no answer")
        elif reply.has_error():
            unnamed.append(messages.error_sentence(reply.error))
        else:
            try:
                introduction = messages.decode_introduction(reply.content)
                introduced[introduction.party].append((node, introduction))
            except RefusedError as error:
                refused[error.party or f"node-{node}"] = str(error)
            except MessageError as error:
                unnamed.append(str(error))
    return introduced, refused, unnamed


def _schema_misfits(introductions: Mapping[str, Introduction]) -> dict[str, str]:
    """Parties whose features or target are not those of most; a tie goes to the party first by name."""
    schemas = {party: (frozenset(i.feature_names), i.target) for party, i in sorted(introductions.items())}
    if not schemas:
        return {}
    counts = Counter(schemas.values())
    features, target = max(schemas.values(), key=lambda schema: counts[schema])
    misfits = {}
    for party, (own_features, own_target) in schemas.items():
        if own_target != target:
            misfits[party] = f"its target is {own_target!r}, the others' is {target!r}"
        elif own_features != features:
            lacks = ", ".join(sorted(features - own_features)) or "nothing"
            extra = ", ".join(sorted(own_features - features)) or "nothing"
            misfits[party] = f"its features differ from the others': it lacks {lacks} and has besides {extra}"
    return misfits
