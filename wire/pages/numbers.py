"""Numbers as people read them."""

from __future__ import annotations

import math

__all__ = [
    "count_text",
    "is_number",
    "likely_text",
    "number_text",
    "percent_text",
    "share_of_best",
    "unit_text",
    "with_error",
]


def number_text(value: object, decimals: int | None = None) -> str:
    """A number in four significant digits, or fixed decimals; a dash for what is not there."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return {"inf": "∞", "-inf": "-∞"}.get(value, value)
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    size = abs(value)
    if value == 0:
        return "0"
    if 1e-3 <= size < 1e5:
        return f"{value:.{max(0, 3 - math.floor(math.log10(size)))}f}"
    return f"{value:.3g}"


def is_number(value: object) -> bool:
    """Whether it is a number that can be computed with, and no word, no truth and nothing that is not there."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def share_of_best(target: float, best: float) -> float | None:
    """r_i / r_max; None where even the best reward is worth nothing."""
    return float(target) / best if best > 0.0 else None


def with_error(value: float, error: float | None, decimals: int | None = None) -> str:
    """A value and its standard error, where it has one that shows."""
    text = number_text(value, decimals)
    return text if error is None or (decimals is not None and error < 0.1**decimals) else f"{text} ± {error:.1g}"


def likely_text(bounds: object) -> str:
    """From where to where a number goes with hyperparameters that are about as likely; "" where that is not known."""
    if not isinstance(bounds, dict) or not {"least", "most"} <= set(bounds):
        return ""
    return f" ({number_text(bounds['least'])} to {number_text(bounds['most'])} with other likely hyperparameters)"


def count_text(value: float | None) -> str:
    """A number of things, with commas; an estimate of one is rounded to a whole one."""
    return "–" if value is None else f"{round(value):,}"


def percent_text(share: float) -> str:
    """A share as a percentage: whole, with one decimal where it is small."""
    return f"{100 * share:.0f} %" if abs(share) >= 0.095 or share == 0 else f"{100 * share:.1f} %"


def unit_text(unit: str) -> str:
    """The unit behind a number: a word as it is, a formula in brackets."""
    return unit if unit.isalpha() or not unit else f"({unit})"
