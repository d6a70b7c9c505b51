"""Attacks on a reward: each gives every row a score, the larger the rather it is one that the reward was made of.

Of synthetic rows S, for a row x in standard units:

    nearest row        - min over s in S of |x - s|
    density ratio      log p_S(x) - log p_R(x), R being rows that the attacker has himself (after van Breugel et al.,
                       AISTATS 2023, DOMIAS): near where S is dense and the world is not
    singling out       by how many predicates, each made from a row of S, x alone is matched (after Giomi et al., PETS
                       2023, Anonymeter): "age at least 74 and pain of kind 3"
    guessing cells     the share of x's cells that its nearest synthetic row has right, each cell in turn being left out
                       of the search

Of a model: how well it predicts x's output, by what it says of its probability, and the same less what the attacker's
own model says (as an easy row is easy for both). Of a model that holds rows, the distance to the nearest of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from guerdon.scaling import deviations
from guerdon.tables import Columns
from guerdon.threads import one_thread
from guerdon.types import FloatArray

__all__ = ["PREDICATES", "Cells", "Scored", "density_ratio", "guesses", "nearest", "singling_out"]

BLOCK = 4_000_000
"""Distances that are held at once."""

DIMENSIONS = 8
"""Principal components in which densities are estimated at most: in more, a density of few rows is none."""

PREDICATES = 400
"""Made from a reward to single out rows."""

WIDEST = 6
"""Columns in a predicate at most."""

GUESSED = 16
"""Columns whose cells are guessed at most, evenly spaced."""

CLOSE = 0.1
"""A number counts as guessed within so many standard deviations of its column."""


class Scored(NamedTuple):
    """The scores of rows (m,), and a share of something, by row (m,), that says in plain words what came of it."""

    scores: FloatArray
    shares: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows of a table by column: numbers, and codes of few levels, labels among them.

    Attributes
    ----------
    numbers : (m, p) array
        In the units of their columns.
    codes : (m, q) array of int
        From 0.
    """

    numbers: FloatArray
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, columns: Columns | None, X: FloatArray, labels: FloatArray | None) -> Cells:
        """The cells of rows (m, d); without columns each feature is a number. A gap in a number is a code."""
        codes = np.empty((len(X), 0), dtype=np.int64)
        numbers = X
        if columns is not None:
            parts = columns.split(X)
            numbers, codes = parts.numbers, parts.codes
        if labels is not None:
            codes = np.column_stack([codes, np.asarray(labels).astype(np.int64)])
        return cls(numbers, codes)

    def rows(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Cells:
        return Cells(self.numbers[chosen], self.codes[chosen])


def nearest(rows: FloatArray, S: FloatArray) -> Scored:
    """Less the distance of each row (m, d) to the nearest of S (s, d)."""
    return Scored(-np.sqrt(np.concatenate([squared.min(axis=1) for _, squared in _distances(rows, S)])))


def density_ratio(rows: FloatArray, S: FloatArray, R: FloatArray) -> Scored:
    """log p_S - log p_R by Gaussian kernels of Scott's width, in the first principal components of both together."""
    together = np.concatenate([S, R])
    centre = together.mean(axis=0)
    _, spectrum, directions = np.linalg.svd(together - centre, full_matrices=False)
    kept = directions[: min(DIMENSIONS, int((spectrum > 1e-9 * spectrum[:1]).sum()))]
    points, dense, world = ((block - centre) @ kept.T for block in (rows, S, R))
    return Scored(_log_density(points, dense) - _log_density(points, world))


def singling_out(rows: Cells, inside: NDArray[np.bool_], S: Cells, rng: np.random.Generator) -> Scored:
    """How many predicates made from S match a row and no other on its side; sides are attacked apart.

    ``shares`` are by row, so that their sum over a side, divided by how many rows it has, is the share of predicates
    that match exactly one row there.
    """
    credits = np.zeros(len(inside))
    predicates = [_predicate(S, rng) for _ in range(PREDICATES)]
    for matches in (predicate(rows) for predicate in predicates):
        for side in (inside, ~inside):
            found = np.flatnonzero(matches & side)
            if len(found) == 1:
                credits[found[0]] += 1.0
    sizes = np.where(inside, inside.sum(), (~inside).sum())
    return Scored(credits, credits / PREDICATES * sizes)


def guesses(rows: Cells, S: Cells) -> Scored:
    """The share of each row's cells that its nearest row of S, by all other cells, has right."""
    spread = deviations(np.concatenate([rows.numbers, S.numbers]))
    ours, theirs = rows.numbers / spread, S.numbers / spread
    p, q = ours.shape[1], rows.codes.shape[1]
    secret = np.unique(np.linspace(0, p + q - 1, min(p + q, GUESSED)).astype(int))
    right = np.zeros((len(ours), len(secret)))
    for start, block in _distances(ours, theirs):
        here = slice(start, start + len(block))
        for j in range(q):
            block += 2.0 * (rows.codes[here, j, None] != S.codes[None, :, j])  # as one-hots would
        for k, j in enumerate(secret):
            if j < p:
                away = ours[here, j, None] - theirs[None, :, j]
                best = (block - away**2).argmin(axis=1)
                right[here, k] = np.abs(away[np.arange(len(best)), best]) <= CLOSE
            else:
                differs = rows.codes[here, j - p, None] != S.codes[None, :, j - p]
                best = (block - 2.0 * differs).argmin(axis=1)
                right[here, k] = ~differs[np.arange(len(best)), best]
    share = right.mean(axis=1)
    return Scored(share, share)


def _distances(rows: FloatArray, S: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Squared distances in blocks of rows: where each block starts, and (b, s).

    From the middle of S, as |a|^2 + |b|^2 - 2 a.b of rows that lie far from 0 has no digits left.
    """
    step, middle = max(1, BLOCK // max(len(S), 1)), S.mean(axis=0)
    rows, S = rows - middle, S - middle
    squares = np.square(S).sum(axis=1)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        with one_thread():
            yield start, np.maximum(np.square(block).sum(axis=1)[:, None] + squares - 2.0 * block @ S.T, 0.0)


def _log_density(points: FloatArray, sample: FloatArray) -> FloatArray:
    """By a Gaussian kernel with Scott's width in each direction (m,)."""
    n, k = sample.shape
    spread = sample.std(axis=0)
    width = np.maximum(spread, 1e-3 * max(float(spread.max(initial=0.0)), 1e-12)) * n ** (-1.0 / (k + 4))
    parts = [logsumexp(-0.5 * squared, axis=1) for _, squared in _distances(points / width, sample / width)]
    return np.asarray(np.concatenate(parts) - np.log(n) - np.log(width).sum())


def _predicate(S: Cells, rng: np.random.Generator) -> Callable[[Cells], NDArray[np.bool_]]:
    """A conjunction that a row of S, drawn at random, fulfils: of several columns, or the extreme of a single one.

    Of a number either a bound, on the side where fewer rows of S lie, or that it is close to the row's own.
    """
    p, q = S.numbers.shape[1], S.codes.shape[1]
    row = int(rng.integers(len(S.numbers)))
    count = int(rng.integers(1, min(p + q, WIDEST) + 1))
    chosen = rng.choice(p + q, size=count, replace=False)
    high = S.numbers[row] >= np.median(S.numbers, axis=0)
    if count == 1 and chosen[0] < p:
        order = S.numbers[:, chosen[0]]
        row = int(order.argmax() if rng.random() < 0.5 else order.argmin())
        high = S.numbers[row] >= np.median(S.numbers, axis=0)
    near = np.asarray(rng.random(p) < (0.5 if count > 1 else 0.0), dtype=bool)
    reach = CLOSE * S.numbers.std(axis=0)

    def holds(rows: Cells) -> NDArray[np.bool_]:
        matched = np.ones(len(rows.numbers), dtype=bool)
        for j in chosen:
            if j < p:
                bound = S.numbers[row, j]
                if near[j]:
                    matched &= np.abs(rows.numbers[:, j] - bound) <= reach[j]
                else:
                    matched &= rows.numbers[:, j] >= bound if high[j] else rows.numbers[:, j] <= bound
            else:
                matched &= rows.codes[:, j - p] == S.codes[row, j - p]
        return matched

    return holds
