"""A party as a Flower ClientApp: it introduces itself, contributes, scores, and keeps its reward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from logging import INFO, WARNING
from pathlib import Path

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.logger import log

from clients.answering import Party, answered
from clients.approval import running_app
from clients.consent import keep_later_proposal, keep_proposal, read_ledger
from clients.disclosure import check_difference, remember
from clients.encoding import named_by
from clients.errors import PartyError
from clients.holdout import remember_references
from clients.party_data import PartyFile
from clients.report import write_report
from clients.reward_store import load_reward, save_reward
from clients.sums import asks_for_sums, send_sums
from clients.table import read_table
from guerdon.types import Contribution
from wire import messages
from wire.defaults import MAX_CONTRIBUTION_MB
from wire.handlers import Handler, handlers_of
from wire.kinds import kind_of, rows
from wire.kinds.statistics import decode_asked
from wire.messages import Introduction

__all__ = ["app"]

app = ClientApp()

COUNTS_NOTHING = "how many rows it has, it tells with its sums only, and with noise (epsilon)"
"""What a private party says when it introduces itself, in the place of numbers."""


@app.query("introduce")
def introduce(message: Message, context: Context) -> Message:
    """Say who this is and what it would bring; no data. What it is asked for, and would send, is kept for the party."""

    def answer(party: Party) -> RecordDict:
        data = party.data
        own = data.contribution
        bring = {
            "file": party.file.path.name,
            "rows": len(own),
            "rows_held_out": len(data.held_inputs),
            "references": int(party.references.sum()),
            "no_references": party.no_references,
            "columns": list(own.feature_names or ()),
            "target": data.target,
            "schema_sha256": party.file.schema.hash if party.file.schema else None,
            "sha256": rows.content_hash(_with_references(party)),
            "left_out": dict(data.left_out),
            "remarks": list(data.remarks),
        }
        if party.run.contributed:
            keep_later_proposal(party.file.store, party.proposal)
        else:
            path = keep_proposal(party.file.store, party.proposal, bring)
            log(INFO, "%s would send %d rows of %s; what for: %s", party.name, len(own), bring["file"], path)
        if party.file.privacy is not None:  # numbers of rows tell of single ones
            party.run.introduce(party.proposal)
            return messages.encode_introduction(
                Introduction(party.name, 0, own.feature_names or (), data.target, {}, (COUNTS_NOTHING,))
            )
        for said in (*data.remarks, *(f"column {name!r} is left out: {why}" for name, why in data.left_out.items())):
            log(INFO, "%s: %s", party.name, said)
        party.run.introduce(party.proposal)
        return messages.encode_introduction(
            Introduction(party.name, len(own), own.feature_names or (), data.target, data.left_out, data.remarks)
        )

    return answered(message, context, answer)


@app.train("contribute")
def contribute(message: Message, context: Context) -> Message:
    """Send the rows that are not held out, or sums over them where the run asks for statistics."""

    def answer(party: Party) -> RecordDict:
        data = party.data
        if asks_for_sums(party):
            return send_sums(party, decode_asked(message.content), context)
        own = _with_references(party)
        size = rows.size_in_megabytes(own)
        limit = float(context.run_config.get("max-contribution-mb", MAX_CONTRIBUTION_MB))
        if size > limit:
            raise PartyError(f"the contribution is {size:.1f} MB; the limit is max-contribution-mb = {limit:g}")
        check_difference(party.file.store, context.node_config, party.proposal.run, own)
        sha256 = rows.content_hash(own)
        party.run.contribute(data.fate, party.proof)
        remember(party.file.store, party.proposal.run, own)
        remember_references(party.file.store, data.held_hashes[party.references])
        party.note(
            "contributed",
            sha256=sha256,
            rows=len(own),
            columns=own.X.shape[1],
            references=int(party.references.sum()),
            terms=dict(party.proposal.terms),
            schema=party.file.schema.hash if party.file.schema else "",
            app=running_app(),
        )
        return rows.encode_contribution(own, data.target, party.no_references)

    return answered(message, context, answer)


def _with_references(party: Party) -> Contribution:
    """What it contributes: its rows, and the inputs of held-out rows that the run asks for."""
    chosen = party.references
    if not chosen.any():
        return party.data.contribution
    return replace(party.data.contribution, references=party.data.held_inputs[chosen])


@app.evaluate("alone")
def score_alone(message: Message, context: Context) -> Message:
    """Keep the receipt for the contribution, and score what this party could do without the others."""

    def answer(party: Party) -> RecordDict:
        receipt, alone = messages.decode_pooled(message.content)
        if party.seal is not None:
            party.seal.check_text(receipt.text, receipt.signature)
        known = [entry.get("text") for entry in read_ledger(party.file.store) if entry["action"] == "receipt"]
        if receipt.text not in known:
            party.note("receipt", text=receipt.text, signature=receipt.signature)
        if alone is None:
            return messages.encode_scores({})
        kind, data = kind_of(alone.about), party.data
        return messages.encode_scores(kind.score(kind.alone(alone, data), data))

    return answered(message, context, answer)


@app.train("reward")
def keep_reward(message: Message, context: Context) -> Message:
    """Keep the reward in the party's own store, and confirm what was received."""

    def answer(party: Party) -> RecordDict:
        reward = messages.decode_reward(message.content)
        if reward.about.get("party") != party.name:
            raise PartyError(f"this reward is for {reward.about.get('party')!r}, not for {party.name!r}")
        if reward.about.get("run") != party.proposal.run:
            raise PartyError(f"this reward is of run {reward.about.get('run')!r}, not of {party.proposal.run!r}")
        folder = save_reward(party.file.store, party.proposal.run, reward, _columns(party.file))
        _report(folder, lambda: write_report(folder, reward))
        sha256 = load_reward(folder).hash
        action = "rewarded" if kind_of(reward.about).gives else "held back"
        party.note(action, sha256=sha256, **(party.proof.fields() if party.proof else {}))
        return messages.encode_receipt(sha256, str(folder))

    return answered(message, context, answer)


