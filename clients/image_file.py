"""A party's file of images: npz with ``images`` and, where they are labelled, ``labels``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.errors import PartyError
from guerdon.images import Pixels
from guerdon.types import FloatArray
from wire.files import read_arrays

__all__ = ["read_images"]


def read_images(path: Path, labelled: bool) -> tuple[Pixels, FloatArray | None]:
    """Images (m, height, width, channels) as uint8 pixels, and labels (m,) where they are asked for.

    Raises
    ------
    PartyError
        The file is none of this kind: what is wrong is said by its name.
    """
    if not path.exists():
        raise PartyError(f"{path.name} does not exist", here=f"looked for in {path.parent}")
    try:
        arrays = read_arrays(path)
    except Exception as error:  # parsers raise whatever a broken file leads them to
        raise PartyError(f"{path.name} can't be read as npz: {type(error).__name__}", here=str(error)) from error
    images = arrays.get("images")
    if images is None:
        raise PartyError(f"{path.name} must hold an array 'images'", here=f"it has {', '.join(arrays) or 'nothing'}")
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise PartyError(
            f"{path.name}: 'images' must be uint8 pixels of shape (images, height, width, channels), got "
            f"{images.dtype} of shape {images.shape}"
        )
    return images, _labels(path.name, arrays, len(images)) if labelled else None


def _labels(file: str, arrays: dict[str, NDArray[Any]], count: int) -> FloatArray:
    labels = arrays.get("labels")
    if labels is None:
        raise PartyError(f"{file} has images but no array 'labels': add it, or set target = \"\" for unlabelled images")
    if labels.shape != (count,) or labels.dtype.kind not in "iuf":
        raise PartyError(
            f"{file}: 'labels' must hold one number for each of the {count} images, got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if not np.isfinite(labels).all():
        raise PartyError(f"{file}: 'labels' has missing or infinite values")
    return labels.astype(np.float64)
