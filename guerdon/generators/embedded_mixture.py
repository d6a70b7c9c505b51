"""A mixture fitted to mean embeddings: a generator that never sees a row (after Harder et al. 2021, DP-MERF).

The characteristic function of a Gaussian mixture is known in closed form,

    E exp(i w'x) = sum_c pi_c exp(i w'm_c - w'S_c w / 2),

so that a mixture's own embedding can be laid beside the sum of the parties' at their frequencies w. A column of few
levels is drawn in each component by shares of its own and multiplies it by sum_l p_cl exp(i w'e_l). One mixture a class
where the parties tell classes, so that synthetic rows have labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import require_count
from guerdon.generators.protocols import FittedGenerator, GeneratorFitError
from guerdon.mean_embedding import KernelFeatures, MeanEmbedding
from guerdon.tables import Columns
from guerdon.threads import one_thread, one_torch_thread
from guerdon.types import FloatArray, Progress, silent

__all__ = ["ClassMixtures", "EmbeddedMixture", "LevelMixture"]

MOST_FREQUENCIES = 512
"""Frequencies that a mixture is fitted to at most."""

WORTH = 0.97
"""More components are taken where they bring the distance, at frequencies left out of the fit, below this share."""


@dataclass(frozen=True, eq=False)
class LevelMixture:
    """Components of numbers: means (c, p), Cholesky factors (c, p, p); of each column of few levels shares (c, l)."""

    weights: FloatArray
    means: FloatArray
    factors: FloatArray
    shares: tuple[FloatArray, ...]

    def draw(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.int64]]:
        """Numbers (n, p) in the units of the embedding, and codes (n, q)."""
        component = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.means.shape[1]))
        with one_thread():
            for c, factor in enumerate(self.factors):
                z[component == c] = z[component == c] @ factor.T
        codes = np.zeros((n, len(self.shares)), dtype=np.int64)
        for k, shares in enumerate(self.shares):
            ends = shares[component].cumsum(axis=1)[:, :-1]
            codes[:, k] = (rng.random(n)[:, None] > ends).sum(axis=1)
        return self.means[component] + z, codes


@dataclass(frozen=True, eq=False)
class ClassMixtures:
    """A mixture a class, each as often as its share; rows of the table that ``columns`` say."""

    columns: Columns
    mixtures: tuple[LevelMixture, ...]
    shares: FloatArray
    labels: tuple[float, ...]

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self.draw_labelled(n, rng)[0]

    def draw_labelled(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.float64] | None]:
        which = rng.choice(len(self.shares), size=n, p=self.shares)
        places = [column.place for column in self.columns.numbers]
        scale, offset = self.columns.scale[places], self.columns.offset[places]
        points = np.zeros((n, len(self.columns)))
        for k, mixture in enumerate(self.mixtures):
            rows = np.flatnonzero(which == k)
            if len(rows):
                numbers, codes = mixture.draw(len(rows), rng)
                points[rows] = self.columns.join(numbers * scale + offset, codes)
        return points, np.array(self.labels)[which] if self.labels else None

    def describe(self) -> dict[str, Any]:
        return {
            "generator": "mixtures fitted to mean embeddings",
            "classes": len(self.labels),
            "components": [len(mixture.weights) for mixture in self.mixtures],
        }


@dataclass(frozen=True)
class EmbeddedMixture:
    """Fits mixtures to the sum of mean embeddings.

    The mixture sought is the likeliest where each frequency's mean is known to 1 over the rows, and the noise that the
    parties added, under a weak prior, so that noise is not taken for shape. As many components as frequencies that are
    left out of the fit ask for.

    Parameters
    ----------
    max_components : int
        In each class at most.

    Raises
    ------
    ValueError
        It is no whole number of at least 1.
    """

    max_components: int = 4

    def __post_init__(self) -> None:
        require_count("max_components", self.max_components)

    def fit(
        self,
        contributions: Sequence[MeanEmbedding],
        *,
        columns: Columns,
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> FittedGenerator:
        """The generator for these parties.

        Parameters
        ----------
        contributions : sequence of MeanEmbedding
        columns : Columns
            What the features stand for, in the units that they were embedded in.
        rng : Generator
            Where components start from.
        progress : callable
            Called as progress("fit", classes done, classes).

        Raises
        ------
        GeneratorFitError
            Nobody tells how many rows there are, or the fit does not come to numbers.
        """
        first = contributions[0]
        sums = np.sum([c.sums for c in contributions], axis=0)
        counts = np.sum([c.counts for c in contributions], axis=0)
        noise = float(np.sum([c.noise**2 for c in contributions]))
        of_all = not first.classes or not counts[:-1].sum()
        kept = [len(counts) - 1] if of_all else [k for k in range(len(counts) - 1) if counts[k] >= 1.0]
        if not any(counts[k] >= 1.0 for k in kept):
            raise GeneratorFitError("no party has rows, as far as their counts tell: there is nothing to fit")
        mixtures = []
        for done, k in enumerate(kept, 1):
            with one_torch_thread():
                mixtures.append(self._mixture(first.features, sums[k], float(counts[k]), noise, columns, rng))
            progress("fit", done, len(kept))
        labels = () if of_all else tuple(first.classes[k] for k in kept)
        density = ClassMixtures(columns, tuple(mixtures), counts[kept] / counts[kept].sum(), labels)
        return FittedGenerator(density, columns=columns)

    def _mixture(
        self,
        features: KernelFeatures,
        sums: FloatArray,
        rows: float,
        noise: float,
        columns: Columns,
        rng: np.random.Generator,
    ) -> LevelMixture:
        """The mixture for the sum over so many rows, each number with this VARIANCE of noise."""
        F = features.frequencies
        used = np.arange(min(F, MOST_FREQUENCIES))
        kept = used % 4 != 3  # three of four; the others judge
        if len(used) < 8:
            kept[:] = True
        means = (sums[:F] + 1j * sums[F:])[used] * math.sqrt(F) / rows
        W = features.matrix(len(columns))[used]
        variance = 0.5 / rows + noise * F / rows**2
        from guerdon.generators.characteristic_fit import CharacteristicFit  # loads torch, which nobody else here needs

        fit = CharacteristicFit(W[kept], means[kept], variance, columns)
        judge = CharacteristicFit(W[~kept], means[~kept], variance, columns) if not kept.all() else fit
        best = fit.run(fit.start(1, None, rng))
        reached = judge.distance(best)
        count = 2
        while count <= self.max_components:
            tried = fit.run(fit.start(count, best, rng))
            distance = judge.distance(tried)
            if not distance < WORTH * reached:
                break
            best, reached, count = tried, distance, count + 1
        found = LevelMixture(*fit.mixture(best))
        if not all(np.isfinite(part).all() for part in (found.weights, found.means, found.factors, *found.shares)):
            raise GeneratorFitError("no mixture fits the embedding: its frequencies do not belong to rows of the table")
        return found