@app.evaluate("reward")
def score_reward(message: Message, context: Context) -> Message:
    """Score the reward that lies in the store."""

    def answer(party: Party) -> RecordDict:
        folder = party.file.store / party.proposal.run
        reward, data = load_reward(folder), party.data
        scores = kind_of(reward.about).score(reward, data)
        alone = (party.run.scores(messages.SCORE_ALONE) or {}).get("scores")
        _report(folder, lambda: write_report(folder, reward, data, alone=alone, scores=scores))
        return messages.encode_scores(scores)

    return answered(message, context, answer)


def _listener(own: ClientApp) -> Callable[[Context], Iterator[None]]:
    """Lets the app answer what the run's strategy brings handlers for, before a message is looked up.

    What Ray's workers run in a simulation is a pickled copy of the app, not this module's, so each copy listens by
    itself. A type of message is registered once; whose handler answers it is looked up in each run.
    """
    listening: set[str] = set()

    def lifespan(context: Context) -> Iterator[None]:
        for kind in set(_handlers(context)) - listening:
            category, _, action = kind.partition(".")
            if category not in ("query", "train", "evaluate") or not action.isidentifier():
                raise ValueError(f"a handler answers query.NAME, train.NAME or evaluate.NAME, got {kind!r}")
            getattr(own, category)(action)(_hand_over)
            listening.add(kind)
        yield

    return lifespan


def _columns(file: PartyFile) -> Sequence[str]:
    """The columns of the party's file as they stand there, by the schema's names; none where it is no table that can
    be read any more, and a reward is given all the same."""
    try:
        table = read_table(file.path, file.writing)
    except PartyError:
        return ()
    return (table if file.schema is None else named_by(file.schema, table)).columns


def _report(folder: Path, write: Callable[[], object]) -> None:
    """Draw the party's own page; what goes wrong with it is in the party's log, and the reward stays."""
    try:
        write()
    except Exception:
        log(
            WARNING, "The report beside the reward in %s could not be drawn; the reward is whole", folder, exc_info=True
        )


def _hand_over(message: Message, context: Context) -> Message:
    handler = _handlers(context)[message.metadata.message_type]
    return answered(message, context, lambda party: handler(party, message.content))


def _handlers(context: Context) -> Mapping[str, Handler]:
    return handlers_of(str(context.run_config.get("strategy", "")))


app.lifespan()(_listener(app))
