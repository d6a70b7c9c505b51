"""Preparing: everything is checked before anything is written, and the same seed writes the same bits."""

from __future__ import annotations

import stat
import tomllib
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from server.config import RunConfig
from server.run_directory import RunDirectory
from simulations.datasets import Diabetes
from simulations.handoff import hand_off
from simulations.prepare import Prepared, PrepareError, prepare, prepare_resume
from simulations.scenarios import Scenario
from simulations.staging import CHECKOUT

SCENARIO = Scenario("small", "a small one", 3, {"dataset": "Friedman(rows=60)", "partition": "PartialSort()"})
OWN = """
from dataclasses import dataclass
@dataclass(frozen=True)
class Equal:
    share: float = 1.0
    def __call__(self, shapley, game): ...
"""


def made(tmp_path: Path, *overrides: str, parties: int | None = None, seed: int | None = None) -> Prepared:
    return prepare(SCENARIO, overrides, parties=parties, seed=seed, caller=tmp_path)


def test_a_run_directory(tmp_path: Path) -> None:
    prepared = made(tmp_path, "holdout=0.3")
    run = prepared.run
    assert run.parent == tmp_path / "runs"
    assert run.name.startswith("small-")
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert prepared.app == CHECKOUT
    assert prepared.parties == ("party-1", "party-2", "party-3")
    config = tomllib.loads((run / "config.toml").read_text())
    assert RunConfig.parse(config) == prepared.config
    assert config["parties"] == "party-1,party-2,party-3"
    assert config["holdout"] == 0.3
    assert config["target"] == "y"
    assert (config["run-dir"], config["data-dir"]) == (str(run), str(run / "data"))


def test_flower_knows_every_key_of_the_config(tmp_path: Path) -> None:
    config = tomllib.loads((made(tmp_path).run / "config.toml").read_text())
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    assert set(config) <= set(declared)
    assert all(isinstance(value, str | bool | int | float) for value in config.values())


def test_the_parties_files_hold_every_row_once(tmp_path: Path) -> None:
    prepared = prepare(
        Scenario("d", "", 3, {"dataset": "Diabetes()", "partition": "Uniform()"}), parties=4, caller=tmp_path
    )
    frames = [pl.read_parquet(prepared.run / "data" / f"{party}.parquet") for party in prepared.parties]
    whole = Diabetes().load(None)  # type: ignore[arg-type]
    assert frames[0].columns == [*whole.feature_names, "progression"]
    assert set(pl.concat(frames).dtypes) == {pl.Float64}
    expected = pl.DataFrame({**dict(zip(whole.feature_names, whole.features.T, strict=True)), "p": whole.target})
    assert sorted(pl.concat(frames).rows()) == sorted(expected.rows())


def test_the_seed_decides(tmp_path: Path) -> None:
    first, again, other = (made(tmp_path, seed=seed) for seed in (5, 5, 6))
    assert first.run != again.run
    files = [[(p.run / "data" / f"{name}.parquet").read_bytes() for name in p.parties] for p in (first, again, other)]
    assert files[0] == files[1]
    assert files[0] != files[2]
    assert other.config.seed == 6


