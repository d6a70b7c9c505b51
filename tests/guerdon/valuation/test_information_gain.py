"""Information gain as a game: one table, in the parties' order, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.models import GaussianProcess
from guerdon.shapley import PermutationShapley
from guerdon.types import Contribution, Game, all_coalitions
from guerdon.valuation import InformationGain

MODEL = GaussianProcess("rbf(lengthscale=1.0, outputscale=2.0)", noise=0.2)


def parties(seed: int, sizes: list[int]) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    return [Contribution(f"party {i}", rng.normal(size=(m, 2))) for i, m in enumerate(sizes)]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_monotone_and_submodular(seed: int, sizes: list[int]) -> None:
    table = InformationGain(MODEL).game(parties(seed, sizes)).table()
    n, masks = len(sizes), np.arange(len(table))
    slack = 1e-12 * max(table[-1], 1.0)
    for i in range(n):
        without = masks[masks >> i & 1 == 0]
        gains = table[without | 1 << i] - table[without]
        assert np.all(gains >= -slack)
        for j in range(n):
            if j != i:
                pairs = without[without >> j & 1 == 0]
                with_j = table[pairs | 1 << i | 1 << j] - table[pairs | 1 << j]
                assert np.all(with_j <= table[pairs | 1 << i] - table[pairs] + slack)


def test_it_is_a_game() -> None:
    game = InformationGain(MODEL).game(parties(0, [3, 1, 4]))
    assert isinstance(game, Game)
    assert game.n == 3
    assert game.parties == ("party 0", "party 1", "party 2")
    np.testing.assert_array_equal(game(all_coalitions(3)), game.table())
    np.testing.assert_array_equal(game(np.array([True, False, True])), game.table()[[0b101]])
    with pytest.raises(ValueError, match=r"\(m, 3\), got \(1, 2\)"):
        game(np.ones((1, 2), dtype=bool))


def test_the_table_is_computed_once_and_is_nobodys_to_change() -> None:
    calls: list[int] = []
    game = InformationGain(MODEL).game(parties(0, [2, 2]), progress=lambda stage, done, total: calls.append(done))
    assert not calls
    game.table()
    game(np.ones((1, 2), dtype=bool))
    assert calls[-1] == 4
    assert game.table() is game.table()
    with pytest.raises(ValueError, match="read-only"):
        game.table()[0] = 1.0


def test_beyond_sixteen_parties_only_what_is_asked_is_computed() -> None:
    everybody = parties(1, [1] * 17)
    calls: list[tuple[str, int, int]] = []
    game = InformationGain(MODEL).game(everybody, progress=lambda *call: calls.append(call))
    coalitions = np.zeros((3, 17), dtype=bool)
    coalitions[1, [0, 5, 16]] = coalitions[2] = True
    values = game(coalitions)
    X = np.concatenate([c.X for c in everybody])
    expected = [0.0, MODEL.information_gain(X[[0, 5, 16]]), MODEL.information_gain(X)]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert calls == [("value", 1, 3), ("value", 2, 3), ("value", 3, 3)]


def test_each_party_by_its_own_noise() -> None:
    X = np.random.default_rng(2).normal(size=(5, 2))
    exact_one, noisy = Contribution("ada", X, noise=0.01), Contribution("bob", X, noise=np.full(5, 1.0))
    game = InformationGain(MODEL).game([exact_one, noisy])
    assert game.table()[1] == pytest.approx(MODEL.information_gain(X, 0.01), rel=1e-13)
    assert game.table()[2] == pytest.approx(MODEL.information_gain(X, 1.0), rel=1e-13)
    assert game.table()[1] > game.table()[2]


def test_no_parties_and_differing_features_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one contribution, got none"):
        InformationGain(MODEL).game([])
    with pytest.raises(ValueError, match=r"same features, got \{'ada': 2, 'bob': 3\}"):
        InformationGain(MODEL).game([Contribution("ada", np.zeros((1, 2))), Contribution("bob", np.zeros((1, 3)))])


class Counting(GaussianProcess):
    """A model that notes how many orders it is asked for, and refuses single coalitions."""

    orders: ClassVar[list[int]] = []

    def information_gain_chains(self, contributions: Sequence[Contribution], orders: np.ndarray) -> np.ndarray:
        self.orders.append(len(orders))
        return super().information_gain_chains(contributions, orders)

    def information_gain(self, X: np.ndarray, noise: object = None) -> float:
        raise AssertionError("a single coalition was asked for")


def test_the_models_chains_are_taken_where_there_is_no_table() -> None:
    contributions = parties(0, [1 + i % 3 for i in range(18)])
    found = PermutationShapley(32 * 36)(
        InformationGain(Counting(MODEL.kernel, MODEL.noise)).game(contributions), rng=np.random.default_rng(0)
    )
    assert Counting.orders == [18] * 32  # a chain a rotation, none a reverse
    game = InformationGain(MODEL).game(contributions)
    singly = PermutationShapley(32 * 36)(OneByOne(game), rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, singly.values, rtol=1e-11)


class OneByOne:
    """A game without its chains."""

    def __init__(self, game: Game) -> None:
        self.game, self.n = game, game.n

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        return self.game(coalitions)


def test_chains_of_few_parties_come_from_the_table() -> None:
    game = InformationGain(MODEL).game(parties(3, [2, 0, 3, 1]))
    chains = game.chains(np.array([[2, 0, 3, 1], [1, 3, 0, 2]]))
    np.testing.assert_array_equal(chains, game.table()[[[0, 4, 5, 13, 15], [0, 2, 10, 11, 15]]])
