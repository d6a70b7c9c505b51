"""What is said of every reward that is worth something in a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["worth_lines"]


def worth_lines(about: Mapping[str, Any], what: str, how: str) -> list[str]:
    """The lines of ``clients show``: what the reward is, what it is worth, by which scheme, and what it holds."""
    thresholds = about.get("thresholds") or {}
    rho = "none" if about["rho"] is None else f"{about['rho']:.6g}"
    limits = ", ".join(f"{name} up to {_short(value)}" for name, value in thresholds.items())
    return [
        f"A {about['kind']} reward for {about['party']}, from run {about['run']}.",
        what,
        f"Worth {about['reached']:.6g} ({about['unit']}); the party's own data alone is worth "
        f"{about['own_value']:.6g}.",
        f"Scheme {about['scheme']}; rho = {rho}" + (f" ({limits})." if limits else "."),
        how,
        f"It holds {about['contains']}.",
    ]


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
