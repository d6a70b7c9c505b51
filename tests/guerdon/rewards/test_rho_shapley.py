"""rho-Shapley rewards: Theorem 1 of Sim et al. (ICML 2020) as properties of random monotone games."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guerdon.rewards import RewardTargets, RhoShapley, certify, rho_thresholds
from guerdon.rewards.rho_shapley import relative_shapley, weaker_coalitions
from guerdon.shapley import ShapleyValues, exact_shapley
from guerdon.types import FloatArray, TableGame
from tests.games import monotone_closure, monotone_games

EXAMPLE_1 = TableGame([0.0, 7.0, 5.0, 8.0])


def targets_at(game: TableGame, rho: float) -> RewardTargets:
    """r = (phi / phi*)^rho v_N for any rho, also one that the scheme would not take."""
    alpha = relative_shapley(exact_shapley(game.values))
    values = game.values[-1] * alpha**rho if rho > 0 else np.full(game.n, game.values[-1])
    return RewardTargets(values, rho, float(game.values[-1]), np.full(game.n, game.values[-1]))


def near(threshold: float) -> list[float]:
    """rho below and above a threshold by a relative 1e-6, and some farther away."""
    fixed = [1e-9, 0.1, 0.5, 1.0, 3.0]
    return fixed if not np.isfinite(threshold) else [*fixed, threshold * (1 - 1e-6), threshold * (1 + 1e-6)]


@given(monotone_games())
def test_individually_rational_exactly_up_to_rho_r(game: TableGame) -> None:
    phi = exact_shapley(game.values)
    threshold = rho_thresholds(phi, game).rational
    for rho in near(threshold):
        if abs(rho - threshold) > 1e-7 * threshold and _tells_apart(game, rho, threshold):
            assert certify(game, phi, targets_at(game, rho)).R4.holds is (rho <= threshold), (rho, threshold)


@given(monotone_games())
def test_stable_exactly_up_to_rho_s(game: TableGame) -> None:
    phi = exact_shapley(game.values)
    thresholds = rho_thresholds(phi, game)
    assert thresholds.stable <= thresholds.rational * (1 + 1e-12)
    for rho in near(thresholds.stable):
        if abs(rho - thresholds.stable) > 1e-7 * thresholds.stable and _tells_apart(game, rho, thresholds.stable):
            certificate = certify(game, phi, targets_at(game, rho))
            assert certificate.R6.holds is (rho <= thresholds.stable), (rho, thresholds)


def _tells_apart(game: TableGame, rho: float, threshold: float) -> bool:
    """Whether rewards at rho differ from those at the threshold by more than the certificate's tolerance."""
    if not np.isfinite(threshold):
        return True
    gap = np.abs(targets_at(game, rho).values - targets_at(game, threshold).values)
    return bool(gap[gap > 0].min(initial=np.inf) > 4e-9 * game.values[-1])


@given(monotone_games(), st.sampled_from([1e-13, 1e-6, 0.2, 0.7, 1.0]))
def test_fair_and_weakly_efficient_for_every_positive_rho(game: TableGame, rho: float) -> None:
    phi = exact_shapley(game.values)
    certificate = certify(game, phi, RhoShapley(rho)(phi, game))
    for condition in ("R1", "R2", "R3", "R5", "F1", "F2", "F3"):
        assert certificate[condition].holds is True, certificate[condition]


@given(monotone_games())
def test_rho_zero_gives_everything_to_all(game: TableGame) -> None:
    phi = exact_shapley(game.values)
    targets = RhoShapley(0.0)(phi, game)
    assert targets.values.tolist() == [game.values[-1]] * game.n
    assert targets.deficits.tolist() == [0.0] * game.n
    certificate = certify(game, phi, targets)
    for condition in ("R1", "R2", "R3", "R4", "R6", "R7", "stability"):
        assert certificate[condition].holds is True, certificate[condition]
    alike = bool(np.all(relative_shapley(phi) == 1.0))
    assert certificate.R5.holds is alike, certificate.R5  # rho = 0 is outside Theorem 1


