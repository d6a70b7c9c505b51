"""How a party answers any message: who it is, whether it takes part, and what it says where it can't."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from logging import ERROR, WARNING
from pathlib import Path
from typing import Any

from flwr.app import Context, Message, RecordDict
from flwr.common.logger import log

from clients.consent import consent, note
from clients.disclosure import confirm_disclosure
from clients.errors import PartyError
from clients.party_data import PartyData, PartyFile
from wire import messages
from wire.messages import MessageError, Proposal
from wire.schema import Schema, SchemaError
from wire.signing import KeyFileError, PartySeal, Proof

__all__ = ["Party", "answered"]

NOTHING_ASKED = (messages.REWARD, messages.SCORE_ALONE, messages.SCORE_REWARD)
"""Messages that give and do not ask for anything made from the party's data but scores; all others need its consent."""


@dataclass(frozen=True)
class Party:
    """Who answers, to what, and with which keys."""

    file: PartyFile
    proposal: Proposal
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
        """Its own rows: ``contribution`` without those that it holds out, and those."""
        return PartyData.read(self.file)


def _identified(message: Message, context: Context, seal: PartySeal | None) -> Party:
    """Everything that has to be right before a request is answered.

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
    if kind not in NOTHING_ASKED:
        consent(file.store, proposal, schema, str(context.node_config.get("confirm-schema") or ""))
        confirm_disclosure(context.node_config, proposal)
    return Party(file, proposal, seal, proof)


def answered(message: Message, context: Context, answer: Callable[[Party], RecordDict]) -> Message:
    """The reply: what ``answer`` makes of the party, signed where the party has a key; a no is said with its reason.

    An error that nobody foresaw could quote the party's rows, so only its kind and place are sent; the rest is in the
    party's own log.
    """
    name, seal = str(context.node_config.get("party", "")), None
    try:
        name = PartyFile.of(context.node_config, context.run_config).party
        seal = PartySeal.of(name, context.node_config)
        content = answer(_identified(message, context, seal))
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
