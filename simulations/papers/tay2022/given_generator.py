"""A trained generator of images, given to the studies in place of what they fit themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple, Self

from guerdon.generators import FittedGenerator, GeneratorFitError
from guerdon.generators.mmd_gan_density import GanDensity
from guerdon.images import ImageShape
from simulations.papers.study import StudyError
from wire.files import read_arrays

__all__ = ["GivenGenerator"]


class GivenGenerator(NamedTuple):
    """Where it lies, the sha256 of its file, and the shape of what it draws."""

    path: Path
    sha256: str
    shape: ImageShape

    @classmethod
    def read(cls, path: Path) -> Self:
        """The one in this file, ``generator.npz`` of a run.

        Raises
        ------
        StudyError
            It holds no trained generator of images.
        """
        density = _density(path)
        if density.shape is None:
            raise StudyError(f"--generator-file: {path} holds a generator of tables, and only images are drawn from it")
        return cls(path, hashlib.sha256(path.read_bytes()).hexdigest(), density.shape)

    def fitted(self) -> FittedGenerator:
        """The generator; it labels nothing."""
        return FittedGenerator(_density(self.path), image_shape=self.shape)

    @property
    def label(self) -> str:
        return f"the MMD GAN of {self.path.name} (sha256 {self.sha256[:12]})"


def _density(path: Path) -> GanDensity:
    try:
        return GanDensity.from_arrays(read_arrays(path))
    except (OSError, ValueError, GeneratorFitError) as error:
        raise StudyError(f"--generator-file: {path} holds no trained MmdGan: {error}") from error
