"""Values are asked for once, counted, and the same by whichever way they come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.shapley import coalition_values
from guerdon.shapley.coalition_values import CoalitionValues, prefixes
from guerdon.types import all_coalitions
from tests.games import (
    CLOSED_FORM,
    ClosedFormGame,
    additive,
    airport,
    airport_of_hundred,
    electoral_college,
    log_of_sum,
)

LOG = log_of_sum(np.linspace(0.5, 3.0, 18))


def random_orders(n: int, k: int = 5) -> np.ndarray:
    return np.random.default_rng(n).permuted(np.tile(np.arange(n), (k, 1)), axis=1)


class Counting:
    """A game that remembers what it was asked."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: list[bytes] = []

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        self.asked += [row.tobytes() for row in coalitions]
        return coalitions @ np.arange(1.0, self.n + 1)


def test_prefixes_are_who_came_before() -> None:
    assert prefixes(np.array([[2, 0, 1]])).astype(int).tolist() == [[[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1]]]


@pytest.mark.parametrize(
    "game", [*CLOSED_FORM, airport_of_hundred(), electoral_college(), LOG], ids=lambda game: f"{game.name} {game.n}"
)
def test_chains_are_the_values_of_the_prefixes(game: ClosedFormGame) -> None:
    orders = random_orders(game.n)
    expected = game(prefixes(orders).reshape(-1, game.n)).reshape(5, game.n + 1)
    np.testing.assert_allclose(CoalitionValues(game).chains(orders), expected, rtol=1e-12)
    np.testing.assert_allclose(CoalitionValues(replace(game, chains=None)).chains(orders), expected, rtol=1e-12)


def test_no_coalition_is_asked_for_twice_and_the_empty_one_never() -> None:
    game = Counting(6)
    values = CoalitionValues(game)
    everything = all_coalitions(6)
    for coalitions in (everything[:40], everything[20:], np.concatenate([everything, everything])):
        np.testing.assert_array_equal(values(coalitions), coalitions @ np.arange(1.0, 7.0))
    assert len(game.asked) == len(set(game.asked)) == values.evaluations == 63


def test_memory_is_bounded_and_the_values_stay_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalition_values, "REMEMBERED", 10)
    game = Counting(20)
    values = CoalitionValues(game)
    coalitions = np.random.default_rng(0).random((50, 20)) < 0.5
    for _ in range(2):
        np.testing.assert_array_equal(values(coalitions), coalitions @ np.arange(1.0, 21.0))
    assert len(values._known) <= 10
    assert values.evaluations == len(game.asked) == 100  # too many to remember: computed, and counted, again


def test_chains_of_few_parties_are_counted_once() -> None:
    game = airport(np.arange(1.0, 7.0))
    values = CoalitionValues(game)
    for _ in range(3):
        values.chains(random_orders(6, 200))
    assert values.evaluations == 63
    many = CoalitionValues(LOG)
    many.chains(random_orders(18, 2))
    assert many.evaluations == 2 * 17 + 1


def test_chains_of_another_shape_are_refused() -> None:
    game = replace(additive(np.ones(3)), chains=lambda orders: np.zeros((len(orders), 3)))
    with pytest.raises(ValueError, match=r"chains\(\) of 5 orders of 3 parties must have shape \(5, 4\), got \(5, 3\)"):
        CoalitionValues(game).chains(random_orders(3))
