"""Labelled rows divided by the splits of Tay et al. (AAAI 2022), with rows that no party holds to score on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulations.datasets.dataset import Dataset, Rows
from simulations.partitions.class_shares import ClassShares, Split

__all__ = ["PARTIES", "Labelled", "SplitByClass"]

PARTIES = 5


class Labelled(NamedTuple):
    """labels (m,) of all rows; features(rows) reads some; official_test : those to score on, where the set has some."""

    labels: NDArray[np.int64]
    features: Callable[[NDArray[np.intp]], NDArray[Any]]
    official_test: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class SplitByClass:
    """What the data sets that come divided have in common.

    Parameters
    ----------
    rows : of each of the five parties (the paper: 5,000)
    split : "equal-disjoint" or "unequal", who has which classes (appendix I.6)
    test : how many further rows, equally many of each class, every party is scored on
    """

    rows: int = 5000
    split: Split = "unequal"
    test: int = 1000

    def __post_init__(self) -> None:
        ClassShares(self.split, self.rows)  # refuses what is not one
        if not isinstance(self.test, int) or self.test < 0:
            raise ValueError(f"test must be a whole number of rows, at least 0, got {self.test!r}")

    def divide(
        self,
        source: Labelled,
        rng: np.random.Generator,
        *,
        name: str,
        feature_names: tuple[str, ...],
        target_name: str,
        description: str,
    ) -> Dataset:
        """The data set of these rows, of which only those are read that a party holds or is scored on.

        Raises
        ------
        ValueError
            There are too few rows of some class.
        """
        everything = np.arange(len(source.labels))
        official = source.official_test
        test = self._test_rows(everything if official is None else official, source.labels, rng)
        rest = np.setdiff1d(everything, test if official is None else official)
        labels = source.labels[rest].astype(np.float64)
        blocks = ClassShares(self.split, self.rows).split(labels[:, None], PARTIES, rng=rng, target=labels)
        used = rest[np.concatenate(blocks)]
        return Dataset(
            name=name,
            features=source.features(used),
            target=source.labels[used].astype(np.float64),
            feature_names=feature_names,
            target_name=target_name,
            description=description,
            blocks=tuple(np.split(np.arange(len(used)), np.cumsum([len(block) for block in blocks])[:-1])),
            held_out=Rows(source.features(test), source.labels[test].astype(np.float64)) if len(test) else None,
        )

    def _test_rows(
        self, candidates: NDArray[np.intp], labels: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.intp]:
        """The rows to score on, shuffled; the first classes have one more where the number does not divide."""
        classes = np.unique(labels)
        each = self.test // len(classes) + (np.arange(len(classes)) < self.test % len(classes))
        chosen = [np.empty(0, dtype=np.intp)]
        for label, count in zip(classes, each, strict=True):
            of_class = candidates[labels[candidates] == label]
            if len(of_class) < count:
                raise ValueError(f"test={self.test} needs {count} rows of class {label}, there are {len(of_class)}")
            chosen.append(rng.permutation(of_class)[:count])
        return rng.permutation(np.concatenate(chosen))
