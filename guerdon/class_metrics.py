"""How good predicted class probabilities are on rows with known labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.types import FloatArray

__all__ = ["Bin", "accuracy", "area_under_curve", "brier_score", "calibration", "calibration_error", "log_loss"]

FLOOR = 1e-300
"""A probability of 0 for what happened counts as this: 691 nats, and not without end."""


def log_loss(probabilities: ArrayLike, y: ArrayLike) -> float:
    """-mean log P(y), in nats a row.

    Parameters
    ----------
    probabilities : (m, K) array
    y : (m,) array
        Classes 0 .. K - 1.

    Raises
    ------
    ValueError
        The shapes don't fit, or a class is none.
    """
    p, labels = _checked(probabilities, y)
    return float(-np.mean(np.log(np.maximum(p[np.arange(len(p)), labels], FLOOR))))


def accuracy(probabilities: ArrayLike, y: ArrayLike) -> float:
    """The share of rows whose most probable class is theirs."""
    p, labels = _checked(probabilities, y)
    return float(np.mean(p.argmax(axis=1) == labels))


def brier_score(probabilities: ArrayLike, y: ArrayLike) -> float:
    """mean (p - 1[y = 1])^2 for two classes; mean sum_k (p_k - 1[y = k])^2 for more (Brier 1950)."""
    p, labels = _checked(probabilities, y)
    squares = np.square(p - np.eye(p.shape[1])[labels]).sum(axis=1)
    return float(np.mean(squares) * (0.5 if p.shape[1] == 2 else 1.0))


def area_under_curve(probabilities: ArrayLike, y: ArrayLike) -> float:
    """The probability that a row of a class is given more of it than a row of another, ties counting half.

    For more than two classes the mean over the classes that are there and are not all there is (one against the rest);
    NaN where one class is all there is.
    """
    p, labels = _checked(probabilities, y)
    classes = [1] if p.shape[1] == 2 else range(p.shape[1])
    areas = []
    for k in classes:
        own = labels == k
        inside, outside = int(own.sum()), int((~own).sum())
        if inside and outside:
            ranks = _mean_ranks(p[:, k])
            areas.append((ranks[own].sum() - 0.5 * inside * (inside + 1)) / (inside * outside))
    return float(np.mean(areas)) if areas else float("nan")


class Bin(NamedTuple):
    """Rows whose predicted probability lies in a range: their mean prediction, how often it was so, how many."""

    predicted: float
    observed: float
    rows: int


def calibration(probabilities: ArrayLike, y: ArrayLike, bins: int = 10) -> list[Bin]:
    """Predicted probabilities against what happened, in bins of equal width that have rows.

    Of class 1 where there are two; else of every row's most probable class.
    """
    p, labels = _checked(probabilities, y)
    if p.shape[1] == 2:
        said, came = p[:, 1], labels == 1
    else:
        said, came = p.max(axis=1), p.argmax(axis=1) == labels
    place = np.minimum((said * bins).astype(int), bins - 1)
    return [
        Bin(float(said[place == b].mean()), float(came[place == b].mean()), int((place == b).sum()))
        for b in range(bins)
        if np.any(place == b)
    ]


def calibration_error(probabilities: ArrayLike, y: ArrayLike, bins: int = 10) -> float:
    """The mean distance between predicted and observed frequencies, bins weighed by their rows (ECE)."""
    found = calibration(probabilities, y, bins)
    return float(sum(b.rows * abs(b.predicted - b.observed) for b in found) / sum(b.rows for b in found))


def _checked(probabilities: ArrayLike, y: ArrayLike) -> tuple[FloatArray, NDArray[np.int64]]:
    p, found = np.asarray(probabilities, dtype=np.float64), np.asarray(y)
    labels = found.astype(np.int64)
    if p.ndim != 2 or p.shape[1] < 2 or labels.shape != (len(p),) or len(p) == 0:
        raise ValueError(f"expected probabilities (m, K) and m >= 1 labels, got shapes {p.shape} and {labels.shape}")
    if np.any(labels != found) or labels.min() < 0 or labels.max() >= p.shape[1]:
        raise ValueError(f"labels are whole numbers from 0 to {p.shape[1] - 1}")
    return p, labels


def _mean_ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, equal values sharing their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - 0.5 * (counts - 1))[which])
