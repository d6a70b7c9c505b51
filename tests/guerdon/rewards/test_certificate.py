"""The certificate against the definitions of section 4.1, written out as loops over coalitions and parties."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.models import BayesianLinear
from guerdon.rewards import Certificate, RewardTargets, RhoShapley, certify
from guerdon.shapley import PermutationShapley, exact_shapley
from guerdon.types import Contribution, FloatArray, ShapleyValues, TableGame, all_coalitions
from guerdon.valuation import InformationGain
from tests.games import additive, airport, log_of_sum, monotone_games

Coalition = tuple[int, ...]


class Definitions:
    """R1-R7, F1-F3 and Definition 3 by their text, in fractions."""

    def __init__(self, table: FloatArray, rewards: FloatArray, ceilings: FloatArray, maximum: float) -> None:
        self.parties = range(len(table).bit_length() - 1)
        self.v = {frozenset(C): Fraction(float(table[sum(1 << i for i in C)])) for C in self.coalitions()}
        self.r = [Fraction(float(r)) for r in rewards]
        self.ceilings = [Fraction(float(c)) for c in ceilings]
        self.maximum = Fraction(float(maximum))
        self.phi = [self.shapley(i) for i in self.parties]

    def coalitions(self, without: Coalition = ()) -> list[Coalition]:
        others = [i for i in self.parties if i not in without]
        return list(chain.from_iterable(combinations(others, size) for size in range(len(others) + 1)))

    def value(self, C: Coalition, *more: int) -> Fraction:
        return self.v[frozenset((*C, *more))]

    def shapley(self, i: int) -> Fraction:
        gains = [self.value(o[: o.index(i)], i) - self.value(o[: o.index(i)]) for o in permutations(self.parties)]
        return sum(gains, Fraction(0)) / len(gains)

    def verdicts(self) -> dict[str, bool]:
        F1, F2, F3 = (
            all(self.useless(i, self.r[i] == 0) for i in self.parties),
            all(self.symmetric(i, j) for i in self.parties for j in self.parties if i != j),
            all(self.desirable(i, j) for i in self.parties for j in self.parties if i != j),
        )
        return {
            "R1": all(r >= 0 for r in self.r),
            "R2": all(r <= c for r, c in zip(self.r, self.ceilings, strict=True)),
            "R3": max(self.r) == self.maximum,
            "R4": all(self.r[i] >= self.value((i,)) for i in self.parties),
            "F1": F1,
            "F2": F2,
            "F3": F3,
            "R5": F1 and F2 and F3,
            "R6": all(
                self.value(C) <= self.r[i]
                for C in self.coalitions()
                for i in C
                if self.phi[i] == max(self.phi[j] for j in C)
            ),
            "R7": sum(self.r) >= sum(self.ceilings),
            "stability": all(any(self.value(C) <= self.r[i] for i in C) for C in self.coalitions() if C),
        }

    def useless(self, i: int, given_nothing: bool) -> bool:
        return given_nothing or any(self.value(C, i) != self.value(C) for C in self.coalitions((i,)))

    def symmetric(self, i: int, j: int) -> bool:
        alike = all(self.value(C, i) == self.value(C, j) for C in self.coalitions((i, j)))
        return not alike or self.r[i] == self.r[j]

    def desirable(self, i: int, j: int) -> bool:
        coalitions = self.coalitions((i, j))
        no_less = all(self.value(C, i) >= self.value(C, j) for C in coalitions)
        more = any(self.value(C, i) > self.value(C, j) for C in coalitions)
        return not (no_less and more) or self.r[i] > self.r[j]


@st.composite
def certified(draw: st.DrawFn) -> tuple[TableGame, RewardTargets]:
    """A game of up to 5 parties with rewards that often sit exactly on a bound."""
    game = draw(monotone_games(max_n=5))
    if draw(st.booleans()):  # not monotone
        table = game.values.copy()
        table[1:-1] = table[1:-1][draw(st.permutations(range(len(table) - 2)))]
        game = TableGame(table)
    pool = float(game.values[-1])
    alone = game.values[1 << np.arange(game.n)]
    levels = sorted({-1.0, 0.0, pool / 2, pool, pool + 1.0, *alone.tolist(), *game.values.tolist()})
    rewards = np.array([draw(st.sampled_from(levels)) for _ in range(game.n)])
    if draw(st.booleans()):
        rewards = np.maximum(rewards, alone)
    if draw(st.booleans()):
        rewards[draw(st.integers(0, game.n - 1))] = pool
    ceilings = np.maximum(rewards, pool) if draw(st.booleans()) else np.full(game.n, pool)
    return game, RewardTargets(rewards, None, draw(st.sampled_from([pool, float(rewards.max())])), ceilings)


@settings(max_examples=250)
@given(certified())
def test_it_agrees_with_the_definitions(subject: tuple[TableGame, RewardTargets]) -> None:
    game, targets = subject
    certificate = certify(game, exact_shapley(game.values), targets)
    expected = Definitions(game.values, targets.values, targets.ceilings, targets.maximum).verdicts()
    assert {name: certificate[name].holds for name in expected} == expected
    assert certificate.F4.holds is None


@settings(max_examples=250)
@given(certified())
def test_every_witness_is_one(subject: tuple[TableGame, RewardTargets]) -> None:
    game, targets = subject
    certificate = certify(game, exact_shapley(game.values), targets)
    text = Definitions(game.values, targets.values, targets.ceilings, targets.maximum)
    r, v, failed = text.r, text.value, {c.name for c in certificate if c.holds is False}
    for check in certificate:
        assert check.witness
        assert bool(check) is (check.holds is True)
    if "R1" in failed:
        assert r[certificate.R1.parties[0]] < 0
    if "R2" in failed:
        assert r[certificate.R2.parties[0]] > text.ceilings[certificate.R2.parties[0]]
    if "R3" in failed:
        assert r[certificate.R3.parties[0]] == max(r) != text.maximum
    if "R4" in failed:
        (i,) = certificate.R4.parties
        assert r[i] < v((i,))
    if "F1" in failed:
        (i,) = certificate.F1.parties
        assert not text.useless(i, r[i] == 0)
    if "F2" in failed:
        i, j = certificate.F2.parties
        assert not text.symmetric(i, j)
    if "F3" in failed:
        i, j = certificate.F3.parties
        assert not text.desirable(i, j)
        assert v(certificate.F3.coalition, i) > v(certificate.F3.coalition, j)
    if "R6" in failed:
        (i,) = certificate.R6.parties
        assert text.phi[i] == max(text.phi[j] for j in certificate.R6.coalition)
        assert v(certificate.R6.coalition) > r[i]
    if "stability" in failed:
        assert certificate.stability.coalition
        assert all(v(certificate.stability.coalition) > r[i] for i in certificate.stability.coalition)
    if "R5" in failed:
        assert {"F1", "F2", "F3"} & failed


@pytest.mark.parametrize("scheme", ["what it is worth alone", "what the pool loses without it"])
def test_the_simple_schemes_of_section_4_1_1_are_not_fair(scheme: str) -> None:
    """Parties 0 and 1 differ only in what they add to {2}, which neither scheme looks at."""
    value = {0: 0.0, 1: 2.0, 2: 3.0, 3: 3.5, 4: 4.0}
    table = np.array([value[int(row.sum())] for row in all_coalitions(4)])
    table[0b0101] += 0.25  # {0, 2}
    alone = table[1 << np.arange(4)]
    leave_one_out = table[-1] - table[0b1111 ^ (1 << np.arange(4))]
    rewards = alone if scheme == "what it is worth alone" else leave_one_out
    check = certify(table, exact_shapley(table), rewards).F3
    assert check.holds is False
    assert check.parties == (0, 1)
    assert check.coalition == (2,)
    assert certify(table, exact_shapley(table), RhoShapley(1.0)(exact_shapley(table), table)).F3.holds is True


def test_it_names_the_parties() -> None:
    game = TableGame([0.0, 7.0, 5.0, 8.0], parties=("ada", "bob"))
    certificate = certify(game, [5.0, 3.0], RhoShapley(1.0)([5.0, 3.0], game))
    assert certificate.R4.witness == "bob: r = 4.8 is below its own data's 5"
    assert "bob" in certificate.R6.witness
    assert "{bob}" in certificate.stability.witness
    assert "12.8 of at most 16, 80.0%" in certificate.R7.witness
    assert certificate["R4"] is certificate.R4


def test_comparisons_are_made_at_a_billionth_of_the_pool() -> None:
    table = np.array([0.0, 7.0, 5.0, 8.0])
    for off, holds in ((0.9e-9, True), (1.1e-9, False)):
        assert certify(table, [5.0, 3.0], [8.0, 5.0 - 8.0 * off]).R4.holds is holds
        assert certify(table, [5.0, 3.0], [8.0 * (1 + off), 6.0]).R2.holds is holds
        assert certify(table, [5.0, 3.0], [8.0 * (1 - off), 6.0]).R3.holds is holds


def test_rewards_nearer_than_a_float_are_told_apart_by_their_deficits() -> None:
    table = np.array([0.0, 7.0, 5.0, 8.0])
    targets = RhoShapley(1e-17)([5.0, 3.0], table)
    assert targets.values[0] == targets.values[1]
    assert certify(table, [5.0, 3.0], targets).F3.holds is True
    assert certify(table, [5.0, 3.0], targets.values).F3.holds is False


def test_beyond_sixteen_parties_it_says_what_it_did_not_check() -> None:
    game = airport(np.arange(1.0, 21.0))
    targets = RhoShapley("stable")(game.phi, game)
    certificate = certify(game, game.phi, targets)
    for name in ("F1", "F2", "F3", "R5", "stability"):
        assert certificate[name].holds is None
        assert "not checked" in certificate[name].witness
    assert certificate.R4.holds is True
    assert certificate.R6.holds is True
    assert "suffices if the value is monotone" in certificate.R6.witness
    failing = certify(game, game.phi, RhoShapley(1.0)(game.phi, game)).R6
    assert failing.holds is False
    (worst,) = failing.parties
    assert failing.coalition == tuple(range(worst + 1))


def test_a_fair_split_of_an_additive_game_is_certified() -> None:
    game = additive(np.array([1.0, 2.0, 2.0, 0.0]))
    certificate: Certificate = certify(game, game.phi, RhoShapley(1.0)(game.phi, game))
    assert [check.name for check in certificate if check.holds is not True] == ["F4", "R7"]
    assert certificate.F1.witness == "useless and given nothing: 3"


def test_a_worthless_pool_is_certified_too() -> None:
    certificate = certify([0.0] * 4, [0.0, 0.0], [0.0, 0.0])
    assert [check.name for check in certificate if check.holds is not True] == ["F4"]
    assert certificate.R7.witness == "0 of at most 0"


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match=r"a game of 2 parties needs .* shape \(2,\), got \(3,\) and \(2,\)"):
        certify(np.array([0.0, 1.0, 1.0, 2.0]), [1.0, 1.0, 0.0], [1.0, 1.0])


def test_equal_rewards_for_unequal_parties_are_not_fair() -> None:
    """Theorem 1 needs rho > 0: at 0 no party's reward rises with its data (F4)."""
    game = TableGame([0.0, 5.2, 4.0, 7.0, 4.0, 7.0, 8.0, 8.0], parties=("ada", "bob", "cyn"))
    phi = exact_shapley(game.values)
    fair = certify(game, phi, RhoShapley(0.0)(phi, game)).R5
    assert fair.holds is False
    assert fair.witness == (
        "rho = 0: rewards are equal although Shapley values differ (F4); rho_s = 0: only equal rewards are stable, "
        "so fairness (R5) and stability (R6) exclude each other"
    )
    assert fair.parties[0] == 0


