"""What the paper's tables say, read off the rows of the tasks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from simulations.papers.study import IMPOSSIBLE
from simulations.papers.tay2022.cases import Case

__all__ = [
    "METRICS",
    "MeanError",
    "alpha_correlations",
    "beta_correlation",
    "correlation",
    "missing",
    "of_case",
    "per_beta",
]

METRICS = {"mmd2": "-MMD_u", "kl": "-KL", "wasserstein2": "-W2", "imbalance": "-imbalance", "count": "|G_i|"}
"""The columns whose correlation with alpha Fig. 2 shows; all but the last are negated, so that higher is better."""


MEASURED = {"closeness": ["kl", "wasserstein2", "imbalance"], "accuracy": ["accuracy", "accuracy_alone"]}
"""What is measured on the first stream's samples, by the kind of task that does."""


class MeanError(NamedTuple):
    """A mean and its standard error over what it is a mean of; None where a single number has none."""

    mean: float | None
    error: float | None

    def __str__(self) -> str:
        if self.mean is None:
            return "–"
        return f"{self.mean:.3f}" if self.error is None else f"{self.mean:.3f} ± {self.error:.2g}"


def of_case(results: pl.DataFrame, case: Case, kind: str) -> pl.DataFrame:
    """A case's rows of one kind; its key tells sizes and seeds apart."""
    return results.filter(pl.col("task").str.starts_with(f"{case.key}/") & (pl.col("kind") == kind))


def missing(results: pl.DataFrame, case: Case) -> str | None:
    """Why a case has no numbers; None where it has them."""
    if IMPOSSIBLE not in results.columns:
        return None
    reasons = results.filter(pl.col("task").str.starts_with(f"{case.key}/"))[IMPOSSIBLE].drop_nulls()
    return str(reasons[0]) if len(reasons) else None


def per_beta(results: pl.DataFrame, case: Case) -> pl.DataFrame:
    """One row a beta and party: counts and MMD^2 (means over random streams), the other metrics, accuracies, alpha."""
    sampled = of_case(results, case, "sample")
    table = sampled.group_by("beta", "party").agg(
        pl.col("count").mean(), pl.col("count").std().alias("count_spread"), pl.col("mmd2").mean()
    )
    for kind, columns in MEASURED.items():
        measured = of_case(results, case, kind)
        if len(measured):
            table = table.join(measured.select("beta", "party", *columns), on=["beta", "party"], how="left")
    alpha = of_case(results, case, "value").select("party", "alpha", "target")
    return table.join(alpha, on="party").sort("beta", "party")


def correlation(x: ArrayLike, y: ArrayLike) -> float | None:
    """Pearson's; None where one of the two does not vary."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < 2 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _mean_error(values: list[float | None]) -> MeanError:
    """Mean and standard error of those that are numbers."""
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return MeanError(None, None)
    error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    return MeanError(float(known.mean()), error)


def beta_correlation(table: pl.DataFrame, column: str) -> MeanError:
    """Of beta with a column, mean and standard error over the parties (Tables 7 and 8)."""
    parts = table.partition_by("party", maintain_order=True)
    return _mean_error([correlation(part["beta"], part[column]) for part in parts])


def alpha_correlations(table: pl.DataFrame, column: str, sign: float = 1.0) -> MeanError:
    """Of alpha with a column times the sign, mean and standard error over beta (Fig. 2, and the SVM's accuracy)."""
    parts = table.partition_by("beta", maintain_order=True)
    return _mean_error([correlation(part["alpha"], sign * part[column].cast(pl.Float64)) for part in parts])
