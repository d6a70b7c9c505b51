"""Runs' records made from games, without a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from guerdon.pipeline import Allocation
from guerdon.rewards import RectifiedRhoShapley, RhoShapley, certify, weaker_coalitions
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, RewardTargets, ShapleyValues, TableGame
from strategies.record import allocation_record

__all__ = ["model_record", "record_of", "synthetic_record", "synthetic_targets"]


def record_of(
    table: ArrayLike, targets: RewardTargets, shapley: ShapleyValues, kind: str, scheme: str
) -> dict[str, Any]:
    """allocation.json as a run with ``stop-after = "valuation"`` leaves it."""
    values = np.asarray(table, dtype=np.float64)
    n = len(values).bit_length() - 1
    names = tuple(f"party-{k + 1:02d}" for k in range(n))
    game = TableGame(values, names)
    allocation = Allocation(names, game, shapley, targets, certify(game, shapley, targets), ())
    contributions = [Contribution(name, np.zeros((10 + k, 1))) for k, name in enumerate(names)]
    unit = "nats" if kind == "model" else "-MMD² + const"
    return allocation_record(allocation, contributions, "game", {"scheme": scheme}, kind=kind, unit=unit)


def model_record(table: ArrayLike, rho: float | str = "stable") -> dict[str, Any]:
    phi = exact_shapley(table)
    targets = RhoShapley(rho)(phi, np.asarray(table, dtype=np.float64))  # type: ignore[arg-type]
    return record_of(table, targets, ShapleyValues(phi, method="exact"), "model", f"RhoShapley(rho={rho!r})")


def synthetic_targets(
    table: ArrayLike, ceilings: ArrayLike, rho: float | None = None, incentive: Any = "none"
) -> RewardTargets:
    """Rectified rewards from a table of values and the parties' ceilings."""
    phi, game = exact_shapley(table), TableGame(np.asarray(table, dtype=np.float64))
    alone, floors = game(np.eye(game.n, dtype=bool)), game(weaker_coalitions(phi))
    return RectifiedRhoShapley(incentive, rho)(phi, alone, np.asarray(ceilings), floors)


def synthetic_record(table: ArrayLike, ceilings: ArrayLike, rho: float | None = None) -> dict[str, Any]:
    targets = synthetic_targets(table, ceilings, rho)
    shapley = ShapleyValues(exact_shapley(table), method="exact")
    return record_of(table, targets, shapley, "synthetic", f"RectifiedRhoShapley(rho={rho})")