def test_without_an_ordered_pair_rho_zero_is_not_fair_either() -> None:
    """Whom party 0 is added to decides whether it adds more than the others, so F1 to F3 ask nothing of the rewards."""
    table = np.array([0.0, 1.0, 3.0, 6.0, 3.0, 6.0, 3.0, 6.0])
    phi = exact_shapley(table)
    targets = RhoShapley(0.0)(phi, table)
    certificate = certify(table, phi, targets)
    assert [certificate[name].holds for name in ("F1", "F2", "F3")] == [True, True, True]
    assert certificate.R5.holds is False
    assert certificate.R5.witness == "rho = 0: rewards are equal although Shapley values differ (F4)"


def test_equal_rewards_for_equal_parties_are_fair() -> None:
    table = [0.0, 3.0, 3.0, 4.0]
    assert certify(table, [2.0, 2.0 + 1e-13], RhoShapley(0.0)([2.0, 2.0], table)).R5.holds is True


def test_rho_zero_beyond_sixteen_parties_and_with_rewards_of_own_data() -> None:
    game = airport(np.arange(1.0, 21.0))
    assert certify(game, game.phi, RhoShapley(0.0)(game.phi, game)).R5.holds is False
    table, phi = [0.0, 1.0, 0.5, 0.9], [0.7, 0.2]
    targets = RewardTargets(np.array([0.6, 0.9]), 0.0, 0.6, np.array([0.9, 0.9]))
    assert certify(table, phi, targets).R5.witness == (
        "rho = 0: Shapley values differ but do not count in the rewards (F4)"
    )


