"""One exact Gaussian process likelihood with its gradient, against LAPACK's factor and inverse alone (the floor).

Run it with ``pytest benchmarks/test_gaussian_process_likelihood.py -s``; processor time, one BLAS thread, one run.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import numpy as np
import pytest
from scipy.linalg import lapack

from guerdon.models.kernels import as_kernel, covariance
from guerdon.models.likelihoods import exact_likelihood
from guerdon.threads import one_thread

MOST = 2.0
"""Times the floor."""


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    best = np.inf
    for _ in range(repeats):
        start = process_time()
        work()
        best = min(best, process_time() - start)
    return best


@pytest.mark.parametrize("rows", [1000, 2000])
@pytest.mark.parametrize("ard", [False, True])
def test_against_the_floor(rows: int, ard: bool) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(rows, 10)), rng.normal(size=rows)
    kernel = as_kernel("rbf(ard=True)" if ard else "rbf", 10)
    likelihood = exact_likelihood(X)
    matrix = covariance(kernel, X) + 0.1 * np.eye(rows)

    def floor() -> None:
        factor, _ = lapack.dpotrf(np.asfortranarray(matrix), lower=1)
        lapack.dpotri(factor, lower=1, overwrite_c=1)

    def ours() -> None:
        density = likelihood(kernel, y, np.full(rows, 0.1))
        assert density is not None
        density.slopes()

    with one_thread():
        ours()
        ratio = seconds(ours) / seconds(floor)
    print(f"\n{rows} rows, {'ten lengthscales' if ard else 'one lengthscale'}: {ratio:.2f} times dpotrf + dpotri")
    assert ratio < MOST
