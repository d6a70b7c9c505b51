"""Where a party keeps its rewards: a folder beside its own file, one folder a run, npz and json, no pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from clients.errors import PartyError
from guerdon.images import Pixels, from_pixels
from wire.files import make_folder, read_arrays, write_arrays, write_whole
from wire.image_grid import picture_grid
from wire.messages import MessageError, Reward, check_party_name

if TYPE_CHECKING:
    from guerdon.models import Predictor

__all__ = ["load_predictor", "load_reward", "save_reward", "synthetic_images", "synthetic_table"]

SHOWN = 64
"""Images in ``reward.png`` at most."""


def save_reward(store: Path, run: str, reward: Reward) -> Path:
    """Keep a reward as ``store/run/reward.npz`` and ``reward.json``, for the owner only; returns the folder.

    Synthetic rows are also written as ``reward.parquet`` and ``reward.csv``, in the party's own columns and units;
    synthetic images are in ``reward.npz`` as ``images`` and ``labels``, the first 64 also shown in ``reward.png``.
    """
    try:
        check_party_name(run)  # the mediator chose it: it must not lead out of the store
    except MessageError as error:
        raise PartyError(f"the run's name can't be a folder: {error}") from error
    folder = store / run
    if (folder / "reward.json").exists() and load_reward(folder).hash != reward.hash:
        raise PartyError(f"{folder} holds another reward of a run of this name already; move it away to take this one")
    make_folder(folder)
    write_arrays(folder / "reward.npz", reward.arrays)
    write_whole(folder / "reward.json", json.dumps(reward.about, indent=1, allow_nan=False).encode())
    if reward.about.get("kind") == "synthetic" and "images" in reward.arrays:
        shown = synthetic_images(reward)[:SHOWN]
        if len(shown):
            write_whole(folder / "reward.png", picture_grid(from_pixels(shown)))
    elif reward.about.get("kind") == "synthetic":
        table = synthetic_table(reward)
        table.write_parquet(folder / "reward.parquet")
        table.write_csv(folder / "reward.csv")
    return folder


def load_reward(folder: Path) -> Reward:
    """The reward in a folder (or the folder of the file named).

    Raises
    ------
    PartyError
        There is none, or its files can't be read.
    """
    folder = folder.parent if folder.is_file() else folder
    try:
        about: dict[str, Any] = json.loads((folder / "reward.json").read_text(encoding="utf-8"))
        arrays = read_arrays(folder / "reward.npz")
    except FileNotFoundError as error:
        raise PartyError(f"{folder} holds no reward: expected reward.npz and reward.json") from error
    except (OSError, ValueError) as error:
        raise PartyError(f"the reward in {folder} can't be read: {error}") from error
    return Reward(arrays, about)


def synthetic_images(reward: Reward) -> Pixels:
    """The synthetic images of a reward (k, height, width, channels), uint8.

    Raises
    ------
    PartyError
        The reward holds no images, or not as many labels as images.
    """
    images, labels = reward.arrays.get("images"), reward.arrays.get("labels")
    if images is None or images.dtype != np.uint8 or images.ndim != 4:
        raise PartyError("this reward holds no images of shape (images, height, width, channels) as uint8")
    if labels is not None and labels.shape != images.shape[:1]:
        raise PartyError(f"this reward holds {len(images)} images but labels of shape {labels.shape}")
    return images


def synthetic_table(reward: Reward) -> pl.DataFrame:
    """The synthetic rows of a reward with the party's column names, and their labels where there are any.

    Raises
    ------
    PartyError
        The reward holds no synthetic rows, or not as many columns as names.
    """
    points, labels = reward.arrays.get("points"), reward.arrays.get("labels")
    features = reward.about.get("features")
    if reward.about.get("kind") != "synthetic" or points is None or not isinstance(features, list):
        raise PartyError(f"this reward is not synthetic data but {reward.about.get('kind')!r}")
    if (
        points.ndim != 2
        or points.shape[1] != len(features)
        or (labels is not None and labels.shape != points.shape[:1])
    ):
        raise PartyError(f"the synthetic rows have shape {points.shape} but there are {len(features)} columns")
    columns = {name: points[:, j] for j, name in enumerate(features)}
    if labels is not None:
        columns[str(reward.about["target_name"])] = labels
    return pl.DataFrame(columns)


def load_predictor(reward: Reward) -> Predictor:
    """The model in a reward.

    Raises
    ------
    PartyError
        The reward is not a model, or an array is missing.
    """
    if reward.about.get("kind") != "model":
        raise PartyError(f"this reward is not a model but {reward.about.get('kind')!r}: it can't predict")
    from guerdon.models import Predictor  # which takes seconds, and no other kind of reward needs

    try:
        return Predictor.from_arrays(reward.arrays)
    except (KeyError, ValueError) as error:
        raise PartyError(f"the model in this reward can't be rebuilt: {error}") from error
