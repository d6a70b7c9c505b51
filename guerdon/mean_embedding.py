"""What the maximum mean discrepancy needs of one party's rows: one vector, and none of the rows.

With frequencies W (F, d) drawn for the kernel k(x, y) = exp(-|x - y|^2 / (2 l^2)) and z(x) = (cos W x, sin W x) /
sqrt(F), <z(x), z(y)> is k(x, y) on average over W, and 1 exactly where x = y. A party's sum s_i of z over its rows is
its mean embedding times its rows, and <s_i, s_j> stands for the sum of k over all pairs of a row of i and one of j.
Categories as one-hots are features as others, for which k is the overlap kernel (``guerdon.tables``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import is_number, require_count
from guerdon.threads import one_thread
from guerdon.types import FloatArray, closed

__all__ = ["LEAST_ROWS", "KernelFeatures", "MeanEmbedding", "noise_of", "with_noise"]

BLOCK = 1 << 20
"""Features that are held at once: 8 MB, whatever the number of rows."""

LEAST_ROWS = 20
"""A sum over fewer rows than this says nearly what they are."""

ROUNDING = 1e-9
"""How far a sum of numbers of length 1 may be longer than their number."""

UNLIKELY = 6.0
"""Noise goes no further than so many of its standard deviations."""

CHANCE = 2e-9
"""At most this for noise that is there to be taken for missing, a sum and a test."""

COUNT_WEIGHT = 0.5
"""What the number of rows is multiplied by before noise goes on it: what it costs the rest, and what it is known to."""


@dataclass(frozen=True)
class KernelFeatures:
    """z(x) = (cos W x, sin W x) / sqrt(F) for F public frequencies W, orthogonal within blocks of d (Yu et al. 2016).

    Parameters
    ----------
    lengthscale : float
        l, in the units of the rows.
    frequencies : int
        F; the error falls as 1 / sqrt(F).
    seed : int
        Draws W; public, so that all parties have the same.

    Raises
    ------
    ValueError
        A parameter is not one of these.

    Examples
    --------
    >>> z = KernelFeatures(lengthscale=1.0, frequencies=4000)(np.array([[0.0, 0.0], [1.0, 1.0]]))
    >>> (z @ z.T).round(2).tolist(), round(float(np.exp(-1)), 2)
    ([[1.0, 0.35], [0.35, 1.0]], 0.37)
    """

    lengthscale: float
    frequencies: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not (is_number(self.lengthscale) and 0.0 < self.lengthscale < math.inf):
            raise ValueError(f"lengthscale is a positive number, got {self.lengthscale!r}")
        require_count("frequencies", self.frequencies)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed is a whole number of at least 0, got {self.seed!r}")

    @property
    def width(self) -> int:
        """2 F."""
        return 2 * self.frequencies

    def __call__(self, X: FloatArray) -> FloatArray:
        """z of the rows X (m, d): (m, 2 F)."""
        return self.at(X, slice(0, self.frequencies))

    def at(self, X: FloatArray, some: slice) -> FloatArray:
        """The cosines and the sines (m, 2 f) of some of the frequencies."""
        angles = X @ self.matrix(X.shape[1])[some].T
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / math.sqrt(self.frequencies)

    def matrix(self, d: int) -> FloatArray:
        """Frequencies W (F, d)."""
        from guerdon.models.fourier_features import orthogonal_frequencies

        return np.asarray(orthogonal_frequencies(self.frequencies, d, self.seed) / self.lengthscale)

    def parts(self, count: int) -> Iterator[tuple[slice, NDArray[np.intp]]]:
        """The frequencies in so many parts, each with its places among the 2 F features."""
        ends = np.linspace(0, self.frequencies, min(count, self.frequencies) + 1).astype(int)
        for low, high in pairwise(ends):
            own = np.arange(low, high)
            yield slice(int(low), int(high)), np.concatenate([own, own + self.frequencies])

    def sum(self, X: FloatArray) -> FloatArray:
        """The sum of z over the rows X (m, d): (2 F,); time is linear in them, and memory does not grow."""
        total, rows = np.zeros(self.width), max(1, BLOCK // self.width)
        with one_thread():  # the same bits on any number of cores
            for start in range(0, len(X), rows):
                total += self(X[start : start + rows]).sum(axis=0)
        return total


@dataclass(frozen=True, eq=False)
class MeanEmbedding:
    """A party's rows as sums of their features, class by class where it tells classes.

    Parameters
    ----------
    party : str
    features : KernelFeatures
    sums : (L + 1, 2 F) array
        The sum over the rows of each of L classes, and over the rows whose class is not told (all, where L is 0).
    counts : (L + 1,) array
        How many rows each is over.
    classes : tuple of L float
        The labels.
    noise : float
        STANDARD DEVIATION of the noise that the party added to each number of each sum; 0 for none.
    count_noise : float
        STANDARD DEVIATION of the noise on each count.

    Raises
    ------
    ValueError
        These are no sums over so many rows.
    """

    party: str
    features: KernelFeatures
    sums: FloatArray
    counts: FloatArray
    classes: tuple[float, ...] = ()
    noise: float = 0.0
    count_noise: float = 0.0

    def __post_init__(self) -> None:
        shape = (len(self.classes) + 1, self.features.width)
        sums, counts = closed(self.sums), closed(self.counts)
        if sums.shape != shape or counts.shape != shape[:1]:
            raise ValueError(
                f"the embedding of party {self.party!r} is sums of shape {shape} and counts of shape {shape[:1]}, got "
                f"{sums.shape} and {counts.shape}"
            )
        if not (np.isfinite(sums).all() and np.isfinite(counts).all()):
            raise ValueError(f"the embedding of party {self.party!r} must be finite, it holds NaN or infinite values")
        for name, noise in (("noise", self.noise), ("count_noise", self.count_noise)):
            if not 0.0 <= noise < math.inf:
                raise ValueError(f"{name} of party {self.party!r} is a standard deviation of at least 0, got {noise!r}")
        if np.any(counts < 0.0) or (self.exact and np.any(counts != np.round(counts))):
            raise ValueError(f"the counts of party {self.party!r} are whole numbers of at least 0")
        F = self.features.frequencies
        longest = np.hypot(sums[:, :F], sums[:, F:]).max(axis=1) * math.sqrt(F)
        spread = UNLIKELY + math.sqrt(2.0 * math.log(2.0 * F + 1.0))
        allowed = counts * (1.0 + ROUNDING) + ROUNDING + UNLIKELY * self.count_noise
        over = longest > allowed + spread * self.noise * math.sqrt(F)
        if over.any():
            k = int(np.flatnonzero(over)[0])
            raise ValueError(
                f"the embedding of party {self.party!r} is no sum over its rows: a frequency of it is {longest[k]:.6g} "
                f"long, and {counts[k]:g} rows are at most {counts[k]:g} together"
            )
        object.__setattr__(self, "sums", sums)
        object.__setattr__(self, "counts", counts)

    def __len__(self) -> int:
        return round(self.size)

    @classmethod
    def of(
        cls,
        party: str,
        X: FloatArray,
        features: KernelFeatures,
        y: FloatArray | None = None,
        classes: Sequence[float] = (),
    ) -> Self:
        """The embedding of rows X (m, d), by their labels y (m,) where there are ``classes``."""
        labels = tuple(float(label) for label in classes)
        place = np.full(len(X), len(labels))
        if labels and y is not None:
            for k, label in enumerate(labels):
                place[y == label] = k
        sums = np.stack([features.sum(X[place == k]) for k in range(len(labels) + 1)])
        return cls(party, features, sums, np.bincount(place, minlength=len(labels) + 1).astype(float), labels)

    @property
    def exact(self) -> bool:
        """Whether there is no noise on it."""
        return self.noise == 0.0

    @property
    def size(self) -> float:
        """How many rows it is over, as far as the counts tell."""
        return float(self.counts.sum())

    @property
    def total(self) -> FloatArray:
        """The sum over all rows (2 F,)."""
        return np.asarray(self.sums.sum(axis=0))

    @property
    def noises(self) -> int:
        """How many sums noise was put on: of the classes, or of all rows where there are none."""
        return 0 if self.exact else max(1, len(self.classes))

    @property
    def variance(self) -> float:
        """Of the noise on each number of the total."""
        return self.noises * self.noise**2

    @property
    def value_error(self) -> float:
        """Standard error of the party's own value by its noise, at most; 0 without.

        With a, the noise of a number of the mean embedding, and b, the relative one of the number of rows, a value
        2 <m, T> - |m|^2, whose noise's bias is taken out, has at most the variance 4 a^2 + 4 F a^4 + b^2, the
        discrepancy |m - T| being 1 at most.
        """
        if self.exact:
            return 0.0
        rows = max(self.size, 1.0)
        a, b = math.sqrt(self.variance) / rows, math.sqrt(self.noises) * self.count_noise / rows
        return math.sqrt(4.0 * a**2 + 4.0 * self.features.frequencies * a**4 + b**2)

    def lacks_noise(self, d: int) -> bool:
        """Whether less noise is on it than ``noise`` says, as far as that shows beside rows of d features.

        The squared length of a frequency's two numbers, over 2 noise^2, is exponential by noise alone, and larger with
        rows. So neither are too many of them short (Chernoff's bound on how many of F lie below a length), nor are
        those of the highest frequencies, where rows cancel, together shorter than chi^2 allows (Laurent and Massart).
        """
        if self.exact:
            return False
        F, surprise = self.features.frequencies, -math.log(CHANCE)
        noisy = self.sums[: self.noises]
        lengths = (np.square(noisy[:, :F]) + np.square(noisy[:, F:])) / (2.0 * self.noise**2)
        found, expected = np.arange(1, F + 1) / F, -np.expm1(-np.sort(lengths, axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = found * np.log(found / expected) + np.where(
                found < 1.0, (1.0 - found) * np.log((1.0 - found) / (1.0 - expected)), 0.0
            )
        if ((found > expected) & (F * apart > surprise + math.log(F))).any():
            return True
        highest = np.argsort(-np.linalg.norm(self.features.matrix(d), axis=1), kind="stable")
        some = np.array([F >> k for k in range(F.bit_length())])
        together = np.cumsum(lengths[:, highest], axis=1)[:, some - 1]
        return bool((together < some - np.sqrt(2.0 * some * (surprise + math.log(len(some))))).any())

    def told(self, least: int = LEAST_ROWS) -> Self:
        """The same with no sum over fewer than ``least`` rows, unless it is over none.

        Rows of classes with fewer are put among those whose class is not told, and where that makes these fewer, the
        smallest class with them.

        Raises
        ------
        ValueError
            There are fewer rows in all.
        """
        if self.size < least:
            raise ValueError(
                f"an embedding of fewer than {least} rows tells nearly the rows themselves, and this is of {len(self)}"
            )
        sums, counts = self.sums.copy(), self.counts.copy()
        while True:
            small = [k for k in range(len(counts) - 1) if 0 < counts[k] < least]
            if not small and 0 < counts[-1] < least:
                small = [min((k for k in range(len(counts) - 1) if counts[k]), key=lambda k: (counts[k], k))]
            if not small:
                return replace(self, sums=sums, counts=counts)
            for k in small:
                sums[-1] += sums[k]
                counts[-1] += counts[k]
                sums[k], counts[k] = 0.0, 0.0


Kind = TypeVar("Kind", bound=MeanEmbedding)


def noise_of(multiplier: float) -> tuple[float, float]:
    """The standard deviations of the noise on each number of a sum, and on each count, by the multiplier of D."""
    sigma = multiplier * math.hypot(1.0, COUNT_WEIGHT)
    return sigma, sigma / COUNT_WEIGHT


def with_noise(exact: Kind, multiplier: float, normal: Callable[[int], FloatArray]) -> Kind:
    """The embedding as it may leave a party that keeps its rows private.

    One row moves one of the sums by 1, its length, and one of the counts by 1: with the count taken times 1/2, all
    together by D = sqrt(1 + 1/4), whatever the row holds. Nothing needs to be clipped.

    Parameters
    ----------
    exact : MeanEmbedding
        With all its classes told: how many rows a class has is hidden by the noise.
    multiplier : float
        Of D, as ``guerdon.privacy.noise_multiplier`` gives it.
    normal : callable
        normal(k) draws k independent standard normal numbers (k,).
    """
    sigma, of_counts = noise_of(multiplier)
    told = len(exact.classes) or 1
    if exact.classes and exact.counts[-1]:
        raise ValueError("each row of a private party is of one of the classes")
    sums, counts = exact.sums.copy(), exact.counts.copy()
    sums[:told] += sigma * normal(told * exact.features.width).reshape(told, -1)
    counts[:told] = np.maximum(counts[:told] + of_counts * normal(told), 0.0)
    return replace(exact, sums=sums, counts=counts, noise=sigma, count_noise=of_counts)
