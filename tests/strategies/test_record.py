"""The record of an allocation says what sampling left open, and nothing of it where nothing was sampled."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from guerdon.models import GaussianProcess
from guerdon.pipeline import ShapleyEstimator, allocate
from guerdon.rewards import RhoShapley
from guerdon.shapley import Auto, ExactShapley, PermutationShapley
from guerdon.types import Contribution
from guerdon.valuation import InformationGain
from strategies.record import allocation_record

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
