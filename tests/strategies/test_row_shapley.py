"""Values of single rows in runs: shells earn nothing, and the certificate says what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.app import app
from server.app import mediate
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid

MODEL = "BayesianLinear(features='Affine()', noise=0.3)"


def run(folder: Path, files: dict[str, pl.DataFrame], **changes: Any) -> dict[str, Any]:
    folder.mkdir()
    held = folder / "held.parquet"
    rng = np.random.default_rng(99)
    _table(rng, 12).select(next(iter(files.values())).columns).write_parquet(held)
    nodes = {}
    for k, (party, table) in enumerate(files.items()):
        table.write_parquet(folder / f"{party}.parquet")
        nodes[100 + k] = {"party": party, "data-path": str(folder / f"{party}.parquet"), "holdout-path": str(held)}
    settings = {
        "run-dir": str(folder / "run"),
        "parties": ",".join(sorted(files)),
        "target": "y",
        "standardize": False,
        "join-timeout": 0.5,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    directory: RunDirectory = mediate(LocalGrid(app, nodes, settings), settings)
    return directory.read_allocation()


def _table(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    x1, x2 = rng.normal(size=(2, rows))
    return pl.DataFrame({"x1": x1, "x2": x2, "y": x1 - x2 + 0.3 * rng.normal(size=rows)})


def files() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(0)
    return {"ada": _table(rng, 40), "bob": _table(rng, 60), "cyd": _table(rng, 20)}


def shells(of: dict[str, pl.DataFrame], party: str, count: int) -> dict[str, pl.DataFrame]:
    """The party's file under several names."""
    whole = of[party].with_row_index("k")
    parts = {f"{party}-{j}": whole.filter(pl.col("k") % count == j).drop("k") for j in range(count)}
    return {**{name: table for name, table in of.items() if name != party}, **parts}


def shapley(record: dict[str, Any], prefix: str) -> tuple[float, float]:
    entries = [entry for entry in record["parties"] if entry["party"].startswith(prefix)]
    return sum(e["shapley"] for e in entries), float(np.sqrt(sum((e["shapley_error"] or 0.0) ** 2 for e in entries)))


def checks(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in record["certificate"]}


@pytest.mark.parametrize("valuation", ["InformationGain()", "PredictiveInformation()"])
def test_shells_earn_nothing_in_model_rewards(tmp_path: Path, valuation: str) -> None:
    common = {"model": MODEL, "valuation": valuation, "shapley": "RowShapley(orders=128)", "uncertainty": False}
    one = run(tmp_path / "one", files(), **common)
    many = run(tmp_path / "many", shells(files(), "bob", 4), **common)
    before, error = shapley(one, "bob")
    after, other = shapley(many, "bob")
    assert abs(after - before) < 4.0 * np.hypot(error, other)
    assert sum(e["shapley"] for e in one["parties"]) == pytest.approx(one["grand_value"], rel=1e-9)
    by_party = [
        run(tmp_path / f"p{k}", f, **{**common, "shapley": "Auto()"})
        for k, f in enumerate((files(), shells(files(), "bob", 4)))
    ]
    assert shapley(by_party[1], "bob")[0] > 1.1 * shapley(by_party[0], "bob")[0], "by parties, shells pay"
    for record in (one, many):
        assert record["stage"] == "delivered"
        assert "single rows as players" in record["shapley_method"]
        found = checks(record)
        assert found["shells"]["holds"]
        assert "does not follow: the values are of single rows" in found["F4"]["witness"]
        assert found["R4"]["holds"]
        assert all(e["reached"] == pytest.approx(e["target"], rel=1e-9) for e in record["parties"])
        assert "sampling" not in record["parties"][0], "influences of rows on values of rows are not known"


def test_shells_earn_exactly_nothing_in_synthetic_rewards(tmp_path: Path) -> None:
    G = tmp_path / "synthetic.parquet"
    _table(np.random.default_rng(7), 200).drop("y").write_parquet(G)
    bare = {party: table.drop("y") for party, table in files().items()}
    common = {
        "strategy": "SyntheticDataRewards(size=200)",
        "shapley": "RowShapley()",
        "synthetic_file": str(G),
        "scheme": "RectifiedRhoShapley(incentive='none', rho=0.5)",
        "valuation": "MaximumMeanDiscrepancy(lengthscale=1.0)",
        "target": "",
    }
    one = run(tmp_path / "one", bare, **common)
    many = run(tmp_path / "many", shells(bare, "bob", 4), **common)
    assert shapley(many, "bob")[0] == pytest.approx(shapley(one, "bob")[0], rel=1e-10)
    assert one["parties"][0]["shapley_error"] is None
    assert "exactly" in checks(one)["shells"]["witness"]