@given(monotone_games())
def test_the_named_rhos_are_what_they_promise(game: TableGame) -> None:
    phi = exact_shapley(game.values)
    rational, stable = RhoShapley("rational")(phi, game), RhoShapley("stable")(phi, game)
    assert rational.rho == min(1.0, rational.thresholds.rational)
    assert stable.rho == min(1.0, stable.thresholds.stable)
    assert certify(game, phi, rational).R4.holds is True
    certificate = certify(game, phi, stable)
    assert certificate.R4.holds is True
    assert certificate.R6.holds is True
    if stable.rho == 0.0:
        assert certificate.R5.holds is False
        assert "exclude each other" in certificate.R5.witness


@given(monotone_games(), st.sampled_from([0.0, 0.3, 1.0, 2.0]))
def test_r6_implies_definition_3(game: TableGame, rho: float) -> None:
    phi = exact_shapley(game.values)
    certificate = certify(game, phi, targets_at(game, rho))
    assert certificate.stability.holds is True or certificate.R6.holds is False


@settings(max_examples=200)
@given(monotone_games(max_n=5), st.data())
def test_strictly_monotone_between_two_games(game: TableGame, data: st.DataObject) -> None:
    """F4: some coalitions with i are worth more, all else equal, and more can be given: then r_i rises."""
    i = data.draw(st.integers(0, game.n - 1))
    masks = np.arange(len(game.values))
    raised = game.values + np.where(masks >> i & 1, [data.draw(st.integers(0, 5)) for _ in masks], 0)
    raised = monotone_closure(raised)
    assert np.array_equal(raised[masks >> i & 1 == 0], game.values[masks >> i & 1 == 0])
    rho = data.draw(st.sampled_from([0.05, 0.5, 1.0]))
    before = RhoShapley(rho)(exact_shapley(game.values), game).values[i]
    after = RhoShapley(rho)(exact_shapley(raised), TableGame(raised)).values[i]
    assume(np.any(raised > game.values))
    assume(raised[-1] > before)
    assert after > before


@given(monotone_games(), st.floats(0, 1), st.floats(0, 1))
def test_rewards_fall_as_rho_rises(game: TableGame, one: float, other: float) -> None:
    phi = exact_shapley(game.values)
    less, more = sorted((one, other))
    generous, strict = RhoShapley(less)(phi, game).values, RhoShapley(more)(phi, game).values
    assert np.all(strict <= generous * (1 + 1e-14))


def test_example_1_of_the_paper() -> None:
    targets = RhoShapley(1.0)(ShapleyValues(np.array([5.0, 3.0])), EXAMPLE_1)
    assert targets.values == pytest.approx([8.0, 4.8], rel=1e-15)
    assert targets.thresholds.rational == pytest.approx(np.log(5 / 8) / np.log(3 / 5), rel=1e-15)
    assert targets.maximum == 8.0
    assert targets.ceilings.tolist() == [8.0, 8.0]
    assert certify(EXAMPLE_1, [5.0, 3.0], targets).R4.holds is False


def test_deficits_keep_the_digits_that_values_lose() -> None:
    targets = RhoShapley(1e-13)([5.0, 3.0], EXAMPLE_1)
    assert targets.deficits[1] == pytest.approx(-8.0 * 1e-13 * np.log(3 / 5), rel=1e-12)
    assert targets.deficits[0] == 0.0
    assert not np.signbit(targets.deficits[0])


def test_ties_within_rounding_are_ties() -> None:
    phi = np.array([1.0, 1.0 - 4e-13, 1e-13, 0.5])
    assert relative_shapley(phi).tolist() == [1.0, 1.0, 0.0, 0.5]
    assert relative_shapley(np.array([1.0, -1e-13])).tolist() == [1.0, 0.0]
    assert weaker_coalitions(phi).tolist() == [
        [True, True, True, True],
        [True, True, True, True],
        [False, False, True, False],
        [False, False, True, True],
    ]


