"""The setting of Fig. 3: Gaussian process regression on the diabetes data, three parties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from guerdon.models import GaussianProcess, Model
from guerdon.models.kernels import NamedKernel, as_kernel, covariance
from guerdon.scaling import Scaling
from guerdon.shapley import ExactShapley
from guerdon.types import Contribution, Game, ShapleyValues
from simulations.datasets import Diabetes
from simulations.papers.sim2020.improvement import Split, split_rows

__all__ = ["DiabetesSetting"]

DROPPED = ("sex",)
"""The paper has nine features and does not say which of the ten is left out: the one that is no measurement."""


@dataclass(frozen=True)
class DiabetesSetting:
    """442 patients with nine features, of whom a share of ``test`` is scored on.

    kernel : of the Gaussian process; learned : its hyperparameters by maximum likelihood on "each pool", or once on
    "all patients", which then are known to every partition.
    """

    label: str
    kernel: str = "rbf + exponential"
    learned: str = "all patients"
    test: float = 0.25
    parties: int = 3
    minimum_share: float = 0.1

    def split(self, rng: np.random.Generator) -> Split:
        data = Diabetes(drop=DROPPED).load(rng)
        held = round(self.test * len(data.target))
        return split_rows(data.features, data.target, len(data.target) - held, held, rng)

    def model(self) -> Model:
        return _open(self.kernel) if self.learned == "each pool" else _known(self.kernel)

    def shapley(self, game: Game, rng: np.random.Generator) -> ShapleyValues:
        return ExactShapley()(game)

    def facts(self, model: Model, split: Split) -> Mapping[str, Any]:
        """neighbour_correlation : of the roughest term, between a patient and its nearest neighbour (median): near 0,
        the term tells no patient anything about another, and is noise that is counted as signal."""
        assert isinstance(model, GaussianProcess)
        nearest = cKDTree(split.X).query(split.X, k=2)[0][:, 1]
        return {"neighbour_correlation": _roughest_correlation(model, float(np.median(nearest)))}


def _open(kernel: str) -> GaussianProcess:
    return GaussianProcess(kernel, noise=None, mean=None)


@cache
def _known(kernel: str) -> GaussianProcess:
    """Fitted to all patients, in standard units."""
    data = Diabetes(drop=DROPPED).load(np.random.default_rng(0))
    patients = Contribution("all", data.features, data.target)
    return _open(kernel).fit([Scaling.of_pool([patients]).apply(patients)])


def _roughest_correlation(model: GaussianProcess, distance: float) -> float:
    """The smallest correlation that a term of the (isotropic) kernel gives to two rows this far apart."""
    kernel = as_kernel(model.kernel, 1)
    assert isinstance(kernel, NamedKernel)
    points = np.array([[0.0], [distance]])
    matrices = [covariance(NamedKernel((term,)), points) for term in kernel.terms]
    return float(min(K[0, 1] / K[0, 0] for K in matrices))
