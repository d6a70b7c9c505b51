"""The formulas of Wu et al. (ICLR 2024) against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.federated import mean_of, others_drawn, others_numbers, reward_rates


def test_reward_rates() -> None:
    np.testing.assert_allclose(reward_rates(np.array([5.0, 10.0, 20.0])), [0.25, 0.5, 1.0], rtol=1e-15)
    np.testing.assert_allclose(reward_rates(np.array([5.0, 10.0, 20.0]), 10.0), [0.5, 1.0, 1.0], rtol=1e-15)
    with pytest.raises(ValueError, match="positive"):
        reward_rates(np.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("kappa", "numbers"),
    [
        (0.0, [1, 1, 2, 3, 4]),  # ceil of .01, .25, .5, .75, 1 times 4
        (0.5, [1, 2, 3, 4, 4]),  # .1, .5, .707, .866, 1 times 4
        (1.0, [4, 4, 4, 4, 4]),
    ],
)
def test_how_many_others(kappa: float, numbers: list[int]) -> None:
    assert others_numbers(np.array([0.01, 0.25, 0.5, 0.75, 1.0]), kappa).tolist() == numbers


def test_a_product_that_is_whole_is_not_rounded_up() -> None:
    assert others_numbers(np.array([0.6, 0.1 + 0.2] + [1.0] * 9), 0.0)[:2].tolist() == [6, 3]


def test_others_are_drawn_evenly_without_oneself() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros((4, 4))
    for _ in range(3000):
        for i, drawn in enumerate(others_drawn(np.array([1, 2, 3, 2]), rng)):
            assert len(set(drawn.tolist())) == len(drawn)
            counts[i, drawn] += 1
    assert np.all(np.diagonal(counts) == 0)
    expected = 3000 * np.array([[0, 1, 1, 1], [2, 0, 2, 2], [3, 3, 0, 3], [2, 2, 2, 0]]) / 3
    assert np.abs(counts - expected).max() < 5 * np.sqrt(3000 * 0.25)


def test_the_mean_of_some_updates() -> None:
    updates = [{"w": np.array([1.0, 2.0])}, {"w": np.array([3.0, 6.0])}, {"w": np.array([9.0, 9.0])}]
    assert mean_of(updates, [0, 1])["w"].tolist() == [2.0, 4.0]
