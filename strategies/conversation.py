"""A mediator in conversation with its parties, as a Flower strategy: who is there, and to each its own reward.

    round 1 ... T - 1  configure_train     what a subclass asks for (``requests``)
                       aggregate_train     what it makes of the answers (``take``)
    after round T - 1  evaluate            each party scores what it can do alone (``alone_requests``)
    round T            configure_train     push to each party its own reward        train.reward
                       evaluate            each party scores its reward             evaluate.reward

What is asked, and what a reward is worth, a subclass says: ``strategies.pooling`` pools rows, and
``strategies.federated_learning`` exchanges updates of networks. Every request says what the run is for (the proposal),
and where the mediator and the parties have keys, every message is signed (``wire.signing``).
"""

from __future__ import annotations

import json
import math
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

from strategies.joining import join, left_out
from strategies.memory import free_memory
from strategies.session import Journal, Outcome, Session
from wire import messages
from wire.handlers import Handler
from wire.kinds import kind_of
from wire.messages import Introduction, MessageError, Proposal
from wire.signing import Proof

__all__ = ["Answer", "Conversation", "QuorumError"]


class QuorumError(AggregationError):
    """Fewer parties are left than the run needs; the text says who is missing and why."""


class Answer(NamedTuple):
    """What a party sent, and the proof that it did (None where nobody signs)."""

    party: str
    content: RecordDict
    proof: Proof | None

    @property
    def signed(self) -> dict[str, str]:
        """The proof as fields of a ledger's entry; empty where nobody signs."""
        return {} if self.proof is None else self.proof.fields()