def test_where_only_equal_rewards_are_stable_the_certificate_says_so() -> None:
    conflict = "rho_s = 0: only equal rewards are stable, so fairness (R5) and stability (R6) exclude each other"
    table = [0.0, 5.2, 4.0, 7.0, 4.0, 7.0, 8.0, 8.0]
    phi = exact_shapley(table)
    fair = certify(table, phi, RhoShapley(1.0)(phi, table))
    assert fair.R5.holds is True
    assert fair.R6.holds is False
    assert fair.R6.witness.endswith(conflict)
    assert conflict not in certify(table, phi, RhoShapley(1.0)(phi, table).values).R6.witness  # an array has no rho_s
    plain = np.array([0.0, 7.0, 5.0, 8.0])
    assert conflict not in certify(plain, [5.0, 3.0], RhoShapley(1.0)([5.0, 3.0], plain)).R6.witness


def sampled(
    values: list[float], covariance: list[list[float]], names: tuple[str, ...], freedom: int = 99
) -> Certificate:
    game = TableGame(additive(np.array(values)).table(), parties=names)
    found = ShapleyValues(np.array(values), covariance=np.array(covariance), degrees_of_freedom=freedom)
    return certify(game, found, RhoShapley(1.0)(found, game))


def test_an_order_within_the_sampling_error_is_said() -> None:
    names = ("ada", "bob", "cyn")
    order = sampled([1.0, 1.1, 3.0], np.diag([0.01, 0.01, 0.01]), names).order
    assert order.holds is None
    assert order.parties == (0, 1)
    assert order.witness == (
        "within the sampling error in 1 of 3 pairs (95% confidence, each pair by itself): "
        "ada and bob (phi 0.1 apart, known to 0.28)"
    )


