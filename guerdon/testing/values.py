"""Suites for value functions and the games that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from guerdon.pipeline import Given, ValueFunction, gives
from guerdon.shapley.coalition_values import prefixes
from guerdon.shapley.exact import exact_shapley
from guerdon.testing.examples import example_contributions
from guerdon.testing.suite import CLOSE, Suite, assert_close, assert_refused, some_coalitions
from guerdon.types import (
    Contribution,
    Game,
    all_coalitions,
    lacks,
)

__all__ = ["GameSuite", "ValueFunctionSuite"]


class GameSuite(Suite):
    """A ``guerdon.types.Game``. Set ``monotone`` where no coalition loses by taking in one more."""

    monotone: bool = False

    def make(self) -> Game:
        game: Game = super().make()
        return game

    def test_it_has_parties(self) -> None:
        game = self.make()
        assert isinstance(game, Game), f"{type(game).__name__} lacks n or can't be called with coalitions"
        assert isinstance(game.n, int), f"game.n is an int, got {game.n!r}"
        assert game.n >= 1, f"a game has at least one party, got n = {game.n}"
        names = getattr(game, "parties", None)
        assert names is None or len(set(names)) == game.n, f"{game.n} parties need as many distinct names, got {names}"

    def test_one_finite_value_a_coalition(self) -> None:
        game = self.make()
        coalitions = some_coalitions(game.n)
        values = game(coalitions)
        assert isinstance(values, np.ndarray), f"values are an array, got {type(values).__name__}"
        assert values.shape == (len(coalitions),), f"expected shape ({len(coalitions)},), got {values.shape}"
        assert values.dtype == np.float64, f"values are float64, got {values.dtype}"
        assert np.all(np.isfinite(values)), f"values are finite, got {values}"

    def test_the_empty_coalition_is_worth_nothing(self) -> None:
        game = self.make()
        assert game(np.zeros((1, game.n), dtype=bool))[0] == 0.0, "the empty coalition is worth 0"

    def test_a_value_does_not_depend_on_the_other_rows(self) -> None:
        game = self.make()
        coalitions = some_coalitions(game.n)
        together = game(coalitions)
        assert_close(np.concatenate([game(row[None]) for row in coalitions]), together, "values asked one by one")
        assert_close(game(coalitions[::-1])[::-1], together, "values asked in reverse")

    def test_asking_twice_gives_the_same(self) -> None:
        game = self.make()
        coalitions = some_coalitions(game.n)
        assert np.array_equal(game(coalitions), game(coalitions)), "the same coalitions have the same values"

    def test_the_coalitions_are_left_alone(self) -> None:
        game = self.make()
        coalitions = some_coalitions(game.n)
        before = coalitions.copy()
        game(coalitions)
        assert np.array_equal(coalitions, before), "the game changed the array of coalitions it was given"

    def test_the_table_agrees(self) -> None:
        game = self.make()
        own = getattr(game, "table", None)
        if own is None or game.n > 12:
            return
        table = own()
        assert np.shape(table) == (1 << game.n,), f"table() has shape ({1 << game.n},), got {np.shape(table)}"
        assert_close(table, game(all_coalitions(game.n)), "table()")

    def test_the_chains_agree(self) -> None:
        game = self.make()
        own = getattr(game, "chains", None)
        if own is None:
            return
        orders = np.random.default_rng(game.n).permuted(np.tile(np.arange(game.n), (3, 1)), axis=1)
        chains = own(orders)
        assert np.shape(chains) == (3, game.n + 1), f"chains() has shape (3, {game.n + 1}), got {np.shape(chains)}"
        assert_close(chains, game(prefixes(orders).reshape(-1, game.n)).reshape(3, -1), "chains()")

    def test_the_closed_form_shapley_values_agree(self) -> None:
        game = self.make()
        own = getattr(game, "shapley", None)
        if own is None or game.n > 12:
            return
        assert_close(own(), exact_shapley(game(all_coalitions(game.n))), "shapley()")

    def test_monotone_where_it_says_so(self) -> None:
        game = self.make()
        if not self.monotone:
            return
        coalitions = some_coalitions(game.n)
        values = game(coalitions)
        for i in range(game.n):
            joined = coalitions.copy()
            joined[:, i] = True
            gain = (game(joined) - values).min()
            assert gain >= -CLOSE * np.abs(values).max(), f"a coalition loses {-gain:.3g} by taking in party {i}"


class ValueFunctionSuite(Suite):
    """A ``guerdon.pipeline.ValueFunction``. Override ``contributions`` if it needs others than the example's.

    Attributes
    ----------
    monotone : bool
        No coalition loses by taking in one more.
    things : mapping of str to object
        What its ``game`` asks for by name beside the contributions, such as ``{"synthetic": points}``.
    """

    monotone: bool = False
    things: Mapping[str, Any] = {}

    def make(self) -> ValueFunction:
        value: ValueFunction = super().make()
        return value

    def contributions(self) -> Sequence[Contribution]:
        return example_contributions()

    def given(self) -> Given:
        """The valuation with what it asks for."""
        return Given(self.make(), self.things)

    def test_its_game_is_of_the_kind_that_it_says(self) -> None:
        kind = gives(self.make())
        missing = lacks(self.given().game(self.contributions()), kind)
        assert not missing, f"it says that it gives a {kind.__name__}, but its game has no {', '.join(missing)}"

    def test_its_game_conforms(self) -> None:
        outer = self

        class OfThisValue(GameSuite):
            monotone = outer.monotone

            def make(self) -> Game:
                return outer.given().game(outer.contributions())

        OfThisValue().run()

    def test_one_player_a_contribution(self) -> None:
        contributions = self.contributions()
        for count in range(1, len(contributions) + 1):
            n = self.given().game(contributions[:count]).n
            assert n == count, f"a game of {count} contributions has n = {count}, got {n}"

    def test_the_order_of_parties_only_permutes(self) -> None:
        contributions = self.contributions()
        coalitions = all_coalitions(len(contributions))
        values = self.given().game(contributions)(coalitions)
        turned = self.given().game(contributions[::-1])(coalitions[:, ::-1])
        assert_close(turned, values, "values of the contributions in reverse")

    def test_it_takes_a_progress_callback(self) -> None:
        calls: list[tuple[str, int, int]] = []
        game = self.given().game(
            self.contributions(), progress=lambda stage, done, total: calls.append((stage, done, total))
        )
        game(all_coalitions(game.n))
        assert all(0 <= done <= total for _, done, total in calls), f"0 <= done <= total, got {calls}"

    def test_no_contributions_are_refused(self) -> None:
        assert_refused(lambda: self.given().game(()), "a game of no contributions")
