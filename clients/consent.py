"""What a party is asked for, has agreed to and has withdrawn from, in files beside its rewards.

STORE/_proposals/RUN.json    what a run is for and what the party would send, written before anything is
STORE/_withdrawn.json        runs (or "*", all of them) that get nothing from this party
STORE/_ledger.jsonl          what it sent and got, with hashes, and the mediator's receipts

No run can have such a name: none begins with an underscore. What a run has been answered, ``clients.run_state`` keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from clients.errors import PartyError
from clients.node_config import ANY_SCHEMA
from wire.defaults import CHOSEN_LATER
from wire.files import append_line, make_folder, read_lines, write_whole
from wire.formats import LEDGER, FormatError
from wire.messages import Proposal
from wire.parsing import ParseError, read_json
from wire.schema import Schema
from wire.text import listed

__all__ = [
    "ALL",
    "consent",
    "keep_later_proposal",
    "keep_proposal",
    "note",
    "proposals",
    "read_ledger",
    "set_withdrawn",
    "withdrawn",
]

ALL = "*"
"""Stands for every run, also those to come; no run can have this name."""

RETAIN_UNTIL, NOT_SAID = "retain-until", "not said"


def consent(store: Path, proposal: Proposal, schema: Schema | None, confirmed: str) -> None:
    """Make sure that the party takes part in this run, and with this schema where it has confirmed one.

    Raises
    ------
    PartyError
        It has withdrawn, or the run's retain-until is over, or ``confirmed`` (its node config's ``confirm-schema``) is
        neither the schema's hash nor any.
    """
    gone = {run.casefold() for run in withdrawn(store)}
    if proposal.run.casefold() in gone or ALL in gone:
        raise PartyError("this party has withdrawn; it sends nothing")
    if datetime.now(UTC).date() > _last_day(proposal):
        raise PartyError(
            f"the run was to keep data until {proposal.terms[RETAIN_UNTIL]}, and that day is over: this party sends "
            "nothing to it"
        )
    if confirmed not in ("", ANY_SCHEMA) and (schema is None or schema.hash != confirmed.strip().lower()):
        announced = "announces none" if schema is None else f"announces {schema.hash}"
        raise PartyError(f"this party sends data by the schema {confirmed} only, and the run {announced}")


def _last_day(proposal: Proposal) -> date:
    """The day until which the run keeps data; the end of time where it says none.

    Raises
    ------
    PartyError
    """
    until = proposal.terms.get(RETAIN_UNTIL, NOT_SAID)
    try:
        return date.max if until == NOT_SAID else date.fromisoformat(until)
    except ValueError as error:
        raise PartyError(f"the run's retain-until is no day such as 2027-03-31: {until!r}") from error


def keep_proposal(store: Path, proposal: Proposal, bring: Mapping[str, Any]) -> Path:
    """Write down what the run is for and what the party would bring to it; returns the file."""
    folder = make_folder(store / "_proposals")
    path = folder / f"{proposal.run}.json"
    about = {
        "time": _now(),
        "run": proposal.run,
        "dry_run": proposal.dry_run,
        "terms": dict(proposal.terms),
        "parties": list(proposal.parties),
        "schema": read_json(proposal.schema) if proposal.schema else None,
        **bring,
    }
    write_whole(path, json.dumps(about, indent=1).encode())
    return path


def keep_later_proposal(store: Path, proposal: Proposal) -> None:
    """Write down, beside the proposal under which rows were sent, what the run asks by since then.

    Raises
    ------
    PartyError
        More has changed than what is open until rewards are made (``CHOSEN_LATER``), or leaves the party less sure.
    """
    path = store / "_proposals" / f"{proposal.run}.json"
    agreed = read_json(path.read_text(encoding="utf-8"))
    was, now = agreed["terms"], dict(proposal.terms)
    since = {key: text for key, text in sorted(now.items()) if was.get(key) != text}
    changed = [key for key in sorted({*was, *now} - {*CHOSEN_LATER, RETAIN_UNTIL}) if was.get(key) != now.get(key)]
    if _last_day(proposal) > _last_day(Proposal(proposal.run, was)):
        changed.append(RETAIN_UNTIL)
    if agreed["parties"] and not (proposal.parties and set(proposal.parties) <= set(agreed["parties"])):
        changed.append("parties")
    if (read_json(proposal.schema) if proposal.schema else None) != agreed["schema"]:
        changed.append("schema")
    if changed:
        raise PartyError(
            f"this party has sent its rows to this run already, and under another proposal: {listed(changed)} "
            f"{'were' if len(changed) > 1 else 'was'} different. Take another name for the run"
        )
    if since:
        write_whole(path, json.dumps({**agreed, "since": {"time": _now(), "terms": since}}, indent=1).encode())


def proposals(store: Path) -> list[dict[str, Any]]:
    """The proposals kept, the oldest first."""
    found = [_kept(path, dict) for path in (store / "_proposals").glob("*.json")]
    return sorted(found, key=lambda about: str(about.get("time", "")))


def withdrawn(store: Path) -> frozenset[str]:
    """The runs that this party has withdrawn from; ``ALL`` among them where it has from all."""
    path = store / "_withdrawn.json"
    return frozenset(map(str, _kept(path, list))) if path.exists() else frozenset()


def set_withdrawn(store: Path, run: str, undo: bool = False) -> frozenset[str]:
    """Withdraw from a run (or ``ALL``), or undo that; returns what the party is now withdrawn from."""
    before = withdrawn(store)
    after = before - {run} if undo else before | {run}
    make_folder(store)
    write_whole(store / "_withdrawn.json", json.dumps(sorted(after)).encode())
    if after != before:
        note(store, "withdrawal undone" if undo else "withdrawn", run=run)
    return after


def note(store: Path, action: str, **fields: Any) -> None:
    """Add an entry to the party's own ledger."""
    make_folder(store)
    append_line(store / "_ledger.jsonl", LEDGER.numbered({"time": _now(), "action": action, **fields}))


def read_ledger(store: Path) -> list[dict[str, Any]]:
    """The party's own ledger.

    Raises
    ------
    PartyError
        An entry is of a format that is not read here.
    """
    try:
        return [LEDGER.read(entry) for entry in read_lines(store / "_ledger.jsonl")]
    except FormatError as error:
        raise PartyError(f"this party's own ledger can't be read: {error}", here=f"it is in {store}") from error


def _kept(path: Path, kind: type) -> Any:
    """What a file of the store holds.

    Raises
    ------
    PartyError
        It can't be read: nothing is sent by a party that can't tell what it has agreed to.
    """
    try:
        found = read_json(path.read_bytes())
        if isinstance(found, kind):
            return found
        why = f"expected a {kind.__name__}, got a {type(found).__name__}"
    except (OSError, ParseError) as error:
        why = str(error)
    raise PartyError(f"{path.name} in this party's store can't be read", here=f"{path}: {why}; restore it from a copy")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
