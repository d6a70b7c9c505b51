"""Where maximum likelihood starts: hyperparameters of a kernel, from the distances between the rows themselves.

A likelihood has an end for every reading of the data: a slow trend and much noise, or a quick season and little. Which
one is likeliest can't be told beforehand, so that lengthscales are tried from about the distance of a row to its
nearest neighbour up to several times the distance of any two rows, each term of a sum for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Self

import numpy as np
from scipy.spatial import KDTree

from guerdon.models.kernels import OpenTerm
from guerdon.types import FloatArray

__all__ = ["Distances", "Start", "kernel_starts"]

Start = Mapping[tuple[int, str], FloatArray]
"""Values of hyperparameters by their term's number and their name."""

LEVELS = 9
"""Lengthscales of one term, evenly spaced in log."""

LONGEST, SHORTEST = 4.0, 1.0 / 16.0
"""The longest of them, and how short the shortest is at least, in shares of the inputs' spread."""

ACROSS = 0.25
"""The shortest lengthscale, in distances to the nearest neighbour: only the closest pairs of rows are then related."""

ALONE = (1.0, 0.25, 0.0625)
"""Lengthscales of the one input that the outputs follow, others being long, in shares of its spread (ARD)."""

PERIODS = 32
"""Periods of one term, evenly spaced in frequency up to half of them over the whole range."""

QUICK, SMALL = 0.25, 0.1
"""A term of a sum with a lengthscale below QUICK of the spread starts with SMALL of the outputs' variance."""

TOGETHER = 64
"""Starts of a sum at most: where its terms have more together, so many of them, picked at random once for all."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances between the rows of X (m, d), in all inputs together and in each by itself.

    nearest, each_nearest (d,) : the median distance of a row to its nearest neighbour, equal rows left out;
    spread, each_spread (d,) : the root of the summed variances, 1/sqrt(2) of what two rows are apart on average.
    All are positive: what does not vary counts as spread over 1.
    """

    nearest: float
    spread: float
    each_nearest: FloatArray
    each_spread: FloatArray

    @classmethod
    def of(cls, X: FloatArray) -> Self:
        each = np.std(X, axis=0) if len(X) else np.zeros(X.shape[1])
        each = np.where(each > 0.0, each, 1.0)
        spread = float(np.linalg.norm(each))
        each_nearest = [_nearest(X[:, [k]], float(each[k])) for k in range(X.shape[1])]
        return cls(_nearest(X, spread), spread, np.array(each_nearest), each)


def _nearest(X: FloatArray, otherwise: float) -> float:
    rows = np.unique(X, axis=0)
    if len(rows) < 2:
        return otherwise
    apart = float(np.median(KDTree(rows).query(rows, k=2)[0][:, 1]))
    return apart if apart > 0.0 else otherwise


def kernel_starts(terms: Sequence[OpenTerm], distances: Distances) -> list[Start]:
    """Starts for a kernel's open lengthscales and periods; its own values come first, as the empty start.

    Parameters
    ----------
    terms : sequence of OpenTerm
        What is open of each term of the kernel.
    distances : Distances
        Of the inputs that it will be learned on.
    """
    found = [(term, starts) for term in terms if (starts := _term_starts(term, distances))]
    if not found:
        return [{}]
    choices = [starts for _, starts in found]
    if len(found) > 1:
        choices = [[_quick_is_small(term, start, distances) for start in starts] for term, starts in found]
    alike = len(found) > 1 and len({(term.kind, len(starts)) for term, starts in found}) == 1
    # Terms that are alike can change places, and two with the same lengthscale are one.
    ranks = [range(len(starts)) for starts in choices]
    chosen = list(combinations(ranks[0], len(ranks)) if alike else product(*ranks))
    if len(chosen) > TOGETHER:
        chosen = [chosen[k] for k in np.random.default_rng(0).permutation(len(chosen))[:TOGETHER]]
    combined = [[starts[k] for starts, k in zip(choices, ks, strict=True)] for ks in chosen]
    return [{}, *({name: values for part in parts for name, values in part.items()} for parts in combined)]


def _quick_is_small(term: OpenTerm, start: Start, distances: Distances) -> Start:
    """The start of one term of a sum: where its lengthscale is short, its share of the outputs' variance is small."""
    lengthscale = start.get((term.term, "lengthscale"))
    if lengthscale is None or (term.term, "period_length") in start or term.outputscale is None:
        return start
    usual = distances.spread if lengthscale.size == 1 else np.sqrt(lengthscale.size) * distances.each_spread
    if np.min(lengthscale / usual) > QUICK:
        return start
    return {**start, (term.term, "outputscale"): np.full(1, SMALL * term.outputscale)}


def _term_starts(term: OpenTerm, distances: Distances) -> Sequence[Start]:
    """The starts of one term; none where neither its lengthscale nor its period is open."""
    own, period = (term.term, "lengthscale"), (term.term, "period_length")
    if term.kind == "periodic":
        found: list[Start] = [{}]
        if term.lengthscales:  # compared with a sine, so that it has no unit
            found = [{own: np.full(term.lengthscales, 1.0)}]
        if term.periods:
            whole = float(np.sqrt(12.0)) * distances.spread  # the range of inputs that are spread evenly
            periods = 2.0 * whole / np.arange(1.0, PERIODS + 1.0)
            found = [{**start, period: np.full(term.periods, p)} for start in found for p in periods]
        return found if term.lengthscales or term.periods else []
    if not term.lengthscales:
        return []
    if term.lengthscales == 1:
        scales = [np.full(1, level) for level in _levels(distances.nearest, distances.spread)]
    else:
        scales = _scales_of_inputs(distances)
    return [{own: scale} for scale in scales]


def _levels(nearest: float, spread: float) -> FloatArray:
    shortest = min(ACROSS * nearest, SHORTEST * spread)
    return np.geomspace(LONGEST * spread, shortest, LEVELS)


def _scales_of_inputs(distances: Distances) -> list[FloatArray]:
    """Lengthscales (d,): all inputs alike, in shares of their spread, and each input by itself with the others long."""
    d = len(distances.each_spread)
    usual = np.sqrt(d) * distances.each_spread
    shares = _levels(distances.nearest, distances.spread) / distances.spread
    found = [usual * share for share in shares]
    for k in range(d if d > 1 else 0):
        for share in ALONE:
            alone = LONGEST * usual
            alone[k] = share * distances.each_spread[k]
            found.append(alone)
    return found
