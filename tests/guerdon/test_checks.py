"""What is checked at more than one door."""

import numpy as np
import pytest

from guerdon.checks import common_features, is_number, require_count
from guerdon.models import GaussianProcess
from guerdon.realization import WeightedSampling
from guerdon.rewards import RectifiedRhoShapley, RhoShapley
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy


@pytest.mark.parametrize("value", [1, -2.5, np.float32(0.1), np.int64(3), float("nan")])
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", [True, np.True_, "1", None, [1.0], 1j])
def test_what_is_no_number(value):
    assert not is_number(value)


def test_counts():
    require_count("parties", 1)
    require_count("parties", np.int64(7))
    for bad in (0, -1, 1.0, True, "1", None):
        with pytest.raises(ValueError, match=f"parties must be a whole number of at least 1, got {bad!r}"):
            require_count("parties", bad)


def test_the_features_that_all_share():
    assert common_features([Contribution("ada", np.zeros((1, 2))), Contribution("bob", np.zeros((0, 2)))]) == 2
    with pytest.raises(ValueError, match="at least one contribution, got none"):
        common_features([])
    with pytest.raises(ValueError, match=r"same features, got \{'ada': 2, 'bob': 3\}"):
        common_features([Contribution("ada", np.zeros((1, 2))), Contribution("bob", np.zeros((1, 3)))])


@pytest.mark.parametrize(
    "part",
    [
        lambda x: GaussianProcess("rbf", noise=x, mean=x),
        lambda x: RhoShapley(x),
        lambda x: RectifiedRhoShapley("rational", rho=x, epsilon=x),
        lambda x: MaximumMeanDiscrepancy(lengthscale=x),
        lambda x: WeightedSampling(x),
    ],
)
def test_numbers_straight_from_an_npz_file_are_numbers(part):
    assert repr(part(np.array(0.25))) == repr(part(0.25))
