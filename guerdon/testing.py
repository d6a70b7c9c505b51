"""Conformance suites: the tests of each contract, for authors of parts to inherit.

A suite holds the tests; a subclass says what is tested, and pytest collects it (a suite by itself is not collected,
its name does not begin with Test)::

    from guerdon.testing import RewardSchemeSuite

    class TestEqualReward(RewardSchemeSuite):
        conditions = ("R1", "R2", "R3")

        def make(self):
            return EqualReward()

Without pytest, ``TestEqualReward().run()`` raises AssertionError at the first test that fails.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.pipeline import Realization, RewardScheme, ShapleyEstimator, ValueFunction
from guerdon.rewards.certificate import certify
from guerdon.shapley.exact import exact_shapley
from guerdon.types import (
    Contribution,
    FloatArray,
    Game,
    RewardTargets,
    ShapleyValues,
    TableGame,
    all_coalitions,
)

if TYPE_CHECKING:  # so that testing a reward scheme does not load torch
    from guerdon.generators import SyntheticData, SyntheticGenerator
    from guerdon.models.protocols import Model, NoiseResponse, Posterior

__all__ = [
    "GameSuite",
    "GeneratorSuite",
    "ModelSuite",
    "PosteriorSuite",
    "RealizationSuite",
    "RewardSchemeSuite",
    "ShapleyEstimatorSuite",
    "Suite",
    "ValueFunctionSuite",
    "example_contributions",
    "example_games",
]

CLOSE = 1e-9
"""Numbers that should be equal may differ by this share of the largest of them."""


def example_contributions() -> tuple[Contribution, ...]:
    """Three parties with 7, 4 and 1 rows of 2 features, outputs, and one with noise variances of its own."""
    rng = np.random.default_rng(20)
    X = rng.normal(size=(12, 2))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * rng.normal(size=12)
    return (
        Contribution("ada", X[:7], y[:7]),
        Contribution("bob", X[7:11], y[7:11], noise=np.array([0.05, 0.1, 0.2, 0.4])),
        Contribution("cyn", X[11:], y[11:]),
    )


def example_games() -> dict[str, tuple[TableGame, FloatArray]]:
    """Monotone games with their Shapley values in closed form, by name."""

    def game(n: int, phi: Sequence[float], value: Any) -> tuple[TableGame, FloatArray]:
        members = [set(np.flatnonzero(row).tolist()) for row in all_coalitions(n)]
        return TableGame(np.array([float(value(C)) for C in members])), np.array(phi, dtype=np.float64)

    lengths = (1.0, 3.0, 4.0)
    return {
        "two parties": game(2, (5, 3), lambda C: {(): 0, (0,): 7, (1,): 5, (0, 1): 8}[tuple(sorted(C))]),
        "additive": game(4, (1, 2, 3, 4), lambda C: sum(i + 1 for i in C)),
        "unanimity of 1 and 2, party 0 adds nothing": game(3, (0, 3, 3), lambda C: 6 * ({1, 2} <= C)),
        "airport": game(3, (1 / 3, 4 / 3, 7 / 3), lambda C: max((lengths[i] for i in C), default=0.0)),
        "symmetric": game(3, (7 / 6, 7 / 6, 7 / 6), lambda C: (0, 2, 3, 3.5)[len(C)]),
        "one party": game(1, (2,), lambda C: 2 * len(C)),
    }


class Suite:
    """The tests of one contract; ``make`` gives a fresh subject."""

    def make(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define make(self), which returns the part to be tested")

    def run(self) -> None:
        """Every test of the suite, without pytest."""
        for name in self.list_tests():
            getattr(self, name)()

    @classmethod
    def list_tests(cls) -> list[str]:
        """The names of the suite's tests."""
        return [name for name in dir(cls) if name.startswith("test_")]


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
        coalitions = _coalitions(game.n)
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
        coalitions = _coalitions(game.n)
        together = game(coalitions)
        _assert_close(np.concatenate([game(row[None]) for row in coalitions]), together, "values asked one by one")
        _assert_close(game(coalitions[::-1])[::-1], together, "values asked in reverse")

    def test_asking_twice_gives_the_same(self) -> None:
        game = self.make()
        coalitions = _coalitions(game.n)
        assert np.array_equal(game(coalitions), game(coalitions)), "the same coalitions have the same values"

    def test_the_coalitions_are_left_alone(self) -> None:
        game = self.make()
        coalitions = _coalitions(game.n)
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
        _assert_close(table, game(all_coalitions(game.n)), "table()")

    def test_the_closed_form_shapley_values_agree(self) -> None:
        game = self.make()
        own = getattr(game, "shapley", None)
        if own is None or game.n > 12:
            return
        _assert_close(own(), exact_shapley(game(all_coalitions(game.n))), "shapley()")

    def test_monotone_where_it_says_so(self) -> None:
        game = self.make()
        if not self.monotone:
            return
        coalitions = _coalitions(game.n)
        values = game(coalitions)
        for i in range(game.n):
            joined = coalitions.copy()
            joined[:, i] = True
            gain = (game(joined) - values).min()
            assert gain >= -CLOSE * np.abs(values).max(), f"a coalition loses {-gain:.3g} by taking in party {i}"


