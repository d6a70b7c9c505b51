"""Where a party keeps its rewards: a folder beside its own file, one folder a run, npz and json, no pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from clients.errors import PartyError
from wire.files import make_folder, read_arrays, write_arrays, write_whole
from wire.formats import REWARD, FormatError
from wire.kinds import kind_of, understood
from wire.messages import MessageError, Reward, check_party_name
from wire.parsing import read_json

__all__ = ["load_reward", "save_reward"]


def save_reward(store: Path, run: str, reward: Reward, order: Sequence[str] = ()) -> Path:
    """Keep a reward as ``store/run/reward.npz`` and ``reward.json``, for the owner only; returns the folder.

    What people open lies beside them, as the kind of reward has it: synthetic rows as ``reward.parquet`` and
    ``reward.csv``, of synthetic images a picture.

    Parameters
    ----------
    order : the columns of the party's own file as they stand there, where they are known
    """
    try:
        check_party_name(run)  # the mediator chose it: it must not lead out of the store
    except MessageError as error:
        raise PartyError(f"the run's name can't be a folder: {error}") from error
    folder = store / run
    if (folder / "reward.json").exists() and load_reward(folder).hash != reward.hash:
        raise PartyError(f"{folder} holds another reward of a run of this name already; move it away to take this one")
    try:
        description = REWARD.numbered(reward.about)
    except FormatError as error:
        raise PartyError(f"the reward can't be kept: {error}") from error
    make_folder(folder)
    with understood(reward):  # first: one that can't be opened is not kept, and takes no other's place
        kind_of(reward.about).save(reward, folder, order)
    write_arrays(folder / "reward.npz", reward.arrays)
    write_whole(folder / "reward.json", json.dumps(description, indent=1, allow_nan=False).encode())
    return folder


def load_reward(folder: Path) -> Reward:
    """The reward in a folder (or the folder of the file named), or of a store's only run.

    Raises
    ------
    PartyError
        There is none, or its files can't be read, or are of a format that is not read here.
    """
    folder = folder.parent if folder.is_file() else folder
    try:
        about = REWARD.read(read_json((folder / "reward.json").read_bytes()))
        arrays = read_arrays(folder / "reward.npz")
    except FormatError as error:
        raise PartyError(f"the reward in {folder} can't be read: {error}") from error
    except FileNotFoundError as error:
        runs = sorted(path.parent.name for path in folder.glob("*/reward.json"))
        if len(runs) == 1:
            return load_reward(folder / runs[0])
        of_runs = (
            f"; it is a store of {len(runs)} runs: name one, such as {folder / runs[0]}, of {', '.join(runs)}"
            if runs
            else ""
        )
        raise PartyError(f"{folder} holds no reward: expected reward.npz and reward.json{of_runs}") from error
    except (OSError, ValueError) as error:
        raise PartyError(f"the reward in {folder} can't be read", here=str(error)) from error
    return Reward(arrays, about)
