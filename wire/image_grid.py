"""Images as a picture."""

from __future__ import annotations

import io
import math

import numpy as np
from matplotlib.image import imsave

from guerdon.types import FloatArray

__all__ = ["picture_grid"]

SIDE = 56
"""Pixels that an image should be wide at least, by whole multiples of its own."""


def picture_grid(images: FloatArray) -> bytes:
    """A PNG with the images in rows of as many as there are rows, up to rounding, a grey line between.

    Parameters
    ----------
    images : (k, height, width, channels), pixels from 0 to 1; channels 1 (grey) or 3 (red, green, blue)
    """
    count, height, width, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(f"a picture has 1 or 3 channels, got {channels}")
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    zoom = math.ceil(SIDE / width)
    canvas = np.full((down * (zoom * height + 1) + 1, across * (zoom * width + 1) + 1, 3), 0.5)
    for k, image in enumerate(np.clip(images, 0.0, 1.0)):
        top, left = 1 + k // across * (zoom * height + 1), 1 + k % across * (zoom * width + 1)
        canvas[top : top + zoom * height, left : left + zoom * width] = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
    file = io.BytesIO()
    imsave(file, canvas, format="png")
    return file.getvalue()
