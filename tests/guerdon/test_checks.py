"""What is checked at more than one door."""

import numpy as np
import pytest

from guerdon.checks import common_features, is_number, require_count
from guerdon.types import Contribution


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
