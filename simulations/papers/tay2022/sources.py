"""Where each case's rows and synthetic pool come from: appendices I.1 to I.4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.random import Generator

from guerdon.generators import GivenRows, SyntheticData
from guerdon.types import Contribution, FloatArray
from simulations.datasets import CreditRatings, Rows
from simulations.papers.tay2022.cases import PAPER_SIZES, Case
from simulations.papers.tay2022.valued import parties

__all__ = ["EXTRACTED", "Problem", "extract_features", "load_problem", "planar"]

EXTRACTED = ("mnist", "cifar10")
"""Data sets of images, whose eight features are computed once for both splits."""


class Sampler(Protocol):
    def sample(self, n: int, *, rng: Generator) -> SyntheticData: ...


@dataclass(frozen=True, eq=False)
class Problem:
    """Five parties' rows, what makes synthetic ones, unseen real rows, and how many synthetic rows there can be."""

    contributions: tuple[Contribution, ...]
    generator: Sampler
    held_out: Rows
    limit: int


def load_problem(case: Case, folder: Path, data: Generator, split: Generator) -> Problem:
    """The case's parties and generator; ``data`` draws rows, ``split`` deals them out."""
    return _credit_ratings(case, data)


def _credit_ratings(case: Case, data: Generator) -> Problem:
    """The paper's own data and synthetic pool, or the first rows of each: they are in no order."""
    limit = min(case.limit, PAPER_SIZES[case.dataset].synthetic)
    dataset = CreditRatings(case.split, synthetic=limit, test=case.size.test).load(data)
    assert dataset.blocks is not None and dataset.synthetic is not None and dataset.held_out is not None
    blocks = [block[: case.size.rows] for block in dataset.blocks]
    contributions = parties([dataset.features[rows] for rows in blocks], [dataset.target[rows] for rows in blocks])
    return Problem(contributions, GivenRows(SyntheticData(*dataset.synthetic)), dataset.held_out, limit)


def extract_features(case: Case, folder: Path, key: str) -> list[dict[str, object]]:
    raise NotImplementedError


def planar(points: FloatArray, seed: int) -> FloatArray:
    """Two coordinates for each point (m, d): its own where d is 2, else by UMAP with its default settings."""
    if points.shape[1] == 2:
        return points
    from umap import UMAP

    return np.asarray(UMAP(n_components=2, random_state=seed, n_jobs=1).fit_transform(points), dtype=np.float64)
