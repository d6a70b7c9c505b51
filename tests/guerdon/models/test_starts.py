"""Starts of maximum likelihood: they follow the data's own distances, whatever its unit."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models.kernels import as_kernel
from guerdon.models.starts import TOGETHER, Distances, kernel_starts


def test_distances_of_a_line() -> None:
    X = np.array([[0.0], [1.0], [1.0], [3.0], [6.0]])
    found = Distances.of(X)
    assert found.nearest == 1.5  # of 0, 1, 3, 6: 1, 1, 2, 3
    assert found.spread == pytest.approx(X.std())
    assert found.each_nearest.tolist() == [1.5]


@pytest.mark.parametrize("X", [np.zeros((0, 2)), np.zeros((3, 2))], ids=["no rows", "equal rows"])
def test_without_distances_all_is_one(X: np.ndarray) -> None:
    found = Distances.of(X)
    assert found.each_spread.tolist() == [1.0, 1.0]
    assert found.nearest == found.spread > 0.0


@pytest.mark.parametrize("unit", [1e-5, 1e4])
@pytest.mark.parametrize("kernel", ["rbf", "rbf(ard=True)", "periodic", "rbf + exponential"])
def test_starts_scale_with_the_unit(kernel: str, unit: float) -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    plain, scaled = (kernel_starts(as_kernel(kernel, 2).open_terms(), Distances.of(x)) for x in (X, X * unit))
    assert len(plain) == len(scaled) > 5
    for one, other in zip(plain, scaled, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            has_unit = name[1] == "period_length" or (name[1] == "lengthscale" and kernel != "periodic")
            np.testing.assert_allclose(other[name], one[name] * (unit if has_unit else 1.0), rtol=1e-9)


def test_each_input_may_be_the_one_that_counts() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 10.0, 100.0]
    distances = Distances.of(X)
    starts = kernel_starts(as_kernel("rbf(ard=True)", 3).open_terms(), distances)
    shortest = {int(np.argmin(next(iter(s.values())) / distances.each_spread)) for s in starts if s}
    assert shortest == {0, 1, 2}


def test_what_is_given_has_no_start_and_sums_stay_few() -> None:
    distances = Distances.of(np.random.default_rng(0).normal(size=(20, 1)))
    assert kernel_starts(as_kernel("rbf(lengthscale=1.0)", 1).open_terms(), distances) == [{}]
    assert kernel_starts(as_kernel("rbf(lengthscale=1.0, outputscale=1.0)", 1).open_terms(), distances) == [{}]
    many = kernel_starts(as_kernel("rbf + exponential + matern32", 1).open_terms(), distances)
    assert len(many) == TOGETHER + 1
    again = kernel_starts(as_kernel("rbf + exponential + matern32", 1).open_terms(), distances)
    assert [sorted(s.items()) for s in many] == [sorted(s.items()) for s in again]


def test_terms_that_are_alike_start_apart() -> None:
    distances = Distances.of(np.random.default_rng(0).normal(size=(20, 1)))
    for start in kernel_starts(as_kernel("rbf + rbf", 1).open_terms(), distances)[1:]:
        lengthscales = [float(values[0]) for name, values in start.items() if name[1] == "lengthscale"]
        assert len(set(lengthscales)) == 2
