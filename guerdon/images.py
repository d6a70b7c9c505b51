"""Images as rows of numbers: pixels are columns named pixel-ROW-COLUMN-CHANNEL, from 0 (dark) to 1.

The names alone say that rows are images and of what shape, so nothing else has to travel with them. Stored and sent
they are whole numbers from 0 to 255, one byte each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.types import FloatArray

__all__ = ["LEVELS", "ImageShape", "Pixels", "from_pixels", "image_shape", "pixel_names", "to_pixels"]

ImageShape = tuple[int, int, int]
"""Height, width and channels."""

Pixels = NDArray[np.uint8]

LEVELS = 255

_NAME = re.compile(r"pixel-(\d+)-(\d+)-(\d+)")


def pixel_names(shape: ImageShape) -> tuple[str, ...]:
    """The h w c column names of images of this shape, in the order in which their pixels are laid out.

    Examples
    --------
    >>> pixel_names((1, 2, 1))
    ('pixel-0-0-0', 'pixel-0-1-0')
    """
    height, width, channels = shape
    return tuple(f"pixel-{r}-{c}-{k}" for r in range(height) for c in range(width) for k in range(channels))


def image_shape(feature_names: Sequence[str] | None) -> ImageShape | None:
    """The shape of the images whose columns these are; None where they are not the columns of images.

    Examples
    --------
    >>> image_shape(pixel_names((28, 28, 1))), image_shape(("age", "bmi"))
    ((28, 28, 1), None)
    """
    last = _NAME.fullmatch(feature_names[-1]) if feature_names else None
    if feature_names is None or last is None:
        return None
    height, width, channels = (int(number) + 1 for number in last.groups())
    if height * width * channels != len(feature_names):
        return None
    shape = (height, width, channels)
    return shape if tuple(feature_names) == pixel_names(shape) else None


def from_pixels(pixels: Pixels) -> FloatArray:
    """0, ..., 255 as 0, ..., 1."""
    return np.asarray(pixels, dtype=np.float64) / LEVELS


def to_pixels(X: NDArray[Any]) -> Pixels:
    """The nearest of 256 levels; what is outside [0, 1] is cut off."""
    return np.asarray(np.rint(np.clip(X, 0.0, 1.0) * LEVELS), dtype=np.uint8)
