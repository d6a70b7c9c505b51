"""A run's directory: what was pooled, decided, given and refused, kept so that it can be followed, audited and resumed.

It holds the pooled data, so it is made for its owner only. Files appear whole or not at all.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.types import Contribution
from strategies.messages import Reward

__all__ = ["RunDirectory", "RunDirectoryError"]


class RunDirectoryError(ValueError):
    """The directory is not what it should be; the text says what was expected and what is there."""


class RunDirectory:
    """The files of one run; see the README for what each holds. It is the strategies' Journal.

    Parameters
    ----------
    path : an existing directory
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunDirectoryError(f"{self.path} is not a run directory: it does not exist")
        self._stage = "join"

    @classmethod
    def create(cls, path: Path | str) -> RunDirectory:
        """Make a new directory, readable by its owner only; an existing one must be empty."""
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunDirectoryError(f"{path} exists and is not empty: choose another, or resume it")
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        return cls(path)

    @property
    def name(self) -> str:
        return self.path.name

    # Followed while it happens.

    def event(self, event: str, **fields: Any) -> None:
        if event == "stage":
            self._stage = fields["stage"]
        self._append("events.jsonl", {"time": _now(), "event": event, **fields})

    def arrived(self, done: int, total: int) -> None:
        """Progress of whatever stage the run is in."""
        self.event("progress", stage=self._stage, done=done, total=total)

    def ledger(self, action: str, **fields: Any) -> None:
        self._append("ledger.jsonl", {"time": _now(), "action": action, **fields})

    def read_ledger(self) -> list[dict[str, Any]]:
        path = self.path / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    # The allocation.

    def save_allocation(self, record: Mapping[str, Any]) -> None:
        _write(self.path / "allocation.json", json.dumps(record, indent=1, allow_nan=False).encode())

    def read_allocation(self) -> dict[str, Any]:
        path = self.path / "allocation.json"
        if not path.exists():
            raise RunDirectoryError(
                f"{self.path} holds no allocation.json: the run did not get as far as valuing the data"
            )
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    # The pool.

    def save_pool(self, contributions: Sequence[Contribution], target: str) -> None:
        """Keep the pool; ``pool/complete.json`` is written last, so that half a pool is none."""
        folder = self._folder("pool")
        for c in contributions:
            arrays: dict[str, NDArray[Any]] = {"X": c.X}
            if c.y is not None:
                arrays["y"] = c.y
            if c.noise is not None:
                arrays["noise"] = np.asarray(c.noise)
            _write_arrays(folder / f"{c.party}.npz", arrays)
        about = {
            "target": target,
            "features": contributions[0].feature_names,
            "parties": [c.party for c in contributions],
        }
        _write(folder / "complete.json", json.dumps(about).encode())

    def load_pool(self) -> tuple[list[Contribution], str] | None:
        marker = self.path / "pool" / "complete.json"
        if not marker.exists():
            return None
        about = json.loads(marker.read_text())
        features = None if about["features"] is None else tuple(about["features"])
        contributions = []
        for party in about["parties"]:
            arrays = read_arrays(marker.parent / f"{party}.npz")
            contributions.append(Contribution(party, arrays["X"], arrays.get("y"), features, arrays.get("noise")))
        return contributions, about["target"]

    # The rewards.

    def save_rewards(self, rewards: Mapping[str, Reward], scheme: str) -> None:
        """Keep every reward before any is pushed; ``rewards/complete.json`` is written last."""
        for party, reward in rewards.items():
            folder = self._folder("rewards", party)
            _write_arrays(folder / "reward.npz", reward.arrays)
            _write(folder / "reward.json", json.dumps(reward.about, indent=1, allow_nan=False).encode())
        hashes = {party: reward.hash for party, reward in rewards.items()}
        _write(self.path / "rewards" / "complete.json", json.dumps({"scheme": scheme, "sha256": hashes}).encode())

    def load_rewards(self) -> tuple[dict[str, Reward], str] | None:
        marker = self.path / "rewards" / "complete.json"
        if not marker.exists():
            return None
        about = json.loads(marker.read_text())
        rewards = {}
        for party, sha256 in about["sha256"].items():
            folder = marker.parent / party
            rewards[party] = Reward(
                read_arrays(folder / "reward.npz"), json.loads((folder / "reward.json").read_text())
            )
            if rewards[party].hash != sha256:
                raise RunDirectoryError(f"the reward in {folder} is not the one that was made: its hash differs")
        return rewards, about["scheme"]

    def delivered(self) -> set[str]:
        return {entry["party"] for entry in self.read_ledger() if entry["action"] == "delivered"}

    def secret_seed(self) -> int:
        """GUERDON_NOISE_SEED where it is set (reproducible simulations), else drawn from the operating system and kept.

        It is never in the run config, which every party sees: who knows it can take the noise off its reward.
        """
        path = self.path / "noise_seed"
        if not path.exists():
            seed = os.environ.get("GUERDON_NOISE_SEED") or str(secrets.randbits(128))
            if not seed.isdigit():
                raise RunDirectoryError(f"GUERDON_NOISE_SEED must be a non-negative whole number, got {seed!r}")
            _write(path, seed.encode())
        return int(path.read_text())

    # Afterwards.

    def purge(self) -> list[str]:
        """Delete the pooled data, the mediator's copies of the rewards and the noise's seed; keep the record.

        In a simulation the parties' own files and rewards lie in ``data`` and go too. Returns the paths that were
        deleted. The run can't be resumed afterwards.

        Raises
        ------
        RunDirectoryError
            This is not the directory of a run.
        """
        if not any((self.path / name).is_file() for name in ("config.toml", "events.jsonl", "ledger.jsonl")):
            raise RunDirectoryError(f"{self.path} is not a run directory: it has neither config, events nor ledger")
        gone = []
        for name in ("pool", "rewards", "noise_seed", "data", "app"):
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
            else:
                continue
            gone.append(str(path))
        self.ledger("purged", paths=gone)
        return gone

    def _folder(self, *names: str) -> Path:
        folder = self.path.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _append(self, name: str, entry: Mapping[str, Any]) -> None:
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file; never a pickle."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(arrays))
    part.replace(path)


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
