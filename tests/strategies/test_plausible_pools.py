"""Whole collaborations with implausible, lying or breaking contributions: found by name, noted or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Message

from clients.app import app
from guerdon.models import BayesianLinear
from guerdon.types import Contribution
from server.app import mediate
from server.report.mediator_page import mediator_page
from server.run_directory import RunDirectory
from strategies import QuorumError
from strategies.blame import culprit
from tests.fakes import LocalGrid
from wire import messages
from wire.kinds import rows
from wire.pages.party_page import party_page

PARTIES = ("east", "north", "west")
SCHEMA = 'target = "stay"\n[columns.glucose]\nminimum = 0\nmaximum = 30\n[columns.age]\n[columns.stay]\n'
Change = Callable[[dict[str, Any]], None]


def table(seed: int, count: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    glucose, age = 6.0 * np.exp(0.2 * rng.normal(size=count)), np.round(rng.normal(55.0, 12.0, count))
    return {"glucose": glucose, "age": age, "stay": glucose + age / 10.0 + rng.normal(size=count)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(SCHEMA)
    for seed, party in enumerate(PARTIES):
        pl.DataFrame(table(seed)).write_csv(tmp_path / f"{party}.csv")
    return tmp_path


def spoil(home: Path, party: str, change: Change) -> None:
    columns = table(PARTIES.index(party))
    change(columns)
    pl.DataFrame(columns).write_csv(home / f"{party}.csv")


def run(home: Path, name: str = "run", tamper: Any = None, **changes: Any) -> RunDirectory:
    settings = {
        "run-dir": str(home / name),
        "parties": ",".join(PARTIES),
        "target": "stay",
        "join-timeout": 0.5,
        "timeout": 30.0,
        "model": "BayesianLinear(noise=0.5, features='Affine()')",
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    nodes = {
        10 + k: {
            "party": party,
            "data-path": str(home / f"{party}.csv"),
            "confirm-schema": "any",
            "reward-dir": str(home / f"{party}-reward"),
        }
        for k, party in enumerate(PARTIES)
    }
    return mediate(LocalGrid(app, nodes, settings, tamper), settings)


def lying(party: str, change: Callable[[Any], Any], target: str = "stay") -> Callable[..., Message | None]:
    """Sends something else than its file holds."""

    def tamper(node: int, message: Message, reply: Message) -> Message | None:
        if message.metadata.message_type != messages.CONTRIBUTE or node != 10 + PARTIES.index(party):
            return reply
        sent = rows.decode_contribution(reply.content, party=party, target=target, max_megabytes=9.0, min_rows=1)
        X = np.array(sent.X)
        change(X)
        lie = Contribution(party, X, sent.y, sent.feature_names)
        return Message(rows.encode_contribution(lie, target), reply_to=message)

    return tamper


def refused(directory: RunDirectory) -> dict[str, str]:
    return {entry["party"]: entry["reason"] for entry in directory.read_allocation()["refused"]}


def milligrams(columns: dict[str, Any]) -> None:
    columns["glucose"] = 18.016 * columns["glucose"]


def typo(columns: dict[str, Any]) -> None:
    columns["age"][:4] = 6e9  # some of them are held out


def test_honest_parties_have_no_findings(home: Path) -> None:
    record = run(home).read_allocation()
    assert record["findings"] == []
    assert record["stage"] == "delivered"


@pytest.mark.parametrize(("change", "column", "kind"), [(milligrams, "glucose", "elsewhere"), (typo, "age", "extreme")])
def test_findings_are_noted_everywhere_and_told_to_the_party_alone(
    home: Path, change: Change, column: str, kind: str
) -> None:
    spoil(home, "west", change)
    directory = run(home)
    record = directory.read_allocation()
    found = [f for f in record["findings"] if f["column"] == column]
    assert [(f["party"], f["kind"]) for f in found] == [("west", kind)]
    assert {f["party"] for f in record["findings"]} == {"west"}
    sentence = found[0]["sentence"]
    assert any(sentence in note and note.startswith("west") for note in record["notes"])
    assert [e["sentence"] for e in directory.read_ledger() if e["action"] == "finding" and e["column"]] == [sentence]
    assert mediator_page(record).replace("&#39;", "'").count(sentence) == 1
    told = {p: json.loads((home / f"{p}-reward/run/reward.json").read_text(encoding="utf-8")) for p in PARTIES}
    assert sentence in told["west"]["findings"]
    assert all("findings" not in told[p] and sentence not in json.dumps(told[p]) for p in ("east", "north"))
    assert sentence in party_page(told["west"]).replace("&#39;", "'")
    assert "6000000000" not in json.dumps([record["notes"], record["findings"]])


def test_on_request_such_a_party_is_refused_and_the_others_go_on(home: Path) -> None:
    spoil(home, "west", milligrams)
    directory = run(home, on_finding="refuse")
    assert "lie nowhere near" in refused(directory)["west"]
    record = directory.read_allocation()
    assert [p["party"] for p in record["parties"]] == ["east", "north"]
    assert record["stage"] == "delivered"
    assert record["findings"] == []
    assert [e["party"] for e in directory.read_ledger() if e["action"] == "contributed"] == ["east", "north"]
    with pytest.raises(QuorumError, match="west: column 'glucose'"):
        run(home, "more", on_finding="refuse", min_parties=3)


@pytest.mark.slow
def test_synthetic_rewards_too(home: Path) -> None:
    spoil(home, "west", typo)
    keys: dict[str, Any] = {"strategy": "SyntheticDataRewards(size=200)", "generator": "GaussianMixture()", "model": ""}
    keys["target"] = ""
    record = run(home, **keys).read_allocation()
    assert {f["party"] for f in record["findings"]} == {"west"}
    clean = run(home, "clean", on_finding="refuse", **keys)
    assert set(refused(clean)) == {"west"}
    for party in ("east", "north"):
        points = pl.read_csv(home / f"{party}-reward/clean/reward.csv")
        assert len(points) == 0 or points["age"].min() > -100.0


def test_robust_scaling_keeps_the_honest_parties_worth(home: Path) -> None:
    honest = {p["party"]: p["value"] for p in run(home, "honest", standardize="robust").read_allocation()["parties"]}
    spoil(home, "west", typo)
    robust = run(home, "robust", standardize="robust")
    plain = {p["party"]: p["value"] for p in run(home, "plain").read_allocation()["parties"]}
    values = {p["party"]: p["value"] for p in robust.read_allocation()["parties"]}
    for party in ("east", "north"):
        assert values[party] == pytest.approx(honest[party], rel=0.05)
        assert plain[party] < 0.8 * honest[party]
    assert robust.read_allocation()["model"]["standardized"] == "robust"
    about = json.loads((home / "east-reward/robust/reward.json").read_text(encoding="utf-8"))
    assert "median and quartiles of the pool" in about["contains"]


# Who lies about the schema, or breaks the computation.


def test_who_does_not_keep_to_the_schema_is_refused_by_the_mediator(home: Path) -> None:
    def beyond(X: Any) -> None:
        X[4, 0] = 1.23456e6

    directory = run(home, schema_file=str(home / "schema.toml"), target="", tamper=lying("north", beyond))
    assert "column 'glucose': 1 of 45 values are above the maximum 30" in refused(directory)["north"]
    assert "123456" not in json.dumps(directory.read_ledger())
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "west"]


def test_what_overflows_is_refused_without_a_schema(home: Path) -> None:
    def absurd(X: Any) -> None:
        X[0, 1] = 1e200

    directory = run(home, tamper=lying("east", absurd))
    assert refused(directory)["east"].startswith("column 'age': 1 number beyond 1e+75")
    assert directory.read_allocation()["stage"] == "delivered"


class Delicate(BayesianLinear):
    """Can't be fitted where an input is beyond 1e8."""

    def fit(self, contributions: Any, **more: Any) -> Any:
        if any(np.abs(c.X).max() > 1e8 for c in contributions):
            raise np.linalg.LinAlgError("not positive definite at 123456")
        return super().fit(contributions, **more)


