"""Rectified rho-Shapley rewards: the reference numbers, HiGHS as a second opinion, and what each incentive promises."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from guerdon.rewards import InfeasibleRewardsError, RectifiedRhoShapley, certify
from guerdon.rewards.rho_shapley import weaker_coalitions
from guerdon.types import Contribution, TableGame
from guerdon.valuation import MaximumMeanDiscrepancy

VECTORS = sorted((Path(__file__).parents[2] / "data").glob("mmd_*.npz"))


def linear_program(alpha, floors, ceilings, epsilon=1e-3):
    """(log v*, rho) by HiGHS; None where it finds nothing."""
    some, low = alpha > 0, (alpha > 0) & (floors > 0)
    rows = np.concatenate(
        [np.c_[np.ones(some.sum()), np.log(alpha[some])], -np.c_[np.ones(low.sum()), np.log(alpha[low])]]
    )
    limits = np.concatenate([np.log(ceilings[some]), -np.log(floors[low])])
    found = linprog([-1, -epsilon], A_ub=rows, b_ub=limits, bounds=[(None, None), (0, 1)], method="highs")
    return found.x if found.success else None


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("incentive", "key"), [("rational", "all"), ("stable", "stable")])
def test_reference_numbers(path, incentive, key):
    case = np.load(path)
    arguments = (case["phi"], case["v_single"], case["vmax"], case["v_Ci"])
    assert np.array_equal(weaker_coalitions(case["phi"]) @ (1 << np.arange(int(case["n"]))), case["Ci_mask"])
    if not case[f"feasible_{key}"]:
        with pytest.raises(InfeasibleRewardsError):
            RectifiedRhoShapley(incentive)(*arguments)
        return
    targets = RectifiedRhoShapley(incentive)(*arguments)
    assert targets.maximum == pytest.approx(float(case[f"vstar_{key}"]), abs=1e-12)
    assert targets.rho == pytest.approx(float(case[f"rho_{key}"]), abs=1e-12)
    np.testing.assert_allclose(targets.values, case[f"r_rect_{key}"], atol=1e-12)
    np.testing.assert_allclose(targets.maximum * case["alpha"] ** targets.rho, case[f"r_{key}"], atol=1e-12)
    assert np.array_equal(targets.ceilings, case["vmax"])


def test_bounds_are_taken_from_a_game():
    case = np.load(VECTORS[-1])
    parties = [Contribution(f"P{i}", case[f"D{i}"]) for i in range(int(case["n"]))]
    game = MaximumMeanDiscrepancy(float(case["ls"])).game(parties, case["G"])
    targets = RectifiedRhoShapley("stable")(game.shapley(), game)
    np.testing.assert_allclose(targets.values, case["r_rect_stable"], atol=1e-12)
    certificate = certify(game, game.shapley(), targets)
    assert all(certificate[name] for name in ("R1", "R2", "R3", "R4", "R5", "R6", "stability"))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 8), room=st.floats(0.01, 2.0))
def test_agrees_with_highs(seed, n, room):
    """The same optimum and the same verdict, up to HiGHS's tolerance of 1e-7."""
    rng = np.random.default_rng(seed)
    alpha = rng.uniform(0.05, 1.0, n)
    alpha[rng.integers(n)] = 1.0
    floors = rng.uniform(-0.1, 1.0, n)
    ceilings = np.maximum(floors, 0.05) * np.exp(room * rng.uniform(0.0, 1.0, n))
    found = linear_program(alpha, floors, ceilings)
    widened = linear_program(alpha, floors, ceilings * (1 + 1e-5))
    narrowed = linear_program(alpha, floors, ceilings * (1 - 1e-5))
    try:
        targets = RectifiedRhoShapley("rational")(alpha, floors, ceilings)
    except InfeasibleRewardsError:
        assert narrowed is None
        return
    assert widened is not None
    if found is not None:
        assert targets.rho == pytest.approx(found[1], abs=1e-4)
        assert np.log(targets.maximum) == pytest.approx(found[0], abs=1e-4)
    shares = targets.maximum * alpha**targets.rho
    assert np.all(shares <= ceilings * (1 + 1e-11))
    assert np.all(shares >= floors - 1e-11)


def test_epsilon_changes_nothing():
    for epsilon in (0.0, 1e-3, 10.0):
        found = RectifiedRhoShapley("rational", epsilon=epsilon)([1.0, 0.5], [0.1, 0.4], [0.9, 0.7])
        assert found.rho == pytest.approx(np.log(0.4 / 0.9) / np.log(0.5) if 0.4 / 0.9 > 0.5 else 1.0)


