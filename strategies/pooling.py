"""A mediator that pools the parties' rows, values them and makes the rewards.

round 1  configure_train     who is there? then: contribute        query.introduce, train.contribute
         aggregate_train     check, pool, value, reward, realize
         evaluate            a receipt for the contribution; the party scores what it can do alone  evaluate.alone
round 2  as in every ``Conversation``: deliver, and score
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flwr.app import Message
from flwr.serverapp import Grid
from flwr.serverapp.exception import AggregationError

from guerdon.duplicates import count_duplicates, without_repeats
from guerdon.types import Contribution
from strategies.conversation import Answer, Conversation
from strategies.session import Outcome, Session
from wire import messages
from wire.decoding import columns_of
from wire.kinds import rows
from wire.messages import MessageError, Receipt
from wire.text import listed

__all__ = ["PoolingMediator"]

CHOSEN_LATER = ("scheme", "realization")
"""Parts that a run which stopped after valuation may still choose."""


class PoolingMediator(Conversation):
    """Ask for rows, pool them, value them and reward; what a reward is, a subclass says in ``accept`` and ``value``."""

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._pool: list[Contribution] | None = None

    # What a subclass says.

    def accept(self, contribution: Contribution) -> None:
        """Raise MessageError where a contribution can't be used."""

    @abstractmethod
    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        """Value the pool (sorted by party) and make the rewards."""

    # Round 1: who is there, and what do they bring?

    def requests(self, server_round: int, grid: Grid) -> list[Message]:
        refused = self.join(grid)
        if self.settings.resume and (loaded := self.journal.load_pool()) is not None:
            self._take_up(*loaded)
            return self.ask_nobody()
        self.refuse_all(refused)
        self.stage("contribute", len(self.nodes))
        return self.ask(messages.CONTRIBUTE, self.nodes)

    def take(self, server_round: int, replies: Iterable[Message]) -> None:
        if (made := self.made_before()) is not None:
            self.outcome = made
            return
        pool = self._pool if self._pool is not None else self._collect(replies)
        self.conclude(self.value(self._with_columns(pool)))

    def alone_requests(self) -> list[Message]:
        alone, receipts = self.concluded.alone, self._receipts()
        present = {party: node for party, node in self.nodes.items() if party in receipts}
        self.stage("alone", len(present))
        return self.ask(
            messages.SCORE_ALONE, present, lambda party: messages.encode_pooled(receipts[party], alone.get(party))
        )

    def unanswered(self, party: str, stage: str, reason: str) -> None:
        if stage == "contribute":
            self.refuse(party, stage, reason)
        else:
            super().unanswered(party, stage, reason)

    def _with_columns(self, pool: Sequence[Contribution]) -> list[Contribution]:
        """The contributions with what their columns are, where a schema says it."""
        schema = self.settings.schema
        if schema is None:
            return list(pool)
        return [
            replace(
                c, columns=columns_of(schema).in_order([schema.features.index(name) for name in c.feature_names or ()])
            )
            for c in pool
        ]

    def _take_up(self, pool: list[Contribution], about: dict[str, Any]) -> None:
        """Go on with the pool of an earlier part of this run, under what was fixed then."""
        now = self._fixed()
        changed = [
            f"{name} was {old!r} and is {now.get(name)!r}"
            for name, old in about["fixed"].items()
            if now.get(name) != old
        ]
        if changed:
            raise AggregationError(
                f"a resumed run keeps what its data was pooled and valued with, but {'; '.join(changed)}. Resume it "
                "as it was (another scheme or realization can be chosen), or start a new run."
            )
        self._pool, self.target = pool, about["target"]
        self.refused = self.journal.refusals()
        earlier = self.journal.load_allocation()
        self.notes = list(earlier["notes"]) if earlier else []
        self.note("resumed from the pooled data; no party is asked for it again")

    def _fixed(self) -> dict[str, Any]:
        """What a resumed run may not change."""
        return {**self.settings.fixed, **self.texts(but=CHOSEN_LATER)}

    def _collect(self, replies: Iterable[Message]) -> list[Contribution]:
        """The contributions that can be used, sorted by party, and written down; the others are refused by name."""
        received: dict[str, Contribution] = {}
        pool: dict[str, Contribution] = {}
        entries: dict[str, dict[str, Any]] = {}
        for answer in self.answers("contribute", replies):
            party = answer.party
            try:
                sent = self._decoded(answer)
                in_order = self._in_common_order(sent)
                accepted = self._without_repeats(in_order)
                self.accept(accepted)
            except MessageError as error:
                self.refuse(party, "contribute", str(error))
                continue
            received[party], pool[party] = in_order, accepted
            entries[party] = {
                "sha256": rows.content_hash(sent),
                "rows": len(sent),
                "columns": sent.X.shape[1],
                **answer.signed,
            }
        self.stage("pool")
        contributions = [pool[party] for party in sorted(pool)]
        for party in sorted(pool):
            self.journal.ledger("contributed", party=party, node=str(self.nodes[party]), **entries[party])
        self.require_quorum(len(contributions))
        for sentence in count_duplicates([received[party] for party in sorted(pool)]).sentences():
            self.note(sentence)
            self.journal.ledger("duplicates", finding=sentence)
        self.journal.save_pool(contributions, {"target": self.target, "fixed": self._fixed()})
        self.journal.ledger("pooled", parties=[c.party for c in contributions], rows=sum(map(len, contributions)))
        return contributions

    def _decoded(self, answer: Answer) -> Contribution:
        limits = self.settings
        return rows.decode_contribution(
            answer.content,
            party=answer.party,
            target=self.target,
            max_megabytes=limits.max_contribution_mb,
            min_rows=limits.min_rows,
        )

    def _without_repeats(self, contribution: Contribution) -> Contribution:
        """The contribution with each of its rows once, where the run asks for it."""
        if not self.settings.deduplicate:
            return contribution
        distinct = without_repeats(contribution)
        if len(distinct) < self.settings.min_rows:
            raise MessageError(f"at least {self.settings.min_rows} different rows are needed, got {len(distinct)}")
        return distinct

    def _in_common_order(self, contribution: Contribution) -> Contribution:
        """The contribution with its columns as the others have them."""
        common = self.introductions[min(self.introductions)].feature_names
        names = contribution.feature_names or ()
        if set(names) != set(common):
            sent = f"{listed(common)} but sent {listed(names)}"
            raise MessageError(f"it introduced the features {sent}")
        return contribution.in_order(common)

    def _receipts(self) -> dict[str, Receipt]:
        """What the mediator acknowledges to each party whose contribution it pooled, in this or an earlier part."""
        receipts = {}
        for party, entry in self.journal.contributed().items():
            kept = {key: value for key, value in entry.items() if key not in ("action", "node", "signature")}
            text = json.dumps({"receipt": "contribution", "run": self.settings.run, **kept}, sort_keys=True)
            receipts[party] = Receipt(text, self.seal.sign_text(text) if self.seal else "")
        return receipts
