"""Parties with keys, through LocalGrid: who lies about its name, its data, its run or its schema gets nowhere."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message
from flwr.serverapp.exception import AggregationError
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.app import app
from clients.audit import audit
from clients.consent import ALL, proposals, read_ledger, set_withdrawn
from clients.reward_store import load_reward
from server.app import mediate
from server.config import ConfigError
from server.credentials import make_credentials
from server.run_directory import RunDirectory
from strategies import QuorumError
from tests.fakes import LocalGrid
from wire import messages
from wire.schema import Schema
from wire.signing import content_digest, read_public_key

PARTIES = ("east", "north", "west")
NODES = {name: 100 + k for k, name in enumerate(PARTIES)}
SCHEMA = """
target = "outcome"
[columns.age]
[columns.bmi]
missing = 0.0
[columns.sex]
type = "category"
values = ["f", "m"]
[columns.outcome]
"""

Tamper = Callable[[int, Message, Message], Message | None]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    make_credentials(folder, PARTIES)
    return folder


class Consortium:
    """Three parties, each with a file and a key; ``run`` is one start of the mediator."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.keys = folder, keys
        self.nodes: dict[int, dict[str, Any]] = {}
        for k, party in enumerate(PARTIES):
            rng = np.random.default_rng(k)
            age, bmi = rng.normal(size=(2, 24))
            sex = rng.choice(["f", "m"], size=24)
            outcome = age - bmi + (sex == "f") + 0.3 * rng.normal(size=24)
            table = pl.DataFrame({"bmi": bmi, "age": age, "sex": sex, "outcome": outcome, "name": ["x"] * 24})
            (folder / party).mkdir()
            table.write_csv(folder / party / "data.csv")
            self.nodes[NODES[party]] = self.node(party)
        (folder / "schema.toml").write_text(SCHEMA)

    def node(self, party: str, key: str = "") -> dict[str, Any]:
        return {
            "party": party,
            "data-path": str(self.folder / party / "data.csv"),
            "key": str(self.keys / (key or party) / (key or party)),
            "mediator-key": str(self.keys / party / "mediator.pub"),
        }

    def store(self, party: str) -> Path:
        return self.folder / party / "data-reward"

    def config(self, name: str = "run", **changes: Any) -> dict[str, Any]:
        base = {
            "run-dir": str(self.folder / name),
            "parties": ",".join(PARTIES),
            "model": "BayesianLinear(noise=0.1)",
            "schema-file": str(self.folder / "schema.toml"),
            "keys-dir": str(self.keys / "mediator" / "parties"),
            "signing-key": str(self.keys / "mediator" / "mediator"),
            "join-timeout": 0.2,
            "timeout": 0.5,
        }
        return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}

    def run(self, name: str = "run", tamper: Tamper | None = None, **changes: Any) -> RunDirectory:
        settings = self.config(name, **changes)
        self.grid = LocalGrid(app, self.nodes, settings, tamper)
        return mediate(self.grid, settings)