def test_estimates_that_err_together_are_told_apart() -> None:
    together = [[0.01, 0.0099, 0.0], [0.0099, 0.01, 0.0], [0.0, 0.0, 0.01]]
    certificate = sampled([1.0, 1.1, 3.0], together, ("ada", "bob", "cyn"))
    assert certificate.order.holds is True
    assert "beyond the sampling error in all 3 pairs" in certificate.order.witness
    assert list(certificate)[-1] is certificate["order"]
    few = sampled([1.0, 1.1, 3.0], together, ("ada", "bob", "cyn"), freedom=1)
    assert few.order.holds is None  # an error from two blocks is itself hardly known


def test_many_open_pairs_are_counted_and_the_least_certain_named() -> None:
    names = tuple("abcdefg")
    order = sampled([1.0, 1.01, 1.03, 1.07, 1.15, 1.31, 1.63], np.eye(7), names).order
    assert "in 21 of 21 pairs" in order.witness
    assert "a and b (phi 0.01 apart, known to 2.8), b and c" in order.witness
    assert order.witness.endswith("and 16 more")


@pytest.mark.parametrize("errors", [None, np.zeros(2)])
def test_the_order_of_exact_values_is_no_news(errors: np.ndarray | None) -> None:
    table = [0.0, 7.0, 5.0, 8.0]
    certificate = certify(table, ShapleyValues(np.array([5.0, 3.0]), errors), RhoShapley(1.0)([5.0, 3.0], table))
    assert certificate.order.holds is True
    assert "exact" in certificate.order.witness
    assert "order" not in [check.name for check in certificate]
    assert certify(table, [5.0, 3.0], [8.0, 6.0]).order == certificate.order


