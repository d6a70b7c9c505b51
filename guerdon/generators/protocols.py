"""What a generator offers: fit it on the pool, then sample from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from guerdon.generators.labeller import Labeller, check_labels
from guerdon.images import Pixels
from guerdon.models.protocols import Arrays
from guerdon.tables import Columns
from guerdon.types import Contribution, FloatArray, Progress, silent

__all__ = [
    "Checkpoint",
    "Density",
    "FittedGenerator",
    "GeneratorFitError",
    "LabelledDensity",
    "ResumableGenerator",
    "SyntheticData",
    "SyntheticGenerator",
    "pooled_columns",
    "pooled_labels",
    "pooled_rows",
]


class GeneratorFitError(ValueError):
    """A generator can't be fitted to this pool; the message says why and what would help."""


@dataclass(frozen=True, eq=False)
class SyntheticData:
    """Synthetic rows, with labels where the parties sent some.

    Parameters
    ----------
    points : (n, d) array
        What is valued.
    labels : (n,) array, optional
        As the pool's rows near by have them; None where no party sent labels.
    pixels : (n, h w c) array, optional
        The images that the points represent; None where the points themselves are what a party gets.
    """

    points: FloatArray
    labels: NDArray[np.float64] | None = None
    pixels: Pixels | None = None

    def __len__(self) -> int:
        return len(self.points)


class Density(Protocol):
    """A distribution that can be drawn from."""

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """n independent points: (n, d)."""
        ...

    def describe(self) -> dict[str, Any]:
        """What was fitted, as plain numbers and text."""
        ...


@runtime_checkable
class LabelledDensity(Density, Protocol):
    """A density that knows which label goes with what it draws."""

    def draw_labelled(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.float64] | None]:
        """The points (n, d) that ``draw`` gives, and their labels (n,); None where not every party sent some."""
        ...


@dataclass(frozen=True, eq=False)
class FittedGenerator:
    """A density with a labeller for its samples.

    Labels are drawn after the points, from an rng of their own: the points are the same with labels and without.

    Attributes
    ----------
    columns : Columns or None
        What the columns of the table are: each point becomes the nearest row of it, if it is not one. In the units that
        the density draws in.
    image_shape : tuple of int or None
        (height, width, channels) where each point is an image of pixels from 0 to 1, flat, channels last.
    discloses : str
        What a sample is and tells of single rows of the pool, to go on with "the samples are ..."; empty where
        it tells no more than the distribution that was learned. Every reward drawn from it carries the warning.
    """

    density: Density
    labeller: Labeller | None = None
    image_shape: tuple[int, int, int] | None = None
    discloses: str = ""
    columns: Columns | None = None

    def sample(self, n: int, *, rng: np.random.Generator) -> SyntheticData:
        """n independent points, labelled where the generator has labels."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        labels = None
        if isinstance(self.density, LabelledDensity):
            points, labels = self.density.draw_labelled(n, rng)
        else:
            points = self.density.draw(n, rng)
        if self.columns is not None:
            points = self.columns.conform(points)
        if labels is None and self.labeller is not None:
            labels = self.labeller(points, rng.spawn(1)[0])
        return SyntheticData(points, labels)

    def describe(self) -> dict[str, Any]:
        return self.density.describe()


class SyntheticGenerator(Protocol):
    """Fits a distribution to the pool."""

    def fit(self, contributions: Sequence[Contribution], *, rng: np.random.Generator) -> FittedGenerator:
        """The generator for this pool.

        Raises
        ------
        GeneratorFitError
            The pool can't carry it: too few rows, a covariance that is singular.
        """
        ...


class Checkpoint(Protocol):
    """Where a long training keeps its state; what ``save`` was given last, ``load`` gives back."""

    def load(self) -> Arrays | None: ...
    def save(self, arrays: Arrays) -> None: ...


@runtime_checkable
class ResumableGenerator(Protocol):
    """A generator whose training takes long: it tells its progress, and can be resumed or replaced by a trained one."""

    def fit(
        self,
        contributions: Sequence[Contribution],
        *,
        rng: np.random.Generator,
        progress: Progress = silent,
        checkpoint: Checkpoint | None = None,
    ) -> FittedGenerator:
        """As a ``SyntheticGenerator``; progress("train", done, total).

        It takes up what the checkpoint loads, gives the bits of an uninterrupted training, and saves last what
        ``restore`` takes.
        """
        ...

    def restore(self, arrays: Arrays, contributions: Sequence[Contribution]) -> FittedGenerator:
        """The generator that a finished training saved; labels are learned from these contributions.

        Raises
        ------
        GeneratorFitError
            The arrays are not of a generator of this kind and size.
        """
        ...


def pooled_rows(contributions: Sequence[Contribution], at_least: int, why: str) -> FloatArray:
    """All parties' rows together (m, d), refused where they are fewer than needed."""
    if not contributions:
        raise GeneratorFitError("a generator needs at least one contribution, got none")
    pool = np.concatenate([c.X for c in contributions])
    if len(pool) < at_least:
        raise GeneratorFitError(f"{why} needs at least {at_least} rows, got {len(pool)}")
    return pool


def pooled_columns(contributions: Sequence[Contribution]) -> Columns | None:
    """What the columns of the pool are: as the first party's, all having the same; None where that is not known."""
    return contributions[0].columns if contributions else None


def pooled_labels(contributions: Sequence[Contribution]) -> NDArray[np.float64] | None:
    """All parties' labels together (m,); None where not every party sent some.

    Raises
    ------
    ValueError
        Labels name no classes: see ``check_labels``.
    """
    outputs = [c.y for c in contributions if c.y is not None]
    if not outputs or len(outputs) < len(contributions):
        return None
    for contribution in contributions:
        check_labels(contribution)
    return np.concatenate(outputs)
