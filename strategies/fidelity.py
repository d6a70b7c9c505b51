"""How alike synthetic rows are to the pool, column by column and pair by pair, as allocation.json holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.generators import SyntheticData
from guerdon.scaling import Scaling
from guerdon.table_metrics import Fidelity, fidelity
from guerdon.tables import Columns, infer_columns
from guerdon.types import Contribution, FloatArray

__all__ = ["PoolFidelity", "fidelity_averages"]

ROWS = 10_000
"""Rows of the pool, and of synthetic ones, that are compared at most: evenly spaced."""

DIGITS = 2
"""Of the averages that a party is told, of its own reward: they are of others' rows too."""


@dataclass(frozen=True, eq=False)
class PoolFidelity:
    """What synthetic rows are compared with: the pool, and what its columns are."""

    columns: Columns
    rows: FloatArray
    labels: NDArray[np.float64] | None
    target: str

    @classmethod
    def of(cls, pool: Sequence[Contribution], scaling: Scaling, target: str) -> PoolFidelity:
        """Of contributions as they came, for synthetic rows in the units that ``scaling`` brings them to.

        What their columns are is taken from what they hold where it is not known. Both sides are compared in the same
        units: in their own, equal numbers would be equal to rounding only.
        """
        rows = np.concatenate([c.X for c in pool])
        columns = pool[0].columns or infer_columns(rows, pool[0].feature_names or ())
        columns = columns.scaled(scaling.feature_mean, scaling.feature_scale)
        outputs = [c.y for c in pool if c.y is not None]
        labels = np.concatenate(outputs) if len(outputs) == len(pool) else None
        return cls(columns, scaling.features(rows), labels, target)

    def record(self, synthetic: SyntheticData, chosen: NDArray[np.int64] | None = None) -> dict[str, Any] | None:
        """The averages, every column's scores and every pair's, of these of the synthetic rows, or all; None of no row.

        Of a few chosen ones, which many parties have, the averages and the columns.
        """
        drawn = np.arange(len(synthetic)) if chosen is None else chosen
        if not len(drawn) or not len(self.rows):
            return None
        ours, theirs = _spaced(len(self.rows)), drawn[_spaced(len(drawn))]
        labels = None
        if self.labels is not None and synthetic.labels is not None:
            labels = (self.labels[ours], synthetic.labels[theirs])
        found = fidelity(self.columns, self.rows[ours], synthetic.points[theirs], labels=labels, target=self.target)
        return {**_averages(found), "columns": _columns(found), **({} if chosen is not None else _pairs(found))}


def fidelity_averages(record: Mapping[str, Any] | None) -> dict[str, float]:
    """What a party is told of its own reward."""
    averages = {key: value for key, value in (record or {}).items() if isinstance(value, float)}
    return {key: round(value, DIGITS) for key, value in averages.items()}


def _averages(found: Fidelity) -> dict[str, float | None]:
    return {
        "column_shapes": found.column_shapes,
        "column_pair_trends": found.column_pair_trends,
        "missing_values": found.missing_values,
    }


def _columns(found: Fidelity) -> list[dict[str, Any]]:
    return [shape._asdict() for shape in found.shapes]


def _pairs(found: Fidelity) -> dict[str, list[dict[str, Any]]]:
    return {"pairs": [{**trend._asdict(), "columns": list(trend.columns)} for trend in found.trends]}


def _spaced(count: int) -> NDArray[np.int64]:
    return np.linspace(0, count - 1, min(count, ROWS)).astype(np.int64)
