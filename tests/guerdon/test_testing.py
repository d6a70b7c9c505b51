"""The conformance suites, both ways: our parts pass, and every test of every suite fails for some broken part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon import testing
from guerdon.generators import GaussianMixture, KernelDensity, MmdGan, SyntheticData
from guerdon.models import BayesianLinear, GaussianProcess, GaussianProcessPosterior, SparseGaussianProcess
from guerdon.models.protocols import Posterior, SpectralResponse
from guerdon.realization import LikelihoodTempering, NoiseInjection
from guerdon.rewards import RewardTargets, RhoShapley
from guerdon.shapley import (
    Auto,
    ExactShapley,
    MonteCarloShapley,
    PermutationShapley,
    ShapleyValues,
    StratifiedShapley,
)
from guerdon.testing import (
    GameSuite,
    GeneratorSuite,
    ModelSuite,
    PosteriorSuite,
    RealizationSuite,
    RewardSchemeSuite,
    ShapleyEstimatorSuite,
    Suite,
    ValueFunctionSuite,
    example_contributions,
    example_games,
)
from guerdon.types import CeilingGame, Contribution, FloatArray, Game, ModelGame, TableGame
from guerdon.valuation import (
    InformationGain,
    InformationGainGame,
    MaximumMeanDiscrepancy,
    MaximumMeanDiscrepancyGame,
)

MODEL = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.5) + exponential(lengthscale=2.0, outputscale=0.5)", 0.3)


class TestInformationGain(ValueFunctionSuite):
    monotone = True

    def make(self) -> InformationGain:
        return InformationGain(MODEL)


class TestInformationGainGame(GameSuite):
    monotone = True

    def make(self) -> InformationGainGame:
        return InformationGain(MODEL).game(example_contributions())


class TestManyPartiesInformationGainGame(GameSuite):
    monotone = True

    def make(self) -> InformationGainGame:
        X = np.random.default_rng(0).normal(size=(18, 2))
        return InformationGain(MODEL).game([Contribution(str(i), x[None]) for i, x in enumerate(X)])


class TestExactShapley(ShapleyEstimatorSuite):
    def make(self) -> ExactShapley:
        return ExactShapley()


class TestAuto(ShapleyEstimatorSuite):
    def make(self) -> Auto:
        return Auto()


class TestPermutationShapley(ShapleyEstimatorSuite):
    def make(self) -> PermutationShapley:
        return PermutationShapley(200)


class TestPermutationShapleyToAWantedError(ShapleyEstimatorSuite):
    def make(self) -> PermutationShapley:
        return PermutationShapley(standard_error=0.02, relative=True)


class TestMonteCarloShapley(ShapleyEstimatorSuite):
    def make(self) -> MonteCarloShapley:
        return MonteCarloShapley(200)


class TestMonteCarloShapleyByItsBound(ShapleyEstimatorSuite):
    def make(self) -> MonteCarloShapley:
        return MonteCarloShapley(epsilon=1.0, delta=0.01, range=7.0)


class TestStratifiedShapley(ShapleyEstimatorSuite):
    def make(self) -> StratifiedShapley:
        return StratifiedShapley(12)


class TestEqualStratifiedShapley(ShapleyEstimatorSuite):
    def make(self) -> StratifiedShapley:
        return StratifiedShapley(4, "equal")


class TestProportionalRewards(RewardSchemeSuite):
    conditions = ("R1", "R2", "R3", "R5")

    def make(self) -> RhoShapley:
        return RhoShapley(1.0)


class TestRationalRewards(RewardSchemeSuite):
    conditions = ("R1", "R2", "R3", "R4", "R5")

    def make(self) -> RhoShapley:
        return RhoShapley("rational")


class TestStableRewards(RewardSchemeSuite):
    conditions = ("R1", "R2", "R3", "R4", "R5", "R6", "stability")

    def make(self) -> RhoShapley:
        return RhoShapley("stable")


class TestEverythingForAll(RewardSchemeSuite):
    conditions = ("R1", "R2", "R3", "R4", "R6", "R7")

    def make(self) -> RhoShapley:
        return RhoShapley(0.0)


class TestGaussianProcess(ModelSuite):
    def make(self) -> GaussianProcess:
        return MODEL


class TestBayesianLinear(ModelSuite):
    def make(self) -> BayesianLinear:
        return BayesianLinear(0.3, features="Affine()")


class TestBayesianLinearOnTheInputs(ModelSuite):
    def make(self) -> BayesianLinear:
        return BayesianLinear(0.3)


class TestSparseGaussianProcess(ModelSuite):
    def make(self) -> SparseGaussianProcess:
        return SparseGaussianProcess(MODEL.kernel, 0.3, [[0.0, 0.0], [1.0, -1.0], [-0.5, 0.5]], mean=0.4)


class TestSparseGaussianProcessWithMoreFeaturesThanRows(ModelSuite):
    def make(self) -> SparseGaussianProcess:
        return SparseGaussianProcess(MODEL.kernel, 0.3, np.random.default_rng(3).normal(size=(15, 2)))


class TestNoiseInjection(RealizationSuite):
    def make(self) -> NoiseInjection:
        return NoiseInjection()

    def make_game(self) -> InformationGainGame:
        return InformationGain(MODEL).game(example_contributions())


class TestLikelihoodTempering(RealizationSuite):
    def make(self) -> LikelihoodTempering:
        return LikelihoodTempering()

    def make_game(self) -> InformationGainGame:
        return InformationGain(MODEL).game(example_contributions())


class TestLikelihoodTemperingOfASparseGaussianProcess(TestLikelihoodTempering):
    def make_game(self) -> InformationGainGame:
        model = SparseGaussianProcess(MODEL.kernel, 0.3, [[0.0, 0.0], [1.0, -1.0], [-0.5, 0.5]])
        return InformationGain(model).game(example_contributions())


class TestMaximumMeanDiscrepancyGame(GameSuite):
    def make(self) -> MaximumMeanDiscrepancyGame:
        G = np.random.default_rng(0).normal(size=(25, 2))
        return MaximumMeanDiscrepancy(lengthscale=1.5).game(example_contributions(), G)


class TestGaussianMixture(GeneratorSuite):
    def make(self) -> GaussianMixture:
        return GaussianMixture(max_components=3)


class TestKernelDensity(GeneratorSuite):
    def make(self) -> KernelDensity:
        return KernelDensity()


class TestMmdGan(GeneratorSuite):
    def make(self) -> MmdGan:
        return MmdGan(epochs=1, batch=30, width=4)


@pytest.mark.parametrize("name", list(example_games()))
def test_the_example_games_conform(name: str) -> None:
    _suite(GameSuite, lambda: example_games()[name][0], monotone=True).run()


# Broken parts: each is one of ours, wrong in one way.


@dataclass(frozen=True)
class BrokenGame:
    n: Any = 2
    values: Callable[[FloatArray], Any] = lambda values: values
    weights: tuple[float, ...] = (1.0, 2.0)
    parties: tuple[str, ...] = ("ada", "bob")

    def __call__(self, coalitions: np.ndarray) -> Any:
        return self.values(coalitions @ np.array(self.weights))


class ForgetfulGame(BrokenGame):
    def __call__(self, coalitions: np.ndarray) -> Any:
        values = super().__call__(coalitions)
        coalitions[:] = False
        return values


class GameWithAnotherTable(BrokenGame):
    def table(self) -> FloatArray:
        return np.array([0.0, 1.0, 2.0, 4.0])


class GameWithOtherChains(BrokenGame):
    def chains(self, orders: np.ndarray) -> FloatArray:
        return np.tile([0.0, 1.0, 2.0], (len(orders), 1))


class GameWithAnotherShapley(BrokenGame):
    def shapley(self) -> FloatArray:
        return np.array([2.0, 1.0])


class Restless:
    """Another number each time."""

    count = 0

    def __call__(self, values: FloatArray) -> FloatArray:
        Restless.count += 1
        return values * (1.0 + 1e-3 * Restless.count)


@dataclass(frozen=True)
class BrokenValue:
    fault: str

    @property
    def gives(self) -> type:
        return CeilingGame if self.fault == "gives what it has not" else Game

    def game(self, contributions: Sequence[Contribution], *, progress: Any = None) -> TableGame:
        sizes = np.array([float(len(c)) for c in contributions])
        if self.fault == "drops a party":
            sizes = sizes[:1]
        if self.fault == "first come, first valued":
            sizes = sizes / np.arange(1.0, len(sizes) + 1)
        if self.fault == "crooked progress" and callable(progress):
            progress("value", 2, 1)
        if len(contributions) == 0 and self.fault != "takes nobody for a game":
            raise ValueError("no contributions")
        masks = np.arange(1 << len(sizes))
        table = (masks[:, None] >> np.arange(len(sizes)) & 1) @ sizes
        if self.fault == "grand coalition is worth nothing":
            table[-1] = 0.0
        return TableGame(table) if len(sizes) else TableGame([0.0, 1.0])


@dataclass(frozen=True)
class BrokenEstimator:
    fault: str

    def __call__(self, game: Any, *, rng: np.random.Generator) -> ShapleyValues:
        found = ExactShapley()(game)
        values = found.values.copy()
        if self.fault == "negative errors":
            return replace(found, standard_errors=-np.ones(game.n))
        if self.fault == "errors of another covariance":
            return replace(found, standard_errors=np.ones(game.n), covariance=2.0 * np.eye(game.n))
        if self.fault == "one value too many":
            return replace(found, values=np.append(values, 0.0))
        if self.fault == "not an estimate":
            return values  # type: ignore[return-value]
        if self.fault == "alone":
            return replace(found, values=game(np.eye(game.n, dtype=bool)))
        if self.fault == "normalised":
            return replace(found, values=values / values.sum())
        if self.fault == "unseeded":
            return replace(found, values=values + 1e-12 * np.random.default_rng().normal(size=game.n))
        if self.fault == "global generator":
            np.random.rand()  # noqa: NPY002
        if self.fault == "asks for the table":
            return replace(found, values=game.table())
        return found


@dataclass(frozen=True)
class BrokenScheme:
    fault: str

    def __call__(self, shapley: ShapleyValues, game: Any) -> RewardTargets:
        targets = RhoShapley(1.0)(shapley, game)
        values = targets.values.copy()
        if self.fault == "asks for ceilings":
            return replace(targets, ceilings=game.ceilings())
        if self.fault == "nan for useless parties":
            return replace(targets, values=np.where(values == 0.0, np.nan, values))
        if self.fault == "one ceiling":
            return replace(targets, ceilings=np.array([targets.maximum]))
        if self.fault == "deficits of another":
            return replace(targets, deficits=targets.deficits[::-1] + 1.0)
        if self.fault == "above the ceiling":
            return replace(targets, values=1.1 * values, deficits=None)
        if self.fault == "by place":
            return replace(targets, values=values / np.arange(1.0, game.n + 1), deficits=None)
        if self.fault == "unseeded":
            return replace(targets, values=values * np.random.default_rng().uniform(0.9, 1.0), deficits=None)
        if self.fault == "in place":
            shapley.values[:] = 0.0
        return targets


class BrokenPosterior(GaussianProcessPosterior):
    fault = ""

    def predict(self, X: FloatArray, noise: Any = None) -> tuple[FloatArray, FloatArray]:
        if self.fault == "deaf to noise":
            noise = None
        mean, variance = super().predict(X, noise)
        if self.fault == "columns":
            return mean[:, None], variance[:, None]
        if self.fault == "negative":
            return mean, -variance
        if self.fault == "centred":
            return mean - mean.mean(), variance
        if self.fault == "noise in the mean" and noise is not None:
            return mean + noise, variance
        if self.fault == "less sure with more":
            return mean, variance * len(self.X) ** 3
        return mean, variance

    @property
    def contains(self) -> str:
        return "" if self.fault == "wordless" else super().contains

    def sensitivity(self, X: FloatArray, rows: np.ndarray) -> FloatArray:
        found = super().sensitivity(X, rows | True if self.fault == "all rows" else rows)
        return 2.0 * found if self.fault == "twice as sensitive" else found

    def arrays(self) -> dict[str, np.ndarray]:
        arrays = super().arrays()
        return {**arrays, "X": arrays["X"].astype(np.float32)} if self.fault == "float32 on the way" else arrays


def broken_posterior(fault: str) -> Posterior:
    X = np.random.default_rng(0).normal(size=(12, 2))
    posterior = MODEL.posterior(X, np.sin(X[:, 0]))
    cls = type("Broken", (BrokenPosterior,), {"fault": fault})
    return cls(**{field: getattr(posterior, field) for field in posterior.__dataclass_fields__})


class BrokenModel(GaussianProcess):
    fault = ""

    def information_gain(self, X: FloatArray, noise: Any = None) -> float:
        gain = super().information_gain(X, None if self.fault == "deaf to noise" else noise)
        if self.fault == "something for nothing":
            return gain + 1.0
        return gain**3 if self.fault == "supermodular" else gain

    def information_gains(self, contributions: Sequence[Contribution], **kwargs: Any) -> FloatArray:
        table = super().information_gains(contributions, **kwargs)
        return table[::-1] if self.fault == "table backwards" else table

    def information_gain_chains(self, contributions: Sequence[Contribution], orders: np.ndarray) -> FloatArray:
        chains = super().information_gain_chains(contributions, orders)
        return chains[:, ::-1] if self.fault == "chains backwards" else chains

    def degrees_of_freedom(self, contributions: Sequence[Contribution]) -> float:
        rows = float(sum(len(c) for c in contributions))
        return rows if self.fault == "a degree a row" else super().degrees_of_freedom(contributions)

    def noise_of(self, contribution: Contribution) -> FloatArray:
        if self.fault == "one noise for all":
            return np.full(len(contribution), self.noise)
        return super().noise_of(contribution)

    def noise_response(self, own: Contribution, others: Contribution) -> SpectralResponse:
        response = super().noise_response(own, others)
        if self.fault == "others unheard":
            return replace(response, excess=0.5 * response.excess)
        if self.fault == "wrong slopes":
            cls = type("Wrong", (SpectralResponse,), {"_slope": lambda self, eta: -1.0})
            return cls(response.own_value, response.excess, response.floor)
        if self.fault == "wrong limits":
            cls = type("Wrong", (SpectralResponse,), {"small_noise": 1.0, "large_noise": 1.0})
            return cls(response.own_value, response.excess, response.floor)
        return response

    def tempering_response(self, own: Contribution, others: Contribution) -> SpectralResponse:
        if self.fault == "tempered as if by noise":
            return super().noise_response(own, others)
        return super().tempering_response(own, others)

    def posterior(self, X: FloatArray, y: FloatArray, noise: Any = None) -> GaussianProcessPosterior:
        posterior = super().posterior(X, y, noise)
        cls = type("Broken", (BrokenPosterior,), {"fault": self.fault})
        return cls(**{field: getattr(posterior, field) for field in posterior.__dataclass_fields__})

    def fit(self, contributions: Sequence[Contribution], **kwargs: Any) -> GaussianProcess:
        if self.fault == "learns what is known":
            return replace(self, kernel="rbf(lengthscale=9.0, outputscale=9.0)")
        if self.fault == "fits in place":
            object.__setattr__(self, "noise", 2.0 * float(self.noise or 1.0))
        return super().fit(contributions, **kwargs)


def broken_model(fault: str) -> GaussianProcess:
    return type("Broken", (BrokenModel,), {"fault": fault})(MODEL.kernel, MODEL.noise)


@dataclass(frozen=True)
class Wordless:
    """A reward that does not say what can be read from it."""

    made: Any
    contains: str = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)


@dataclass(frozen=True)
class BrokenRealization:
    fault: str
    needs: Any = ModelGame

    def __call__(self, game: Any, targets: RewardTargets, *, rng: np.random.Generator) -> Sequence[Any]:
        if self.fault == "clamps":
            targets = replace(targets, values=np.minimum(targets.values, targets.ceilings))
        if self.fault == "unseeded":
            rng = np.random.default_rng()
        if self.fault == "global generator":
            np.random.rand()  # noqa: NPY002
        if self.fault == "asks for the table":
            game.table()
        rewards = NoiseInjection()(game, targets, rng=rng)
        if self.fault == "draws for each party":
            return [
                replace(reward, draws=np.sqrt(reward.eta) * rng.standard_normal(len(reward.draws)))
                if np.isfinite(reward.eta)
                else reward
                for reward in rewards
            ]
        if self.fault == "wordless":
            return [Wordless(reward) for reward in rewards]
        if self.fault == "short of the target":
            return [replace(reward, reached=0.99 * reward.reached) for reward in rewards]
        return rewards[:1] if self.fault == "one reward" else rewards


@dataclass(frozen=True)
class BrokenGenerator:
    """A kernel density, wrong in one way."""

    fault: str

    def fit(self, contributions: Sequence[Contribution], *, rng: np.random.Generator) -> Any:
        fitted = KernelDensity().fit(contributions, rng=rng)
        return BrokenFit(self.fault, fitted, fitted.sample(50, rng=np.random.default_rng(0)))


@dataclass(frozen=True)
class BrokenFit:
    fault: str
    fitted: Any
    frozen: SyntheticData

    @property
    def discloses(self) -> Any:
        return None if self.fault == "wordless" else self.fitted.discloses

    def sample(self, n: int, *, rng: np.random.Generator) -> SyntheticData:
        if self.fault == "unseeded":
            rng = np.random.default_rng()
        if self.fault == "global generator":
            np.random.rand()  # noqa: NPY002
        drawn: SyntheticData = self.fitted.sample(n, rng=rng)
        if self.fault == "always the same":
            return SyntheticData(self.frozen.points[:n], None)
        if self.fault == "one short":
            return SyntheticData(drawn.points[1:], drawn.labels)
        if self.fault == "unlabelled":
            return SyntheticData(drawn.points, None)
        if self.fault == "labels of its own" and drawn.labels is not None:
            return SyntheticData(drawn.points, drawn.labels + 7.0)
        return drawn


def _suite(base: type[Suite], subject: Callable[[], Any], **attributes: Any) -> Suite:
    suite: Suite = type("Subject", (base,), {"make": lambda self: subject(), **attributes})()
    return suite


def _realization(fault: str) -> Suite:
    return _suite(
        RealizationSuite,
        lambda: BrokenRealization(fault),
        make_game=lambda self: InformationGain(MODEL).game(example_contributions()),
    )


def _float32(values: FloatArray) -> Any:
    return values.astype(np.float32)


BROKEN: list[tuple[str, Suite, str]] = [
    *(
        (name, _suite(GameSuite, lambda game=game: game, monotone=True), test)
        for name, game, test in [
            ("n is a float", BrokenGame(n=2.0), "test_it_has_parties"),
            ("one name for two", BrokenGame(parties=("ada", "ada")), "test_it_has_parties"),
            ("a list", BrokenGame(values=lambda v: v.tolist()), "test_one_finite_value_a_coalition"),
            ("a column", BrokenGame(values=lambda v: v[:, None]), "test_one_finite_value_a_coalition"),
            ("float32", BrokenGame(values=_float32), "test_one_finite_value_a_coalition"),
            ("infinite", BrokenGame(values=lambda v: v / 0.0), "test_one_finite_value_a_coalition"),
            ("a head start", BrokenGame(values=lambda v: v + 1.0), "test_the_empty_coalition_is_worth_nothing"),
            (
                "relative to company",
                BrokenGame(values=lambda v: v * len(v)),
                "test_a_value_does_not_depend_on_the_other_rows",
            ),
            ("restless", BrokenGame(values=Restless()), "test_asking_twice_gives_the_same"),
            ("writes", ForgetfulGame(), "test_the_coalitions_are_left_alone"),
            ("another table", GameWithAnotherTable(), "test_the_table_agrees"),
            ("other chains", GameWithOtherChains(), "test_the_chains_agree"),
            ("another Shapley", GameWithAnotherShapley(), "test_the_closed_form_shapley_values_agree"),
            ("a burden", BrokenGame(weights=(1.0, -0.5)), "test_monotone_where_it_says_so"),
        ]
    ),
    *(
        (fault, _suite(ValueFunctionSuite, lambda fault=fault: BrokenValue(fault), monotone=True), test)
        for fault, test in [
            ("gives what it has not", "test_its_game_is_of_the_kind_that_it_says"),
            ("grand coalition is worth nothing", "test_its_game_conforms"),
            ("drops a party", "test_one_player_a_contribution"),
            ("first come, first valued", "test_the_order_of_parties_only_permutes"),
            ("crooked progress", "test_it_takes_a_progress_callback"),
            ("takes nobody for a game", "test_no_contributions_are_refused"),
        ]
    ),
    *(
        (fault, _suite(ShapleyEstimatorSuite, lambda fault=fault: BrokenEstimator(fault)), test)
        for fault, test in [
            ("negative errors", "test_one_value_a_party"),
            ("one value too many", "test_one_value_a_party"),
            ("not an estimate", "test_one_value_a_party"),
            ("errors of another covariance", "test_the_errors_are_those_of_the_covariance"),
            ("alone", "test_right_where_the_truth_is_known"),
            ("asks for the table", "test_right_where_the_truth_is_known"),
            ("normalised", "test_efficient"),
            ("unseeded", "test_same_seed_same_bits"),
            ("global generator", "test_no_randomness_but_the_generators"),
        ]
    ),
    *(
        (fault, _suite(RewardSchemeSuite, lambda fault=fault: BrokenScheme(fault)), test)
        for fault, test in [
            ("asks for ceilings", "test_it_needs_no_more_than_it_says"),
            ("nan for useless parties", "test_one_finite_target_a_party"),
            ("one ceiling", "test_one_finite_target_a_party"),
            ("deficits of another", "test_the_deficits_agree"),
            ("above the ceiling", "test_it_keeps_its_promises"),
            ("by place", "test_the_order_of_parties_only_permutes"),
            ("unseeded", "test_asking_twice_gives_the_same"),
            ("in place", "test_the_shapley_values_are_left_alone"),
        ]
    ),
    (
        "promises R4",
        _suite(RewardSchemeSuite, lambda: RhoShapley(1.0), conditions=("R4",)),
        "test_it_keeps_its_promises",
    ),
    *(
        (fault, _suite(PosteriorSuite, lambda fault=fault: broken_posterior(fault)), test)
        for fault, test in [
            ("columns", "test_a_mean_and_a_positive_variance_a_row"),
            ("negative", "test_a_mean_and_a_positive_variance_a_row"),
            ("centred", "test_a_prediction_does_not_depend_on_the_other_rows"),
            ("deaf to noise", "test_the_variance_includes_the_noise_given"),
            ("noise in the mean", "test_the_variance_includes_the_noise_given"),
            ("float32 on the way", "test_it_travels_as_arrays"),
            ("wordless", "test_it_says_what_it_contains"),
            ("all rows", "test_sensitivity_counts_the_marked_rows"),
        ]
    ),
    *(
        (fault, _suite(ModelSuite, lambda fault=fault: broken_model(fault)), test)
        for fault, test in [
            ("something for nothing", "test_no_rows_no_information"),
            ("supermodular", "test_information_gain_is_monotone_and_submodular"),
            ("deaf to noise", "test_more_noise_less_information"),
            ("one noise for all", "test_a_contributions_own_noise_replaces_the_models"),
            ("table backwards", "test_the_table_holds_every_coalitions_gain"),
            ("chains backwards", "test_chains_hold_the_gain_of_every_prefix"),
            ("a degree a row", "test_the_degrees_of_freedom_are_the_slope_in_the_noise"),
            ("others unheard", "test_the_noise_response_is_the_gain_under_noise"),
            ("wrong slopes", "test_the_noise_response_knows_its_slopes_and_limits"),
            ("wrong limits", "test_the_noise_response_knows_its_slopes_and_limits"),
            ("tempered as if by noise", "test_the_tempering_response_is_the_gain_under_scaled_noise"),
            ("centred", "test_its_posterior_conforms"),
            ("twice as sensitive", "test_the_posterior_mean_answers_to_the_outputs_as_sensitivity_says"),
            ("less sure with more", "test_data_makes_predictions_surer"),
            ("learns what is known", "test_fit_keeps_what_is_known_and_changes_nothing_in_place"),
            ("fits in place", "test_fit_keeps_what_is_known_and_changes_nothing_in_place"),
        ]
    ),
    *(
        (fault, _suite(GeneratorSuite, lambda fault=fault: BrokenGenerator(fault)), test)
        for fault, test in [
            ("one short", "test_it_draws_finite_points_of_the_pools_width"),
            ("unseeded", "test_same_seed_same_points"),
            ("always the same", "test_another_draw_gives_other_points"),
            ("global generator", "test_no_randomness_but_the_generators"),
            ("unlabelled", "test_labels_where_the_parties_have_them"),
            ("labels of its own", "test_labels_where_the_parties_have_them"),
            ("wordless", "test_it_says_what_it_discloses"),
        ]
    ),
    *(
        (fault, _realization(fault), test)
        for fault, test in [
            ("wordless", "test_every_reward_tells_what_it_is"),
            ("asks for the table", "test_it_needs_no_more_than_it_says"),
            ("short of the target", "test_every_reward_reaches_its_target"),
            ("one reward", "test_every_reward_reaches_its_target"),
            ("unseeded", "test_same_seed_same_rewards"),
            ("global generator", "test_no_randomness_but_the_generators"),
            ("clamps", "test_a_target_above_the_ceiling_is_refused"),
            ("draws for each party", "test_rewards_side_by_side_average_no_noise_out"),
        ]
    ),
]


@pytest.mark.parametrize(
    ("suite", "test"), [pytest.param(s, t, id=f"{type(s).__bases__[0].__name__}: {name}") for name, s, t in BROKEN]
)
def test_a_broken_part_fails(suite: Suite, test: str) -> None:
    with np.errstate(all="ignore"), pytest.raises((AssertionError, AttributeError)) as failure:
        getattr(suite, test)()
    assert str(failure.value)


def test_every_test_of_every_suite_has_a_part_that_fails_it() -> None:
    for suite in (getattr(testing, name) for name in testing.__all__ if name.endswith("Suite")):
        failed = {test for _, broken, test in BROKEN if isinstance(broken, suite)}
        assert set(suite.list_tests()) <= failed, suite


def test_faultless_stand_ins_pass() -> None:
    """The broken parts are broken by their fault alone."""
    _suite(GameSuite, BrokenGame, monotone=True).run()
    _suite(ValueFunctionSuite, lambda: BrokenValue(""), monotone=True).run()
    _suite(ShapleyEstimatorSuite, lambda: BrokenEstimator("")).run()
    _suite(RewardSchemeSuite, lambda: BrokenScheme("")).run()
    _suite(PosteriorSuite, lambda: broken_posterior("")).run()
    _suite(ModelSuite, lambda: broken_model("")).run()
    _realization("").run()
    _suite(GeneratorSuite, lambda: BrokenGenerator("")).run()


def test_a_suite_without_a_subject_says_what_to_do() -> None:
    for suite in (getattr(testing, name) for name in testing.__all__ if name.endswith("Suite")):
        with pytest.raises(NotImplementedError, match="define make"):
            suite().make()
    with pytest.raises(NotImplementedError, match="define make_game"):
        RealizationSuite().make_game()


THIRD_PARTY = """
import numpy as np
from guerdon.testing import *
from guerdon.testing import RewardSchemeSuite
from guerdon.types import RewardTargets


class EqualReward:
    def __init__(self, share=1.0):
        self.share = share

    def __call__(self, shapley, game):
        pool = float(game(np.ones((1, game.n), dtype=bool))[0])
        return RewardTargets(np.full(game.n, self.share * pool), None, pool, np.full(game.n, pool))


class TestEqualReward(RewardSchemeSuite):
    conditions = ("R1", "R2", "R3")

    def make(self):
        return EqualReward()


class TestTooMuch(TestEqualReward):
    def make(self):
        return EqualReward(share=2.0)
"""


def test_a_third_partys_tests_under_plain_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(THIRD_PARTY)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    tests = len(RewardSchemeSuite.list_tests())
    assert f"1 failed, {2 * tests - 1} passed" in done.stdout  # the suites themselves were not collected
    assert "R2 (feasibility) fails" in done.stdout


def test_importing_the_suites_loads_neither_pytest_nor_torch() -> None:
    code = "import sys, guerdon.testing; print(sorted({'pytest', 'torch', 'gpytorch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
