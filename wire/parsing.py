"""JSON and TOML from elsewhere, read so that whatever is wrong with them is one error: ``ParseError``.

Python's own readers also end in RecursionError where brackets are nested deeply, in ValueError where a number has
thousands of digits, take NaN for a number, keep the last of two values under one key, and let halves of characters
through that no file can hold. None of that is plain data, and none of it gets past here.
"""

from __future__ import annotations

import json
import math
import tomllib
from typing import Any

__all__ = ["ParseError", "read_json", "read_toml"]

DEPTH = 64
"""Brackets within each other at most; nothing of ours has ten."""

DIGITS = 40
"""Of a whole number at most: more than any seed has, and few enough for a float."""


class ParseError(ValueError):
    """A text is not what is read here; the sentence says what is wrong with it and quotes nothing."""


def read_json(text: str | bytes) -> Any:
    """Plain data from JSON: texts, finite numbers, truths, lists, and mappings that have each key once.

    Raises
    ------
    ParseError
    """
    try:
        found = json.loads(
            text, parse_int=_whole, parse_float=_finite, parse_constant=_constant, object_pairs_hook=_mapping
        )
    except json.JSONDecodeError as error:
        raise ParseError(f"it is not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise ParseError("it is not JSON: it is no UTF-8") from error
    except RecursionError as error:
        raise ParseError(_TOO_DEEP) from error
    _check(found)
    return found


def read_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    ParseError
    """
    try:
        found = tomllib.loads(text)
    except RecursionError as error:
        raise ParseError(_TOO_DEEP) from error
    except ValueError as error:  # TOMLDecodeError, and Python's own on numbers with thousands of digits
        raise ParseError(f"it is not TOML: {error}") from error
    _check(found)
    return found


_TOO_DEEP = f"its brackets are nested more than {DEPTH} deep"


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ParseError(f"a number in it has more than {DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ParseError("a number in it is not finite")
    return number


def _constant(name: str) -> float:
    raise ParseError(f"{name} is no number")


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ParseError("a mapping in it has the same key twice")
    return found


def _check(found: Any) -> None:
    """No deeper than ``DEPTH``, no longer numbers than a float holds, and every text can be written to a file."""
    level = [found]
    for _ in range(DEPTH):
        texts = [item for item in level if isinstance(item, str)]
        texts += [key for item in level if isinstance(item, dict) for key in item]
        try:
            "".join(texts).encode()
        except UnicodeEncodeError as error:
            raise ParseError("a text in it holds half a character") from error
        if any(type(item) is int and abs(item) >= 10**DIGITS for item in level):
            raise ParseError(f"a number in it has more than {DIGITS} digits")
        level = [
            part
            for item in level
            if isinstance(item, dict | list)
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise ParseError(_TOO_DEEP)