class Conversation(Strategy):
    """Find the parties, ask, deliver; refuse by name what does not fit, and go on with the others.

    Parties are rows in the order of their names wherever numbers are computed.

    Attributes
    ----------
    rounds : int
        What to pass to ``Strategy.start`` as ``num_rounds``; in the last one rewards are delivered.
    parts : mapping of str to str
        The run-config keys of the parts it composes, with the part that each is where the config leaves it open.
    handlers : mapping of str to handler
        What it brings for the parties' side, by the type of message that they answer (``wire.handlers``).
    gathers_evidence : bool
        Whether it knows what ``evidence = true`` asks for.
    audits : bool
        Whether it knows what its rewards give away, which ``max-disclosure`` is held against.
    """

    rounds: int = 2
    gathers_evidence: ClassVar[bool] = False
    audits: ClassVar[bool] = False
    parts: ClassVar[Mapping[str, str]] = {}
    handlers: ClassVar[Mapping[str, Handler]] = {}

    def begin(self, session: Session) -> None:
        """Take the settings, parts and journal of this run; to be called before ``start``.

        Raises
        ------
        ValueError
            The parts do not fit each other, or this strategy; nobody has been asked for anything yet.
        """
        self.session = session
        self.settings = session.settings
        if self.settings.evidence and not self.gathers_evidence:
            raise ValueError(
                f"evidence = true: {type(self).__name__} gathers none, which is on outputs that models foresee; leave "
                'it out, or take strategy = "ModelRewards()"'
            )
        limit = self.settings.max_disclosure
        if self.settings.limits_disclosure and not self.audits:
            raise ValueError(
                f"max-disclosure = {limit:g}: {type(self).__name__} does not find out what its rewards give away, so "
                'that none could go out; leave it out, or take strategy = "ModelRewards()", "ClassificationRewards()" '
                'or "SyntheticDataRewards()"'
            )
        self.journal: Journal = session.journal
        self.seal = session.seal
        self.proposal = Proposal(
            run=self.settings.run,
            terms={
                **session.texts,
                **self.discloses(),
                **({"max-disclosure": _limit_term(limit)} if self.settings.limits_disclosure else {}),
                "retain-until": self.settings.retain_until or "not said",
            },
            parties=self.settings.parties,
            schema=self.settings.schema.to_json() if self.settings.schema else "",
            dry_run=self.settings.dry_run,
        )
        self.nodes: dict[str, int] = {}
        self.turned_away: dict[str, str] = {}
        self.introductions: dict[str, Introduction] = {}
        self.refused: dict[str, tuple[str, str]] = {}
        self.notes: list[str] = []
        self.outcome: Outcome | None = None
        self.target = ""
        self._asked: list[tuple[str, Message]] = []
        self._silent: dict[str, str] = {}

    # What a subclass says.

    def check(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        """Raise ValueError where these parts do not fit each other or this strategy; before anything is started.

        Parameters
        ----------
        parts : mapping of str to part
            By their keys in the run config.
        texts : mapping of str to str
            As they are written there, with the strategy's own.
        """

    def from_statistics(self) -> Conversation:
        """The strategy that does the same with sums over each party's rows in the place of the rows.

        Raises
        ------
        ValueError
            There is none, with what could be taken instead.
        """
        raise ValueError(
            f'{type(self).__name__} can\'t be had from statistics: take rows, contribute = "rows", or strategy = '
            '"ModelRewards()" with a linear model'
        )

    def discloses(self) -> dict[str, str]:
        """Terms on what each party's reward shows of the others, for the proposal that every party is told."""
        return {}

    @abstractmethod
    def requests(self, server_round: int, grid: Grid) -> list[Message]:
        """What to ask in this round, one of those before the last; made by ``ask``, or ``ask_nobody``."""

    @abstractmethod
    def take(self, server_round: int, replies: Iterable[Message]) -> None:
        """Read the ``answers`` to this round's requests; before the last round, call ``conclude`` with the outcome."""

    def alone_requests(self) -> list[Message]:
        """After the round before the last: ask each party to score what it can do without the others."""
        return self.ask_nobody()

    def judge(self) -> None:
        """After the last scores: a place for what only they can tell; ``outcome.record`` is saved afterwards."""

    def unanswered(self, party: str, stage: str, reason: str) -> None:
        """Deal with a party that failed or did not answer; by default it misses what this stage would have given."""
        if stage == "deliver":
            self._missed(party, reason)
        else:
            self.note(f"{party} did not score what it has: {reason}")

    def foresee(self) -> str:
        """Why this run would fail with the parties that have introduced themselves; "" where nothing speaks for it."""
        return ""

    # Before any round, and without data.

    def rehearse(self, grid: Grid) -> None:
        """A dry run: ask who is there and what they would bring, tell them the proposal, and refuse as a run would.

        Raises
        ------
        QuorumError
        """
        self.meet(grid)

    def join(self, grid: Grid) -> dict[str, str]:
        """Find the parties that can go on (``nodes``, ``introductions``).

        Returns
        -------
        dict of str to str
            Why each of the others can't.
        """
        joined = join(
            grid, self.settings, self.journal, lambda node: self._request(messages.INTRODUCE, node), self.seal
        )
        self.nodes, self.introductions = joined.nodes, joined.introductions
        for sentence in left_out(self.introductions):
            self.note(sentence)
        self.turned_away = joined.refused
        return joined.refused

    def meet(self, grid: Grid) -> None:
        """Find the parties, and refuse those that can't go on.

        Raises
        ------
        QuorumError
        """
        self.refuse_all(self.join(grid))

    def refuse_all(self, refused: Mapping[str, str]) -> None:
        """Refuse the parties that could not join, and go on if enough are left.

        Raises
        ------
        QuorumError
        """
        for party, reason in refused.items():
            self.refuse(party, "join", reason)
        self.require_quorum(len(self.nodes))
        if reason := self.foresee():
            if not self.settings.dry_run:
                raise AggregationError(f"{reason}. No party was asked for data")
            self.note(reason)
            self.journal.ledger("foreseen", reason=reason)
        elif self.settings.dry_run and self.introductions:
            memory = free_memory()
            if math.isfinite(memory.free):
                rows = sum(i.rows for i in self.introductions.values())
                self.note(
                    f"memory: nothing says that {rows:,} rows in all are too many for the {memory.free / 1e9:.3g} GB "
                    f"that are free {memory.bound}"
                )
        self.target = next(iter(self.introductions.values())).target

    # The rounds, as Flower calls them.

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        return self._deliver() if server_round == self.rounds else self.requests(server_round, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        if server_round == self.rounds:
            self._take_receipts(replies)
        else:
            self.take(server_round, replies)
        return None, None

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        if server_round < self.rounds - 1:
            return self.ask_nobody()
        if server_round < self.rounds:
            return self.alone_requests()
        delivered = {entry["party"] for entry in self.concluded.record["parties"] if entry["delivered"]}
        holders = {party: node for party, node in self.nodes.items() if party in delivered}
        if not holders:
            return self.ask_nobody()
        self.stage("score", len(holders))
        return self.ask(messages.SCORE_REWARD, holders)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        if server_round < self.rounds - 1:
            return None
        side = "alone" if server_round < self.rounds else "reward"
        entries = {entry["party"]: entry for entry in self.concluded.record["parties"]}
        for answer in self.answers("score", replies):
            try:
                entries[answer.party][side] = messages.decode_scores(answer.content) or entries[answer.party][side]
            except MessageError as error:
                self.note(f"{answer.party} sends no score of what it has ({side}): {error}")
        if server_round == self.rounds:
            self.judge()
        self._save()
        return None

    def summary(self) -> None:
        s = self.settings
        log(INFO, "\t├──> %s, run %s", type(self).__name__, s.run)
        log(INFO, "\t├──> parties: %s, at least %d", ", ".join(s.parties) or "any", s.min_parties)
        log(INFO, "\t└──> %s", ", ".join(f"{key} = {text}" for key, text in self.session.texts.items()))

    # What was decided, and what is given.

    @property
    def concluded(self) -> Outcome:
        """The outcome, once there is one."""
        if self.outcome is None:
            raise RuntimeError("nothing has been valued yet: run the strategy with Strategy.start")
        return self.outcome

    def conclude(self, outcome: Outcome) -> None:
        """Write down what was decided and the rewards, before any is pushed.

        With each reward goes the schema by which a party can give it further rows.
        """
        if self.settings.schema is not None:
            schema = json.loads(self.settings.schema.to_json())
            rewards = {
                party: replace(reward, about={**reward.about, "schema": schema})
                for party, reward in outcome.rewards.items()
            }
            outcome = replace(outcome, rewards=rewards)
        self.outcome = outcome
        self._save()
        if outcome.rewards:
            self.journal.save_rewards(outcome.rewards, self.texts())
        for party, reward in outcome.rewards.items():
            self.journal.ledger("reward made", party=party, sha256=reward.hash)

    def made_before(self) -> Outcome | None:
        """The rewards that an earlier part of this run made, and its record: none is made again.

        Raises
        ------
        AggregationError
            They were made with other parts than the run config names now.
        """
        kept = self.journal.load_rewards() if self.settings.resume else None
        if kept is None:
            return None
        record = self.journal.load_allocation()
        if record is None:
            raise AggregationError(
                "the rewards of this run were made already, but its allocation.json is gone: restore it"
            )
        rewards, made_with = kept
        changed = [f"{key} = {text!r}" for key, text in made_with.items() if self.texts().get(key) != text]
        if changed or self.settings.stop_after:
            raise AggregationError(
                f"the rewards of this run were made already, and can't be made again in another way "
                f"({', '.join(changed) or 'stop-after comes too late'}): a party that holds two rewards could cancel "
                "the noise out. Resume with the parts that were used, or start a new run."
            )
        self.note("the rewards were already made; the same ones are delivered")
        return Outcome(record=record, alone={}, rewards=rewards)

    def texts(self, but: Sequence[str] = ()) -> dict[str, str]:
        """The parts as the run config has them, without some."""
        return {key: text for key, text in self.session.texts.items() if key not in but}

    def _deliver(self) -> list[Message]:
        rewards = self.concluded.rewards
        if not rewards:
            return self.ask_nobody()
        present = {party: node for party, node in self.nodes.items() if party in rewards}
        self.stage("deliver", len(present))
        for entry in self.concluded.record["parties"]:
            if entry["party"] not in present and not entry["delivered"]:
                self._missed(entry["party"], self.turned_away.get(entry["party"], "it is not connected"))
        return self.ask(messages.REWARD, present, lambda party: messages.encode_reward(rewards[party]))

    def _take_receipts(self, replies: Iterable[Message]) -> None:
        rewards = self.concluded.rewards
        entries = {entry["party"]: entry for entry in self.concluded.record["parties"]}
        for answer in self.answers("deliver", replies):
            party = answer.party
            try:
                sha256, place = messages.decode_receipt(answer.content)
                if sha256 != rewards[party].hash:
                    raise MessageError(
                        f"it received something else: {sha256[:12]} instead of {rewards[party].hash[:12]}"
                    )
            except MessageError as error:
                self._missed(party, str(error))
                continue
            if not kind_of(rewards[party].about).gives:
                self.journal.ledger("told", party=party, node=str(self.nodes[party]), sha256=sha256, **answer.signed)
                continue
            entries[party].update(delivered=True, store=place)
            self.journal.ledger("delivered", party=party, node=str(self.nodes[party]), sha256=sha256, **answer.signed)
        if rewards and all(entry["delivered"] for entry in entries.values()):
            self.concluded.record["stage"] = "delivered"
        self._save()

    def _missed(self, party: str, reason: str) -> None:
        self.note(f"{party} did not take its reward: {reason}. It gets the same one when the run is resumed.")
        self.journal.ledger("missed", party=party, reason=reason)

    # Messages.

    def ask(
        self, kind: str, nodes: Mapping[str, int], content: Callable[[str], RecordDict] | None = None
    ) -> list[Message]:
        """A message of this type to each of these parties.

        Parameters
        ----------
        kind : str
            The type, such as "train.contribute".
        nodes : mapping of str to int
            The parties and their nodes.
        content : callable, optional
            Makes what to send to a party by its name; where it is None, only what the run is for is sent.
        """
        self._asked = [
            (party, self._request(kind, nodes[party], content(party) if content else None)) for party in sorted(nodes)
        ]
        return [message for _, message in self._asked]

    def ask_nobody(self) -> list[Message]:
        """No message: this phase of the round is skipped."""
        self._asked = []
        return []

    def answers(self, stage: str, replies: Iterable[Message]) -> list[Answer]:
        """Each party's answer to what was asked last, sorted by party; for each that gave none, ``unanswered``."""
        by_request = {reply.metadata.reply_to_message_id: reply for reply in replies}
        found = []
        self._silent = {}
        for party, request in self._asked:
            reply = by_request.get(request.metadata.message_id)
            if reply is None:
                reason = f"no answer within {self.settings.timeout:g} s"
            elif reply.has_error():
                reason = messages.error_sentence(reply.error)
            else:
                try:
                    found.append(Answer(party, reply.content, self._proof(party, request, reply)))
                    continue
                except MessageError as error:
                    reason = str(error)
            self._silent[party] = reason
            self.unanswered(party, stage, reason)
        return found

    def _request(self, kind: str, node: int, content: RecordDict | None = None) -> Message:
        content = messages.with_proposal(RecordDict() if content is None else content, self.proposal)
        if self.seal is not None:
            content = self.seal.sealed(content, kind, node)
        return Message(content=content, dst_node_id=node, message_type=kind)

    def _proof(self, party: str, request: Message, reply: Message) -> Proof | None:
        """That it was this party which answered, where parties have keys.

        Raises
        ------
        MessageError
        """
        if self.seal is None:
            return None
        return self.seal.verify(reply.content, request.metadata.message_type, party, request.metadata.dst_node_id)

    # Refusals, notes and the record.

    def refuse(self, party: str, stage: str, reason: str) -> None:
        """Leave a party out of the rest of the run, and write down why."""
        self.refused[party] = (stage, reason)
        self.nodes.pop(party, None)
        self.journal.event("refused", party=party, reason=reason)
        self.journal.ledger("refused", party=party, stage=stage, reason=reason)

    def require_quorum(self, left: int) -> None:
        """Go on if this many parties are enough.

        Raises
        ------
        QuorumError
        """
        if left >= self.settings.min_parties:
            return
        reasons = {**self._silent, **{party: reason for party, (_, reason) in self.refused.items()}}
        why = "; ".join(f"{party}: {reason}" for party, reason in sorted(reasons.items()))
        raise QuorumError(
            f"{left} of the at least {self.settings.min_parties} parties that min-parties asks for are left. "
            f"Missing: {why or 'nobody else has connected'}"
        )

    def note(self, text: str) -> None:
        """Something that whoever reads the run's table should know."""
        if text not in self.notes:  # a resumed run finds again what it found before
            self.notes.append(text)
        self.journal.event("note", text=text)

    def stage(self, stage: str, total: int | None = None, **more: Any) -> None:
        """Tell whoever watches what is done now, and in how many steps."""
        self.journal.event("stage", stage=stage, total=total, **more)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell whoever watches how far it is."""
        self.journal.event("progress", stage=stage, done=done, total=total)

    def _save(self) -> None:
        record = self.concluded.record
        record["notes"] = self.notes
        record["refused"] = [
            {"party": party, "stage": stage, "reason": reason}
            for party, (stage, reason) in sorted(self.refused.items())
        ]
        self.journal.save_allocation(record)


def _limit_term(limit: float) -> str:
    """The term of a proposal whose rewards are held back where they give away more."""
    return (
        f"{limit:g}: a reward is held back unless the audit shows that no attack of its own tells who was in with a "
        "larger AUC"
    )
