"""Texts that come from elsewhere: made safe to show, compared as people read them, and listed in a sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["alike", "cell_text", "cleaned", "is_line", "listed", "nearly", "printable", "shown", "tidy"]

UNSEEN = re.compile(
    "["
    # control characters, which could rewrite an operator's screen; marks of direction; line ends; halves of characters
    "\x00-\x1f\x7f-\x9f"
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\u2028\u2029"
    "\ud800-\udfff"
    "]+"
)
"""What a line of text does not hold: what can't be seen, and changes how the rest is seen."""

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")  # also in the width that Japanese text has
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def is_line(text: str, limit: int = 500) -> bool:
    """Whether a text can be a name: one line that can be printed as it is, neither blank nor beyond the limit."""
    return bool(text.strip()) and len(text) <= limit and not UNSEEN.search(text)


WIDTHLESS = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Characters of no width: soft hyphens, marks of direction and of byte order."""

JOINERS = "\u200c\u200d"
"""Characters of no width that some scripts need within a word, and none at its ends."""


def printable(text: str, limit: int = 500) -> str:
    """The text on one line, with a blank for what can't be printed, cut at the limit."""
    return UNSEEN.sub(" ", text)[:limit]


def cleaned(value: Any) -> Any:
    """A record read from a file or a message with every text in it fit to be shown; line ends in texts stay."""
    if isinstance(value, str):
        return "\n".join(UNSEEN.sub(" ", line) for line in value.split("\n"))
    if isinstance(value, Mapping):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value


def cell_text(text: str) -> str:
    """A text as a cell of a CSV file that a spreadsheet takes for a text too: before a formula stands an apostrophe.

    Numbers, and a sign by itself, are no formulas.

    Examples
    --------
    >>> [cell_text(text) for text in ("=1+1", "-1.5", "-", "-x", "A+")]
    ["'=1+1", '-1.5', '-', "'-x", 'A+']
    """
    formula = len(text) > 1 and FORMULA.match(text) and not NUMBER.fullmatch(text.strip())
    return f"'{text}" if formula else text


def tidy(text: str) -> str:
    """A name or a category as it is compared: composed (NFC), one blank for any between words, none around, and nothing
    that can't be seen."""
    return unicodedata.normalize("NFC", " ".join(WIDTHLESS.sub("", text).split())).strip(JOINERS + " ")


def alike(text: str) -> str:
    """The same for names that a reader takes for the same: other case, widths of letters, µ and μ, _ and blank."""
    return re.sub(r"[\s_.-]+", " ", unicodedata.normalize("NFKC", tidy(text))).strip().casefold()


def shown(value: object, limit: int = 80) -> str:
    """What came, in an error's sentence: as Python writes it, on one line, cut at the limit; whatever it is."""
    try:
        text = printable(repr(value), limit + 1)
    except (ValueError, RecursionError):  # a whole number of more digits than Python writes; a list of lists of lists
        return f"something of type {type(value).__name__} that is too large to write"
    return text if len(text) <= limit else f"{text[:limit]}..."


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a sentence; of more than ``most``, as the pixels of images are, the first few and how many more."""
    few = len(names) if len(names) <= most else 3
    return ", ".join(names[:few]) + (f" and {len(names) - few:,} more" if few < len(names) else "")


def nearly(name: str, names: Iterable[str]) -> str:
    """The name among these that a reader takes for this one, though it is spelled otherwise; "" where there is none."""
    return next((other for other in names if other != name and alike(other) == alike(name)), "")
