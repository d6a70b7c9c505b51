"""Texts that come from elsewhere, made safe to show; and names in a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["cell_text", "cleaned", "is_line", "listed", "printable"]

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

FORMULA = re.compile(r"[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def is_line(text: str, limit: int = 500) -> bool:
    """Whether a text can be a name: one line that can be printed as it is, neither blank nor beyond the limit."""
    return bool(text.strip()) and len(text) <= limit and not UNSEEN.search(text)


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
    formula = len(text) > 1 and FORMULA.match(text) and not NUMBER.fullmatch(text)
    return f"'{text}" if formula else text


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a sentence; of more than ``most``, as the pixels of images are, the first few and how many more."""
    few = len(names) if len(names) <= most else 3
    return ", ".join(names[:few]) + (f" and {len(names) - few:,} more" if few < len(names) else "")
