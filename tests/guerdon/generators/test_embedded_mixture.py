"""Mixtures fitted to mean embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.generators import EmbeddedMixture, GeneratorFitError
from guerdon.mean_embedding import KernelFeatures, MeanEmbedding, with_noise
from guerdon.metrics import mmd2_unbiased
from guerdon.tables import Boolean, Category, Columns, Gap, Number

NUMBERS = Columns.of([Number("a", 0), Number("b", 1)])


def clouds(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(count) < 0.3).astype(float)
    centre = np.where(y[:, None] > 0, [0.5, 0.3], [-0.3, -0.2])
    tilt = np.array([[0.15, 0.0], [0.1, 0.08]])
    return centre + rng.normal(size=(count, 2)) @ tilt.T, y


def test_moments_and_labels_are_those_of_the_rows() -> None:
    X, y = clouds(1500, 0)
    z = KernelFeatures(0.4, 256)
    parties = [MeanEmbedding.of(name, X[k::2], z, y[k::2], (0.0, 1.0)) for k, name in enumerate(("ada", "bob"))]
    found = EmbeddedMixture().fit(parties, columns=NUMBERS, rng=np.random.default_rng(0))
    drawn = found.sample(3000, rng=np.random.default_rng(1))
    assert drawn.labels is not None
    assert drawn.labels.mean() == pytest.approx(y.mean(), abs=0.04)
    for label in (0.0, 1.0):
        mine, theirs = X[y == label], drawn.points[drawn.labels == label]
        np.testing.assert_allclose(theirs.mean(axis=0), mine.mean(axis=0), atol=0.03)
        np.testing.assert_allclose(np.cov(theirs.T), np.cov(mine.T), atol=0.005)
    unseen, _ = clouds(1500, 5)
    assert mmd2_unbiased(drawn.points, unseen, 0.4) < 0.002


def test_two_clouds_without_labels_take_two_components() -> None:
    X, _ = clouds(1500, 0)
    parties = [MeanEmbedding.of("ada", X, KernelFeatures(0.25, 256))]
    found = EmbeddedMixture().fit(parties, columns=NUMBERS, rng=np.random.default_rng(0))
    assert found.describe()["components"][0] >= 2
    drawn = found.sample(1500, rng=np.random.default_rng(1))
    assert drawn.labels is None
    assert mmd2_unbiased(drawn.points, X, 0.25) < 0.002


def test_rows_of_a_mixed_table_are_rows_of_it() -> None:
    rng = np.random.default_rng(0)
    ward = rng.integers(0, 3, 900)
    sick = (rng.random(900) < 0.2 + 0.3 * (ward == 2)).astype(float)
    gap = rng.random(900) < 0.15
    columns = Columns.of(
        [
            Number("age", 0, low=0.0, high=100.0, whole=True),
            Category("ward", (1, 2, 3)),
            Boolean("sick", 4, Gap(0.0, 5)),
        ]
    )
    age = np.round(rng.normal(30 + 15 * ward, 6))
    X = np.column_stack([age, np.eye(3)[ward], np.where(gap, 0.0, sick), gap])
    centre, scale = np.array([50.0, 0.5, 0.5, 0.5, 0.5, 0.5]), np.array([50.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    scaled = columns.scaled(centre, scale)
    parties = [MeanEmbedding.of("ada", (X - centre) / scale, KernelFeatures(1.2, 512))]
    found = EmbeddedMixture().fit(parties, columns=scaled, rng=np.random.default_rng(0))
    drawn = found.sample(3000, rng=np.random.default_rng(1)).points * scale + centre
    np.testing.assert_allclose(columns.conform(drawn), drawn, atol=1e-9)
    np.testing.assert_allclose(drawn[:, 1:4].mean(axis=0), X[:, 1:4].mean(axis=0), atol=0.05)
    assert drawn[:, 5].mean() == pytest.approx(gap.mean(), abs=0.04)
    ages = [drawn[drawn[:, 1 + k] > 0.5, 0].mean() for k in range(3)]
    assert ages[0] < ages[1] < ages[2]
    assert ages[2] - ages[0] == pytest.approx(30.0, abs=8.0)


def test_with_noise_it_stays_near_what_is_told() -> None:
    X, y = clouds(1500, 0)
    exact = MeanEmbedding.of("ada", X, KernelFeatures(0.5, 128), y, (0.0, 1.0))
    noisy = with_noise(exact, 1.3, np.random.default_rng(0).standard_normal)
    found = EmbeddedMixture().fit([noisy], columns=NUMBERS, rng=np.random.default_rng(0))
    drawn = found.sample(2000, rng=np.random.default_rng(1)).points
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.08)
    assert np.abs(drawn).max() < 5.0


def test_nobody_with_rows_is_refused() -> None:
    z = KernelFeatures(1.0, 16)
    nobody = MeanEmbedding("ada", z, np.zeros((1, 32)), np.zeros(1), noise=1.0, count_noise=1.0)
    with pytest.raises(GeneratorFitError, match="no party has rows"):
        EmbeddedMixture().fit([nobody], columns=NUMBERS, rng=np.random.default_rng(0))