def test_a_null_party_gets_nothing_and_binds_nothing() -> None:
    game = TableGame([0.0, 2.0, 3.0, 4.0, 0.0, 2.0, 3.0, 4.0])
    targets = RhoShapley("stable")([1.5, 2.5, 0.0], game)
    assert targets.values[2] == 0.0
    assert targets.thresholds.stable == pytest.approx(np.log(2 / 4) / np.log(1.5 / 2.5))
    assert RhoShapley(0.0)([1.5, 2.5, 0.0], game).values.tolist() == [4.0, 4.0, 4.0]


def test_what_rounding_leaves_of_a_null_party_binds_nothing() -> None:
    game = TableGame([0.0, 2.0, 3.0, 4.0, 4e-12, 2.0, 3.0, 4.0])
    thresholds = rho_thresholds([1.5, 2.5, 1e-14], game)
    assert thresholds.rational == pytest.approx(np.log(2 / 4) / np.log(1.5 / 2.5))
    # A party worth something alone can't be rewarded with nothing, whatever rho is.
    assert rho_thresholds([1.5, 2.5, 0.0], TableGame([0.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0])).rational == 0.0


def test_a_value_above_the_pools_counts_as_the_pools() -> None:
    thresholds = rho_thresholds([5.0, 3.0], TableGame([0.0, 7.0, 8.0 * (1 + 1e-15), 8.0]))
    assert thresholds.stable == thresholds.rational == 0.0
    assert RhoShapley("stable")([5.0, 3.0], TableGame([0.0, 7.0, 8.5, 8.0])).rho == 0.0


def test_identical_parties_bind_nothing() -> None:
    targets = RhoShapley("rational")([2.0, 2.0], TableGame([0.0, 3.0, 3.0, 4.0]))
    assert targets.thresholds.rational == np.inf
    assert targets.rho == 1.0
    assert targets.values.tolist() == [4.0, 4.0]


def test_a_negative_shapley_value_names_the_party() -> None:
    game = TableGame([0.0, 4.0, 3.0, 2.0], parties=("ada", "bob"))
    with pytest.raises(ValueError, match=r"party 'bob' has a negative Shapley value, -1"):
        RhoShapley(1.0)([3.0, -1.0], game)
    with pytest.raises(ValueError, match="party 1 has a negative"):
        rho_thresholds([3.0, -1.0], game.values)


@pytest.mark.parametrize("rho", [-0.1, 1.0000001, "fair", True, np.nan, None])
def test_unusable_rhos_are_refused(rho: object) -> None:
    with pytest.raises(ValueError, match=r"rho must be a number in \[0, 1\], 'rational' or 'stable', got"):
        RhoShapley(rho)  # type: ignore[arg-type]


def test_a_worthless_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="worth"):
        RhoShapley(1.0)([0.0, 0.0], TableGame([0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="the pooled data is worth 0: there is nothing to reward"):
        RhoShapley(1.0)([1.0, 1.0], TableGame([0.0, 1.0, 1.0, 0.0]))
    with pytest.raises(ValueError, match="finite"):
        RhoShapley(1.0)([np.nan, 0.0], EXAMPLE_1)


def test_arguments_are_left_alone() -> None:
    phi: FloatArray = np.array([5.0, 3.0, 1e-14])
    table = monotone_closure(np.arange(8.0))
    before = phi.copy(), table.copy()
    RhoShapley("stable")(phi, table)
    assert np.array_equal(phi, before[0])
    assert np.array_equal(table, before[1])


def test_a_game_that_knows_less_can_be_had_is_held_to_it() -> None:
    """Ceilings below v_N, as synthetic rows have: R2 fails where the target is above what can be made."""

    class Ceilinged(TableGame):
        def ceilings(self) -> np.ndarray:
            return np.array([6.0, 9.0])

    game = Ceilinged(np.array([0.0, 7.0, 5.0, 8.0]))
    phi = exact_shapley(game.values)
    targets = RhoShapley(rho=1.0)(phi, game)
    assert targets.ceilings.tolist() == [6.0, 9.0]
    assert certify(game, phi, targets)["R2"].holds is False
    assert certify(game, phi, RhoShapley(rho=1.0)(phi, TableGame(game.values)))["R2"].holds
