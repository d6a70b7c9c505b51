"""The setting of Fig. 5: Bayesian linear regression on a network's last hidden layer, Californian houses, 3 parties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from guerdon.models import BayesianLinear, Model, NeuralFeatures
from guerdon.shapley import ExactShapley
from guerdon.types import FloatArray, Game, ShapleyValues
from simulations.datasets import California
from simulations.papers.sim2020.improvement import Split

__all__ = ["CaliforniaSetting"]

HOUSES = 20_640


@dataclass(frozen=True)
class CaliforniaSetting:
    """A network trained once on the public rows; of the others, ``rows`` for the parties and ``test`` to score on.

    hidden, epochs : of the network; data_seed : of the choice of public rows and of the training
    """

    label: str = "learned"
    public: float = 0.6
    rows: int = 1600
    test: int = 400
    hidden: tuple[int, ...] = (64, 64, 32)
    epochs: int = 60
    parties: int = 3
    minimum_share: float = 0.1
    data_seed: int = 0

    def split(self, rng: np.random.Generator) -> Split:
        """Inputs as they are, for the network; targets standardised by the public rows' mean and deviation."""
        houses = _houses(self)
        order = rng.permutation(len(houses.y))
        own, held = order[: self.rows], order[self.rows : self.rows + self.test]
        return Split(houses.X[own], houses.y[own], houses.X[held], houses.y[held])

    def model(self) -> Model:
        return BayesianLinear(noise=None, features=_houses(self).features)

    def shapley(self, game: Game, rng: np.random.Generator) -> ShapleyValues:
        return ExactShapley()(game)

    def facts(self, model: Model, split: Split) -> Mapping[str, Any]:
        """The network's mean squared error on the public rows set aside, as a share of the target's variance."""
        training = _houses(self).features.training
        return {"network_error": None if training is None else training.validation_error}


class _Houses(NamedTuple):
    """The rows that are not public, and the features learned on those that are."""

    X: FloatArray
    y: FloatArray
    features: NeuralFeatures


@cache
def _houses(setting: CaliforniaSetting) -> _Houses:
    rng = np.random.default_rng(setting.data_seed)
    private = HOUSES - round(setting.public * HOUSES)
    data = California(public=setting.public, rows=private, test=0).load(rng)
    assert data.public is not None
    mean, deviation = data.public.target.mean(), data.public.target.std()
    network = NeuralFeatures(hidden=setting.hidden, epochs=setting.epochs)
    features = network.fit(data.public.features, data.public.target, rng=rng)
    return _Houses(data.features, (data.target - mean) / deviation, features)
