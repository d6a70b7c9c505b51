"""Texts that come from elsewhere: made safe to print, compared as people read them, and listed in a sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

__all__ = ["alike", "listed", "nearly", "printable", "shown", "tidy"]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Control characters, which could rewrite an operator's screen."""

UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Characters of no width: soft hyphens, marks of direction and of byte order."""

JOINERS = "\u200c\u200d"
"""Characters of no width that some scripts need within a word, and none at its ends."""


def printable(text: str, limit: int = 500) -> str:
    """The text with a blank for control characters, cut at the limit."""
    return CONTROL.sub(" ", text)[:limit]


def tidy(text: str) -> str:
    """A name or a category as it is compared: composed (NFC), one blank for any between words, none around, and nothing
    that can't be seen."""
    return unicodedata.normalize("NFC", " ".join(UNSEEN.sub("", text).split())).strip(JOINERS + " ")


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
