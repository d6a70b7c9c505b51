"""Labelled data sets that scikit-learn ships, with a common share of rows kept for scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from simulations.datasets.dataset import Dataset, Rows

__all__ = ["BreastCancer", "Digits"]


@dataclass(frozen=True)
class Digits:
    """1,797 handwritten digits of 8 x 8 pixels (0 to 16), ten classes.

    Parameters
    ----------
    test : share of the rows, drawn at random, that no party contributes and every party is scored on
    """

    test: float = 0.2

    def __post_init__(self) -> None:
        _check(self.test)

    def load(self, rng: np.random.Generator) -> Dataset:
        return _with_test_rows(
            load_digits(), "digits", "digit", "1,797 handwritten digits; the label is the digit.", self.test, rng
        )


@dataclass(frozen=True)
class BreastCancer:
    """569 tumours, 30 measurements of cell nuclei, malignant (0) or benign (1).

    Parameters
    ----------
    test : share of the rows, drawn at random, that no party contributes and every party is scored on
    """

    test: float = 0.2

    def __post_init__(self) -> None:
        _check(self.test)

    def load(self, rng: np.random.Generator) -> Dataset:
        return _with_test_rows(
            load_breast_cancer(), "breast-cancer", "benign", "569 tumours; the label is 1 for benign.", self.test, rng
        )


def _check(test: float) -> None:
    if not 0.0 <= test < 1.0:
        raise ValueError(f"test is a share of the rows, at least 0 and below 1, got {test!r}")


def _with_test_rows(
    bunch: Any, name: str, target: str, description: str, test: float, rng: np.random.Generator
) -> Dataset:
    order = rng.permutation(len(bunch.data))
    count = round(test * len(order))
    kept, rest = order[:count], np.sort(order[count:])
    return Dataset(
        name=name,
        features=bunch.data[rest],
        target=bunch.target[rest],
        feature_names=tuple(str(feature).replace(" ", "_") for feature in bunch.feature_names),
        target_name=target,
        description=description,
        held_out=Rows(bunch.data[kept], bunch.target[kept]) if count else None,
    )
