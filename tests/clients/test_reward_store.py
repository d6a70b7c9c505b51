"""A reward is found by its folder, by a file of it, or by a store that holds one only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clients.errors import PartyError
from clients.reward_store import load_reward
from wire.files import make_folder, write_arrays
from wire.formats import REWARD


def keep(folder: Path, value: float) -> None:
    make_folder(folder)
    write_arrays(folder / "reward.npz", {"value": np.array([value])})
    (folder / "reward.json").write_text(json.dumps(REWARD.numbered({"kind": "model"})))


def test_a_reward_is_found_by_its_folder_its_file_or_a_store_of_one_run(tmp_path: Path) -> None:
    keep(tmp_path / "spring", 1.0)
    for named in ("spring", "spring/reward.npz", "."):
        assert load_reward(tmp_path / named).arrays["value"] == [1.0]


def test_of_several_runs_one_has_to_be_named(tmp_path: Path) -> None:
    keep(tmp_path / "spring", 1.0)
    keep(tmp_path / "autumn", 2.0)
    with pytest.raises(PartyError, match=r"a store of 2 runs: name one, such as .*/autumn, of autumn, spring"):
        load_reward(tmp_path)
    with pytest.raises(PartyError, match=r"holds no reward: expected reward\.npz and reward\.json"):
        load_reward(tmp_path / "nowhere")
