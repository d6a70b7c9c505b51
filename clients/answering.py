"""How a party answers any message: who it is, whether it takes part, and what it says where it can't."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from logging import ERROR, WARNING
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.common.logger import log
from numpy.typing import NDArray

from clients.consent import consent, note
from clients.disclosure import confirm_contribution, confirm_disclosure
from clients.errors import PartyError
from clients.holdout import remember_held_out, sent_references
from clients.node_config import ANY_SCHEMA
from clients.party_data import PartyData, PartyFile
from clients.run_state import RunState
from wire import messages
from wire.files import alone_in
from wire.messages import MessageError, Proposal
from wire.references import asked_references
from wire.schema import Schema, SchemaError
from wire.signing import KeyFileError, PartySeal, Proof

__all__ = ["Party", "answered"]

DIGITS = 4
"""Significant digits of the scores that leave."""


@dataclass(frozen=True)
class Party:
    """Who answers, to what, and with which keys.

    kind : the type of the message that it answers; run : what it has said in this run before.
    """

    file: PartyFile
    proposal: Proposal
    kind: str
    run: RunState
    seal: PartySeal | None
    proof: Proof | None = None  # that the mediator asked, where parties have keys

    @property
    def name(self) -> str:
        return self.file.party

    def note(self, action: str, **fields: Any) -> None:
        """Add an entry to the party's own ledger."""
        note(self.file.store, action, run=self.proposal.run, party=self.name, **fields)

    @cached_property
    def data(self) -> PartyData:
        """Its own rows: ``contribution`` without those that it holds out, and those.

        Raises
        ------
        PartyError
            The file can't be used; or it is to be scored on, and has changed since rows of it were sent.
        """
        data = PartyData.read(self.file)
        if self.kind not in (messages.INTRODUCE, messages.CONTRIBUTE):
            self.run.settle(data.fate, self.file.path.name, must_be=_scores(self.kind))
        if self.kind != messages.INTRODUCE and data.kept_home is not None:
            remember_held_out(self.file.store, data.kept_home)
        return data.without(sent_references(self.file.store)) if _scores(self.kind) else data

    @cached_property
    def references(self) -> NDArray[np.bool_]:
        """Which of the rows that it holds out (m,) it sends the inputs of in this run, as far as it is asked to.

        At most half of them, and never so many that fewer than ``min-held-out`` are left to score on.

        Raises
        ------
        MessageError
            The run asks for something else.
        """
        asked = asked_references(self.proposal.terms) if self.file.share_references else 0
        scored = 1 if self.file.simulated else self.file.min_held_out
        return self.data.references(asked, scored, sent_references(self.file.store))

    @property
    def no_references(self) -> str:
        """Why it sends none though the run asks for some; "" where it sends some, or is not asked."""
        if not asked_references(self.proposal.terms) or self.references.any():
            return ""
        return "it holds out too few rows" if self.file.share_references else "it declines (share-references=false)"


def _scores(kind: str) -> bool:
    """Whether this type of message asks for scores on held-out rows, and so for nothing else."""
    return kind.partition(".")[0] == "evaluate"


def _identified(message: Message, context: Context, seal: PartySeal | None) -> Party:
    """Everything that has to be right before a request is answered.

    A reward is only given, also to a party that has withdrawn; whatever is made from its data needs its consent.

    Raises
    ------
    MessageError, PartyError, SchemaError
    """
    kind = message.metadata.message_type
    proof = seal.open(message.content, kind, context.node_id) if seal is not None else None
    proposal = messages.decode_proposal(message.content)
    schema = Schema.from_json(proposal.schema) if proposal.schema else None
    file = PartyFile.of(context.node_config, context.run_config, schema)
    if proposal.dry_run and kind != messages.INTRODUCE:
        raise PartyError("this run says that it is a dry run, and asks for data all the same; it gets none")
    confirmed = str(context.node_config.get("confirm-schema") or "")
    if kind != messages.REWARD:
        consent(file.store, proposal, schema, confirmed)
        confirm_disclosure(context.node_config, proposal)
        confirm_contribution(file.contribute, proposal)
    run = RunState.of(file.store, proposal.run)
    run.hear(proof)
    if kind != messages.INTRODUCE:
        run.require_introduced(proposal)
    elif schema is not None and not file.simulated and confirmed in ("", ANY_SCHEMA):
        run.read_by(schema)
    return Party(file, proposal, kind, run, seal, proof)


