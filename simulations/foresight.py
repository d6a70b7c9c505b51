"""What parties can expect of a collaboration, as a table: ``python -m simulations foresee``."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guerdon.foresight import EPSILONS, LEAST_GAIN, TIMES, Assumptions, Foreseen, foresee, require_setting, thresholds
from wire.kinds.statistics import least_rows
from wire.pages.numbers import count_text, number_text
from wire.terminal import fitted

__all__ = ["Setting", "present_foreseen", "read_setting"]

N = TypeVar("N", int, float)
STYLES = {"gains": "green", "about even": "", "loses": "bold red"}


class Setting(NamedTuple):
    """What is asked: the parties' rows and epsilons, and what is assumed."""

    rows: tuple[int, ...]
    epsilons: tuple[float, ...]
    assumed: Assumptions


def read_setting(*, rows: str, epsilon: str, rho: str, **assumed: Any) -> Setting:
    """What the options say.

    Raises
    ------
    ValueError
        They say nothing that can be foreseen; the text names what is wrong.
    """
    sizes = tuple(_number(int, "--rows", text, "a whole number") for text in rows.split(","))
    promised = tuple(_number(float, "--epsilon", text, "a number above 0, or inf") for text in epsilon.split(","))
    promised = promised * len(sizes) if len(promised) == 1 else promised
    of_scheme = rho if rho in ("stable", "rational") else _number(float, "--rho", rho, "stable, rational or a number")
    setting = Setting(sizes, promised, Assumptions(rho=of_scheme, **assumed))  # type: ignore[arg-type]
    require_setting(*setting)
    return setting


def present_foreseen(setting: Setting, console: Console) -> None:
    """Print what each party can expect, where that turns, and what was assumed."""
    seen = foresee(*setting)
    turns = thresholds(*setting)
    expected = _table("What each party can expect")
    for name in ("rows", "epsilon", "alone (nats)", "reward (nats)", "gain (nats)"):
        expected.add_column(name, justify="right", no_wrap=True)
    turned = _table("By the error of predictions (1: as bad as the mean)")
    for name in ("alone", "reward", "better in", "verdict", "from epsilon", "from rows"):
        turned.add_column(name, justify="right", no_wrap=True)
    for k, (party, (epsilon, times)) in enumerate(zip(seen.parties, turns, strict=True), start=1):
        name = f"party-{k}"
        nats = (party.alone, party.reward, party.gain)
        expected.add_row(name, count_text(party.rows), f"{party.epsilon:g}", *(f"{value:.2f}" for value in nats))
        turned.add_row(
            name,
            number_text(party.error_alone),
            number_text(party.error_reward),
            f"{party.better:.0%}",
            Text(party.verdict, style=STYLES[party.verdict]),
            _from_epsilon(epsilon),
            _from_rows(times, party.rows),
        )
    console.print(expected, turned, highlight=False)
    for line in _said(seen, setting):
        console.print(fitted(line, console.encoding), highlight=False, markup=False)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("party", style="bold", no_wrap=True)
    return table


def _from_epsilon(epsilon: float) -> str:
    return "never" if epsilon == math.inf else number_text(epsilon) if epsilon else "any"


def _from_rows(times: float, rows: int) -> str:
    return "never" if times == math.inf else count_text(math.ceil(times * rows)) if times else "any"


def _said(seen: Foreseen, setting: Setting) -> list[str]:
    """What the numbers are, and what they rest on."""
    assumed, (norm, output) = setting.assumed, setting.assumed.bounds
    private = any(epsilon != math.inf for epsilon in setting.epsilons)
    clipped = f", clipped to length {norm:.3g} and outputs to {output:g} where there is an epsilon," if private else ""
    promised = f" at delta = {assumed.delta:g}" if private else ""
    exact = [m for m, epsilon in zip(setting.rows, setting.epsilons, strict=True) if epsilon == math.inf]
    least = least_rows(assumed.features)
    lines = [
        f"v_N = {seen.pool:.2f} nats   rho = {seen.rho:.3g}   means of {assumed.draws} drawn collaborations",
        "",
        "Nats say how sure a model is of its weights, not how well it predicts. A party gains where the error of its "
        f"reward is below that of its model alone by more than {LEAST_GAIN:.0%}. It does so from this epsilon of its "
        "own on, all else as it is; and from this many rows of its own on, if everybody has as many times more or "
        f"fewer (never: not up to epsilon = {EPSILONS[1]:g}, or {TIMES[1]:,.0f} times the rows).",
        "",
        f"Assumed: {assumed.features} standardized features, a constant among them{clipped}{promised}; outputs of "
        f"variance {assumed.weight_square + assumed.noise:g}, of which features explain {assumed.weight_square:g}; the "
        f"model's belief w ~ N(0, I), and its noise {assumed.noise:g} known.",
    ]
    if few := sum(m < least for m in exact):
        lines += [
            f"Without noise no sums over fewer than {least} rows of {assumed.features} features are sent: {few} of "
            "these parties would be refused."
        ]
    return lines


def _number(kind: type[N], option: str, text: str, expected: str) -> N:
    try:
        return kind(text.strip())
    except ValueError:
        raise ValueError(f"{option}: expected {expected}, one a party, as 227,220,91 has them, got {text!r}") from None
