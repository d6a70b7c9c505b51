"""Work on all cores that gives the same bits on any number of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from joblib import cpu_count

from guerdon.threads import one_thread

__all__ = ["ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_WORKERS = 8
"""Each worker holds a block of numbers; more of them would be short of memory bandwidth, not of work."""


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[Result]:
    """``map`` on threads: results come in the order of the items, each computed on one BLAS thread.

    Whoever adds the results up as they come adds them in one order, so sums don't depend on the number of cores.
    NumPy lets go of the interpreter lock inside its loops, which is where the time is.

    Parameters
    ----------
    function : callable
        It must not change anything shared.
    items : sequence
        At most three for each worker are under way at a time, so that results don't pile up. A single item needs no
        thread.
    workers : int, optional
        How many threads; as many as this process may use cores (at most 8) when None.
    """
    workers = min(cpu_count(), MAX_WORKERS) if workers is None else workers
    with one_thread():
        if workers <= 1 or len(items) <= 1:
            yield from map(function, items)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Result]] = deque()
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 3 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
