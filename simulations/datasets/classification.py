"""Labelled data sets that scikit-learn ships, with a common share of rows kept for scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tomli_w

from simulations.datasets.dataset import Dataset, Rows

__all__ = ["BreastCancer", "Digits"]


@dataclass(frozen=True)
class _WithTestRows:
    test: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.test < 1.0:
            raise ValueError(f"test is a share of the rows, at least 0 and below 1, got {self.test!r}")


class Digits(_WithTestRows):
    """1,797 handwritten digits of 8 x 8 pixels (0 to 16), ten classes.

    Parameters
    ----------
    test : share of the rows, drawn at random, that no party contributes and every party is scored on
    """

    def load(self, rng: np.random.Generator) -> Dataset:
        """The digits; only which rows are kept for scoring is random."""
        from sklearn.datasets import load_digits  # here: no other data set waits for it

        description = "1,797 handwritten digits; the label is the digit."
        return _with_test_rows(load_digits(), "digits", "digit", description, self.test, rng)


class BreastCancer(_WithTestRows):
    """569 tumours, 30 measurements of cell nuclei, malignant (0) or benign (1).

    Parameters
    ----------
    test : share of the rows, drawn at random, that no party contributes and every party is scored on
    """

    def load(self, rng: np.random.Generator) -> Dataset:
        """The tumours; only which rows are kept for scoring is random."""
        from sklearn.datasets import load_breast_cancer

        description = "569 tumours; the label is 1 for benign."
        return _with_test_rows(load_breast_cancer(), "breast-cancer", "benign", description, self.test, rng)


def _with_test_rows(
    bunch: Any, name: str, target: str, description: str, test: float, rng: np.random.Generator
) -> Dataset:
    names = tuple(str(feature).replace(" ", "_") for feature in bunch.feature_names)
    order = rng.permutation(len(bunch.data))
    count = round(test * len(order))
    kept, rest = order[:count], np.sort(order[count:])
    return Dataset(
        name=name,
        features=bunch.data[rest],
        target=bunch.target[rest],
        feature_names=names,
        target_name=target,
        description=description,
        held_out=Rows(bunch.data[kept], bunch.target[kept]) if count else None,
        bounds=_bounds(bunch, names, target),
    )


def _bounds(bunch: Any, names: tuple[str, ...], target: str) -> str:
    """A schema with bounds that everybody may know: what is known of a pixel, or of such tumours, in two digits."""
    columns: dict[str, Any] = {}
    classes = len(np.unique(bunch.target))
    for name, values in zip(names, bunch.data.T, strict=True):
        if classes > 2:  # digits: pixels
            columns[name] = {"minimum": 0, "maximum": 16, "whole": True}
        else:
            columns[name] = {"minimum": 0, "maximum": float(f"{1.05 * values.max():.2g}")}
    labels = {"type": "boolean"} if classes == 2 else {"minimum": 0, "maximum": classes - 1, "whole": True}
    return tomli_w.dumps({"target": target, "columns": {**columns, target: labels}})
