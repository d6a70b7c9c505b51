"""How many threads the linear algebra takes: one home for it, for NumPy, SciPy and scikit-learn, and for torch.

One thread gives the same bits on any number of cores, and is faster where blocks are small or other processes keep the
cores busy: threads that wait for each other are many times slower than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController, threadpool_limits

__all__ = ["one_thread", "one_thread_of_all", "one_torch_thread"]


@cache
def _pools() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which must be loaded to be found

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run NumPy's and SciPy's BLAS on one thread; entered often, so it looks for the libraries once."""
    with _pools().limit(limits=1):
        yield


@contextmanager
def one_thread_of_all() -> Iterator[None]:
    """Run every BLAS and OpenMP that is loaded by now on one thread, as for a fit by scikit-learn; entered rarely."""
    with threadpool_limits(limits=1):
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread of the CPU; a step of an MMD GAN takes 1.1 to 1.3 times as long as on two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
