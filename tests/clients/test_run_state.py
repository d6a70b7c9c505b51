"""A mediator that asks beside the order of the protocol: signed requests to one party, as many as it likes.

Its key is the right one, so that nothing but the party's own state of the run stands in its way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Message, RecordDict

from clients.app import app
from clients.consent import proposals, read_ledger, set_withdrawn
from clients.reward_store import load_reward
from guerdon.federated import Recipe, initial_weights
from guerdon.models import BayesianLinear, Predictor
from guerdon.scaling import Scaling
from server.credentials import make_credentials
from tests.fakes import LocalGrid
from wire import messages
from wire.kinds import rows
from wire.kinds.lessons import LEARN_ALONE, UPDATE, Lesson, encode_lesson
from wire.messages import MessageError, Proposal, Receipt, Reward
from wire.schema import Schema
from wire.signing import MediatorSeal, read_party_keys, read_private_key

ROWS = 80
TERMS = {"model": "BayesianLinear()", "scheme": "RhoShapley()", "retain-until": "2099-12-31"}
PROPOSAL = Proposal("run", TERMS, ("north", "va"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    make_credentials(folder, ["va"])
    return folder


class Mediator:
    """One that holds the right key, and a party ``va`` with ROWS rows of a, b, c and y."""

    def __init__(self, folder: Path, keys: Path, **node: Any) -> None:
        self.path, self.keys = folder / "va.csv", keys
        self.write(ROWS)
        self.node = {
            "party": "va",
            "data-path": str(self.path),
            "target": "y",
            "key": str(keys / "va" / "va"),
            "mediator-key": str(keys / "va" / "mediator.pub"),
            "confirm-schema": "any",
            **node,
        }
        self.store = folder / "va-reward"
        self.start()

    def write(self, count: int, shift: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        table = pl.DataFrame({name: rng.normal(size=200) for name in ("a", "b", "c")})
        y = table["a"] - table["b"] + rng.normal(size=200) + shift
        table.with_columns(y=y).head(count).write_csv(self.path)

    def start(self) -> None:
        """Start anew, with a nonce of its own."""
        mediator = self.keys / "mediator"
        key = read_private_key(mediator / "mediator")
        self.seal = MediatorSeal(key, read_party_keys(mediator / "parties"), "run")
        self.grid = LocalGrid(app, {7: self.node}, {})

    def request(self, kind: str, proposal: Proposal = PROPOSAL, content: RecordDict | None = None) -> Message:
        content = messages.with_proposal(RecordDict() if content is None else content, proposal)
        return Message(content=self.seal.sealed(content, kind, 7), dst_node_id=7, message_type=kind)

    def send(self, message: Message) -> RecordDict:
        (reply,) = self.grid.send_and_receive([message])
        return reply.content

    def introduce(self, proposal: Proposal = PROPOSAL) -> None:
        messages.decode_introduction(self.send(self.request(messages.INTRODUCE, proposal)))

    def contribute(self, proposal: Proposal = PROPOSAL, message: Message | None = None) -> int:
        """How many rows came."""
        content = self.send(message or self.request(messages.CONTRIBUTE, proposal))
        return len(rows.decode_contribution(content, party="va", target="y", max_megabytes=9, min_rows=1))

    def alone(self, arrays: Mapping[str, Any] | None = None, proposal: Proposal = PROPOSAL) -> dict[str, float]:
        """The scores of what this party could do alone."""
        reward = Reward(arrays or model(self.path), {"kind": "model", "alone": True})
        content = messages.encode_pooled(Receipt("{}", self.seal.sign_text("{}")), reward)
        return messages.decode_scores(self.send(self.request(messages.SCORE_ALONE, proposal, content)))

    def reward(self, arrays: Mapping[str, Any] | None = None) -> str:
        """The hash that the party confirms."""
        about = {"kind": "model", "party": "va", "run": "run", "contains": "weights"}
        return self.push(Reward(arrays or model(self.path), about))

    def push(self, reward: Reward) -> str:
        content = messages.encode_reward(reward)
        return messages.decode_receipt(self.send(self.request(messages.REWARD, content=content)))[0]

    def score(self, proposal: Proposal = PROPOSAL) -> dict[str, float]:
        """The scores of the reward that lies in the store."""
        return messages.decode_scores(self.send(self.request(messages.SCORE_REWARD, proposal)))


def model(path: Path, **changes: Any) -> dict[str, Any]:
    """The arrays of a linear model of a party's rows."""
    table = pl.read_csv(path)
    X, y = table.select("a", "b", "c").to_numpy(), table["y"].to_numpy()
    posterior = replace(BayesianLinear(noise=1.0).posterior(X, y), **changes)
    return Predictor(posterior, Scaling.identity(3), ("a", "b", "c"), "y").arrays()


