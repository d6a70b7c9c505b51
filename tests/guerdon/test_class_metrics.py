"""Scores of class probabilities: scikit-learn's numbers, and closed forms at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from guerdon.class_metrics import (
    accuracy,
    area_under_curve,
    brier_score,
    calibration,
    calibration_error,
    log_loss,
)


@pytest.mark.parametrize("classes", [2, 4])
def test_they_are_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(classes)
    p = rng.dirichlet(np.ones(classes), size=200).round(2)  # with ties
    p[:, 0] = 1.0 - p[:, 1:].sum(axis=1)
    p = np.clip(p, 1e-3, None)
    p /= p.sum(axis=1, keepdims=True)
    y = rng.integers(classes, size=200)
    assert log_loss(p, y) == pytest.approx(metrics.log_loss(y, p, labels=range(classes)))
    assert accuracy(p, y) == pytest.approx(metrics.accuracy_score(y, p.argmax(axis=1)))
    if classes == 2:
        assert brier_score(p, y) == pytest.approx(metrics.brier_score_loss(y, p[:, 1]))
        assert area_under_curve(p, y) == pytest.approx(metrics.roc_auc_score(y, p[:, 1]))
    else:
        one = np.eye(classes)[y]
        assert brier_score(p, y) == pytest.approx(np.mean(np.square(p - one).sum(axis=1)))
        assert area_under_curve(p, y) == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"))


def test_calibration_counts_every_row_once() -> None:
    p1 = np.array([0.05, 0.05, 0.95, 1.0])
    p, y = np.column_stack([1 - p1, p1]), np.array([0, 1, 1, 1])
    assert [(b.observed, b.rows) for b in calibration(p, y)] == [(0.5, 2), (1.0, 2)]
    assert calibration_error(p, y) == pytest.approx(0.5 * 0.45 + 0.5 * 0.025)


def test_edges() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert log_loss(p, [0, 1]) == 0.0
    assert 0.0 < log_loss(p, [1, 0]) < 700.0
    assert np.isnan(area_under_curve(p, [0, 0]))
    with pytest.raises(ValueError, match="labels are whole numbers from 0 to 1"):
        log_loss(p, [0, 2])
    with pytest.raises(ValueError, match="expected probabilities"):
        log_loss(np.empty((0, 2)), [])