def test_who_breaks_a_later_stage_is_refused_and_the_run_goes_on_also_when_resumed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(home, "north", typo)
    delicate = {"model": "tests.strategies.test_plausible_pools:Delicate(noise=0.5)", "standardize": False}
    directory = run(home, stop_after="valuation", **delicate)
    assert "breaks the computation (LinAlgError)" in refused(directory)["north"]
    assert "123456" not in json.dumps(directory.read_ledger())
    record = directory.read_allocation()
    assert [p["party"] for p in record["parties"]] == ["east", "west"]
    assert record["findings"] == []
    done = run(home, resume=True, **delicate).read_allocation()
    assert done["stage"] == "delivered"
    assert [r["party"] for r in done["refused"]] == ["north"]
    assert not (home / "north-reward/run").exists()


def test_a_run_that_broke_goes_on_when_it_is_resumed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(home, "north", typo)
    delicate = {"model": "tests.strategies.test_plausible_pools:Delicate(noise=0.5)", "standardize": False}
    with monkeypatch.context() as patch:
        patch.setattr("strategies.pooling.culprit", lambda *_: None)  # as if the mediator had been killed there
        with pytest.raises(np.linalg.LinAlgError):
            run(home, **delicate)
    done = run(home, resume=True, **delicate)
    assert "breaks the computation" in refused(done)["north"]
    assert done.read_allocation()["stage"] == "delivered"