@pytest.fixture
def mediator(tmp_path: Path, keys: Path) -> Mediator:
    return Mediator(tmp_path, keys)


def refused(match: str) -> Any:
    return pytest.raises(MessageError, match=match)


# The order.


def test_in_its_order_everything_is_answered(mediator: Mediator) -> None:
    mediator.introduce()
    assert mediator.contribute() == 60
    assert mediator.alone()["rows"] == 20
    mediator.reward()
    assert mediator.score()["rows"] == 20
    done = [entry["action"] for entry in read_ledger(mediator.store)]
    assert done == ["contributed", "receipt", "scored", "rewarded", "scored"]


def test_of_requests_at_once_one_is_the_first(mediator: Mediator) -> None:
    mediator.introduce()
    asked = [mediator.request(messages.CONTRIBUTE) for _ in range(6)]
    sent: list[int] = []

    def ask(message: Message) -> None:
        with suppress(MessageError):
            sent.append(mediator.contribute(message=message))

    threads = [Thread(target=ask, args=(message,)) for message in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent == [60]


@pytest.mark.parametrize("kind", [messages.CONTRIBUTE, messages.SCORE_ALONE, messages.SCORE_REWARD, messages.REWARD])
def test_nothing_is_answered_before_the_run_was_introduced(mediator: Mediator, kind: str) -> None:
    with refused("was never introduced to this party"):
        messages.read_about(mediator.send(mediator.request(kind)))


@pytest.mark.parametrize(
    "other",
    [
        {"terms": {**TERMS, "model": "GaussianProcess()"}},
        {"terms": {**TERMS, "retain-until": "not said"}},
        {"terms": {**TERMS, "more": "words"}},
        {"parties": ("eve", "va")},
        {"parties": ()},
        {"schema": '{"target":"y","columns":[{"name":"a"},{"name":"y"}]}'},
    ],
)
def test_by_another_proposal_than_was_introduced_nothing_is_sent(mediator: Mediator, other: dict[str, Any]) -> None:
    mediator.introduce()
    with pytest.raises(MessageError):
        mediator.contribute(replace(PROPOSAL, **other))
    assert read_ledger(mediator.store) == []
    (about,) = proposals(mediator.store)
    assert about["terms"] == TERMS


def test_a_dry_run_that_was_introduced_is_no_leave_for_the_run(mediator: Mediator) -> None:
    mediator.introduce(replace(PROPOSAL, dry_run=True))
    for proposal in (PROPOSAL, replace(PROPOSAL, dry_run=True)):
        with refused("is not what was introduced|says that it is a dry run"):
            mediator.contribute(proposal)
    mediator.introduce()
    assert mediator.contribute() == 60


def test_of_two_runs_each_has_its_own_state(mediator: Mediator) -> None:
    mediator.introduce()
    with refused("was never introduced"):
        mediator.contribute(replace(PROPOSAL, run="june"))


def test_rows_are_sent_once_and_the_same_request_is_answered_once(mediator: Mediator) -> None:
    mediator.introduce()
    message = mediator.request(messages.CONTRIBUTE)
    assert mediator.contribute(message=message) == 60
    with refused("this very request has been answered already"):
        mediator.contribute(message=message)
    for again in range(2):
        with refused("this party has sent its rows to this run already; they are sent once"):
            mediator.contribute()
        if not again:
            mediator.introduce()  # which changes nothing while the mediator has not started anew


def test_a_mediator_that_died_before_the_rows_arrived_gets_the_same_ones(mediator: Mediator) -> None:
    mediator.introduce()
    mediator.contribute()
    mediator.start()
    with refused("they are sent once"):
        mediator.contribute()
    mediator.introduce()
    assert mediator.contribute() == 60
    mediator.start()
    mediator.write(ROWS + 5)
    mediator.introduce()
    with refused("its file holds others now: a run of another name can ask for them"):
        mediator.contribute()


def test_the_day_until_which_data_are_kept_is_the_last_one(mediator: Mediator) -> None:
    today = datetime.now(UTC).date()
    for day, over in ((today, False), (today - timedelta(days=1), True)):
        proposal = replace(PROPOSAL, run=f"until-{day}", terms={**TERMS, "retain-until": str(day)})
        if over:
            for ask in (mediator.introduce, mediator.contribute):
                with refused(f"was to keep data until {day}, and that day is over"):
                    ask(proposal)
        else:
            mediator.introduce(proposal)
            assert mediator.contribute(proposal) == 60
    with refused("retain-until is no day such as"):
        mediator.introduce(replace(PROPOSAL, terms={**TERMS, "retain-until": "for ever"}))


def test_after_rows_were_sent_only_scheme_and_realization_are_open(mediator: Mediator) -> None:
    mediator.introduce()
    mediator.contribute()
    later = replace(PROPOSAL, terms={**TERMS, "scheme": "RhoShapley(rho=0.5)"})
    mediator.introduce(later)
    (about,) = proposals(mediator.store)
    assert about["terms"] == TERMS
    assert about["since"]["terms"] == {"scheme": "RhoShapley(rho=0.5)"}
    for change, what in (
        ({"terms": {**TERMS, "model": "GaussianProcess()"}}, "model was different"),
        ({"terms": {**TERMS, "retain-until": "not said"}}, "retain-until was different"),
        ({"parties": ("eve", "north", "va")}, "parties was different"),
        ({"parties": ()}, "parties was different"),
    ):
        with refused(f"sent its rows to this run already, and under another proposal: {what}"):
            mediator.introduce(replace(PROPOSAL, **change))
    mediator.introduce(replace(PROPOSAL, parties=("va",), terms={**TERMS, "retain-until": "2090-12-31"}))


def test_names_of_runs_that_differ_in_capitals_only_are_one(mediator: Mediator) -> None:
    """Where a file system takes them for one, a run would be answered by the state of another."""
    mediator.introduce()
    with refused("a run of the name run has asked before, which is the same name where capitals don't count"):
        mediator.introduce(replace(PROPOSAL, run="RUN"))
    mediator.introduce(replace(PROPOSAL, run="run.1"))
    set_withdrawn(mediator.store, "JULY")
    with refused("has withdrawn"):
        mediator.introduce(replace(PROPOSAL, run="july"))


@pytest.mark.parametrize("name", ["_runs", ".", "..", "a/b", "a\x00", "a\u0301", "a" * 65, "", "run\u200b", "ｒun"])
def test_a_runs_name_is_plain(mediator: Mediator, name: str) -> None:
    with pytest.raises(MessageError):
        mediator.introduce(replace(PROPOSAL, run=name))
    assert not (mediator.store / "_runs").exists()


def test_a_file_is_read_by_few_schemas_that_nobody_confirmed(tmp_path: Path, keys: Path) -> None:
    """What is said of a column's bounds answers a question about all rows, and bisecting would read those that stay."""
    mediator = Mediator(tmp_path, keys)
    told = 0
    for k in range(60):
        schema = Schema.from_toml(f'target="y"\n[columns.a]\nminimum = {-3 + k / 10}\n[columns.y]\n')
        try:
            mediator.introduce(replace(PROPOSAL, run=f"run-{k % 7}", schema=schema.to_json()))
            told += 1
        except MessageError as error:
            told += "below the minimum" in str(error)
    assert told == 20
    node = next(iter(mediator.grid.contexts.values())).node_config
    node["confirm-schema"] = schema.hash
    with refused("below the minimum"):
        mediator.introduce(replace(PROPOSAL, schema=schema.to_json()))


def test_a_state_that_can_not_be_read_answers_nothing(mediator: Mediator) -> None:
    mediator.introduce()
    (mediator.store / "_runs" / "run.json").write_text("{")
    with refused("this party's state of run run can't be read"):
        mediator.contribute()


# Scores.


def scored(mediator: Mediator) -> Mediator:
    mediator.introduce()
    mediator.contribute()
    return mediator


def test_each_stage_is_scored_once_and_said_again_as_it_was(mediator: Mediator) -> None:
    scored(mediator)
    first = mediator.alone()
    assert all(value == float(f"{value:.4g}") for value in first.values())
    other = model(mediator.path, mean=5.0)
    assert mediator.alone(other) == first
    mediator.start()
    mediator.introduce()
    assert mediator.alone(other) == first
    mediator.reward()
    assert mediator.score() == mediator.score()


def test_alone_nothing_is_scored_but_what_the_partys_own_rows_make(
    mediator: Mediator, tmp_path: Path, keys: Path
) -> None:
    """Weights and covariance that were sent along are not used: the party trains the model again."""
    honest = scored(mediator).alone()
    place = tmp_path / "other"
    place.mkdir()
    crafted = model(mediator.path, weights=np.array([9.0, -9.0, 1e6]), root=1e3 * np.eye(3))
    assert scored(Mediator(place, keys)).alone(crafted) == honest


def test_a_reward_that_is_made_to_tell_of_single_rows_is_not_scored(mediator: Mediator) -> None:
    scored(mediator)
    mediator.reward(model(mediator.path, noise=1e-18, root=1e-18 * np.eye(3)))
    with refused("its score would tell of single rows, and stays at home"):
        mediator.score()


def test_what_could_not_be_scored_is_tried_once(mediator: Mediator) -> None:
    """Whether a score comes is an answer too: asked again and again, with other hyperparameters, it would tell rows."""
    scored(mediator)
    with refused("its score would tell of single rows"):
        mediator.alone(model(mediator.path, noise=1e-18, root=1e-9 * np.eye(3)))
    for noise in (1e-18, 1e-3, 1.0):
        with refused("this stage of the run could not be scored, and is tried once"):
            mediator.alone(model(mediator.path, noise=noise))
    mediator.reward()
    assert mediator.score()["rows"] == 20


def test_where_scores_stay_at_home_nobody_learns_whether_there_is_one(tmp_path: Path, keys: Path) -> None:
    mediator = scored(Mediator(tmp_path, keys, **{"share-scores": False}))
    for noise in (1e-18, 1.0):
        with refused("its scores stay at home"):
            mediator.alone(model(mediator.path, noise=noise, root=1e-9 * np.eye(3)))


def test_only_so_many_runs_are_scored(tmp_path: Path, keys: Path) -> None:
    """What one run tells is little; a mediator that starts hundreds, under other names, gets no more than these."""
    mediator = Mediator(tmp_path, keys, **{"max-scored-runs": 3})
    told = 0
    for k in range(6):
        proposal = replace(PROPOSAL, run=f"run-{k}")
        mediator.introduce(proposal)
        assert mediator.contribute(proposal) == 60
        try:
            told += mediator.alone(model(mediator.path, noise=1.0 + k), proposal)["rows"] == 20
        except MessageError as error:
            assert "it has scored max-scored-runs=3 runs already" in str(error)  # noqa: PT017
    assert told == 3
    assert mediator.alone(proposal=replace(PROPOSAL, run="run-0"))["rows"] == 20, "the same numbers again"


def crafted(points: Any, **more: Any) -> Reward:
    about = {"kind": "synthetic", "party": "va", "run": "run", "features": ["a", "b", "c"], "target_name": "y"}
    return Reward({"points": np.asarray(points, dtype=np.float64), **more}, about)


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (crafted(np.full((50, 3), 0.3)), "all but copies of one"),
        (crafted(0.3 + 1e-6 * np.arange(9.0).reshape(3, 3)), "all but copies of one"),
        (crafted([[0.0, 0.0, 0.0], [1e6, 0.0, 0.0]]), "lie more than 100 spans of the party's own rows away"),
        (crafted([[0.0, 0.0, 0.0], [0.0, 0.0, 1e20]]), "lie more than 100 spans of the party's own rows away"),
        (crafted([[0.0, 1.0, np.nan], [1.0, 0.0, 0.0]]), "NaN or infinite"),
        (crafted(np.eye(3), feature_scale=np.array([1.0, 1e9, 1e9])), "single columns count for nothing or for all"),
        (crafted(np.eye(3), feature_scale=np.array([1.0, -1.0, 1.0])), "single columns count for nothing or for all"),
        (crafted(np.eye(3), feature_scale=np.array([1.0, 0.0, np.nan])), "single columns count for nothing or for all"),
    ],
)
def test_synthetic_rows_that_ask_something_of_the_held_out_ones_are_not_scored(
    mediator: Mediator, reward: Reward, said: str
) -> None:
    with_classes(mediator)
    scored(mediator)
    mediator.push(reward)
    with refused(said):
        mediator.score()
    with refused("is tried once"):
        mediator.score()


