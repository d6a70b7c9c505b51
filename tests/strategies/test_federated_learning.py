"""Federated learning through LocalGrid: better contributors get better models, whatever the order of arrival."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Error, Message, RecordDict
from ray import cloudpickle
from sklearn.datasets import load_digits

from clients.app import app
from clients.reward_store import load_reward
from guerdon.federated import predict
from server.app import mediate
from server.config import ConfigError
from server.run_directory import RunDirectory
from simulations.partitions import ClassCounts, Sizes
from strategies import QuorumError
from tests.fakes import LocalGrid
from wire import messages
from wire.kinds import lessons
from wire.messages import Reward

GRADIENTS = "CosineGradientRewards(rounds=100, scale=16.0)"
TRAINING_TIME = "TrainingTimeRewards(rounds=60, scale=16.0)"


def write_digits(folder: Path, parties: list[str], blocks: Any, features: np.ndarray, target: np.ndarray) -> None:
    """A file a party, and the same 360 rows to score on for all."""
    (folder / "heldout").mkdir(parents=True)
    kept = np.arange(360)
    for party, rows in zip(parties, blocks, strict=True):
        for path, chosen in ((folder, 360 + rows), (folder / "heldout", kept)):
            columns = {f"p{j:02d}": features[chosen, j] for j in range(features.shape[1])}
            pl.DataFrame({**columns, "digit": target[chosen]}).write_parquet(path / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(parties))


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order], y[order].astype(float)


@pytest.fixture(scope="session")
def by_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five parties of equal size that know 1, 3, 5, 7 and 10 of the classes, as the paper's do."""
    folder = tmp_path_factory.mktemp("classes") / "data"
    X, y = digits()
    blocks = ClassCounts().split(X[360:], 5, rng=np.random.default_rng(3), target=y[360:])
    write_digits(folder, [f"party-{k}" for k in range(1, 6)], blocks, X, y)
    return folder


