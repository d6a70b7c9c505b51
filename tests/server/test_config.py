"""The typed run config agrees with pyproject.toml, and says what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from server.config import OFFERS, PART_KEYS, ConfigError, RunConfig
from strategies import ModelRewards

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_pyproject_declares_exactly_the_typed_configs_keys_and_defaults() -> None:
    declared = tomllib.loads(PYPROJECT.read_text())["tool"]["flwr"]["app"]["config"]
    assert declared == RunConfig.parse({}).to_toml_dict()


def test_a_config_survives_the_way_to_a_file_and_back() -> None:
    config = RunConfig.parse({"seed": 4, "min-parties": 3, "parties": "b, a,c"})
    assert RunConfig.parse(config.to_toml_dict()) == config
    assert config.party_names == ("a", "b", "c")


def test_every_part_is_built_from_the_defaults() -> None:
    strategy, parts, texts = RunConfig.parse({}).build_parts()
    assert {"strategy", *parts} == set(texts) == {"strategy", *strategy.parts}
    assert set(texts) <= set(PART_KEYS)
    assert texts["scheme"] == strategy.parts["scheme"] == "RhoShapley(rho='stable')"


def test_a_part_that_the_strategy_does_not_take_is_refused() -> None:
    class Lonely(ModelRewards):
        parts: ClassVar[Mapping[str, str]] = {"scheme": "RhoShapley()"}

    config = RunConfig.parse({"strategy": "Lonely()", "model": "GaussianProcess()"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OFFERS["strategy"], "Lonely", Lonely)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"model: Lonely\(\) takes no model, .*; it takes scheme"):
            config.build_parts()


def test_whole_numbers_serve_as_floats_but_texts_and_flags_do_not() -> None:
    assert RunConfig.parse({"timeout": 5}).timeout == 5.0
    for bad in ("5", True):
        with pytest.raises(ConfigError, match="timeout: expected"):
            RunConfig.parse({"timeout": bad})


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"min-parties": 3, "parties": "a,b"}, "min-parties = 3 can't be met by the 2 listed parties a, b"),
        ({"parties": "a,a"}, "each party is listed once"),
        ({"stop-after": "lunch"}, "stop-after: expected '' or 'valuation', got 'lunch'"),
        ({"holdout": 1.0}, "holdout: expected less than or equal to 0.9, got 1.0"),
        ({"min_parties": 3}, "min_parties: there is no such key. Did you mean 'min-parties'"),
    ],
)
def test_problems_are_sentences(mapping: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse(mapping)
    assert problem in str(caught.value)


def test_every_bad_part_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse({"model": "Gauss()", "scheme": "RhoShapley(rho=-1)"}).build_parts()
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["model", "scheme"]
    assert "On offer: BayesianLinear, BayesianLogistic, GaussianProcess, SparseGaussianProcess" in lines[0]
