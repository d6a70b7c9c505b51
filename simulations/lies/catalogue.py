"""Lies: what a party sends in the place of its rows, each a part with one method, from the rows it truly has.

``lie(true, rng=rng)`` gives what is sent: one contribution, or several where the party appears under several names.
Outputs are only ever values that the party's own outputs take, so that a lie about labels sends labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import require_count
from guerdon.types import Contribution, FloatArray

__all__ = [
    "Box",
    "Duplicates",
    "Honest",
    "JitteredCopies",
    "Lie",
    "MadeUpFunction",
    "Outliers",
    "OversampledGaussian",
    "Shells",
    "ShuffledOutputs",
    "TinyNoise",
    "WideRandomInputs",
    "Withholding",
]


class Lie(Protocol):
    """What a party sends, made of what it has."""

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]: ...


@dataclass(frozen=True)
class Honest:
    """The rows as they are: what a lie is held against."""

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        return (true,)


@dataclass(frozen=True)
class WideRandomInputs:
    """As many rows as it has of random inputs from a box ``times`` as wide as its rows span, and random outputs."""

    times: float = 3.0

    def __post_init__(self) -> None:
        _positive("times", self.times)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        return (_sent(true, _box(true.X, len(true), self.times, rng), _resampled(true, len(true), rng)),)


@dataclass(frozen=True)
class Box:
    """``times`` as many rows as it has, drawn evenly from the box that its rows span, and random outputs."""

    times: int = 3

    def __post_init__(self) -> None:
        require_count("times", self.times)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        m = self.times * len(true)
        return (_sent(true, _box(true.X, m, 1.0, rng), _resampled(true, m, rng)),)


@dataclass(frozen=True)
class ShuffledOutputs:
    """Its inputs, with the outputs in another order."""

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        return (_sent(true, true.X, None if true.y is None else rng.permutation(true.y)),)


@dataclass(frozen=True)
class MadeUpFunction:
    """Its inputs, with its outputs dealt out by a smooth function that has nothing to do with the truth."""

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        if true.y is None:
            return (true,)
        Z = (true.X - true.X.mean(axis=0)) / np.where(true.X.std(axis=0) > 0.0, true.X.std(axis=0), 1.0)
        made_up = np.sin(Z @ rng.normal(size=Z.shape[1]) / np.sqrt(Z.shape[1]) * 2.0)
        return (_sent(true, true.X, np.sort(true.y)[np.argsort(np.argsort(made_up))]),)


@dataclass(frozen=True)
class TinyNoise:
    """Its rows, which it says were measured with next to no noise: this share of its outputs' variance."""

    share: float = 1e-4

    def __post_init__(self) -> None:
        _positive("share", self.share)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        if true.y is None:
            return (true,)
        variance = self.share * float(np.var(true.y))
        return (replace(true, noise=variance, marks=None) if variance > 0.0 else true,)


@dataclass(frozen=True)
class Duplicates:
    """Each of its rows ``times``."""

    times: int = 5

    def __post_init__(self) -> None:
        require_count("times", self.times)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        return (_rows(true, np.tile(np.arange(len(true)), self.times)),)


@dataclass(frozen=True)
class JitteredCopies:
    """Each of its rows ``times``, the copies with noise of this share of each input's standard deviation."""

    times: int = 5
    jitter: float = 0.05

    def __post_init__(self) -> None:
        require_count("times", self.times)
        _positive("jitter", self.jitter)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        copies = _rows(true, np.tile(np.arange(len(true)), self.times))
        noise = self.jitter * true.X.std(axis=0) * rng.normal(size=copies.X.shape)
        noise[: len(true)] = 0.0
        return (replace(copies, X=copies.X + noise),)


@dataclass(frozen=True)
class OversampledGaussian:
    """``times`` as many rows as it has, drawn from the Gaussian that fits its rows, with outputs of the nearest."""

    times: int = 5

    def __post_init__(self) -> None:
        require_count("times", self.times)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        centred = true.X - true.X.mean(axis=0)
        m = self.times * len(true)
        X = true.X.mean(axis=0) + rng.normal(size=(m, len(true))) @ centred / np.sqrt(max(len(true) - 1, 1))
        scale = np.where(true.X.std(axis=0) > 0.0, true.X.std(axis=0), 1.0)
        distances = np.square(X[:, None] / scale - true.X[None] / scale).sum(axis=2) if len(true) * m < 2e5 else None
        nearest = rng.integers(len(true), size=m) if distances is None else distances.argmin(axis=1)
        return (_sent(true, X, None if true.y is None else true.y[nearest]),)


@dataclass(frozen=True)
class Outliers:
    """Its rows, a share of them moved this many standard deviations away."""

    share: float = 0.1
    deviations: float = 6.0

    def __post_init__(self) -> None:
        _share(self.share)
        _positive("deviations", self.deviations)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        X = np.array(true.X)
        moved = rng.permutation(len(X))[: max(1, round(self.share * len(X)))]
        X[moved] += self.deviations * true.X.std(axis=0) * rng.choice([-1.0, 1.0], size=(len(moved), X.shape[1]))
        return (_sent(true, X, true.y),)


@dataclass(frozen=True)
class Shells:
    """Its rows dealt out evenly under so many names."""

    names: int = 4

    def __post_init__(self) -> None:
        require_count("names", self.names)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        parts = np.array_split(rng.permutation(len(true)), min(self.names, len(true)))
        return tuple(
            replace(_rows(true, np.sort(rows)), party=f"{true.party}-shell-{k}") for k, rows in enumerate(parts, 1)
        )


@dataclass(frozen=True)
class Withholding:
    """Only the others of its rows than this share."""

    share: float = 0.5

    def __post_init__(self) -> None:
        _share(self.share)

    def __call__(self, true: Contribution, *, rng: np.random.Generator) -> tuple[Contribution, ...]:
        kept = max(1, round((1.0 - self.share) * len(true)))
        return (_rows(true, np.sort(rng.permutation(len(true))[:kept])),)


def _sent(true: Contribution, X: FloatArray, y: FloatArray | None) -> Contribution:
    """Other rows in the party's name, with nothing said of their noise."""
    return Contribution(true.party, X, y, true.feature_names, columns=true.columns)


def _rows(true: Contribution, rows: NDArray[np.intp]) -> Contribution:
    noise = true.noise[rows] if isinstance(true.noise, np.ndarray) else true.noise
    return replace(_sent(true, true.X[rows], None if true.y is None else true.y[rows]), noise=noise)


def _box(X: FloatArray, m: int, times: float, rng: np.random.Generator) -> FloatArray:
    low, high = X.min(axis=0), X.max(axis=0)
    return np.asarray((low + high) / 2 + times * (high - low) * (rng.random((m, X.shape[1])) - 0.5))


def _resampled(true: Contribution, m: int, rng: np.random.Generator) -> FloatArray | None:
    return None if true.y is None else rng.choice(true.y, size=m)


def _positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < np.inf:
        raise ValueError(f"{name} must be a positive number, got {value!r}")


def _share(value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise ValueError(f"share must be between 0 and 1, got {value!r}")
