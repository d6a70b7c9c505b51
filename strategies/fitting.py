"""Whether the parts of a run fit each other, found out before any party is asked for anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from guerdon.pipeline import Allocation, MadeReward, asks, gives, needs, unfit
from guerdon.types import lacks

__all__ = ["check_made", "check_parts", "unit_of"]


def check_parts(
    parts: Mapping[str, Any],
    texts: Mapping[str, str],
    carrier: Any,
    words: str,
    own: str,
    *,
    things: Collection[str],
) -> str:
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
    things : collection of str
        What the strategy gives a valuation's ``game`` where it asks for it.

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
    if missing := [name for name in asks(valuation) if name not in things]:
        raise ValueError(
            f"valuation = {texts['valuation']!r} does not fit strategy = {texts['strategy']!r}: its game asks for "
            f"{', '.join(missing)}, and beside the contributions there is {', '.join(things)}. Take another valuation"
        )
    if reason := unfit(parts["scheme"], valuation):
        raise ValueError(
            f"scheme = {texts['scheme']!r} does not fit valuation = {texts['valuation']!r}: {reason}. Take another of "
            "the two; a valuation of your own says which kind of game it makes as gives = ..."
        )
    realization = parts["realization"]
    if not unfit(realization, valuation):
        return ""
    if misfit := unfit(realization, carrier):
        raise ValueError(
            f"realization = {texts['realization']!r} does not fit strategy = {texts['strategy']!r}, whose rewards are "
            f"made by {words}: {misfit}. Take the strategy's own realization, {own}, or another that needs the same"
        )
    kinds = (
        f"{type(realization).__name__} needs a {needs(realization).__name__} and {type(valuation).__name__} gives a "
        f"{gives(valuation).__name__}"
    )
    return (
        f"rewards are made by {words}, since {kinds}: a target half-way between what a party has and the most it "
        f"could get, by {texts['valuation']}, becomes a reward half-way by {words}"
    )


def check_made(allocation: Allocation) -> None:
    """Make sure that each party has one reward and that it is its own, before anything is said of it to anybody.

    Raises
    ------
    ValueError
        The realization made rewards for others, in another order, or something that is no reward.
    """
    for made in allocation.rewards:
        if missing := lacks(made, MadeReward):
            raise ValueError(
                f"the realization made a {type(made).__name__}, which has no {', '.join(missing)}: expected party, "
                "reached, contains and facts(), as guerdon.pipeline.MadeReward"
            )
    whose = tuple(made.party for made in allocation.rewards)
    if whose and whose != allocation.parties:
        raise ValueError(
            f"the realization made rewards for {', '.join(whose)}: expected one a party, in the order "
            f"{', '.join(allocation.parties)}"
        )


def unit_of(valuation: Any) -> str:
    """The unit of a valuation's values, "" where it says none (``unit``)."""
    return str(getattr(valuation, "unit", ""))
