"""A party as a Flower ClientApp: it introduces itself, contributes, scores, and keeps its reward."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from logging import ERROR, INFO, WARNING
from pathlib import Path

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.logger import log

from clients.approval import running_app
from clients.consent import consent, keep_proposal, note, read_ledger
from clients.evaluation import score
from clients.party_data import PartyData, PartyError, PartyFile
from clients.reward_store import load_reward, save_reward
from strategies import messages
from strategies.messages import Introduction, MessageError, Proposal
from strategies.schema import Schema, SchemaError
from strategies.signing import KeyFileError, PartySeal

__all__ = ["app"]

app = ClientApp()


@app.query("introduce")
def introduce(message: Message, context: Context) -> Message:
    """Say who this is and what it would bring; no data. What it is asked for, and would send, is kept for the party."""

    def answer(party: _Party) -> RecordDict:
        data = PartyData.read(party.file)
        own = data.contribution
        bring = {
            "file": party.file.path.name,
            "rows": len(own),
            "rows_held_out": len(data.held_inputs),
            "columns": list(own.feature_names or ()),
            "target": data.target,
            "schema_sha256": party.file.schema.hash if party.file.schema else None,
            "sha256": messages.content_hash(own),
        }
        path = keep_proposal(party.file.store, party.proposal, bring)
        log(INFO, "%s would send %d rows of %s; what for: %s", party.name, len(own), bring["file"], path)
        return messages.encode_introduction(Introduction(party.name, len(own), own.feature_names or (), data.target))

    return _answer(message, context, answer)


@app.train("contribute")
def contribute(message: Message, context: Context) -> Message:
    """Send the rows that are not held out."""

    def answer(party: _Party) -> RecordDict:
        if party.proposal.dry_run:
            raise PartyError("this run says that it is a dry run, and asks for data all the same; it gets none")
        data = PartyData.read(party.file)
        own = data.contribution
        size = sum(a.nbytes for a in (own.X, own.y) if a is not None) / 1e6
        limit = float(context.run_config.get("max-contribution-mb", 512.0))
        if size > limit:
            raise PartyError(f"the contribution is {size:.1f} MB; the limit is max-contribution-mb = {limit:g}")
        note(
            party.file.store,
            "contributed",
            run=party.proposal.run,
            party=party.name,
            sha256=messages.content_hash(own),
            rows=len(own),
            columns=own.X.shape[1],
            terms=dict(party.proposal.terms),
            schema=party.file.schema.hash if party.file.schema else "",
            app=running_app(),
        )
        return messages.encode_contribution(own, data.target)

    return _answer(message, context, answer)


@app.evaluate("alone")
def score_alone(message: Message, context: Context) -> Message:
    """Keep the receipt for the contribution, and score what this party could do without the others."""

    def answer(party: _Party) -> RecordDict:
        receipt, alone = messages.decode_pooled(message.content)
        if party.seal is not None:
            party.seal.check_text(receipt.text, receipt.signature)
        known = [entry.get("text") for entry in read_ledger(party.file.store) if entry["action"] == "receipt"]
        if receipt.text not in known:
            note(
                party.file.store,
                "receipt",
                run=party.proposal.run,
                party=party.name,
                text=receipt.text,
                signature=receipt.signature,
            )
        return messages.encode_scores(score(alone, PartyData.read(party.file)) if alone is not None else {})

    return _answer(message, context, answer)


@app.train("reward")
def keep_reward(message: Message, context: Context) -> Message:
    """Keep the reward in the party's own store, and confirm what was received."""

    def answer(party: _Party) -> RecordDict:
        reward = messages.decode_reward(message.content)
        if reward.about.get("party") != party.name:
            raise PartyError(f"this reward is for {reward.about.get('party')!r}, not for {party.name!r}")
        if reward.about.get("run") != party.proposal.run:
            raise PartyError(f"this reward is of run {reward.about.get('run')!r}, not of {party.proposal.run!r}")
        folder = save_reward(party.file.store, party.proposal.run, reward)
        sha256 = load_reward(folder).hash
        note(party.file.store, "rewarded", run=party.proposal.run, party=party.name, sha256=sha256)
        return messages.encode_receipt(sha256, str(folder))

    return _answer(message, context, answer)


@app.evaluate("reward")
def score_reward(message: Message, context: Context) -> Message:
    """Score the reward that lies in the store."""

    def answer(party: _Party) -> RecordDict:
        reward = load_reward(party.file.store / party.proposal.run)
        return messages.encode_scores(score(reward, PartyData.read(party.file)))

    return _answer(message, context, answer)


@dataclass(frozen=True)
class _Party:
    """Who answers, to what, and with which keys."""

    file: PartyFile
    proposal: Proposal
    seal: PartySeal | None

    @property
    def name(self) -> str:
        return self.file.party


def _party(message: Message, context: Context, seal: PartySeal | None) -> _Party:
    """Everything that has to be right before a request is answered.

    Raises
    ------
    MessageError, PartyError, SchemaError
    """
    if seal is not None:
        seal.open(message.content, message.metadata.message_type, context.node_id)
    proposal = messages.decode_proposal(message.content)
    schema = Schema.from_json(proposal.schema) if proposal.schema else None
    file = PartyFile.of(context.node_config, context.run_config, schema)
    if message.metadata.message_type in (messages.INTRODUCE, messages.CONTRIBUTE):
        consent(file.store, proposal, schema, str(context.node_config.get("confirm-schema") or ""))
    return _Party(file, proposal, seal)


def _answer(message: Message, context: Context, answer: Callable[[_Party], RecordDict]) -> Message:
    """The reply, signed where the party has a key; what it can't do is said by name and with the reason.

    An error that nobody foresaw could quote the party's rows, so only its kind and place are sent; the rest is in the
    party's own log.
    """
    name, seal = str(context.node_config.get("party", "")), None
    try:
        name = PartyFile.of(context.node_config, context.run_config).party
        seal = PartySeal.of(name, context.node_config)
        content = answer(_party(message, context, seal))
    except (PartyError, MessageError, SchemaError, KeyFileError) as error:
        log(WARNING, "%s refuses: %s", name, error)
        content = messages.encode_refusal(name, str(error))
    except Exception as error:
        log(ERROR, "%s can't answer", name, exc_info=True)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        content = messages.encode_refusal(name, f"{type(error).__name__} in {where}; its own log has the details")
    if seal is not None:
        content = seal.sealed(content, message.metadata.message_type, context.node_id, message.content)
    return Message(content, reply_to=message)
