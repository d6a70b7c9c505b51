"""The length-scale at which no party's data has a negative value: Tay et al. (AAAI 2022), section 5."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guerdon.types import Progress

__all__ = ["paper_lengthscale", "smallest_lengthscale"]

PRECISION = 1e-10
"""Relative width of the last bracket of the search in log scale."""

DOUBLINGS = 60

PAPER_LOW, PAPER_HIGH, PAPER_STEPS = 0.01, 1000.0, 20
"""The published bisection: linear, in the data's own unit (``vectors/README.md`` gives bracket and steps)."""

Holds = Callable[[float], bool]
"""Whether every party's value is at least 0 at a length-scale; true for large ones, and in general not for small ones.

Where rows repeat, in T or within a party, it may turn true again as the length-scale goes to 0: there a kernel only
counts repetitions, which nobody who asks for the smallest length-scale means.
"""


def smallest_lengthscale(holds: Holds, scale: float, progress: Progress) -> float:
    """The first length-scale, coming down from the data's spread, below which it does not hold, by bisection in log.

    That is the smallest for which it holds where it holds above one length-scale and not below it.

    The bracket grows from ``scale``, the root mean square distance of the data, by factors of 2, so that the search is
    the same for data in any unit.

    Raises
    ------
    ValueError
        All points coincide, or it holds for every length-scale, or for none.
    """
    if not scale > 0.0:
        raise ValueError("all points coincide, so no length-scale tells them apart: give lengthscale as a number")
    high = low = scale
    if holds(scale):
        for _ in range(DOUBLINGS):
            low = high / 2
            if not holds(low):
                break
            high = low
        else:
            raise ValueError(
                f"every party's data is worth at least 0 down to a length-scale of {high:.3g} (a party holds half of "
                "all points or more, or the parties hold the same ones), so there is no smallest one: give lengthscale "
                "as a number, or add synthetic data"
            )
    else:
        for _ in range(DOUBLINGS):
            high = low * 2
            if holds(high):
                break
            low = high
        else:
            raise ValueError(
                f"some party's data has a negative value up to a length-scale of {low:.3g}: this kernel has no "
                "length-scale for which the values are at least 0; give lengthscale as a number"
            )
    steps = int(np.ceil(np.log2(np.log(2.0) / PRECISION)))
    for step in range(steps):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if holds(middle) else (middle, high)
        progress("lengthscale", step + 1, steps)
    return high


def paper_lengthscale(holds: Holds, progress: Progress) -> float:
    """The published search: 20 linear bisections of [0.01, 1000], the final upper end.

    Raises
    ------
    ValueError
        It does not hold at the upper end.
    """
    low, high = PAPER_LOW, PAPER_HIGH
    for step in range(PAPER_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
        progress("lengthscale", step + 1, PAPER_STEPS)
    if high == PAPER_HIGH and not holds(high):
        raise ValueError(
            f"some party's data has a negative value at every length-scale up to {PAPER_HIGH:g}, the end of the "
            "paper's bracket, which is made for data of unit size: use lengthscale='auto'"
        )
    return high
