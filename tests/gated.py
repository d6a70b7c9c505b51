"""A part of the parties' own that stops a mediator at a known place: everything is pooled, nothing is valued yet."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from guerdon.shapley import ExactShapley
from guerdon.types import Game, ShapleyValues

__all__ = ["Gated"]


@dataclass(frozen=True)
class Gated:
    """Exact Shapley values, but not before the file ``gate`` is there; ``gate.reached`` says that it is waited for."""

    gate: str

    def __call__(self, game: Game, *, rng: np.random.Generator | None = None) -> ShapleyValues:
        Path(f"{self.gate}.reached").touch()
        while not Path(self.gate).exists():
            time.sleep(0.05)
        return ExactShapley()(game, rng=rng)
