"""Small photographs (Krizhevsky, 2009), as in Tay et al. (AAAI 2022), appendix I.4."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guerdon.images import Pixels, pixel_names
from simulations.datasets.dataset import Dataset
from simulations.datasets.divided import Labelled, SplitByClass
from simulations.datasets.files import data_file

__all__ = ["Cifar10"]

SHAPE = (32, 32, 3)
ORIGIN = "The photographs are those of https://www.cs.toronto.edu/~kriz/cifar.html"


@dataclass(frozen=True)
class Cifar10(SplitByClass):
    """Photographs of 32 x 32 pixels in three colours, ten classes from aeroplane (0) to truck (9), five parties.

    Parameters
    ----------
    rows : of each of the five parties (the paper: 5,000)
    split : "equal-disjoint" or "unequal", who has which classes (appendix I.6)
    test : how many further images, equally many of each class, every party is scored on
    source : "jpeg", the 50,000 training images for the parties and the 10,000 test images to score on, compressed with
        loss (quality 75); "lossless", the first 4,000 training images for both, exact: at most some 600 rows a party
    """

    source: Literal["jpeg", "lossless"] = "jpeg"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source not in ("jpeg", "lossless"):
            raise ValueError(f"source must be 'jpeg' or 'lossless', got {self.source!r}")

    def load(self, rng: np.random.Generator) -> Dataset:
        """The photographs; which rows go where is drawn from ``rng``. Of the JPEGs only those used are decoded."""
        return self.divide(
            _jpeg() if self.source == "jpeg" else _lossless(),
            rng,
            name="cifar10",
            feature_names=pixel_names(SHAPE),
            target_name="object",
            description="Small photographs; the label is what they show, from aeroplane (0) to truck (9).",
        )


def _lossless() -> Labelled:
    with np.load(data_file("cifar10_lossless_train4000.npz", ORIGIN), allow_pickle=False) as file:
        pixels, labels = file["x"].reshape(len(file["x"]), -1), file["y"]
    return Labelled(labels.astype(np.int64), lambda rows: pixels[rows])


def _jpeg() -> Labelled:
    with np.load(data_file("cifar10_jpeg_q75_all60000.npz", ORIGIN), allow_pickle=False) as file:
        header, blob, offsets = file["header"].tobytes(), file["blob"].tobytes(), file["offsets"]
        labels, training = file["labels"], int(file["n_train"])

    def decoded(rows: NDArray[np.intp]) -> Pixels:
        return _decoded([header + blob[offsets[row] : offsets[row + 1]] for row in rows])

    return Labelled(labels.astype(np.int64), decoded, np.arange(training, len(labels)))


def _decoded(files: list[bytes]) -> Pixels:
    try:
        from PIL import Image
    except ImportError as error:
        raise ValueError("source='jpeg' needs Pillow: pip install -e \".[images]\"") from error
    pixels = np.empty((len(files), *SHAPE), dtype=np.uint8)
    for place, content in enumerate(files):
        with Image.open(io.BytesIO(content)) as image:
            pixels[place] = np.asarray(image.convert("RGB"))
    return pixels.reshape(len(files), -1)
