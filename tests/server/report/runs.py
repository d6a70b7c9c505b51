"""Whole runs with their reports, through a grid without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from clients.app import app
from server.app import mediate
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid

__all__ = ["MODEL", "PARTIES", "SYNTHETIC", "run"]

PARTIES = ("east", "north", "west")
MODEL = {"model": "GaussianProcess(kernel='rbf(lengthscale=2.0, outputscale=1.0)', noise=0.3)", "discloses-rows": True}
SYNTHETIC = {
    "strategy": "SyntheticDataRewards(size=300)",
    "generator": "GaussianMixture(components=3)",
    "scheme": "RectifiedRhoShapley(incentive='rational')",
}


def run(folder: Path, **changes: Any) -> RunDirectory:
    """A run through a grid without a network, three parties of 30 to 42 rows."""
    data = folder / "run" / "data"
    data.mkdir(parents=True)
    for k, party in enumerate(PARTIES):
        rng = np.random.default_rng(k)
        X = rng.normal(size=(30 + 6 * k, 3)) + np.array([2.0 * k, 0.0, 0.0])
        table = pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "grade": (X[:, 1] > 0).astype(float)})
        table.write_parquet(data / f"{party}.parquet")
    (data / "parties.json").write_text(json.dumps(PARTIES))
    settings = {
        "data-dir": str(data),
        "run-dir": str(folder / "run"),
        "target": "grade",
        "parties": ",".join(PARTIES),
        "join-timeout": 0.5,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    nodes = {7 * k: {"partition-id": k, "num-partitions": 3} for k in range(3)}
    return mediate(LocalGrid(app, nodes, settings), settings)
