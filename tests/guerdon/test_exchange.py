"""Targets carried from one game to another: both ends stay, and where there is no way to go a party keeps its own."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import ArrayLike

from guerdon.exchange import Exchanged, exchanged_targets
from guerdon.types import FloatArray, RewardTargets, TableGame


@dataclass(frozen=True)
class Bounded:
    """Singletons are worth ``alone``, and rewards at most ``most``."""

    alone: ArrayLike
    most: ArrayLike
    parties: tuple[str, ...] = field(default=("ada", "bob"))

    @property
    def n(self) -> int:
        return len(self.parties)

    def __call__(self, coalitions: FloatArray) -> FloatArray:
        return np.asarray(coalitions, dtype=float) @ np.asarray(self.alone, dtype=float)

    def ceilings(self) -> FloatArray:
        return np.asarray(self.most, dtype=float)


def targets(values: ArrayLike, most: ArrayLike) -> RewardTargets:
    values, most = np.asarray(values, dtype=float), np.asarray(most, dtype=float)
    return RewardTargets(values, rho=None, maximum=float(values.max()), ceilings=most)


def test_the_share_of_the_way_is_the_same() -> None:
    found = exchanged_targets(
        Bounded([1.0, 2.0], [5.0, 6.0]), targets([2.0, 6.0], [5.0, 6.0]), Bounded([0.1, 0.2], [0.5, 0.6])
    )
    assert found.targets.values == pytest.approx([0.2, 0.6])
    assert found.back("ada", 0.2) == pytest.approx(2.0)
    assert found.back("bob", 0.2) == 2.0


def test_who_has_the_most_already_gets_the_most() -> None:
    found = exchanged_targets(
        Bounded([5.0, 2.0], [5.0, 6.0]), targets([5.0, 4.0], [5.0, 6.0]), Bounded([0.1, 0.2], [0.5, 0.6])
    )
    assert found.targets.values == pytest.approx([0.5, 0.4])
    assert found.back("ada", 0.5) == 5.0


@pytest.mark.parametrize("most", [0.1, 0.1 - 1e-16, 0.1 + 1e-16, 0.05])
def test_where_the_carrier_has_no_way_a_reward_is_worth_what_the_party_has(most: float) -> None:
    """It is the party's own data, and saying that it reached the target, or the most, would be false."""
    found = exchanged_targets(
        Bounded([1.0, 2.0], [5.0, 6.0]), targets([3.0, 4.0], [5.0, 6.0]), Bounded([0.1, 0.2], [most, 0.6])
    )
    assert found.targets.values == pytest.approx([0.1, 0.4], abs=1e-15)
    assert found.targets.values[0] >= 0.1
    assert found.back("ada", 0.1) == 1.0
    assert found.back("bob", 0.4) == pytest.approx(4.0)


def test_whose_own_data_is_worth_more_than_the_pool_keeps_it() -> None:
    """As rectified rewards have it where the value is not monotone."""
    found = exchanged_targets(
        Bounded([7.0, 2.0], [5.0, 5.0]), targets([7.0, 5.0], [5.0, 5.0]), Bounded([0.1, 0.2], [0.5, 0.6])
    )
    assert found.targets.values == pytest.approx([0.1, 0.6])
    assert found.back("ada", 0.1) == 7.0


@pytest.mark.parametrize("value", [0.5, 5.5])
def test_what_is_not_on_the_way_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=f"'ada': its target {value} is not between the 1 .* and the 5"):
        exchanged_targets(
            Bounded([1.0, 2.0], [5.0, 6.0]), targets([value, 4.0], [5.0, 6.0]), Bounded([0.1, 0.2], [0.5, 0.6])
        )


def test_one_party_has_the_most_there_is() -> None:
    found = exchanged_targets(TableGame([0.0, 3.0]), targets([3.0], [3.0]), TableGame([0.0, 0.3], ("ada",)))
    assert found.targets.values == [0.3]
    assert found.back("ada", 0.3) == 3.0


def test_a_reward_made_in_the_carrier_can_be_copied() -> None:
    found = exchanged_targets(TableGame([0.0, 3.0]), targets([3.0], [3.0]), TableGame([0.0, 0.3], ("ada",)))
    assert copy.copy(Exchanged("a reward", found)).made == "a reward"
