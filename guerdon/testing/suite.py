"""The base class and the comparisons that all suites share."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.types import (
    FloatArray,
    ShapleyValues,
    TableGame,
    all_coalitions,
    members,
)

__all__ = [
    "CLOSE",
    "NarrowGame",
    "PlainGame",
    "Suite",
    "assert_close",
    "assert_refused",
    "assert_same",
    "error_sizes",
    "global_state",
    "some_coalitions",
    "through_a_file",
]

CLOSE = 1e-9
"""Numbers that should be equal may differ by this share of the largest of them."""


class Suite:
    """The tests of one contract; ``make`` gives a fresh subject."""

    def make(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define make(self), which returns the part to be tested")

    def run(self) -> None:
        """Every test of the suite, without pytest."""
        for name in self.list_tests():
            getattr(self, name)()

    @classmethod
    def list_tests(cls) -> list[str]:
        """The names of the suite's tests."""
        return [name for name in dir(cls) if name.startswith("test_")]


class PlainGame:
    """A game that offers nothing but the contract, and insists that it is asked by the contract."""

    def __init__(self, game: TableGame) -> None:
        self._game = game

    @property
    def n(self) -> int:
        return self._game.n

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        array = np.asarray(coalitions)
        fits = isinstance(coalitions, np.ndarray) and array.dtype == np.bool_ and array.shape[1:] == (self.n,)
        assert fits, f"coalitions are a bool (m, {self.n}) array, got {coalitions!r}"
        return self._game(coalitions)


class NarrowGame:
    """A game that shows no more than a part says it needs of one: whatever else it is asked for it has not."""

    def __init__(self, game: Any, kind: type) -> None:
        self._game, self._kind = game, kind

    @property
    def n(self) -> int:
        return int(self._game.n)

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        return np.asarray(self._game(coalitions))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in members(self._kind):
            raise AttributeError(f"the game is asked for {name}, but the part says it needs a {self._kind.__name__}")
        return getattr(self._game, name)


def some_coalitions(n: int) -> NDArray[np.bool_]:
    """All coalitions of few parties, of many parties 22 random ones with the empty and the full one."""
    if n <= 6:
        return all_coalitions(n)
    drawn = np.random.default_rng(n).random((22, n)) < 0.5
    return np.concatenate([np.zeros((1, n), dtype=bool), drawn, np.ones((1, n), dtype=bool)])


def error_sizes(found: ShapleyValues) -> FloatArray:
    """The standard errors (n,), zeros where the method is exact."""
    return np.zeros_like(found.values) if found.standard_errors is None else found.standard_errors


def global_state() -> str:
    """The state of NumPy's global generator, which no part may touch."""
    return repr(np.random.get_state())  # noqa: NPY002 - it is looked at, not used


def through_a_file(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays after np.savez and np.load without pickle."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def assert_close(
    got: ArrayLike, expected: ArrayLike, what: str, scale: float | None = None, tolerance: float = CLOSE
) -> None:
    """Equal within ``tolerance`` of ``scale``, the largest expected number when None."""
    got, expected = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    largest = float(np.abs(expected).max(initial=0.0)) if scale is None else scale
    off = float(np.abs(got - expected).max(initial=0.0))
    assert off <= tolerance * largest, f"{what}: expected {expected}, got {got}, {off:.3g} off"


def assert_same(one: Any, other: Any, what: str) -> None:
    """Equal bits in every number and array that the two hold."""
    if isinstance(one, np.ndarray):
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), f"{what}: two arrays differ"
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{what}, {field.name}")
    elif isinstance(one, (int, float, str)):
        assert one == other or (one != one and other != other), f"{what}: {one!r} is not {other!r}"


def assert_refused(call: Any, what: str) -> None:
    """The call raises ValueError with a sentence."""
    try:
        call()
    except ValueError as error:
        sentence = str(error)
    else:
        raise AssertionError(f"{what} must raise ValueError")
    assert sentence, f"{what} is refused without a word: say what was expected and what came"
