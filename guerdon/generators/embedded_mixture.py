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
import torch
from numpy.typing import NDArray

from guerdon.checks import require_count
from guerdon.generators.protocols import FittedGenerator, GeneratorFitError
from guerdon.mean_embedding import KernelFeatures, MeanEmbedding
from guerdon.tables import Columns, Number
from guerdon.threads import one_thread, one_torch_thread
from guerdon.types import FloatArray, Progress, silent

__all__ = ["ClassMixtures", "EmbeddedMixture", "LevelMixture"]

MOST_FREQUENCIES = 512
"""Frequencies that a mixture is fitted to at most."""

STEPS = 100
"""Of L-BFGS, for a mixture."""

WORTH = 0.97
"""More components are taken where they bring the distance, at frequencies left out of the fit, below this share."""

NARROWEST = 1e-3
"""No column varies less, in units in which it goes from -1 to 1."""

SPREAD, CENTRE, TILT = 0.3, 0.5, 0.3
"""What is thought before: standard deviations are around the first, means within the second of the middle, and columns
follow from others by factors about the third."""


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
        fit = _Fit(W[kept], means[kept], variance, columns)
        judge = _Fit(W[~kept], means[~kept], variance, columns) if not kept.all() else fit
        best = fit.run(fit.start(1, None, rng))
        reached = judge.distance(best)
        count = 2
        while count <= self.max_components:
            tried = fit.run(fit.start(count, best, rng))
            distance = judge.distance(tried)
            if not distance < WORTH * reached:
                break
            best, reached, count = tried, distance, count + 1
        found = fit.mixture(best)
        if not all(np.isfinite(part).all() for part in (found.weights, found.means, found.factors, *found.shares)):
            raise GeneratorFitError("no mixture fits the embedding: its frequencies do not belong to rows of the table")
        return found


Parameters = dict[str, torch.Tensor]


class _Fit:
    """A mixture's characteristic function beside that of the rows, at some frequencies W (F, d)."""

    def __init__(self, W: FloatArray, means: NDArray[np.complex128], variance: float, columns: Columns) -> None:
        places = [column.place for column in columns.numbers]
        self.W = torch.tensor(W[:, places])
        self.means = torch.tensor(means)
        self.variance = variance
        self.levels = [torch.tensor(np.exp(1j * W @ patterns.T)) for patterns in _patterns(columns)]

    def start(self, count: int, before: Parameters | None, rng: np.random.Generator) -> Parameters:
        """So many components, scattered as the mixture before is; one in the middle where there was none."""
        p = self.W.shape[1]
        if before is None:
            theta = {
                "weights": torch.zeros(1, dtype=torch.float64),
                "means": torch.zeros(1, p, dtype=torch.float64),
                "spread": torch.full((1, p), math.log(SPREAD), dtype=torch.float64),
                "tilt": torch.zeros(1, p, p, dtype=torch.float64),
            }
            return theta | {f"level.{k}": torch.zeros(1, x.shape[1]).double() for k, x in enumerate(self.levels)}
        centre, factor = before["means"].mean(0), self._factors(before).mean(0)
        z = torch.tensor(rng.standard_normal((count, p)))
        theta = {
            "weights": torch.zeros(count, dtype=torch.float64),
            "means": centre + 0.7 * z @ factor.T,
            "spread": before["spread"].mean(0).repeat(count, 1) + math.log(0.8),
            "tilt": before["tilt"].mean(0).repeat(count, 1, 1),
        }
        for k in range(len(self.levels)):
            own = before[f"level.{k}"].mean(0).repeat(count, 1)
            theta[f"level.{k}"] = own + 0.5 * torch.tensor(rng.standard_normal(tuple(own.shape)))
        return theta

    def run(self, theta: Parameters) -> Parameters:
        """The likeliest mixture near by."""
        free = {name: value.clone().requires_grad_(True) for name, value in theta.items()}
        optimizer = torch.optim.LBFGS(
            list(free.values()), max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-7
        )

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = self._squares(free) / (2.0 * self.variance) + _unlikely(free)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in free.items()}

    def distance(self, theta: Parameters) -> float:
        """The mean squared distance at these frequencies."""
        with torch.no_grad():
            return float(self._squares(theta)) / max(len(self.means), 1)

    def mixture(self, theta: Parameters) -> LevelMixture:
        weights = torch.softmax(theta["weights"], 0).numpy()
        shares = tuple(torch.softmax(theta[f"level.{k}"], 1).numpy() for k in range(len(self.levels)))
        factors = self._factors(theta).numpy()
        return LevelMixture(weights / weights.sum(), theta["means"].numpy(), factors, shares)

    def _squares(self, theta: Parameters) -> torch.Tensor:
        total = torch.zeros_like(self.means)
        weights = torch.softmax(theta["weights"], 0)
        factors = self._factors(theta)
        for c in range(len(weights)):
            size = torch.exp(-0.5 * (self.W @ factors[c]).square().sum(1))
            term = torch.polar(weights[c] * size, self.W @ theta["means"][c])
            for k, levels in enumerate(self.levels):
                term = term * (levels @ torch.softmax(theta[f"level.{k}"][c], 0).to(levels.dtype))
            total = total + term
        apart = total - self.means
        return (apart.real.square() + apart.imag.square()).sum()

    @staticmethod
    def _factors(theta: Parameters) -> torch.Tensor:
        """S = L L', L = diag(sd) (I + tilt below the diagonal)."""
        deviations = NARROWEST + torch.exp(theta["spread"])
        unit = torch.eye(deviations.shape[1], dtype=torch.float64) + torch.tril(theta["tilt"], -1)
        return deviations[:, :, None] * unit


def _unlikely(theta: Parameters) -> torch.Tensor:
    """Half the squares of what is thought before."""
    total = (theta["means"] / CENTRE).square().sum() + (theta["spread"] - math.log(SPREAD)).square().sum() / 4.0
    total = total + (theta["tilt"] / TILT).square().sum() + theta["weights"].square().sum()
    for name, value in theta.items():
        if name.startswith("level."):
            total = total + value.square().sum() / 4.0
    return 0.5 * total


def _patterns(columns: Columns) -> list[FloatArray]:
    """For each column of few levels the features (levels, d) of a row that has that level there, and 0 elsewhere.

    Of a number that can have gaps only the flag is such a column, and what stands in for a gap one of its numbers.
    """
    found = []
    codes = np.zeros((1, len(columns.coded)), dtype=np.int64)
    numbers = np.zeros((1, len(columns.numbers)))
    for k, column in enumerate(columns.coded):
        flag = None if column.gap is None else column.gap.flag
        own = [] if isinstance(column, Number) else list(column.places)
        own += [] if flag is None else [flag]
        patterns = np.zeros((column.levels, len(columns)))
        for level in range(column.levels):
            chosen = codes.copy()
            chosen[0, k] = level
            patterns[level, own] = columns.join(numbers, chosen)[0, own]
        found.append(patterns if own else patterns[:1])
    return found
