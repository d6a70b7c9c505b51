"""A column of a table of parties, as data: the terminal, CSV files, reports and pages all read it off a record.

Where a column stands in a party's entry is its ``place``:

    "target"                             the number under this key
    "reward.mnlp"                        that under a key within another
    "alone.mnlp -> reward.mnlp"          both sides of an arrow
    "reward.coverage_50, reward.coverage_90"   several, with commas
    "shapley +- shapley_error"           a number and its standard error
    "alone.rows | reward.rows"           the first of them that is there
    "value in likely.value"              a number and, on a line of its own, from where to where it could be
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from wire.pages.glossary import MEANINGS
from wire.pages.numbers import count_text, number_text, with_error

__all__ = ["DISCLOSURE", "NOTHING", "Column", "Group"]

NOTHING = "–"
"""What stands where a party has no such number."""

Group = Literal["worth", "reward", "scores"]


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    header : str
        As a terminal prints it; may break into lines.
    place : str
        Where it stands in a party's entry of the record.
    title : str
        As a page prints it; the header on one line where it is empty.
    meaning : str
        In a sentence.
    group : {"worth", "reward", "scores"}
        What the party gave, what it gets, or what that does on rows it held out.
    decimals : int, optional
        How many are printed; four significant digits where it is None.
    count : bool
        It counts something: whole, with commas.
    """

    header: str
    place: str
    title: str = ""
    meaning: str = ""
    group: Group = "reward"
    decimals: int | None = None
    count: bool = False

    @property
    def label(self) -> str:
        """What a page prints above it."""
        return self.title or self.header.replace("\n", ", ", 1).replace("\n", " ")

    @property
    def places(self) -> tuple[str, ...]:
        """What a strategy of one's own may call its place: with what is known of its errors, or without."""
        number = self.place.partition(" in ")[0]
        return tuple(dict.fromkeys((self.place, number, number.partition(" +- ")[0])))

    def cell(self, entry: Mapping[str, Any]) -> str:
        """The text of a party's cell, of one line or two; a dash where it has nothing there."""
        main, _, bounds = self.place.partition(" in ")
        if bounds:
            text, span = replace(self, place=main).cell(entry), self._value(entry, bounds)
            if text == NOTHING or not isinstance(span, Mapping):
                return text
            low, high = (self._text(span.get(end)) for end in ("least", "most"))
            return text if low == high else f"{text}\n{low} to {high}"
        for sign, joined in ((" -> ", " → "), (", ", ", ")):
            if sign in self.place:
                values = [self._value(entry, place) for place in self.place.split(sign)]
                return NOTHING if all(v is None for v in values) else joined.join(map(self._text, values))
        place, _, error = self.place.partition(" +- ")
        value = self._value(entry, place)
        if error and value is not None:
            return with_error(float(value), self._value(entry, error), self.decimals)
        return self._text(value)

    def _value(self, entry: Mapping[str, Any], place: str) -> Any:
        for path in place.split(" | "):
            value: Any = entry
            for key in path.strip().split("."):
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return None

    def _text(self, value: Any) -> str:
        if value is None:
            return NOTHING
        if (self.count and isinstance(value, int | float)) or type(value) is int:
            return count_text(int(value))
        return number_text(value, self.decimals)


DISCLOSURE = (
    Column("rows\nattacked", "disclosure.rows", "rows attacked", MEANINGS["attacked"], count=True),
    Column("strongest attack", "disclosure.strongest.name", "strongest attack"),
    Column(
        "AUC of telling\nothers' rows",
        "disclosure.strongest.auc | disclosure.bound in disclosure.strongest.interval",
        "AUC of telling others' rows",
        MEANINGS["disclosure"],
        decimals=2,
    ),
    Column("of its own rows,\nby others' rewards", "exposed.auc in exposed", "", MEANINGS["exposed"], decimals=2),
)
"""What each party's reward gives away of the others' rows, and the others' of its own, as the audit found it."""
