"""An adversarial random forest as generator (Watson, Blesch, Kapar, Wright, AISTATS 2023), by scikit-learn's forests.

A forest learns to tell the pool's rows from rows whose columns were drawn independently of each other; then from rows
whose columns were drawn independently within each of its leaves; and so on until it can't (its out-of-bag accuracy is
about a half): then columns are as good as independent within its leaves, and a density is simple,

    p(x) = mean over trees of  sum over leaves l of  q_l prod_j p_lj(x_j)

with q_l the share of the pool's rows in the leaf, and p_lj the shares of a column's levels there, or a normal that is
truncated where the leaf ends.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from guerdon.checks import is_number, require_count
from guerdon.generators.dependence import Dependence
from guerdon.generators.labeller import Labeller
from guerdon.generators.protocols import FittedGenerator, pooled_columns, pooled_labels, pooled_rows
from guerdon.tables import Columns, Number, Parts
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

__all__ = ["AdversarialForest", "LeafDensity"]


@dataclass(frozen=True, eq=False)
class LeafDensity:
    """Leaves within which columns are independent; each is drawn by its ``weights``.

    Attributes
    ----------
    weights : (L,) array
        q_l divided by the number of trees.
    means, deviations, lows, highs : (L, f) array
        Of the free numbers: the normal's, and where it ends.
    shares : tuple of (L, levels) array
        Of the levels of each column that has few.
    classes, label_shares : (K,) and (L, K) array, or None
        Of the labels, where every party sent some; the leaves were found without them.
    dependence : Dependence
        How the other numbers follow from the free ones.
    rounds : int
        How many forests it took.
    accuracy : float
        The out-of-bag accuracy of the last one.
    """

    weights: FloatArray
    means: FloatArray
    deviations: FloatArray
    lows: FloatArray
    highs: FloatArray
    shares: tuple[FloatArray, ...]
    classes: FloatArray | None
    label_shares: FloatArray | None
    dependence: Dependence
    columns: Columns
    trees: int
    rounds: int
    accuracy: float

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self._drawn(n, rng)[0]

    def draw_labelled(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray | None]:
        points, leaf = self._drawn(n, rng)
        if self.classes is None or self.label_shares is None:
            return points, None
        return points, self.classes[_level(self.label_shares[leaf], rng.spawn(1)[0])]

    def _drawn(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.int64]]:
        leaf = rng.choice(len(self.weights), size=n, p=self.weights)
        free = _truncated(self.means[leaf], self.deviations[leaf], self.lows[leaf], self.highs[leaf], rng)
        codes = [_level(shares[leaf], rng) for shares in self.shares]
        numbers = self.dependence(free)
        return self.columns.join(numbers, np.stack(codes, axis=1) if codes else np.empty((n, 0), dtype=np.int64)), leaf

    def describe(self) -> dict[str, Any]:
        return {
            "generator": "adversarial forest",
            "trees": self.trees,
            "leaves": len(self.weights),
            "forests": self.rounds,
            "out_of_bag_accuracy": self.accuracy,
        }


@dataclass(frozen=True)
class AdversarialForest:
    """A forest within whose leaves the columns of the pool are independent.

    It is for tables of any columns: categories, yes or no, whole numbers, gaps. What is drawn are rows of the table,
    and a label is drawn by its shares in the row's leaf. Numbers that follow linearly from others follow again.

    Parameters
    ----------
    trees : int
    leaf : int
        Rows of the pool in each leaf at least: fewer follow the pool more closely, down to its single rows.
    delta : float
        Forests follow each other until the out-of-bag accuracy is at most 1/2 + delta, or no longer falls.
    rounds : int
        Forests at most.

    Raises
    ------
    ValueError
        A parameter is out of its range.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(60, 2))
    >>> fitted = AdversarialForest(trees=10).fit([Contribution("A", rows)], rng=np.random.default_rng(1))
    >>> fitted.sample(5, rng=np.random.default_rng(2)).points.shape
    (5, 2)
    """

    trees: int = 50
    leaf: int = 5
    delta: float = 0.02
    rounds: int = 10

    def __post_init__(self) -> None:
        for name in ("trees", "leaf", "rounds"):
            require_count(name, getattr(self, name))
        if not is_number(self.delta) or not 0.0 <= self.delta < 0.5:
            raise ValueError(f"delta must be a number from 0 to below 0.5, got {self.delta!r}")

    def fit(self, contributions: Sequence[Contribution], *, rng: np.random.Generator) -> FittedGenerator:
        """The forest on this pool.

        Raises
        ------
        GeneratorFitError
            The pool has fewer rows than two leaves.
        """
        pool = pooled_rows(contributions, 2 * self.leaf, f"AdversarialForest(leaf={self.leaf})")
        columns = pooled_columns(contributions) or Columns.of([Number(str(j), j) for j in range(pool.shape[1])])
        labels = pooled_labels(contributions)
        density = self._density(pool, columns, labels, rng)
        labeller = Labeller.of(contributions) if labels is None else None
        return FittedGenerator(density, labeller, columns=columns)

    def _density(
        self, pool: FloatArray, columns: Columns, labels: FloatArray | None, rng: np.random.Generator
    ) -> LeafDensity:
        parts = columns.split(pool)
        forest, leaves = None, np.zeros((1, len(pool)), dtype=np.int64)  # one leaf: columns drawn independently
        best, accuracy, rounds = math.inf, 1.0, 0
        while rounds < self.rounds:
            rival = columns.join(*_within_leaves(parts, columns, leaves, rng))
            grown = self._forest(np.concatenate([pool, rival]), len(pool), int(rng.integers(2**31 - 1)))
            rounds, accuracy = rounds + 1, float(grown.oob_score_)
            if forest is not None and accuracy >= best:
                break  # no better than before: the forest before stands
            forest, best = grown, accuracy
            trees = [_Tree.of(tree.tree_, pool, self.leaf) for tree in grown.estimators_]
            leaves = np.stack([tree.leaf for tree in trees])
            if best <= 0.5 + self.delta:
                break
        return _leaf_density(trees, pool, parts, columns, labels, rounds, best)

    def _forest(self, rows: FloatArray, real: int, seed: int) -> RandomForestClassifier:
        from sklearn.ensemble import RandomForestClassifier  # here: most runs need none

        forest = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf, oob_score=True, n_jobs=1, random_state=seed
        )
        truth = np.arange(len(rows)) < real
        with one_thread(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some inputs do not have OOB scores")  # of few trees; they count as wrong
            warnings.filterwarnings("ignore", "invalid value encountered", RuntimeWarning)
            return forest.fit(rows, truth)


@dataclass(frozen=True, eq=False)
class _Tree:
    """leaf (m,): the node that each row of the pool is in; lows, highs (nodes, d): where each node ends."""

    leaf: NDArray[np.int64]
    lows: FloatArray
    highs: FloatArray

    @classmethod
    def of(cls, tree: Any, pool: FloatArray, smallest: int) -> _Tree:
        """A tree cut back until each leaf holds none of the pool's rows, or ``smallest`` at least."""
        count = np.asarray(tree.decision_path(pool.astype(np.float32)).sum(axis=0)).ravel()
        nodes, d = tree.node_count, pool.shape[1]
        lows, highs = np.full((nodes, d), -np.inf), np.full((nodes, d), np.inf)
        stands_for = np.arange(nodes)
        for node in range(nodes):  # a parent comes before its children
            children = tree.children_left[node], tree.children_right[node]
            if children[0] < 0:
                continue
            cut = stands_for[node] != node or any(0 < count[child] < smallest for child in children)
            feature, threshold = tree.feature[node], tree.threshold[node]
            for child in children:
                stands_for[child] = stands_for[node] if cut else child
                lows[child], highs[child] = lows[node], highs[node]
            highs[children[0], feature] = min(highs[node, feature], threshold)
            lows[children[1], feature] = max(lows[node, feature], threshold)
        return cls(stands_for[tree.apply(pool.astype(np.float32))], lows, highs)


