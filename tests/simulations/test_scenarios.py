"""Scenarios: what is on offer loads, and what is not one is answered with the offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from guerdon.generators import KernelDensity
from server.config import RunConfig
from simulations.scenarios import ScenarioError, load_scenario, scenario_names


def test_the_offer() -> None:
    assert scenario_names() == (
        *("breast-cancer", "breast-cancer-diagnosis", "california", "cifar10", "credit-card", "credit-ratings"),
        *("diabetes", "digits", "digits-gradients", "digits-training-time", "friedman", "friedman-sparse"),
        *("heart-disease", "heart-disease-synthetic", "mnist", "mnist-gradients"),
    )
    diabetes = load_scenario("diabetes")
    assert diabetes.parties == 3
    assert diabetes.description
    assert diabetes.config["dataset"] == "Diabetes()"


def test_an_unknown_name_is_answered_with_the_offer() -> None:
    with pytest.raises(ScenarioError, match=r"Did you mean 'diabetes'.*On offer: breast-cancer, .*friedman"):
        load_scenario("diabets")


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[scenario]\ndescription = "d"\nparties = 4\n[config]\nseed = 7\n')
    scenario = load_scenario(str(file))
    assert (scenario.name, scenario.parties, scenario.config) == ("mine", 4, {"seed": 7})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing"),
        ("seed = 7", "expected the tables"),
        ('[scenario]\ndescription = "d"\n[config]\n', "parties is a whole number"),
        ('[scenario]\ndescription = "d"\nparties = 0\n[config]\n', "got 0"),
        ('[scenario]\ndescription = "d"\nparties = true\n[config]\n', "got True"),
        ('[scenario]\nparties = 3\nname = "x"\n[config]\n', "with parties, name"),
        ("[scenario", "not a TOML file"),
    ],
)
def test_a_file_that_is_no_scenario(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("name", ["breast-cancer", "credit-card", "credit-ratings", "diabetes", "digits"])
def test_no_scenario_for_people_gives_away_near_copies_of_rows(name: str) -> None:
    assert "KernelDensity" not in str(load_scenario(name).config)


PEOPLE = ("hospital", "clinic", "bank", "lender", "patient", "borrower", "tumour")


@pytest.mark.parametrize("name", scenario_names())
def test_where_rows_stand_for_people_no_kernel_density_repeats_them(name: str) -> None:
    scenario = load_scenario(name)
    if str(scenario.config.get("strategy", "")).startswith("SyntheticDataRewards"):
        config = RunConfig.parse(scenario.config)
        generator = config.build_parts().parts.get("generator")  # None: the strategy's own, by the schema
        repeats = isinstance(generator, KernelDensity)
        assert not repeats or not any(word in scenario.description.lower() for word in PEOPLE)
        assert not repeats or name == "cifar10"  # pictures of things and animals, to try the machinery out
