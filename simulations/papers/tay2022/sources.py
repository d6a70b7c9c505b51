"""Where each case's rows and synthetic pool come from: appendices I.1 to I.4."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.random import Generator

from guerdon.features import ImageFeatures, RepresentedImages
from guerdon.generators import GivenRows, KernelDensity, SyntheticData
from guerdon.images import from_pixels
from guerdon.types import Contribution, FloatArray, Progress
from simulations.datasets import Cifar10, CreditCard, CreditRatings, Dataset, DatasetSource, Mnist, Rows
from simulations.papers.tay2022.cases import Case
from simulations.papers.tay2022.valued import parties

__all__ = ["Learnt", "Problem", "load_problem", "planar"]

BANDWIDTH = 0.05
"""Of the kernel density of the cards, in the units of the components (appendix I.2)."""

FEATURES = {
    "mnist": ImageFeatures(network="pixels", components=8),
    "cifar10": ImageFeatures(network="efficientnet-lite0", components=8, size=64),
}
"""The paper's UMAP of MNIST's pixels; for CIFAR-10 an EfficientNet-lite0 in place of its Inception network."""


LOSSLESS = 4000
"""CIFAR-10's images with exact pixels; more come from the compressed ones."""


class _Sampler(Protocol):
    def sample(self, n: int, *, rng: Generator) -> SyntheticData: ...


@dataclass(frozen=True, eq=False)
class Problem:
    """Five parties' rows, what makes synthetic ones, unseen real rows, and how many synthetic rows there can be.

    features : the representation, learnt already, where rows and synthetic ones are images that are valued by it; the
        held-out rows are in it.
    """

    contributions: tuple[Contribution, ...]
    generator: _Sampler
    held_out: Rows
    limit: int
    features: Learnt | None = None


@dataclass(frozen=True, eq=False)
class Learnt:
    """What ``grow_until_feasible`` takes as features, of a representation that was learnt before."""

    represented: RepresentedImages

    def fit(
        self,
        contributions: Sequence[Contribution],
        generator: _Sampler,
        count: int,
        *,
        rng: Generator,
        progress: Progress,
    ) -> RepresentedImages:
        return self.represented


def load_problem(case: Case, data: Generator) -> Problem:
    """The case's parties and generator; ``data`` draws which rows they have, and the seed of UMAP."""
    if case.dataset == "credit-ratings":
        return _credit_ratings(case, data)
    dataset = _source(case).load(data)
    contributions, held_out = _contributions(dataset), dataset.held_out
    assert held_out is not None
    if case.dataset not in FEATURES:
        return Problem(contributions, KernelDensity(BANDWIDTH).fit(contributions), held_out, case.limit)
    if case.generator is not None:
        return _drawn_in_pixels(case, contributions, case.generator.fitted(), held_out, data)
    unseen = GivenRows(SyntheticData(from_pixels(held_out.features), held_out.target))
    represented = FEATURES[case.dataset].fit(contributions, unseen, len(held_out.target), rng=data)
    # In the representation: near copies of the pool's images, which a kernel density of pixels draws, would be each
    # other's nearest neighbours, and UMAP would show them instead of the classes.
    density = KernelDensity("silverman").fit(represented.contributions)
    return Problem(represented.contributions, density, Rows(represented.first.points, held_out.target), case.limit)


def _drawn_in_pixels(
    case: Case, contributions: tuple[Contribution, ...], generator: _Sampler, held_out: Rows, data: Generator
) -> Problem:
    """Synthetic images, and a representation learnt on these and the parties', in which the held-out are placed."""
    represented = FEATURES[case.dataset].fit(contributions, generator, case.size.synthetic, rng=data)
    unseen = Rows(represented.represent(from_pixels(held_out.features)), held_out.target)
    return Problem(contributions, generator, unseen, case.limit, Learnt(represented))


def _source(case: Case) -> DatasetSource:
    rows, _, test = case.size
    if case.dataset == "credit-card":
        return CreditCard(rows=rows, split=case.split, test=test)
    if case.dataset == "mnist":
        return Mnist(rows=rows, split=case.split, test=test)
    exact = 5 * rows + test <= LOSSLESS
    return Cifar10(rows=rows, split=case.split, test=test, source="lossless" if exact else "jpeg")


def _credit_ratings(case: Case, data: Generator) -> Problem:
    """The paper's own data and synthetic pool, or the first rows of each: they are in no order."""
    size = case.size.synthetic  # and no more: rows that are given can't be drawn anew
    dataset = CreditRatings(case.split, synthetic=size, test=case.size.test).load(data)
    assert dataset.synthetic is not None
    assert dataset.held_out is not None
    generator = GivenRows(SyntheticData(*dataset.synthetic))
    return Problem(_contributions(dataset, case.size.rows), generator, dataset.held_out, size)


def _contributions(dataset: Dataset, most: int | None = None) -> tuple[Contribution, ...]:
    """The parties' rows, of images their pixels from 0 to 1; the first so many of each where there is a limit."""
    assert dataset.blocks is not None
    X = dataset.features if dataset.image_shape is None else from_pixels(dataset.features)
    blocks = [block[:most] for block in dataset.blocks]
    named = parties([X[rows] for rows in blocks], [dataset.target[rows] for rows in blocks])
    return tuple(replace(c, feature_names=dataset.feature_names) for c in named)


def planar(points: FloatArray, seed: int) -> FloatArray:
    """Two coordinates for each point (m, d): its own where d is 2, else by UMAP with its default settings."""
    if points.shape[1] == 2:
        return points
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP's remarks on what it chose for itself
        from umap import UMAP

        reduced = UMAP(n_components=2, random_state=seed, n_jobs=1).fit_transform(points)
    return np.asarray(reduced, dtype=np.float64)
