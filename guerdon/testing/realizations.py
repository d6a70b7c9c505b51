"""Suites for realizations and for generators of synthetic data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.pipeline import MadeReward, Realization, needs
from guerdon.testing.suite import CLOSE, NarrowGame, Suite, assert_refused, assert_same, global_state
from guerdon.types import (
    Contribution,
    FloatArray,
    RewardTargets,
    lacks,
)

if TYPE_CHECKING:  # so that testing a reward scheme does not load torch
    from guerdon.generators import SyntheticData, SyntheticGenerator

__all__ = ["GeneratorSuite", "RealizationSuite"]

REPETITIONS = 30
"""So many secrets are tried where noise is looked at."""

KEPT = 0.9
"""The share of the better reward's noise variance that must be left to who holds two; nested noise leaves all of it."""


class RealizationSuite(Suite):
    """A ``guerdon.pipeline.Realization``, on a game of its kind.

    Attributes
    ----------
    tolerance : float
        How far, as a share of the maximum, the value reached may be from the target.
    """

    tolerance: float = CLOSE

    def make(self) -> Realization:
        realization: Realization = super().make()
        return realization

    def make_game(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define make_game(self), a game that the realization serves")

    def targets(self, game: Any) -> Sequence[RewardTargets]:
        """Targets that can be met: a few between each party's own value and the ceiling v_N."""
        pool = float(game(np.ones((1, game.n), dtype=bool))[0])
        alone = game(np.eye(game.n, dtype=bool))
        shares = (0.0, 0.5, np.linspace(0.0, 1.0, game.n))
        values = [alone + np.asarray(share) * (pool - alone) for share in shares]
        return [RewardTargets(v, rho=None, maximum=pool, ceilings=np.full(game.n, pool)) for v in values]

    def test_every_reward_reaches_its_target(self) -> None:
        game = self.make_game()
        for targets in self.targets(game):
            rewards = self._realize(game, targets)
            assert len(rewards) == game.n, f"{game.n} parties get as many rewards, got {len(rewards)}"
            reached = np.array([reward.reached for reward in rewards], dtype=np.float64)
            off = np.abs(reached - targets.values).max()
            allowed = self.tolerance * targets.maximum
            assert off <= allowed, f"the targets {targets.values} were missed by {off:.3g}: {reached}"

    def test_every_reward_tells_what_it_is(self) -> None:
        game = self.make_game()
        names = getattr(game, "parties", None)
        for targets in self.targets(game):
            for i, reward in enumerate(self._realize(game, targets)):
                assert isinstance(reward, MadeReward), f"expected party, reached, contains and facts(), got {reward!r}"
                assert names is None or reward.party == names[i], (
                    f"reward {i} is for {names[i]!r}, got {reward.party!r}"
                )
                assert isinstance(reward.contains, str), f"contains is a text, got {reward.contains!r}"
                assert reward.contains.strip(), "contains says in words what can be read from a reward, got nothing"
                facts = reward.facts()
                assert _is_plain(facts), f"facts() are plain numbers and texts by name, got {facts!r}"

    def test_it_needs_no_more_than_it_says(self) -> None:
        game, kind = self.make_game(), needs(self.make())
        missing = lacks(game, kind)
        assert not missing, f"make_game gives a game without {', '.join(missing)}, and it needs a {kind.__name__}"
        for targets in self.targets(game):
            for one, other in zip(
                self._realize(NarrowGame(game, kind), targets), self._realize(game, targets), strict=True
            ):
                assert_same(one, other, "a reward made in a game that shows no more")

    def test_same_seed_same_rewards(self) -> None:
        game = self.make_game()
        for targets in self.targets(game):
            first, second = self._realize(game, targets), self._realize(game, targets)
            for i, (one, other) in enumerate(zip(first, second, strict=True)):
                assert_same(one, other, f"party {i}'s reward from the same seed")

    def test_no_randomness_but_the_generators(self) -> None:
        game = self.make_game()
        before = global_state()
        for targets in self.targets(game):
            self._realize(game, targets)
        assert global_state() == before, "numpy's global generator was used; draw from the rng argument"

    def test_rewards_side_by_side_average_no_noise_out(self) -> None:
        """Where rewards say what noise they hold (``eta`` and ``draws``, as ``guerdon.realization.ModelReward``)."""
        game = self.make_game()
        pool, alone = float(game(np.ones((1, game.n), dtype=bool))[0]), game(np.eye(game.n, dtype=bool))
        values = alone + np.linspace(0.4, 0.6, game.n) * (pool - alone)
        targets = RewardTargets(values, rho=None, maximum=pool, ceilings=np.full(game.n, pool))
        drawn: list[Sequence[Any]] = [
            self.make()(game, targets, rng=np.random.default_rng(seed)) for seed in range(REPETITIONS)
        ]
        if not all(hasattr(made, "draws") and np.isfinite(getattr(made, "eta", np.inf)) for made in drawn[0]):
            return
        sizes = [len(c) for c in game.contributions]
        for i, j in combinations(range(game.n), 2):
            one, other = (
                np.concatenate([_on_others_of(made[k].draws, sizes, k, {i, j}) for made in drawn]) for k in (i, j)
            )
            a, b, both = one @ one, other @ other, one @ other
            apart = a + b - 2.0 * both
            least = (a * b - both**2) / apart if apart > 1e-9 * (a + b) else min(a, b)
            share = least / min(a, b) if min(a, b) > 0.0 else 1.0
            assert share > KEPT, (
                f"parties {i} and {j} lay their rewards side by side and are left with {share:.0%} of the noise "
                "variance of the better one: take the noise of a row from guerdon.realization.NoisePath"
            )

    def test_a_target_above_the_ceiling_is_refused(self) -> None:
        game = self.make_game()
        targets = self.targets(game)[0]
        values = targets.values.copy()
        values[0] = 1.01 * targets.ceilings[0]
        assert_refused(
            lambda: self._realize(game, dataclasses.replace(targets, values=values)), "a target above the ceiling"
        )

    def _realize(self, game: Any, targets: RewardTargets) -> Sequence[Any]:
        return self.make()(game, targets, rng=np.random.default_rng(3))


def _on_others_of(draws: FloatArray, sizes: Sequence[int], i: int, left_out: set[int]) -> FloatArray:
    """The noise of party i's reward on the rows of all but these parties; ``draws`` are on the rows of all but i."""
    owner = np.concatenate([np.full(size, k) for k, size in enumerate(sizes) if k != i])
    return np.asarray(draws)[~np.isin(owner, sorted(left_out))]


def _is_plain(value: Any) -> bool:
    """Whether it can be written down without loss: numbers, texts, and lists and mappings of them."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple | np.ndarray):
        return all(_is_plain(inner) for inner in value)
    return value is None or isinstance(value, bool | int | float | str | np.integer | np.floating | np.bool_)


class GeneratorSuite(Suite):
    """A ``guerdon.generators.SyntheticGenerator``. Override ``contributions`` if it needs others than these.

    Labels of the example are 0 and 1, by the sign of the first feature.
    """

    def make(self) -> SyntheticGenerator:
        generator: SyntheticGenerator = super().make()
        return generator

    def contributions(self) -> Sequence[Contribution]:
        X = np.random.default_rng(21).normal(size=(90, 2))
        return [Contribution(name, part) for name, part in zip(("ada", "bob", "cyn"), np.split(X, 3), strict=True)]

    def test_it_draws_finite_points_of_the_pools_width(self) -> None:
        contributions = self.contributions()
        for n in (1, 50):
            points = self._draw(contributions, n).points
            expected = (n, contributions[0].X.shape[1])
            assert points.shape == expected, f"expected points of shape {expected}, got {points.shape}"
            assert points.dtype == np.float64, f"points are float64, got {points.dtype}"
            assert np.all(np.isfinite(points)), "points are finite"

    def test_it_says_what_it_discloses(self) -> None:
        discloses = self.make().fit(self.contributions(), rng=np.random.default_rng(3)).discloses
        assert isinstance(discloses, str), f"a text for the rewards drawn from it, or an empty one, got {discloses!r}"

    def test_same_seed_same_points(self) -> None:
        one, other = (self._draw(self.contributions(), 20) for _ in range(2))
        assert np.array_equal(one.points, other.points), "the same seeds give the same points"

    def test_another_draw_gives_other_points(self) -> None:
        fitted, rng = self.make().fit(self.contributions(), rng=np.random.default_rng(3)), np.random.default_rng(4)
        first, second = fitted.sample(20, rng=rng).points, fitted.sample(20, rng=rng).points
        assert not np.array_equal(first, second), "drawing on from one generator gives new points"

    def test_no_randomness_but_the_generators(self) -> None:
        before = global_state()
        self._draw(self.contributions(), 20)
        assert global_state() == before, "numpy's global generator was used; draw from the rng argument"

    def test_labels_where_the_parties_have_them(self) -> None:
        plain = self.contributions()
        labelled = [dataclasses.replace(c, y=(c.X[:, 0] > 0).astype(np.float64)) for c in plain]
        assert self._draw(plain, 20).labels is None, "unlabelled data gives unlabelled points"
        labels = self._draw(labelled, 20).labels
        assert labels is not None, "labelled data gives labelled points"
        assert labels.shape == (20,), f"expected one label a point, (20,), got {labels.shape}"
        assert set(labels.tolist()) <= {0.0, 1.0}, f"labels are the parties' own, 0 and 1, got {set(labels.tolist())}"

    def _draw(self, contributions: Sequence[Contribution], n: int) -> SyntheticData:
        fitted = self.make().fit(contributions, rng=np.random.default_rng(3))
        return fitted.sample(n, rng=np.random.default_rng(4))
