"""Houses in California (Pace and Barry, 1997), as in Sim et al. (ICML 2020), section 5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from simulations.datasets.dataset import Dataset, Rows
from simulations.datasets.files import data_file

__all__ = ["California"]

FILE = "california_housing_raw.csv.gz"

FEATURES = (
    "median_income",
    "house_age",
    "average_rooms",
    "average_bedrooms",
    "population",
    "average_occupancy",
    "latitude",
    "longitude",
)


@dataclass(frozen=True)
class California:
    """20,640 blocks of houses: eight features, and the median value of a house in units of 100,000 dollars.

    Some rows are public and train the features of a model, some are divided among the parties, some are for scoring,
    and the rest is left out.

    Parameters
    ----------
    public : share of all rows that is public (the paper: 60 %)
    rows : how many the parties have together (the paper: 1,600)
    test : how many every party is scored on, and none holds (the paper: 400)
    """

    public: float = 0.6
    rows: int = 1600
    test: int = 400

    def __post_init__(self) -> None:
        if not 0.0 <= self.public < 1.0:
            raise ValueError(f"public is a share of the rows, at least 0 and below 1, got {self.public!r}")
        for name, value, least in (("rows", self.rows, 1), ("test", self.test, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")

    def load(self, rng: np.random.Generator) -> Dataset:
        """The houses; which rows are public, divided and for scoring is drawn from ``rng``.

        Raises
        ------
        ValueError
            There are fewer rows than asked for.
        FileNotFoundError
            The data are nowhere to be found.
        """
        X, y = _houses()
        public = round(self.public * len(X))
        if public + self.rows + self.test > len(X):
            raise ValueError(
                f"{public} public rows, {self.rows} for the parties and {self.test} for scoring are more than the "
                f"{len(X)} there are"
            )
        order = rng.permutation(len(X))
        public_rows, test_rows, rest = np.split(order, [public, public + self.test])
        own = rest[: self.rows]
        return Dataset(
            name="california",
            features=X[own],
            target=y[own],
            feature_names=FEATURES,
            target_name="house_value",
            description=f"{self.rows} blocks of houses in California; the target is their value in 100,000 dollars.",
            held_out=Rows(X[test_rows], y[test_rows]) if self.test else None,
            public=Rows(X[public_rows], y[public_rows]) if public else None,
        )


def _houses() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """X (20640, 8) and y (20640,) in scikit-learn's layout and order."""
    try:
        raw = pl.read_csv(data_file(FILE))
    except FileNotFoundError as missing:
        from sklearn.datasets import fetch_california_housing  # here: no other data set waits for it

        try:
            bunch = fetch_california_housing()
        except OSError as error:
            raise FileNotFoundError(f"{missing}. scikit-learn could not fetch it either: {error}") from error
        return np.asarray(bunch.data, dtype=np.float64), np.asarray(bunch.target, dtype=np.float64)
    households = pl.col("households")
    columns = {
        "median_income": pl.col("median_income"),
        "house_age": pl.col("housing_median_age"),
        "average_rooms": pl.col("total_rooms") / households,
        "average_bedrooms": pl.col("total_bedrooms") / households,
        "population": pl.col("population"),
        "average_occupancy": pl.col("population") / households,
        "latitude": pl.col("latitude"),
        "longitude": pl.col("longitude"),
    }
    table = raw.select(**columns).cast(pl.Float64)
    return table.select(FEATURES).to_numpy(), raw["median_house_value"].cast(pl.Float64).to_numpy() / 1e5
