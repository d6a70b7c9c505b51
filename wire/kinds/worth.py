"""What is said of every reward that is worth something in a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["OF_ROWS", "worth_lines"]

OF_ROWS = (
    "Its rows, without the noise, can be worth more than that to the party itself, and predict better than the reward: "
    "how sure a model is of itself (nats) is no score. Compare both on rows that were held out."
)
"""What is to be said of the worth of a reward to a party that put noise on its sums."""


def worth_lines(about: Mapping[str, Any], what: str, how: str) -> list[str]:
    """The lines of ``clients show``: what the reward is, what it is worth, by which scheme, and what it holds."""
    thresholds = about.get("thresholds") or {}
    rho = "none" if about["rho"] is None else f"{about['rho']:.6g}"
    own, private = f"{about['own_value']:.6g}", about.get("epsilon") is not None
    limits = ", ".join(f"{name} up to {_short(value)}" for name, value in thresholds.items())
    return [
        f"A {about['kind']} reward for {about['party']}, from run {about['run']}.",
        what,
        f"Worth {about['reached']:.6g} ({about['unit']}); the party's "
        + (
            f"sums, with its noise on them, are worth {own}. {OF_ROWS}"
            if private
            else f"own data alone is worth {own}."
        ),
        f"Scheme {about['scheme']}; rho = {rho}" + (f" ({limits})." if limits else "."),
        how,
        f"It holds {about['contains']}.",
    ]


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
