"""Where a party keeps its rewards: a folder beside its own file, one folder a run, npz and json, no pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from clients.party_data import PartyError
from guerdon.models import Predictor
from strategies.messages import MessageError, Reward, check_party_name

__all__ = ["load_predictor", "load_reward", "save_reward"]


def save_reward(store: Path, run: str, reward: Reward) -> Path:
    """Keep a reward as ``store/run/reward.npz`` and ``reward.json``, for the owner only; returns the folder."""
    try:
        check_party_name(run)  # the mediator chose it: it must not lead out of the store
    except MessageError as error:
        raise PartyError(f"the run's name can't be a folder: {error}") from error
    folder = store / run
    folder.mkdir(parents=True, exist_ok=True)
    store.chmod(0o700)
    part = folder / "reward.npz.part"
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(reward.arrays))
    part.replace(folder / "reward.npz")
    part = folder / "reward.json.part"
    part.write_text(json.dumps(reward.about, indent=1, allow_nan=False))
    part.replace(folder / "reward.json")
    return folder


def load_reward(folder: Path) -> Reward:
    """The reward in a folder (or the folder of the file named).

    Raises
    ------
    PartyError
        There is none, or its files can't be read.
    """
    folder = folder.parent if folder.suffix in (".npz", ".json") else folder
    try:
        about: dict[str, Any] = json.loads((folder / "reward.json").read_text())
        with np.load(folder / "reward.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise PartyError(f"{folder} holds no reward: expected reward.npz and reward.json") from error
    except (OSError, ValueError) as error:
        raise PartyError(f"the reward in {folder} can't be read: {error}") from error
    return Reward(arrays, about)


def load_predictor(reward: Reward) -> Predictor:
    """The model in a reward.

    Raises
    ------
    PartyError
        The reward is not a model, or an array is missing.
    """
    if reward.about.get("kind") != "model":
        raise PartyError(f"this reward is not a model but {reward.about.get('kind')!r}: it can't predict")
    try:
        return Predictor.from_arrays(reward.arrays)
    except (KeyError, ValueError) as error:
        raise PartyError(f"the model in this reward can't be rebuilt: {error}") from error
