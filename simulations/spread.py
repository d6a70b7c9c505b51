"""A run's allocation as a table for other tools, and the mean and spread of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["allocation_table", "spread_table", "spread_view"]

SHOWN = (
    *("rows", "value", "shapley", "alpha", "target", "reached", "kappa", "importance", "share", "gamma"),
    *("synthetic_rows", "alone.mnlp", "reward.mnlp", "alone.rmse", "reward.rmse", "alone.accuracy", "reward.accuracy"),
)
"""The measures that the printed table has where the runs do; the file has all."""


NAME_WIDTH = 16
"""Longer names of parties are folded."""


def allocation_table(allocation: Mapping[str, Any]) -> pl.DataFrame:
    """One row a party, one column a measure; what lies within another has a dotted name, such as ``reward.mnlp``.

    Infinite numbers are numbers, lists are left out, and a measure that a party lacks is null.

    Examples
    --------
    >>> allocation_table({"parties": [{"party": "a", "eta": "inf", "alone": {"mnlp": 1.5}}]}).rows()
    [('a', inf, 1.5)]
    """
    rows = [_flat(entry) for entry in allocation["parties"]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in names}, strict=False)


def spread_table(allocations: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Over several runs: party, measure, runs (that have it), mean, sd (with n - 1; null of one run), least, most.

    A measure that is infinite in some run has no row.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for allocation in allocations:
        for entry in allocation["parties"]:
            for name, value in _flat(entry).items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    found.setdefault((str(entry["party"]), name), []).append(float(value))
    rows = [
        {
            "party": party,
            "measure": name,
            "runs": len(values),
            "mean": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "least": min(values),
            "most": max(values),
        }
        for (party, name), values in sorted(found.items())
        if np.all(np.isfinite(values))
    ]
    return pl.DataFrame(rows)


def spread_view(spread: pl.DataFrame, runs: int, width: int = 80) -> Group:
    """The mean and standard deviation of the most asked for measures, one row a party; as many tables, one below the
    other, as ``width`` characters ask for."""
    cells = {(row["party"], row["measure"]): row for row in spread.iter_rows(named=True)}
    parties = sorted({party for party, _ in cells})
    measures = [name for name in SHOWN if any(measure == name for _, measure in cells)]

    def table(names: Sequence[str]) -> Table:
        table = Table(title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("party", style="bold", overflow="fold", max_width=NAME_WIDTH)
        for name in names:
            table.add_column(name.replace(".", "\n"), justify="right", no_wrap=True)
        for party in parties:
            table.add_row(party, *(_cell(cells.get((party, name))) for name in names))
        return table

    console, blocks = Console(width=10_000), [measures[:1]]
    for name in measures[1:]:
        fits = Measurement.get(console, console.options, table([*blocks[-1], name])).maximum <= width
        blocks = [*blocks[:-1], [*blocks[-1], name]] if fits else [*blocks, [name]]
    title = Text(f"Mean ± standard deviation over {runs} runs", style="bold")
    return Group(title, *(table(names) for names in blocks))


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{row['mean']:.4g}" + ("" if row["sd"] is None else f" ± {row['sd']:.2g}")


def _flat(entry: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value in ("inf", "-inf"):
            flat[f"{prefix}{key}"] = float(value)
        elif value is not None and not isinstance(value, list):
            flat[f"{prefix}{key}"] = value
    return flat
