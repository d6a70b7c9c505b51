"""A generator that is trained, through LocalGrid: kept, resumed after a crash, given to another run, shown, judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from clients.app import app
from guerdon.generators import GeneratorFitError, SyntheticData
from guerdon.models.protocols import Arrays
from guerdon.types import Contribution
from server.app import mediate
from server.config import ConfigError
from server.run_directory import RunDirectory
from strategies.trained_generator import quality_record
from tests.fakes import LocalGrid

PARTIES = ("east", "north", "west")
TABLE = "MmdGan(epochs=6, batch=20, critic_steps=1, noise=4, width=8, save_every=5)"
IMAGES = "MmdGan(shape=(8, 8, 1), epochs=2, batch=20, critic_steps=1, noise=4, width=4)"


class KilledError(Exception):
    """What a kill in the middle of a training looks like from inside."""


def folder(path: Path, tables: list[pl.DataFrame]) -> Path:
    path.mkdir()
    for party, table in zip(PARTIES, tables, strict=True):
        table.write_parquet(path / f"{party}.parquet")
    (path / "parties.json").write_text(json.dumps(PARTIES))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return folder(tmp_path / "table", [people(k) for k in range(3)])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    data = load_digits()
    tables = [
        pl.DataFrame({f"p{j:02}": data.data[k : 150 : 3, j] / 16.0 for j in range(64)})
        .with_columns(digit=pl.Series(data.target[k:150:3].astype(float)))
        for k in range(3)
    ]  # fmt: skip
    return folder(tmp_path / "images", tables)


def people(seed: int, unit: float = 10.0) -> pl.DataFrame:
    X = np.random.default_rng(seed).normal(size=(60, 2))
    return pl.DataFrame({"income": 100.0 + unit * X[:, 0], "age": 40.0 + X[:, 1], "grade": (X[:, 0] > 0).astype(float)})


def config(data: Path, generator: str = TABLE, **changes: Any) -> dict[str, Any]:
    base = {
        "strategy": "SyntheticDataRewards(size=100)",
        "generator": generator,
        "scheme": "RectifiedRhoShapley(incentive='none')",
        "data-dir": str(data),
        "run-dir": str(data.parent / "run"),
        "target": "grade" if data.name == "table" else "digit",
        "parties": ",".join(PARTIES),
        "standardize": data.name == "table",
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(settings: dict[str, Any]) -> RunDirectory:
    nodes = {100 + k: {"partition-id": k, "num-partitions": 3} for k in range(3)}
    return mediate(LocalGrid(app, nodes, settings), settings)


def generator_of(directory: RunDirectory) -> dict[str, NDArray[Any]]:
    return directory.load_generator() or pytest.fail("no generator was kept")


def test_images_are_learned_shown_and_judged(images: Path) -> None:
    directory = run(config(images, IMAGES))
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    quality = record["model"]["quality"]
    assert quality["mmd2"] > 0.0
    assert 0.0 <= quality["agreement"] <= 1.0
    assert quality["attainable"] > 0.5
    assert quality["against"] == "the pool, which the generator was fitted to"
    assert (quality["samples"], quality["held_out"]) == (100, record["parties"][0]["rows"] * 3 // 2)
    picture = imread(directory.path / "samples.png")
    assert picture.shape[0] == picture.shape[1] == 8 * 57 + 1
    events = [json.loads(line) for line in (directory.path / "events.jsonl").read_text().splitlines()]
    assert any(e.get("stage") == "train" and e["event"] == "progress" and e["done"] == e["total"] for e in events)
    for name in ("generator.npz", "samples.png"):
        assert (directory.path / name).stat().st_mode & 0o777 == 0o600
    directory.purge()
    assert not (directory.path / "generator.npz").exists()
    assert not (directory.path / "samples.png").exists()


def test_one_sample_has_no_quality() -> None:
    pool = [Contribution("east", np.arange(8.0)[:, None])]
    assert quality_record(SyntheticData(np.zeros((1, 1))), pool, fitted=True) is None
    assert quality_record(SyntheticData(np.zeros((2, 1))), pool, fitted=True) is not None


def test_a_run_killed_in_training_goes_on_to_the_same_bits(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(config(table, run_dir=str(table.parent / "whole")))
    save = RunDirectory.save_generator

    def killed(self: RunDirectory, arrays: Arrays) -> None:
        save(self, arrays)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "save_generator", killed)
        with pytest.raises(KilledError):
            run(config(table))
    assert "step" in generator_of(RunDirectory(table.parent / "run"))
    resumed = run(config(table, resume=True))
    one, other = generator_of(whole), generator_of(resumed)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert resumed.read_allocation()["values"] == whole.read_allocation()["values"]


def test_a_trained_generator_serves_another_run_in_its_own_units(table: Path) -> None:
    trained = run(config(table)).path / "generator.npz"
    others = folder(table.parent / "others", [people(10 + k, unit=20.0) for k in range(3)])
    settings = config(table, run_dir=str(table.parent / "second"), generator_file=str(trained))
    directory = run({**settings, "data-dir": str(others)})
    assert not (directory.path / "generator.npz").exists()
    record = directory.read_allocation()
    assert record["model"]["quality"]["against"] == "the pool, which the generator was not fitted to"
    rewards, _ = directory.load_rewards() or pytest.fail("no rewards were made")
    incomes = np.concatenate([reward.arrays["points"][:, 0] for reward in rewards.values()])
    assert {"generator that was trained before this run" in r.about["contains"] for r in rewards.values()} == {True}
    first, _ = RunDirectory(trained.parent).load_rewards() or pytest.fail("no rewards were made")
    drawn = np.concatenate([reward.arrays["points"][:, 0] for reward in first.values()])
    assert incomes.std() == pytest.approx(drawn.std(), rel=0.5)  # the first run's deviation of 10, not the second's 20
    assert np.isin(incomes.round(6), drawn.round(6)).any()  # the same noise, so some of the same people


def test_a_generator_file_is_fixed_by_the_run(table: Path) -> None:
    trained = run(config(table, stop_after="valuation")).path / "generator.npz"
    second = str(table.parent / "second")
    run(config(table, run_dir=second, generator_file=str(trained), stop_after="valuation"))
    with pytest.raises(Exception, match=r"generator-file was .*generator\.npz' and is ''"):
        run(config(table, run_dir=second, resume=True))


def test_a_generator_of_other_features_is_refused(table: Path) -> None:
    trained = run(config(table, stop_after="valuation")).path / "generator.npz"
    tables = [people(k).rename({"age": "height"}) for k in range(3)]
    settings = config(table, run_dir=str(table.parent / "second"), generator_file=str(trained))
    with pytest.raises(GeneratorFitError, match=r"trained on the features income, age, but the parties have .*height"):
        run({**settings, "data-dir": str(folder(table.parent / "others", tables))})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"generator": "KernelDensity()"}, "generator-file: name the generator that it holds too"),
        ({"generator": ""}, "generator-file: name the generator that it holds too"),
        ({"synthetic-file": "/nowhere/rows.parquet"}, "synthetic-file and generator-file both say"),
        ({"generator-file": "generator.npz"}, "generator-file: write an absolute path"),
        ({}, "generator-file: expected the generator.npz of a run"),
    ],
)
def test_bad_configs_fail_before_any_party_is_asked(table: Path, change: dict[str, Any], problem: str) -> None:
    (table / "text.npz").write_text("no arrays")
    settings = {**config(table, generator_file=str(table / "text.npz")), **change}
    grid = LocalGrid(app, {k: {"partition-id": k} for k in range(3)}, settings)
    with pytest.raises(ConfigError, match=problem):
        mediate(grid, settings)
    assert grid.sent == []
