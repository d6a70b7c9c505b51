"""Kernel density estimates: bandwidths by formula, by likelihood and given."""

import numpy as np
import pytest

from guerdon.generators import GeneratorFitError, KernelDensity
from guerdon.types import Contribution


def pool(m=200, d=2, seed=0, unit=1.0):
    X = unit * np.random.default_rng(seed).normal(size=(m, d))
    return [Contribution("A", X[: m // 2]), Contribution("B", X[m // 2 :])]


def test_silverman():
    (A, B) = pool(unit=10.0)
    density = KernelDensity().fit([A, B]).density
    scale = np.concatenate([A.X, B.X]).std(axis=0, ddof=1)
    np.testing.assert_allclose(density.bandwidths, (4 / (4 * 200)) ** (1 / 6) * scale)


def test_given():
    fitted = KernelDensity(0.05).fit(pool())
    points = fitted.sample(100_000, rng=np.random.default_rng(0)).points
    assert fitted.density.bandwidths.tolist() == [0.05, 0.05]
    np.testing.assert_allclose(points.var(axis=0), fitted.density.centers.var(axis=0) + 0.05**2, rtol=0.02)


@pytest.mark.parametrize("unit", [1.0, 1e5, 1e-3])
def test_cross_validation_is_the_likeliest_in_any_unit(unit):
    contributions = pool(m=150, unit=unit)
    X = np.concatenate([c.X for c in contributions]) / unit
    chosen = KernelDensity("cross-validation").fit(contributions).density.bandwidths / unit

    def likelihood(h):
        squared = np.square((X[:, None] - X) / h).sum(axis=-1)
        np.fill_diagonal(squared, np.inf)
        return np.log(np.exp(-squared / 2).sum(axis=1)).sum() - len(X) * np.log(h).sum()

    assert likelihood(chosen) >= max(likelihood(1.12 * chosen), likelihood(chosen / 1.12))


@pytest.mark.parametrize("bandwidth", [0.05, "silverman", "cross-validation"])
def test_it_says_that_its_samples_are_near_copies_of_rows(bandwidth):
    assert "near copies of other parties' rows" in KernelDensity(bandwidth).fit(pool()).discloses


def test_a_constant_column_stays_constant():
    X = np.random.default_rng(0).normal(size=(50, 2))
    X[:, 1] = 3.0
    points = KernelDensity().fit([Contribution("A", X)]).sample(20, rng=np.random.default_rng(0)).points
    assert np.all(points[:, 1] == 3.0)


def test_misfits():
    with pytest.raises(GeneratorFitError, match="at least 2 rows, got 1"):
        KernelDensity().fit([Contribution("A", np.zeros((1, 2)))])
    with pytest.raises(GeneratorFitError, match="equal"):
        KernelDensity().fit([Contribution("A", np.zeros((5, 2)))])
    rows = np.repeat(np.random.default_rng(0).normal(size=(10, 2)), 2, axis=0)
    with pytest.raises(GeneratorFitError, match="repeat"):
        KernelDensity("cross-validation").fit([Contribution("A", rows)])
    with pytest.raises(ValueError, match="bandwidth"):
        KernelDensity("scott")
    with pytest.raises(ValueError, match="bandwidth"):
        KernelDensity(0.0)
