"""Where a study's tasks run: in processes here, or on a cluster that is there already; with the same bits anywhere.

A task is a function and its arguments, seeded by them alone, on one BLAS thread: nothing of where it runs enters its
numbers. The results come in the order in which they are ready.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from simulations.staging import CHECKOUT, PACKAGES

__all__ = ["ENGINES", "Dask", "Engine", "EngineError", "Local", "Ray", "engine_of"]

Item = TypeVar("Item")
Result = TypeVar("Result")

RAY_ADDRESS, DASK_ADDRESS = "RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"

RETRIES = 3
"""Times that a task is begun again where its worker was lost."""


class EngineError(ValueError):
    """There is no such engine, or nobody answers where it should be; the message says how to mend it."""


class Engine(Protocol):
    """Runs tasks."""

    def unordered(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """``map`` whose results come as they are ready.

        Parameters
        ----------
        function : callable
            Of a module, since it travels; it must not change anything shared.
        items : sequence
        """
        ...


class Local:
    """Processes of this machine."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def unordered(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        jobs = max(1, min(self._jobs, len(items)))
        if jobs == 1:
            yield from map(function, items)
            return
        from joblib import Parallel, delayed

        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(function)(item) for item in items)


class Ray:
    """The cluster that RAY_ADDRESS names: a core a task, as many at a time as it has. This code travels to it."""

    def __init__(self) -> None:
        address = os.environ.get(RAY_ADDRESS, "")
        if not address:
            raise EngineError(
                f"workers = ray runs on a cluster that is there already: name it, {RAY_ADDRESS}=10.0.0.1:6379, as "
                "`ray start --head` prints it"
            )
        import ray

        modules = [str(CHECKOUT / package) for package in (*PACKAGES, "simulations")]
        try:
            ray.init(
                address=address, runtime_env={"py_modules": modules}, log_to_driver=False, logging_level=logging.ERROR
            )
        except RuntimeError as error:  # Ray compares its own and Python's versions, the patch level included
            raise EngineError(
                f"the Ray cluster at {address} is of other versions than this environment: {_one_line(error)}. Start "
                f"it from the same environment: Ray {ray.__version__} here"
            ) from error
        except (ConnectionError, OSError, ValueError) as error:
            raise EngineError(f"no Ray cluster answers at {RAY_ADDRESS}={address}: {_one_line(error)}") from error

    def unordered(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        import ray

        run = ray.remote(num_cpus=1, max_retries=RETRIES)(function)
        waiting = [run.remote(item) for item in items]
        while waiting:
            (ready, *_), waiting = ray.wait(waiting, num_returns=1)
            yield ray.get(ready)


class Dask:
    """The workers of the scheduler that DASK_SCHEDULER_ADDRESS names. They need this code: they run from a checkout."""

    def __init__(self) -> None:
        address = os.environ.get(DASK_ADDRESS, "")
        if not address:
            raise EngineError(
                f"workers = dask runs on a scheduler that is there already: name it, {DASK_ADDRESS}=tcp://10.0.0.1:8786"
            )
        try:
            from distributed import Client
        except ImportError as error:
            raise EngineError(
                "workers = dask needs Dask's scheduler: python -m pip install 'distributed>=2024.1', here and where "
                "the workers run"
            ) from error
        try:
            self._client: Any = Client(address, timeout="20s")
        except (OSError, ValueError) as error:
            raise EngineError(f"no Dask scheduler answers at {DASK_ADDRESS}={address}: {_one_line(error)}") from error

    def unordered(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        from distributed import as_completed

        for future in as_completed(self._client.map(function, items, pure=False, retries=RETRIES)):
            yield future.result()


ENGINES: Mapping[str, Callable[[int], Engine]] = {
    "local": Local,
    "ray": lambda jobs: Ray(),
    "dask": lambda jobs: Dask(),
}
"""By the name that ``--workers`` takes; each is made for so many processes here, where it has some."""


def engine_of(workers: str, jobs: int) -> Engine:
    """The engine of this name.

    Raises
    ------
    EngineError
    """
    if workers not in ENGINES:
        raise EngineError(f"--workers is one of {', '.join(ENGINES)}, got {workers!r}")
    return ENGINES[workers](jobs)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