@pytest.fixture(scope="session")
def by_sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten parties with one to ten times as many rows."""
    folder = tmp_path_factory.mktemp("sizes") / "data"
    X, y = digits()
    blocks = Sizes(range(1, 11)).split(X[360:], 10, rng=np.random.default_rng(2))  # type: ignore[arg-type]
    write_digits(folder, [f"party-{k:02d}" for k in range(1, 11)], blocks, X, y)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Three parties, 30, 60 and 90 rows of four classes in the plane."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 4, 540).astype(float)
    X = np.column_stack([np.cos(y * np.pi / 2), np.sin(y * np.pi / 2)]) + 0.4 * rng.normal(size=(540, 2))
    write_digits(tmp_path / "data", ["east", "north", "west"], np.split(np.arange(180), [30, 90]), X, y)
    return tmp_path / "data"


def run(
    data: Path,
    run_dir: Path,
    strategy: str,
    *,
    order: list[int] | None = None,
    tamper: Callable[[int, Message, Message], Message | None] | None = None,
    **changes: Any,
) -> RunDirectory:
    names = json.loads((data / "parties.json").read_text())
    settings = {
        "data-dir": str(data),
        "run-dir": str(run_dir),
        "target": "digit",
        "parties": ",".join(names),
        "strategy": strategy,
        "join-timeout": 0.5,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    nodes = {100 + 7 * k: {"partition-id": k} for k in (order or range(len(names)))}
    return mediate(LocalGrid(app, nodes, settings, tamper), settings)


def scores(record: dict[str, Any], side: str) -> np.ndarray:
    return np.array([entry[side]["accuracy"] for entry in record["parties"]])


def test_better_updates_earn_better_models(by_classes: Path, tmp_path: Path) -> None:
    record = run(by_classes, tmp_path / "run", GRADIENTS).read_allocation()
    assert record["stage"] == "delivered"
    entries = record["parties"]
    importances = np.array([entry["importance"] for entry in entries])
    assert importances.sum() == pytest.approx(1.0, abs=1e-12)
    shares = np.tanh(importances) / np.tanh(importances.max())
    np.testing.assert_allclose([entry["share"] for entry in entries], shares, rtol=1e-12)
    alone, reward = scores(record, "alone"), scores(record, "reward")
    assert np.all(np.diff(alone) > 0.0)  # more classes, better alone
    assert np.corrcoef(alone, importances)[0, 1] > 0.5
    correlation = np.corrcoef(alone, reward)[0, 1]
    assert correlation > 0.5
    assert record["facts"]["correlation of accuracy alone and rewarded"] == pytest.approx(correlation, abs=1e-12)
    assert np.argmin(reward) == np.argmin(importances) == 0  # who knows one class gets the least
    assert np.all(reward[:4] > alone[:4] + 0.1)


@pytest.mark.slow
def test_more_rows_earn_better_models_and_nobody_is_worse_off(by_sizes: Path, tmp_path: Path) -> None:
    record = run(by_sizes, tmp_path / "run", TRAINING_TIME).read_allocation()
    alone, reward = scores(record, "alone"), scores(record, "reward")
    rows = [entry["rows"] for entry in record["parties"]]
    np.testing.assert_allclose([e["gamma"] for e in record["parties"]], np.array(rows) / max(rows), rtol=1e-12)
    assert [e["others"] for e in record["parties"]] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert np.all(reward >= alone)  # individual rationality, which the paper claims
    check = record["certificate"][0]
    assert (check["name"], check["holds"]) == ("R4", True)
    assert np.corrcoef(alone, reward)[0, 1] > 0.5
    assert np.corrcoef(rows, reward)[0, 1] > 0.5


@pytest.mark.parametrize(
    "strategy", ["CosineGradientRewards(rounds=6, classes=4)", "TrainingTimeRewards(rounds=6, classes=4, q=0.5)"]
)
def test_order_of_arrival_changes_no_bit(small: Path, tmp_path: Path, strategy: str) -> None:
    one = run(small, tmp_path / "one", strategy, order=[0, 1, 2])
    other = run(small, tmp_path / "other", strategy, order=[2, 0, 1])
    made = [
        {party: reward.arrays for party, reward in (directory.load_rewards() or pytest.fail("no rewards"))[0].items()}
        for directory in (one, other)
    ]
    for party, arrays in made[0].items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(made[1][party][name], array)
    a, b = one.read_allocation(), other.read_allocation()
    assert [p["reward"] for p in a["parties"]] == [p["reward"] for p in b["parties"]]


def test_a_party_holds_the_model_that_was_scored(small: Path, tmp_path: Path) -> None:
    record = run(small, tmp_path / "run", "TrainingTimeRewards(rounds=4, classes=4)").read_allocation()
    for entry in record["parties"]:
        reward = load_reward(Path(entry["store"]))
        assert (reward.about["kind"], reward.about["party"]) == ("classifier", entry["party"])
        held = pl.read_parquet(small / "heldout" / f"{entry['party']}.parquet")
        found = predict(reward.arrays, held.select("p00", "p01").to_numpy())
        assert entry["reward"]["accuracy"] == np.mean(found == held["digit"].to_numpy())


def test_no_row_leaves_a_party(small: Path, tmp_path: Path) -> None:
    directory = run(small, tmp_path / "run", "CosineGradientRewards(rounds=2, classes=4)")
    assert directory.load_pool() is None
    assert not (directory.path / "pool").exists()


def test_with_kappa_1_and_no_noise_of_the_draw_all_get_the_same(small: Path, tmp_path: Path) -> None:
    directory = run(small, tmp_path / "run", "TrainingTimeRewards(rounds=3, classes=4, kappa=1.0, q=0.0)")
    rewards, _ = directory.load_rewards() or pytest.fail("no rewards")
    first = rewards["east"].arrays
    for reward in rewards.values():
        for name in first:
            np.testing.assert_allclose(reward.arrays[name], first[name], rtol=0, atol=1e-12)


# What goes wrong.


def replaced(node: int, kind: str, make: Callable[[Message], RecordDict | None]) -> Callable[..., Message | None]:
    """A tamper: the node's replies to messages of this kind are others, or lost."""

    def tamper(at: int, message: Message, reply: Message) -> Message | None:
        if at != node or message.metadata.message_type != kind:
            return reply
        content = make(reply)
        return None if content is None else Message(content, reply_to=message)

    return tamper


