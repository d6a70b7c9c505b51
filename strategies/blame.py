"""Whose contribution breaks a stage: the one party without which it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guerdon.types import Contribution

__all__ = ["BROKEN", "culprit"]

BROKEN = (ArithmeticError, ValueError, RuntimeError)
"""What numbers can bring about (LinAlgError of NumPy is a ValueError, that of torch a RuntimeError). Others, such as
TypeError and AttributeError, are mistakes in a part, and no party's fault."""


def culprit(contributions: Sequence[Contribution], attempt: Callable[[Sequence[Contribution]], object]) -> str | None:
    """The one party without whose contribution the attempt does not fail; None where that is not exactly one.

    Where it fails without any one of them too, the fault is a part's, or more than one party's; where it goes without
    this one as well as without that one, neither can be told to be the cause.

    Parameters
    ----------
    contributions : sequence of Contribution
        With which it failed.
    attempt : callable
        Called with all contributions but one, for each in turn.
    """
    if len(contributions) < 3:
        return None  # with two, what one does alone tells nothing of the other
    found = []
    for out in contributions:
        try:
            attempt([c for c in contributions if c is not out])
        except BROKEN:
            continue
        found.append(out.party)
        if len(found) > 1:
            return None
    return found[0] if found else None