class ValueFunctionSuite(Suite):
    """A ``guerdon.pipeline.ValueFunction``. Override ``contributions`` if it needs others than the example's."""

    monotone: bool = False

    def make(self) -> ValueFunction:
        value: ValueFunction = super().make()
        return value

    def contributions(self) -> Sequence[Contribution]:
        return example_contributions()

    def test_its_game_conforms(self) -> None:
        outer = self

        class OfThisValue(GameSuite):
            monotone = outer.monotone

            def make(self) -> Game:
                return outer.make().game(outer.contributions())

        OfThisValue().run()

    def test_one_player_a_contribution(self) -> None:
        contributions = self.contributions()
        for count in range(1, len(contributions) + 1):
            n = self.make().game(contributions[:count]).n
            assert n == count, f"a game of {count} contributions has n = {count}, got {n}"

    def test_the_order_of_parties_only_permutes(self) -> None:
        contributions = self.contributions()
        coalitions = all_coalitions(len(contributions))
        values = self.make().game(contributions)(coalitions)
        turned = self.make().game(contributions[::-1])(coalitions[:, ::-1])
        _assert_close(turned, values, "values of the contributions in reverse")

    def test_it_takes_a_progress_callback(self) -> None:
        calls: list[tuple[str, int, int]] = []
        game = self.make().game(
            self.contributions(), progress=lambda stage, done, total: calls.append((stage, done, total))
        )
        game(all_coalitions(game.n))
        assert all(0 <= done <= total for _, done, total in calls), f"0 <= done <= total, got {calls}"

    def test_no_contributions_are_refused(self) -> None:
        _assert_refused(lambda: self.make().game(()), "a game of no contributions")


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
            allowed = 5.0 * _errors(found) + CLOSE * np.abs(phi).max()
            off = np.abs(found.values - phi)
            assert np.all(off <= allowed), f"{name}: expected {phi}, got {found.values}, errors {found.standard_errors}"

    def test_efficient(self) -> None:
        for name, game, _ in self._games():
            found = self._estimate(game)
            pool = float(game(np.ones((1, game.n), dtype=bool))[0])
            allowed = 5.0 * float(np.linalg.norm(_errors(found))) + CLOSE * abs(pool)
            gap = abs(float(found.values.sum()) - pool)
            assert gap <= allowed, f"{name}: the values sum to {found.values.sum()}, not to v_N = {pool}"

    def test_same_seed_same_bits(self) -> None:
        for name, game, _ in self._games():
            first, second = self._estimate(game), self._estimate(game)
            assert np.array_equal(first.values, second.values), f"{name}: two runs from one seed differ"

    def test_no_randomness_but_the_generators(self) -> None:
        before = _global_state()
        for _, game, _ in self._games():
            self._estimate(game)
        assert _global_state() == before, "numpy's global generator was used; draw from the rng argument"

    def _games(self) -> Iterator[tuple[str, Game, FloatArray]]:
        for name, (game, phi) in example_games().items():
            yield name, _PlainGame(game), phi

    def _estimate(self, game: Game) -> ShapleyValues:
        return self.make()(game, rng=np.random.default_rng(7))


