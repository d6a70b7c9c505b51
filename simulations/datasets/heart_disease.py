"""Heart disease in four hospitals (Janosi et al., 1988, UCI), each with its own gaps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from simulations.datasets.dataset import Dataset
from simulations.datasets.files import data_file

__all__ = ["HOSPITALS", "HeartDisease"]

HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
SCHEMA = Path(__file__).with_name("heart_disease.toml")
NEVER_ZERO = ("trestbps", "chol")
ORIGIN = (
    "It holds the four processed files of the data set Heart Disease of the UCI repository (45) below each other, with "
    "a column site before their 14 and empty cells for what is missing"
)


@dataclass(frozen=True)
class HeartDisease:
    """920 patients of four hospitals, 13 findings each, and whether a vessel of the heart is narrowed.

    What one hospital hardly ever asked for is missing there: the schema says what stands for it and flags it. A blood
    pressure or cholesterol of 0, as all of Switzerland's, is a gap too.
    """

    def load(self, rng: np.random.Generator) -> Dataset:
        """The patients in the file's order, hospital by hospital; nothing here is random."""
        table = pl.read_csv(data_file("heart_disease_4sites.csv", ORIGIN))
        table = table.with_columns(pl.when(pl.col(name) != 0).then(pl.col(name)).alias(name) for name in NEVER_ZERO)
        features = tuple(name for name in table.columns if name not in ("site", "num"))
        site = table["site"].to_numpy()
        return Dataset(
            name="heart-disease",
            features=table.select(pl.col(features).cast(pl.Float64).fill_null(np.nan)).to_numpy(),
            target=(table["num"] > 0).cast(pl.Float64).to_numpy(),
            feature_names=features,
            target_name="disease",
            description="920 patients of four hospitals; the target is whether a vessel of the heart is narrowed.",
            blocks=tuple(np.flatnonzero(site == hospital) for hospital in HOSPITALS),
            schema=SCHEMA.read_text(encoding="utf-8"),
        )
