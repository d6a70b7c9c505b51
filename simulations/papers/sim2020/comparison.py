"""Lines of a table that puts what the paper says beside what came out here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from guerdon.types import FloatArray

__all__ = ["Line", "claim", "number"]

Line = dict[str, str]


def number(what: str, values: ArrayLike, *, paper: str = "", digits: int = 2) -> Line:
    """A quantity: its mean, standard deviation and range over repetitions; "-" where there is none."""
    spread: FloatArray = np.asarray(values, dtype=np.float64)
    spread = spread[~np.isnan(spread)]
    if not spread.size:
        return _line(what, paper, "none", "")
    deviation = f" ± {spread.std(ddof=1):.{digits}f}" if spread.size > 1 else ""
    extremes = f"{spread.min():.{digits}f} to {spread.max():.{digits}f}" if spread.size > 1 else ""
    return _line(what, paper, f"{spread.mean():.{digits}f}{deviation}", extremes)


def claim(what: str, held: Iterable[bool] | Sequence[bool], *, paper: str = "holds", note: str = "") -> Line:
    """A statement: in how many of the cases it holds."""
    cases = [bool(case) for case in held]
    if not cases:
        return _line(what, paper, "no case", note)
    verdict = "holds" if all(cases) else "does not hold" if not any(cases) else "holds in part"
    count = f": {sum(cases)} of {len(cases)}" if len(cases) > 1 else ""
    return _line(what, paper, verdict + count, note)


def _line(what: str, paper: str, ours: str, note: str) -> Line:
    return {"quantity or claim": what, "paper": paper, "here": ours, "range or note": note}