@pytest.fixture
def consortium(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Consortium:
    monkeypatch.setattr("strategies.joining.FIRST_ANSWER", 0.2)
    return Consortium(tmp_path, keys)


def refused(directory: RunDirectory) -> dict[str, str]:
    return {e["party"]: e["reason"] for e in directory.read_ledger() if e["action"] == "refused"}


def test_classes_are_asked_for_and_answered_as_signed_as_numbers(consortium: Consortium) -> None:
    for party in PARTIES:
        path = consortium.folder / party / "data.csv"
        table = pl.read_csv(path)
        words = pl.when(pl.col("outcome") > 0.5).then(pl.lit("ill")).otherwise(pl.lit("well"))
        table.with_columns(outcome=words).write_csv(path)
        consortium.nodes[NODES[party]]["min-held-out"] = 5
    labels = '[columns.outcome]\ntype = "category"\nvalues = ["well", "ill"]\n'
    (consortium.folder / "schema.toml").write_text(SCHEMA.replace("[columns.outcome]\n", labels))
    directory = consortium.run(strategy="ClassificationRewards()", model="BayesianLogistic(features='Affine()')")
    record = directory.read_allocation()
    assert (record["kind"], record["stage"], record["refused"]) == ("classification", "delivered", [])
    assert all(entry["reward"]["log_loss"] < 0.7 for entry in record["parties"])
    for message in consortium.grid.sent:
        assert "seal" in message.content
    east = load_reward(consortium.store("east") / "run")
    assert east.arrays["labels"].tolist() == ["well", "ill"]
    entries = read_ledger(consortium.store("east"))
    assert [e["action"] for e in entries if e["action"] in ("contributed", "receipt", "rewarded")] == [
        "contributed",
        "receipt",
        "rewarded",
    ]


def test_everything_is_signed_and_each_party_holds_its_reward(consortium: Consortium) -> None:
    directory = consortium.run()
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    assert record["refused"] == []
    for entry in record["parties"]:
        assert load_reward(consortium.store(entry["party"]) / "run").about["party"] == entry["party"]
    for message in consortium.grid.sent:
        assert "seal" in message.content
    ledger = directory.read_ledger()
    started = ledger[0]
    assert started["action"] == "started"
    assert sorted(started["keys"]) == list(PARTIES)
    assert started["schema"] == Schema.from_toml(SCHEMA).hash
    for action in ("contributed", "delivered"):
        entries = [e for e in ledger if e["action"] == action]
        assert [e["party"] for e in entries] == list(PARTIES)
        assert all(e["nonce"] == started["nonce"] and len(e["signature"]) > 180 for e in entries)


def test_a_reward_predicts_rows_as_the_parties_have_them(consortium: Consortium) -> None:
    consortium.run()
    said = CliRunner().invoke(
        cli, ["predict", str(consortium.store("north") / "run"), str(consortium.folder / "west" / "data.csv")]
    )
    assert said.exit_code == 0, said.output
    table = pl.read_csv(io.StringIO(said.output))
    outcome = table["age"] - table["bmi"] + (table["sex"] == "f").cast(pl.Float64)
    assert float(pl.DataFrame({"a": table["outcome_mean"], "b": outcome}).select(pl.corr("a", "b")).item()) > 0.95


def test_what_is_signed_is_the_same_data_as_what_is_not(consortium: Consortium) -> None:
    signed = consortium.run().read_allocation()
    for node in consortium.nodes.values():
        del node["key"], node["mediator-key"]
    plain = consortium.run("plain", keys_dir="", signing_key="").read_allocation()
    assert plain["values"] == signed["values"]
    assert [p["target"] for p in plain["parties"]] == [p["target"] for p in signed["parties"]]


# Who is who.


def test_a_registered_node_in_another_partys_name_is_refused_and_the_party_itself_is_not(
    consortium: Consortium,
) -> None:
    consortium.nodes[7] = consortium.node("north", key="west")
    directory = consortium.run()
    assert directory.read_allocation()["stage"] == "delivered"
    assert refused(directory) == {
        "node-7": "calling itself north: the signature is not that of north's key over what came"
    }
    contributed = [e for e in directory.read_ledger() if e["action"] == "contributed" and e["party"] == "north"]
    assert [e["node"] for e in contributed] == [str(NODES["north"])]


def test_an_impostor_alone_does_not_stand_in_for_the_party(consortium: Consortium) -> None:
    consortium.nodes[NODES["north"]] = consortium.node("north", key="west")
    directory = consortium.run()
    reasons = refused(directory)
    assert "not that of north's key" in reasons[f"node-{NODES['north']}"]
    assert "did not introduce itself" in reasons["north"]
    assert {p["party"] for p in directory.read_allocation()["parties"]} == {"east", "west"}


def test_a_second_node_with_the_partys_own_key_leaves_none_of_the_two(consortium: Consortium) -> None:
    consortium.nodes[7] = consortium.node("north")
    assert "2 nodes go by this name" in refused(consortium.run())["north"]


def test_a_party_without_a_key_is_no_party(consortium: Consortium) -> None:
    del consortium.nodes[NODES["west"]]["key"], consortium.nodes[NODES["west"]]["mediator-key"]
    reasons = refused(consortium.run())
    assert reasons[f"node-{NODES['west']}"] == "calling itself west: it is not signed"


def test_a_party_that_knows_another_mediator_sends_nothing(consortium: Consortium, tmp_path: Path) -> None:
    make_credentials(tmp_path / "others", ["west"])
    other = tmp_path / "others" / "west" / "mediator.pub"
    consortium.nodes[NODES["west"]]["mediator-key"] = str(other)
    reasons = refused(consortium.run())
    assert "not signed by the mediator's key that this party knows" in reasons["west"]
    assert read_ledger(consortium.store("west")) == []


def test_a_party_with_a_key_does_not_answer_a_mediator_without_one(consortium: Consortium) -> None:
    with pytest.raises(QuorumError, match="it is not signed"):
        consortium.run(keys_dir="", signing_key="")
    assert all(read_ledger(consortium.store(party)) == [] for party in PARTIES)


# What is altered or said again.


def altering(what: str, change: Callable[[Message], None], party: str = "north") -> Tamper:
    def tamper(node: int, message: Message, reply: Message) -> Message:
        if node == NODES[party] and message.metadata.message_type == what:
            change(reply)
        return reply

    return tamper


def test_altered_references_are_refused_by_name(consortium: Consortium) -> None:
    def one_number(reply: Message) -> None:
        arrays = reply.content["arrays"]
        assert isinstance(arrays, ArrayRecord)
        X = arrays["references"].numpy().copy()
        X[0, 0] += 1e-9
        arrays["references"] = Array(X)

    for node in consortium.nodes.values():
        node["min-held-out"] = 2
    directory = consortium.run(valuation="PredictiveInformation()", tamper=altering(messages.CONTRIBUTE, one_number))
    assert refused(directory) == {"north": "the signature is not that of north's key over what came"}
    entries = directory.read_allocation()["parties"]
    assert {p["party"] for p in entries} == {"east", "west"}
    assert all(p["reference_inputs"] > 0 for p in entries)


def test_an_altered_contribution_is_refused_by_name(consortium: Consortium) -> None:
    def one_number(reply: Message) -> None:
        arrays = reply.content["arrays"]
        assert isinstance(arrays, ArrayRecord)
        X = arrays["X"].numpy().copy()
        X[0, 0] += 1e-9
        arrays["X"] = Array(X)

    directory = consortium.run(tamper=altering(messages.CONTRIBUTE, one_number))
    assert refused(directory) == {"north": "the signature is not that of north's key over what came"}
    assert {p["party"] for p in directory.read_allocation()["parties"]} == {"east", "west"}


def test_a_contribution_of_an_earlier_run_is_refused(consortium: Consortium) -> None:
    kept: dict[str, Any] = {}

    def keep(reply: Message) -> None:
        kept["content"] = reply.content

    def replay(reply: Message) -> None:
        reply._content = kept["content"]  # type: ignore[attr-defined]

    consortium.run("earlier", tamper=altering(messages.CONTRIBUTE, keep))
    directory = consortium.run("later", tamper=altering(messages.CONTRIBUTE, replay))
    assert refused(directory) == {"north": "it is signed for another run, or for an earlier attempt at this one"}


def test_one_partys_contribution_in_anothers_name_is_refused(consortium: Consortium) -> None:
    kept: dict[int, Message] = {}

    def swap(node: int, message: Message, reply: Message) -> Message:
        if message.metadata.message_type == messages.CONTRIBUTE:
            kept[node] = reply
            if node == NODES["north"]:
                reply._content = kept[NODES["east"]].content  # type: ignore[attr-defined]
        return reply

    assert "not that of north's key" in refused(consortium.run(tamper=swap))["north"]


def test_a_receipt_for_the_reward_that_the_party_did_not_sign_is_none(consortium: Consortium) -> None:
    def forge(reply: Message) -> None:
        about = reply.content["about"]
        assert isinstance(about, ConfigRecord)
        about["place"] = "/somewhere/else"

    directory = consortium.run(tamper=altering(messages.REWARD, forge))
    record = directory.read_allocation()
    assert [p["party"] for p in record["parties"] if not p["delivered"]] == ["north"]
    assert any("north did not take its reward: the signature" in note for note in record["notes"])
    done = consortium.run(resume=True).read_allocation()
    assert done["stage"] == "delivered"


# The schema, and consent.


def test_a_dry_run_asks_for_no_data_and_leaves_the_proposal_with_each_party(consortium: Consortium) -> None:
    directory = consortium.run("dry", dry_run=True)
    assert {m.metadata.message_type for m in consortium.grid.sent} == {messages.INTRODUCE}
    actions = [e["action"] for e in directory.read_ledger()]
    assert actions == ["started", "introduced", "introduced", "introduced"]
    (about,) = proposals(consortium.store("north"))
    assert about["dry_run"] is True
    assert about["rows"] == 18
    assert about["rows_held_out"] == 6
    assert about["columns"] == ["age", "bmi", "sex=f", "sex=m"]
    assert about["schema_sha256"] == Schema.from_toml(SCHEMA).hash
    assert about["terms"]["scheme"] == "RhoShapley(rho='stable')"
    assert about["parties"] == list(PARTIES)
    assert consortium.run("dry").read_allocation()["stage"] == "delivered"  # the run that was rehearsed
    sent = [e for e in read_ledger(consortium.store("north")) if e["action"] == "contributed"]
    assert [e["sha256"] for e in sent] == [about["sha256"]]


def test_a_party_that_has_withdrawn_sends_nothing_until_it_undoes_that(consortium: Consortium) -> None:
    set_withdrawn(consortium.store("west"), "first")
    first = consortium.run("first")
    assert refused(first) == {"west": "this party has withdrawn; it sends nothing"}
    assert not (first.path / "pool" / "west.npz").exists()
    assert consortium.run("second").read_allocation()["refused"] == []
    set_withdrawn(consortium.store("west"), ALL)
    assert "west" in refused(consortium.run("third"))
    set_withdrawn(consortium.store("west"), ALL, undo=True)
    assert consortium.run("fourth").read_allocation()["refused"] == []


def test_a_party_can_withdraw_between_the_dry_run_and_the_pooling(consortium: Consortium) -> None:
    def withdraw_now(node: int, message: Message, reply: Message) -> Message:
        if message.metadata.message_type == messages.INTRODUCE and node == NODES["west"]:
            set_withdrawn(consortium.store("west"), "run")
        return reply

    assert refused(consortium.run(tamper=withdraw_now)) == {"west": "this party has withdrawn; it sends nothing"}


def test_a_confirmed_schema_is_the_only_one_by_which_data_is_sent(consortium: Consortium) -> None:
    hash_ = Schema.from_toml(SCHEMA).hash
    consortium.nodes[NODES["west"]]["confirm-schema"] = hash_
    assert consortium.run().read_allocation()["refused"] == []
    (consortium.folder / "schema.toml").write_text(SCHEMA + "[columns.name]\ntype = 'category'\nvalues = ['x']\n")
    directory = consortium.run("more")
    assert list(refused(directory)) == ["west"]
    assert f"by the schema {hash_} only" in refused(directory)["west"]
    assert directory.load_pool() is not None
    with pytest.raises(QuorumError, match=f"west: this party sends data by the schema {hash_} only.*announces none"):
        consortium.run("none", schema_file="", target="outcome")


def test_a_file_that_does_not_fit_the_schema_is_refused_before_any_data_moves(consortium: Consortium) -> None:
    path = consortium.folder / "west" / "data.csv"
    path.write_text(path.read_text().replace(",f,", ",unknown,", 1))
    directory = consortium.run()
    assert "column 'sex', row" in refused(directory)["west"]
    assert "unknown" not in refused(directory)["west"]
    asked = {m.metadata.dst_node_id for m in consortium.grid.sent if m.metadata.message_type == messages.CONTRIBUTE}
    assert asked == {NODES["east"], NODES["north"]}


def test_a_resumed_run_keeps_its_schema(consortium: Consortium) -> None:
    consortium.run(stop_after="valuation")
    (consortium.folder / "schema.toml").write_text(SCHEMA.replace("missing = 0.0", "missing = 1.0"))
    with pytest.raises(AggregationError, match="schema was"):
        consortium.run(resume=True)


# Receipts, ledgers, retention.


def test_both_ledgers_agree_and_the_receipt_is_the_mediators(consortium: Consortium) -> None:
    directory = consortium.run()
    key = read_public_key(consortium.keys / "north" / "mediator.pub")
    theirs = [{**e, "run": "run"} for e in directory.read_ledger() if e.get("party") == "north"]
    findings = audit(read_ledger(consortium.store("north")), theirs, key)
    assert [(f.what, f.agrees) for f in findings] == [
        *(("receipt, signed", True), ("contribution", True), ("reward", True)),
    ]
    (rewarded,) = [e for e in read_ledger(consortium.store("north")) if e["action"] == "rewarded"]
    reward = next(m.content for m in consortium.grid.sent if rewarded["digest"] == content_digest(m.content))
    seal = reward["seal"]
    assert isinstance(seal, ConfigRecord)
    assert rewarded["signature"] == bytes(seal["signature"]).hex()  # the mediator's, on the very message
    wrong = audit(read_ledger(consortium.store("north")), theirs, read_public_key(consortium.keys / "west/west.pub"))
    assert (wrong[0].what, wrong[0].agrees) == ("receipt, not the mediator's", False)
    for entry in theirs:
        if entry["action"] == "contributed":
            entry["sha256"] = "0" * 64
    assert [f.agrees for f in audit(read_ledger(consortium.store("north")), theirs, key)] == [True, False, True]


def test_a_run_that_stops_after_valuation_gives_receipts_too(consortium: Consortium) -> None:
    consortium.run(stop_after="valuation")
    for party in PARTIES:
        (receipt,) = [e for e in read_ledger(consortium.store(party)) if e["action"] == "receipt"]
        sent = next(e for e in read_ledger(consortium.store(party)) if e["action"] == "contributed")
        assert json.loads(receipt["text"])["sha256"] == sent["sha256"]
    consortium.run(resume=True)
    assert len([e for e in read_ledger(consortium.store("north")) if e["action"] == "receipt"]) >= 1


def test_what_was_to_be_kept_until_yesterday_does_not_go_on(consortium: Consortium) -> None:
    directory = consortium.run(stop_after="valuation", retain_until="2999-12-31")
    ledger = directory.path / "ledger.jsonl"  # years later
    ledger.write_text(ledger.read_text().replace("2999-12-31", "2020-01-31"))
    assert directory.retain_until() == "2020-01-31"
    assert directory.expired()
    with pytest.raises(ConfigError, match="kept until 2020-01-31 only"):
        consortium.run(resume=True)
    directory.purge()
    assert not directory.expired()
    assert not consortium.run("other", retain_until="2999-12-31").expired()
    with pytest.raises(QuorumError, match="was to keep data until 2020-01-31, and that day is over"):
        consortium.run("late", retain_until="2020-01-31")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"signing_key": ""}, "come together"),
        ({"keys_dir": "/nowhere"}, "there is none"),
        ({"parties": "north,eve"}, "has no key of eve"),
        ({"schema_file": "/nowhere.toml"}, r"schema-file: /nowhere\.toml"),
        ({"target": "age"}, "the schema's target is 'outcome', got 'age'"),
        ({"retain_until": "tomorrow"}, "write a day such as 2027-03-31, got 'tomorrow'"),
    ],
)
def test_bad_configs_fail_before_anybody_is_asked(consortium: Consortium, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        consortium.run(**change)
    assert consortium.grid.sent == []


def test_without_a_list_of_names_the_list_of_keys_is_it(consortium: Consortium) -> None:
    consortium.nodes[7] = {**consortium.node("north"), "party": "eve"}
    directory = consortium.run(parties="", min_parties=3)
    assert "no public key of 'eve'" in refused(directory)["node-7"]
    assert directory.read_allocation()["stage"] == "delivered"
