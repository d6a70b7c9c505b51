"""What the paper finds on every data set, at sizes that take seconds; on its files where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulations.datasets.files import data_file
from simulations.papers.tay2022.cases import BETAS, SPLITS, Case, Size
from simulations.papers.tay2022.tasks import sample, value
from simulations.partitions.class_shares import Split

FILES = {
    "credit-card": "creditcard_subset.csv.gz",
    "mnist": "mnist_full.npz",
    "cifar10": "cifar10_lossless_train4000.npz",
}


@pytest.mark.parametrize(
    ("dataset", "size", "package"),
    [
        ("credit-ratings", Size(200, 4000, 10), "numpy"),
        ("credit-card", Size(1000, 4000, 10), "numpy"),
        ("mnist", Size(200, 1000, 20), "umap"),
        ("cifar10", Size(60, 500, 20), "efficientnet_lite_pytorch"),
    ],
)
def test_who_has_all_classes_has_the_highest_alpha(dataset: str, size: Size, package: str, tmp_path: Path) -> None:
    """The unequal split: the first two parties have all classes, the other three some."""
    pytest.importorskip(package)
    if dataset in FILES:
        try:
            data_file(FILES[dataset])
        except FileNotFoundError:
            pytest.skip(f"{FILES[dataset]} is not here")
    alpha = [row["alpha"] for row in value(Case(dataset, "unequal", size, 0), tmp_path)]
    assert set(np.argsort(alpha)[-2:]) == {0, 1}, alpha


@pytest.mark.parametrize("split", SPLITS)
def test_a_larger_beta_takes_fewer_rows(split: Split, tmp_path: Path) -> None:
    """Pearson's correlation of beta with |G_i|, over beta = 1, 2, 4, 8: -0.85 and -0.83 in the paper's mean."""
    case = Case("credit-ratings", split, Size(200, 8000, 10), 0)
    value(case, tmp_path)
    counts = np.array([[row["count"] for row in sample(case, tmp_path, beta, 0)] for beta in BETAS])  # (betas, parties)
    correlations = [np.corrcoef(BETAS, column)[0, 1] for column in counts.T]
    assert np.mean(correlations) < -0.7, correlations
    assert max(correlations) < -0.5, correlations
