"""How many threads the linear algebra takes: one home for it, for NumPy, SciPy and scikit-learn, and for torch.

One thread gives the same bits on any number of cores, and is faster where blocks are small or other processes keep the
cores busy: threads that wait for each other are many times slower than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread", "one_thread_of_all", "one_torch_thread"]


@cache
def _pools() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which must be loaded to be found

    return ThreadpoolController()


class _Inside:
    """Who in the process wants one thread of a BLAS, whose limit belongs to the process: the last to leave lifts it."""

    def __init__(self) -> None:
        self._lock, self._count = Lock(), 0
        self._limits: list[AbstractContextManager[object]] = []

    def enter(self, blas: ThreadpoolController) -> None:
        with self._lock:
            if any(library.num_threads != 1 for library in blas.lib_controllers):
                self._limits.append(blas.limit(limits=1))
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            while not self._count and self._limits:
                self._limits.pop().__exit__(None, None, None)


_inside = _Inside()


@contextmanager
def _one_thread_of(pools: ThreadpoolController) -> Iterator[None]:
    _inside.enter(pools.select(user_api="blas"))
    try:
        with pools.select(user_api="openmp").limit(limits=1):  # OpenMP's limit is each Python thread's own
            yield
    finally:
        _inside.leave()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run NumPy's and SciPy's BLAS on one thread; entered often, so it looks for the libraries once.

    Of tasks in several Python threads of a process each has it until it leaves, whoever else leaves before.
    """
    with _one_thread_of(_pools()):
        yield


@contextmanager
def one_thread_of_all() -> Iterator[None]:
    """Run every BLAS and OpenMP that is loaded by now on one thread, as for a fit by scikit-learn; entered rarely."""
    with _one_thread_of(ThreadpoolController()):
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
