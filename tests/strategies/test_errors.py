"""How well a run's numbers are known: in the record, in a party's view, in notes, and nowhere more than may be seen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from guerdon.models import BayesianLinear
from guerdon.pipeline import Allocation, allocate
from guerdon.realization import WeightedSampling
from guerdon.rewards import RectifiedRhoShapley, RhoShapley
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import InformationGain, MaximumMeanDiscrepancy, ValueUncertainty, value_uncertainty
from strategies.errors import Errors
from strategies.record import allocation_record, party_view
from wire.kinds import columns_of
from wire.pages.party_page import party_page, view_of


def parties(size: int = 40) -> list[Contribution]:
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(size, 2)) + 0.5 * i for i in range(3)]
    return [Contribution(name, x, x[:, 0] + rng.normal(size=size)) for name, x in zip("abc", X, strict=True)]


def synthetic(size: int) -> Allocation:
    G = 0.5 + np.random.default_rng(1).normal(size=(400, 2))
    rng = np.random.default_rng(2)

    class Given(MaximumMeanDiscrepancy):
        def game(self, contributions: Any, **_: Any) -> Any:  # type: ignore[override]
            return super().game(contributions, G)

    value = Given(lengthscale=0.5)
    return allocate(parties(size), value, Auto(), RectifiedRhoShapley("none"), WeightedSampling(), rng=rng)


def linear() -> tuple[Allocation, ValueUncertainty]:
    model, pool = BayesianLinear(features="Affine()"), parties()
    fitted = model.fit(pool)
    made = allocate(pool, InformationGain(fitted), Auto(), RhoShapley("stable"), None, rng=np.random.default_rng(0))
    return made, value_uncertainty(model, pool, fitted=fitted, scheme=RhoShapley("stable"))


def record_of(allocation: Allocation, errors: Errors, kind: str) -> dict[str, Any]:
    made = allocation_record(allocation, parties(), "run", {}, kind=kind, unit="nats", errors=errors)
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


def test_the_record_and_the_table_have_them_beside_the_numbers() -> None:
    allocation, likely = linear()
    record = record_of(allocation, Errors.of(allocation, 0.25, likely), "model")
    assert record["likely"]["pool"]["least"] < record["grand_value"] < record["likely"]["pool"]["most"]
    for entry in record["parties"]:
        assert entry["likely"]["value"]["least"] < entry["value"] < entry["likely"]["value"]["most"]
        assert entry["sampling"]["alpha"] > 0.0
        assert entry["sampling"]["split"] < entry["sampling"]["alpha"]
    cells = {column.header: column.cell(record["parties"][0]) for column in columns_of(record)}
    for header in ("v_i", "Shapley", "target r_i"):
        number, span = cells[header].split("\n")
        assert " to " in span, (header, number)
    assert "±" in cells["alpha"]
    assert any("about as likely" in sentence for sentence in record["diagnostics"])


def test_a_party_sees_of_them_what_it_sees_of_the_numbers() -> None:
    allocation, likely = linear()
    errors = Errors.of(allocation, 0.25, likely)
    view = party_view(allocation, 1, "run", {}, unit="nats", errors=errors)
    assert view["own_value_range"]["least"] < view["own_value"] < view["own_value_range"]["most"]
    assert {key for row in view["parties"] for key in row["likely"]} == {"alpha"}
    assert {key for row in view["parties"] for key in row["sampling"]} == {
        "alpha",
        "alpha_range",
        "split",
        "split_range",
    }
    again = view_of(record_of(allocation, errors, "model"), "b")
    for key in ("parties", "own_value_range", "target_range"):
        assert json.loads(json.dumps(view[key])) == again[key]
    page = party_page(view)
    assert "with other likely hyperparameters" in page
    assert f"{likely.pool[1]:.4g}" not in page


@pytest.mark.parametrize(("size", "noted"), [(20, True), (1500, False)])
def test_a_note_says_where_held_out_rows_decide_much(size: int, noted: bool) -> None:
    allocation = synthetic(size)
    errors = Errors.of(allocation, 0.25)
    notes = [text for text in errors.warnings() if "held out" in text]
    assert bool(notes) == noted
    assert Errors.of(allocation, 0.0).warnings() == []
    if noted:
        assert "synthetic rows" in notes[0]


def test_synthetic_rows_follow_alpha() -> None:
    allocation = synthetic(60)
    errors = Errors.of(allocation, 0.25)
    for i, made in enumerate(allocation.rewards):
        found = errors.entry(i)["sampling"]["synthetic_rows"]
        if not made.facts()["synthetic_rows"]:
            assert found is None
            continue
        assert found["least"] <= made.facts()["synthetic_rows"] <= found["most"] <= 400
