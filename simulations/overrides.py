"""``--set key=value``: values typed as in TOML, where a text needs no quotes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wire.parsing import ParseError, read_toml

__all__ = ["OverrideError", "parse_overrides"]


class OverrideError(ValueError):
    """An override that can't be used; the message says how to write it."""


def parse_overrides(texts: Iterable[str], reserved: dict[str, str] | None = None) -> dict[str, Any]:
    """The overrides as a mapping; the last one wins where a key is set twice.

    Whether a key exists and its value has the right type is for the run config to say.

    Parameters
    ----------
    texts : ``key=value`` each
    reserved : keys that can't be set here, each with the sentence that says what to do instead

    Examples
    --------
    >>> parse_overrides(["seed=7", "resume=true", "scheme=RhoShapley(rho=0.5)", "target="])
    {'seed': 7, 'resume': True, 'scheme': 'RhoShapley(rho=0.5)', 'target': ''}
    """
    overrides: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise OverrideError(f"--set {text!r}: write key=value, as in --set seed=7")
        if reserved and key in reserved:
            raise OverrideError(f"--set {text!r}: {reserved[key]}")
        overrides[key] = _typed(value.strip())
    return overrides


def _typed(text: str) -> Any:
    """A number, a boolean, a quoted text, a list or a table as TOML reads it; anything else is a text as it stands."""
    try:
        parsed = read_toml(f"value = {text}")
    except ParseError:
        return text
    value = parsed["value"]
    return value if set(parsed) == {"value"} and isinstance(value, bool | int | float | str | list | dict) else text
