"""The contributions' rows together, each with the noise variance that holds for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.checks import is_number
from guerdon.models.protocols import FitReport
from guerdon.types import Contribution, FloatArray

__all__ = [
    "Pool",
    "blocks",
    "check_noise",
    "check_report",
    "has_open_noise",
    "plain_noise",
    "pool_of",
    "require_known",
    "row_noise",
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


def pool_of(contributions: Sequence[Contribution], noise: float | None) -> Pool:
    """All rows; those without a noise variance of their own have the model's.

    Raises
    ------
    ValueError
        A party sent no outputs.
    """
    silent_parties = [c.party for c in contributions if c.y is None]
    if silent_parties:
        raise ValueError(f"outputs y are needed, but {', '.join(silent_parties)} sent none")
    models = np.nan if noise is None else noise
    return Pool(
        X=np.concatenate([c.X for c in contributions]),
        y=np.concatenate([c.y for c in contributions if c.y is not None]),
        noise=np.concatenate([np.broadcast_to(models if c.noise is None else c.noise, len(c)) for c in contributions]),
    )


def plain_noise(y: FloatArray | None) -> float:
    """The noise variance of outputs (m,) that tell none: half of their variance, 1/2 where they do not vary."""
    return 0.5 * (float(np.var(y)) if y is not None and len(y) else 0.0) or 0.5


def check_noise(noise: object) -> None:
    """Refuse a model's noise that is no variance.

    Raises
    ------
    ValueError
    """
    if noise is not None and not (is_number(noise) and 0.0 < noise < np.inf):  # type: ignore[operator]
        raise ValueError(f"noise is a positive variance (or None to learn it), got {noise!r}")


def check_report(report: object) -> None:
    """Refuse a model's report that ``fit`` did not set.

    Raises
    ------
    ValueError
    """
    if report is not None and not isinstance(report, FitReport):
        raise ValueError(f"report is a FitReport, which fit() sets, or None, got {report!r}")


def has_open_noise(contributions: Sequence[Contribution], noise: float | None) -> bool:
    """Whether a row has no noise variance, neither of its own nor the model's."""
    return noise is None and any(c.noise is None and len(c) for c in contributions)


def row_noise(noise: float | None, rows: int, given: ArrayLike | None) -> FloatArray:
    """The noise variances given for so many rows, else the model's: (rows,).

    Raises
    ------
    ValueError
        Their shape does not fit, one is not positive, or the model has none.
    """
    variances = require_known("noise", noise) if given is None else np.asarray(given, dtype=np.float64)
    if np.shape(variances) not in ((), (rows,)):
        raise ValueError(f"noise must be one variance or shape ({rows},), got shape {np.shape(variances)}")
    if np.any(~(np.asarray(variances) > 0)):
        raise ValueError(f"noise variances must be positive, got {np.min(variances)}")
    return np.array(np.broadcast_to(variances, rows), dtype=np.float64)


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
