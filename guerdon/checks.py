"""Checks of arguments that several parts share."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from guerdon.types import Contribution

__all__ = ["common_features", "is_number", "require_count", "unwrap_scalars"]


def is_number(value: object) -> bool:
    """Whether this is a real number, Python's or NumPy's; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def unwrap_scalars(part: object, *names: str) -> None:
    """Turn 0-dimensional arrays among a frozen part's parameters, which npz files are full of, into plain numbers."""
    for name in names:
        value = getattr(part, name)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            object.__setattr__(part, name, value.item())


def require_count(name: str, value: object) -> None:
    """Raise ValueError unless the parameter is a whole number of at least 1.

    Raises
    ------
    ValueError
        It is no whole number, or below 1.
    """
    if not (isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1):
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")


def common_features(contributions: Sequence[Contribution]) -> int:
    """The number of features that all contributions share.

    Raises
    ------
    ValueError
        There is no contribution, or their numbers of features differ.
    """
    widths = {c.party: int(c.X.shape[1]) for c in contributions}
    if not widths:
        raise ValueError("a game needs at least one contribution, got none")
    if len(set(widths.values())) > 1:
        raise ValueError(f"all parties must bring the same features, got {widths}")
    return next(iter(widths.values()))