def with_classes(mediator: Mediator) -> None:
    """Outcomes that a classifier can learn."""
    table = pl.read_csv(mediator.path)
    table.with_columns(y=(pl.col("a") > 0).cast(pl.Float64)).write_csv(mediator.path)


def test_what_a_crafted_synthetic_reward_tells_is_a_count_and_two_digits(mediator: Mediator) -> None:
    """What is left open: ten thousand rows make any linear classifier, whose count of held-out rows comes back.

    Of them alone, and of them with the party's own rows (TSTR and accuracy).
    """
    with_classes(mediator)
    scored(mediator)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2000, 3))
    mediator.push(crafted(points, labels=(points @ [1.0, 2.0, -1.0] > 0.4).astype(np.float64)))
    found = mediator.score()
    assert set(found) == {"accuracy", "tstr", "membership_auc", "rows"}
    assert found["rows"] == 20
    for share in (found["accuracy"], found["tstr"]):
        assert share * 20 == pytest.approx(round(share * 20))
    assert found["membership_auc"] == round(found["membership_auc"], 2)
    assert mediator.score() == found


def test_without_its_own_reward_in_the_store_there_is_nothing_to_score(mediator: Mediator) -> None:
    with refused("holds no reward"):
        scored(mediator).score()


def test_a_party_that_sent_nothing_scores_nothing(mediator: Mediator) -> None:
    mediator.introduce()
    mediator.reward()
    for ask in (mediator.alone, mediator.score):
        with refused("this party has sent nothing to this run"):
            ask()


