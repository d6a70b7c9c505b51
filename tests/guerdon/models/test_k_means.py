"""k-means centres: representative, and the same whatever the order of arrival."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models.k_means import centres


def test_well_separated_groups_are_found() -> None:
    rng = np.random.default_rng(0)
    where = np.array([[-9.0, 0.0], [0.0, 9.0], [9.0, -9.0]])
    X = np.concatenate([where[k] + 0.1 * rng.normal(size=(20, 2)) for k in (2, 0, 1)])
    np.testing.assert_allclose(centres(X, 3, seed=1), where, atol=0.2)


def test_the_order_of_arrival_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 3))
    found = centres(X, 12, seed=5)
    np.testing.assert_array_equal(found, centres(rng.permutation(X), 12, seed=5))
    assert not np.array_equal(found, centres(X, 12, seed=6))


def test_as_many_as_there_are_different_inputs() -> None:
    X = np.repeat(np.arange(4.0)[:, None], 3, axis=0)
    np.testing.assert_allclose(centres(X, 4, seed=0)[:, 0], np.arange(4.0))
    with pytest.raises(ValueError, match="5 inducing points need as many different inputs, but the pool has 4"):
        centres(X, 5, seed=0)
