"""How good predictions are, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from guerdon.metrics import coverage, expected_mnlp, mnlp, rmse

RNG = np.random.default_rng(0)
MEAN, VARIANCE, Y = RNG.normal(size=50), RNG.uniform(0.1, 3.0, 50), RNG.normal(size=50)


def test_mnlp_is_the_mean_negative_log_density() -> None:
    assert mnlp(MEAN, VARIANCE, Y) == pytest.approx(-norm.logpdf(Y, MEAN, np.sqrt(VARIANCE)).mean(), rel=1e-14)


def test_expected_mnlp_is_the_mean_over_random_means() -> None:
    spread = RNG.uniform(0.0, 2.0, 50)
    draws = [mnlp(MEAN + np.sqrt(spread) * RNG.normal(size=50), VARIANCE, Y) for _ in range(4000)]
    error = np.std(draws, ddof=1) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - expected_mnlp(MEAN, VARIANCE, Y, spread)) < 5 * error
    assert expected_mnlp(MEAN, VARIANCE, Y, np.zeros(50)) == mnlp(MEAN, VARIANCE, Y)


def test_rmse() -> None:
    assert rmse([1.0, 2.0, 3.0], [1.0, 4.0, 3.0]) == pytest.approx(np.sqrt(4 / 3))


def test_shapes_and_variances_are_checked() -> None:
    with pytest.raises(ValueError, match=r"one shape \(k,\), got \(2,\), \(2,\), \(3,\)"):
        mnlp(np.zeros(2), np.ones(2), np.zeros(3))
    with pytest.raises(ValueError, match="one shape"):
        mnlp(np.zeros(0), np.zeros(0), np.zeros(0))
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="variances must be positive"):
            mnlp(np.zeros(2), np.array([1.0, bad]), np.zeros(2))
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        rmse(np.zeros(2), np.zeros(3))


def test_coverage_of_gaussians_is_their_level() -> None:
    rng = np.random.default_rng(3)
    mean, variance = rng.normal(size=40_000), rng.uniform(0.1, 9.0, size=40_000)
    y = mean + np.sqrt(variance) * rng.standard_normal(40_000)
    for level in (0.5, 0.9):
        assert coverage(mean, variance, y, level) == pytest.approx(level, abs=0.01)
        assert coverage(mean, 4.0 * variance, y, level) > level + 0.05
        assert coverage(mean, 0.25 * variance, y, level) < level - 0.15


def test_coverage_refuses_shapes_and_levels_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="share one shape"):
        coverage(np.zeros(2), np.ones(3), np.zeros(2), 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        coverage(np.zeros(2), np.ones(2), np.zeros(2), 50)
