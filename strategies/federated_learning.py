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
from flwr.app import Message
from flwr.serverapp import Grid

from guerdon.federated import Recipe, Weights, initial_weights
from guerdon.types import FloatArray
from strategies.conversation import Conversation
from strategies.record import own_record
from strategies.session import Outcome, Session
from wire.handlers import Handler
from wire.kinds.classifier import Classifier
from wire.kinds.lessons import HANDLERS, LEARN_ALONE, UPDATE, Lesson, decode_update, encode_lesson
from wire.messages import MessageError, Reward

__all__ = ["FederatedLearning"]

LEARN = "learn"


class FederatedLearning(Conversation):
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

    def prepare(self, parties: Sequence[str]) -> None:
        """Before the first round: the parties, sorted by name; how many rows each has is in ``introductions``."""

    def starts(self, server_round: int) -> Mapping[str, Weights]:
        """What each party trains from in this round: its own model."""
        return self.models

    @abstractmethod
    def learn(self, server_round: int, starts: Mapping[str, Weights], updates: Mapping[str, Weights]) -> None:
        """Set ``models`` by the updates of a round, of those parties that sent one, sorted by name."""

    @abstractmethod
    def standing(self, party: str) -> dict[str, Any]:
        """What the mechanism came to for a party: ``alpha``, its importance beside the best's, and more."""

    # The rounds.

    def requests(self, server_round: int, grid: Grid) -> list[Message]:
        if server_round == 1:
            self._open(self.join(grid))
        if self.outcome is not None:
            return self.ask_nobody()
        self.progress(LEARN, server_round, self.rounds - 1)
        self._started = dict(self.starts(server_round))
        return self.ask(
            UPDATE, self.nodes, lambda party: encode_lesson(self._lesson(self._started[party], party, server_round))
        )

    def take(self, server_round: int, replies: Iterable[Message]) -> None:
        if self.outcome is not None:
            return
        updates = self._updates(replies)
        self.require_quorum(len(updates))
        self.learn(server_round, self._started, updates)
        if server_round == self.rounds - 1:
            self._reward()

    def _open(self, refused: Mapping[str, str]) -> None:
        """Meet the parties; on a resumed run take up the rewards where they were made."""
        made = self.made_before()
        if made is not None:
            earlier = self.journal.load_allocation() or {}
            self.refused = self.journal.refusals()
            self.notes = [*earlier.get("notes", []), *(n for n in self.notes if n not in earlier.get("notes", []))]
            self.outcome = made
            return
        self.refuse_all(refused)
        parties = sorted(self.nodes)
        self.features = self.introductions[parties[0]].feature_names
        self.first = initial_weights(len(self.features), self.hidden, self.classes, self.settings.seed)
        self.models = dict.fromkeys(parties, self.first)
        self.taken = dict.fromkeys(parties, 0)
        self.prepare(parties)
        self.stage(LEARN, self.rounds - 1, counts="rounds")

    def _lesson(self, weights: Weights, party: str, server_round: int) -> Lesson:
        """The batches are drawn from a seed of this party's and round's own, which nothing else moves."""
        digest = hashlib.sha256(f"{self.settings.seed}/{server_round}/{party}".encode()).digest()
        return Lesson(weights, self.features, self.recipe, int.from_bytes(digest[:6], "big"))

    def _updates(self, replies: Iterable[Message]) -> dict[str, Weights]:
        updates: dict[str, Weights] = {}
        for answer in self.answers(LEARN, replies):
            try:
                updates[answer.party] = decode_update(answer.content, self.first, self.settings.max_contribution_mb)
                self.taken[answer.party] += 1
            except MessageError as error:
                self.refuse(answer.party, LEARN, str(error))
        return updates

    def unanswered(self, party: str, stage: str, reason: str) -> None:
        if stage == LEARN:
            self.note(f"{party} missed rounds of learning: {reason}")
        else:
            super().unanswered(party, stage, reason)

    def _reward(self) -> None:
        """Each party's model as it is now becomes its reward."""
        parties = sorted(self.nodes)
        standing = {party: self.standing(party) for party in parties}
        entries = [
            {"party": p, "rows": self.introductions[p].rows, "rounds": self.taken[p], **standing[p]} for p in parties
        ]
        record = own_record(
            self.settings.run,
            self.session.texts,
            entries,
            [
                ("rows", "rows"),
                *self.columns,
                *((score.column.header, score.column.place) for score in Classifier.scores),
            ],
            unit="accuracy",
            kind=Classifier.name,
        )
        for party in parties:
            self.journal.ledger("learned from", party=party, node=str(self.nodes[party]), rounds=self.taken[party])
        rewards = {party: Reward(self.models[party], self._about(party, standing)) for party in parties}
        self.conclude(Outcome(record=record, alone={}, rewards=rewards))

    def _about(self, party: str, standing: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """What a party may know: its own model, and everybody's importance beside the best's."""
        return {
            "kind": Classifier.name,
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

    def alone_requests(self) -> list[Message]:
        if not self.first:
            return self.ask_nobody()
        self.stage("alone", len(self.nodes))
        recipe = replace(self.recipe, epochs=self.recipe.epochs * (self.rounds - 1))
        return self.ask(
            LEARN_ALONE,
            self.nodes,
            lambda party: encode_lesson(replace(self._lesson(self.first, party, 0), recipe=recipe)),
        )

    def judge(self) -> None:
        record = self.concluded.record
        record["facts"], record["certificate"] = _judged(record["parties"])


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