class TestGivenRho:
    def test_the_best_maximum_for_it(self):
        phi, singles, ceilings = [2.0, 1.0, 0.5], [0.3, 0.2, 0.25], np.array([0.8, 0.6, 0.7])
        for rho in (0.0, 0.3, 1.0):
            targets = RectifiedRhoShapley(rho=rho)(phi, singles, ceilings)
            shares = np.array([1.0, 0.5, 0.25]) ** rho
            assert targets.rho == rho
            assert targets.maximum == pytest.approx((ceilings / shares).min())
            np.testing.assert_allclose(targets.values, np.maximum(singles, shares * targets.maximum))

    def test_thresholds_are_those_of_the_incentives(self):
        arguments = ([2.0, 1.0], [0.3, 0.4], [0.8, 0.7], [0.7, 0.45])
        thresholds = RectifiedRhoShapley(rho=0.9)(*arguments).thresholds
        assert thresholds.rational == RectifiedRhoShapley("rational")(*arguments).rho
        assert thresholds.stable == RectifiedRhoShapley("stable")(*arguments).rho

    def test_deficits_tell_near_equal_rewards_apart(self):
        targets = RectifiedRhoShapley(rho=1e-17)([2.0, 1.0], [0.1, 0.1], [0.8, 0.8])
        assert targets.values[0] == targets.values[1]
        assert targets.deficits[0] < targets.deficits[1]


class TestIncentives:
    def test_none_relies_on_the_rectification(self):
        targets = RectifiedRhoShapley("none")([4.0, 1.0], [0.4, 0.3], [0.9, 0.8])
        assert targets.rho == 1.0
        np.testing.assert_allclose(targets.values, [0.9, 0.3])

    def test_stable_needs_floors(self):
        with pytest.raises(ValueError, match="floors"):
            RectifiedRhoShapley()([1.0, 0.5], [0.1, 0.1], [0.5, 0.5])

    def test_a_floor_of_nothing_binds_nothing(self):
        targets = RectifiedRhoShapley("rational")([1.0, 0.5], [-0.2, 0.0], [0.5, 0.5])
        assert targets.rho == 1.0
        np.testing.assert_allclose(targets.values, [0.5, 0.25])

    def test_identical_parties_get_the_same(self):
        targets = RectifiedRhoShapley("rational")([1.0, 1.0 - 1e-14, 0.3], [0.2, 0.2, 0.1], [0.5, 0.5, 0.6])
        assert targets.values[0] == targets.values[1] == 0.5


class TestNegativeShapley:
    def test_such_a_party_keeps_its_own_data_and_binds_nobody(self):
        targets = RectifiedRhoShapley("rational")([1.0, 0.5, -0.2, 0.0], [0.1, 0.1, 0.45, 0.3], [0.5, 0.5, 0.2, 0.1])
        np.testing.assert_allclose(targets.values, [0.5, 0.25, 0.45, 0.3])
        assert targets.maximum == 0.5

    def test_the_certificate_says_so(self):
        game = TableGame([0.0, 1.0, 0.5, 0.9], parties=("A", "B"))
        targets = RectifiedRhoShapley("rational")([0.95, -0.05], [1.0, 0.5], [1.5, 1.2])
        assert "own data only, outside the theorem: B" in certify(game, [0.95, -0.05], targets).R5.witness

    def test_nobody_positive(self):
        with pytest.raises(ValueError, match="no party has a positive Shapley value"):
            RectifiedRhoShapley("none")([-1.0, 0.0], [0.1, 0.1], [0.5, 0.5])


class TestInfeasible:
    def test_names_the_parties_whose_bounds_conflict(self):
        with pytest.raises(InfeasibleRewardsError, match=r"'rich' .* must get at least 0\.9 while 'poor'") as caught:
            RectifiedRhoShapley("rational")(
                [0.5, 1.0, 0.7], [0.9, 0.1, 0.1], [0.95, 0.3, 0.4], parties=("rich", "poor", "other")
            )
        assert 0 in caught.value.parties

    def test_one_partys_own_bounds(self):
        with pytest.raises(InfeasibleRewardsError) as caught:
            RectifiedRhoShapley("rational")([0.5, 1.0], [0.2, 0.6], [0.5, 0.5])
        assert caught.value.parties == (1,)

    def test_a_ceiling_of_nothing(self):
        with pytest.raises(InfeasibleRewardsError, match="no positive reward"):
            RectifiedRhoShapley("none")([0.5, 1.0], [0.2, 0.6], [-0.1, 0.5])

    def test_touching_bounds_are_feasible(self):
        targets = RectifiedRhoShapley("rational")([0.5, 1.0], [0.3, 0.3], [0.3, 0.3])
        assert targets.rho == 0.0
        np.testing.assert_allclose(targets.values, 0.3)


@pytest.mark.parametrize(
    "arguments",
    [{"incentive": "fair"}, {"rho": 1.5}, {"rho": -0.1}, {"rho": True}, {"epsilon": -1.0}, {"epsilon": float("inf")}],
)
def test_bad_parameters_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        RectifiedRhoShapley(**arguments)


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="singles"):
        RectifiedRhoShapley("none")([1.0, 0.5], [0.1], [0.5, 0.5])
    with pytest.raises(ValueError, match="ceilings"):
        RectifiedRhoShapley("none")([1.0, 0.5], [0.1, 0.1], [0.5, np.nan])


def test_bounds_that_conflict_by_a_hair_are_told_apart():
    with pytest.raises(
        InfeasibleRewardsError, match=r"at least 0\.500000001 while it can get at most 0\.5\."
    ) as caught:
        RectifiedRhoShapley("rational")([1.0, 0.5], [0.500000001, 0.1], [0.5, 0.5])
    assert caught.value.parties == (0,)
