"""Texts that come from elsewhere, made safe to print; and names in a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["listed", "printable"]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Control characters, which could rewrite an operator's screen."""


def printable(text: str, limit: int = 500) -> str:
    """The text with a blank for control characters, cut at the limit."""
    return CONTROL.sub(" ", text)[:limit]


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a sentence; of more than ``most``, as the pixels of images are, the first few and how many more."""
    few = len(names) if len(names) <= most else 3
    return ", ".join(names[:few]) + (f" and {len(names) - few:,} more" if few < len(names) else "")
