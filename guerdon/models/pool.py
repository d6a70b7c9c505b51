"""The contributions' rows together, each with the noise variance that holds for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guerdon.models.party_noise import BY_PARTY, Noise, noise_of_rows
from guerdon.models.protocols import FitReport
from guerdon.types import Contribution, FloatArray

__all__ = [
    "Pool",
    "blocks",
    "check_report",
    "plain_noise",
    "pool_of",
    "require_known",
    "some_rows",
]

BLOCK = 4096
"""Rows at a time: a prediction's memory is bounded to this many times the training rows."""


ROWS, LEAST_ROWS, TOGETHER = 500, 20, 4000
"""What is asked of single rows is asked of so many of each party, at most and at least, and of about so many of all."""


class Pool(NamedTuple):
    """X (m, d), y (m,) and noise variances (m,), NaN where neither the row nor the model has one."""

    X: FloatArray
    y: FloatArray
    noise: FloatArray


def pool_of(contributions: Sequence[Contribution], noise: Noise) -> Pool:
    """All rows; those without a noise variance of their own have the model's.

    All are open where each party's is to be learned: what it declares is no evidence.

    Raises
    ------
    ValueError
        A party sent no outputs.
    """
    silent_parties = [c.party for c in contributions if c.y is None]
    if silent_parties:
        raise ValueError(f"outputs y are needed, but {', '.join(silent_parties)} sent none")

    def variances(c: Contribution) -> FloatArray:
        is_open = noise == BY_PARTY or (noise is None and c.noise is None)
        return np.full(len(c), np.nan) if is_open else noise_of_rows(noise, c)

    return Pool(
        X=np.concatenate([c.X for c in contributions]),
        y=np.concatenate([c.y for c in contributions if c.y is not None]),
        noise=np.concatenate([variances(c) for c in contributions]),
    )


def plain_noise(y: FloatArray | None) -> float:
    """The noise variance of outputs (m,) that tell none: half of their variance, 1/2 where they do not vary."""
    return 0.5 * (float(np.var(y)) if y is not None and len(y) else 0.0) or 0.5


def check_report(report: object) -> None:
    """Refuse a model's report that ``fit`` did not set.

    Raises
    ------
    ValueError
    """
    if report is not None and not isinstance(report, FitReport):
        raise ValueError(f"report is a FitReport, which fit() sets, or None, got {report!r}")


def require_known(name: str, value: float | None) -> float:
    """A hyperparameter that must be known by now.

    Raises
    ------
    ValueError
        It is still open.
    """
    if value is None:
        raise ValueError(f"the model's {name} is open: call fit() to learn it, or give it")
    return value


def blocks(rows: int) -> list[slice]:
    """The rows in blocks, for what is done to many of them one after the other."""
    return [slice(start, start + BLOCK) for start in range(0, rows, BLOCK)]


def some_rows(rows: int, parties: int) -> NDArray[np.intp]:
    """Places of at most 500 of a party's rows, fewer where there are many parties: drawn at random, the same each time.

    A variance is known from 500 to 1/16.
    """
    most = min(ROWS, max(LEAST_ROWS, TOGETHER // parties))
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