def _within_leaves(
    parts: Parts, columns: Columns, leaves: NDArray[np.int64], rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.int64]]:
    """As many rows as the pool has, each column of each from a row in the same leaf of the same tree.

    leaves : (trees, m), which leaf of each tree each row of the pool is in.
    """
    trees, m = len(leaves), len(parts.codes)
    tree, row = rng.integers(trees, size=m), rng.integers(m, size=m)
    order = np.argsort(leaves, axis=1, kind="stable")
    ranked = np.take_along_axis(leaves, order, axis=1)
    first, size = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
    for t in range(trees):
        chosen = tree == t
        own = leaves[t, row[chosen]]
        first[chosen] = np.searchsorted(ranked[t], own, side="left")
        size[chosen] = np.searchsorted(ranked[t], own, side="right") - first[chosen]

    def others() -> NDArray[np.int64]:
        return np.asarray(order[tree, first + (rng.random(m) * size).astype(np.int64)])

    numbers, codes = np.empty_like(parts.numbers), np.empty_like(parts.codes)
    number, code = iter(range(parts.numbers.shape[1])), iter(range(parts.codes.shape[1]))
    for column in columns.each:
        source = others()  # a number and whether it is a gap come from one row
        if isinstance(column, Number):
            j = next(number)
            numbers[:, j] = parts.numbers[source, j]
        if column.levels:
            k = next(code)
            codes[:, k] = parts.codes[source, k]
    return numbers, codes


