"""The state of weighted sampling: what is left of G, what each point would add, and the value so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from guerdon.types import FloatArray
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame
from guerdon.valuation.pair_kernels import PairKernel, SquaredExponential

__all__ = ["Candidates"]

FOLD = 512
"""Candidates that were taken are only marked, and removed once there are this many: fewer copies of the arrays."""

CHUNK = 256
"""Weights are summed in chunks of so many; the inverse cdf looks through the chunks, then through one of them."""

EQUAL = 1e-12
"""Gains whose range is below this share of their size differ by rounding only: all count as equal."""


@dataclass(slots=True, eq=False)
class Candidates:
    """The state of the sampling for one party; it changes at every ``take``.

    Attributes
    ----------
    size : float
        s, how many rows the party and the points taken make together.
    to_reference, within : float
        sum_{S,T} k and sum_{S,S} k.
    points : (p, c) array
        The candidates as columns of the kernel.
    index : (c,) array
        Their rows of G, ascending.
    share : (c,) array
        kT/t.
    own : (c,) array
        k(x, x).
    Z : (c,) array
        NaN (-inf when greedy) for those taken since the last fold.
    """

    kernel: PairKernel
    reference: float
    size: float
    to_reference: float
    within: float
    points: FloatArray
    lefts: FloatArray
    index: NDArray[np.int64]
    share: FloatArray
    own: FloatArray
    Z: FloatArray
    gone: float
    taken: list[int]
    row: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, game: MaximumMeanDiscrepancyGame, party: int, *, greedy: bool) -> Self:
        """The state before the first step."""
        kernel, rows, G = game.kernel, game.sizes[party].item(), game.synthetic
        if greedy and isinstance(kernel, SquaredExponential):
            kernel = kernel.direct()  # equal points then tie exactly, and the first of them is taken
        share, own = game.candidate_sums / game.reference, kernel.diagonal(G)
        return cls(
            kernel=kernel,
            reference=game.reference,
            size=rows,
            to_reference=float(game.A[party]),
            within=float(game.B[party, party]),
            points=kernel.right(G),
            lefts=kernel.left(G),
            index=np.arange(len(G)),
            share=share,
            own=own,
            Z=(rows + 1) * share - game.sums_at_synthetic(party, kernel) - 0.5 * own,
            gone=-np.inf if greedy else np.nan,
            taken=[],
            row=np.empty((1, len(G))),
            weights=np.empty(len(G)),
        )

    @property
    def left(self) -> int:
        """How many candidates are left."""
        return len(self.index) - len(self.taken)

    @property
    def value(self) -> float:
        """v(S) = 2/(s t) sum_{S,T} k - 1/s^2 sum_{S,S} k, updated at every step; 0 for no points."""
        s = self.size
        return 2.0 * self.to_reference / (s * self.reference) - self.within / s**2 if s else 0.0

    def best(self) -> int:
        """The place of the largest gain, the first of equals (greedy only)."""
        return int(self.Z.argmax())

    def draw(self, beta: float, u: float) -> int:
        """The first place whose cumulative probability exceeds u, under p ~ exp(beta rescaled gain)."""
        with np.errstate(invalid="ignore", over="ignore"):
            low, high = float(np.fmin.reduce(self.Z)), float(np.fmax.reduce(self.Z))  # those taken are NaN
            spread = high - low
            equal = spread <= EQUAL * max(abs(low), abs(high))
            rate = 0.0 if equal else min(beta / spread, np.finfo(np.float64).max)
            w = self.weights[: len(self.Z)]
            np.subtract(self.Z, high, out=w)  # exp(beta (d - 1)): at most 1, whatever beta
            np.multiply(w, rate, out=w)
            np.exp(w, out=w)
        w[self.taken] = 0.0
        return _inverse_cdf(w, u)

    def take(self, place: int) -> int:
        """Add the candidate at this place to S; its row of G."""
        s, row_of_G = self.size, int(self.index[place])
        kS = (s + 1) * self.share[place] - 0.5 * self.own[place] - self.Z[place]
        self.to_reference += float(self.share[place]) * self.reference
        self.within += float(2.0 * kS + self.own[place])
        self.size = s + 1
        self.taken.append(place)
        self.Z[place] = self.gone
        row = self.row[:, : len(self.Z)]
        self.kernel.block(self.lefts[row_of_G : row_of_G + 1], self.points, row)
        np.add(self.Z, self.share, out=self.Z)
        np.subtract(self.Z, row[0], out=self.Z)
        if len(self.taken) >= FOLD:
            self._fold()
        return row_of_G

    def _fold(self) -> None:
        """Clear out those taken; the rest keep their order."""
        kept = np.delete(np.arange(len(self.Z)), self.taken)
        self.points = self.points.take(kept, axis=1)
        self.index = self.index.take(kept)
        self.share, self.own, self.Z = (a.take(kept) for a in (self.share, self.own, self.Z))
        self.row = np.empty((1, len(self.Z)))
        self.taken = []


def _inverse_cdf(weights: FloatArray, u: float) -> int:
    """The first place whose cumulative weight exceeds u times the total; never one of weight 0."""
    whole = len(weights) // CHUNK * CHUNK
    sums = weights[:whole].reshape(-1, CHUNK) @ np.ones(CHUNK)
    cumulative = np.cumsum(np.append(sums, weights[whole:].sum()))
    wanted = u * float(cumulative[-1])
    chunk = min(int(np.searchsorted(cumulative, wanted, side="right")), len(cumulative) - 1)
    before = float(cumulative[chunk - 1]) if chunk else 0.0
    start = chunk * CHUNK
    within = before + np.cumsum(weights[start : start + CHUNK])
    place = start + int(np.searchsorted(within, wanted, side="right"))
    if place < min(start + CHUNK, len(weights)):
        return place
    return int(np.flatnonzero(weights[: start + CHUNK])[-1])  # rounding: the sum of sums fell short of u
