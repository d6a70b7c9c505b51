"""Inputs at which predictions are wanted, as a term of a run: what a party is asked for beside its rows.

A valuation of predictions needs to know where they are wanted (``guerdon.valuation.PredictiveInformation``). That can
be at inputs of rows that the parties hold out, without their outputs, or at the run's public rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wire.messages import MessageError

__all__ = ["HELD_OUT", "PUBLIC", "REFERENCES", "asked_references", "references_term"]

REFERENCES = "references"
"""The term, and the run config's key."""

HELD_OUT, PUBLIC = 200, "inputs of the run's public rows; nothing of a party's"
"""How many inputs a party sends at most where the run config says no number, and the term where none is asked for."""

_ASKED = re.compile(r"inputs of at most ([1-9][0-9]{0,8}) held-out rows of each party, without their outputs")


def references_term(most: int | None) -> str:
    """The term of a run that asks each party for so many inputs at most; None where they are public.

    Examples
    --------
    >>> references_term(200)
    'inputs of at most 200 held-out rows of each party, without their outputs'
    """
    return PUBLIC if most is None else f"inputs of at most {most} held-out rows of each party, without their outputs"


def asked_references(terms: Mapping[str, str]) -> int:
    """How many inputs of held-out rows a run asks a party for at most; 0 where it asks for none.

    Raises
    ------
    MessageError
        The term asks for something else, which nobody here knows to answer.
    """
    term = terms.get(REFERENCES, PUBLIC)
    if term == PUBLIC:
        return 0
    found = _ASKED.fullmatch(term)
    if found is None:
        raise MessageError(f"expected the run's term {REFERENCES} as {references_term(200)!r}, got {term!r}")
    return int(found.group(1))