def test_a_party_that_misses_a_round_goes_on(small: Path, tmp_path: Path) -> None:
    lost: list[int] = []

    def once(_: Message) -> RecordDict | None:
        lost.append(1)
        return None

    inner = replaced(107, lessons.UPDATE, once)
    tamper = lambda node, message, reply: reply if lost else inner(node, message, reply)  # noqa: E731
    record = run(small, tmp_path / "run", "CosineGradientRewards(rounds=4, classes=4)", tamper=tamper).read_allocation()
    assert [entry["rounds"] for entry in record["parties"]] == [4, 3, 4]
    assert record["stage"] == "delivered"
    assert any("north missed rounds of learning: no answer" in note for note in record["notes"])


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (lambda a: {**a, "0.bias": a["0.bias"] * np.nan}, "NaN or infinite"),
        (lambda a: {**a, "0.bias": a["0.bias"][:-1]}, "float64 of shape"),
        (lambda a: {**a, "0.bias": a["0.bias"].astype(np.float32)}, "float64 of shape"),
        (lambda a: {"0.bias": a["0.bias"]}, "an update moves"),
    ],
)
def test_an_update_that_is_none_refuses_its_sender_by_name(
    small: Path, tmp_path: Path, arrays: Callable[[dict[str, Any]], dict[str, Any]], reason: str
) -> None:
    def spoil(reply: Message) -> RecordDict:
        return messages.encode_reward(Reward(arrays(dict(messages.decode_reward(reply.content).arrays)), {}))

    tamper = replaced(107, lessons.UPDATE, spoil)
    record = run(small, tmp_path / "run", "CosineGradientRewards(rounds=2, classes=4)", tamper=tamper).read_allocation()
    assert [entry["party"] for entry in record["parties"]] == ["east", "west"]
    assert [(r["party"], reason in r["reason"]) for r in record["refused"]] == [("north", True)]


def test_labels_that_are_no_classes_are_the_partys_own_sentence(small: Path, tmp_path: Path) -> None:
    with pytest.raises(QuorumError, match="can't be learned as 2 classes: labels are whole numbers from 0 to 1"):
        run(small, tmp_path / "run", "CosineGradientRewards(rounds=2, classes=2)")


def test_a_reward_that_was_missed_is_the_same_on_resume(small: Path, tmp_path: Path) -> None:
    strategy = "TrainingTimeRewards(rounds=3, classes=4)"
    tamper = replaced(107, messages.REWARD, lambda _: None)
    first = run(small, tmp_path / "run", strategy, tamper=tamper)
    assert first.read_allocation()["stage"] == "rewarded"
    made = {e["party"]: e["sha256"] for e in first.read_ledger() if e["action"] == "reward made"}
    again = run(small, tmp_path / "run", strategy, resume=True)
    assert again.read_allocation()["stage"] == "delivered"
    assert {e["party"]: e["sha256"] for e in again.read_ledger() if e["action"] == "delivered"} == made
    assert [p["alone"] for p in again.read_allocation()["parties"]] == [
        p["alone"] for p in first.read_allocation()["parties"]
    ]


def test_there_is_nothing_between_valuing_and_rewarding(small: Path, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ValueError), match="stop-after"):
        run(small, tmp_path / "run", "CosineGradientRewards(rounds=2, classes=4)", stop_after="valuation")


@pytest.mark.parametrize(
    ("strategy", "problem"),
    [
        ("CosineGradientRewards(a=1.0)", r"a is in \[0, 1\)"),
        ("CosineGradientRewards(rounds=0)", "rounds is at least 1"),
        ("CosineGradientRewards(hidden=(0,))", "widths of layers"),
        ("CosineGradientRewards(scale=0.0)", "scale positive"),
        ("TrainingTimeRewards(kappa=2.0)", r"kappa and q are in \[0, 1\]"),
    ],
)
def test_numbers_that_are_none(small: Path, tmp_path: Path, strategy: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        run(small, tmp_path / "run", strategy)


def test_a_copy_of_the_app_listens_too(small: Path, tmp_path: Path) -> None:
    """A simulation's workers run a pickled copy of the app, which is not the module's."""
    copy = cloudpickle.loads(cloudpickle.dumps(app))
    assert copy is not app
    settings = {
        "data-dir": str(small),
        "run-dir": str(tmp_path / "run"),
        "target": "digit",
        "parties": "east,north,west",
        "strategy": "CosineGradientRewards(rounds=1, classes=4)",
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    grid = LocalGrid(copy, {k: {"partition-id": k} for k in range(3)}, settings)
    assert mediate(grid, settings).read_allocation()["stage"] == "delivered"


def test_parties_that_raise_in_a_round_are_named_with_the_reason(small: Path, tmp_path: Path) -> None:
    def burning(node: int, message: Message, reply: Message) -> Message:
        if message.metadata.message_type != lessons.UPDATE or node == 100:
            return reply
        return Message(Error(2, "<class 'ValueError'>:<'disk on fire'>"), reply_to=message)

    with pytest.raises(QuorumError, match=r"1 of the at least 2 .*north: it failed .*disk on fire.*; west: it failed"):
        run(small, tmp_path / "run", "TrainingTimeRewards(rounds=2, classes=4)", tamper=burning)
