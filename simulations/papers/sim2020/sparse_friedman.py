"""The setting of Fig. 6: sparse Gaussian process regression on Friedman data, ten parties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from guerdon.models import Model, SparseGaussianProcess
from guerdon.scaling import Scaling
from guerdon.shapley import MonteCarloShapley
from guerdon.types import Contribution, Game, ShapleyValues
from simulations.datasets import Dataset, Friedman
from simulations.papers.sim2020.improvement import Split, split_rows

__all__ = ["SparseFriedmanSetting"]


@dataclass(frozen=True)
class SparseFriedmanSetting:
    """One data set of ``rows``, of which a share of ``test`` is scored on; DTC with ``inducing`` points.

    Inducing points (k-means) and hyperparameters are learned once on all rows, and then known to every partition.
    permutations : for the sampled Shapley values; data_seed : of the data set
    """

    label: str = "known"
    rows: int = 5000
    test: float = 0.2
    inducing: int = 50
    permutations: int = 10_000
    parties: int = 10
    minimum_share: float = 0.05
    data_seed: int = 0

    def split(self, rng: np.random.Generator) -> Split:
        data, held = self._data(), round(self.test * self.rows)
        return split_rows(data.features, data.target, self.rows - held, held, rng)

    def model(self) -> Model:
        return _known(self)

    def shapley(self, game: Game, rng: np.random.Generator) -> ShapleyValues:
        return MonteCarloShapley(permutations=self.permutations)(game, rng=rng)

    def facts(self, model: Model, split: Split) -> Mapping[str, Any]:
        return {}

    def _data(self) -> Dataset:
        return Friedman(rows=self.rows).load(np.random.default_rng(self.data_seed))


@cache
def _known(setting: SparseFriedmanSetting) -> SparseGaussianProcess:
    """Fitted to all rows, in standard units."""
    data = setting._data()
    everything = Contribution("all", data.features, data.target)
    model = SparseGaussianProcess("rbf(ard=True)", noise=None, inducing=setting.inducing, mean=None)
    return model.fit([Scaling.of_pool([everything]).apply(everything)])
