"""The maximum mean discrepancy from mean embeddings: no row of a party is seen (``guerdon.mean_embedding``).

The sums A and B that every value is made of are inner products of the parties' embeddings, and of these with the
features of the synthetic rows, which the mediator has. Between synthetic rows the kernel is known exactly, and so is
what the features make of it: all sums of pairs are corrected by as much a pair as they err there. Distances between
parties, T and G stay those of the features, in which no union is nearer to T than T itself, and most of the error is
gone, since parties are like G. What is left open of alpha is told by leaving out parts of the frequencies in turn.

An embedding with noise counts for less, so that privacy never pays. Its own value is what it is estimated to be less
``SURE`` standard errors by the noise; in a union, and in T, its rows count c = 1 / (1 + (SURE e)^2) times, e being that
error. Where nothing is left of its own value it is a party without rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.mean_embedding import KernelFeatures, MeanEmbedding
from guerdon.shapley.mmd_closed_form import closed_form_shapley
from guerdon.threads import one_thread
from guerdon.types import FloatArray, Progress, SyntheticGame, silent
from guerdon.valuation.kernel_sums import cross_sums, self_sums
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame, UnionSums, finite_rows
from guerdon.valuation.pair_kernels import PairKernel, SquaredExponential

__all__ = ["EmbeddedDiscrepancy", "EmbeddedGame"]

PARTS = 16
"""Of the frequencies, for the error that they leave."""

SURE = 3.0
"""Standard errors that a value is taken less for its noise."""

MOST_PARTIES = 100
"""Of more parties the error of alpha is not computed."""


@dataclass(frozen=True)
class EmbeddedDiscrepancy:
    """``MaximumMeanDiscrepancy`` of mean embeddings, by their own length-scale.

    Examples
    --------
    >>> z = KernelFeatures(lengthscale=1.0, frequencies=4000)
    >>> rows = {"A": [[0.0], [1.0]], "B": [[3.0]]}
    >>> parties = [MeanEmbedding.of(name, np.array(X), z) for name, X in rows.items()]
    >>> game = EmbeddedDiscrepancy().game(parties, np.array([[2.0]]))
    >>> game(np.array([[True, False], [True, True]])).round(2)  # 0.222078 and 0.475063 from rows
    array([0.23, 0.48])
    """

    gives: ClassVar[type] = SyntheticGame
    unit: ClassVar[str] = "-MMD² + const"

    def game(
        self, contributions: Sequence[MeanEmbedding], synthetic: ArrayLike, *, progress: Progress = silent
    ) -> EmbeddedGame:
        """The game of these parties with the synthetic pool G (g, d); linear in g, and in no number of parties' rows.

        Raises
        ------
        ValueError
            No party, no rows, none that tell anything beside their noise, features that differ, or no synthetic point.
        """
        parties = tuple(contributions)
        if not parties or not any(p.size for p in parties):
            raise ValueError("a game needs at least one row of data, got parties without rows only")
        features = parties[0].features
        if others := [p.party for p in parties if p.features != features]:
            raise ValueError(f"all embeddings are by the same features, got others of {', '.join(others)}")
        points = np.asarray(synthetic, dtype=np.float64)
        G = finite_rows(points, points.shape[-1])
        if not len(G):
            raise ValueError("the synthetic pool must have at least one row, got none")
        shares = np.array([1.0 / (1.0 + (SURE * p.value_error) ** 2) if p.size else 0.0 for p in parties])
        sums = shares[:, None] * np.stack([p.total for p in parties])
        noise = shares**2 * np.array([p.variance for p in parties])
        kernel = SquaredExponential.on(features.lengthscale, G)
        own = self_sums(kernel, G)
        parts, between, by_features = _parts(features, sums, noise, G, progress)
        sizes = shares * np.array([p.size for p in parties])
        while True:  # what drowns in its noise leaves T, which changes what the others are worth
            blocks = _corrected(parts.sum(axis=0), np.append(sizes, len(G)), float(own.sum()))
            penalty, drowned = _penalties(parties, blocks, sizes, len(G))
            if not drowned.any():
                break
            sizes[drowned], between[:, drowned] = 0.0, 0.0
            parts[:, :-1][:, drowned], parts[:, :, :-1][:, :, drowned] = 0.0, 0.0
        if not sizes.any():
            raise ValueError(
                "no party's embedding tells anything beside the noise on it: each is worth less than three standard "
                "errors by that noise, so that all count as parties without rows. A larger epsilon, more rows or "
                "fewer frequencies would change that"
            )
        between += np.outer((own - by_features) / len(G), sizes)
        return EmbeddedGame(
            cast(Any, parties),
            G,
            features.lengthscale,
            kernel,
            blocks,
            between.sum(axis=1) + own,
            np.ones(len(parties) + 1),
            progress,
            between=between,
            counted=sizes,
            penalty=penalty,
            parts=parts,
        )


@dataclass(frozen=True, eq=False)
class EmbeddedGame(MaximumMeanDiscrepancyGame):
    """The values of coalitions of embeddings.

    Attributes
    ----------
    between : (g, n) array
        The sum over D_i of k(x, .) for each x of G.
    counted : (n,) array
        Rows of each party, as many as they count.
    penalty : (n,) array
        What its noise adds to the sum over D_i x D_i of k.
    parts : (p, n + 1, n + 1) array
        The sums between parties and G by parts of the frequencies, as the features have them.
    """

    between: FloatArray = field(kw_only=True, repr=False)
    counted: FloatArray = field(kw_only=True)
    penalty: FloatArray = field(kw_only=True, repr=False)
    parts: FloatArray = field(kw_only=True, repr=False)

    @property
    def B(self) -> FloatArray:  # noqa: N802
        """sum over D_i x D_j of k, as much more on the diagonal as noise leaves open: (n, n)."""
        return np.asarray(self.block_sums[:-1, :-1] + np.diag(self.penalty))

    @property
    def sizes(self) -> NDArray[Any]:
        """Rows of each party, as many as they count: (n,)."""
        return self.counted

    @property
    def share(self) -> FloatArray:
        """1 (n,): the sums are those of the rows that count."""
        return np.ones(self.n)

    @property
    def reference(self) -> float:
        """t, the number of points in T."""
        return float(self.counted.sum()) + len(self.synthetic)

    def sums_at_synthetic(self, party: int, kernel: PairKernel | None = None) -> FloatArray:
        """The sum over D_i of k(x, .) for each x in G: (g,)."""
        return np.asarray(self.between[:, party])

    def row_shapley(self) -> FloatArray:
        """Not to be had: single rows can't be told from their sums."""
        raise ValueError("RowShapley() shares out by rows, and embeddings are sums of rows: take Auto()")

    def value(self, points: ArrayLike) -> float:
        """v of any points (s, d), by the features of the embeddings."""
        S, G, features = finite_rows(points, self.synthetic.shape[1]), self.synthetic, self._features
        z, T = features.sum(S), np.zeros(features.width)
        for party, share in zip(self._embeddings, self._shares, strict=True):
            T += share * party.total
        to_G = float(cross_sums(self.kernel, S, G).rows.sum())
        missed = (to_G - float(z @ features.sum(G))) / len(G)
        to_reference = float(z @ T) + missed * float(self.counted.sum()) + to_G
        return self.value_of(UnionSums(len(S), to_reference, float(self_sums(self.kernel, S).sum()), 0.0))

    def row_influences(self) -> list[tuple[int, FloatArray]]:
        """None: how far values hang on the draw of rows can't be told from sums."""
        return []

    def union_sums(self, party: int, indices: ArrayLike = ()) -> UnionSums:
        """The sums of D_i with these rows of G."""
        chosen = np.asarray(indices, dtype=np.int64)
        between = float(self.between[chosen, party].sum())
        size = float(self.counted[party]) + len(chosen)
        return UnionSums(
            size=size,
            to_reference=float(self.A[party] + self.candidate_sums[chosen].sum()),
            within=float(self.B[party, party] + 2.0 * between + self_sums(self.kernel, self.synthetic[chosen]).sum()),
            diagonal=size,
        )

    @cached_property
    def alpha_errors(self) -> FloatArray | None:
        """Standard errors of alpha (n,) by the number of frequencies and by noise; None for more than 100 parties, or
        where it can't be told since without some frequencies nobody has a positive value.

        A jackknife over parts of the frequencies: alpha without each of them, all else as it is.
        """
        if self.n > MOST_PARTIES:
            return None
        total, own = self.parts.sum(axis=0), float(self.block_sums[-1, -1])
        count, rows = len(self.parts), np.append(self.counted, len(self.synthetic))
        found = []
        for part in self.parts:
            blocks = _corrected((total - part) * count / (count - 1), rows, own)
            A, B = blocks[:-1].sum(axis=1), blocks[:-1, :-1] + np.diag(self.penalty)
            phi = closed_form_shapley(A, B, self.counted, self.reference).values
            if phi.max() <= 0.0:
                return None
            found.append(phi / phi.max())
        alphas = np.array(found)
        return np.asarray(np.sqrt((count - 1) / count * np.square(alphas - alphas.mean(axis=0)).sum(axis=0)))

    @property
    def _embeddings(self) -> tuple[MeanEmbedding, ...]:
        return cast(tuple[MeanEmbedding, ...], self.contributions)

    @property
    def _features(self) -> KernelFeatures:
        return self._embeddings[0].features

    @property
    def _shares(self) -> FloatArray:
        sizes = np.array([p.size for p in self._embeddings])
        return np.asarray(np.divide(self.counted, sizes, out=np.zeros(self.n), where=sizes > 0.0))

    @cached_property
    def _reference_mean(self) -> float:
        t = self.reference
        return float((self.block_sums.sum() - t) / (t * (t - 1.0)))


