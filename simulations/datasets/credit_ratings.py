"""The simulated credit ratings of Tay et al. (AAAI 2022), appendix I.1, to the last digit.

Five two-dimensional Gaussian classes (credit score, likelihood of default) with covariance I/200. Everything is drawn
from NumPy's legacy generator, ``RandomState(2)``, in the order of the published code: the five means; 1,000 rows a
class; each party's share of every class (appendix I.6), its rows then permuted; last the synthetic pool G.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEATURES", "SHARES", "CreditRatings", "Split", "credit_ratings"]

FEATURES = ("credit_score", "default_likelihood")

Split = Literal["equal-disjoint", "unequal"]

SEED = 2
CLASSES = 5
ROWS = 1000
"""Rows of each class, and of each party."""

SYNTHETIC = 100_000

SHARES: dict[str, NDArray[np.float64]] = {
    "equal-disjoint": np.full((5, 5), 0.01) + 0.95 * np.eye(5),
    "unequal": np.array(
        [
            [0.20, 0.20, 0.20, 0.20, 0.20],
            [0.20, 0.20, 0.20, 0.20, 0.20],
            [0.58, 0.39, 0.01, 0.01, 0.01],
            [0.01, 0.20, 0.58, 0.20, 0.01],
            [0.01, 0.01, 0.01, 0.39, 0.58],
        ]
    ),
}
"""SHARES[split][i, c] = the part of party i's rows that is of class c (the paper's Tables 1 and 2)."""


class CreditRatings(NamedTuple):
    """parties (5, 1000, 2), labels (5, 1000) their classes; synthetic G (100000, 2), synthetic_labels (100000,);
    means (5, 2)."""

    parties: NDArray[np.float64]
    labels: NDArray[np.int64]
    synthetic: NDArray[np.float64]
    synthetic_labels: NDArray[np.int64]
    means: NDArray[np.float64]


def credit_ratings(split: Split) -> CreditRatings:
    """The data behind the paper's Table 9 ("equal-disjoint") or Table 10 ("unequal").

    Raises
    ------
    ValueError
        The split is not one of the two.
    """
    if split not in SHARES:
        raise ValueError(f"split must be one of {', '.join(SHARES)}, got {split!r}")
    rng = np.random.RandomState(SEED)  # the published numbers come from the legacy generator
    means = rng.uniform(size=(CLASSES, 2))
    covariance = np.eye(2) / 200
    by_class = [rng.multivariate_normal(mean, covariance, size=ROWS) for mean in means]
    parties, labels = _shared_out(by_class, SHARES[split], rng)

    synthetic = np.empty((SYNTHETIC, 2))
    synthetic_labels = np.empty(SYNTHETIC, dtype=np.int64)
    for row in range(SYNTHETIC):
        label = rng.randint(CLASSES)
        synthetic[row] = rng.multivariate_normal(means[label], covariance)
        synthetic_labels[row] = label
    return CreditRatings(parties, labels, synthetic, synthetic_labels, means)


def _shared_out(
    by_class: list[NDArray[np.float64]], shares: NDArray[np.float64], rng: np.random.RandomState
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each party takes the next rows of every class, classes in order, and permutes what it has."""
    taken = [0] * len(by_class)
    parties, labels = [], []
    for party in shares:
        counts = [round(share * ROWS) for share in party]
        rows = np.concatenate([by_class[c][taken[c] : taken[c] + k] for c, k in enumerate(counts)])
        classes = np.repeat(np.arange(len(by_class)), counts)
        taken = [start + k for start, k in zip(taken, counts, strict=True)]
        order = rng.permutation(len(rows))
        parties.append(rows[order])
        labels.append(classes[order])
    return np.stack(parties), np.stack(labels)
