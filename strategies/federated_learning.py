"""Federated learning with rewards: parties keep their rows, and each gets a model by what its updates are worth.

    round 1 ... T  configure_train   who is there? then: train the weights that came  query.introduce, train.update
                   aggregate_train   a subclass decides what each party's next model is
    after round T  evaluate          each party scores what it could train alone       evaluate.learn_alone
    round T + 1    configure_train   push to each party its own model                  train.reward
                   evaluate          each party scores it                              evaluate.reward

The mediator keeps every party's model, so that a party that was away for a round, or started anew, goes on where it
was.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid

from guerdon.federated import Recipe, Weights, initial_weights
from guerdon.types import Contribution, FloatArray
from strategies.mediator import TrustedMediator
from strategies.record import own_record
from strategies.session import Outcome, Session
from wire.handlers import Handler
from wire.kinds.lessons import HANDLERS, LEARN_ALONE, UPDATE, Lesson, decode_update, encode_lesson
from wire.messages import MessageError, Reward

__all__ = ["FederatedLearning"]

LEARN = "learn"


class FederatedLearning(TrustedMediator):
    """The rounds that such mechanisms share; a subclass says what the updates of a round come to (``learn``).

    Parameters
    ----------
    rounds : T, how often updates are exchanged
    hidden : widths of the network's hidden layers
    classes : labels are 0 ... classes - 1
    epochs, batch, learning_rate, scale : how parties train, see ``guerdon.federated.Recipe``
    """

    handlers: ClassVar[Mapping[str, Handler]] = HANDLERS
    columns: ClassVar[Sequence[tuple[str, str]]] = ()
    """The mechanism's own columns of the table."""

    def __init__(
        self,
        rounds: int = 60,
        hidden: Sequence[int] = (32,),
        classes: int = 10,
        epochs: int = 1,
        batch: int = 32,
        learning_rate: float = 0.1,
        scale: float = 1.0,
    ) -> None:
        hidden = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        if not (isinstance(rounds, int) and rounds >= 1 and isinstance(classes, int) and classes >= 2):
            raise ValueError(f"rounds is at least 1 and classes at least 2, got {rounds!r} and {classes!r}")
        if not all(isinstance(width, int) and width >= 1 for width in hidden):
            raise ValueError(f"hidden are the widths of layers, whole numbers of at least 1, got {hidden!r}")
        self.recipe = Recipe(epochs, batch, learning_rate, scale)
        self.rounds, self.hidden, self.classes = rounds + 1, hidden, classes

    def begin(self, session: Session) -> None:
        super().begin(session)
        if session.settings.stop_after:
            raise ValueError(f"stop-after: {type(self).__name__} values and rewards at once, there is nothing between")
        self.features: tuple[str, ...] = ()
        self.first: dict[str, FloatArray] = {}
        self.models: dict[str, Weights] = {}
        self.taken: dict[str, int] = {}

    # What a subclass says.

    def meet(self, parties: Sequence[str]) -> None:
        """The parties that are there at the start, sorted by name; their rows are in ``introductions``."""

    def starts(self, server_round: int) -> Mapping[str, Weights]:
        """What each party trains from in this round: its own model."""
        return self.models

    @abstractmethod
    def learn(self, server_round: int, starts: Mapping[str, Weights], updates: Mapping[str, Weights]) -> None:
        """Set ``models`` by the updates of a round, of those parties that sent one, sorted by name."""

    @abstractmethod
    def standing(self, party: str) -> dict[str, Any]:
        """What the mechanism came to for a party: ``alpha``, its importance beside the best's, and more."""

    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        raise NotImplementedError("parties keep their rows: nothing is pooled")

    # The rounds.

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        if server_round == 1:
            self._open(self._join(grid))
        if server_round == self.rounds:
            return self._deliver()
        if self.outcome is not None:
            return self._ask_nobody()
        self.journal.event("progress", stage=LEARN, done=server_round, total=self.rounds - 1)
        self._started = dict(self.starts(server_round))
        return self._ask(
            UPDATE,
            self.nodes,
            lambda party: encode_lesson(self._lesson(self._started[party], party, server_round)),
        )

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        if server_round == self.rounds:
            self._take_receipts(replies)
        elif self.outcome is None:
            updates = self._updates(replies)
            self._require_quorum(len(updates))
            self.learn(server_round, self._started, updates)
            if server_round == self.rounds - 1:
                self._conclude()
        return None, None

    def _open(self, refused: Mapping[str, str]) -> None:
        """Meet the parties; on a resumed run take up the rewards where they were made."""
        made = self._made_before()
        if made is not None:
            earlier = self.journal.load_allocation() or {}
            self.refused = self.journal.refusals()
            self.notes = [*earlier.get("notes", []), *(n for n in self.notes if n not in earlier.get("notes", []))]
            self.outcome = made
            return
        for party, reason in refused.items():
            self._refuse(party, "join", reason)
        self._require_quorum(len(self.nodes))
        parties = sorted(self.nodes)
        meeting = self.introductions[parties[0]]
        self.target, self.features = meeting.target, meeting.feature_names
        self.first = initial_weights(len(self.features), self.hidden, self.classes, self.settings.seed)
        self.models = dict.fromkeys(parties, self.first)
        self.taken = dict.fromkeys(parties, 0)
        self.meet(parties)
        self.journal.event("stage", stage=LEARN, total=self.rounds - 1, counts="rounds")

    def _lesson(self, weights: Weights, party: str, server_round: int) -> Lesson:
        """The batches are drawn from a seed of this party's and round's own, which nothing else moves."""
        digest = hashlib.sha256(f"{self.settings.seed}/{server_round}/{party}".encode()).digest()
        return Lesson(weights, self.features, self.recipe, int.from_bytes(digest[:6], "big"))

    def _updates(self, replies: Iterable[Message]) -> dict[str, Weights]:
        updates: dict[str, Weights] = {}
        for party, content, _ in self._answers(LEARN, replies):
            try:
                updates[party] = decode_update(content, self.first, self.settings.max_contribution_mb)
                self.taken[party] += 1
            except MessageError as error:
                self._refuse(party, LEARN, str(error))
        return updates

    def _unanswered(self, party: str, stage: str, reason: str) -> None:
        if stage == LEARN:
            self._note(f"{party} missed rounds of learning: {reason}")
        else:
            super()._unanswered(party, stage, reason)

    def _conclude(self) -> None:
        parties = sorted(self.nodes)
        standing = {party: self.standing(party) for party in parties}
        entries = [
            {"party": p, "rows": self.introductions[p].rows, "rounds": self.taken[p], **standing[p]} for p in parties
        ]
        scores = ("accuracy\nalone → reward", "alone.accuracy -> reward.accuracy")
        columns = [("rows", "rows"), *self.columns, scores]
        record = own_record(self.settings.run, self.session.texts, entries, columns, unit="accuracy", kind="learning")
        rewards = {party: Reward(self.models[party], self._about(party, standing)) for party in parties}
        self.outcome = Outcome(record=record, alone={}, rewards=rewards)
        for party in parties:
            self.journal.ledger("learned from", party=party, node=str(self.nodes[party]), rounds=self.taken[party])
        self._save()
        self._keep_rewards()

    def _about(self, party: str, standing: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """What a party may know: its own model, and everybody's importance beside the best's."""
        return {
            "kind": "classifier",
            "run": self.settings.run,
            "party": party,
            "unit": "accuracy",
            "strategy": self.session.texts["strategy"],
            "features": list(self.features),
            "target_name": self.target,
            "scale": self.recipe.scale,
            "parties": [{"party": name, "alpha": standing[name]["alpha"]} for name in sorted(standing)],
            "contains": "the weights of a network that was trained on updates of all parties' networks, and no row",
        }

    # What is it worth to the party itself?

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        if server_round == self.rounds:
            return super().configure_evaluate(server_round, arrays, config, grid)
        if server_round < self.rounds - 1 or not self.first:
            return self._ask_nobody()
        self._stage("alone", len(self.nodes))
        recipe = replace(self.recipe, epochs=self.recipe.epochs * (self.rounds - 1))
        return self._ask(
            LEARN_ALONE,
            self.nodes,
            lambda party: encode_lesson(replace(self._lesson(self.first, party, 0), recipe=recipe)),
        )

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        if server_round < self.rounds - 1:
            return None
        super().aggregate_evaluate(server_round, replies)
        if server_round == self.rounds:
            record = self._outcome.record
            record["facts"], record["certificate"] = _judged(record["parties"])
            self._save()
        return None


def _judged(parties: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Whether those that are better alone get the better models, and nobody a worse one than it could train alone."""
    scored = [p for p in parties if p["alone"] and p["reward"]]
    pairs = np.array([(p["alone"]["accuracy"], p["reward"]["accuracy"]) for p in scored]).reshape(-1, 2)
    facts: dict[str, float] = {}
    if len(pairs) > 1 and np.all(pairs.std(axis=0) > 0.0):
        facts["correlation of accuracy alone and rewarded"] = float(np.corrcoef(pairs.T)[0, 1])
    worse = [
        f"{p['party']} has {p['reward']['accuracy']:.3f}, alone {p['alone']['accuracy']:.3f}"
        for p in scored
        if p["reward"]["accuracy"] < p["alone"]["accuracy"]
    ]
    check = {
        "name": "R4",
        "title": "individual rationality, on held-out rows",
        "holds": not worse if scored else None,
        "witness": "; ".join(worse) or (f"all {len(scored)} that scored both" if scored else "nobody scored both"),
    }
    return facts, [check]
