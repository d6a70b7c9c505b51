"""The synthetic pool is doubled until the bounds can be met, or says which can't."""

import numpy as np
import pytest

from guerdon.generators import GaussianMixture, GivenRows, SyntheticData, grow_until_feasible
from guerdon.rewards import InfeasibleRewardsError, RectifiedRhoShapley
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy

MEANS = ((0.0, 0.0), (1.0, 0.3), (0.2, 1.0))


def parties(rows=40):
    rng = np.random.default_rng(0)
    return [
        Contribution(f"P{i}", rng.normal(mean, 0.2, size=(rows, 2)), np.full(rows, i)) for i, mean in enumerate(MEANS)
    ]


def grow(size, limit, incentive="stable", seed=0):
    contributions = parties()
    generator = GaussianMixture(means=MEANS, covariances=0.04).fit(contributions, rng=np.random.default_rng(0))
    return grow_until_feasible(
        contributions,
        generator,
        MaximumMeanDiscrepancy("auto"),
        Auto(),
        RectifiedRhoShapley(incentive),
        size=size,
        limit=limit,
        rng=np.random.default_rng(seed),
    )


def test_grows():
    grown = grow(20, 5000)
    assert len(grown.sizes) > 1
    assert all(b == 2 * a for a, b in zip(grown.sizes, grown.sizes[1:], strict=False))
    assert len(grown.synthetic) == grown.sizes[-1] == len(grown.synthetic.labels)
    np.testing.assert_array_equal(grown.game.synthetic, grown.synthetic.points)
    np.testing.assert_allclose(grown.shapley.values, grown.game.shapley())
    assert np.all(grown.targets.values <= grown.game.ceilings() * (1 + 1e-12))


def test_earlier_points_stay():
    small, large = grow(20, 20, "rational"), grow(20, 5000)
    np.testing.assert_array_equal(large.synthetic.points[:20], small.synthetic.points)


def test_gives_up_at_the_limit_and_names_the_parties():
    with pytest.raises(InfeasibleRewardsError, match=r"Tried 10, 20, 25 synthetic points") as caught:
        grow(10, 25)
    assert caught.value.parties


def test_rows_that_are_given_can_not_grow():
    """A second draw of them would be the first again."""
    given = GivenRows(SyntheticData(np.random.default_rng(0).normal(size=(80, 2))))
    value, scheme = MaximumMeanDiscrepancy("auto"), RectifiedRhoShapley("stable")
    with pytest.raises(ValueError, match="rows that are given can't grow: size and limit must be equal, got 20 and 80"):
        grow_until_feasible(parties(), given, value, Auto(), scheme, size=20, limit=80, rng=np.random.default_rng(0))


def test_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="size"):
        grow(10, 5)
