"""Auto chooses, and says what it chose."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.shapley import Auto
from guerdon.types import TableGame
from tests.games import additive, airport, log_of_sum


class WithClosedForm(TableGame):
    def shapley(self) -> np.ndarray:
        return np.array([5.0, 3.0])


def test_the_games_closed_form_first() -> None:
    found = Auto()(WithClosedForm([0.0, 7.0, 5.0, 8.0]), rng=np.random.default_rng(0))
    assert found.values.tolist() == [5.0, 3.0]
    assert "closed form" in found.method
    assert found.standard_errors is None


@pytest.mark.parametrize("n", [1, 5, 16])
def test_all_coalitions_to_sixteen_parties(n: int) -> None:
    game = airport(np.linspace(1.0, 2.0, n))
    found = Auto()(game, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, game.phi, rtol=1e-10)
    assert found.method == "exact, all coalitions"
    assert found.evaluations == 2**n


def test_permutations_beyond() -> None:
    game = additive(np.arange(1.0, 18.0))
    found = Auto(permutations=100)(game, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, game.phi, rtol=1e-12)
    assert found.standard_errors is not None
    assert "permutations" in found.method


@pytest.mark.parametrize("permutations", ["x", -3, 0, 10.5, True])
def test_permutations_are_counted(permutations: object) -> None:
    with pytest.raises(ValueError, match=f"permutations must be a whole number of at least 1, got {permutations!r}"):
        Auto(permutations)  # type: ignore[arg-type]


def test_a_wanted_error_is_handed_on() -> None:
    game = log_of_sum(np.geomspace(0.5, 5.0, 18))
    found = Auto(standard_error=0.01, relative=True)(game, rng=np.random.default_rng(0))
    assert found.standard_errors.max() <= 0.01 * found.values.max()
    assert "reached" in found.method
    with pytest.raises(ValueError, match="standard_error is a positive number"):
        Auto(standard_error=-1.0)
