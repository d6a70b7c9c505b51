"""Quality: exact copies agree, noise does not, and without labels there are no accuracies."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.generators import SyntheticData
from guerdon.generators.quality import sample_quality
from guerdon.metrics import mmd2_unbiased


def clusters(seed: int, rows: int = 200, spread: float = 0.3) -> SyntheticData:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=rows).astype(np.float64)
    return SyntheticData(4.0 * np.eye(3)[labels.astype(int)] + spread * rng.normal(size=(rows, 3)), labels)


def test_samples_of_the_same_distribution() -> None:
    quality = sample_quality(clusters(0), clusters(1), clusters(2))
    assert abs(quality.mmd2) < 0.01
    assert quality.agreement == quality.usefulness == quality.attainable == 1.0


def test_samples_with_wrong_labels_are_close_and_useless() -> None:
    samples = clusters(0)
    assert samples.labels is not None
    wrong = SyntheticData(samples.points, (samples.labels + 1) % 3)
    quality = sample_quality(wrong, clusters(1), clusters(2))
    assert abs(quality.mmd2) < 0.01
    assert quality.agreement == quality.usefulness == 0.0
    assert quality.attainable == 1.0


def test_samples_of_one_class_predict_that_class_for_all() -> None:
    one = SyntheticData(np.zeros((50, 3)), np.zeros(50))
    held = clusters(2)
    quality = sample_quality(one, clusters(1), held)
    assert held.labels is not None
    assert quality.usefulness == np.mean(held.labels == 0.0)
    assert quality.mmd2 > 0.1


def test_it_compares_in_the_feature_space_given() -> None:
    samples, held = clusters(0), clusters(2)
    quality = sample_quality(samples, clusters(1), held, features=lambda rows: rows[:, :1], lengthscale=2.0)
    assert quality.mmd2 == mmd2_unbiased(samples.points[:, :1], held.points[:, :1], 2.0)
    assert quality.lengthscale == 2.0


def test_without_labels_there_is_a_distance_only() -> None:
    bare = SyntheticData(clusters(0).points)
    quality = sample_quality(bare, clusters(1), clusters(2))
    assert quality.agreement is quality.usefulness is quality.attainable is None
    assert (quality.samples, quality.held_out) == (200, 200)
    assert quality.mmd2 == pytest.approx(mmd2_unbiased(bare.points, clusters(2).points, quality.lengthscale))
