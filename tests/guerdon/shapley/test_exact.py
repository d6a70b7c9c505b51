"""Exact Shapley values: closed forms and the axioms that determine them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.shapley import ExactShapley, exact_shapley
from guerdon.types import TableGame
from tests.games import CLOSED_FORM, ClosedFormGame, additive, monotone_games


@pytest.mark.parametrize("game", CLOSED_FORM, ids=lambda game: game.name)
def test_closed_forms(game: ClosedFormGame) -> None:
    np.testing.assert_allclose(exact_shapley(game.table()), game.phi, rtol=1e-12, atol=1e-14)
    found = ExactShapley()(game)
    np.testing.assert_allclose(found.values, game.phi, rtol=1e-12, atol=1e-14)
    assert found.standard_errors is None
    assert found.evaluations == 2**game.n


@settings(max_examples=30)
@given(monotone_games(max_n=5))
def test_it_is_the_mean_gain_over_all_orders_of_arrival(game: TableGame) -> None:
    orders = list(permutations(range(game.n)))
    phi = np.zeros(game.n)
    for order in orders:
        mask = 0
        for i in order:
            phi[i] += game.values[mask | 1 << i] - game.values[mask]
            mask |= 1 << i
    np.testing.assert_allclose(exact_shapley(game.values), phi / len(orders), rtol=1e-12, atol=1e-12)


@given(monotone_games())
def test_efficiency(game: TableGame) -> None:
    assert exact_shapley(game.values).sum() == pytest.approx(game.values[-1], rel=1e-13)


@given(monotone_games())
def test_symmetry_and_null_players(game: TableGame) -> None:
    phi, masks = exact_shapley(game.values), np.arange(len(game.values))
    top = phi.max()
    for i in range(game.n):
        with_i, without_i = game.values[masks | 1 << i], game.values[masks & ~(1 << i)]
        if np.array_equal(with_i, without_i):
            assert abs(phi[i]) <= 1e-13 * top
        for j in range(i):
            neither = masks[(masks >> i | masks >> j) & 1 == 0]
            if np.array_equal(game.values[neither | 1 << i], game.values[neither | 1 << j]):
                assert abs(phi[i] - phi[j]) <= 1e-13 * top


@given(monotone_games(min_n=4, max_n=4), monotone_games(min_n=4, max_n=4), st.floats(-3, 3))
def test_additivity(first: TableGame, second: TableGame, factor: float) -> None:
    together = exact_shapley(first.values + factor * second.values)
    apart = exact_shapley(first.values) + factor * exact_shapley(second.values)
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-12 * (1 + abs(factor)) * game_scale(first, second))


def game_scale(*games: TableGame) -> float:
    return max(game.values.max() for game in games)


def test_sixteen_parties_at_once() -> None:
    weights = np.arange(1.0, 17.0)
    np.testing.assert_allclose(exact_shapley(additive(weights).table()), weights, rtol=1e-12)


def test_too_many_parties_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"17 parties.*limit is 16.*PermutationShapley"):
        ExactShapley()(additive(np.ones(17)))
    assert ExactShapley(max_parties=17)(additive(np.ones(17))).values == pytest.approx(np.ones(17))


@pytest.mark.parametrize("table", [[0.0, 1.0, 2.0], [1.0, 2.0], [0.0], [0.0, np.nan], [[0.0, 1.0]]])
def test_what_is_not_a_game_is_refused(table: list[float]) -> None:
    with pytest.raises(ValueError, match=r"table of coalition values|empty coalition"):
        exact_shapley(table)


@pytest.mark.parametrize("parties", ["a", 0, 2.0, True])
def test_max_parties_is_a_count(parties: object) -> None:
    with pytest.raises(ValueError, match=f"max_parties must be a whole number of at least 1, got {parties!r}"):
        ExactShapley(parties)  # type: ignore[arg-type]
