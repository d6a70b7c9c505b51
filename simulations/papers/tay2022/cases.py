"""The paper's experiments, a data set and a split each, and the part of them that the command line asks for."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from guerdon.images import ImageShape
from simulations.papers.study import Options, StudyError
from simulations.papers.tay2022.given_generator import GivenGenerator
from simulations.partitions.class_shares import Split

__all__ = [
    "BETAS",
    "DATASETS",
    "PAPER_SIZES",
    "QUICK_SIZES",
    "SHAPES",
    "SIZES",
    "SPLITS",
    "Case",
    "Size",
    "chosen_betas",
    "chosen_cases",
]

DATASETS = {"credit-ratings": "CR", "credit-card": "CC", "mnist": "MNIST", "cifar10": "CIFAR-10"}
"""What the paper calls them."""

SPLITS: tuple[Split, ...] = ("equal-disjoint", "unequal")
BETAS = (1, 2, 4, 8)

GROWTH = 4
"""G may grow to so many times its size while no rho is feasible."""


class Size(NamedTuple):
    """rows of each of the five parties; synthetic, |G|; test, how many unseen rows the SVM is scored on, at most."""

    rows: int
    synthetic: int
    test: int


PAPER_SIZES = {
    "credit-ratings": Size(1000, 100_000, 2000),
    "credit-card": Size(5000, 100_000, 80),  # the file has 25,087 rows, and 80 are what is left of all classes alike
    "mnist": Size(5000, 100_000, 10_000),
    "cifar10": Size(5000, 100_000, 10_000),
}
"""Appendices I.1 to I.4; they don't say how many rows were kept unseen."""

SIZES = {
    "credit-ratings": Size(1000, 100_000, 2000),
    "credit-card": Size(2000, 20_000, 1000),
    "mnist": Size(1000, 20_000, 1000),
    "cifar10": Size(600, 3000, 400),  # 4,000 images are at hand with exact pixels
}
"""What two cores do in half an hour; ``--only size=paper`` asks for the paper's."""

QUICK_SIZES = {
    "credit-ratings": Size(200, 8000, 500),
    "credit-card": Size(200, 8000, 500),
    "mnist": Size(200, 4000, 300),
    "cifar10": Size(60, 2000, 100),
}


SHAPES: dict[str, ImageShape] = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
"""Of the data sets that are images."""


@dataclass(frozen=True)
class Case:
    """One data set, split among five parties, at one size, with one seed for all that is drawn.

    generator : of its images, where one is given.
    """

    dataset: str
    split: Split
    size: Size
    seed: int
    generator: GivenGenerator | None = None

    @property
    def key(self) -> str:
        given = "" if self.generator is None else f"-g{self.generator.sha256[:12]}"
        return (
            f"{self.dataset}-{self.split}-{self.size.rows}-{self.size.synthetic}-{self.size.test}-s{self.seed}{given}"
        )

    @property
    def limit(self) -> int:
        """How large G may become."""
        return GROWTH * self.size.synthetic

    @property
    def label(self) -> str:
        return f"{DATASETS[self.dataset]}, {self.split.replace('-', ' ')} split"


def chosen_cases(
    options: Options, datasets: Collection[str] = tuple(DATASETS), splits: Collection[str] = SPLITS
) -> list[Case]:
    """Those of these data sets and splits that ``--only`` leaves.

    Raises
    ------
    StudyError
        ``--only`` names what there is not, or leaves no data set that a generator given draws.
    """
    wanted = _chosen(options)
    given = _generator(options, wanted["dataset"])
    sizes = QUICK_SIZES if options.quick else PAPER_SIZES if "reduced" not in wanted["size"] else SIZES
    return [
        Case(dataset, split, sizes[dataset], options.seed, given.get(dataset))
        for dataset in DATASETS
        for split in SPLITS
        if dataset in datasets and split in splits and dataset in wanted["dataset"] and split in wanted["split"]
    ]


def chosen_betas(options: Options) -> tuple[int, ...]:
    """The inverse temperatures that ``--only`` leaves."""
    wanted = _chosen(options)["beta"]
    return tuple(beta for beta in BETAS if str(beta) in wanted)


def _generator(options: Options, datasets: Collection[str]) -> dict[str, GivenGenerator]:
    """The generator given, for each of the data sets whose images it draws."""
    if options.generator_file is None:
        return {}
    given = GivenGenerator.read(options.generator_file)
    fits = {dataset: given for dataset, shape in SHAPES.items() if shape == given.shape and dataset in datasets}
    if not fits:
        shapes = ", ".join(f"{dataset} {shape}" for dataset, shape in SHAPES.items() if dataset in datasets)
        raise StudyError(
            f"--generator-file draws images of shape {given.shape}, and none of the data sets asked for has such: "
            f"{shapes or 'none is of images'}"
        )
    return fits


def _chosen(options: Options) -> dict[str, Sequence[str]]:
    """What ``--only`` leaves of each dimension; KEY=A,B leaves two."""
    offer: dict[str, Sequence[str]] = {"dataset": tuple(DATASETS), "split": SPLITS, "beta": tuple(map(str, BETAS))}
    offer["size"] = ("reduced", "paper")
    chosen = dict(offer)
    for key, text in options.only.items():
        if key not in offer:
            raise StudyError(f"--only takes {', '.join(offer)} for tay2022, got {key!r}{_hint(key, offer)}")
        values = [value.strip() for value in text.split(",")]
        for value in values:
            if value not in offer[key]:
                raise StudyError(
                    f"--only {key}= takes {', '.join(offer[key])}, got {value!r}{_hint(value, offer[key])}"
                )
        chosen[key] = values
    return chosen


def _hint(word: str, offer: Collection[str]) -> str:
    near = difflib.get_close_matches(word, offer, n=1)
    return f". Did you mean {near[0]!r}?" if near else "."
