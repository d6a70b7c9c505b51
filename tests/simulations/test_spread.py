"""Several runs' mean and spread, and an allocation for other tools."""

from __future__ import annotations

import io
import math
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from simulations.spread import allocation_table, spread_table, spread_view


def record(value: float, eta: float | str = 1.0) -> dict[str, Any]:
    score = {"mnlp": 2.0 * value, "rows": 10.0}
    entry = {"rows": 30, "value": value, "eta": eta, "alone": score, "store": "/x", "delivered": True, "growth": [1, 2]}
    return {"parties": [{"party": "north", **entry}, {"party": "south", **entry, "alone": None}]}


def test_one_row_a_party_and_one_column_a_measure() -> None:
    table = allocation_table(record(1.5, "inf"))
    assert table["party"].to_list() == ["north", "south"]
    assert table["alone.mnlp"].to_list() == [3.0, None]
    assert table["eta"].to_list() == [math.inf, math.inf]
    assert "growth" not in table.columns
    assert pl.read_csv(io.StringIO(table.write_csv()))["value"].to_list() == [1.5, 1.5]


def test_mean_and_spread_by_hand() -> None:
    table = spread_table([record(1.0), record(2.0), record(6.0)])
    row = table.filter((pl.col("party") == "north") & (pl.col("measure") == "value")).row(0, named=True)
    assert (row["runs"], row["mean"], row["least"], row["most"]) == (3, 3.0, 1.0, 6.0)
    assert row["sd"] == math.sqrt(7.0)  # (4 + 1 + 9) / 2
    assert table.filter(pl.col("measure") == "alone.mnlp")["party"].to_list() == ["north"]
    assert not {"delivered", "store", "party"} & set(table["measure"])


def test_a_measure_that_is_infinite_somewhere_has_no_mean() -> None:
    assert "eta" not in spread_table([record(1.0), record(2.0, "inf")])["measure"].to_list()


def test_one_run_has_no_spread_and_the_view_says_both() -> None:
    assert set(spread_table([record(1.0)])["sd"].to_list()) == {None}
    out = io.StringIO()
    Console(file=out, width=120).print(spread_view(spread_table([record(1.0), record(2.0)]), 2))
    assert "1.5 ± 0.71" in out.getvalue()
    assert "3 ± 1.4" in out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_view_is_readable_at_any_width(width: int) -> None:
    """No name, header or number is cut short: the measures are folded into tables below one another."""
    scores = {"mnlp": 5.377, "rmse": 52.55, "accuracy": 0.871}
    entry = {name: 12.345 + k for k, name in enumerate(("rows", "value", "shapley", "alpha", "target", "reached"))}
    party = {"party": "st-elsewhere-hospital-of-the-north", **entry, "alone": scores, "reward": scores}
    spread = spread_table([{"parties": [party]}, {"parties": [{**party, "rows": 14.0}]}])
    out = io.StringIO()
    Console(file=out, width=width).print(spread_view(spread, 2, width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in out.getvalue()
    assert (out.getvalue().count("party") == 1) == (width == 200)
    for word in ("shapley", "reached", "accuracy", "5.377 ± 0", "st-elsewhere-hos"):
        assert word in out.getvalue()
