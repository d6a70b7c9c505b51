"""Shapley values of single rows: reference numbers, enumeration, and shells that earn nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.models import BayesianLinear, BayesianLogistic, GaussianProcess
from guerdon.shapley import RowShapley, exact_shapley
from guerdon.types import Contribution, FloatArray, TableGame
from guerdon.valuation import InformationGain, MaximumMeanDiscrepancy, PredictiveInformation

VECTORS = Path(__file__).parents[2] / "data"


def parties(sizes: tuple[int, ...], seed: int = 0) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    return [
        Contribution(f"party {k}", rng.normal(size=(m, 2)), rng.integers(3, size=m).astype(float))
        for k, m in enumerate(sizes)
    ]


def single(data: list[Contribution]) -> list[Contribution]:
    """Every row a party."""
    return [
        Contribution(f"{c.party} {r}", c.X[r : r + 1], None if c.y is None else c.y[r : r + 1])
        for c in data
        for r in range(len(c))
    ]


def at() -> list[FloatArray]:
    return [np.random.default_rng(5).normal(size=(6, 2))]


VALUATIONS: dict[str, Any] = {
    "gain of a gaussian process": InformationGain(GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", 0.3)),
    "gain of a linear model": InformationGain(BayesianLinear(0.3, "Affine()")),
    "gain of three classes": InformationGain(BayesianLogistic("Affine()").fit(parties((4, 1, 3)))),
    "prediction of a gaussian process": PredictiveInformation(
        GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", 0.3), at()
    ),
    "prediction of a linear model": PredictiveInformation(BayesianLinear(0.3, "Affine()"), at()),
    "prediction of three classes": PredictiveInformation(BayesianLogistic("Affine()").fit(parties((4, 1, 3))), at()),
}


def test_the_reference_numbers() -> None:
    found = np.load(VECTORS / "row_shapley_mmd.npz")
    data = [Contribution(f"party {k}", found["rows"][found["party"] == k]) for k in range(3)]
    game = MaximumMeanDiscrepancy(lengthscale=float(found["lengthscale"])).game(data, found["G"])
    values = RowShapley()(game, rng=np.random.default_rng(0))
    assert values.rows is not None
    order = np.argsort(found["party"], kind="stable")
    np.testing.assert_allclose(values.rows, found["row_phi"][order], rtol=0, atol=1e-13)
    np.testing.assert_allclose(values.values, found["party_phi"], rtol=0, atol=1e-13)


@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 1), (3, 2), (5, 1, 4)])
def test_mmd_against_every_coalition_of_rows(sizes: tuple[int, ...]) -> None:
    data, G = parties(sizes), np.random.default_rng(3).normal(size=(4, 2))
    valuation = MaximumMeanDiscrepancy(lengthscale=0.8)
    rows = RowShapley()(valuation.game(data, G), rng=np.random.default_rng(0)).rows
    expected = exact_shapley(valuation.game(single(data), G).table())
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", VALUATIONS)
def test_sampled_against_every_coalition_of_rows(name: str) -> None:
    data = parties((4, 1, 3))
    found = RowShapley(orders=800)(VALUATIONS[name].game(data), rng=np.random.default_rng(1))
    expected = exact_shapley(VALUATIONS[name].game(single(data)).table())
    assert found.rows is not None
    np.testing.assert_allclose(found.rows, expected, atol=0.05 * expected.max())
    assert found.standard_errors is not None
    by_party = np.bincount([0] * 4 + [1] + [2] * 3, weights=expected)
    assert np.all(np.abs(found.values - by_party) < 4.5 * found.standard_errors + 1e-12)
    assert found.values.sum() == pytest.approx(float(VALUATIONS[name].game(data).table()[-1]), rel=1e-9)


@pytest.mark.parametrize("name", VALUATIONS)
def test_gains_of_rows_are_those_of_growing_coalitions(name: str) -> None:
    data = parties((90, 1, 60), seed=2)  # more rows than a block takes at once
    order = np.random.default_rng(4).permutation(151)
    gains = VALUATIONS[name].game(data).row_gains(order[None])[0]
    rows = single(data)
    chain = VALUATIONS[name].game(rows).chains(order[None])[0]
    np.testing.assert_allclose(gains[order], np.diff(chain), rtol=0, atol=1e-10 * chain[-1])


def test_shells_earn_nothing() -> None:
    whole = parties((40, 30), seed=3)
    shells = [
        whole[0],
        *(Contribution(f"shell {k}", whole[1].X[k::5], None) for k in range(5)),
    ]
    G = np.random.default_rng(3).normal(size=(50, 2))
    values = [
        RowShapley()(MaximumMeanDiscrepancy(lengthscale=0.8).game(data, G), rng=np.random.default_rng(0)).values
        for data in (whole, shells)
    ]
    assert values[1][1:].sum() == pytest.approx(values[0][1], rel=1e-12)
    assert (
        exact_shapley(MaximumMeanDiscrepancy(lengthscale=0.8).game(shells, G).table())[1:].sum()
        > 1.05 * (exact_shapley(MaximumMeanDiscrepancy(lengthscale=0.8).game(whole, G).table())[1])
    ), "by parties, shells pay"


def test_a_game_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="knows what single rows are worth"):
        RowShapley()(TableGame([0.0, 1.0]), rng=np.random.default_rng(0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="orders come in pairs"):
        RowShapley(orders=5)
