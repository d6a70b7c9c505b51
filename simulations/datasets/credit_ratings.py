"""The simulated credit ratings of Tay et al. (AAAI 2022), appendix I.1, to the last digit.

Five two-dimensional Gaussian classes (credit score, likelihood of default) with covariance I/200. Everything is drawn
from NumPy's legacy generator, ``RandomState(2)``, in the order of the published code: the five means; 1,000 rows a
class; each party's share of every class (appendix I.6), its rows then permuted; last the synthetic pool G.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulations.datasets.dataset import Dataset, Rows
from simulations.partitions.class_shares import SHARES, Split

__all__ = ["FEATURES", "CreditRatings", "CreditRatingsData", "credit_ratings"]

FEATURES = ("credit_score", "default_likelihood")

SEED = 2
CLASSES = 5
ROWS = 1000
"""Rows of each class, and of each party."""

SYNTHETIC = 100_000


class CreditRatingsData(NamedTuple):
    """parties (5, 1000, 2), labels (5, 1000) their classes; synthetic G (g, 2), synthetic_labels (g,); means (5, 2)."""

    parties: NDArray[np.float64]
    labels: NDArray[np.int64]
    synthetic: NDArray[np.float64]
    synthetic_labels: NDArray[np.int64]
    means: NDArray[np.float64]


def credit_ratings(split: Split, synthetic_rows: int = SYNTHETIC) -> CreditRatingsData:
    """The data behind the paper's Table 9 ("equal-disjoint") or Table 10 ("unequal"), with the first rows of G.

    Raises
    ------
    ValueError
        The split is not one of the two.
    """
    if (split, CLASSES) not in SHARES:
        raise ValueError(f"split must be 'equal-disjoint' or 'unequal', got {split!r}")
    rng = np.random.RandomState(SEED)  # the published numbers come from the legacy generator
    means = rng.uniform(size=(CLASSES, 2))
    covariance = np.eye(2) / 200
    by_class = [rng.multivariate_normal(mean, covariance, size=ROWS) for mean in means]
    parties, labels = _shared_out(by_class, SHARES[split, CLASSES], rng)

    synthetic = np.empty((synthetic_rows, 2))  # drawn last, so that fewer rows change no other
    synthetic_labels = np.empty(synthetic_rows, dtype=np.int64)
    for row in range(synthetic_rows):
        label = rng.randint(CLASSES)
        synthetic[row] = rng.multivariate_normal(means[label], covariance)
        synthetic_labels[row] = label
    return CreditRatingsData(parties, labels, synthetic, synthetic_labels, means)


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


@dataclass(frozen=True)
class CreditRatings:
    """Simulated credit ratings of five parties with 1,000 borrowers each, and the paper's synthetic pool of 100,000.

    Parameters
    ----------
    split : "equal-disjoint" or "unequal"
        Who has which classes (appendix I.6).
    synthetic : how many rows of the paper's pool to use, from its first
    test : how many further borrowers, of all classes alike, every party is scored on
    """

    split: Split = "equal-disjoint"
    synthetic: int = SYNTHETIC
    test: int = 500

    def __post_init__(self) -> None:
        if (self.split, CLASSES) not in SHARES:
            raise ValueError(f"split must be 'equal-disjoint' or 'unequal', got {self.split!r}")
        if not 1 <= self.synthetic <= SYNTHETIC or self.test < 0:
            raise ValueError(
                f"synthetic is from 1 to {SYNTHETIC} rows and test at least 0, got {self.synthetic} and {self.test}"
            )

    def load(self, rng: np.random.Generator) -> Dataset:
        """The paper's data; only the rows for scoring are drawn from ``rng``."""
        data = credit_ratings(self.split, self.synthetic)
        labels = rng.integers(CLASSES, size=self.test)
        held_out = data.means[labels] + rng.standard_normal((self.test, 2)) / np.sqrt(200)
        return Dataset(
            name="credit-ratings",
            features=data.parties.reshape(-1, 2),
            target=data.labels.ravel().astype(np.float64),
            feature_names=FEATURES,
            target_name="rating",
            description="5,000 simulated borrowers; the label is their credit rating, one of five.",
            blocks=tuple(np.split(np.arange(CLASSES * ROWS), CLASSES)),
            held_out=Rows(held_out, labels.astype(np.float64)) if self.test else None,
            synthetic=Rows(data.synthetic, data.synthetic_labels.astype(np.float64)),
        )
