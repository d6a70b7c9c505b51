"""Conformance suites: the tests of each contract, for authors of parts to inherit.

A suite holds the tests; a subclass says what is tested, and pytest collects it (a suite by itself is not collected,
its name does not begin with Test):

    from guerdon.testing import RewardSchemeSuite

    class TestEqualReward(RewardSchemeSuite):
        conditions = ("R1", "R2", "R3")

        def make(self):
            return EqualReward()

Without pytest, ``TestEqualReward().run()`` raises AssertionError at the first test that fails.
"""

from guerdon.testing.examples import example_contributions, example_games
from guerdon.testing.models import ModelSuite, PosteriorSuite
from guerdon.testing.realizations import GeneratorSuite, RealizationSuite
from guerdon.testing.rewards import RewardSchemeSuite, ShapleyEstimatorSuite
from guerdon.testing.suite import Suite
from guerdon.testing.values import GameSuite, ValueFunctionSuite

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