def _parts(
    features: KernelFeatures, sums: FloatArray, noise: FloatArray, G: FloatArray, progress: Progress
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By part of the frequencies, the sums of k between parties, less what noise adds, and G: (p, n + 1, n + 1); and in
    all between each row of G and each party (g, n), and each row of G and G (g,)."""
    n, parts = len(sums), list(features.parts(PARTS))
    between, own = np.zeros((len(G), n)), np.zeros(len(G))
    found = np.zeros((len(parts), n + 1, n + 1))
    with one_thread():
        for k, (some, places) in enumerate(parts):
            z = features.at(G, some)
            S = np.concatenate([sums[:, places], z.sum(axis=0, keepdims=True)])
            found[k] = S @ S.T
            found[k, np.arange(n), np.arange(n)] -= noise * len(places)
            products = z @ S.T
            between += products[:, :n]
            own += products[:, n]
            progress("value", k + 1, len(parts))
    return found, between, own


def _corrected(sums: FloatArray, rows: FloatArray, own: float) -> FloatArray:
    """The sums between parties and G, by as much a pair more as the features miss of those of G, which are known."""
    return np.asarray(sums + (own - sums[-1, -1]) / rows[-1] ** 2 * np.outer(rows, rows))


def _penalties(
    parties: Sequence[MeanEmbedding], blocks: FloatArray, sizes: FloatArray, g: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """What goes on B_ii, so that the own value of a party with noise is less by SURE standard errors (n,), and whether
    nothing is left of it then (n,)."""
    t, A = float(sizes.sum()) + g, blocks[:-1].sum(axis=1)
    penalty, drowned = np.zeros(len(parties)), np.zeros(len(parties), dtype=bool)
    for i, party in enumerate(parties):
        if party.exact or not sizes[i]:
            continue
        value = 2.0 * A[i] / (sizes[i] * t) - blocks[i, i] / sizes[i] ** 2
        penalty[i] = sizes[i] ** 2 * SURE * party.value_error
        drowned[i] = value <= SURE * party.value_error
    return penalty, drowned