class RewardSchemeSuite(Suite):
    """A ``guerdon.pipeline.RewardScheme``.

    conditions : what the scheme promises on every monotone game, of R1-R7, F1-F3 and "stability"; the certificate
    decides. anonymous : False for a scheme that treats parties by their place rather than by what they bring.
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
                _assert_close(targets.values + targets.deficits, targets.maximum, f"{name}: values + deficits")

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
            values = self._targets(_PlainGame(turned), phi[::-1]).values[::-1]
            _assert_close(values, self._targets(game, phi).values, f"{name}: targets of the parties in reverse")

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
            yield name, _PlainGame(game), phi

    def _targets(self, game: Game, phi: FloatArray) -> RewardTargets:
        return self.make()(ShapleyValues(phi), game)


class PosteriorSuite(Suite):
    """A ``guerdon.models.protocols.Posterior`` on ``features`` inputs, trained on ``rows`` rows."""

    features: int = 2
    rows: int = 12

    def make(self) -> Posterior:
        posterior: Posterior = super().make()
        return posterior

    def test_a_mean_and_a_positive_variance_a_row(self) -> None:
        for k in (1, 5):
            mean, variance = self.make().predict(self._inputs(k))
            for what, array in (("mean", mean), ("variance", variance)):
                fits = np.shape(array) == (k,) and np.all(np.isfinite(array))
                assert fits, f"{what} must be finite with shape ({k},), got {array!r}"
            assert np.all(variance > 0), f"variances are positive, got {variance}"

    def test_a_prediction_does_not_depend_on_the_other_rows(self) -> None:
        posterior, X = self.make(), self._inputs(5)
        mean, variance = posterior.predict(X)
        alone = [posterior.predict(x[None]) for x in X]
        _assert_close(np.concatenate([m for m, _ in alone]), mean, "means predicted one by one")
        _assert_close(np.concatenate([v for _, v in alone]), variance, "variances predicted one by one")

    def test_the_variance_includes_the_noise_given(self) -> None:
        posterior, X = self.make(), self._inputs(5)
        mean, variance = posterior.predict(X, 0.5)
        noise = np.linspace(0.5, 2.5, 5)
        mean_more, variance_more = posterior.predict(X, noise)
        _assert_close(
            variance_more - variance, noise - 0.5, "the variance with more observation noise, less that without"
        )
        _assert_close(mean_more, mean, "the mean with more observation noise")

    def test_it_travels_as_arrays(self) -> None:
        posterior, X = self.make(), self._inputs(5)
        rebuilt = type(posterior).from_arrays(_through_a_file(posterior.arrays()))
        for what, before, after in zip(("mean", "variance"), posterior.predict(X), rebuilt.predict(X), strict=True):
            assert np.array_equal(before, after), (
                f"the {what} differs by {np.abs(before - after).max():.3g} after arrays()"
            )

    def test_sensitivity_counts_the_marked_rows(self) -> None:
        posterior, X = self.make(), self._inputs(5)
        every = np.ones(self.rows, dtype=bool)
        some = every & (np.arange(self.rows) % 3 == 0)
        total = posterior.sensitivity(X, every)
        assert np.shape(total) == (5,), f"expected shape (5,), got {total!r}"
        assert np.all(total > 0), f"outputs move the mean, so sensitivities are positive, got {total}"
        _assert_close(
            posterior.sensitivity(X, some) + posterior.sensitivity(X, ~some), total, "sensitivities of two halves"
        )
        assert np.all(posterior.sensitivity(X, ~every) == 0.0), "no row marked, no sensitivity"

    def _inputs(self, k: int) -> FloatArray:
        return np.random.default_rng(k).normal(size=(k, self.features))


class ModelSuite(Suite):
    """A ``guerdon.models.protocols.Model`` with all hyperparameters known."""

    def make(self) -> Model:
        model: Model = super().make()
        return model

    def contributions(self) -> Sequence[Contribution]:
        return example_contributions()

    def test_no_rows_no_information(self) -> None:
        features = self.contributions()[0].X.shape[1]
        assert self.make().information_gain(np.empty((0, features))) == 0.0, "no rows gain nothing"

    def test_information_gain_is_monotone_and_submodular(self) -> None:
        model, (X, _, noise) = self.make(), self._pool(self.contributions())
        values = [model.information_gain(X[:k], noise[:k]) for k in range(len(X) + 1)]
        assert np.all(np.diff(values) > 0), f"every row gains information, got {values}"
        without = [
            model.information_gain(np.delete(X[:k], 0, 0), np.delete(noise[:k], 0)) for k in range(1, len(X) + 1)
        ]
        first_rows_gain = np.array(values[1:]) - np.array(without)
        assert np.all(np.diff(first_rows_gain) <= CLOSE * values[-1]), (
            f"a row gains no more later, got {first_rows_gain}"
        )

    def test_more_noise_less_information(self) -> None:
        model, (X, _, noise) = self.make(), self._pool(self.contributions())
        clear, noisy = model.information_gain(X, noise), model.information_gain(X, 4.0 * noise)
        assert clear > noisy > 0.0, f"the gain falls as noise rises, got {clear} and at four times the noise {noisy}"

    def test_a_contributions_own_noise_replaces_the_models(self) -> None:
        model, contribution = self.make(), self.contributions()[0]
        rows = len(contribution)
        for own in (0.3, np.linspace(0.1, 0.9, rows)):
            noise = model.noise_of(dataclasses.replace(contribution, noise=own))
            assert np.array_equal(noise, np.broadcast_to(own, rows)), (
                f"noise_of() is the party's own {own}, got {noise}"
            )
        models = model.noise_of(dataclasses.replace(contribution, noise=None))
        assert models.shape == (rows,), f"the model's own noise is one variance a row, got {models}"
        assert np.all(models > 0), f"noise variances are positive, got {models}"
        _assert_close(
            model.information_gain(contribution.X, models),
            model.information_gain(contribution.X),
            "the noise by default",
        )

    def test_the_table_holds_every_coalitions_gain(self) -> None:
        model, contributions = self.make(), self.contributions()
        table = model.information_gains(contributions)
        expected = np.zeros(1 << len(contributions))
        for mask, row in enumerate(all_coalitions(len(contributions))[1:], start=1):
            X, _, noise = self._pool([c for c, joined in zip(contributions, row, strict=True) if joined])
            expected[mask] = model.information_gain(X, noise)
        _assert_close(table, expected, "information_gains()")

    def test_the_noise_response_is_the_gain_under_noise(self) -> None:
        for i, response in enumerate(self._responses()):
            scale = response.own_value + response.gain(0.0).value
            for eta in (0.0, 1e-3, 1.0, 1e3):
                gain, deficit, value = response.gain(eta), response.deficit(eta), self._value_under_noise(i, eta)
                _assert_close(response.own_value + gain.value, value, f"party {i}, the gain at eta = {eta}", scale)
                _assert_close(scale - deficit.value, value, f"party {i}, the deficit at eta = {eta}", scale)

    def test_the_noise_response_knows_its_slopes_and_limits(self) -> None:
        for i, response in enumerate(self._responses()):
            for eta in (1e-2, 1.0, 1e2):
                step = 1e-5 * eta
                for name, curve in (("gain", response.gain), ("deficit", response.deficit)):
                    slope = (curve(eta + step).value - curve(eta - step).value) / (2 * step)
                    _assert_close(
                        curve(eta).slope, slope, f"party {i}, the slope of the {name} at {eta}", tolerance=1e-4
                    )
            _assert_close(
                response.deficit(1e-9).value / 1e-9, response.small_noise, f"party {i}, small_noise", tolerance=1e-5
            )
            _assert_close(
                response.gain(1e9).value * 1e9, response.large_noise, f"party {i}, large_noise", tolerance=1e-5
            )

    def test_its_posterior_conforms(self) -> None:
        outer = self
        X, y, noise = self._pool(self.contributions())

        class OfThisModel(PosteriorSuite):
            features, rows = X.shape[1], len(X)

            def make(self) -> Posterior:
                return outer.make().posterior(X, y, noise)

        OfThisModel().run()

    def test_the_posterior_mean_answers_to_the_outputs_as_sensitivity_says(self) -> None:
        model, (X, y, noise) = self.make(), self._pool(self.contributions())
        at = X[:4] + 0.1
        base = model.posterior(X, y, noise).predict(at)[0]
        # The mean is linear in y, so unit steps give its derivative.
        weights = np.stack([model.posterior(X, y + unit, noise).predict(at)[0] - base for unit in np.eye(len(y))])
        marked = np.arange(len(y)) % 2 == 0
        expected = np.square(weights[marked]).sum(axis=0)
        _assert_close(model.posterior(X, y, noise).sensitivity(at, marked), expected, "sensitivity()", tolerance=1e-6)

    def test_data_makes_predictions_surer(self) -> None:
        model, (X, y, noise) = self.make(), self._pool(self.contributions())
        few = model.posterior(X[:4], y[:4], noise[:4]).predict(X, 0.1)[1]
        all_rows = model.posterior(X, y, noise).predict(X, 0.1)[1]
        assert np.all(all_rows <= few * (1 + CLOSE)), "the variance at a point falls as rows are added"

    def test_fit_keeps_what_is_known_and_changes_nothing_in_place(self) -> None:
        model = self.make()
        before = json.dumps(model.describe(), sort_keys=True)
        X, _, noise = self._pool(self.contributions())
        fitted = model.fit(self.contributions())
        assert json.dumps(model.describe(), sort_keys=True) == before, "fit() changed the model it was called on"
        _assert_close(fitted.information_gain(X, noise), model.information_gain(X, noise), "the gain after fit()")

    def _pool(self, contributions: Sequence[Contribution]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """X (m, d), y (m,) and noise variances (m,) of all rows together."""
        model = self.make()
        X = np.concatenate([c.X for c in contributions])
        y = np.concatenate([c.y for c in contributions if c.y is not None])
        return X, y, np.concatenate([model.noise_of(c) for c in contributions])

    def _responses(self) -> list[NoiseResponse]:
        return [self.make().noise_response(own, self._others(i)) for i, own in enumerate(self.contributions())]

    def _others(self, i: int) -> Contribution:
        X, _, noise = self._pool([c for k, c in enumerate(self.contributions()) if k != i])
        return Contribution("others", X, noise=noise)

    def _value_under_noise(self, i: int, eta: float) -> float:
        own, others = self._pool([self.contributions()[i]]), self._others(i)
        X, noise = np.concatenate([own[0], others.X]), np.concatenate([own[2], np.asarray(others.noise) + eta])
        return self.make().information_gain(X, noise)


class RealizationSuite(Suite):
    """A ``guerdon.pipeline.Realization``, on a game of its kind.

    tolerance : how far, as a share of the maximum, the value reached may be from the target.
    """

    tolerance: float = CLOSE

    def make(self) -> Realization:
        realization: Realization = super().make()
        return realization

    def make_game(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define make_game(self), a game that the realization serves")

    def targets(self, game: Any) -> Sequence[RewardTargets]:
        """Targets that can be met: a few between each party's own value and the ceiling v_N."""
        pool = float(game(np.ones((1, game.n), dtype=bool))[0])
        alone = game(np.eye(game.n, dtype=bool))
        shares = (0.0, 0.5, np.linspace(0.0, 1.0, game.n))
        values = [alone + np.asarray(share) * (pool - alone) for share in shares]
        return [RewardTargets(v, rho=None, maximum=pool, ceilings=np.full(game.n, pool)) for v in values]

    def test_every_reward_reaches_its_target(self) -> None:
        game = self.make_game()
        for targets in self.targets(game):
            rewards = self._realize(game, targets)
            assert len(rewards) == game.n, f"{game.n} parties get as many rewards, got {len(rewards)}"
            reached = np.array([reward.reached for reward in rewards], dtype=np.float64)
            off = np.abs(reached - targets.values).max()
            allowed = self.tolerance * targets.maximum
            assert off <= allowed, f"the targets {targets.values} were missed by {off:.3g}: {reached}"

    def test_same_seed_same_rewards(self) -> None:
        game = self.make_game()
        for targets in self.targets(game):
            first, second = self._realize(game, targets), self._realize(game, targets)
            for i, (one, other) in enumerate(zip(first, second, strict=True)):
                _assert_same(one, other, f"party {i}'s reward from the same seed")

    def test_no_randomness_but_the_generators(self) -> None:
        game = self.make_game()
        before = _global_state()
        for targets in self.targets(game):
            self._realize(game, targets)
        assert _global_state() == before, "numpy's global generator was used; draw from the rng argument"

    def test_a_target_above_the_ceiling_is_refused(self) -> None:
        game = self.make_game()
        targets = self.targets(game)[0]
        values = targets.values.copy()
        values[0] = 1.01 * targets.ceilings[0]
        _assert_refused(
            lambda: self._realize(game, dataclasses.replace(targets, values=values)), "a target above the ceiling"
        )

    def _realize(self, game: Any, targets: RewardTargets) -> Sequence[Any]:
        return self.make()(game, targets, rng=np.random.default_rng(3))


