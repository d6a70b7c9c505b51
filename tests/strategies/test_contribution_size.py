"""A contribution over max-contribution-mb: the party does not send it, and the mediator does not take it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import ArrayRecord, Message

from clients.app import app
from guerdon.types import Contribution
from server.app import mediate
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid
from wire import messages
from wire.kinds import rows

PARTIES = ("east", "north", "west")
LARGE = 20_000  # of north's rows, all sent: 0.16 MB a column


def table(rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(rows)
    X = rng.normal(size=(rows, 3))
    y = X.sum(axis=1) + rng.normal(size=rows)
    return pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y, "variance": np.ones(rows)})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for party in PARTIES:
        table(LARGE if party == "north" else 30).write_parquet(folder / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    return folder


def run(data: Path, limit: float, tamper: Any, noise_column: str = "") -> RunDirectory:
    """Four columns (features and target), or five with a noise column."""
    if not noise_column:
        for path in data.glob("*.parquet"):
            pl.read_parquet(path).drop("variance").write_parquet(path)
    config = {"data-dir": str(data), "run-dir": str(data.parent / "run"), "target": "y", "parties": ",".join(PARTIES)}
    config |= {"model": "BayesianLinear(noise=1.0)", "holdout": 0.0, "timeout": 0.5, "join-timeout": 0.5}
    config |= {"max-contribution-mb": limit, "noise-column": noise_column}
    nodes = {k: {"partition-id": k, "num-partitions": 3} for k in range(3)}
    return mediate(LocalGrid(app, nodes, config, tamper), config)


class Sent:
    """What the parties answered when they were asked to contribute, and what it is to be replaced by."""

    def __init__(self, north: Contribution | None = None) -> None:
        self.arrays: dict[int, bool] = {}
        self.north = north

    def __call__(self, node: int, message: Message, reply: Message) -> Message:
        if message.metadata.message_type != messages.CONTRIBUTE:
            return reply
        self.arrays[node] = any(isinstance(record, ArrayRecord) for record in reply.content.values())
        if node == 1 and self.north is not None:
            return Message(rows.encode_contribution(self.north, "y"), reply_to=message)
        return reply


def refused(directory: RunDirectory) -> dict[str, str]:
    return {entry["party"]: entry["reason"] for entry in directory.read_allocation()["refused"]}


def test_a_party_refuses_to_send_more_than_the_limit(data: Path) -> None:
    sent = Sent()
    directory = run(data, 0.6, sent)
    assert refused(directory) == {"north": "the contribution is 0.6 MB; the limit is max-contribution-mb = 0.6"}
    assert sent.arrays == {0: True, 1: False, 2: True}
    assert [p["party"] for p in directory.read_allocation()["parties"]] == ["east", "west"]


def test_below_the_limit_it_is_pooled(data: Path) -> None:
    directory = run(data, 0.65, Sent())
    assert refused(directory) == {}
    assert [p["rows"] for p in directory.read_allocation()["parties"]] == [30, LARGE, 30]


def test_noise_variances_count(data: Path) -> None:
    sent = Sent()
    directory = run(data, 0.7, sent, noise_column="variance")
    assert refused(directory) == {"north": "the contribution is 0.8 MB; the limit is max-contribution-mb = 0.7"}
    assert sent.arrays == {0: True, 1: False, 2: True}


def test_the_mediator_does_not_take_what_a_party_sends_all_the_same(data: Path) -> None:
    rows = table(LARGE)
    north = Contribution("north", rows.select("a", "b", "c").to_numpy(), rows["y"].to_numpy(), ("a", "b", "c"))
    directory = run(data, 0.6, Sent(north))
    assert refused(directory) == {"north": "it is 0.6 MB; the limit is max-contribution-mb = 0.6"}
    assert not (directory.path / "pool" / "north.npz").exists()
