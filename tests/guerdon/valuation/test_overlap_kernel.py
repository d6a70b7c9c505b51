"""Columns of categories are valued by the overlap kernel: equal levels are 1, others exp(-c^2 / l^2)."""

import numpy as np
import pytest

from guerdon.scaling import Scaling
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy

LEVELS = (3, 2, 5)
C = 0.7


def codes(rng, m):
    return np.stack([rng.integers(k, size=m) for k in LEVELS], axis=1)


def one_hots(rows):
    return np.concatenate([np.eye(k)[rows[:, j]] for j, k in enumerate(LEVELS)], axis=1)


def overlap(S, T, numbers_S, numbers_T, lengthscale):
    """prod over columns of (1 where equal, else exp(-c^2 / l^2)), times the squared exponential of the numbers."""
    different = (S[:, None] != T[None]).sum(axis=2)
    squared = np.square(numbers_S[:, None] - numbers_T[None]).sum(axis=2)
    return np.exp(-(C**2) / lengthscale**2) ** different * np.exp(-squared / (2 * lengthscale**2))


@pytest.mark.parametrize("lengthscale", [0.3, 1.0, 4.0])
def test_values_of_scaled_one_hots_are_those_of_the_overlap_kernel(lengthscale):
    rng = np.random.default_rng(0)
    rows = [codes(rng, m) for m in (20, 30, 25)]
    numbers = [rng.normal(size=(len(part), 2)) for part in rows]
    X = [np.column_stack([C * one_hots(part), own]) for part, own in zip(rows, numbers, strict=True)]
    parties = [Contribution(name, own) for name, own in zip("AB", X[:2], strict=True)]
    game = MaximumMeanDiscrepancy(lengthscale).game(parties, X[2])
    T, T_numbers = np.concatenate(rows), np.concatenate(numbers)
    for i in range(2):
        own = overlap(rows[i], rows[i], numbers[i], numbers[i], lengthscale).mean()
        cross = overlap(rows[i], T, numbers[i], T_numbers, lengthscale).mean()
        assert game(np.eye(2, dtype=bool)[i : i + 1])[0] == pytest.approx(2 * cross - own, abs=1e-12)


def test_in_standard_units_rare_levels_lie_further_off():
    """A one-hot divided by its deviation s: levels a and b are |e_a - e_b|^2 = 1/s_a^2 + 1/s_b^2 apart."""
    rng = np.random.default_rng(1)
    rows = rng.choice(3, size=200, p=[0.7, 0.25, 0.05])
    X = np.eye(3)[rows]
    scaled = Scaling.of_pool([Contribution("A", X)]).features(np.eye(3))
    s = X.std(axis=0)
    squared = np.square(scaled[:, None] - scaled[None]).sum(axis=2)
    expected = (1 / s[:, None] ** 2 + 1 / s[None] ** 2) * (1 - np.eye(3))
    np.testing.assert_allclose(squared, expected, rtol=1e-9)


def test_the_search_for_the_lengthscale_finds_one_for_mixed_columns():
    rng = np.random.default_rng(2)
    parts = [np.column_stack([one_hots(codes(rng, 40)), rng.normal(shift, 1, size=(40, 1))]) for shift in (0, 3, -3)]
    parties = [Contribution(name, part) for name, part in zip("AB", parts[:2], strict=True)]
    game = MaximumMeanDiscrepancy("auto").game(parties, parts[2])
    alone = game(np.eye(2, dtype=bool))
    assert alone.min() == pytest.approx(0.0, abs=1e-9)
    assert np.all(alone >= 0.0)