class GeneratorSuite(Suite):
    """A ``guerdon.generators.SyntheticGenerator``. Override ``contributions`` if it needs others than these.

    Labels of the example are 0 and 1, by the sign of the first feature.
    """

    def make(self) -> SyntheticGenerator:
        generator: SyntheticGenerator = super().make()
        return generator

    def contributions(self) -> Sequence[Contribution]:
        X = np.random.default_rng(21).normal(size=(90, 2))
        return [Contribution(name, part) for name, part in zip(("ada", "bob", "cyn"), np.split(X, 3), strict=True)]

    def test_it_draws_finite_points_of_the_pools_width(self) -> None:
        contributions = self.contributions()
        for n in (1, 50):
            points = self._draw(contributions, n).points
            expected = (n, contributions[0].X.shape[1])
            assert points.shape == expected, f"expected points of shape {expected}, got {points.shape}"
            assert points.dtype == np.float64, f"points are float64, got {points.dtype}"
            assert np.all(np.isfinite(points)), "points are finite"

    def test_same_seed_same_points(self) -> None:
        one, other = (self._draw(self.contributions(), 20) for _ in range(2))
        assert np.array_equal(one.points, other.points), "the same seeds give the same points"

    def test_another_draw_gives_other_points(self) -> None:
        fitted, rng = self.make().fit(self.contributions(), rng=np.random.default_rng(3)), np.random.default_rng(4)
        first, second = fitted.sample(20, rng=rng).points, fitted.sample(20, rng=rng).points
        assert not np.array_equal(first, second), "drawing on from one generator gives new points"

    def test_no_randomness_but_the_generators(self) -> None:
        before = _global_state()
        self._draw(self.contributions(), 20)
        assert _global_state() == before, "numpy's global generator was used; draw from the rng argument"

    def test_labels_where_the_parties_have_them(self) -> None:
        plain = self.contributions()
        labelled = [dataclasses.replace(c, y=(c.X[:, 0] > 0).astype(np.float64)) for c in plain]
        assert self._draw(plain, 20).labels is None, "unlabelled data gives unlabelled points"
        labels = self._draw(labelled, 20).labels
        assert labels is not None, "labelled data gives labelled points"
        assert labels.shape == (20,), f"expected one label a point, (20,), got {labels.shape}"
        assert set(labels.tolist()) <= {0.0, 1.0}, f"labels are the parties' own, 0 and 1, got {set(labels.tolist())}"

    def _draw(self, contributions: Sequence[Contribution], n: int) -> SyntheticData:
        fitted = self.make().fit(contributions, rng=np.random.default_rng(3))
        return fitted.sample(n, rng=np.random.default_rng(4))


