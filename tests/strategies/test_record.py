"""The record of an allocation says what sampling left open, and nothing of it where nothing was sampled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from guerdon.models import GaussianProcess
from guerdon.pipeline import ShapleyEstimator, allocate
from guerdon.rewards import RhoShapley
from guerdon.shapley import Auto, ExactShapley, PermutationShapley
from guerdon.types import Contribution
from guerdon.valuation import InformationGain
from strategies.record import allocation_record, party_view

MODEL = GaussianProcess("rbf(lengthscale=1.0, outputscale=2.0)", noise=0.3)


def record(estimator: ShapleyEstimator) -> dict[str, Any]:
    X = np.random.default_rng(0).normal(size=(4, 5, 2))
    contributions = [Contribution(name, x) for name, x in zip(("ada", "bob", "cyn", "dan"), X, strict=True)]
    allocation = allocate(
        contributions, InformationGain(MODEL), estimator, RhoShapley("stable"), None, rng=np.random.default_rng(1)
    )
    return json.loads(json.dumps(allocation_record(allocation, contributions, "run", {}, kind="model", unit="nats")))


@pytest.mark.parametrize("estimator", [Auto(), ExactShapley()])
def test_of_exact_values_the_order_is_not_spoken_of(estimator: ShapleyEstimator) -> None:
    names = [check["name"] for check in record(estimator)["certificate"]]
    assert names[0] == "R1"
    assert "order" not in names


def test_of_sampled_values_the_order_is_the_last_line() -> None:
    found = record(PermutationShapley(16))
    check = found["certificate"][-1]
    assert (check["name"], check["title"]) == ("order", "order of the parties")
    assert "the sampling error in" in check["witness"]
    assert found["shapley_method"] == "16 permutations (rotated and antithetic, 8 blocks)"
    assert all(party["shapley_error"] is not None for party in found["parties"])


@dataclass(frozen=True)
class Told:
    party: str
    said: Mapping[str, Any]
    reached: float = 1.0
    contains: str = "nothing"

    def facts(self) -> Mapping[str, Any]:
        return self.said


def test_facts_of_a_reward_are_plain_and_replace_no_number_of_the_mediators_own() -> None:
    said = {"rows": 1, "value": 77.0, "party": "eve", "cost": np.array(3.0), "eta": "much", "steps": np.arange(2)}
    X = np.random.default_rng(0).normal(size=(2, 5, 2))
    contributions = [Contribution(name, x) for name, x in zip(("ada", "bob"), X, strict=True)]
    allocation = allocate(
        contributions, InformationGain(MODEL), Auto(), RhoShapley("stable"), None, rng=np.random.default_rng(1)
    )
    allocation = replace(allocation, shapley=replace(allocation.shapley, evaluations=np.int64(4)))
    made = replace(allocation, rewards=tuple(Told(name, said) for name in allocation.parties))
    found = allocation_record(made, contributions, "run", {}, kind="model", unit="nats", variance_unit=4.0)
    entry = json.loads(json.dumps(found))["parties"][0]
    assert (entry["party"], entry["rows"]) == ("ada", 5)
    assert entry["value"] == float(allocation.game(np.eye(2, dtype=bool))[0])
    assert (entry["cost"], entry["eta"], entry["steps"]) == (3.0, "much", [0, 1])
    assert found["facts_of_rewards"] == ["cost"]


def test_where_the_best_reward_is_worth_nothing_nobody_has_a_share_of_it() -> None:
    X = np.random.default_rng(0).normal(size=(2, 5, 2))
    contributions = [Contribution(name, x) for name, x in zip(("ada", "bob"), X, strict=True)]
    allocation = allocate(
        contributions, InformationGain(MODEL), Auto(), RhoShapley("stable"), None, rng=np.random.default_rng(1)
    )
    nothing = replace(allocation, targets=replace(allocation.targets, values=np.zeros(2)))
    view = party_view(nothing, 0, "run", {}, unit="nats")
    assert [row["share_of_best"] for row in view["parties"]] == [None, None]
    json.dumps(view, allow_nan=False)
