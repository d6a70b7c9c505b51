"""A run between real processes, followed from outside by its run directory, and what the parties hold afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomli_w

from clients.reward_store import load_reward
from tests.deployment.consortium import PARTIES, Consortium, wait_until

CONFIG = {
    "target": "y",
    "model": "GaussianProcess(kernel='rbf', noise=0.1)",
    "discloses-rows": True,
    "join-timeout": 60.0,
    "timeout": 240.0,
}

AGREED = {"target": "y", "discloses-rows": True, "min-held-out": 5}
"""What the parties set that says which rows they send; one process that is to come to the same bits sets it too."""

END = ("finished", "failed")


def write_data(consortium: Consortium) -> None:
    """A small file for each party: y = a - 2 b and noise."""
    rng = np.random.default_rng(3)
    for k, name in enumerate(consortium.parties):
        X = rng.normal(size=(24 + 12 * k, 2))
        table = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": X @ [1.0, -2.0] + 0.1 * rng.normal(size=len(X))})
        table.write_csv(consortium.folder / name / "data.csv")


def node_config(consortium: Consortium, party: str) -> str:
    """Its file, the key with which it signs, and whose signature it answers."""
    folder = consortium.folder / party
    files = {"data-path": folder / "data.csv", "key": folder / party, "mediator-key": folder / "mediator.pub"}
    words = {"confirm-schema": "any", **{key: str(path) for key, path in files.items()}, **AGREED}
    return " ".join(f"{key}={json.dumps(value)}" for key, value in words.items())


class Run:
    """A run directory, from its submission on; a resumed run is followed from its resumption on.

    Parameters
    ----------
    path : of the run directory, which the run makes
    parties : those on its list
    """

    def __init__(self, path: Path, parties: Iterable[str] = PARTIES, **more: object) -> None:
        self.path = path
        self.config: Mapping[str, object] = {**CONFIG, "run-dir": str(path), "parties": ",".join(parties), **more}
        self._before = 0

    def submit(self, consortium: Consortium, app: Path, **changes: object) -> None:
        """Start it, or go on with it where ``changes`` hold ``resume``."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._before = len(self._lines("events"))
        config = self.path.with_suffix(".toml")
        keys = {"keys-dir": consortium.mediator / "parties", "signing-key": consortium.mediator / "mediator"}
        signed = {key: str(path) for key, path in keys.items()}
        config.write_text(tomli_w.dumps({**self.config, **signed, **changes}))
        consortium.submit(app, config)

    def resume(self, consortium: Consortium, app: Path, **changes: object) -> None:
        self.submit(consortium, app, resume=True, **changes)

    def events(self) -> list[dict[str, Any]]:
        """What happened since it was submitted or resumed."""
        return self._lines("events")[self._before :]

    def ledger(self, action: str) -> list[dict[str, Any]]:
        """The entries of one kind, of all its parts."""
        return [entry for entry in self._lines("ledger") if entry["action"] == action]

    def wait_for(self, what: str, true: Callable[[], bool], seconds: float = 240.0) -> None:
        """Wait until something is so; the run must not have failed meanwhile."""
        wait_until(f"{what}; its events: {self.path}", lambda: true() or self.has("failed"), seconds)
        assert true(), self.events()[-3:]

    def wait_for_stage(self, stage: str) -> None:
        self.wait_for(f"stage {stage}", lambda: any(e.get("stage") == stage for e in self.events()))

    def has(self, *kinds: str) -> bool:
        return any(event["event"] in kinds for event in self.events())

    def end(self, seconds: float = 300.0) -> dict[str, Any]:
        """How it ended."""
        wait_until(f"{self.path} ends", lambda: self.has(*END), seconds)
        return self.events()[-1]

    def finish(self, seconds: float = 300.0) -> None:
        end = self.end(seconds)
        assert end["event"] == "finished", end

    def seconds(self, since: str, until: str) -> float:
        """Between the first event of stage ``since`` and the first event or stage ``until`` after it."""
        marks = [(datetime.fromisoformat(e["time"]), e.get("stage", ""), e["event"]) for e in self.events()]
        start = next(k for k, (_, stage, _) in enumerate(marks) if stage == since)
        end = next(time for time, stage, event in marks[start + 1 :] if until in (stage, event))
        return (end - marks[start][0]).total_seconds()

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.path / "allocation.json").read_text())
        return record

    def made(self) -> dict[str, str]:
        """The hash of each reward that the mediator made and keeps."""
        marker = self.path / "rewards.json"
        return dict(json.loads(marker.read_text())["sha256"]) if marker.exists() else {}

    def delivered(self) -> dict[str, str]:
        """The hash of the reward whose receipt each party sent."""
        return {entry["party"]: entry["sha256"] for entry in self.ledger("delivered")}

    def decided(self) -> dict[str, Any]:
        """What valuation and realization came to, without what was said about the run itself."""
        record = self.record()
        names = ("party", "rows", "value", "shapley", "target", "eta", "reached")
        parties = [{name: entry[name] for name in names} for entry in record["parties"]]
        return {"values": record["values"], "rho": record["rho"], "parties": parties}

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.path / f"{name}.jsonl"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return [json.loads(line) for line in whole.splitlines() if line]


def store(consortium: Consortium, party: str) -> Path:
    return consortium.folder / party / "data-reward"


def held(consortium: Consortium, party: str) -> dict[str, str]:
    """The hash of each reward that a party holds, by its run; each must be the party's own."""
    rewards = {}
    for folder in sorted(path.parent for path in store(consortium, party).glob("*/reward.json")):
        reward = load_reward(folder)
        assert reward.about["party"] == party, f"{party} holds a reward of {reward.about['party']}"
        rewards[folder.name] = reward.hash
    return rewards


def file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
