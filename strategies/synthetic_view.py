"""What pictures of a synthetic allocation need, and no more: some rows of D_i, G and G_i in a plane, and by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.pipeline import Allocation, MadeReward
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray

__all__ = ["rows_drawn", "synthetic_view"]

ROWS = 500
"""Rows of each D_i, of G and of each G_i at most, evenly spaced."""

PARTIES = 8
"""Parties at most, those with the largest Shapley values."""

COLUMNS = 6
"""Columns at most, those in which the parties' means differ most."""

STEPS = 150
"""Points of a curve of values at most."""


def synthetic_view(
    contributions: Sequence[Contribution],
    synthetic: FloatArray,
    allocation: Allocation,
    columns: Sequence[str] | None,
    scaling: Scaling,
) -> dict[str, NDArray[Any]]:
    """Rows in the space that they were valued in, brought to a plane, and their first columns in their own units.

    Arrays ``map.synthetic``, ``map.party.NAME``, ``map.reward.NAME`` (k, 2); ``map`` says in words what the plane is:
    the two columns themselves, or the first principal components of all rows together. Where the space has columns with
    names (it is not an image's representation), also ``columns`` and ``columns.synthetic``, ... (k, up to 6).

    Parameters
    ----------
    columns : the names, None where rows are valued in another space than their own
    """
    shown = {allocation.parties[i] for i in np.argsort(-allocation.shapley.values, kind="stable")[:PARTIES]}
    rows = {"synthetic": _some(synthetic)}
    rows |= {f"party.{c.party}": _some(c.X) for c in contributions if c.party in shown}
    rows |= {
        f"reward.{made.party}": _some(synthetic[rows_drawn(made)]) for made in allocation.rewards if made.party in shown
    }
    together = np.concatenate([block for name, block in rows.items() if not name.startswith("reward.")])
    if together.shape[1] == 2 and columns is not None:
        words = f"{columns[0]} and {columns[1]}"
        plane = {name: scaling.original_features(block) for name, block in rows.items()}
    else:
        centre = together.mean(axis=0)
        _, spectrum, directions = np.linalg.svd(together - centre, full_matrices=False)
        directions = directions[:2] if len(directions) > 1 else np.vstack([directions, np.zeros_like(directions)])
        share = float(np.square(spectrum[:2]).sum() / max(np.square(spectrum).sum(), np.finfo(np.float64).tiny))
        words = f"the first two principal components, with {share:.0%} of the variance"
        plane = {name: (block - centre) @ directions.T for name, block in rows.items()}
    view: dict[str, NDArray[Any]] = {"map": np.array(words)}
    view |= {f"map.{name}": block for name, block in plane.items()}
    if columns is not None:
        chosen = _most_different([c.X for c in contributions])
        view["columns"] = np.array([columns[j] for j in chosen], dtype=np.str_)
        view |= {f"columns.{name}": scaling.original_features(block)[:, chosen] for name, block in rows.items()}
    return view


def rows_drawn(made: MadeReward) -> NDArray[np.int64]:
    """The rows of the synthetic pool in a reward that was made (k,).

    Raises
    ------
    ValueError
        The realization made a reward without any.
    """
    indices = getattr(made, "indices", None)
    if indices is None:
        raise ValueError(
            f"the realization made {made.party!r} a reward without synthetic rows: expected an attribute indices, rows "
            "of the synthetic pool, as that of guerdon.realization.SyntheticReward"
        )
    return np.asarray(indices, dtype=np.int64)


def _most_different(parties: Sequence[FloatArray]) -> list[int]:
    """The columns with the largest variance of the parties' means in all rows' variance, the first one first."""
    means = np.array([X.mean(axis=0) for X in parties])
    variance = np.concatenate(parties).var(axis=0)
    apart = means.var(axis=0) / np.where(variance > 0.0, variance, np.inf)
    return [int(j) for j in np.argsort(-apart, kind="stable")[:COLUMNS]]


def _some(rows: FloatArray) -> FloatArray:
    chosen = np.unique(np.linspace(0, len(rows) - 1, ROWS).astype(int)) if len(rows) else np.empty(0, dtype=int)
    return np.asarray(rows[chosen])
