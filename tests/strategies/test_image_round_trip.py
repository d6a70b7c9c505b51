"""Parties with images through LocalGrid: what they send, what they get, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import strategies.synthetic_data_rewards as strategy
from clients.app import app
from clients.reward_store import load_reward
from guerdon.generators import GrownPool
from guerdon.images import from_pixels, pixel_names
from server.app import mediate
from server.run_directory import RunDirectory
from strategies import QuorumError
from tests.fakes import LocalGrid
from wire.kinds.synthetic import synthetic_images

PARTIES = ("east", "north", "west")
IMAGES = np.rint(load_digits().images[..., None] * 255 / 16).astype(np.uint8)
DIGITS = load_digits().target


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUERDON_NOISE_SEED", "5")
    folder = tmp_path / "data"
    (folder / "heldout").mkdir(parents=True)
    for k, party in enumerate(PARTIES):
        own = slice(80 * k, 80 * (k + 1))
        np.savez(folder / f"{party}.npz", images=IMAGES[own], labels=DIGITS[own])
        np.savez(folder / "heldout" / f"{party}.npz", images=IMAGES[1000:1100], labels=DIGITS[1000:1100])
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    return folder


def config(data: Path, **changes: Any) -> dict[str, Any]:
    base = {
        "strategy": "SyntheticDataRewards(size=200, limit=800)",
        "generator": "KernelDensity(bandwidth=0.05)",
        "scheme": "RectifiedRhoShapley(incentive='rational')",
        "data-dir": str(data),
        "run-dir": str(data.parent / "run"),
        "target": "digit",
        "parties": ",".join(PARTIES),
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(settings: dict[str, Any]) -> RunDirectory:
    nodes = {100 + k: {"partition-id": k, "num-partitions": 3} for k in range(3)}
    return mediate(LocalGrid(app, nodes, settings), settings)


def entries(directory: RunDirectory) -> dict[str, dict[str, Any]]:
    return {entry["party"]: entry for entry in directory.read_allocation()["parties"]}


def test_each_party_gets_images_with_labels_and_a_picture_of_them(data: Path) -> None:
    directory = run(config(data))
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    assert record["model"]["standardized"] is False
    for entry in record["parties"]:
        folder = Path(entry["store"])
        reward = load_reward(folder)
        images = synthetic_images(reward)
        assert images.shape == (entry["synthetic_rows"], 8, 8, 1)
        assert set(reward.arrays["labels"]) <= set(range(10))
        assert reward.about["image_shape"] == [8, 8, 1]
        assert (folder / "reward.png").read_bytes().startswith(b"\x89PNG")
        assert not (folder / "reward.csv").exists()
        assert entry["reached"] >= entry["target"] - 1e-12
        assert entry["reward"]["accuracy"] >= 0.6
        assert entry["reward"]["rows"] == 100
    assert (directory.path / "samples.png").exists()


def test_pixels_are_pooled_as_the_party_has_them_a_byte_each(data: Path) -> None:
    directory = run(config(data))
    with np.load(directory.path / "pool" / "north.npz") as kept:
        assert kept["X"].dtype == np.uint8
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    assert np.array_equal(pool[1].X, from_pixels(IMAGES[80:160].reshape(80, -1)))
    assert pool[1].feature_names == pixel_names((8, 8, 1))


def test_what_a_reward_reaches_is_the_value_of_the_images_given(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[GrownPool] = []
    grow = strategy.grow_until_feasible
    monkeypatch.setattr(strategy, "grow_until_feasible", lambda *a, **k: settled.append(grow(*a, **k)) or settled[-1])
    directory = run(config(data))
    pool, _ = directory.load_pool() or pytest.fail("no pool was kept")
    for own in pool:
        entry = entries(directory)[own.party]
        images = synthetic_images(load_reward(Path(entry["store"])))
        union = np.concatenate([own.X, from_pixels(images.reshape(len(images), -1))])
        assert settled[0].game.value(union) == pytest.approx(entry["reached"], abs=1e-7)  # features are float32


def test_values_come_from_the_features_and_rewards_stay_images(data: Path) -> None:
    directory = run(config(data, features="ImageFeatures(components=2)"))
    record = directory.read_allocation()
    assert record["parts"]["features"] == "ImageFeatures(components=2)"
    assert record["model"]["features"].startswith("ImageFeatures(network='pixels', components=2")
    for entry in record["parties"]:
        assert synthetic_images(load_reward(Path(entry["store"]))).shape[1:] == (8, 8, 1)
    stages = [
        json.loads(line)["stage"]
        for line in (directory.path / "events.jsonl").read_text().splitlines()
        if "stage" in line
    ]
    assert "features" in stages
    assert "embed" in stages


def test_the_same_seed_gives_the_same_images(data: Path) -> None:
    hashes = []
    for name in ("one", "two"):
        directory = run(config(data, run_dir=str(data.parent / name)))
        kept = json.loads((directory.path / "rewards.json").read_text())
        hashes.append([load_reward(directory.path / "rewards" / party).arrays["images"] for party in kept["sha256"]])
    for first, again in zip(*hashes, strict=True):
        assert np.array_equal(first, again)


def test_unlabelled_images_are_rewarded_with_unlabelled_ones(data: Path) -> None:
    directory = run(config(data, target=""))
    for entry in entries(directory).values():
        assert set(load_reward(Path(entry["store"])).arrays) == {"images"}
        assert entry["alone"] is None


def test_images_of_another_shape_are_refused_in_a_short_sentence(data: Path) -> None:
    np.savez(data / "west.npz", images=IMAGES[:50, :4], labels=DIGITS[:50])
    np.savez(data / "heldout" / "west.npz", images=IMAGES[:50, :4], labels=DIGITS[:50])
    directory = run(config(data))
    (refused,) = directory.read_allocation()["refused"]
    assert refused["party"] == "west"
    assert "it lacks pixel-4-0-0, pixel-4-1-0, pixel-4-2-0 and 29 more" in refused["reason"]


def test_features_for_images_need_images(data: Path, tmp_path: Path) -> None:
    import polars as pl

    for party in PARTIES:
        (data / f"{party}.npz").unlink()
        (data / "heldout" / f"{party}.npz").unlink()
        table = pl.DataFrame({"age": np.arange(20.0) ** 2, "digit": np.zeros(20)})
        table.write_parquet(data / f"{party}.parquet")
    with pytest.raises(ValueError, match=r"ImageFeatures represents images .* got age"):
        run(config(data, features="ImageFeatures(components=None)"))


def test_pixels_beyond_their_scale_are_refused(data: Path) -> None:
    import polars as pl

    for party in PARTIES:
        (data / f"{party}.npz").unlink()
        (data / "heldout" / f"{party}.npz").unlink()
        columns = dict(zip(pixel_names((2, 2, 1)), np.random.default_rng(0).normal(size=(4, 20)), strict=True))
        pl.DataFrame({**columns, "digit": np.zeros(20)}).write_parquet(data / f"{party}.parquet")
    with pytest.raises(QuorumError, match=r"pixels must be numbers from 0 to 1, got 3[0-9] others of 60"):
        run(config(data))
