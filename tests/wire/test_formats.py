"""The numbers of formats: what is older is read or refused in a sentence, what is newer is refused in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.consent import note, read_ledger
from clients.errors import PartyError
from clients.reward_store import load_reward, save_reward
from guerdon.types import Contribution
from server.run_directory import RunDirectory, RunDirectoryError
from wire import formats
from wire.files import append_line
from wire.formats import FormatError, KeptFormat
from wire.messages import Reward

ALL = [getattr(formats, name) for name in formats.__all__ if isinstance(getattr(formats, name), KeptFormat)]
THIRD = KeptFormat("a.json", 3, {2: lambda content: {**content, "way": [*content.get("way", ()), "2 to 3"]}})
WHOLE = KeptFormat("a.json", 3, {1: lambda content: {**content, "way": ["1 to 2"]}, **THIRD.upgrades})


@pytest.mark.parametrize("kept", ALL, ids=lambda kept: kept.file)
def test_what_is_numbered_is_read_back_without_its_number(kept: KeptFormat) -> None:
    numbered = kept.numbered({"a": 1})
    assert numbered == {"format": kept.number, "a": 1}
    assert kept.read(numbered) == {"a": 1}
    assert kept.oldest == 1, "0.1's files, which have no number, are of format 1: read them or take this line out"


def test_a_file_without_a_number_is_the_first_format() -> None:
    assert WHOLE.read({"a": 1}) == WHOLE.read({"a": 1, "format": 1}) == {"a": 1, "way": ["1 to 2", "2 to 3"]}
    assert WHOLE.read({"a": 1, "format": 2}) == {"a": 1, "way": ["2 to 3"]}
    assert WHOLE.read({"a": 1, "format": 3}) == {"a": 1}


def test_what_is_read_is_left_as_it_was() -> None:
    kept = {"a": 1, "format": 3}
    WHOLE.read(kept)
    assert kept == {"a": 1, "format": 3}


@pytest.mark.parametrize(
    ("kept", "found", "sentence"),
    [
        (WHOLE, {"format": 9}, r"a newer Guerdon \(format 9; this one reads up to 3\): update Guerdon"),
        (THIRD, {"format": 4}, r"a newer Guerdon \(format 4; this one reads 2 to 3\)"),
        (THIRD, {}, r"an older Guerdon \(format 1; this one reads 2 to 3\): read it with that one"),
        (KeptFormat("a.json", 2), {}, r"an older Guerdon \(format 1; this one reads 2 only\)"),
        (WHOLE, {"format": "3"}, "gives its format as '3', and a format is a whole number from 1: restore"),
        (WHOLE, {"format": True}, "gives its format as True"),
        (WHOLE, {"format": 0}, "gives its format as 0"),
        (WHOLE, [1], "should hold a JSON object, {...}, got list"),
    ],
)
def test_what_is_not_read_is_refused_in_a_sentence(kept: KeptFormat, found: object, sentence: str) -> None:
    with pytest.raises(FormatError, match="^a.json .*" + sentence.replace("{...}", r"\{...\}")):
        kept.read(found)


def test_a_content_with_an_entry_of_that_name_is_not_written() -> None:
    with pytest.raises(FormatError, match="has format = 'csv' already: give that another name"):
        WHOLE.numbered({"format": "csv"})


# Each file, on each side.


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory.create(tmp_path / "run")
    directory.ledger("started", dry_run=False)
    directory.save_allocation({"stage": "rewarded"})
    directory.save_pool([Contribution("a", np.ones((2, 1)), np.ones(2), ("u",))], {"target": "y"})
    directory.save_rewards({"a": Reward({"x": np.arange(3.0)}, {"party": "a"})}, {"scheme": "RhoShapley()"})
    return directory


@pytest.fixture
def store(tmp_path: Path) -> Path:
    save_reward(tmp_path / "store", "run", Reward({"x": np.arange(3.0)}, {"party": "a", "kind": "own"}))
    note(tmp_path / "store", "rewarded", run="run", sha256="00")
    return tmp_path / "store"


MEDIATOR: dict[str, Callable[[RunDirectory], Any]] = {
    "allocation.json": RunDirectory.read_allocation,
    "pool.json": RunDirectory.load_pool,
    "rewards.json": RunDirectory.load_rewards,
    "rewards/a/reward.json": RunDirectory.load_rewards,
    "ledger.jsonl": RunDirectory.read_ledger,
}
PARTY: dict[str, Callable[[Path], Any]] = {
    "run/reward.json": lambda store: load_reward(store / "run").about,
    "_ledger.jsonl": read_ledger,
}


def change(path: Path, number: object) -> None:
    """Put another number in the place of the file's own, or none at all."""
    content = json.loads(path.read_text())
    assert content.pop("format") == 1
    path.write_text(json.dumps(content if number is None else {"format": number, **content}) + "\n")


