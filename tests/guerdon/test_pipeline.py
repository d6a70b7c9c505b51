"""The mechanism as a whole: the order of arrival changes nothing, and no part needs to be ours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pytest

from guerdon.models import GaussianProcess
from guerdon.pipeline import Allocation, Given, allocate, asks
from guerdon.realization import NoiseInjection
from guerdon.rewards import RewardTargets, RhoShapley
from guerdon.shapley import Auto, PermutationShapley, ShapleyValues
from guerdon.testing import example_contributions
from guerdon.types import Contribution, Game, TableGame
from guerdon.valuation import InformationGain

MODEL = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.5)", noise=0.2)


def run(contributions: list[Contribution], **kwargs: object) -> Allocation:
    parts = {
        "value": InformationGain(MODEL),
        "shapley": Auto(),
        "scheme": RhoShapley("stable"),
        "realization": NoiseInjection(),
        "rng": np.random.default_rng(0),
        **kwargs,
    }
    return allocate(contributions, **parts)  # type: ignore[arg-type]


def test_the_order_of_arrival_changes_no_bit() -> None:
    runs = [
        run(list(order), shapley=PermutationShapley(60), secret_rng=np.random.default_rng(1))
        for order in permutations(example_contributions())
    ]
    at = np.random.default_rng(2).normal(size=(5, 2))
    for other in runs[1:]:
        assert other.parties == ("ada", "bob", "cyn")
        np.testing.assert_array_equal(other.shapley.values, runs[0].shapley.values)
        np.testing.assert_array_equal(other.targets.values, runs[0].targets.values)
        for one, two in zip(runs[0].rewards, other.rewards, strict=True):
            assert (one.party, one.eta, one.reached) == (two.party, two.eta, two.reached)
            np.testing.assert_array_equal(one.draws, two.draws)
            for first, second in zip(one.posterior.predict(at), two.posterior.predict(at), strict=True):
                np.testing.assert_array_equal(first, second)


def test_everything_holds_together() -> None:
    allocation = run(list(example_contributions()))
    assert allocation.shapley.values.sum() == pytest.approx(allocation.game.table()[-1], rel=1e-12)
    assert allocation.targets.rho == min(1.0, allocation.targets.thresholds.stable)
    for condition in ("R1", "R2", "R3", "R4", "R5", "R6", "stability"):
        assert allocation.certificate[condition].holds is True
    for reward, target in zip(allocation.rewards, allocation.targets.values, strict=True):
        assert reward.reached == pytest.approx(target, rel=1e-11)


def test_the_secret_generator_draws_the_noise_and_nothing_else() -> None:
    def drawn(public: int, secret: int) -> Allocation:
        return run(
            list(example_contributions()),
            shapley=PermutationShapley(6),
            rng=np.random.default_rng(public),
            secret_rng=np.random.default_rng(secret),
        )

    base, other_secret, other_public = drawn(0, 0), drawn(0, 1), drawn(1, 0)
    np.testing.assert_array_equal(base.shapley.values, other_secret.shapley.values)
    noisy = next(i for i, reward in enumerate(base.rewards) if len(reward.draws) and reward.eta > 0)
    assert not np.array_equal(base.rewards[noisy].draws, other_secret.rewards[noisy].draws)
    unit = [run_.rewards[noisy].draws / np.sqrt(run_.rewards[noisy].eta) for run_ in (base, other_public)]
    np.testing.assert_allclose(unit[0], unit[1], rtol=1e-12)


def test_it_stops_before_realization_where_asked() -> None:
    allocation = run(list(example_contributions()), realization=None)
    assert allocation.rewards == ()
    assert allocation.certificate.R4.holds is True


def test_one_name_one_contribution() -> None:
    ada = example_contributions()[0]
    with pytest.raises(ValueError, match="each party contributes once, got ada, ada"):
        run([ada, ada])


def test_progress_tells_the_stages_in_order() -> None:
    calls: list[tuple[str, int, int]] = []
    run(list(example_contributions()), progress=lambda *call: calls.append(call))
    stages = list(dict.fromkeys(stage for stage, _, _ in calls))
    assert set(stages) == {"value", "shapley", "rewards", "realize"}
    assert stages[-1] == "realize"
    assert [call for call in calls if call[0] == "realize"] == [("realize", done, 3) for done in range(4)]


@dataclass(frozen=True)
class CountRows:
    def game(self, contributions: list[Contribution], *, progress: object = None) -> TableGame:
        sizes = np.array([len(c) for c in contributions])
        masks = np.arange(1 << len(sizes))
        return TableGame((masks[:, None] >> np.arange(len(sizes)) & 1) @ sizes.astype(float))


@dataclass(frozen=True)
class Proportional:
    def __call__(self, shapley: ShapleyValues, game: Game) -> RewardTargets:
        pool = float(shapley.values.sum())
        return RewardTargets(shapley.alpha * pool, None, pool, np.full(game.n, pool))


@dataclass(frozen=True)
class Promise:
    def __call__(self, game: Game, targets: RewardTargets, *, rng: np.random.Generator) -> list[str]:
        return [f"{value:.0f} rows' worth" for value in targets.values]


def test_parts_of_ones_own() -> None:
    allocation = run(list(example_contributions()), value=CountRows(), scheme=Proportional(), realization=Promise())
    assert allocation.shapley.values == pytest.approx([7.0, 4.0, 1.0])
    assert allocation.rewards == ("12 rows' worth", "7 rows' worth", "2 rows' worth")
    assert "ada" in allocation.certificate.R4.witness + allocation.certificate.R2.witness  # a table without names
    assert allocation.certificate.R5.holds is True


@pytest.mark.parametrize(
    ("found", "words"),
    [(TableGame([0.0, 1.0, 1.0, 2.0]), "a game of 3 parties, got one of 2"), (None, "has n and .*, got NoneType")],
)
def test_a_valuation_values_who_contributed(found: object, words: str) -> None:
    class Odd:
        def game(self, contributions: object, *, progress: object = None) -> object:
            return found

    with pytest.raises(ValueError, match=f"Odd.game should give .*{words}"):
        run(list(example_contributions()), value=Odd())


def test_what_a_valuation_asks_for_and_is_not_given_is_a_sentence() -> None:
    class Priced:
        def game(self, contributions: object, prices: object, *, progress: object = None, more: int = 1) -> None: ...

    assert asks(Priced()) == ("prices",)
    assert asks(InformationGain()) == ("model",)
    assert asks(InformationGain(MODEL)) == ()
    with pytest.raises(ValueError, match="Priced asks for prices, and there is model"):
        Given(Priced(), {"model": MODEL}).game(example_contributions())


@pytest.mark.parametrize(
    ("key", "found", "words"),
    [
        (
            "shapley",
            ShapleyValues(np.ones(2)),
            r"one Shapley value a party, an array of shape \(3,\), got shape \(2,\)",
        ),
        ("shapley", np.ones(3), "one Shapley value a party, .* got nothing"),
        ("scheme", RewardTargets(np.ones(2), None, 1.0, np.ones(3)), r"one target a party, .* got shape \(2,\)"),
        ("scheme", RewardTargets(np.ones(3), None, 1.0, 1.0), r"one ceiling a party, .* got shape \(\)"),  # type: ignore[arg-type]
        ("scheme", None, "one target a party, .* got nothing"),
    ],
)
def test_estimators_and_schemes_give_a_number_for_each_party(key: str, found: object, words: str) -> None:
    class Odd:
        def __call__(self, *given: object, **more: object) -> object:
            return found

    with pytest.raises(ValueError, match=f"Odd should give {words}"):
        run(list(example_contributions()), **{key: Odd()})