def test_a_mistake_in_a_part_fails_with_its_own_error(home: Path) -> None:
    with pytest.raises(ValueError, match="always"):
        run(home, model="tests.strategies.test_plausible_pools:Broken(noise=0.5)")
    assert not (home / "run" / "allocation.json").exists()


class Broken(BayesianLinear):
    """Never works."""

    def fit(self, contributions: Any, **more: Any) -> Any:
        raise ValueError("always")


def test_blame_needs_exactly_one() -> None:
    pool = [Contribution(name, np.ones((2, 1))) for name in "abcd"]

    def fails_with(*names: str, together: bool = False) -> Callable[[Any], None]:
        def attempt(left: Any) -> None:
            there = {c.party for c in left} & set(names)
            if there == set(names) if together else there:
                raise ArithmeticError

        return attempt

    assert culprit(pool, fails_with("c")) == "c"
    assert culprit(pool, fails_with("b", "c")) is None  # each alone breaks it
    assert culprit(pool, fails_with("b", "c", together=True)) is None  # only both together do
    assert culprit(pool[:2], fails_with("a")) is None
    with pytest.raises(TypeError):
        culprit(pool, lambda left: len(5))  # type: ignore[arg-type]


def test_evidence_is_told_to_the_mediator_and_to_each_party_of_itself(home: Path) -> None:
    def shuffled(columns: dict[str, Any]) -> None:
        columns["stay"] = np.random.default_rng(0).permutation(columns["stay"]) + 4.0 * np.random.default_rng(1).normal(
            size=len(columns["stay"])
        )

    spoil(home, "west", shuffled)
    directory = run(home, evidence=True, model="BayesianLinear(features='Affine()')")
    record = directory.read_allocation()
    by_party = {e["party"]: e for e in record["evidence"]}
    assert by_party["west"]["probability"] < 1e-4
    assert set(by_party["west"]["without"]) == set(PARTIES)
    said = [note for note in record["notes"] if "do not foresee its outputs" in note]
    assert [note.split(":")[0] for note in said] == ["west"]
    told = {p: (home / f"{p}-reward/run/reward.json").read_text(encoding="utf-8") for p in PARTIES}
    assert [p for p in PARTIES if "do not foresee its outputs" in told[p]] == ["west"]
    assert "evidence" not in run(home, "plain").read_allocation()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "SyntheticDataRewards(size=50)", "model": ""}, "SyntheticDataRewards gathers none"),
        ({"fit": "leave-one-out median"}, "leave one of them out"),
    ],
)
def test_evidence_that_would_not_be_gathered_is_refused_at_once(home: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(home, evidence=True, **changes)


def test_evidence_that_cannot_be_had_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no covariance")

    monkeypatch.setattr("strategies.model_rewards.gather_evidence", fails)
    record = run(home, evidence=True, model="BayesianLinear(features='Affine()')").read_allocation()
    assert record["stage"] == "delivered"
    assert record["refused"] == []
    assert "it could not be gathered: no covariance" in " ".join(record["notes"])
