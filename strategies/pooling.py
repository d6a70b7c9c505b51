"""A mediator that pools the parties' rows, values them and makes the rewards.

round 1  configure_train     who is there? then: contribute        query.introduce, train.contribute
         aggregate_train     check, pool, value, reward, realize; a contribution that breaks a stage is refused by name
         evaluate            a receipt for the contribution; the party scores what it can do alone  evaluate.alone
round 2  as in every ``Conversation``: deliver, and score
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from logging import WARNING
from typing import Any, ClassVar, NamedTuple

from flwr.app import Message, RecordDict
from flwr.common.logger import log
from flwr.serverapp import Grid
from flwr.serverapp.exception import AggregationError
from numpy.typing import NDArray

from guerdon.audit import Disclosure
from guerdon.duplicates import count_duplicates, without_near_copies, without_repeats
from guerdon.images import image_shape
from guerdon.pipeline import asks
from guerdon.plausibility import Finding, find_implausible, overflow
from guerdon.types import Contribution
from strategies.auditing import disclosure_record, exposure_of, nothing_found, why_held_back, withheld
from strategies.blame import BROKEN, culprit
from strategies.conversation import Answer, Conversation
from strategies.schema_check import breach
from strategies.session import Outcome, Session, Settings, Unwritten
from wire import messages
from wire.decoding import columns_of
from wire.defaults import CHOSEN_LATER
from wire.kinds import rows
from wire.messages import MessageError, Receipt
from wire.references import HELD_OUT, REFERENCES, references_term
from wire.text import listed

__all__ = ["PoolingMediator", "Read"]


class Read(NamedTuple):
    """A contribution that can be used.

    sent : as it came; received : in the run's order of columns; accepted : as it is pooled.
    """

    sent: Any
    received: Any
    accepted: Any


class PoolingMediator(Conversation):
    """Ask for rows, pool them, value them and reward; what a reward is, a subclass says in ``accept`` and ``value``.

    Attributes
    ----------
    numbers : bool
        Whether outputs are measurements, whose plausibility can be judged, and no class labels.
    """

    numbers: ClassVar[bool] = True

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._pool: list[Contribution] | None = None
        self._findings: list[Finding] = []
        if self.asks_references and self.settings.references == "public" and session.public is None:
            raise ValueError(
                'references = "public" are the inputs of public rows: name them, public-file = '
                '"/path/to/public.parquet" with the parties\' columns, or take a data set that has some'
            )

    # What a subclass says.

    def accept(self, contribution: Contribution) -> None:
        """Raise MessageError where a contribution can't be used."""

    def misfits(self, contributions: Sequence[Contribution]) -> dict[str, str]:
        """Why some of the contributions can't be pooled with the others, by party; they are refused for it."""
        return {}

    @abstractmethod
    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        """Value the pool (sorted by party) and make the rewards."""

    # Where predictions are wanted, for a valuation that asks for it.

    @property
    def asks_references(self) -> bool:
        """Whether data are valued by predictions at references, which the parties or public rows bring."""
        valuation = self.session.parts.get("valuation")
        return valuation is not None and "references" in asks(valuation)

    @property
    def most_references(self) -> int:
        """Inputs of held-out rows that each party is asked for at most; 0 where none is."""
        said = self.settings.references
        if not self.asks_references or said == "public":
            return 0
        return HELD_OUT if said == "held-out" else said

    def discloses(self) -> dict[str, str]:
        terms = super().discloses()
        return {**terms, REFERENCES: references_term(self.most_references or None)} if self.asks_references else terms

    # What parties contribute: rows, unless a subclass asks for something else.

    def request(self, party: str) -> RecordDict:
        """What a party is told of what it is to contribute, beside the proposal: nothing more."""
        return RecordDict()

    def read(self, answer: Answer) -> Read:
        """A party's contribution, checked.

        Raises
        ------
        MessageError
            It can't be used.
        """
        sent = self._decoded(answer)
        in_order = self._in_common_order(sent)
        accepted = self._without_repeats(in_order)
        self._check(accepted)
        return Read(sent, in_order, accepted)

    def entry(self, sent: Contribution) -> dict[str, Any]:
        """What the ledger, and the receipt, say of a contribution."""
        references = {"references": _count(sent)} if self.most_references else {}
        return {"sha256": rows.content_hash(sent), "rows": len(sent), "columns": sent.X.shape[1], **references}

    def noticed(self, received: Sequence[Contribution]) -> list[str]:
        """What is noticed of the contributions side by side, in sentences: rows that they share."""
        return count_duplicates(received).sentences()

    def described(self, pool: Sequence[Contribution]) -> list[Contribution]:
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

    def findings(self, pool: Sequence[Contribution]) -> list[Finding]:
        """What looks implausible."""
        if not pool or image_shape(pool[0].feature_names) is not None:
            return []
        schema = self.settings.schema
        fills = {c.name: float(c.missing) for c in schema.columns if c.fills and c.numeric} if schema else {}
        return find_implausible(pool, target=self.target if self.numbers else "", fills=fills)

    def keep_beside(self) -> dict[str, NDArray[Any]]:
        """What is kept with the pool, that a resumed run needs to understand it: nothing more."""
        return {}

    def take_beside(self, arrays: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> None:
        """Take up what was kept with the pool of an earlier part of this run."""

    # Round 1: who is there, and what do they bring?

    def requests(self, server_round: int, grid: Grid) -> list[Message]:
        refused = self.join(grid)
        if self.settings.resume and (loaded := self.journal.load_pool()) is not None:
            self._take_up(*loaded)
            return self.ask_nobody()
        self.refuse_all(refused)
        self.stage("contribute", len(self.nodes))
        return self.ask(messages.CONTRIBUTE, self.nodes, self.request)

    def take(self, server_round: int, replies: Iterable[Message]) -> None:
        if (made := self.made_before()) is not None:
            self.outcome = made
            return
        pool = self._pool if self._pool is not None else self._collect(replies)
        self._conclude(self._audited(self._valued(self.described(pool))))

    def alone_requests(self) -> list[Message]:
        alone, receipts = self.concluded.alone, self._receipts()
        present = {p: node for p, node in self.nodes.items() if p in receipts and p not in self.refused}
        self.stage("alone", len(present))
        return self.ask(
            messages.SCORE_ALONE, present, lambda party: messages.encode_pooled(receipts[party], alone.get(party))
        )

    def unanswered(self, party: str, stage: str, reason: str) -> None:
        if stage == "contribute":
            self.refuse(party, stage, reason)
        else:
            super().unanswered(party, stage, reason)

    def _take_up(self, pool: list[Contribution], about: dict[str, Any]) -> None:
        """Go on with the pool of an earlier part of this run, under what was fixed then."""
        now = self._fixed()
        # What was so before there was a key for it.
        before = {"contribute": "rows", "max-disclosure": Settings.max_disclosure, **about["fixed"]}
        changed = [
            f"{name} was {old!r} and is {now.get(name)!r}" for name, old in before.items() if now.get(name) != old
        ]
        if changed:
            raise AggregationError(
                f"a resumed run keeps what its data was pooled and valued with, but {'; '.join(changed)}. Resume it "
                "as it was (another scheme or realization can be chosen), or start a new run."
            )
        self._pool, self.target = pool, about["target"]
        self.take_beside(about["beside"], about["features"])
        self.refused = self.journal.refusals()
        earlier = self.journal.load_allocation()
        self.notes = list(earlier["notes"]) if earlier else []
        self.note("resumed from the pooled data; no party is asked for it again")
        self._findings = self.findings(pool)

    def _fixed(self) -> dict[str, Any]:
        """What a resumed run may not change."""
        return {**self.settings.fixed, **self.texts(but=CHOSEN_LATER)}

    def _collect(self, replies: Iterable[Message]) -> list[Contribution]:
        """The contributions that can be used, sorted by party, and written down; the others are refused by name."""
        received: dict[str, Contribution] = {}
        pool: dict[str, Contribution] = {}
        entries: dict[str, dict[str, Any]] = {}
        without: dict[str, str] = {}
        for answer in self.answers("contribute", replies):
            party = answer.party
            try:
                sent, in_order, accepted = self.read(answer)
                self.accept(accepted)
            except MessageError as error:
                self.refuse(party, "contribute", str(error))
                continue
            received[party], pool[party] = in_order, accepted
            entries[party] = {**self.entry(sent), **answer.signed}
            if self.most_references and not _count(sent):
                without[party] = rows.why_no_references(answer.content) or "it says nothing of them"
        self.stage("pool")
        for party, reason in self.misfits([pool[party] for party in sorted(pool)]).items():
            self.refuse(party, "contribute", reason)
            del pool[party]
        contributions = self._plausible([pool[party] for party in sorted(pool)])
        for party in [c.party for c in contributions]:
            self.journal.ledger("contributed", party=party, node=str(self.nodes[party]), **entries[party])
        self.require_quorum(len(contributions))
        self._weigh_references(contributions, without)
        for sentence in self.noticed([received[c.party] for c in contributions]):
            self.note(sentence)
            self.journal.ledger("duplicates", finding=sentence)
        self._keep(contributions)
        return contributions

    def _weigh_references(self, contributions: Sequence[Contribution], without: Mapping[str, str]) -> None:
        """Say whose references are missing, so that those of the others count for more.

        Raises
        ------
        AggregationError
            Nobody has any.
        """
        if not self.most_references:
            return
        missing = {c.party: without[c.party] for c in contributions if not _count(c)}
        why = "; ".join(f"{party}: {reason}" for party, reason in missing.items())
        if len(missing) == len(contributions):
            raise AggregationError(
                f"valuation = {self.session.texts['valuation']!r} is by predictions where the parties want some, and "
                f'nobody brings references ({why}). Take references = "public" with a public-file, or another valuation'
            )
        for party, reason in missing.items():
            self.note(f"{party} brings no references, so that those of the others have its weight: {reason}")
            self.journal.ledger("no references", party=party, reason=reason)

    def _keep(self, pool: Sequence[Contribution]) -> None:
        self.journal.save_pool(pool, {"target": self.target, "fixed": self._fixed()}, self.keep_beside())
        self.journal.ledger("pooled", parties=[c.party for c in pool], rows=sum(map(len, pool)))

    def _check(self, contribution: Contribution) -> None:
        """Hold it against the announced schema, and against what can be computed with.

        Raises
        ------
        MessageError
        """
        schema = self.settings.schema
        for what, sent in _with_references(contribution):
            if reason := overflow(sent, self.target):
                raise MessageError(f"{what}{reason}")
            if schema is not None and (reason := breach(sent, schema)):
                raise MessageError(f"{what or 'it '}is not what the schema asks for: {reason}")

    # What looks implausible, and what breaks a stage.

    def _plausible(self, pool: list[Contribution]) -> list[Contribution]:
        """The pool with its findings noted, or without the parties that they are about where the run refuses these."""
        findings = self.findings(pool)
        for finding in findings:
            self.journal.ledger("finding", **asdict(finding))
        about = {finding.party: finding for finding in reversed(findings)}
        if self.settings.on_finding == "refuse":
            for party, finding in sorted(about.items()):
                self.refuse(party, "pool", f"{finding.sentence} (on-finding = 'refuse')")
            return [c for c in pool if c.party not in about]
        self._findings = findings
        for finding in findings:
            self.note(f"{finding.party}: {finding.sentence}")
        return pool

    def _valued(self, pool: list[Contribution]) -> Outcome:
        """What the pool comes to; where one party's contribution breaks it, that party is refused and the others go on.

        Raises
        ------
        QuorumError
            Too few are left.
        """
        try:
            return _finite(self.value(pool))
        except AggregationError:
            raise
        except BROKEN as error:
            log(WARNING, "The pool can't be valued; trying without each party in turn", exc_info=True)
            party = culprit(pool, self._attempt)
            if party is None:
                raise
            broke = f"what it contributed breaks the computation ({type(error).__name__}), which goes without it"
            self.refuse(party, "value", broke)
        left = [c for c in pool if c.party != party]
        self.require_quorum(len(left))
        self.journal.forget_generator()
        self._findings = [finding for finding in self._findings if finding.party != party]
        self._keep(left)
        return self._valued(left)

    def _attempt(self, pool: Sequence[Contribution]) -> None:
        """Value a pool only to see whether it goes; nothing of it is kept or told."""
        session, notes = self.session, list(self.notes)
        self.journal = Unwritten(session.journal)
        self.session = replace(session, journal=self.journal)
        try:
            _finite(self.value(pool))
        finally:
            self.session, self.journal, self.notes = session, session.journal, notes

    def _audited(self, outcome: Outcome) -> Outcome:
        """The outcome with what its rewards give away: in the record, to each party of its own rows, and without the
        rewards that give away more than the run allows. What nothing was found of is not shown to give away less."""
        settings, parties = self.settings, list(outcome.rewards)
        if not parties or settings.audit is False or (outcome.audit is None and not settings.limits_disclosure):
            return outcome
        found: list[Disclosure] = []
        try:
            found += outcome.audit() if outcome.audit is not None else ()
        except BROKEN as error:  # what twins of half the rows can't be made of, rewards of all can
            found += nothing_found(parties, f"{error}".rstrip("."))
        looked_into = {own.party for own in found}
        found += nothing_found([party for party in parties if party not in looked_into], "the strategy did not look")
        for reason in dict.fromkeys(own.reason for own in found if own.reason):
            whose = listed([own.party for own in found if own.reason == reason])
            outcome.record.setdefault("diagnostics", []).append(
                f"what rewards give away was not found out of {whose}: {reason}"
            )
        rewards = dict(outcome.rewards)
        entries = {entry["party"]: entry for entry in outcome.record["parties"]}
        for own in found:
            exposed = exposure_of(own.party, found)
            entries[own.party] |= {"disclosure": disclosure_record(own), "exposed": exposed or None}
            reward = rewards[own.party]
            if exposed:
                rewards[own.party] = reward = replace(reward, about={**reward.about, "exposed": exposed})
            reason = why_held_back(own, settings.max_disclosure) if settings.limits_disclosure else ""
            if reason:
                rewards[own.party] = withheld(reward, reason)
                entries[own.party]["held_back"] = reason
                self.journal.event("held back", party=own.party, reason=reason)
                self.journal.ledger("held back", party=own.party, reason=reason)
        return replace(outcome, rewards=rewards)

    def _conclude(self, outcome: Outcome) -> None:
        """With the findings in the record, and in each party's reward those about its own data."""
        outcome.record["findings"] = [asdict(finding) for finding in self._findings]
        own = {party: [f.sentence for f in self._findings if f.party == party] for party in outcome.rewards}
        rewards = {
            party: replace(reward, about={**reward.about, "findings": [*own[party], *reward.about.get("findings", ())]})
            if own[party]
            else reward
            for party, reward in outcome.rewards.items()
        }
        self.conclude(replace(outcome, rewards=rewards))

    def _decoded(self, answer: Answer) -> Contribution:
        limits = self.settings
        return rows.decode_contribution(
            answer.content,
            party=answer.party,
            target=self.target,
            max_megabytes=limits.max_contribution_mb,
            min_rows=limits.min_rows,
            max_references=self.most_references,
        )

    def _without_repeats(self, contribution: Contribution) -> Contribution:
        """The contribution with each of its rows, or of its rows and their near-copies, once, where the run asks."""
        if not self.settings.deduplicate:
            return contribution
        distinct = without_repeats(contribution)
        if self.settings.deduplicate == "near":
            distinct = without_near_copies(distinct)
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


def _count(contribution: Contribution) -> int:
    return 0 if contribution.references is None else len(contribution.references)


def _with_references(contribution: Contribution) -> list[tuple[str, Contribution]]:
    """The contribution, and its references as rows without outputs, to be looked at; with how each is spoken of."""
    if contribution.references is None:
        return [("", contribution)]
    inputs = Contribution(contribution.party, contribution.references, feature_names=contribution.feature_names)
    return [("", contribution), ("of its references, ", inputs)]


def _finite(outcome: Outcome) -> Outcome:
    """The outcome, unless a number in its record is none.

    Raises
    ------
    ValueError
    """
    json.dumps(outcome.record, allow_nan=False)
    return outcome
