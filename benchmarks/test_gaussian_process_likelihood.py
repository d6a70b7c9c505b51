"""One exact Gaussian process likelihood with its gradient, against LAPACK's factor and inverse alone (the floor).

Run it with ``pytest benchmarks/test_gaussian_process_likelihood.py -s``; processor time, one BLAS thread, one run.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import numpy as np
import pytest
import torch
from scipy.linalg import lapack

from guerdon.models.kernels import as_kernel
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
    X, y = rng.normal(size=(rows, 10)), torch.as_tensor(rng.normal(size=rows))
    kernel = as_kernel("rbf(ard=True)" if ard else "rbf", 10)
    noise = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    likelihood, open_ones = exact_likelihood(X), [*kernel.parameters(), noise]
    matrix = kernel(torch.as_tensor(X)).to_dense().detach().numpy() + 0.1 * np.eye(rows)

    def floor() -> None:
        factor, _ = lapack.dpotrf(np.asfortranarray(matrix), lower=1)
        lapack.dpotri(factor, lower=1, overwrite_c=1)

    def ours() -> None:
        value = likelihood(kernel, y, noise.expand(rows))
        assert value is not None
        torch.autograd.grad(value, open_ones)

    with one_thread():
        ours()
        ratio = seconds(ours) / seconds(floor)
    print(f"\n{rows} rows, {'ten lengthscales' if ard else 'one lengthscale'}: {ratio:.2f} times dpotrf + dpotri")
    assert ratio < MOST
