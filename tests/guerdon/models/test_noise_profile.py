"""A linear model's one open noise: its profile is the likelihood, and the highest of its peaks is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from guerdon.models import BayesianLinear
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.noise_profile import likeliest_noises, noise_profile
from guerdon.types import Contribution, FloatArray


def density(X: FloatArray, y: FloatArray, noise: FloatArray) -> float:
    return float(multivariate_normal.logpdf(y, np.zeros(len(y)), X @ X.T + np.diag(noise)))


@pytest.mark.parametrize("rows", [3, 12])
@pytest.mark.parametrize("known", [0, 1, 5])
def test_the_profile_is_the_likelihood(rows: int, known: int) -> None:
    rng = np.random.default_rng(rows)
    X, y = rng.normal(size=(rows + known, 4)), rng.normal(size=rows + known)
    noise = np.concatenate([np.full(rows, np.nan), rng.uniform(0.1, 1.0, known)])
    values = np.array([1e-3, 0.1, 7.0])
    truth = np.array([density(X, y, np.where(np.isnan(noise), s, noise)) for s in values])
    found = noise_profile(FeatureRows(None, X), y, noise, values)
    np.testing.assert_allclose(np.diff(found), np.diff(truth), rtol=1e-9)


def two_peaks(seed: int) -> tuple[FloatArray, FloatArray]:
    """Weights of about 5 where the prior has 1: the prior's own belief, or the outputs' fit."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 4))
    return X, X @ (5.0 * rng.normal(size=4)) + 0.1 * rng.normal(size=12)


@pytest.mark.parametrize("seed", range(8))
def test_the_likeliest_noise_is_found_whatever_the_weights(seed: int) -> None:
    X, y = two_peaks(seed)
    fitted = BayesianLinear().fit([Contribution("ada", X, y)])
    values = np.geomspace(1e-6, 1e3, 2000) * np.var(y)
    best = max(density(X, y, np.full(len(y), s)) for s in values)
    assert fitted.report is not None
    assert fitted.report.log_likelihood >= best - 1e-6


def test_both_peaks_are_offered_the_higher_first() -> None:
    X, y = two_peaks(0)
    values = np.geomspace(1e-6, 1e3, 400) * np.var(y)
    peaks = likeliest_noises(FeatureRows(None, X), y, np.full(12, np.nan), values)
    likelihoods = [density(X, y, np.full(12, s)) for s in peaks]
    assert len(peaks) == 2
    assert likelihoods[0] > likelihoods[1]
