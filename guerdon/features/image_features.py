"""Images valued by a representation of them, as Tay et al. (AAAI 2022), appendices I.3 and I.4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from guerdon.features import embedding, networks
from guerdon.features.embedding import Embedding
from guerdon.features.extras import require
from guerdon.features.networks import BATCH, Network, NetworkName, load_network
from guerdon.generators.given import GivenRows
from guerdon.generators.labeller import Labeller
from guerdon.generators.protocols import SyntheticData
from guerdon.images import ImageShape, Pixels, image_shape, to_pixels
from guerdon.types import Contribution, FloatArray, Progress, silent

__all__ = ["ImageFeatures", "RepresentedImages"]

BLOCK = 1024
"""Images drawn at once: as float64 they take eight times the memory that their pixels take."""


class _Sampler(Protocol):
    def sample(self, n: int, *, rng: np.random.Generator) -> SyntheticData: ...


@dataclass(frozen=True)
class ImageFeatures:
    """The representation in which images are valued, sampled and labelled; what is given stays images.

        pixels --network--> features --UMAP--> components

    UMAP learns on the pool and the first synthetic images together: both are points of T, and their distance is that of
    the data only where neither was placed after the other. Synthetic images that are drawn later, because the scheme's
    bounds conflict, are placed among them without moving them. Synthetic images are rounded to 256 levels as soon as
    drawn, so that what is valued is what a party gets, and labelled by the network's features.

    Parameters
    ----------
    network : str
        "pixels", the images as they are, or "efficientnet-lite0", a network trained on ImageNet.
    components : int or None
        How many dimensions UMAP leaves (the paper: 8); None leaves all.
    size : int
        The side in pixels to which the network enlarges images; the larger, the better and the slower (128: 80 % of
        CIFAR-10 right after 1,500 labels; 96: 78 %; 64: 66 %).

    Raises
    ------
    ValueError
        network is not one of the two, a number is not one that it can be, or a package is missing.
    """

    network: NetworkName = "pixels"
    components: int | None = 8
    size: int = 128

    def __post_init__(self) -> None:
        if self.network not in get_args(NetworkName):
            raise ValueError(f"network must be one of {', '.join(get_args(NetworkName))}, got {self.network!r}")
        if self.components is not None and not (_whole(self.components) and self.components >= 1):
            raise ValueError(f"components must be a whole number of at least 1, or None, got {self.components!r}")
        if not _whole(self.size) or not 32 <= self.size <= 512:
            raise ValueError(f"size must be a whole number of pixels from 32 to 512, got {self.size!r}")
        require(f"network={self.network!r}", networks.PACKAGES[self.network])
        if self.components is not None:
            require(f"components={self.components}", embedding.PACKAGES)

    def fit(
        self,
        contributions: Sequence[Contribution],
        generator: _Sampler,
        count: int,
        *,
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> RepresentedImages:
        """The representation of this pool and of the first ``count`` images that the generator draws.

        Parameters
        ----------
        contributions : sequence of Contribution
            Images, as ``guerdon.images`` describes them.
        generator : FittedGenerator
            Draws rows like theirs.
        count : int
            How many synthetic images there are at first.
        rng : Generator
            Draws the images, and the seed of UMAP.
        progress : callable
            Called as progress("features", images done, all) and as progress("embed", ...) before and after UMAP.

        Raises
        ------
        ValueError
            The contributions are not images of one shape.
        """
        shape = _common_shape(contributions)
        network = load_network(self.network, shape, self.size)
        drawn = _drawn(generator, count, rng)
        pool = to_pixels(np.concatenate([c.X for c in contributions]))
        features = _features(network, np.concatenate([pool, drawn.pixels]), progress)  # (m + count, q)
        own, synthetic = np.split(features, [len(pool)])
        labeller = Labeller.of(_with_rows(contributions, own), images=True)
        if self.components is None:
            embedded, points = None, features.astype(np.float64)
        else:
            progress("embed", 0, len(features))
            embedded = Embedding.fit(features, self.components, rng.spawn(1)[0])
            points = embedded.points
            progress("embed", len(features), len(features))
        represented = points[: len(pool)]
        return RepresentedImages(
            contributions=_with_rows(contributions, represented),
            first=_labelled(drawn, synthetic, points[len(pool) :], labeller),
            about=self,
            shape=shape,
            generator=generator,
            network=network,
            embedding=embedded,
            labeller=labeller,
            progress=progress,
        )


@dataclass(frozen=True, eq=False)
class RepresentedImages:
    """A generator of images, seen through a representation.

    ``sample`` draws further images than those that it was learnt with.

    Attributes
    ----------
    contributions : tuple of Contribution
        The pool's, in the representation.
    first : SyntheticData
        The synthetic images that the representation was learnt with.
    shape : tuple of int
        Height, width and channels of an image.
    """

    contributions: tuple[Contribution, ...]
    first: SyntheticData
    about: ImageFeatures
    shape: ImageShape
    generator: _Sampler
    network: Network
    embedding: Embedding | None
    labeller: Labeller | None
    progress: Progress

    def sample(self, n: int, *, rng: np.random.Generator) -> SyntheticData:
        """n further images: their representation as points, their pixels, and labels where the pool has labels."""
        drawn = _drawn(self.generator, n, rng)
        features, points = self._placed(drawn.pixels)
        return _labelled(drawn, features, points, self.labeller)

    def represent(self, images: FloatArray) -> FloatArray:
        """Images that were no part of this, flat and from 0 to 1 (k, h w c), placed in the representation: (k, q)."""
        return self._placed(to_pixels(images))[1]

    def _placed(self, pixels: Pixels) -> tuple[NDArray[np.float32], FloatArray]:
        """The network's features of further images, and their representation."""
        features = _features(self.network, pixels, self.progress)
        if self.embedding is None:
            return features, features.astype(np.float64)
        self.progress("embed", 0, len(pixels))
        points = self.embedding(features)
        self.progress("embed", len(pixels), len(pixels))
        return features, points


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Pixels (n, h w c), and the labels (n,) of a generator that has its own."""

    pixels: Pixels
    labels: NDArray[np.float64] | None


def _drawn(generator: _Sampler, n: int, rng: np.random.Generator) -> _Drawn:
    """n images, a block at a time; rows that exist already are taken in one."""
    block = n if isinstance(generator, GivenRows) else BLOCK
    parts = [generator.sample(min(block, n - start), rng=rng) for start in range(0, n, block)]
    labels = [part.labels for part in parts if part.labels is not None]
    return _Drawn(
        np.concatenate([to_pixels(part.points) for part in parts]), np.concatenate(labels) if labels else None
    )


def _features(network: Network, pixels: Pixels, progress: Progress) -> NDArray[np.float32]:
    """The network's features of all images, in batches: (k, q)."""
    parts = []
    for start in range(0, len(pixels), BATCH):
        progress("features", start, len(pixels))
        parts.append(network(pixels[start : start + BATCH]))
    progress("features", len(pixels), len(pixels))
    return np.concatenate(parts)


def _labelled(
    drawn: _Drawn, features: NDArray[np.float32], points: FloatArray, labeller: Labeller | None
) -> SyntheticData:
    labels = drawn.labels
    if labels is None and labeller is not None:
        labels = labeller(features)
    return SyntheticData(points, labels, drawn.pixels)


def _with_rows(contributions: Sequence[Contribution], rows: NDArray[Any]) -> tuple[Contribution, ...]:
    """The contributions with these rows, the first party's first, in place of their own."""
    ends = np.cumsum([len(c) for c in contributions])[:-1]
    parts = np.split(rows, ends)
    return tuple(replace(c, X=X, feature_names=None, columns=None) for c, X in zip(contributions, parts, strict=True))


def _common_shape(contributions: Sequence[Contribution]) -> ImageShape:
    shapes = {image_shape(c.feature_names) for c in contributions}
    shape = next(iter(shapes)) if len(shapes) == 1 else None
    if shape is None:
        names = contributions[0].feature_names or ()
        raise ValueError(
            f"ImageFeatures represents images of one shape, whose columns are named pixel-ROW-COLUMN-CHANNEL, got "
            f"{', '.join(names[:4]) or 'columns without names'}: leave features out for other data"
        )
    return shape


def _whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
