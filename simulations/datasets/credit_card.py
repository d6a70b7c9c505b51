"""Credit-card transactions (Dal Pozzolo et al., 2015) as in Tay et al. (AAAI 2022), appendix I.2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simulations.datasets.dataset import Dataset
from simulations.datasets.divided import Labelled, SplitByClass
from simulations.datasets.files import data_file

__all__ = ["CreditCard"]

FEATURES = ("V1", "V2", "V3", "V4")
CLASSES = 5
ORIGIN = "The transactions are of the data set creditcard on OpenML (1597), with V1 to V28 and Amount as columns"


@dataclass(frozen=True)
class CreditCard(SplitByClass):
    """Transactions of five banks: the first four principal components, and a fifth of the amounts as class.

    Of the 284,807 transactions a subset of 25,087 is used, which has all 492 frauds (2 % of it; of the whole they are
    0.17 %). After five times 5,000 rows only 87 are left: more ``test`` rows need fewer ``rows``.

    Parameters
    ----------
    rows : of each of the five parties (the paper: 5,000)
    split : "equal-disjoint" or "unequal", who has which classes (appendix I.6)
    test : how many further rows, equally many of each class, every party is scored on
    """

    test: int = 85

    def load(self, rng: np.random.Generator) -> Dataset:
        """The transactions; which rows go where is drawn from ``rng``."""
        table = pl.read_csv(data_file("creditcard_subset.csv.gz", ORIGIN), columns=[*FEATURES, "Amount"])
        features = table.select(FEATURES).to_numpy()
        return self.divide(
            Labelled(_fifths(table["Amount"].to_numpy()), lambda rows: features[rows]),
            rng,
            name="credit-card",
            feature_names=FEATURES,
            target_name="amount_class",
            description="Credit-card transactions; the label is the fifth of all amounts that theirs is in.",
        )


def _fifths(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 for the smallest fifth of the amounts to 4 for the largest; of equal amounts the first in the file come first.

    Classes of equal size are what the splits need; amounts such as 1.00 are so frequent that thresholds give others.
    """
    ranks = np.empty(len(amounts), dtype=np.int64)
    ranks[np.argsort(amounts, kind="stable")] = np.arange(len(amounts))
    return ranks * CLASSES // len(amounts)
