"""How often the intervals of an estimator hold the truth, over many seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from guerdon.pipeline import ShapleyEstimator
from guerdon.types import FloatArray, ShapleyValues
from tests.games import ClosedFormGame

__all__ = ["Trial", "repeat"]

ROUNDING = 1e-12


class Trial(NamedTuple):
    """values, errors : (seeds, n); covered : (n,) the share of 95 % intervals that hold the truth; bias : (n,)."""

    found: list[ShapleyValues]
    values: FloatArray
    errors: FloatArray
    covered: FloatArray
    bias: FloatArray
    spread: FloatArray

    def is_unbiased(self) -> bool:
        """Whether the mean over the seeds is the truth up to 4.5 of its own standard deviations."""
        return bool(np.all(np.abs(self.bias) <= 4.5 * self.spread / np.sqrt(len(self.values)) + ROUNDING))


def repeat(estimator: ShapleyEstimator, game: ClosedFormGame, seeds: int = 200) -> Trial:
    """The estimates of that many seeds against the game's known Shapley values."""
    found = [estimator(game, rng=np.random.default_rng(seed)) for seed in range(seeds)]
    values = np.stack([f.values for f in found])
    intervals = np.stack([f.confidence_interval(0.95) for f in found])
    held = (intervals[..., 0] - ROUNDING <= game.phi) & (game.phi <= intervals[..., 1] + ROUNDING)
    errors = np.stack([np.zeros(game.n) if f.standard_errors is None else f.standard_errors for f in found])
    return Trial(found, values, errors, held.mean(axis=0), values.mean(axis=0) - game.phi, values.std(axis=0, ddof=1))