def test_the_order_is_open_as_often_as_it_should_be() -> None:
    """Equal parties are called apart in 5 % of samples; unequal ones, given enough permutations, in all."""
    game = log_of_sum(np.array([1.0, 1.0, 1.5, 3.0]))
    apart, settled = 0, 0
    for seed in range(200):
        found = PermutationShapley(80)(game, rng=np.random.default_rng(seed))
        margins = found.difference_margins()
        apart += abs(found.values[0] - found.values[1]) > margins[0, 1]
        settled += abs(found.values[0] - found.values[3]) > margins[0, 3]
    assert apart <= 0.05 * 200 + 4 * np.sqrt(0.05 * 0.95 * 200)
    assert settled == 200


@pytest.mark.parametrize("rho", [0.3, 0.5, 1.0])
def test_a_party_that_adds_almost_nothing_is_not_useless(rho: float) -> None:
    """1e-10 of v_N is no rounding of the scheme's, which rewards it: F1 failed for it."""
    game = TableGame([0.0, 1.0, 1e-10, 1.0 + 1e-10, 2e-10, 1.0 + 2e-10, 3e-10, 1.0 + 3e-10], ("ada", "bob", "cem"))
    phi = exact_shapley(game.values)
    certificate = certify(game, phi, RhoShapley(rho)(phi, game))
    assert certificate.F1.holds is True
    assert "almost useless: bob (phi = 1e-10), cem (phi = 2e-10)" in certificate.F1.witness
    assert certificate.F2.holds is True  # bob and cem differ by as little, and are paid apart
    as_useless = certify(game, [phi[0], 0.0, 0.0], RhoShapley(rho)(phi, game))
    assert as_useless.F1.holds is (rho == 1.0)


def test_what_rounding_leaves_below_zero_is_said() -> None:
    with pytest.raises(ValueError, match="which is 0 as far as float64 can tell beside the 5 of the largest"):
        RhoShapley(1.0)([5.0, -1e-9], TableGame([0.0, 5.0, 0.0, 5.0]))


def test_a_rho_chosen_from_the_game_breaks_strict_monotonicity() -> None:
    """A party adds a row: its Shapley value, v_N and rho_s rise, and its reward falls; at a given rho it rises."""
    others = [[[-11.0, -8.0]], [[4.1, -1.6], [-3.4, 1.0]], [[-4.2, -2.1], [2.3, 4.2]]]

    def rewarded(rows: list[list[float]], rho: float | str) -> tuple[float, float, RewardTargets, Certificate]:
        parties = [Contribution(f"party {i}", np.array(X)) for i, X in enumerate([rows, *others])]
        game = InformationGain(BayesianLinear(0.1)).game(parties)
        phi = exact_shapley(game.table())
        targets = RhoShapley(rho)(phi, game)  # type: ignore[arg-type]
        return float(phi[0]), float(game.table()[-1]), targets, certify(game, phi, targets)

    few, more = ([[-1.6, -0.8]], [[-1.6, -0.8], [4.2, 0.6]])
    before, after = rewarded(few, "stable"), rewarded(more, "stable")
    assert after[0] > before[0] + 0.6
    assert after[1] > before[1]
    assert after[2].rho > before[2].rho + 0.5
    assert after[2].values[0] < before[2].values[0] - 0.04
    for _, _, _, certificate in (before, after):
        assert certificate.F4.holds is None
        assert "does not follow: rho = 0." in certificate.F4.witness
        assert "agreed on beforehand, such as rho = 0." in certificate.F4.witness
    agreed = float(np.floor(1e3 * before[2].rho) / 1e3)
    given_before, given_after = rewarded(few, agreed), rewarded(more, agreed)
    assert given_after[2].values[0] > given_before[2].values[0]
    for _, _, _, certificate in (given_before, given_after):
        assert f"by theorem, for rho = {agreed:.6g} as it was given" in certificate.F4.witness
        assert certificate.R6.holds is True
    unknown = certify(TableGame([0.0, 7.0, 5.0, 8.0]), [5.0, 3.0], [8.0, 4.8])
    assert "by theorem where rho was agreed on beforehand" in unknown.F4.witness


