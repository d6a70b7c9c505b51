"""Repeated rows: always counted, removed on request. Copies change values, so parties should know of them.

Copies with a little noise have no bits in common, and show by their distances: around a row the volumes to its k-th and
its (k+1)-th nearest neighbour have, in data without copies, the ratio of a uniform draw to the power 1/k,

    P((d_k / d_(k+1))^D < u) = u^k,    D the dimension in which the data lie,

whatever their density there. Among copies the distance jumps after the last of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.special import bdtrc

from guerdon.types import Contribution, FloatArray

__all__ = [
    "DuplicateReport",
    "NearCopies",
    "count_duplicates",
    "near_copies",
    "near_copies_between",
    "some_of",
    "without_near_copies",
    "without_repeats",
]

NEIGHBOURS = 12
"""So many nearest neighbours of a row are looked at: a row with more copies than that has copies of copies."""

SUSPECT = 1e-3
"""A jump that in data without copies one row in so many has is a sign of copies."""

TOO_MANY = 1e-6
"""Parties with more such rows than chance gives with this probability have near-copies; others have none."""

FEWEST = 20
"""Of fewer rows nothing is said."""

PAIRED = 1000
"""The dimension is taken from the distances between so many rows at most."""

SCALES = (0.03, 0.08, 0.2)
"""The shares of pairs between whose distances it is taken."""


@dataclass(frozen=True)
class DuplicateReport:
    """How many rows the parties hold more than once, and share with each other.

    Attributes
    ----------
    within : dict of str to int
        How many rows a party holds more than once, by party.
    between : dict of tuple to int
        How many distinct rows two parties share, by pair.
    """

    within: dict[str, int]
    between: dict[tuple[str, str], int]

    def sentences(self) -> list[str]:
        """The findings, one a line; none when every row is unique."""
        own = [f"{party} holds {count} repeated rows" for party, count in self.within.items() if count]
        shared = [f"{a} and {b} share {count} identical rows" for (a, b), count in self.between.items() if count]
        return own + shared


def count_duplicates(contributions: Sequence[Contribution]) -> DuplicateReport:
    """Count the rows (inputs, output and own noise variance, bit for bit) that repeat within and between parties."""
    keys = [set(_keys(c)) for c in contributions]
    within = {c.party: len(c) - len(k) for c, k in zip(contributions, keys, strict=True)}
    between = {
        (contributions[i].party, contributions[j].party): len(keys[i] & keys[j])
        for i in range(len(keys))
        for j in range(i + 1, len(keys))
    }
    return DuplicateReport(within, between)


@dataclass(frozen=True, eq=False)
class NearCopies:
    """Which of a party's rows are copies of each other but for a little noise.

    Attributes
    ----------
    kept : (m,) bool array
        One row of each set of near-copies, and all others.
    probability : float
        Of as many suspect rows as there are, in data without copies.
    """

    kept: NDArray[np.bool_]
    probability: float

    @property
    def count(self) -> int:
        """How many rows are near-copies of one that is kept."""
        return int((~self.kept).sum())


def near_copies(contribution: Contribution) -> NearCopies:
    """Find a party's near-copies, in inputs and, where there are some, outputs; each column in its own spread.

    Equal rows are not near-copies: data of few levels hold them honestly (``count_duplicates``). Noise as large as the
    distances between honest rows hides copies, and then they are hardly copies any more.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> jittered = np.concatenate([X, X + 1e-3])
    >>> near_copies(Contribution("A", X)).count, near_copies(Contribution("B", jittered)).count >= 60
    (0, True)
    """
    rows = _in_spreads([contribution])
    everything = np.ones(len(rows), dtype=bool)
    distinct, of_row = np.unique(rows, axis=0, return_index=True)
    ends, probability = _linked(distinct)
    if not len(ends):
        return NearCopies(everything, probability)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(distinct),) * 2)
    _, group = connected_components(graph, directed=False)
    first: dict[int, int] = {}
    for place in np.argsort(of_row, kind="stable"):
        first.setdefault(int(group[place]), int(place))
    copies = np.ones(len(distinct), dtype=bool)
    copies[list(first.values())] = False
    kept = everything.copy()
    gone = {row.tobytes() for row in distinct[copies]}
    kept[[row.tobytes() in gone for row in np.ascontiguousarray(rows)]] = False
    return NearCopies(kept, probability)


def near_copies_between(contributions: Sequence[Contribution]) -> dict[str, int]:
    """How many rows of each party are copies of another party's rows but for a little noise, by party.

    By the same measure, on the rows of all parties together without the near-copies of their own. Rows that two parties
    hold equal, bit for bit, are no near-copies (``count_duplicates``).

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> near_copies_between([Contribution("A", X[:40]), Contribution("B", np.concatenate([X[:25] + 1e-3, X[40:]]))])
    {'A': 25, 'B': 25}
    """
    alone = [without_near_copies(c) for c in contributions]
    owner = np.repeat(np.arange(len(alone)), [len(c) for c in alone])
    distinct, of_row = np.unique(_in_spreads(alone), axis=0, return_index=True)
    ends, _ = _linked(distinct)
    of_pair = owner[of_row][ends]  # whose the two rows are
    rows = np.unique(ends[of_pair[:, 0] != of_pair[:, 1]])
    counts = np.bincount(owner[of_row][rows], minlength=len(alone))
    return {c.party: int(count) for c, count in zip(contributions, counts, strict=True)}


def _in_spreads(contributions: Sequence[Contribution]) -> FloatArray:
    """Inputs and, where there are some, outputs of all rows, each column that varies in its own spread."""
    columns = [c.X if c.y is None else np.column_stack([c.X, c.y]) for c in contributions]
    rows = np.concatenate(columns)
    spread = rows.std(axis=0) if len(rows) else np.ones(0)
    return np.asarray(rows[:, spread > 0.0] / spread[spread > 0.0])


def _linked(distinct: FloatArray) -> tuple[NDArray[np.intp], float]:
    """Pairs (p, 2) of different rows that are near-copies, none where chance would do; and that chance."""
    none = np.empty((0, 2), dtype=np.intp)
    if len(distinct) < FEWEST or not distinct.shape[1]:
        return none, 1.0
    dimension = _dimension(distinct)
    neighbours = min(NEIGHBOURS, len(distinct) // 2)
    distances, near = cKDTree(distinct).query(distinct, k=neighbours + 2)
    k = np.arange(1, neighbours + 1)
    ratio = distances[:, 1:-1] / distances[:, 2:]  # d_k / d_(k+1): (rows, neighbours)
    jumps = ratio ** (dimension * k)
    suspect = jumps < SUSPECT / neighbours
    found = int(suspect.any(axis=1).sum())
    half = len(distinct) // 2  # two rows that are each other's nearest are one finding
    probability = float(bdtrc(found // 2 - 1, half, SUSPECT)) if found else 1.0
    if probability > TOO_MANY:
        return none, probability
    last = np.where(suspect.any(axis=1), 1 + np.argmin(jumps, axis=1), 0)
    pairs = [(i, j) for i in range(len(distinct)) for j in near[i, 1 : last[i] + 1]]
    return np.array(pairs, dtype=np.intp), probability


def _dimension(distinct: FloatArray) -> float:
    """The dimension in which rows lie: how pairs grow in number with their distance (Grassberger & Procaccia 1983).

    Between quantiles of all distances, of which those between copies are too few to matter. The smaller of two, for a
    dimension that is too large would see copies in honest rows.
    """
    some = distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), PAIRED)).astype(int)]
    quantiles = np.quantile(pdist(some), SCALES)
    slopes = [np.log(SCALES[j + 1] / SCALES[j]) / np.log(quantiles[j + 1] / quantiles[j]) for j in (0, 1)]
    return float(np.clip(min(slopes), 0.5, distinct.shape[1]))


def without_near_copies(contribution: Contribution) -> Contribution:
    """The contribution with one of each set of its near-copies (``near_copies``)."""
    found = near_copies(contribution)
    return contribution if found.kept.all() else some_of(contribution, np.flatnonzero(found.kept))


def without_repeats(contribution: Contribution) -> Contribution:
    """The contribution with the first of each set of its identical rows."""
    first = sorted({key: row for row, key in reversed(list(enumerate(_keys(contribution))))}.values())
    rows: NDArray[np.intp] = np.array(first, dtype=np.intp)
    return some_of(contribution, rows)


def some_of(contribution: Contribution, rows: NDArray[np.intp]) -> Contribution:
    """The contribution with these rows only."""
    y, noise, marks = contribution.y, contribution.noise, contribution.marks
    return replace(
        contribution,
        X=contribution.X[rows],
        y=None if y is None else y[rows],
        noise=noise[rows] if isinstance(noise, np.ndarray) else noise,
        marks=None if marks is None else marks.of_rows(rows),
    )


def _keys(contribution: Contribution) -> list[bytes]:
    columns: list[FloatArray] = [contribution.X]
    if contribution.y is not None:
        columns.append(contribution.y[:, None])
    own = np.nan if contribution.noise is None else contribution.noise  # NaN: the model's noise
    columns.append(np.broadcast_to(own, len(contribution))[:, None])
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1) + 0.0)  # -0.0 and 0.0 are one number
    return [blake2b(row, digest_size=16).digest() for row in rows]  # a row of pixels would be held twice