def test_by_another_schema_than_was_confirmed_nothing_is_scored(mediator: Mediator) -> None:
    scored(mediator)
    for node in mediator.grid.contexts.values():
        node.node_config["confirm-schema"] = "ab" * 32
    with refused("by the schema abab.* only"):
        mediator.alone()


def test_after_withdrawal_nothing_is_scored_and_the_reward_can_be_taken(mediator: Mediator) -> None:
    scored(mediator)
    set_withdrawn(mediator.store, "run")
    for ask in (mediator.alone, mediator.score):
        with refused("has withdrawn"):
            ask()
    assert mediator.reward() == load_reward(mediator.store / "run").hash


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"share-scores": False}, r"its scores stay at home \(share-scores=false\)"),
        ({"min-held-out": 27}, "it holds out fewer rows than min-held-out=27"),
        ({"holdout": 0.04}, "it holds out fewer rows than min-held-out=10"),
    ],
)
def test_scores_that_stay_at_home_are_on_the_partys_own_page(
    tmp_path: Path, keys: Path, node: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr("clients.app.write_report", lambda *_, **scores: drawn.append(scores))
    mediator = scored(Mediator(tmp_path, keys, **node))
    with refused(said):
        mediator.alone()
    mediator.reward()
    with refused(said):
        mediator.score()
    assert drawn[-1]["alone"]["mnlp"] > 0.0
    assert drawn[-1]["scores"]["mnlp"] > 0.0
    assert "scored" not in {entry["action"] for entry in read_ledger(mediator.store)}


def test_who_holds_nothing_out_says_so(tmp_path: Path, keys: Path) -> None:
    assert scored(Mediator(tmp_path, keys, holdout=0.0)).alone() == {}


# What a strategy brings handlers for.


@pytest.mark.parametrize("kind", [UPDATE, LEARN_ALONE])
def test_lessons_go_through_the_same_gate(mediator: Mediator, kind: str) -> None:
    mediator.grid = LocalGrid(app, {7: mediator.node}, {"strategy": "CosineGradientRewards(classes=2)"})
    weights = initial_weights(3, (4,), 2, 0)
    lesson = Lesson(weights, ("a", "b", "c"), Recipe(epochs=1, batch=8, learning_rate=0.1, scale=1.0), 1)

    def ask(proposal: Proposal = PROPOSAL) -> Mapping[str, Any]:
        return messages.read_about(
            mediator.send(mediator.request(kind, proposal, encode_lesson(lesson))), required=False
        )

    with refused("was never introduced"):
        ask()
    mediator.introduce()
    with refused("is not what was introduced"):
        ask(replace(PROPOSAL, parties=("eve", "va")))
    with refused("can't be learned as 2 classes" if kind == UPDATE else "has sent nothing to this run"):
        ask()  # it is read, and its outcomes are no classes
    set_withdrawn(mediator.store, "*")
    with refused("has withdrawn"):
        ask()


def test_what_could_be_learned_alone_is_scored_once(mediator: Mediator) -> None:
    table = pl.read_csv(mediator.path)
    table.with_columns(y=(pl.col("a") > 0).cast(pl.Float64)).write_csv(mediator.path)
    mediator.grid = LocalGrid(app, {7: mediator.node}, {"strategy": "CosineGradientRewards(classes=2)"})
    mediator.introduce()

    def ask(kind: str, seed: int) -> RecordDict:
        weights = initial_weights(3, (4,), 2, seed)
        lesson = Lesson(weights, ("a", "b", "c"), Recipe(epochs=1, batch=8, learning_rate=0.1, scale=1.0), seed)
        return mediator.send(mediator.request(kind, content=encode_lesson(lesson)))

    for seed in range(3):
        assert "arrays" in ask(UPDATE, seed)
    found = [messages.decode_scores(ask(LEARN_ALONE, seed)) for seed in range(3)]
    assert found[0] == found[1] == found[2]
    assert found[0]["rows"] == 20


# The file between contribution and scores.


@pytest.mark.parametrize("change", [(ROWS + 1, 0.0), (ROWS - 1, 0.0), (ROWS, 0.5)], ids=["grown", "shorter", "edited"])
def test_a_file_that_has_changed_is_not_scored_on(mediator: Mediator, change: tuple[int, float]) -> None:
    scored(mediator)
    mediator.write(*change)
    with refused("its file va.csv has changed since this party sent its rows"):
        mediator.alone()
    mediator.reward()
    with refused("its file va.csv has changed"):
        mediator.score()
    mediator.write(ROWS)
    assert mediator.alone()["rows"] == mediator.score()["rows"] == 20


def test_a_file_that_was_sorted_and_exported_again_is_scored_on(mediator: Mediator) -> None:
    """It holds the same rows, so that what is held out is what was held out."""
    scored(mediator)
    pl.read_csv(mediator.path).sort("a").select("y", "c", "a", "b").write_csv(mediator.path)
    assert mediator.alone()["rows"] == 20
    mediator.start()
    mediator.introduce()
    assert mediator.contribute() == 60


def test_another_share_between_contribution_and_scores_is_not_scored(mediator: Mediator) -> None:
    scored(mediator)
    mediator.node["holdout"] = 0.5
    mediator.start()
    with refused("its file va.csv has changed"):
        mediator.alone()


def test_the_state_is_the_owners_and_small(mediator: Mediator) -> None:
    scored(mediator).alone()
    path = mediator.store / "_runs" / "run.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 2000
    assert json.loads(path.read_text())["format"] == 1


def test_a_reward_that_cannot_be_opened_is_not_kept_and_takes_no_place(mediator: Mediator) -> None:
    about = {"kind": "synthetic", "party": "va", "run": "run", "features": ["a", "b", "c"], "target_name": "y"}
    crafted = Reward({"points": np.ones((1, 3)), "labels": np.ones(1)}, {**about, "schema": {"columns": "x"}})
    mediator.introduce()
    mediator.contribute()
    with pytest.raises(MessageError, match="the schema that lies with the reward can't be used"):
        messages.decode_receipt(
            mediator.send(mediator.request(messages.REWARD, content=messages.encode_reward(crafted)))
        )
    with pytest.raises(MessageError):
        mediator.score()
    assert mediator.reward() == load_reward(mediator.store / "run").hash