def test_a_witness_has_the_digits_that_tell_its_numbers_apart() -> None:
    """What fails must not read as what holds: 2.679 of at most 2.679."""
    game = TableGame(np.array([0.0, 1.0, 1.0, 2.0]))
    targets = RewardTargets(np.array([2.0, 2.0 - 3e-8]), rho=0.0, maximum=2.0, ceilings=np.array([2.0, 2.0]))
    check = certify(game, exact_shapley(game.values), targets)["R7"]
    assert check.holds is False
    welfare, possible = check.witness.split(",")[0].split(" of at most ")
    assert welfare != possible
    assert float(welfare) < float(possible)


class TestValuesOfSingleRows:
    """What a certificate says where Shapley values are sums over rows."""

    def certified(self, values: list[float], rows: list[float], errors: list[float] | None = None) -> Certificate:
        table = np.array([0.0, 2.0, 2.0, 3.0])  # two parties that are interchangeable
        game = TableGame(table, ("ada", "bob"))
        shapley = ShapleyValues(
            np.array(values),
            rows=np.array(rows),
            standard_errors=None if errors is None else np.array(errors),
        )
        targets = np.array([2.6, 3.0]) if values[0] < values[1] else np.array([3.0, 3.0])
        return certify(game, shapley, targets)

    def test_interchangeable_parties_of_different_sizes_are_told_apart(self) -> None:
        found = self.certified([1.0, 2.0], [1.0, 1.0, 1.0])
        assert found.F2.holds is False
        assert "ada and bob are interchangeable but get 2.6 and 3; the values are of single rows" in found.F2.witness
        assert found.R5.holds is False

    def test_what_is_within_the_sampling_error_is_no_failure(self) -> None:
        assert self.certified([1.4, 1.6], [1.4, 0.8, 0.8], errors=[0.2, 0.2]).F2.holds
        assert self.certified([1.0, 2.0], [1.0, 1.0, 1.0], errors=[0.05, 0.05]).F2.holds is False

    def test_a_useless_party_whose_rows_are_paid_is_named(self) -> None:
        game = TableGame(np.array([0.0, 0.0, 3.0, 3.0]), ("ada", "bob"))
        shapley = ShapleyValues(np.array([1.0, 2.0]), rows=np.array([1.0, 2.0]))
        found = certify(game, shapley, np.array([1.5, 3.0]))
        assert found.F1.holds is False
        assert "ada adds nothing but gets r = 1.5; the values are of single rows" in found.F1.witness

    def test_it_says_what_shells_get_and_that_f4_does_not_follow(self) -> None:
        found = self.certified([1.0, 2.0], [1.0, 1.0, 1.0])
        assert found.shells.holds
        assert "rows under several names are worth the same in sum, exactly" in found.shells.witness
        assert found.F4.holds is None
        assert "does not follow: the values are of single rows" in found.F4.witness
        assert "shells" in [check.name for check in found]
        plain = certify(np.array([0.0, 2.0, 2.0, 3.0]), np.array([1.5, 1.5]), np.array([3.0, 3.0]))
        assert "shells" not in [check.name for check in plain]