class _PlainGame:
    """A game that offers nothing but the contract, and insists that it is asked by the contract."""

    def __init__(self, game: TableGame) -> None:
        self._game = game

    @property
    def n(self) -> int:
        return self._game.n

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        array = np.asarray(coalitions)
        fits = isinstance(coalitions, np.ndarray) and array.dtype == np.bool_ and array.shape[1:] == (self.n,)
        assert fits, f"coalitions are a bool (m, {self.n}) array, got {coalitions!r}"
        return self._game(coalitions)


def _coalitions(n: int) -> NDArray[np.bool_]:
    """All coalitions of few parties, of many parties 22 random ones with the empty and the full one."""
    if n <= 6:
        return all_coalitions(n)
    drawn = np.random.default_rng(n).random((22, n)) < 0.5
    return np.concatenate([np.zeros((1, n), dtype=bool), drawn, np.ones((1, n), dtype=bool)])


def _errors(found: ShapleyValues) -> FloatArray:
    return np.zeros_like(found.values) if found.standard_errors is None else found.standard_errors


def _global_state() -> str:
    return repr(np.random.get_state())  # noqa: NPY002 - it is looked at, not used


def _through_a_file(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays after np.savez and np.load without pickle."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _assert_close(
    got: ArrayLike, expected: ArrayLike, what: str, scale: float | None = None, tolerance: float = CLOSE
) -> None:
    got, expected = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    largest = float(np.abs(expected).max(initial=0.0)) if scale is None else scale
    off = float(np.abs(got - expected).max(initial=0.0))
    assert off <= tolerance * largest, f"{what}: expected {expected}, got {got}, {off:.3g} off"


def _assert_same(one: Any, other: Any, what: str) -> None:
    """Equal bits in every number and array that the two hold."""
    if isinstance(one, np.ndarray):
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), f"{what}: two arrays differ"
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            _assert_same(getattr(one, field.name), getattr(other, field.name), f"{what}, {field.name}")
    elif isinstance(one, (int, float, str)):
        assert one == other or (one != one and other != other), f"{what}: {one!r} is not {other!r}"


def _assert_refused(call: Any, what: str) -> None:
    try:
        call()
    except ValueError as error:
        sentence = str(error)
    else:
        raise AssertionError(f"{what} must raise ValueError")
    assert sentence, f"{what} is refused without a word: say what was expected and what came"
