"""One thread where it is asked for, of every library that is there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Thread

import pytest
import scipy.linalg  # noqa: F401  (its BLAS is another than NumPy's)
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from guerdon.threads import one_thread, one_thread_of_all, one_torch_thread


def threads(api: str) -> list[int]:
    return [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == api]


def test_blas_takes_one_thread_and_as_many_as_before_afterwards() -> None:
    before = threads("blas")
    with one_thread():
        assert set(threads("blas")) == {1}
    assert threads("blas") == before
    with one_thread_of_all():
        assert set(threads("blas") + threads("openmp")) == {1}
    assert threads("blas") == before


@pytest.mark.parametrize("limit", [one_thread, one_thread_of_all])
def test_who_leaves_first_takes_nobody_elses_one_thread(limit: Callable[[], AbstractContextManager[None]]) -> None:
    """As tasks in the threads of one worker do: the limit of a BLAS belongs to the process."""
    entered, leave = Event(), Event()

    def first() -> None:
        with limit():
            entered.set()
            assert leave.wait(30)

    with threadpool_limits(limits=3, user_api="blas"):
        before = threads("blas")
        assert set(before) == {3}
        other = Thread(target=first)
        other.start()
        assert entered.wait(30)
        with limit():
            leave.set()
            other.join(30)
            assert set(threads("blas")) == {1}
        assert threads("blas") == before


def test_the_limit_is_lifted_once_the_last_has_left() -> None:
    entered, leave = Event(), Event()

    def last() -> None:
        with one_thread():
            entered.set()
            assert leave.wait(30)

    with threadpool_limits(limits=3, user_api="blas"):
        other = Thread(target=last)
        with one_thread():
            other.start()
            assert entered.wait(30)
        assert set(threads("blas")) == {1}
        leave.set()
        other.join(30)
        assert set(threads("blas")) == {3}


def test_scipys_own_blas_is_found_also_by_whoever_loads_it_later() -> None:
    code = (
        "from guerdon.threads import one_thread\n"
        "from threadpoolctl import threadpool_info\n"
        "with one_thread():\n"
        "    import scipy.linalg\n"
        "    found = [p for p in threadpool_info() if p['user_api'] == 'blas']\n"
        "print(len(found), {p['num_threads'] for p in found})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    count, threads_of_all = done.stdout.split(maxsplit=1)
    assert int(count) == len(threads("blas"))
    assert threads_of_all.strip() == "{1}"


def test_torch_takes_one_thread() -> None:
    before = torch.get_num_threads()
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
