"""Files appear whole or not at all, and say what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guerdon.types import Contribution
from server.run_directory import RunDirectory, RunDirectoryError
from wire.messages import Reward


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run")


def test_it_is_its_owners_only(directory: RunDirectory) -> None:
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_an_existing_directory_with_something_in_it_is_refused(directory: RunDirectory) -> None:
    RunDirectory.create(directory.path)
    directory.event("stage", stage="join")
    with pytest.raises(RunDirectoryError, match="exists and is not empty"):
        RunDirectory.create(directory.path)


def test_a_pool_comes_back_bit_for_bit(directory: RunDirectory) -> None:
    rng = np.random.default_rng(0)
    pool = [
        Contribution("a", rng.normal(size=(4, 2)), rng.normal(size=4), ("u", "v"), 0.25),
        Contribution("b", rng.normal(size=(3, 2)), rng.normal(size=3), ("u", "v"), rng.random(3)),
        Contribution("c", rng.normal(size=(2, 2)), rng.normal(size=2), ("u", "v")),
    ]
    directory.save_pool(pool, {"target": "y"})
    loaded, about = directory.load_pool() or pytest.fail("nothing was kept")
    assert about["target"] == "y"
    for sent, kept in zip(pool, loaded, strict=True):
        assert (kept.party, kept.feature_names) == (sent.party, sent.feature_names)
        assert np.array_equal(kept.X, sent.X)
        assert np.array_equal(np.asarray(kept.noise, dtype=float), np.asarray(sent.noise, dtype=float), equal_nan=True)


def test_half_a_pool_is_none(directory: RunDirectory) -> None:
    directory.save_pool([Contribution("a", np.ones((2, 1)), np.ones(2), ("u",))], {"target": "y"})
    (directory.path / "pool.json").unlink()
    assert directory.load_pool() is None


def test_rewards_come_back_and_changed_ones_are_refused(directory: RunDirectory) -> None:
    directory.save_rewards({"a": Reward({"x": np.arange(3.0)}, {"party": "a"})}, {"scheme": "RhoShapley()"})
    rewards, made_with = directory.load_rewards() or pytest.fail("nothing was kept")
    assert made_with == {"scheme": "RhoShapley()"}
    assert np.array_equal(rewards["a"].arrays["x"], np.arange(3.0))
    (directory.path / "rewards" / "a" / "reward.json").write_text('{"party": "b"}')
    with pytest.raises(RunDirectoryError, match="its hash differs"):
        directory.load_rewards()


def test_the_secret_seed_is_drawn_once(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUERDON_NOISE_SEED", raising=False)
    first = directory.secret_seed()
    assert first == directory.secret_seed()
    assert RunDirectory.create(directory.path.parent / "other").secret_seed() != first


def test_the_secret_seed_of_a_simulation_is_given(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUERDON_NOISE_SEED", "17")
    assert directory.secret_seed() == 17
    monkeypatch.setenv("GUERDON_NOISE_SEED", "x")
    with pytest.raises(RunDirectoryError, match="whole number"):
        RunDirectory.create(directory.path.parent / "other").secret_seed()


def test_a_run_that_valued_nothing_says_so(directory: RunDirectory) -> None:
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        directory.read_allocation()
    directory.event("stage", stage="join")
    with pytest.raises(RunDirectoryError, match="did not get as far as valuing"):
        directory.read_allocation()


def test_only_a_runs_directory_is_purged(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        RunDirectory(tmp_path).purge()
    assert (tmp_path / "data").exists()
