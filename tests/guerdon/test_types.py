"""What a contribution and a game may be, and how what they may not be is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from guerdon.types import (
    Contribution,
    Game,
    ShapleyValues,
    TableGame,
    all_coalitions,
    coalition_members,
    game_table,
    shapley_array,
    silent,
)


def test_a_contribution_is_a_frozen_copy_in_float64() -> None:
    X, y = np.arange(6, dtype=np.int32).reshape(3, 2), [1, 2, 3]
    contribution = Contribution("ada", X, y, ["a", "b"], noise=np.float32(0.5))
    assert contribution.X.dtype == contribution.y.dtype == np.float64
    assert contribution.feature_names == ("a", "b")
    assert contribution.noise == 0.5
    assert isinstance(contribution.noise, float)
    assert len(contribution) == 3
    X[0, 0] = 99
    assert contribution.X[0, 0] == 0.0
    for array in (contribution.X, contribution.y, Contribution("ada", X, noise=np.ones(3)).noise):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_zero_rows_are_a_contribution() -> None:
    assert len(Contribution("ada", np.empty((0, 3)), np.empty(0), noise=np.empty(0))) == 0


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"X": np.zeros(3)}, r"X of party 'ada' must have shape \(rows, features\), got \(3,\)"),
        ({"X": [[np.nan, 1.0], [np.inf, 2.0]]}, "X of party 'ada' must be finite, got 2 NaN or infinite values of 4"),
        ({"y": np.zeros(2)}, r"y of party 'ada' must have shape \(3,\) as X has rows, got \(2,\)"),
        ({"y": np.zeros((3, 1))}, r"y .* got \(3, 1\)"),
        ({"y": [0.0, np.nan, 0.0]}, "y of party 'ada' must be finite, got 1 NaN or infinite values of 3"),
        ({"feature_names": ("a",)}, "party 'ada' names 1 features but X has 2 columns"),
        ({"noise": 0.0}, "noise variances of party 'ada' must be positive, 1 of 1 are not"),
        ({"noise": [0.1, -2.0, 0.1]}, "must be positive, 1 of 3 are not"),
        ({"noise": np.ones(2)}, r"noise of party 'ada' must be one variance or shape \(3,\), got \(2,\)"),
        ({"noise": np.inf}, "noise of party 'ada' must be finite"),
        ({"X": [["a", "b"]]}, "could not convert"),
    ],
)
def test_what_is_no_contribution_is_refused_by_name(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Contribution(**{"party": "ada", "X": np.zeros((3, 2)), **fields})


def test_coalitions_and_bitmasks() -> None:
    coalitions = all_coalitions(3)
    assert coalitions.shape == (8, 3)
    assert coalitions[0b101].tolist() == [True, False, True]
    assert [coalition_members(mask, 3) for mask in (0, 0b101, 0b111)] == [(), (0, 2), (0, 1, 2)]


def test_a_table_is_a_game() -> None:
    game = TableGame([0, 7, 5, 8], parties=("ada", "bob"))
    assert isinstance(game, Game)
    assert game.n == 2
    assert game(all_coalitions(2)).tolist() == [0.0, 7.0, 5.0, 8.0]
    assert game(np.empty((0, 2), dtype=bool)).shape == (0,)
    assert game.table() is game.values


class Plain:
    """A game that only values coalitions."""

    n = 2

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        return coalitions @ np.array([1.0, 2.0])


class Crooked(Plain):
    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        return np.ones(3)


class Haunted(Plain):
    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        return np.ones(len(coalitions))


def test_the_table_of_whatever_stands_for_a_game() -> None:
    assert game_table(Plain()).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert game_table([0.0, 7.0, 5.0, 8.0]).tolist() == [0.0, 7.0, 5.0, 8.0]
    assert game_table(TableGame([0.0, 1.0])).tolist() == [0.0, 1.0]
    with pytest.raises(
        ValueError, match=r"a game of 2 parties must return \(4,\) values for all coalitions, got \(3,\)"
    ):
        game_table(Crooked())
    with pytest.raises(ValueError, match=r"the empty coalition is worth 0, got 1\.0"):
        game_table(Haunted())


def test_shapley_values_by_either_name() -> None:
    values = ShapleyValues(np.array([5.0, 3.0]))
    assert shapley_array(values) is values.values
    assert shapley_array([5, 3]).tolist() == [5.0, 3.0]
    assert values.alpha.tolist() == [1.0, 0.6]
    for wrong in ([[1.0]], [np.nan, 1.0], 3.0):
        with pytest.raises(ValueError, match=r"finite \(n,\) array"):
            shapley_array(wrong)


def test_intervals_are_students() -> None:
    covariance = np.array([[0.04, 0.01, 0.0], [0.01, 0.09, 0.0], [0.0, 0.0, 0.0]])
    values = ShapleyValues(np.array([5.0, 3.0, 1.0]), covariance=covariance, degrees_of_freedom=7)
    assert values.standard_errors == pytest.approx([0.2, 0.3, 0.0])
    half = np.array([0.2, 0.3, 0.0]) * stats.t.ppf(0.975, 7)
    np.testing.assert_allclose(values.confidence_interval(), np.stack([values.values - half, values.values + half], 1))
    np.testing.assert_allclose(
        values.difference_errors(), np.sqrt([[0.0, 0.11, 0.04], [0.11, 0.0, 0.09], [0.04, 0.09, 0.0]])
    )
    np.testing.assert_allclose(values.difference_margins(0.9), values.difference_errors() * stats.t.ppf(0.95, 7))


def test_intervals_by_what_is_known_of_the_errors() -> None:
    exact = ShapleyValues(np.array([5.0, 3.0]))
    assert exact.confidence_interval().tolist() == [[5.0, 5.0], [3.0, 3.0]]
    assert not exact.difference_margins().any()
    plain = ShapleyValues(np.array([5.0, 3.0]), np.array([0.3, 0.4]))
    assert plain.confidence_interval(0.95)[0] == pytest.approx([5.0 - 1.96 * 0.3, 5.0 + 1.96 * 0.3], abs=1e-4)
    assert plain.difference_errors()[0, 1] == pytest.approx(0.5)  # as if independent
    apart = ShapleyValues(np.array([5.0, 3.0]), np.array([0.3, 0.4]), degrees_of_freedom=np.array([3.0, np.inf]))
    assert apart.confidence_interval()[0, 1] == pytest.approx(5.0 + 0.3 * stats.t.ppf(0.975, 3))
    assert apart.confidence_interval()[1, 1] == pytest.approx(3.0 + 0.4 * stats.norm.ppf(0.975))
    assert apart.difference_margins()[0, 1] == pytest.approx(0.5 * stats.t.ppf(0.975, 3))
    with pytest.raises(ValueError, match="level is a probability between 0 and 1, got 95"):
        plain.confidence_interval(95)


def test_silence() -> None:
    assert silent("value", 1, 2) is None
