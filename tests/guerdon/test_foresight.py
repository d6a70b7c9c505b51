"""Who can expect to gain, against what is known of it, and against sums of real rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from guerdon.foresight import Assumptions, foresee, require_setting, thresholds
from guerdon.models.statistics import rows_in_units
from guerdon.privacy import noise_multiplier, noisy_sums
from guerdon.types import Statistics

inf = math.inf
SMALL = Assumptions(features=5, draws=8)


def test_without_noise_the_values_are_those_of_so_many_rows() -> None:
    """With many rows Phi' Phi is nearly m I: 1/2 M log(1 + m / s); and the error M s / (m |w|^2)."""
    seen = foresee([20_000, 40_000], [inf, inf], Assumptions(features=5))
    for party, m in zip(seen.parties, (20_000, 40_000), strict=True):
        assert party.alone == pytest.approx(2.5 * math.log1p(m / 0.5), rel=1e-3)
        assert party.value == pytest.approx(party.alone, rel=1e-12)
        assert party.error_alone == pytest.approx(5 / m, rel=0.5)
    assert seen.pool == pytest.approx(2.5 * math.log1p(60_000 / 0.5), rel=1e-3)


def test_sums_that_are_drawn_are_worth_what_those_of_drawn_rows_are() -> None:
    assumed, m, values = Assumptions(features=6, draws=200), 800, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        Phi = np.column_stack([rng.standard_normal((m, 5)), np.ones(m)])
        Phi *= np.minimum(1.0, assumed.bounds.norm / np.linalg.norm(Phi, axis=1))[:, None]
        exact = Statistics.of("p", Phi, rng.standard_normal(m))
        sums = noisy_sums(exact, assumed.bounds, noise_multiplier(10.0, 1e-5), rng.standard_normal)
        rows = rows_in_units(sums, 0.5)
        A = rows.X.T @ (rows.X / np.asarray(rows.noise)[:, None])
        values.append(0.5 * np.linalg.slogdet(np.eye(6) + A)[1])
    (party,) = foresee([m], [10.0], assumed).parties
    assert party.value == pytest.approx(np.mean(values), abs=4.0 * np.std(values) / 10 + 0.02 * np.mean(values))


def test_less_noise_and_more_rows_are_worth_more() -> None:
    rows, values = [500, 700], []
    for epsilon in (1.0, 3.0, 10.0, 100.0, inf):
        values.append([party.value for party in foresee(rows, [epsilon, inf], SMALL).parties])
    assert np.all(np.diff([value for value, _ in values]) > 0.0)
    assert len({value for _, value in values}) == 1  # the other's draws are its own
    grown = [foresee([m, 700], [3.0, inf], SMALL).parties[0].value for m in (500, 5_000, 50_000)]
    assert np.all(np.diff(grown) > 0.0)


def test_the_reward_is_worth_at_least_what_was_sent_and_at_most_the_pool() -> None:
    for rho in ("stable", "rational", 0.0):
        seen = foresee([300, 2_000, 9_000], [10.0, inf, 3.0], replace(SMALL, rho=rho))  # type: ignore[arg-type]
        assert all(p.value <= p.reward <= seen.pool * (1 + 1e-9) for p in seen.parties)
        assert max(p.reward for p in seen.parties) == pytest.approx(seen.pool)


def test_a_threshold_is_where_the_verdict_turns() -> None:
    rows, epsilons = [2_000, 2_000], [3.0, 3.0]
    assert {p.verdict for p in foresee(rows, epsilons, SMALL).parties} == {"loses"}
    (epsilon, times), _ = thresholds(rows, epsilons, SMALL)
    assert 3.0 < epsilon < inf
    assert 1.0 < times < inf
    for factor, gains in ((1.001, True), (0.94, False)):
        tried = foresee(rows, [factor * epsilon, 3.0], SMALL).parties[0].verdict
        assert (tried == "gains") is gains
        grown = foresee([round(factor * times * m) for m in rows], epsilons, SMALL).parties[0].verdict
        assert (grown == "gains") is gains


def test_alone_nothing_is_gained() -> None:
    (party,) = foresee([100], [inf], SMALL).parties
    assert (party.verdict, party.gain, party.better) == ("about even", 0.0, 0.0)
    assert thresholds([100], [inf], SMALL) == [(inf, inf)]


def test_noise_that_leaves_nothing_and_fewer_rows_than_features() -> None:
    seen = foresee([30, 2, 1], [0.001, 0.001, 0.001], SMALL)
    assert all(p.verdict == "loses" and p.reward < 1e-2 for p in seen.parties[:1])
    assert [p.alone > 0.0 for p in seen.parties] == [True, True, True]
    assert np.isfinite([p.error_reward for p in seen.parties]).all()


def test_the_same_seed_gives_the_same() -> None:
    assert foresee([90, 70], [3.0, inf], SMALL) == foresee([90, 70], [3.0, inf], SMALL)
    assert foresee([90, 70], [3.0, inf], SMALL) != foresee([90, 70], [3.0, inf], replace(SMALL, seed=1))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"features": 1}, "features is a whole number from 2"),
        ({"features": 201}, "to 200"),
        ({"noise": 0.0}, "noise is a variance above 0"),
        ({"noise": math.nan}, "noise is a variance above 0"),
        ({"noise": 1.0}, "below 1, got 1.0"),
        ({"weights": -1.0}, "weights is a number above 0"),
        ({"norm": inf}, "norm is a number above 0"),
        ({"output": 0.0}, "output is a number above 0"),
        ({"delta": 1.0}, "delta is a probability"),
        ({"rho": 2.0}, "rho must be a number in"),
        ({"draws": 1}, "draws is a whole number from 2"),
    ],
)
def test_what_can_not_be_assumed(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Assumptions(**{"features": 5, **changes})


@pytest.mark.parametrize(
    ("rows", "epsilons", "match"),
    [
        ([10, 20], [1.0], "got 2 and 1"),
        ([], [], "from 1 to 8 parties"),
        ([10] * 9, [inf] * 9, "got 9"),
        ([10, 0], [inf, inf], "rows are whole numbers from 1"),
        ([10, -5], [inf, inf], "rows are whole numbers from 1"),
        ([10, 20], [0.0, 1.0], "epsilon is a number above 0"),
        ([10, 20], [-1.0, 1.0], "epsilon is a number above 0"),
        ([10, 20], [101.0, 1.0], "at most 100"),
        ([10, 20], [math.nan, 1.0], "epsilon is a number above 0"),
    ],
)
def test_what_can_not_be_foreseen(rows: list[int], epsilons: list[float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        require_setting(rows, epsilons, SMALL)
