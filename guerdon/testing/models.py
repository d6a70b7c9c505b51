"""Suites for Bayesian models and their posteriors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from guerdon.testing.examples import example_contributions
from guerdon.testing.suite import CLOSE, Suite, assert_close, through_a_file
from guerdon.types import (
    Contribution,
    FloatArray,
    all_coalitions,
)

if TYPE_CHECKING:  # so that testing a reward scheme does not load torch
    from guerdon.models.protocols import Model, NoiseResponse, Posterior

__all__ = ["ModelSuite", "PosteriorSuite"]


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
        assert_close(np.concatenate([m for m, _ in alone]), mean, "means predicted one by one")
        assert_close(np.concatenate([v for _, v in alone]), variance, "variances predicted one by one")

    def test_the_variance_includes_the_noise_given(self) -> None:
        posterior, X = self.make(), self._inputs(5)
        mean, variance = posterior.predict(X, 0.5)
        noise = np.linspace(0.5, 2.5, 5)
        mean_more, variance_more = posterior.predict(X, noise)
        assert_close(
            variance_more - variance, noise - 0.5, "the variance with more observation noise, less that without"
        )
        assert_close(mean_more, mean, "the mean with more observation noise")

    def test_it_says_what_it_contains(self) -> None:
        contains = self.make().contains
        assert isinstance(contains, str), f"a text for the reward that carries it, got {contains!r}"
        assert contains, "say what whoever gets the posterior can read from it"

    def test_it_travels_as_arrays(self) -> None:
        posterior, X = self.make(), self._inputs(5)
        rebuilt = type(posterior).from_arrays(through_a_file(posterior.arrays()))
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
        assert_close(
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
        assert_close(
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
        assert_close(table, expected, "information_gains()")

    def test_chains_hold_the_gain_of_every_prefix(self) -> None:
        model, contributions = self.make(), self.contributions()
        n = len(contributions)
        orders = np.array([np.roll(np.arange(n), k)[::step] for k in range(n) for step in (1, -1)])
        chains = model.information_gain_chains(contributions, orders)
        masks = np.cumsum(1 << orders, axis=1)
        expected = np.pad(model.information_gains(contributions)[masks], ((0, 0), (1, 0)))
        assert np.shape(chains) == (len(orders), n + 1), f"a chain has {n + 1} values, got shape {np.shape(chains)}"
        assert_close(chains, expected, "information_gain_chains()")

    def test_the_degrees_of_freedom_are_the_slope_in_the_noise(self) -> None:
        model, contributions = self.make(), self.contributions()
        X, _, noise = self._pool(contributions)
        step = 1e-4
        up, down = (model.information_gain(X, noise * np.exp(sign * step)) for sign in (1.0, -1.0))
        expected = -2.0 * (up - down) / (2.0 * step)
        assert_close(model.degrees_of_freedom(contributions), expected, "degrees_of_freedom()", tolerance=1e-6)

    def test_the_noise_response_is_the_gain_under_noise(self) -> None:
        for i, response in enumerate(self._responses()):
            scale = response.own_value + response.gain(0.0).value
            for eta in (0.0, 1e-3, 1.0, 1e3):
                gain, deficit, value = response.gain(eta), response.deficit(eta), self._value_under_noise(i, eta)
                assert_close(response.own_value + gain.value, value, f"party {i}, the gain at eta = {eta}", scale)
                assert_close(scale - deficit.value, value, f"party {i}, the deficit at eta = {eta}", scale)

    def test_the_noise_response_knows_its_slopes_and_limits(self) -> None:
        for i, response in enumerate(self._responses()):
            for eta in (1e-2, 1.0, 1e2):
                step = 1e-5 * eta
                for name, curve in (("gain", response.gain), ("deficit", response.deficit)):
                    slope = (curve(eta + step).value - curve(eta - step).value) / (2 * step)
                    assert_close(
                        curve(eta).slope, slope, f"party {i}, the slope of the {name} at {eta}", tolerance=1e-4
                    )
            assert_close(
                response.deficit(1e-9).value / 1e-9, response.small_noise, f"party {i}, small_noise", tolerance=1e-5
            )
            assert_close(
                response.gain(1e9).value * 1e9, response.large_noise, f"party {i}, large_noise", tolerance=1e-5
            )

    def test_the_tempering_response_is_the_gain_under_scaled_noise(self) -> None:
        for i, own in enumerate(self.contributions()):
            response = self.make().tempering_response(own, self._others(i))
            scale = response.own_value + response.gain(0.0).value
            for eta in (0.0, 1e-3, 1.0, 1e3):
                gain, deficit, value = response.gain(eta), response.deficit(eta), self._value_with_noise_times(i, eta)
                assert_close(response.own_value + gain.value, value, f"party {i}, the gain at {eta} times", scale)
                assert_close(scale - deficit.value, value, f"party {i}, the deficit at {eta} times", scale)

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
        assert_close(model.posterior(X, y, noise).sensitivity(at, marked), expected, "sensitivity()", tolerance=1e-6)

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
        assert_close(fitted.information_gain(X, noise), model.information_gain(X, noise), "the gain after fit()")

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
        return self._value_with_others(i, np.asarray(self._others(i).noise) + eta)

    def _value_with_noise_times(self, i: int, eta: float) -> float:
        return self._value_with_others(i, np.asarray(self._others(i).noise) * (1.0 + eta))

    def _value_with_others(self, i: int, noise: FloatArray) -> float:
        """The value of party i's rows and the others' at these noise variances."""
        own, others = self._pool([self.contributions()[i]]), self._others(i)
        return self.make().information_gain(np.concatenate([own[0], others.X]), np.concatenate([own[2], noise]))