@pytest.mark.parametrize("name", MEDIATOR)
def test_a_file_of_the_mediators_has_its_number(name: str, run: RunDirectory) -> None:
    change(run.path / name, None)
    assert MEDIATOR[name](run), "a file without a number is read"
    content = json.loads((run.path / name).read_text())
    (run.path / name).write_text(json.dumps({"format": 9, **content}) + "\n")
    with pytest.raises(RunDirectoryError, match=r"run can't be read: .* a newer Guerdon \(format 9; this one reads up"):
        MEDIATOR[name](run)


@pytest.mark.parametrize("name", PARTY)
def test_a_file_of_the_partys_has_its_number(name: str, store: Path) -> None:
    before = PARTY[name](store)
    change(store / name, None)
    assert PARTY[name](store) == before
    (store / name).write_text(json.dumps({"format": 9, **json.loads((store / name).read_text())}) + "\n")
    with pytest.raises(PartyError, match=r"can't be read: .* a newer Guerdon \(format 9; this one reads up to 1\)"):
        PARTY[name](store)


def test_the_number_is_no_part_of_a_rewards_hash(tmp_path: Path) -> None:
    reward = Reward({"x": np.arange(3.0)}, {"party": "a", "kind": "own"})
    folder = save_reward(tmp_path / "store", "run", reward)
    assert json.loads((folder / "reward.json").read_text())["format"] == 1
    assert load_reward(folder).hash == reward.hash
    change(folder / "reward.json", None)
    assert load_reward(folder).hash == reward.hash
    assert save_reward(tmp_path / "store", "run", reward) == folder  # as a resumed run delivers it again


def test_a_reward_of_a_newer_format_is_not_overwritten(store: Path) -> None:
    change(store / "run" / "reward.json", 9)
    with pytest.raises(PartyError, match="a newer Guerdon"):
        save_reward(store, "run", Reward({"x": np.arange(3.0)}, {"party": "a", "kind": "own"}))


def test_a_reward_that_describes_a_format_of_its_own_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PartyError, match="give that another name"):
        save_reward(tmp_path / "store", "run", Reward({}, {"format": "csv"}))
    assert not (tmp_path / "store").exists()


def test_a_ledger_holds_old_entries_torn_lines_and_new_entries(run: RunDirectory) -> None:
    path = run.path / "ledger.jsonl"
    path.write_text('{"time": "t", "action": "started", "dry_run": false}\n{"time": "t", "act')
    run.ledger("contributed", party="a")
    assert [entry["action"] for entry in run.read_ledger()] == ["started", "contributed"]
    assert not any("format" in entry for entry in run.read_ledger())
    append_line(path, {"format": 2, "action": "purged"})
    with pytest.raises(RunDirectoryError, match=r"the ledger was written by a newer Guerdon \(format 2"):
        run.read_ledger()


def test_an_extract_of_a_newer_ledger_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "extract.jsonl").write_text('{"format": 9, "action": "delivered", "run": "run", "party": "a"}\n')
    done = CliRunner().invoke(cli, ["audit", str(store), str(tmp_path / "extract.jsonl")])
    assert done.exit_code == 1
    assert "a newer Guerdon (format 9; this one reads up to 1)" in str(done.exception)