def _content(party: Party, answer: Callable[[Party], RecordDict]) -> RecordDict:
    """What ``answer`` makes of the party; of scores, what leaves: each stage's once, with four digits, of enough rows.

    What can't be scored, since it is made to tell of single rows or broke on them, is not tried again either: that it
    can't is an answer too.

    Raises
    ------
    MessageError, PartyError
    """
    if not _scores(party.kind):
        return answer(party)
    kept = party.run.scores(party.kind)
    held = len(party.data.held_inputs) if kept is None else int(kept["held"])
    stays = _why_scores_stay(party, held)
    if kept is None:
        try:
            scores: Mapping[str, float] = messages.decode_scores(answer(party))
        except (PartyError, OSError, MemoryError):  # what is to be scored is not there, or could be another time
            raise
        except Exception as error:
            party.run.keep_failure(party.kind, held, said=not stays)
            if stays:
                raise PartyError(stays, here=str(error)) from error
            raise
        party.run.keep_scores(party.kind, scores, held, said=not stays)
    elif "scores" not in kept:
        raise PartyError(stays or "this stage of the run could not be scored, and is tried once")
    else:
        scores = kept["scores"]
    if scores and stays:
        raise PartyError(stays)
    sent = scores if party.file.simulated else {name: float(f"{value:.{DIGITS}g}") for name, value in scores.items()}
    party.note("scored", stage=party.kind, sent=dict(sent))
    return messages.encode_scores(sent)


def _why_scores_stay(party: Party, held: int) -> str:
    """Why no score of a real party on so many rows leaves, "" where it does."""
    file = party.file
    if file.simulated:
        return ""
    if not file.share_scores:
        return "its scores stay at home (share-scores=false)"
    if held < file.min_held_out:
        return f"its scores stay at home: it holds out fewer rows than min-held-out={file.min_held_out}"
    # One run tells little of the rows that are held out; hundreds tell much.
    if not party.run.has_said_scores and party.run.others_scored() >= file.max_scored_runs:
        return f"its scores stay at home: it has scored max-scored-runs={file.max_scored_runs} runs already"
    return ""


def answered(message: Message, context: Context, answer: Callable[[Party], RecordDict]) -> Message:
    """The reply: what ``answer`` makes of the party, signed where the party has a key; a no is said with its reason.

    An error that nobody foresaw could quote the party's rows, so only its kind and place are sent; the rest is in the
    party's own log.
    """
    name, seal = str(context.node_config.get("party", "")), None
    try:
        file = PartyFile.of(context.node_config, context.run_config)
        name = file.party
        seal = PartySeal.of(name, context.node_config)
        with alone_in(file.store):  # two runs at once would both be the first to ask, or spend one budget twice
            content = _content(_identified(message, context, seal), answer)
    except (PartyError, MessageError, SchemaError) as error:
        log(WARNING, "%s refuses: %s", name, error.in_full if isinstance(error, PartyError) else error)
        content = messages.encode_refusal(name, str(error))
    except KeyFileError as error:
        log(ERROR, "%s refuses: %s", name, error)
        content = messages.encode_refusal(name, "its own keys can't be used; its own log says why")
    except Exception as error:
        log(ERROR, "%s can't answer", name, exc_info=True)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        content = messages.encode_refusal(name, f"{type(error).__name__} in {where}; its own log has the details")
    if seal is not None:
        content = seal.sealed(content, message.metadata.message_type, context.node_id, message.content)
    return Message(content, reply_to=message)
