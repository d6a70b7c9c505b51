"""Whether the parts of a run fit each other, found out before any party is asked for anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guerdon.pipeline import unfit

__all__ = ["check_parts", "unit_of"]


def check_parts(parts: Mapping[str, Any], texts: Mapping[str, str], carrier: Any, words: str, own: str) -> str:
    """Make sure that scheme and realization can work with the games that the valuation gives.

    Where the realization can't, it makes rewards in the strategy's own game, the carrier (``guerdon.pipeline``).

    Parameters
    ----------
    parts, texts : mapping
        By their keys in the run config: the parts, and as they are written.
    carrier : ValueFunction
        The strategy's own valuation.
    words : str
        What that values, for the sentence.
    own : str
        The strategy's own realization.

    Returns
    -------
    str
        What whoever reads the run should know of rewards that are made in the carrier; "" where they are not.

    Raises
    ------
    ValueError
        A part can't work here, with what it needs and what could be taken instead.
    """
    valuation = parts["valuation"]
    if reason := unfit(parts["scheme"], valuation):
        raise ValueError(
            f"scheme = {texts['scheme']!r} does not fit valuation = {texts['valuation']!r}: {reason}. Take another of "
            "the two; a valuation of your own says which kind of game it makes as gives = ..."
        )
    realization = parts["realization"]
    if not (reason := unfit(realization, valuation)):
        return ""
    if misfit := unfit(realization, carrier):
        raise ValueError(
            f"realization = {texts['realization']!r} does not fit strategy = {texts['strategy']!r}, whose rewards are "
            f"made by {words}: {misfit}. Take the strategy's own realization, {own}, or another that needs the same"
        )
    return (
        f"rewards are made by {words}, since {reason}: a target half-way between what a party has and the most it "
        f"could get, by {texts['valuation']}, becomes a reward half-way by {words}"
    )


def unit_of(valuation: Any) -> str:
    """The unit of a valuation's values, "" where it says none (``unit``)."""
    return str(getattr(valuation, "unit", ""))
