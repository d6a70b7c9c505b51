"""Example contributions and games that the suites use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from guerdon.types import (
    Contribution,
    FloatArray,
    TableGame,
    all_coalitions,
)

__all__ = ["example_contributions", "example_games"]


def example_contributions() -> tuple[Contribution, ...]:
    """Three parties with 7, 4 and 1 rows of 2 features, outputs, and one with noise variances of its own."""
    rng = np.random.default_rng(20)
    X = rng.normal(size=(12, 2))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * rng.normal(size=12)
    return (
        Contribution("ada", X[:7], y[:7]),
        Contribution("bob", X[7:11], y[7:11], noise=np.array([0.05, 0.1, 0.2, 0.4])),
        Contribution("cyn", X[11:], y[11:]),
    )


def example_games() -> dict[str, tuple[TableGame, FloatArray]]:
    """Monotone games with their Shapley values in closed form, by name."""

    def game(n: int, phi: Sequence[float], value: Any) -> tuple[TableGame, FloatArray]:
        members = [set(np.flatnonzero(row).tolist()) for row in all_coalitions(n)]
        return TableGame(np.array([float(value(C)) for C in members])), np.array(phi, dtype=np.float64)

    lengths = (1.0, 3.0, 4.0)
    return {
        "two parties": game(2, (5, 3), lambda C: {(): 0, (0,): 7, (1,): 5, (0, 1): 8}[tuple(sorted(C))]),
        "additive": game(4, (1, 2, 3, 4), lambda C: sum(i + 1 for i in C)),
        "unanimity of 1 and 2, party 0 adds nothing": game(3, (0, 3, 3), lambda C: 6 * ({1, 2} <= C)),
        "airport": game(3, (1 / 3, 4 / 3, 7 / 3), lambda C: max((lengths[i] for i in C), default=0.0)),
        "symmetric": game(3, (7 / 6, 7 / 6, 7 / 6), lambda C: (0, 2, 3, 3.5)[len(C)]),
        "one party": game(1, (2,), lambda C: 2 * len(C)),
    }
