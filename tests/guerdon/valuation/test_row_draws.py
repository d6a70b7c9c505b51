"""The errors of alpha that the draw of rows leaves, against fresh draws of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from guerdon.models import BayesianLinear, GaussianProcess, SparseGaussianProcess
from guerdon.shapley import Auto
from guerdon.types import Contribution, FloatArray, ShapleyValues, TableGame
from guerdon.valuation import (
    InformationGain,
    MaximumMeanDiscrepancy,
    PredictiveInformation,
    RowGame,
    sampling_error,
)

KERNEL = "rbf(lengthscale=1.0, outputscale=1.0)"
INDUCING = np.random.default_rng(0).normal(size=(15, 2))
Make = Callable[[list[Contribution], np.random.Generator], RowGame]

REFERENCES = [np.random.default_rng(11).normal(size=(q, 2)) for q in (4, 6, 5)]

GAMES: dict[str, Make] = {
    "linear": lambda parties, rng: InformationGain(BayesianLinear(0.5)).game(parties),
    "gaussian process": lambda parties, rng: InformationGain(GaussianProcess(KERNEL, 0.1)).game(parties),
    "sparse": lambda parties, rng: InformationGain(SparseGaussianProcess(KERNEL, 0.1, INDUCING)).game(parties),
    "predictive": lambda parties, rng: PredictiveInformation(BayesianLinear(0.5), REFERENCES).game(parties),
    "mmd": lambda parties, rng: MaximumMeanDiscrepancy(lengthscale=2.0).game(
        parties, 0.5 + 1.3 * rng.normal(size=(300, 2))
    ),
}


def drawn(rng: np.random.Generator, sizes: tuple[int, ...] = (40, 30, 20)) -> list[Contribution]:
    return [
        Contribution(f"party-{i}", 0.5 * i + (1.0 + 0.3 * i) * rng.normal(size=(m, 2))) for i, m in enumerate(sizes)
    ]


@pytest.mark.parametrize("name", GAMES)
def test_errors_are_those_of_fresh_rows(name: str) -> None:
    """A jackknife errs on the large side; the sd of 40 draws is known to 11 %."""
    phi, told = [], []
    for seed in range(40):
        game = GAMES[name](drawn(np.random.default_rng(seed)), np.random.default_rng(1000 + seed))
        values = Auto()(game, rng=np.random.default_rng(0))  # type: ignore[arg-type]
        found = sampling_error(game, values)
        assert found is not None
        phi.append(values.values)
        told.append(found.shapley_errors)
    ratio = np.sqrt(np.mean(np.square(told), axis=0)) / np.std(phi, axis=0, ddof=1)
    assert np.all((ratio > 0.75) & (ratio < 2.0)), ratio


@pytest.mark.parametrize("name", ["linear", "gaussian process", "sparse", "predictive"])
def test_an_influence_is_what_leaving_the_row_out_comes_to(name: str) -> None:
    parties = drawn(np.random.default_rng(3), (9, 8, 7))
    game = GAMES[name](parties, np.random.default_rng(0))
    sets = game.row_influences()
    whole = _phi(game)
    for j, r in ((0, 0), (1, 5), (2, 6)):
        kept = np.delete(parties[j].X, r, axis=0)
        without = [replace(c, X=kept) if i == j else c for i, c in enumerate(parties)]
        expected = whole - _phi(GAMES[name](without, np.random.default_rng(0)))
        np.testing.assert_allclose(sets[j][1][r], expected, rtol=1e-6, atol=1e-9)


def _phi(game: RowGame) -> FloatArray:
    return Auto()(game, rng=np.random.default_rng(0)).values  # type: ignore[arg-type]


def test_a_split_decides_its_share() -> None:
    game = GAMES["linear"](drawn(np.random.default_rng(0)), np.random.default_rng(0))
    values = Auto()(game, rng=np.random.default_rng(0))  # type: ignore[arg-type]
    quarter, none = sampling_error(game, values, holdout=0.25), sampling_error(game, values)
    assert quarter is not None
    assert none is not None
    lesser = values.values < values.values.max()
    np.testing.assert_allclose(quarter.split_errors[lesser], 0.5 * quarter.alpha_errors[lesser], rtol=0.2)
    np.testing.assert_array_equal(none.split_errors, 0.0)
    assert np.all(quarter.alpha_range[:, 0] <= quarter.split_range[:, 0])


def test_an_estimates_own_error_is_added() -> None:
    game = GAMES["linear"](drawn(np.random.default_rng(0)), np.random.default_rng(0))
    exact = Auto()(game, rng=np.random.default_rng(0))  # type: ignore[arg-type]
    sampled = ShapleyValues(exact.values, standard_errors=np.array([0.3, 0.4, 0.5]))
    one, other = sampling_error(game, exact), sampling_error(game, sampled)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other.shapley_errors**2 - one.shapley_errors**2, [0.09, 0.16, 0.25])


@pytest.mark.parametrize("n", [16, 20])
def test_many_parties(n: int) -> None:
    for name in ("linear", "mmd"):
        game = GAMES[name](drawn(np.random.default_rng(0), (5,) * n), np.random.default_rng(0))
        found = sampling_error(game, Auto(permutations=64)(game, rng=np.random.default_rng(0)))  # type: ignore[arg-type]
        assert found is not None
        assert np.all(np.isfinite(found.alpha_errors))
        assert found.alpha_errors.max() > 0.0


def test_what_can_not_say_is_told_nothing_of() -> None:
    game = TableGame(np.array([0.0, 1.0, 2.0, 3.0]))
    assert sampling_error(game, Auto()(game, rng=np.random.default_rng(0))) is None
    single = GAMES["linear"](drawn(np.random.default_rng(0), (1, 5)), np.random.default_rng(0))
    values = Auto()(single, rng=np.random.default_rng(0))  # type: ignore[arg-type]
    assert sampling_error(single, values) is None
