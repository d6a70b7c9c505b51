"""The synthetic pool, grown until the scheme's bounds can be met: Tay et al. (AAAI 2022), section 4.1, appendix F."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from guerdon.generators.given import GivenRows
from guerdon.generators.protocols import SyntheticData
from guerdon.pipeline import Allocation, Given, Realization, RewardScheme, ShapleyEstimator, allocate
from guerdon.rewards.rectified import InfeasibleRewardsError
from guerdon.types import Contribution, FloatArray, Progress, RewardTargets, ShapleyValues, silent

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


@dataclass(frozen=True, eq=False)
class GrownPool:
    """What was settled on.

    Parameters
    ----------
    synthetic : SyntheticData
        G.
    allocation : Allocation
        Everything decided with it.
    sizes : tuple of int
        The sizes of G that were tried, the last one taken.
    contributions : tuple of Contribution
        As they were valued: in their representation, where there is one.
    """

    synthetic: SyntheticData
    allocation: Allocation
    sizes: tuple[int, ...]
    contributions: tuple[Contribution, ...]

    @property
    def game(self) -> Any:
        return self.allocation.game

    @property
    def shapley(self) -> ShapleyValues:
        return self.allocation.shapley

    @property
    def targets(self) -> RewardTargets:
        return self.allocation.targets


def grow_until_feasible(
    contributions: Sequence[Contribution],
    generator: _Sampler,
    value: Any,
    shapley: ShapleyEstimator,
    scheme: RewardScheme,
    realization: Realization | None = None,
    *,
    size: int,
    limit: int,
    rng: np.random.Generator,
    secret_rng: np.random.Generator | None = None,
    carrier: Any = None,
    features: _Features | None = None,
    public: FloatArray | None = None,
    progress: Progress = silent,
) -> GrownPool:
    """Draw G and allocate; draw as much again while the bounds conflict and the limit allows.

    T, the length-scale, the Shapley values and the bounds are all of the new G; the points drawn before stay its first.

    Parameters
    ----------
    contributions : sequence of Contribution
    generator : FittedGenerator or GivenRows
        What is drawn from.
    value : ValueFunction
        Its ``game`` gets the ``synthetic`` points (g, d) where it asks for them by that name.
    shapley : ShapleyEstimator
    scheme : RewardScheme
    realization : Realization, optional
        Nothing is made where it is None.
    size, limit : int
        |G| at first, and at most.
    rng : Generator
        Draws G and whatever the Shapley estimator draws.
    secret_rng : Generator, optional
        Draws for the realization, ``rng`` when None.
    carrier : ValueFunction, optional
        Makes the game in which the realization works, where that of ``value`` is not of the kind that it needs.
    features : ImageFeatures, optional
        The representation in which everything is valued; the rows' own when None.
    public : (p, d) array, optional
        For a ``game`` that asks for ``public`` rows.
    progress : callable

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
        things = {"synthetic": synthetic.points, **({} if public is None else {"public": public})}
        try:
            allocation = allocate(
                contributions,
                Given(value, things),
                shapley,
                scheme,
                realization,
                rng=estimates,
                secret_rng=secret_rng,
                carrier=None if carrier is None else Given(carrier, things),
                progress=progress,
            )
            return GrownPool(synthetic, allocation, tuple(sizes), tuple(contributions))
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
