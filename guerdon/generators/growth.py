"""The synthetic pool, grown until the scheme's bounds can be met: Tay et al. (AAAI 2022), section 4.1, appendix F."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from guerdon.generators.given import GivenRows
from guerdon.generators.protocols import SyntheticData
from guerdon.rewards.rectified import InfeasibleRewardsError, RectifiedRhoShapley
from guerdon.types import Contribution, Game, Progress, RewardTargets, ShapleyValues, silent
from guerdon.valuation.mmd import MaximumMeanDiscrepancy
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame

__all__ = ["GrownPool", "grow_until_feasible"]


class _Sampler(Protocol):
    def sample(self, n: int, *, rng: np.random.Generator) -> SyntheticData: ...


class _Represented(_Sampler, Protocol):
    """contributions and the first draws in a representation, and a sampler of further ones."""

    @property
    def contributions(self) -> tuple[Contribution, ...]: ...
    @property
    def first(self) -> SyntheticData: ...


class _Features(Protocol):
    def fit(
        self,
        contributions: Sequence[Contribution],
        generator: _Sampler,
        count: int,
        *,
        rng: np.random.Generator,
        progress: Progress,
    ) -> _Represented: ...


class _Estimator(Protocol):
    def __call__(self, game: Game, *, rng: np.random.Generator) -> ShapleyValues: ...


@dataclass(frozen=True, eq=False)
class GrownPool:
    """The synthetic pool settled on, everything valued with it, and the sizes tried, of which the last was taken."""

    synthetic: SyntheticData
    game: MaximumMeanDiscrepancyGame
    shapley: ShapleyValues
    targets: RewardTargets
    sizes: tuple[int, ...]


def grow_until_feasible(
    contributions: Sequence[Contribution],
    generator: _Sampler,
    value: MaximumMeanDiscrepancy,
    shapley: _Estimator,
    scheme: RectifiedRhoShapley,
    *,
    size: int,
    limit: int,
    rng: np.random.Generator,
    features: _Features | None = None,
    progress: Progress = silent,
) -> GrownPool:
    """Draw G, value everything and solve for the targets; double G while the bounds conflict and the limit allows.

    T, the length-scale, the Shapley values and the bounds are all of the new G; the points drawn before stay its first.

    Parameters
    ----------
    size, limit : int
        |G| at first, and at most.
    rng : Generator
        Draws G and whatever the Shapley estimator draws.
    features : ImageFeatures, optional
        The representation in which everything is valued; the rows' own columns when None.

    Raises
    ------
    InfeasibleRewardsError
        The bounds conflict at the limit too; names the parties and the sizes tried.
    """
    if not 1 <= size <= limit:
        raise ValueError(f"size must be from 1 to the limit, got size {size} and limit {limit}")
    if isinstance(generator, GivenRows) and size < limit:  # a second draw would repeat the first
        raise ValueError(f"rows that are given can't grow: size and limit must be equal, got {size} and {limit}")
    draws, estimates = rng.spawn(2)
    if features is None:
        synthetic = generator.sample(size, rng=draws)
    else:
        represented = features.fit(contributions, generator, size, rng=draws, progress=progress)
        contributions, generator, synthetic = represented.contributions, represented, represented.first
    sizes = [size]
    while True:
        game = value.game(contributions, synthetic.points, progress=progress)
        values = shapley(game, rng=estimates)
        try:
            return GrownPool(synthetic, game, values, scheme(values, game), tuple(sizes))
        except InfeasibleRewardsError as error:
            if sizes[-1] >= limit:
                tried = ", ".join(str(tried) for tried in sizes)
                raise InfeasibleRewardsError(f"{error} Tried {tried} synthetic points.", error.parties) from error
        more = min(sizes[-1], limit - sizes[-1])
        synthetic = _joined(synthetic, generator.sample(more, rng=draws))
        sizes.append(len(synthetic))
        progress("grow", len(synthetic), limit)


def _joined(first: SyntheticData, second: SyntheticData) -> SyntheticData:
    labels = pixels = None
    if first.labels is not None and second.labels is not None:
        labels = np.concatenate([first.labels, second.labels])
    if first.pixels is not None and second.pixels is not None:
        pixels = np.concatenate([first.pixels, second.pixels])
    return SyntheticData(np.concatenate([first.points, second.points]), labels, pixels)
