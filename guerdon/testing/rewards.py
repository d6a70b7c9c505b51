"""Suites for Shapley estimators and reward schemes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from guerdon.pipeline import RewardScheme, ShapleyEstimator, needs
from guerdon.rewards.certificate import certify
from guerdon.testing.examples import example_games
from guerdon.testing.suite import CLOSE, NarrowGame, PlainGame, Suite, assert_close, error_sizes, global_state
from guerdon.types import (
    FloatArray,
    Game,
    RewardTargets,
    ShapleyValues,
    TableGame,
    all_coalitions,
    lacks,
    members,
)

__all__ = ["RewardSchemeSuite", "ShapleyEstimatorSuite"]


class ShapleyEstimatorSuite(Suite):
    """A ``guerdon.pipeline.ShapleyEstimator``: right to within its own standard errors, exact where it gives none."""

    def make(self) -> ShapleyEstimator:
        estimator: ShapleyEstimator = super().make()
        return estimator

    def test_one_value_a_party(self) -> None:
        for name, game, _ in self._games():
            found = self._estimate(game)
            assert isinstance(found, ShapleyValues), f"expected ShapleyValues, got {type(found).__name__}"
            for what, array in (("values", found.values), ("standard_errors", found.standard_errors)):
                fits = array is None or (np.shape(array) == (game.n,) and np.all(np.isfinite(array)))
                assert fits, f"{name}: {what} must be finite with shape ({game.n},), got {array!r}"
            assert found.standard_errors is None or np.all(found.standard_errors >= 0), f"{name}: negative errors"

    def test_right_where_the_truth_is_known(self) -> None:
        for name, game, phi in self._games():
            found = self._estimate(game)
            allowed = 5.0 * error_sizes(found) + CLOSE * np.abs(phi).max()
            off = np.abs(found.values - phi)
            assert np.all(off <= allowed), f"{name}: expected {phi}, got {found.values}, errors {found.standard_errors}"

    def test_the_errors_are_those_of_the_covariance(self) -> None:
        for name, game, _ in self._games():
            found = self._estimate(game)
            if found.covariance is None:
                continue
            shape = np.shape(found.covariance)
            assert shape == (game.n, game.n), f"{name}: covariance has shape {(game.n, game.n)}, got {shape}"
            assert_close(found.covariance, found.covariance.T, f"{name}: covariance, transposed")
            assert_close(error_sizes(found), np.sqrt(np.diagonal(found.covariance)), f"{name}: standard_errors")

    def test_efficient(self) -> None:
        for name, game, _ in self._games():
            found = self._estimate(game)
            pool = float(game(np.ones((1, game.n), dtype=bool))[0])
            allowed = 5.0 * float(np.linalg.norm(error_sizes(found))) + CLOSE * abs(pool)
            gap = abs(float(found.values.sum()) - pool)
            assert gap <= allowed, f"{name}: the values sum to {found.values.sum()}, not to v_N = {pool}"

    def test_same_seed_same_bits(self) -> None:
        for name, game, _ in self._games():
            first, second = self._estimate(game), self._estimate(game)
            assert np.array_equal(first.values, second.values), f"{name}: two runs from one seed differ"

    def test_no_randomness_but_the_generators(self) -> None:
        before = global_state()
        for _, game, _ in self._games():
            self._estimate(game)
        assert global_state() == before, "numpy's global generator was used; draw from the rng argument"

    def _games(self) -> Iterator[tuple[str, Game, FloatArray]]:
        for name, (game, phi) in example_games().items():
            yield name, PlainGame(game), phi

    def _estimate(self, game: Game) -> ShapleyValues:
        return self.make()(game, rng=np.random.default_rng(7))


class RewardSchemeSuite(Suite):
    """A ``guerdon.pipeline.RewardScheme``.

    The games offer no more than the scheme says it needs; one that needs more than a ``CeilingGame`` overrides
    ``offered``.

    Attributes
    ----------
    conditions : tuple of str
        What the scheme promises on every monotone game, of R1-R7, F1-F3 and "stability"; the certificate decides.
    anonymous : bool
        False for a scheme that treats parties by their place rather than by what they bring.
    """

    conditions: tuple[str, ...] = ("R1", "R2")
    anonymous: bool = True

    def make(self) -> RewardScheme:
        scheme: RewardScheme = super().make()
        return scheme

    def test_one_finite_target_a_party(self) -> None:
        for name, game, phi in self._games():
            targets = self._targets(game, phi)
            assert isinstance(targets, RewardTargets), f"expected RewardTargets, got {type(targets).__name__}"
            for what, array in (("values", targets.values), ("ceilings", targets.ceilings)):
                fits = np.shape(array) == (game.n,) and np.all(np.isfinite(array))
                assert fits, f"{name}: {what} must be finite with shape ({game.n},), got {array!r}"
            assert np.isfinite(targets.maximum), f"{name}: the maximum is {targets.maximum}"

    def test_the_deficits_agree(self) -> None:
        for name, game, phi in self._games():
            targets = self._targets(game, phi)
            if targets.deficits is not None:
                assert_close(targets.values + targets.deficits, targets.maximum, f"{name}: values + deficits")

    def test_it_keeps_its_promises(self) -> None:
        for name, game, phi in self._games():
            certificate = certify(game, phi, self._targets(game, phi))
            for condition in self.conditions:
                check = certificate[condition]
                assert check.holds is not False, f"{name}: {condition} ({check.title}) fails: {check.witness}"

    def test_the_order_of_parties_only_permutes(self) -> None:
        if not self.anonymous:
            return
        for name, game, phi in self._games():
            turned = TableGame(game(all_coalitions(game.n)[:, ::-1]))
            values = self._targets(self.offered(turned), phi[::-1]).values[::-1]
            assert_close(values, self._targets(game, phi).values, f"{name}: targets of the parties in reverse")

    def test_asking_twice_gives_the_same(self) -> None:
        for name, game, phi in self._games():
            first, second = self._targets(game, phi), self._targets(game, phi)
            assert np.array_equal(first.values, second.values), f"{name}: the same game has the same targets"

    def test_the_shapley_values_are_left_alone(self) -> None:
        for name, game, phi in self._games():
            given = phi.copy()
            self._targets(game, given)
            assert np.array_equal(given, phi), f"{name}: the scheme changed the Shapley values it was given"

    def _games(self) -> Iterator[tuple[str, Game, FloatArray]]:
        for name, (game, phi) in example_games().items():
            yield name, self.offered(game), phi

    def offered(self, game: TableGame) -> Game:
        """An example as a game of the kind that the scheme needs; ceilings are v_N."""
        return _Ceilinged(game) if "ceilings" in members(needs(self.make())) else PlainGame(game)

    def test_it_needs_no_more_than_it_says(self) -> None:
        kind = needs(self.make())
        for name, (game, phi) in example_games().items():
            offered = self.offered(game)
            missing = lacks(offered, kind)
            assert not missing, f"it needs a {kind.__name__}, with {', '.join(missing)}: override offered(self, game)"
            narrow = NarrowGame(offered, kind)
            values = self._targets(narrow, phi).values
            assert_close(values, self._targets(offered, phi).values, f"{name}: targets of a game that shows no more")

    def _targets(self, game: Game, phi: FloatArray) -> RewardTargets:
        return self.make()(ShapleyValues(phi), game)


class _Ceilinged(PlainGame):
    """As a plain game, and no reward can be worth more than the pool."""

    def ceilings(self) -> FloatArray:
        pool = float(self(np.ones((1, self.n), dtype=bool))[0])
        return np.full(self.n, pool)
