"""The two-round protocol of a trusted mediator, as a Flower strategy.

    round 1  configure_train     who is there? then: contribute        query.introduce, train.contribute
             aggregate_train     check, pool, value, reward, realize
             evaluate            a receipt for the contribution; the party scores what it can do alone  evaluate.alone
    round 2  configure_train     push to each party its own reward     train.reward
             evaluate            each party scores its reward          evaluate.reward

What is valued and what a reward is, a subclass says in ``accept`` and ``value``. Every request says what the run is for
(the proposal), and where the mediator and the parties have keys, every message is signed (``wire.signing``).
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from logging import INFO
from typing import Any, ClassVar, NamedTuple

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common.logger import log
from flwr.serverapp import Grid
from flwr.serverapp.exception import AggregationError
from flwr.serverapp.strategy import Strategy

from guerdon.duplicates import count_duplicates, without_repeats
from guerdon.types import Contribution
from strategies.joining import join
from strategies.session import Outcome, Session
from wire import messages
from wire.handlers import Handler
from wire.messages import Introduction, MessageError, Proposal, Receipt
from wire.signing import Proof

__all__ = ["QuorumError", "TrustedMediator"]


class QuorumError(AggregationError):
    """Fewer parties are left than the run needs; the text says who is missing and why."""


class _Answer(NamedTuple):
    """What a party sent, and the proof that it did (None where nobody signs)."""

    party: str
    content: RecordDict
    proof: Proof | None


class TrustedMediator(Strategy):
    """Ask, pool, value, reward, deliver; refuse by name what does not fit, and go on with the others.

    Parties are rows in the order of their names wherever numbers are computed. ``rounds`` is what to pass to
    ``Strategy.start`` as ``num_rounds``; ``parts`` are the run-config keys of the parts it composes, with the part that
    each is where the config leaves it open; ``handlers`` are what it brings for the parties' side, by the type of
    message that they answer (``wire.handlers``).
    """

    rounds: int = 2
    parts: ClassVar[Mapping[str, str]] = {}
    handlers: ClassVar[Mapping[str, Handler]] = {}

    def begin(self, session: Session) -> None:
        """Take the settings, parts and journal of this run; to be called before ``start``."""
        self.session = session
        self.settings = session.settings
        self.journal = session.journal
        self.seal = session.seal
        self.proposal = Proposal(
            run=self.settings.run,
            terms={**session.texts, "retain-until": self.settings.retain_until or "not said"},
            parties=self.settings.parties,
            schema=self.settings.schema.to_json() if self.settings.schema else "",
            dry_run=self.settings.dry_run,
        )
        self.nodes: dict[str, int] = {}
        self.introductions: dict[str, Introduction] = {}
        self.refused: dict[str, tuple[str, str]] = {}
        self.notes: list[str] = []
        self.outcome: Outcome | None = None
        self.target = ""
        self._asked: list[tuple[str, Message]] = []
        self._pool: list[Contribution] | None = None

    # What a subclass says.

    def accept(self, contribution: Contribution) -> None:
        """Raise MessageError where a contribution can't be used."""

    @abstractmethod
    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        """Value the pool (sorted by party) and make the rewards."""

    # Before any round, and without data.

    def rehearse(self, grid: Grid) -> None:
        """A dry run: ask who is there and what they would bring, tell them the proposal, and refuse as a run would.

        Raises
        ------
        QuorumError
        """
        for party, reason in self._join(grid).items():
            self._refuse(party, "join", reason)
        self._require_quorum(len(self.nodes))

    def _join(self, grid: Grid) -> dict[str, str]:
        """The parties that can go on; returns why the others can't."""
        joined = join(
            grid, self.settings, self.journal, lambda node: self._request(messages.INTRODUCE, node), self.seal
        )
        self.nodes, self.introductions = joined.nodes, joined.introductions
        return joined.refused

    # Round 1: who is there, and what do they bring?

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        if server_round == self.rounds:
            return self._deliver()
        refused = self._join(grid)
        if self.settings.resume and (loaded := self.journal.load_pool()) is not None:
            self._take_up(*loaded)
            return self._ask_nobody()
        for party, reason in refused.items():
            self._refuse(party, "join", reason)
        self._require_quorum(len(self.nodes))
        self.target = next(iter(self.introductions.values())).target
        self._stage("contribute", len(self.nodes))
        return self._ask(messages.CONTRIBUTE, self.nodes)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        if server_round == self.rounds:
            self._take_receipts(replies)
            return None, None
        if (delivering := self._made_before()) is not None:
            self.outcome = delivering
        else:
            contributions = self._pool if self._pool is not None else self._pool_contributions(replies)
            self.outcome = self.value(contributions)
            self._save()
            self._keep_rewards()
        return None, None

    def _take_up(self, pool: list[Contribution], about: dict[str, Any]) -> None:
        """Go on with the pool of an earlier part of this run, under what was fixed then."""
        now = {**self.settings.fixed, **self._texts(but=("scheme", "realization"))}
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
        self._note("resumed from the pooled data; no party is asked for it again")

    def _pool_contributions(self, replies: Iterable[Message]) -> list[Contribution]:
        limits = self.settings
        received: dict[str, Contribution] = {}
        pool: dict[str, Contribution] = {}
        entries: dict[str, dict[str, Any]] = {}
        for party, content, proof in self._answers("contribute", replies):
            try:
                contribution = messages.decode_contribution(
                    content,
                    party=party,
                    target=self.target,
                    max_megabytes=limits.max_contribution_mb,
                    min_rows=limits.min_rows,
                )
                received[party] = self._in_common_order(contribution)
                pool[party] = self._without_repeats(received[party])
                self.accept(pool[party])
                entries[party] = {
                    "sha256": messages.content_hash(contribution),
                    "rows": len(contribution),
                    "columns": contribution.X.shape[1],
                    **_fields(proof),
                }
            except MessageError as error:
                received.pop(party, None)
                pool.pop(party, None)
                self._refuse(party, "contribute", str(error))
        self._stage("pool")
        contributions = [pool[party] for party in sorted(pool)]
        for party in sorted(pool):
            self.journal.ledger("contributed", party=party, node=str(self.nodes[party]), **entries[party])
        self._require_quorum(len(contributions))
        for sentence in count_duplicates([received[party] for party in sorted(pool)]).sentences():
            self._note(sentence)
            self.journal.ledger("duplicates", finding=sentence)
        fixed = {**self.settings.fixed, **self._texts(but=("scheme", "realization"))}
        self.journal.save_pool(contributions, {"target": self.target, "fixed": fixed})
        self.journal.ledger("pooled", parties=[c.party for c in contributions], rows=sum(map(len, contributions)))
        return contributions

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
            sent = f"{messages.listed(common)} but sent {messages.listed(names)}"
            raise MessageError(f"it introduced the features {sent}")
        if names == common:
            return contribution
        return replace(contribution, X=contribution.X[:, [names.index(n) for n in common]], feature_names=common)

    def _keep_rewards(self) -> None:
        """Write the rewards down before any is pushed, with the schema by which a party can give them further rows."""
        if not self._outcome.rewards:
            return
        if self.settings.schema is not None:
            schema = json.loads(self.settings.schema.to_json())
            known = {
                party: replace(reward, about={**reward.about, "schema": schema})
                for party, reward in self._outcome.rewards.items()
            }
            self.outcome = replace(self._outcome, rewards=known)
        self.journal.save_rewards(self._outcome.rewards, self._texts())
        for party, reward in self._outcome.rewards.items():
            self.journal.ledger("reward made", party=party, sha256=reward.hash)

    def _made_before(self) -> Outcome | None:
        """The rewards that an earlier part of this run made, and its record: none is made again."""
        kept = self.journal.load_rewards() if self.settings.resume else None
        if kept is None:
            return None
        record = self.journal.load_allocation()
        if record is None:
            raise AggregationError(
                "the rewards of this run were made already, but its allocation.json is gone: restore it"
            )
        rewards, made_with = kept
        changed = [f"{key} = {text!r}" for key, text in made_with.items() if self._texts().get(key) != text]
        if changed or self.settings.stop_after:
            raise AggregationError(
                f"the rewards of this run were made already, and can't be made again in another way "
                f"({', '.join(changed) or 'stop-after comes too late'}): a party that holds two rewards could cancel "
                "the noise out. Resume with the parts that were used, or start a new run."
            )
        self._note("the rewards were already made; the same ones are delivered")
        return Outcome(record=record, alone={}, rewards=rewards)

    def _texts(self, but: Sequence[str] = ()) -> dict[str, str]:
        return {key: text for key, text in self.session.texts.items() if key not in but}

    # Round 2: to each its own.

    def _deliver(self) -> Iterable[Message]:
        rewards = self._outcome.rewards
        if not rewards:
            return self._ask_nobody()
        present = {party: node for party, node in self.nodes.items() if party in rewards}
        self._stage("deliver", len(present))
        for entry in self._outcome.record["parties"]:
            if entry["party"] not in present and not entry["delivered"]:
                self._missed(entry["party"], "it is not connected")
        return self._ask(messages.REWARD, present, lambda party: messages.encode_reward(rewards[party]))

    def _take_receipts(self, replies: Iterable[Message]) -> None:
        rewards = self._outcome.rewards
        entries = {entry["party"]: entry for entry in self._outcome.record["parties"]}
        for party, content, proof in self._answers("deliver", replies):
            try:
                sha256, place = messages.decode_receipt(content)
                if sha256 != rewards[party].hash:
                    raise MessageError(
                        f"it received something else: {sha256[:12]} instead of {rewards[party].hash[:12]}"
                    )
            except MessageError as error:
                self._missed(party, str(error))
                continue
            entries[party].update(delivered=True, store=place)
            self.journal.ledger("delivered", party=party, node=str(self.nodes[party]), sha256=sha256, **_fields(proof))
        if rewards and all(entry["delivered"] for entry in entries.values()):
            self._outcome.record["stage"] = "delivered"
        self._save()

    def _missed(self, party: str, reason: str) -> None:
        text = f"{party} did not take its reward: {reason}. It gets the same one when the run is resumed."
        self._note(text)
        self.journal.ledger("missed", party=party, reason=reason)

    # Both rounds: what is it worth to the party itself?

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        record = self._outcome.record
        if server_round < self.rounds:
            alone, receipts = self._outcome.alone, self._receipts()
            present = {party: node for party, node in self.nodes.items() if party in receipts}
            self._stage("alone", len(present))
            return self._ask(
                messages.SCORE_ALONE,
                present,
                lambda party: messages.encode_pooled(receipts[party], alone.get(party)),
            )
        holders = {p["party"]: self.nodes[p["party"]] for p in record["parties"] if p["party"] in self._receivers()}
        if not holders:
            return self._ask_nobody()
        self._stage("score", len(holders))
        return self._ask(messages.SCORE_REWARD, holders)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        column = "alone" if server_round < self.rounds else "reward"
        entries = {entry["party"]: entry for entry in self._outcome.record["parties"]}
        for party, content, _ in self._answers("score", replies):
            try:
                entries[party][column] = messages.decode_scores(content) or entries[party][column]
            except MessageError as error:
                self._note(f"{party} could not score what it has ({column}): {error}")
        self._save()
        return None

    def summary(self) -> None:
        s = self.settings
        log(INFO, "\t├──> %s, run %s", type(self).__name__, s.run)
        log(INFO, "\t├──> parties: %s, at least %d", ", ".join(s.parties) or "any", s.min_parties)
        log(INFO, "\t└──> %s", ", ".join(f"{key} = {text}" for key, text in self.session.texts.items()))

    # Messages, refusals, the record.

    @property
    def _outcome(self) -> Outcome:
        if self.outcome is None:
            raise RuntimeError("nothing has been valued yet: run the strategy with Strategy.start")
        return self.outcome

    def _receivers(self) -> set[str]:
        """Who has its reward now and is connected."""
        delivered = {p["party"] for p in self._outcome.record["parties"] if p["delivered"]}
        return delivered & set(self.nodes)

    def _receipts(self) -> dict[str, Receipt]:
        """What the mediator acknowledges to each party whose contribution it pooled, in this or an earlier part."""
        receipts = {}
        for party, entry in self.journal.contributed().items():
            kept = {key: value for key, value in entry.items() if key not in ("action", "node", "signature")}
            text = json.dumps({"receipt": "contribution", "run": self.settings.run, **kept}, sort_keys=True)
            receipts[party] = Receipt(text, self.seal.sign_text(text) if self.seal else "")
        return receipts

    def _ask(
        self, kind: str, nodes: Mapping[str, int], content: Callable[[str], RecordDict] | None = None
    ) -> list[Message]:
        """A message to each of these parties; only what the run is for where there is no other content."""
        self._asked = [
            (party, self._request(kind, nodes[party], content(party) if content else None)) for party in sorted(nodes)
        ]
        return [message for _, message in self._asked]

    def _request(self, kind: str, node: int, content: RecordDict | None = None) -> Message:
        content = messages.with_proposal(RecordDict() if content is None else content, self.proposal)
        if self.seal is not None:
            content = self.seal.sealed(content, kind, node)
        return Message(content=content, dst_node_id=node, message_type=kind)

    def _ask_nobody(self) -> list[Message]:
        self._asked = []
        return []

    def _answers(self, stage: str, replies: Iterable[Message]) -> list[_Answer]:
        """Each party's answer, sorted by party; whoever failed or was silent is dealt with here."""
        by_request = {reply.metadata.reply_to_message_id: reply for reply in replies}
        answers = []
        for party, request in self._asked:
            reply = by_request.get(request.metadata.message_id)
            if reply is None:
                reason = f"no answer within {self.settings.timeout:g} s"
            elif reply.has_error():
                reason = messages.error_sentence(reply.error)
            else:
                try:
                    answers.append(_Answer(party, reply.content, self._proof(party, request, reply)))
                    continue
                except MessageError as error:
                    reason = str(error)
            self._unanswered(party, stage, reason)
        return answers

    def _unanswered(self, party: str, stage: str, reason: str) -> None:
        """What comes of a party that failed or was silent."""
        if stage == "contribute":
            self._refuse(party, stage, reason)
        elif stage == "deliver":
            self._missed(party, reason)
        else:
            self._note(f"{party} did not score what it has: {reason}")

    def _proof(self, party: str, request: Message, reply: Message) -> Proof | None:
        """That it was this party which answered, where parties have keys.

        Raises
        ------
        MessageError
        """
        if self.seal is None:
            return None
        return self.seal.verify(reply.content, request.metadata.message_type, party, request.metadata.dst_node_id)

    def _refuse(self, party: str, stage: str, reason: str) -> None:
        self.refused[party] = (stage, reason)
        self.nodes.pop(party, None)
        self.journal.event("refused", party=party, reason=reason)
        self.journal.ledger("refused", party=party, stage=stage, reason=reason)

    def _require_quorum(self, left: int) -> None:
        if left >= self.settings.min_parties:
            return
        why = "; ".join(f"{party}: {reason}" for party, (_, reason) in sorted(self.refused.items()))
        raise QuorumError(
            f"{left} of the at least {self.settings.min_parties} parties that min-parties asks for are left. "
            f"Missing: {why or 'nobody else has connected'}"
        )

    def _note(self, text: str) -> None:
        """Something that whoever reads the run's table should know."""
        if text not in self.notes:  # a resumed run finds again what it found before
            self.notes.append(text)
        self.journal.event("note", text=text)

    def _stage(self, stage: str, total: int | None = None) -> None:
        self.journal.event("stage", stage=stage, total=total)

    def _save(self) -> None:
        record = self._outcome.record
        record["notes"] = self.notes
        record["refused"] = [
            {"party": party, "stage": stage, "reason": reason}
            for party, (stage, reason) in sorted(self.refused.items())
        ]
        self.journal.save_allocation(record)


def _fields(proof: Proof | None) -> dict[str, str]:
    return {} if proof is None else proof.fields()
