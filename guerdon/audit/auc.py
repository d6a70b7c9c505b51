"""How well a score tells members from others: the area under the ROC curve, with an interval over the rows.

Two twins of one thing are attacked, each made of one half of the rows, so that every row is a member once and once not.
With s_k(x) a row's score in twin k, n members and n' others there,

    AUC_k = 1/(n n') sum_{x in, y out} [s_k(x) > s_k(y)] + 1/2 [s_k(x) = s_k(y)],        AUC = (AUC_1 + AUC_2) / 2.

By how much one row moves it is known from its placements (DeLong, DeLong and Clarke-Pearson 1988), here in both twins
together: rows that are easy to attack whatever they are in raise the one AUC and lower the other, and the sum of
squares sees that. The interval is taken on the logit's scale, so that it stays within 0 and 1. It is over the rows,
given the twins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from guerdon.types import FloatArray

__all__ = ["LEVEL", "Area", "area_with_interval"]

LEVEL = 0.95
"""Of the intervals."""

NORMAL = 1.959963984540054
"""Standard deviations to each side that hold so much of a normal distribution."""


class Area(NamedTuple):
    """An AUC and from where to where it could be."""

    auc: float
    low: float
    high: float


def area_with_interval(
    scores: tuple[FloatArray, FloatArray], inside: NDArray[np.bool_], groups: NDArray[np.intp] | None = None
) -> Area:
    """The AUC of two twins' scores, with its interval.

    Parameters
    ----------
    scores : tuple of (m,) array
        Two, of the same rows in either twin; larger means that a row is rather in it.
    inside : (m,) array of bool
        Which rows the first twin is made of; the second is made of the others.
    groups : (m,) array of int, optional
        Rows of one number are one row many times, and count as one in the interval.

    Returns
    -------
    Area
        From 0 to 1 where a score is no number: then nothing is known.

    Raises
    ------
    ValueError
        Fewer than two rows are in, or not in.

    Examples
    --------
    >>> inside = np.arange(40) < 20
    >>> found = area_with_interval((inside * 1.0, ~inside * 1.0), inside)
    >>> found.auc, found.high
    (1.0, 1.0)
    """
    counts = int(inside.sum()), int((~inside).sum())
    if min(counts) < 2:
        raise ValueError(f"at least two rows must be in and two not, got {counts[0]} and {counts[1]}")
    if any(np.isnan(s).any() for s in scores):
        return Area(0.5, 0.0, 1.0)
    areas, moves = zip(*(_placements(s, side) for s, side in zip(scores, (inside, ~inside), strict=True)), strict=True)
    auc = float(np.mean(areas))
    moved = 0.5 * (moves[0] + moves[1])
    groups = np.arange(len(inside)) if groups is None else groups
    single = np.bincount(groups, weights=moved)
    distinct = np.bincount(groups) > 0
    n = max(int(distinct.sum()), 2)
    error = float(np.sqrt(np.square(single[distinct]).sum() * n / (n - 1)))
    # Where all rows are told apart, or none, the placements say nothing of what one row more would do: as if half of
    # one were told wrongly.
    edge = 0.5 / (min(counts) + 1)
    middle = float(np.clip(auc, edge, 1.0 - edge))
    reach = NORMAL * max(error, float(np.sqrt(edge * (1.0 - edge) / n))) / (middle * (1.0 - middle))
    low, high = (float(expit(logit(middle) + way * reach)) for way in (-1.0, 1.0))
    return Area(auc, 0.0 if auc == 0.0 else low, 1.0 if auc == 1.0 else high)


def _placements(scores: FloatArray, inside: NDArray[np.bool_]) -> tuple[float, FloatArray]:
    """The AUC of one twin, and by how much each row moves it (m,)."""
    n, others = int(inside.sum()), int((~inside).sum())
    from scipy.stats import rankdata  # half a second, which only an audit waits for

    ranks, moved = rankdata(scores), np.empty(len(scores))
    placed_in = (ranks[inside] - rankdata(scores[inside])) / others  # the share of others that score less
    placed_out = 1.0 - (ranks[~inside] - rankdata(scores[~inside])) / n
    auc = float(placed_in.mean())
    moved[inside], moved[~inside] = (placed_in - auc) / n, (placed_out - auc) / others
    return auc, moved