def test_names_sort_by_their_number_and_can_be_given(tmp_path: Path) -> None:
    assert made(tmp_path, parties=10).parties[::9] == ("party-01", "party-10")
    assert made(tmp_path, "parties=south, north").parties == ("south", "north")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sheme=x", r"no such key\. Did you mean 'scheme'"),
        ("seed=soon", "seed: expected a valid integer, got 'soon'"),
        ("scheme=RhoShaply()", "On offer: .*RhoShapley"),
        ("scheme=RhoShapley(rho=2)", r"\[0, 1\]"),
        ("scheme=nowhere:Mine()", "there is no module 'nowhere'"),
        ("dataset=Diabets()", "On offer: .*Diabetes, .*Friedman"),
        ("dataset=", "dataset: a simulation needs one. On offer: .*Friedman"),
        ("dataset=Friedman(rows=2)", "2 rows are too few"),
        ("partition=PartialSort(0.4)", "more than all rows"),
        ("partition=Sorted()", "On offer: ClassCounts, ClassShares, PartialSort, Sizes, Uniform"),
        ("target=weight", "has the target 'y', got 'weight'"),
        ("parties=a,a", "listed once"),
        ("parties=a/b,c", "parties: "),
        ("min-parties=4", "min-parties = 4"),
        ("run-dir=/x", "--output-dir"),
        ("resume=true", "resume RUN"),
    ],
)
def test_nothing_is_written_before_everything_is_known_to_be_good(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(PrepareError, match=message):
        made(tmp_path, override)
    assert list(tmp_path.iterdir()) == []


def test_number_and_names_that_contradict(tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match="contradicts the 2 names"):
        made(tmp_path, "parties=a,b", parties=3)


def test_an_output_directory_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PrepareError, match="can't be made"):
        prepare(SCENARIO, output_dir=tmp_path / "file" / "runs", caller=tmp_path)


