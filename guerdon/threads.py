"""How many threads the linear algebra takes: one home for it, for NumPy, SciPy and scikit-learn, and for torch.

One thread gives the same bits on any number of cores, and is faster where blocks are small or other processes keep the
cores busy: threads that wait for each other are many times slower than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController, threadpool_limits

__all__ = ["one_thread", "one_thread_of_all", "one_torch_thread"]


@cache
def _pools() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which must be loaded to be found

    return ThreadpoolController()


class _Limits:
    """Limits belong to the process: of all in it that want one, in whatever thread, the last to leave lifts them all.

    So whoever is inside has one thread to the end, and what was there before the first came is there after the last.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._set: list[AbstractContextManager[object]] = []

    @contextmanager
    def entered(self, limit: Callable[[], AbstractContextManager[object]], *, anew: bool) -> Iterator[None]:
        """Hold a limit, set where nobody inside has set one or it finds more libraries (``anew``)."""
        with self._lock:
            if anew or not self._inside:
                held = limit()
                held.__enter__()
                self._set.append(held)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                while not self._inside and self._set:
                    self._set.pop().__exit__(None, None, None)


_limits = _Limits()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run NumPy's and SciPy's BLAS on one thread; entered often, so it looks for the libraries once.

    For as long as anybody in the process is in it: of tasks in several Python threads none gets more while it is in.
    """
    pools = _pools()
    with _limits.entered(lambda: pools.limit(limits=1), anew=False):
        yield


@contextmanager
def one_thread_of_all() -> Iterator[None]:
    """Run every BLAS and OpenMP that is loaded by now on one thread, as for a fit by scikit-learn; entered rarely."""
    with _limits.entered(lambda: threadpool_limits(limits=1), anew=True):
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
