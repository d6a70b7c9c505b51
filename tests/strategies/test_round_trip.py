"""The whole way through LocalGrid: contributions in, each party's own model out; then everything that can go wrong."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.exception import AggregationError

from clients.app import app
from clients.party_data import PartyData, PartyFile
from clients.reward_store import load_reward
from guerdon.metrics import mnlp
from guerdon.models import GaussianProcess
from guerdon.realization import noise_variances
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution
from guerdon.valuation import InformationGain
from server.app import mediate
from server.config import ConfigError
from server.run_directory import RunDirectory
from strategies import QuorumError
from tests.fakes import LocalGrid
from wire import messages
from wire.kinds.model import predictor_of
from wire.kinds.rows import content_hash

PARTIES = ("east", "north", "west")
MODEL = "GaussianProcess(kernel='rbf(lengthscale=2.0, outputscale=1.0)', noise=0.3)"


def rows(seed: int, count: int = 24) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3))
    y = 10.0 * np.sin(X[:, 0]) + X[:, 1] + rng.normal(size=count) + 50.0
    return pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "outcome": y})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, party in enumerate(PARTIES):
        rows(seed, 20 + 4 * seed).write_parquet(folder / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    return folder


def config(data: Path, **changes: Any) -> dict[str, Any]:
    base = {
        "data-dir": str(data),
        "run-dir": str(data.parent / "run"),
        "target": "outcome",
        "parties": ",".join(PARTIES),
        "model": MODEL,
        "discloses-rows": True,
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(
    settings: dict[str, Any], *, app: ClientApp = app, order: tuple[int, ...] = (0, 1, 2), **grid: Any
) -> RunDirectory:
    nodes = {100 + 7 * k: {"partition-id": k, "num-partitions": 3} for k in order}
    return mediate(LocalGrid(app, nodes, settings, **grid), settings)


def refused(directory: RunDirectory) -> dict[str, str]:
    return {entry["party"]: entry["reason"] for entry in directory.read_allocation()["refused"]}


def without_run(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "run"}


def test_each_party_gets_a_model_worth_its_reward(data: Path) -> None:
    directory = run(config(data))
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    assert [p["party"] for p in record["parties"]] == list(PARTIES)
    for entry in record["parties"]:
        assert entry["delivered"]
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-11)
        assert entry["value"] <= entry["target"] * (1 + 1e-9)
        assert entry["alone"]["rows"] == entry["reward"]["rows"] > 0
        assert np.isfinite([entry["alone"]["mnlp"], entry["reward"]["rmse"]]).all()
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_the_numbers_are_those_of_the_mathematics_on_what_was_pooled(data: Path) -> None:
    directory = run(config(data, standardize=False, scheme="RhoShapley(rho=0.4)"))
    record = directory.read_allocation()
    pool, about = directory.load_pool() or pytest.fail("no pool was kept")
    model = GaussianProcess("rbf(lengthscale=2.0, outputscale=1.0)", noise=0.3)
    table = InformationGain(model).game(pool).table()
    phi = exact_shapley(table)
    assert about["target"] == "outcome"
    assert record["values"] == pytest.approx(table.tolist(), abs=1e-12)
    assert [p["shapley"] for p in record["parties"]] == pytest.approx(phi, abs=1e-12)
    targets = (phi / phi.max()) ** 0.4 * table[-1]
    etas = [p["eta"] for p in record["parties"]]
    assert etas == pytest.approx(noise_variances(model, pool, targets), rel=1e-9)


def test_noise_is_reported_in_the_targets_own_units(data: Path) -> None:
    directory = run(config(data, scheme="RhoShapley(rho=0.4)"))
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    scale = np.concatenate([c.y for c in pool if c.y is not None]).std()
    for entry in directory.read_allocation()["parties"]:
        arrays = load_reward(Path(entry["store"])).arrays
        added = np.unique(np.round(arrays["posterior.row_noise"] - 0.3, 12))
        assert added.max() * scale**2 == pytest.approx(entry["eta"], rel=1e-9)


def test_a_tempered_reward_meets_its_target_and_is_scored_beside_noise_of_the_same_value(data: Path) -> None:
    directory = run(config(data, realization="LikelihoodTempering()", scheme="RhoShapley(rho=0.4)"))
    noisy = run(config(data, run_dir=str(data.parent / "noisy"), scheme="RhoShapley(rho=0.4)"))
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    scale = np.concatenate([c.y for c in pool if c.y is not None]).std()
    for entry, other in zip(directory.read_allocation()["parties"], noisy.read_allocation()["parties"], strict=True):
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-11)
        assert "eta" not in entry  # none was added; what would have been is noise injection's
        equal = scale**2 * 0.3 * (1.0 / entry["kappa"] - 1.0) if entry["kappa"] > 0.0 else np.inf
        assert equal == pytest.approx(float(other["eta"]), rel=1e-8)
        reward = load_reward(Path(entry["store"]))
        assert ("as they were sent" in reward.about["contains"]) == (entry["kappa"] > 0.0)
        if 0.0 < entry["kappa"] < 1.0:
            assert entry["reward"]["mnlp_noise"] > entry["reward"]["mnlp"]
            noise = reward.arrays["posterior.row_noise"]
            assert noise.max() == pytest.approx(0.3 / entry["kappa"], rel=1e-12)
    assert sum("mnlp_noise" in p["reward"] for p in directory.read_allocation()["parties"]) == 2


@pytest.mark.parametrize(
    "model", ["BayesianLinear(0.3, features='Affine()')", "SparseGaussianProcess(kernel='rbf', noise=0.3, inducing=8)"]
)
def test_tempering_serves_every_model(data: Path, model: str) -> None:
    record = run(config(data, realization="LikelihoodTempering()", model=model)).read_allocation()
    assert record["stage"] == "delivered"
    for entry in record["parties"]:
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-9)
        assert 0.0 <= entry["kappa"] <= 1.0
        assert "mnlp_noise" not in entry["reward"]  # the reward holds no rows to tell it from


def test_order_of_arrival_changes_nothing(data: Path) -> None:
    first = run(config(data, run_dir=str(data.parent / "first")), order=(0, 1, 2))
    second = run(config(data, run_dir=str(data.parent / "second")), order=(2, 0, 1))
    a, b = first.read_allocation(), second.read_allocation()
    for entry in (*a["parties"], *b["parties"]):
        entry.pop("store")
    assert without_run(a) == without_run(b)


def test_the_same_noise_seed_gives_the_same_rewards_and_another_gives_others(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    for name, seed in (("one", "5"), ("two", "5"), ("three", "6")):
        monkeypatch.setenv("GUERDON_NOISE_SEED", seed)
        directory = run(config(data, run_dir=str(data.parent / name), scheme="RhoShapley(rho=0.4)"))
        weakest = min(directory.read_allocation()["parties"], key=lambda p: p["alpha"])
        drawn[name] = load_reward(Path(weakest["store"])).arrays["posterior.y"]
    assert np.array_equal(drawn["one"], drawn["two"])
    assert not np.allclose(drawn["one"], drawn["three"])


def test_the_noise_can_not_be_drawn_again_from_what_parties_know(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUERDON_NOISE_SEED")
    directory = run(config(data, scheme="RhoShapley(rho=0.4)", seed=3))
    assert directory.secret_seed() > 2**64
    assert str(directory.secret_seed()) not in json.dumps(config(data))
    assert (directory.path / "noise_seed").stat().st_mode & 0o077 == 0 or directory.path.stat().st_mode & 0o077 == 0


def test_a_reward_is_a_file_that_predicts_in_the_targets_units(data: Path) -> None:
    directory = run(config(data))
    entry = directory.read_allocation()["parties"][0]
    reward = load_reward(Path(entry["store"]))
    predictor = predictor_of(reward)
    table = rows(9)
    mean, variance = predictor.predict(table.select("age", "bmi", "bp").to_numpy())
    assert 30.0 < mean.mean() < 70.0
    assert np.all(variance > 0.0)
    assert reward.about["party"] == "east"


def test_a_party_sees_nothing_of_the_others_but_common_knowledge(data: Path) -> None:
    directory = run(config(data, scheme="RhoShapley(rho=0.4)"))
    record = directory.read_allocation()
    others = [p for p in record["parties"] if p["party"] != "east"]
    seen = json.dumps(load_reward(Path(record["parties"][0]["store"])).about)
    for entry in others:
        assert repr(entry["value"]) not in seen
        assert entry["eta"] == 0.0 or repr(entry["eta"]) not in seen
    assert "values" not in json.loads(seen)


def test_every_message_is_a_record_of_its_own(data: Path) -> None:
    settings = config(data)
    grid = LocalGrid(app, {k: {"partition-id": k} for k in range(3)}, settings)
    mediate(grid, settings)
    rewards = [m.content for m in grid.sent if m.metadata.message_type == messages.REWARD]
    assert len({id(content) for content in rewards}) == 3
    parties = {messages.decode_reward(content).about["party"] for content in rewards}
    assert parties == set(PARTIES)


def test_resume_after_valuation_delivers_under_the_scheme_agreed_on(data: Path) -> None:
    looked = run(config(data, stop_after="valuation"))
    valued = looked.read_allocation()
    assert valued["stage"] == "valued"
    assert all(p.get("eta") is None and p["alone"] for p in valued["parties"])
    assert not (looked.path / "rewards").exists()
    assert valued["notes"] == []
    done = run(config(data, resume=True, scheme="RhoShapley(rho='rational')")).read_allocation()
    assert done["stage"] == "delivered"
    assert done["values"] == valued["values"]
    assert done["scheme"] == "RhoShapley(rho='rational')"


def test_rewards_once_made_are_never_made_again_under_another_scheme(data: Path) -> None:
    run(config(data, scheme="RhoShapley(rho=0.4)"))
    with pytest.raises(Exception, match="can't be made again in another way"):
        run(config(data, resume=True, scheme="RhoShapley(rho=0.2)"))


def test_a_party_that_missed_its_reward_gets_the_same_one_on_resume(data: Path) -> None:
    def lose_reward(node: int, message: Message, reply: Message) -> Message | None:
        return None if message.metadata.message_type == messages.REWARD and node == 107 else reply

    first = run(config(data), tamper=lose_reward)
    record = first.read_allocation()
    assert record["stage"] == "rewarded"
    assert [p["party"] for p in record["parties"] if not p["delivered"]] == ["north"]
    assert any("north did not take its reward" in note for note in record["notes"])
    made = {e["party"]: e["sha256"] for e in first.read_ledger() if e["action"] == "reward made"}
    second = run(config(data, resume=True), order=(1,))
    assert second.read_allocation()["refused"] == []
    assert second.read_allocation()["stage"] == "delivered"
    delivered = {e["party"]: e["sha256"] for e in second.read_ledger() if e["action"] == "delivered"}
    assert delivered == made


def test_a_party_that_can_not_join_a_resumed_run_is_missed_with_its_own_reason(data: Path) -> None:
    def lose_reward(node: int, message: Message, reply: Message) -> Message | None:
        return None if message.metadata.message_type == messages.REWARD and node == 107 else reply

    run(config(data), tamper=lose_reward)
    bad_file(data, "north", rows(2).select("outcome"))  # whose only column is the target
    notes = run(config(data, resume=True)).read_allocation()["notes"]
    assert any("north did not take its reward: " in note and "no feature columns" in note for note in notes), notes


def test_resume_leaves_the_record_of_what_was_made(data: Path) -> None:
    bad_file(data, "west", rows(2).head(1))

    def lose_reward(node: int, message: Message, reply: Message) -> Message | None:
        return None if message.metadata.message_type == messages.REWARD and node == 107 else reply

    first = run(config(data, scheme="RhoShapley(rho=0.4)"), tamper=lose_reward).read_allocation()
    again = run(config(data, resume=True, scheme="RhoShapley(rho=0.4)"), order=(1,)).read_allocation()
    assert [r["party"] for r in again["refused"]] == ["west"]
    for before, after in zip(first["parties"], again["parties"], strict=True):
        assert {k: after[k] for k in ("eta", "reached", "target", "alone")} == {
            k: before[k] for k in ("eta", "reached", "target", "alone")
        }
        assert after["delivered"]
        assert after["store"]
    assert again["notes"][: len(first["notes"])] == first["notes"]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "GaussianProcess(kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.3)"},
        {"seed": 5},
        {"holdout": 0.5},
        {"standardize": False},
    ],
)
def test_resume_keeps_what_the_data_was_pooled_and_valued_with(data: Path, change: dict[str, Any]) -> None:
    run(config(data, stop_after="valuation"))
    with pytest.raises(AggregationError, match=rf"keeps what its data .* but {next(iter(change))} was"):
        run(config(data, resume=True, **change))


def test_stop_after_comes_too_late_once_rewards_are_made(data: Path) -> None:
    run(config(data))
    with pytest.raises(AggregationError, match="stop-after comes too late"):
        run(config(data, resume=True, stop_after="valuation"))


def test_a_ledger_line_cut_short_by_a_crash_does_not_stop_a_resume(data: Path) -> None:
    directory = run(config(data, stop_after="valuation"))
    with (directory.path / "ledger.jsonl").open("a") as file:
        file.write('{"time": "2026-01-01", "act')
    done = run(config(data, resume=True))
    assert done.read_allocation()["stage"] == "delivered"
    assert [e["party"] for e in done.read_ledger() if e["action"] == "delivered"] == list(PARTIES)


def test_a_purged_run_does_not_start_again(data: Path) -> None:
    run(config(data)).purge()
    for resume in (True, False):
        with pytest.raises(ConfigError, match="was purged"):
            run(config(data, resume=resume))


def test_files_are_their_owners_only(data: Path) -> None:
    directory = run(config(data))
    made = [p for p in directory.path.rglob("*") if p.is_file()]
    assert len(made) > 10
    assert [p for p in made if p.stat().st_mode & 0o077] == []


def test_a_used_run_directory_is_not_used_again_by_accident(data: Path) -> None:
    run(config(data))
    with pytest.raises(ConfigError, match="already holds a run"):
        run(config(data))


def test_purge_removes_the_pool_and_keeps_the_record(data: Path) -> None:
    directory = run(config(data))
    directory.purge()
    assert directory.load_pool() is None
    assert directory.load_rewards() is None
    assert directory.read_allocation()["stage"] == "delivered"
    assert directory.read_ledger()[-1]["action"] == "purged"


# What goes wrong.


def test_a_party_that_raises_is_refused_by_name_and_the_others_go_on(data: Path) -> None:
    broken = ClientApp()

    @broken.query("introduce")
    def introduce(message: Message, context: Any) -> Message:
        return app(message, context)

    @broken.train("contribute")
    def contribute(message: Message, context: Any) -> Message:
        if context.node_config["partition-id"] == 2:
            raise RuntimeError("disk on fire")
        return app(message, context)

    @broken.train("reward")
    def reward(message: Message, context: Any) -> Message:
        return app(message, context)

    @broken.evaluate("alone")
    def alone(message: Message, context: Any) -> Message:
        return app(message, context)

    @broken.evaluate("reward")
    def score(message: Message, context: Any) -> Message:
        return app(message, context)

    directory = run(config(data), app=broken)
    assert "disk on fire" in refused(directory)["west"]
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "north"]
    assert directory.read_allocation()["stage"] == "delivered"
    entry = next(e for e in directory.read_ledger() if e["action"] == "refused")
    assert entry["party"] == "west"
    assert "disk on fire" in entry["reason"]


def test_a_party_that_never_answers_is_refused_by_name(data: Path) -> None:
    def silence(node: int, message: Message, reply: Message) -> Message | None:
        return None if message.metadata.message_type == messages.CONTRIBUTE and node == 100 else reply

    directory = run(config(data), tamper=silence)
    assert refused(directory) == {"east": "no answer within 0.5 s"}


def test_too_few_parties_fail_the_run_with_who_is_missing_and_why(data: Path) -> None:
    def silence(node: int, message: Message, reply: Message) -> Message | None:
        return None if message.metadata.message_type == messages.CONTRIBUTE and node != 100 else reply

    with pytest.raises(QuorumError, match=r"1 of the at least 2 .* north: no answer .*; west: no answer"):
        run(config(data), tamper=silence)
    events = [json.loads(line) for line in (data.parent / "run" / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "failed"
    assert "north" in events[-1]["reason"]


def test_a_party_that_is_not_there_is_named(data: Path) -> None:
    directory = run(config(data), order=(0, 2))
    assert "did not introduce itself within join-timeout" in refused(directory)["north"]


def bad_file(data: Path, party: str, table: pl.DataFrame) -> None:
    table.write_parquet(data / f"{party}.parquet")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.with_columns(bmi=pl.when(pl.int_range(pl.len()) == 4).then(np.nan).otherwise("bmi")), "row 5"),
        (lambda t: t.with_columns(outcome=pl.lit(np.inf)), "'outcome': 24 missing or infinite"),
        (lambda t: t.with_columns(bp=pl.lit(None, dtype=pl.Float64)), "'bp': 24 missing"),
        (lambda t: t.with_columns(age=pl.lit("old")), "must hold numbers"),
        (lambda t: t.drop("bp"), "lacks bp"),
        (lambda t: t.with_columns(extra=pl.lit(1.0)), "it has besides extra"),
        (lambda t: t.rename({"bp": "pressure"}), "lacks bp and it has besides pressure"),
        (lambda t: t.drop("outcome"), "no target column 'outcome'"),
        (lambda t: t.head(1), "1 rows; at least 2"),
        (lambda t: t.head(0), "has no rows"),
    ],
    ids=["nan", "inf", "missing", "text", "fewer columns", "more columns", "other names", "no y", "one row", "no rows"],
)
def test_bad_files_are_refused_by_name_with_the_reason(data: Path, change: Any, reason: str) -> None:
    bad_file(data, "north", change(rows(1)))
    directory = run(config(data))
    assert reason in refused(directory)["north"]
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "west"]


def test_without_a_target_every_party_is_refused(data: Path) -> None:
    with pytest.raises(QuorumError, match=r"outputs y are missing, .*: name the target column"):
        run(config(data, target=""))


def test_columns_in_another_order_are_the_same_contribution(data: Path) -> None:
    plain = run(config(data, run_dir=str(data.parent / "plain"))).read_allocation()
    bad_file(data, "north", pl.read_parquet(data / "north.parquet").select("bp", "outcome", "age", "bmi"))
    mixed = run(config(data, run_dir=str(data.parent / "mixed"))).read_allocation()
    assert mixed["values"] == plain["values"]


def test_two_nodes_with_one_name_are_both_refused_before_any_data_is_asked_for(data: Path) -> None:
    (data / "parties.json").write_text(json.dumps(["east", "north", "north"]))
    settings = config(data, parties="east,north,south", min_parties=1)
    grid = LocalGrid(app, {k: {"partition-id": k} for k in range(3)}, settings)
    directory = mediate(grid, settings)
    assert "2 nodes go by this name" in refused(directory)["north"]
    asked = [m.metadata.dst_node_id for m in grid.sent if m.metadata.message_type == messages.CONTRIBUTE]
    assert asked == [0]


def introduction_reply(node: int, content: RecordDict) -> Any:
    """A tamper that replaces how one node introduces itself."""

    def tamper(at: int, message: Message, reply: Message) -> Message:
        replaced = message.metadata.message_type == messages.INTRODUCE and at == node
        return Message(content, reply_to=message) if replaced else reply

    return tamper


def test_a_refusal_in_anothers_name_moves_nobody_but_its_node(data: Path) -> None:
    tamper = introduction_reply(114, messages.encode_refusal("north", "I, north, am bankrupt"))
    directory = run(config(data), tamper=tamper)
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "north"]
    assert refused(directory)["node-114"] == "calling itself north: I, north, am bankrupt"


def test_names_that_differ_by_case_only_are_one_name(data: Path) -> None:
    (data / "parties.json").write_text(json.dumps(["east", "north", "North"]))
    (data / "North.parquet").write_bytes((data / "north.parquet").read_bytes())
    settings = config(data, parties="", min_parties=1)
    directory = run(settings)
    assert set(refused(directory)) == {"North", "north"}


def test_a_stranger_does_not_take_the_place_of_a_party_that_is_late(data: Path) -> None:
    settings = config(data, parties="east,north", join_timeout=5.0)
    grid = LocalGrid(app, {k: {"partition-id": k} for k in range(3)}, settings)
    start = time.monotonic()
    grid.get_node_ids = lambda: [0, 2] if time.monotonic() < start + 0.5 else [0, 1, 2]  # type: ignore[method-assign]
    directory = mediate(grid, settings)
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "north"]


def test_any_name_that_can_be_a_name_can_be_a_partys(data: Path) -> None:
    (data / "parties.json").write_text(json.dumps(["east", "complete.json", "rewards.json"]))
    for party in ("complete.json", "rewards.json"):
        rows(5).write_parquet(data / f"{party}.parquet")
    record = run(config(data, parties="")).read_allocation()
    assert record["stage"] == "delivered"


def test_a_name_that_is_not_on_the_list_is_refused(data: Path) -> None:
    directory = run(config(data, parties="east,west"))
    assert "not on the list" in refused(directory)["north"]


def contribution_reply(change: Any) -> Any:
    """A tamper that replaces what node 107 (north) contributes."""

    def tamper(node: int, message: Message, reply: Message) -> Message:
        if message.metadata.message_type != messages.CONTRIBUTE or node != 107:
            return reply
        return Message(change(reply.content), reply_to=message)

    return tamper


def contribution(**changes: Any) -> RecordDict:
    base: dict[str, Any] = {
        "X": np.ones((5, 3)),
        "y": np.ones(5),
        "names": ["age", "bmi", "bp"],
        "party": "north",
        "target": "outcome",
    }
    base.update(changes)
    arrays = {name: base[name] for name in ("X", "y") if base[name] is not None}
    about = ConfigRecord({"party": base["party"], "features": base["names"], "target": base["target"]})
    return RecordDict({"arrays": ArrayRecord({name: Array(a) for name, a in arrays.items()}), "about": about})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda c: contribution(X=np.full((5, 3), np.nan)), "must be finite, got 15 NaN or infinite"),
        (lambda c: contribution(y=np.full(5, np.inf)), "y of party 'north' must be finite"),
        (lambda c: contribution(X=np.ones((5, 2))), "one column for each of the 3 feature names, got shape \\(5, 2\\)"),
        (lambda c: contribution(X=np.ones(5)), "got shape \\(5,\\)"),
        (lambda c: contribution(y=None), "outputs y are missing: the values of the target 'outcome'"),
        (lambda c: contribution(target="income"), "its target is 'income', it was asked for 'outcome'"),
        (lambda c: contribution(y=np.ones(4)), "as X has rows, got \\(4,\\)"),
        (lambda c: contribution(X=np.ones((1, 3)), y=np.ones(1)), "at least 2 rows are needed, got 1"),
        (lambda c: contribution(X=np.ones((0, 3)), y=np.ones(0)), "at least 2 rows are needed, got 0"),
        (lambda c: contribution(X=np.ones((5, 3), dtype=np.float32)), "X must be float64, got float32"),
        (lambda c: contribution(names=["age", "bmi", "bmi"]), "feature names must differ"),
        (lambda c: contribution(names=["age", "bmi", "sex"]), "introduced the features"),
        (lambda c: contribution(party="east"), "introduced itself as 'north' but contributes as 'east'"),
        (lambda c: contribution(X=np.ones((50000, 3)), y=np.ones(50000)), "the limit is max-contribution-mb"),
        (lambda c: RecordDict(), "the 'about' record is missing"),
        (lambda c: RecordDict({"about": c["about"]}), "the 'arrays' record is missing"),
    ],
)
def test_whatever_comes_over_the_wire_is_checked_at_the_door(data: Path, content: Any, reason: str) -> None:
    directory = run(config(data, max_contribution_mb=1.0), tamper=contribution_reply(content))
    with pytest.raises(AssertionError, match=reason):  # the reason is in the ledger, word for word
        raise AssertionError(refused(directory)["north"])
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "west"]


class Forged:
    """Bytes that are not what NumPy would write for an array."""

    npz = io.BytesIO()
    np.savez(npz, X=np.ones(3))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    cases = (npz.getvalue(), header.getvalue(), b"\x93NUMPY\x01\x00\x10\x00{'descr': !!!!!", b"", b"junk")


@pytest.mark.parametrize("data_bytes", Forged.cases, ids=["npz", "huge", "broken header", "nothing", "junk"])
def test_bytes_that_are_no_array_refuse_their_sender_only(data: Path, data_bytes: bytes) -> None:
    content = contribution()
    content["arrays"] = ArrayRecord(
        {"X": Array("float64", (5, 3), "numpy.ndarray", data_bytes), "y": Array(np.ones(5))}
    )
    directory = run(config(data), tamper=contribution_reply(lambda _: content))
    assert "array 'X'" in refused(directory)["north"]
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "west"]


def test_no_cell_of_a_file_is_quoted_to_the_mediator(data: Path) -> None:
    bad_file(data, "north", rows(1).with_columns(age=pl.lit("Jane Doe 1971-02-03")))
    (data / "west.parquet").write_bytes(b"Jane Doe 1971-02-03")
    with pytest.raises(QuorumError):
        run(config(data))
    for file in (data.parent / "run").glob("*.json*"):
        assert "Jane" not in file.read_text()


def test_an_error_that_nobody_foresaw_is_sent_without_its_words(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = PartyData.read

    def fail(file: Any) -> PartyData:
        if file.party == "north":
            raise RuntimeError("patient Jane Doe")
        return read(file)

    monkeypatch.setattr("clients.answering.PartyData.read", fail)
    reason = refused(run(config(data)))["north"]
    assert reason.startswith("RuntimeError in ")
    assert "Jane" not in reason


def test_control_characters_do_not_reach_the_operators_screen(data: Path) -> None:
    tamper = introduction_reply(107, messages.encode_refusal("north", "no\x1b]0;pwn\x07 \x1b[2J way\n" + "x" * 5000))
    reason = refused(run(config(data), tamper=tamper))["north"]
    assert reason.isprintable()
    assert len(reason) <= 500


def test_a_reward_that_arrives_changed_is_not_counted_as_delivered(data: Path) -> None:
    def tamper(node: int, message: Message, reply: Message) -> Message:
        if message.metadata.message_type != messages.REWARD or node != 114:
            return reply
        return Message(messages.encode_receipt("0" * 64, "somewhere"), reply_to=message)

    record = run(config(data), tamper=tamper).read_allocation()
    assert [p["party"] for p in record["parties"] if not p["delivered"]] == ["west"]
    assert any("it received something else" in note for note in record["notes"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"modle": "GaussianProcess()"}, "there is no such key. Did you mean 'model'"),
        ({"holdout": "much"}, "holdout: expected a valid number, got 'much'"),
        ({"min-parties": 0}, "min-parties: expected greater than or equal to 1, got 0"),
        ({"scheme": "RhoShapley(rho=1.5)"}, "rho must be a number in \\[0, 1\\], 'rational' or 'stable', got 1.5"),
        ({"scheme": "RhoShaply()"}, "Did you mean 'RhoShapley'"),
        ({"model": "GaussianProcess(kernel='rfb')"}, "expected one of rbf"),
        ({"strategy": "RhoShapley()"}, "On offer: ClassificationRewards, CosineGradientRewards, ModelRewards"),
        ({"scheme": "nowhere_to_be_found:Scheme()"}, "there is no module"),
        ({"scheme": "os:getcwd()"}, "scheme: 'os:getcwd\\(\\)' is a str, which has no __call__"),
        ({"model": "fractions:Fraction(1, 2)"}, "is a Fraction, which has no fit"),
        ({"parties": "east,East,west"}, "upper and lower case don't tell names apart"),
        ({"parties": "east,../west"}, "a party's name is 1 to 64"),
        ({"run-dir": "here"}, "write an absolute path"),
    ],
)
def test_a_bad_run_config_fails_before_any_party_is_asked(data: Path, change: dict[str, Any], problem: str) -> None:
    settings = {**config(data), **change}
    grid = LocalGrid(app, {k: {"partition-id": k} for k in range(3)}, settings)
    with pytest.raises(ConfigError, match=problem):
        mediate(grid, settings)
    assert grid.sent == []


def test_all_problems_of_a_config_are_said_at_once(data: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run({**config(data), "holdout": 3.0, "seed": "a", "colour": "red"})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["holdout", "seed", "colour"]


def test_heteroscedastic_parties_from_a_noise_column(data: Path) -> None:
    for k, party in enumerate(PARTIES):
        table = pl.read_parquet(data / f"{party}.parquet")
        table.with_columns(variance=pl.lit(1.0 + 4.0 * k) + 0.5 * pl.int_range(pl.len()) / pl.len()).write_parquet(
            data / f"{party}.parquet"
        )
    model = "GaussianProcess(kernel='rbf(lengthscale=2.0, outputscale=1.0)')"
    directory = run(config(data, noise_column="variance", model=model, scheme="RhoShapley(rho='rational')"))
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    assert [int(np.min(c.noise)) for c in pool if c.noise is not None] == [1, 5, 9]
    for entry in record["parties"]:
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-10)
    # Held-out rows are scored with their own noise variances.
    party = PartyData.read(PartyFile.of({"partition-id": 0}, config(data, noise_column="variance")))
    assert party.held_noise is not None
    predictor = predictor_of(load_reward(Path(record["parties"][0]["store"])))
    scored = mnlp(*predictor.predict(party.held_inputs, party.held_noise), np.asarray(party.held_outputs))
    assert record["parties"][0]["reward"]["mnlp"] == pytest.approx(scored, rel=1e-12)


def test_repeated_rows_are_reported_and_removed_where_asked(data: Path) -> None:
    table = pl.read_parquet(data / "north.parquet")
    bad_file(data, "north", pl.concat([table, table, table]))
    kept = run(config(data, run_dir=str(data.parent / "kept"), holdout=0.0))
    removed = run(config(data, run_dir=str(data.parent / "removed"), holdout=0.0, deduplicate=True))
    counts = [{p["party"]: p["rows"] for p in d.read_allocation()["parties"]}["north"] for d in (kept, removed)]
    assert counts == [72, 24]
    jittered = pl.concat([table, *(table.with_columns(pl.col(pl.Float64) * (1.0 + k * 1e-4)) for k in range(1, 6))])
    bad_file(data, "north", jittered)
    near = run(config(data, run_dir=str(data.parent / "near"), holdout=0.0, deduplicate="near"))
    assert next(p["rows"] for p in near.read_allocation()["parties"] if p["party"] == "north") < 48
    bad_file(data, "west", pl.concat([table.head(1)] * 30))
    strict = run(config(data, run_dir=str(data.parent / "strict"), holdout=0.0, deduplicate=True))
    assert refused(strict)["west"] == "at least 2 different rows are needed, got 1"
    findings = [e["finding"] for e in kept.read_ledger() if e["action"] == "duplicates"]
    assert findings == kept.read_allocation()["notes"] == ["north holds 48 repeated rows"]


def test_nothing_in_events_or_ledger_shows_a_row(data: Path) -> None:
    directory = run(config(data))
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    written = (directory.path / "events.jsonl").read_text() + (directory.path / "ledger.jsonl").read_text()
    numbers = [repr(float(value)) for c in pool for value in c.X[:5].ravel()]
    assert not any(number in written for number in numbers)


def test_contributions_are_hashed_in_the_ledger(data: Path) -> None:
    directory = run(config(data))
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    hashes = {e["party"]: e["sha256"] for e in directory.read_ledger() if e["action"] == "contributed"}
    assert hashes == {c.party: content_hash(c) for c in pool}
    assert isinstance(pool[0], Contribution)


def test_what_a_party_scores_alone_does_not_depend_on_others(data: Path) -> None:
    """Another party's units moved the rmse alone from 1.11 to 2.61: its scaling was the pool's."""
    open_model = "GaussianProcess(kernel='rbf')"
    before = run(config(data, model=open_model, uncertainty=False)).read_allocation()
    west = data / "west.parquet"
    pl.read_parquet(west).with_columns(pl.col("age") * 18.0, pl.col("outcome") * 100.0).write_parquet(west)
    again = data.parent / "again"
    after = run(config(data, model=open_model, uncertainty=False, run_dir=str(again))).read_allocation()
    alone = [{p["party"]: p["alone"] for p in record["parties"]} for record in (before, after)]
    for party in ("east", "north"):
        assert alone[0][party] == pytest.approx(alone[1][party], rel=1e-6)
    assert alone[0]["west"] != alone[1]["west"]