def _leaf_density(
    trees: Sequence[_Tree],
    pool: FloatArray,
    parts: Parts,
    columns: Columns,
    labels: FloatArray | None,
    rounds: int,
    accuracy: float,
) -> LeafDensity:
    places = np.array([column.place for column in columns.numbers], dtype=np.intp)
    dependence = Dependence.of(parts.numbers) if len(pool) > len(places) else _all_free(parts.numbers)
    free = dependence.free
    numbers, known = parts.numbers[:, free], ~parts.gaps[:, free]
    leaves: list[NDArray[np.int64]] = []
    nodes: list[tuple[FloatArray, FloatArray]] = []
    total = 0
    for tree in trees:
        ids, place = np.unique(tree.leaf, return_inverse=True)
        leaves.append(total + place)
        nodes.append((tree.lows[ids][:, places[free]], tree.highs[ids][:, places[free]]))
        total += len(ids)
    count, leaf = len(trees), np.concatenate(leaves)  # (trees m,)

    def per_leaf(values: FloatArray) -> FloatArray:
        """Sums over the rows of each leaf (L, k) of values (m, k)."""
        return (
            np.stack(
                [np.bincount(leaf, weights=np.tile(column, count), minlength=total) for column in values.T], axis=1
            )
            if values.shape[1]
            else np.zeros((total, 0))
        )

    rows = np.bincount(leaf, minlength=total).astype(np.float64)
    observed = np.maximum(per_leaf(known.astype(np.float64)), 1.0)
    centre = numbers.mean(axis=0)
    shifted = np.where(known, numbers - centre, 0.0)
    means = per_leaf(shifted) / observed
    deviations = np.sqrt(np.maximum(per_leaf(np.square(shifted)) / observed - np.square(means), 0.0))
    # A leaf with one value of a column draws that value, and not what rounding makes of its mean.
    ends = [np.full((total, numbers.shape[1]), end) for end in (np.inf, -np.inf)]
    for own, extreme, end in zip(ends, (np.minimum, np.maximum), (np.inf, -np.inf), strict=True):
        extreme.at(own, leaf, np.tile(np.where(known, numbers, end), (count, 1)))
    single = ends[0] == ends[1]
    means, deviations = np.where(single, ends[0], centre + means), np.where(single, 0.0, deviations)
    # In features' units, as the forest saw them; the columns' own here.
    offset, scale = columns.offset[places[free]], columns.scale[places[free]]
    lows = np.concatenate([low for low, _ in nodes]) * scale + offset
    highs = np.concatenate([high for _, high in nodes]) * scale + offset
    shares = tuple(
        per_leaf((codes[:, None] == np.arange(levels)).astype(np.float64)) / rows[:, None]
        for codes, levels in zip(parts.codes.T, columns.levels, strict=True)
    )
    classes = label_shares = None
    if labels is not None:
        classes = np.unique(labels)
        label_shares = per_leaf((labels[:, None] == classes).astype(np.float64)) / rows[:, None]
    return LeafDensity(
        weights=rows / rows.sum(),
        means=means,
        deviations=deviations,
        lows=lows,
        highs=highs,
        shares=shares,
        classes=classes,
        label_shares=label_shares,
        dependence=dependence,
        columns=columns,
        trees=count,
        rounds=rounds,
        accuracy=accuracy,
    )


def _all_free(numbers: FloatArray) -> Dependence:
    p = numbers.shape[1]
    return Dependence(np.arange(p), np.zeros(p), np.eye(p))


def _truncated(
    mean: FloatArray, deviation: FloatArray, low: FloatArray, high: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Normals between bounds (k, f), by their inverse distribution function, from the tail that loses no digits."""
    spread = np.where(deviation > 0.0, deviation, 1.0)
    a, b = (low - mean) / spread, (high - mean) / spread
    flipped = a > 0.0
    a, b = np.where(flipped, -b, a), np.where(flipped, -a, b)
    u = rng.random(mean.shape)
    z = ndtri(ndtr(a) + u * (ndtr(b) - ndtr(a)))
    z = np.clip(np.where(flipped, -z, z), (low - mean) / spread, (high - mean) / spread)
    return np.asarray(mean + np.where(deviation > 0.0, z * spread, 0.0))


def _level(shares: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """One level for each row of shares (k, levels)."""
    ends = shares.cumsum(axis=1)
    return np.asarray((rng.random(len(shares))[:, None] * ends[:, -1:] >= ends[:, :-1]).sum(axis=1), dtype=np.int64)