def test_a_part_of_ones_own_is_staged(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    prepared = made(tmp_path, "scheme=mine:Equal()")
    assert prepared.app == prepared.run / "app"
    assert (prepared.app / "mine.py").read_text() == OWN


def test_a_data_set_of_ones_own_stays_here(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom simulations.datasets import Dataset\n"
        "class Mine:\n    def load(self, rng):\n"
        "        return Dataset('mine', rng.normal(size=(30, 2)), rng.normal(size=30), ('a', 'b'), 'c', '')\n"
    )
    prepared = made(tmp_path, "dataset=mine:Mine()")
    assert prepared.app == CHECKOUT
    assert pl.read_parquet(prepared.run / "data" / "party-1.parquet").columns == ["a", "b", "c"]


@pytest.mark.parametrize(("key", "name"), [("dataset", "load"), ("scheme", "__init__")])
def test_an_error_in_ones_own_part_becomes_a_sentence(tmp_path: Path, key: str, name: str) -> None:
    (tmp_path / "broken.py").write_text(
        f"class Broken:\n    def {name}(self, *rest):\n        raise KeyError('oops')\n"
    )
    with pytest.raises(PrepareError, match=r"KeyError: 'oops' \(.*broken.py, line 3\)"):
        made(tmp_path, f"{key}=broken:Broken()")


def test_a_resumed_run_keeps_data_and_earlier_config(tmp_path: Path) -> None:
    prepared = made(tmp_path, "stop-after=valuation")
    resumed = prepare_resume(prepared.run, ["scheme=RhoShapley(rho=0.5)"], caller=tmp_path)
    assert resumed.run == prepared.run
    assert resumed.config.resume
    assert resumed.config.stop_after == ""
    assert resumed.config.scheme == "RhoShapley(rho=0.5)"
    assert tomllib.loads((prepared.run / "config.1.toml").read_text())["stop-after"] == "valuation"
    again = prepare_resume(prepared.run, caller=tmp_path)
    assert again.config.scheme == "RhoShapley(rho=0.5)"
    assert (prepared.run / "config.2.toml").exists()


def test_a_resumed_run_brings_a_module_or_keeps_its_own(tmp_path: Path) -> None:
    prepared = made(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    resumed = prepare_resume(prepared.run, ["scheme=mine:Equal()"], caller=tmp_path)
    assert resumed.app == prepared.run / "app"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert prepare_resume(prepared.run, ["scheme=mine:Equal(share=0.5)"], caller=elsewhere).app == resumed.app
    assert (resumed.app / "mine.py").exists()
    assert prepare_resume(prepared.run, ["scheme=RhoShapley()"], caller=elsewhere).app == CHECKOUT


@pytest.mark.parametrize("override", ["dataset=Diabetes()", "parties=a,b", "run-dir=/x", "sheme=x"])
def test_what_a_resumed_run_can_not_change(tmp_path: Path, override: str) -> None:
    prepared = made(tmp_path)
    before = (prepared.run / "config.toml").read_text()
    with pytest.raises(PrepareError):
        prepare_resume(prepared.run, [override], caller=tmp_path)
    assert (prepared.run / "config.toml").read_text() == before
    assert not (prepared.run / "config.1.toml").exists()


def test_what_can_not_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match=r"it has no config\.toml"):
        prepare_resume(tmp_path)
    prepared = made(tmp_path)
    (prepared.run / "data" / "parties.json").unlink()
    with pytest.raises(PrepareError, match="was it purged"):
        prepare_resume(prepared.run)


def test_the_plain_lines_name_every_file(tmp_path: Path) -> None:
    prepared = made(tmp_path, "output-dir=a place/runs")
    text = hand_off(prepared)
    assert f"--run-config '{prepared.run}/config.toml'" in text
    assert "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1 flwr run" in text
    assert "num-supernodes=3" in text
    for party in prepared.parties:
        assert f'party="{party}" data-path="{prepared.run}/data/{party}.parquet" holdout=0.25' in text
    assert tomllib.loads((prepared.run / "flower" / "config.toml").read_text())["superlink"]["mediator"]["insecure"]


def test_a_resume_that_would_be_refused_leaves_the_config_alone(tmp_path: Path) -> None:
    prepared = prepare(SCENARIO, caller=tmp_path)
    directory = RunDirectory(prepared.run)
    directory.save_rewards({}, prepared.config.build_parts().texts)
    before = (prepared.run / "config.toml").read_text()
    with pytest.raises(PrepareError, match=r"made already \(scheme = "):
        prepare_resume(prepared.run, ["scheme=RhoShapley(rho=0.2)"], caller=tmp_path)
    assert (prepared.run / "config.toml").read_text() == before
    assert prepare_resume(prepared.run, caller=tmp_path).config.resume


@pytest.mark.parametrize("override", ["seed=9", "holdout=0.5", "model=GaussianProcess(noise=0.1)", "standardize=false"])
def test_what_a_run_was_valued_with_is_fixed(tmp_path: Path, override: str) -> None:
    run = prepare(SCENARIO, caller=tmp_path).run
    with pytest.raises(PrepareError, match="a resumed run keeps its data, its values and its place"):
        prepare_resume(run, [override], caller=tmp_path)


def test_a_part_that_needs_another_game_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match=r"WeightedSampling\(\).* does not fit strategy .* needs a SyntheticGame"):
        prepare(SCENARIO, ["realization=WeightedSampling()"], caller=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_strategy_of_ones_own_leaves_out_what_it_does_not_take(tmp_path: Path) -> None:
    """The scenario's parts collide with it otherwise; what the user sets is never left out."""
    (tmp_path / "my_lone_strategy.py").write_text(
        "from strategies import PoolingMediator\n\nclass Lone(PoolingMediator):\n"
        "    def value(self, contributions): ...\n"
    )
    scenario = replace(SCENARIO, config={**SCENARIO.config, "model": "GaussianProcess()"})
    made = prepare(scenario, ["strategy=my_lone_strategy:Lone()"], caller=tmp_path)
    assert made.config.model == ""
    assert any("model" in note and "Lone() takes no model" in note for note in made.notes)
    with pytest.raises(PrepareError, match=r"takes no scheme"):
        prepare(SCENARIO, ["strategy=my_lone_strategy:Lone()", "scheme=RhoShapley()"], caller=tmp_path)


def test_an_error_in_a_module_of_ones_own_names_key_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "raising_part.py").write_text('raise RuntimeError("boom")\n')
    (tmp_path / "lacking_part.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(PrepareError, match=r"scheme: 'raising_part:A\(\)' raised RuntimeError: boom .*line 1"):
        prepare(SCENARIO, ["scheme=raising_part:A()"], caller=tmp_path)
    with pytest.raises(
        PrepareError, match="'lacking_part' can't be imported: No module named 'no_such_package_at_all'"
    ):
        prepare(SCENARIO, ["scheme=lacking_part:A()"], caller=tmp_path)
