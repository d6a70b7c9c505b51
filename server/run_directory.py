"""A run's directory: what was pooled, decided, given and refused, kept so that it can be followed, audited and resumed.

It holds the pooled data, so it is made for its owner only. Files appear whole or not at all. Commands that only
print use this module, so what takes seconds to import (Flower, by way of the messages) is imported where it is needed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wire.files import append_line, make_folder, read_arrays, read_lines, write_arrays, write_whole
from wire.formats import ALLOCATION, LEDGER, POOL, REWARD, REWARDS, FormatError, KeptFormat
from wire.parsing import ParseError, read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from guerdon.models.protocols import Arrays
    from guerdon.types import FloatArray
    from wire.messages import Reward

__all__ = ["RunDirectory", "RunDirectoryError"]


PURGED = (
    *("pool.json", "pool", "rewards.json", "rewards", "noise_seed", "synthetic.parquet", "data", "app"),
    *("generator.npz", "samples.png", "view.npz", "report.html", "parties"),
)
"""What holds data, or was made from it."""

BESIDE = "_beside.npz"
"""In the pool's folder, what is kept with it; no party's name begins with an underscore."""


class RunDirectoryError(ValueError):
    """The directory is not what it should be; the text says what was expected and what is there."""


class RunDirectory:
    """The files of one run; docs/using/run-directory.md says what each holds. It is the strategies' Journal.

    Parameters
    ----------
    path : an existing directory
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunDirectoryError(f"{self.path} is not a run directory: it does not exist")
        self._stage = "join"
        self._counts_rounds = False

    @classmethod
    def create(cls, path: Path | str) -> RunDirectory:
        """Make a new directory, readable by its owner only; an existing one must be empty."""
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunDirectoryError(f"{path} exists and is not empty: choose another, or resume it")
        make_folder(path).chmod(0o700)
        return cls(path)

    @property
    def name(self) -> str:
        return self.path.name

    # Followed while it happens.

    def event(self, event: str, **fields: Any) -> None:
        if event == "stage":
            self._stage, self._counts_rounds = fields["stage"], fields.get("counts") == "rounds"
        append_line(self.path / "events.jsonl", {"time": _now(), "event": event, **fields})

    def arrived(self, done: int, total: int) -> None:
        """Progress of whatever stage the run is in, but of one that counts its rounds itself."""
        if not self._counts_rounds:
            self.event("progress", stage=self._stage, done=done, total=total)

    def ledger(self, action: str, **fields: Any) -> dict[str, Any]:
        entry = {"time": _now(), "action": action, **fields}
        append_line(self.path / "ledger.jsonl", LEDGER.numbered(entry))
        return entry

    def read_ledger(self) -> list[dict[str, Any]]:
        """Every entry; a line that a crash cut short is left out.

        Raises
        ------
        RunDirectoryError
            An entry is of a format that is not read here.
        """
        return [self._content(LEDGER, entry) for entry in read_lines(self.path / "ledger.jsonl")]

    def contributed(self) -> dict[str, dict[str, Any]]:
        return {e["party"]: e for e in self.read_ledger() if e["action"] == "contributed"}

    def refusals(self) -> dict[str, tuple[str, str]]:
        return {e["party"]: (e["stage"], e["reason"]) for e in self.read_ledger() if e["action"] == "refused"}

    # The allocation.

    def save_allocation(self, record: Mapping[str, Any]) -> None:
        text = json.dumps(ALLOCATION.numbered(record), indent=1, allow_nan=False)
        write_whole(self.path / "allocation.json", text.encode())

    def load_allocation(self) -> dict[str, Any] | None:
        path = self.path / "allocation.json"
        return self._content(ALLOCATION, _json(path)) if path.exists() else None

    def read_allocation(self) -> dict[str, Any]:
        """The allocation of a run that got as far as valuing the data.

        Raises
        ------
        RunDirectoryError
        """
        self._require_run()
        found = self.load_allocation()
        if found is None:
            raise RunDirectoryError(
                f"{self.path} holds no allocation.json: the run did not get as far as valuing the data"
            )
        return found

    # The pool.

    def save_pool(self, contributions: Sequence[Any], about: Mapping[str, Any], beside: Arrays | None = None) -> None:
        """Keep the pool, of rows or of sums; ``pool.json`` is written last, so that half a pool is none."""
        from wire.kinds import brought

        kind, home = brought(about.get("fixed", {}).get("contribute")), make_folder(self.path / "pool")
        for c in contributions:
            write_arrays(home / f"{c.party}.npz", kind.kept_arrays(c))
        if beside:
            write_arrays(home / BESIDE, beside)
        names = {"features": contributions[0].feature_names, "parties": [c.party for c in contributions]}
        write_whole(self.path / "pool.json", json.dumps(POOL.numbered({**about, **names})).encode())

    def load_pool(self) -> tuple[list[Any], dict[str, Any]] | None:
        marker = self.path / "pool.json"
        if not marker.exists():
            return None
        from wire.kinds import brought

        about = self._content(POOL, _json(marker))
        kind, home = brought(about.get("fixed", {}).get("contribute")), self.path / "pool"
        pool = [kind.restored(p, _arrays(home / f"{p}.npz"), about["features"]) for p in about["parties"]]
        return pool, {**about, "beside": _arrays(home / BESIDE) if (home / BESIDE).exists() else {}}

    def pooled_before(self, key: str) -> bool:
        """Whether its data were pooled before a run could fix this key."""
        marker = self.path / "pool.json"
        return marker.exists() and key not in self._content(POOL, _json(marker))["fixed"]

    # The rewards.

    def save_rewards(self, rewards: Mapping[str, Reward], made_with: Mapping[str, str]) -> None:
        """Keep every reward before any is pushed; ``rewards.json`` is written last."""
        for party, reward in rewards.items():
            folder = make_folder(self.path / "rewards" / party)
            write_arrays(folder / "reward.npz", reward.arrays)
            text = json.dumps(REWARD.numbered(reward.about), indent=1, allow_nan=False)
            write_whole(folder / "reward.json", text.encode())
        hashes = {party: reward.hash for party, reward in rewards.items()}
        about = {"made_with": dict(made_with), "sha256": hashes}
        write_whole(self.path / "rewards.json", json.dumps(REWARDS.numbered(about), indent=1).encode())

    def load_rewards(self) -> tuple[dict[str, Reward], dict[str, str]] | None:
        marker = self.path / "rewards.json"
        if not marker.exists():
            return None
        from wire.messages import Reward

        about = self._content(REWARDS, _json(marker))
        rewards = {}
        for party, sha256 in about["sha256"].items():
            folder = self.path / "rewards" / party
            description = self._content(REWARD, _json(folder / "reward.json"))
            rewards[party] = Reward(_arrays(folder / "reward.npz"), description)
            if rewards[party].hash != sha256:
                raise RunDirectoryError(f"the reward in {folder} is not the one that was made: its hash differs")
        return rewards, about["made_with"]

    # The generator of synthetic rows, where it is one that is trained.

    def save_generator(self, arrays: Arrays) -> None:
        write_arrays(self.path / "generator.npz", arrays)

    def load_generator(self) -> dict[str, NDArray[Any]] | None:
        path = self.path / "generator.npz"
        return _arrays(path) if path.exists() else None

    def forget_generator(self) -> None:
        (self.path / "generator.npz").unlink(missing_ok=True)

    def save_samples(self, images: FloatArray) -> None:
        from wire.image_grid import picture_grid

        write_whole(self.path / "samples.png", picture_grid(images))

    # What the report shows of the data.

    def save_view(self, arrays: Arrays) -> None:
        write_arrays(self.path / "view.npz", arrays)

    def load_view(self) -> dict[str, NDArray[Any]] | None:
        path = self.path / "view.npz"
        return _arrays(path) if path.exists() else None

    def secret_seed(self) -> int:
        """GUERDON_NOISE_SEED where it is set (reproducible simulations), else drawn from the operating system and kept.

        It is never in the run config, which every party sees: who knows it can take the noise off its reward, or tell
        which rows synthetic ones were drawn from.
        """
        path = self.path / "noise_seed"
        if not path.exists():
            seed = os.environ.get("GUERDON_NOISE_SEED")
            write_whole(path, str(_seed(seed) if seed else secrets.randbits(128)).encode())
        kept = path.read_text(encoding="ascii", errors="replace").strip()
        if not re.fullmatch(r"[0-9]{1,100}", kept):
            raise RunDirectoryError(f"{path} should hold the whole number that seeds the noise: restore it from a copy")
        return int(kept)

    def noise_key(self) -> int:
        """GUERDON_NOISE_SEED where it is set, else the mediator's own key, in ``noise.key`` beside its run directories.

        The noise on a row follows from it, and so does what blurs rewards, in every run: the same row has the same
        noise again. Who knows it can take the noise off. Drawn once; whoever deletes it lets the next run draw anew.
        """
        path = self.path.parent / "noise.key"
        if seed := os.environ.get("GUERDON_NOISE_SEED"):
            return _seed(seed)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(str(secrets.randbits(256)))
        except FileExistsError:
            pass
        except OSError as error:
            raise RunDirectoryError(
                f"{path} can't be written ({error.strerror}): the key of all noise lies beside the run directories; "
                "let the mediator write there, or choose another output-dir"
            ) from error
        text = path.read_text(encoding="ascii")
        if not text.strip().isdigit():
            raise RunDirectoryError(
                f"{path} should hold the key of all noise, one whole number: restore it, or delete it so that a new "
                "one is drawn, after which repeated runs of an old pool average noise out once"
            )
        return int(text)

    # Afterwards.

    def retain_until(self) -> str:
        """The day on which the data are to be deleted, as the run config last said; "" where it said none."""
        days = [e.get("retain_until", "") for e in self.read_ledger() if e["action"] == "started"]
        return str(days[-1]) if days else ""

    def expired(self) -> bool:
        """That day is over (in UTC), and the data have not been deleted."""
        until = self.retain_until()
        purged = any(entry["action"] == "purged" for entry in self.read_ledger())
        return bool(until) and not purged and datetime.now(UTC).date() > date.fromisoformat(until)

    def purge(self) -> list[str]:
        """Delete the pooled data, what was made from it (the generator and its samples, the mediator's copies of
        the rewards) and the noise's seed; keep the record.

        In a simulation the parties' own files and rewards lie in ``data`` and go too. Returns the paths that were
        deleted. The run can't be resumed afterwards.

        Raises
        ------
        RunDirectoryError
            This is not the directory of a run.
        """
        self._require_run()
        gone = []
        for name in PURGED:
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

    def _content(self, kept: KeptFormat, found: object) -> dict[str, Any]:
        try:
            return kept.read(found)
        except FormatError as error:
            raise RunDirectoryError(f"{self.path} can't be read: {error}") from error

    def _require_run(self) -> None:
        if not any((self.path / name).is_file() for name in ("config.toml", "events.jsonl", "ledger.jsonl")):
            raise RunDirectoryError(f"{self.path} is not a run directory: it has neither config, events nor ledger")


def _seed(text: str) -> int:
    if not text.isdigit():
        raise RunDirectoryError(f"GUERDON_NOISE_SEED must be a non-negative whole number, got {text!r}")
    return int(text)


def _json(path: Path) -> object:
    """What a JSON file of a run holds.

    Raises
    ------
    RunDirectoryError
    """
    try:
        return read_json(path.read_bytes())
    except (OSError, ParseError) as error:
        raise RunDirectoryError(f"{path} can't be read: {error}; restore it from a copy") from error


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays in a file of a run.

    Raises
    ------
    RunDirectoryError
    """
    try:
        return read_arrays(path)
    except (OSError, ParseError) as error:
        raise RunDirectoryError(f"{path} can't be read: {error}; restore it from a copy") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
