"""What the paper says of Figs. 3, 5 and 6 beside what came out here, a column a setting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from simulations.papers.sim2020.comparison import Line, claim, number
from simulations.papers.sim2020.scatter_drawing import POSITIVE, points
from simulations.papers.tables import save_table

__all__ = ["scatter_table"]

NEAR = 0.1
"""A point is near the identity line if it lacks at most this share of its maximal improvement."""

NUGGET = 0.1
"""Nearest neighbours that a kernel's term correlates by less than this tell each other nothing: the term is noise."""


def scatter_table(results: pl.DataFrame, folder: Path, name: str, heading: str) -> list[Path]:
    """One line a quantity or claim; for each setting what came out here."""
    columns: dict[str, list[str]] = {}
    sampled = bool((results["shapley_error"] > 0.0).any())
    for label in results["setting"].unique(maintain_order=True):
        lines = _lines(results.filter(pl.col("setting") == label), sampled=sampled)
        columns["quantity or claim"] = [line["quantity or claim"] for line in lines]
        columns["paper"] = [line["paper"] for line in lines]
        columns[label] = [_cell(line) for line in lines]
    return save_table(pl.DataFrame(columns), folder, name, heading)


def _cell(line: Line) -> str:
    return line["here"] + (f" ({line['range or note']})" if line["range or note"] else "")


def _lines(results: pl.DataFrame, *, sampled: bool) -> list[Line]:
    cloud = points(results)
    partitions = results.unique("partition", maintain_order=True)
    full, half = (cloud.filter(pl.col("rho") == rho) for rho in (1.0, 0.5))
    return [
        *_about(partitions),
        *(_sampling(partitions) if sampled else []),
        *_counts(partitions, full, half),
        *_claims(results, full, half),
    ]


def _about(partitions: pl.DataFrame) -> list[Line]:
    return [
        _text("partitions", str(len(partitions))),
        number("v_N (nats)", partitions["v_pool"], digits=1),
        number("rho_r", partitions["rho_r"].replace(np.inf, None)),
        number("rho_s", partitions["rho_s"].replace(np.inf, None)),
        number("noise variance, of standardised outputs", partitions["noise"], digits=3),
        _text("noise learned at its bound", _of(partitions["noise_at_bound"])),
        *_nuggets(partitions),
    ]


def _sampling(partitions: pl.DataFrame) -> list[Line]:
    """How far Shapley values by sampling are from the exact ones."""
    return [
        number("largest error of phi by sampling, of phi*", partitions["shapley_error"], digits=4),
        _text("sampled phi in the order of the exact", _of(partitions["shapley_order_kept"])),
    ]


def _nuggets(partitions: pl.DataFrame) -> list[Line]:
    if "neighbour_correlation" not in partitions.columns:
        return []
    return [_text("a kernel's term is a nugget", _of(partitions["neighbour_correlation"] < NUGGET))]


def _counts(partitions: pl.DataFrame, full: pl.DataFrame, half: pl.DataFrame) -> list[Line]:
    lines = []
    for rho, cloud in (("1", full), ("0.5", half)):
        kept = partitions["partition"].is_in(cloud["partition"].unique().to_list())
        lines += [
            _text(f"R4 holds at rho = {rho}, partitions", _of(kept)),
            _text(f"points at rho = {rho}", str(len(cloud))),
            _text(f"positive improvements in IG, rho = {rho}", str(_positive(cloud, "ig"))),
            _text(f"positive improvements in MNLP, rho = {rho}", str(_positive(cloud, "mnlp"))),
            _text(
                f"negative improvements in MNLP, rho = {rho}",
                _share(cloud["mnlp"] < -POSITIVE),
                paper="around 15 % in Figs. 3 and 5",
            ),
        ]
    return lines


def _claims(results: pl.DataFrame, full: pl.DataFrame, half: pl.DataFrame) -> list[Line]:
    weaker = [cloud.filter(pl.col("alpha") < 1.0) for cloud in (full, half)]
    return [
        _both("most improvements in MNLP are positive", [_share(c["mnlp"] > POSITIVE) for c in (full, half)]),
        claim(
            "more positive improvements at rho = 0.5 than at 1, in IG", [_positive(half, "ig") > _positive(full, "ig")]
        ),
        claim("... and in MNLP", [_positive(half, "mnlp") > _positive(full, "mnlp")]),
        _both("a larger phi is closer to the line, IG (rank correlation)", [_rank(c, "ig") for c in (full, half)]),
        _both("a larger phi is closer to the line, MNLP (rank correlation)", [_rank(c, "mnlp") for c in (full, half)]),
        *(_closer(results, what, title) for what, title in (("ig", "IG"), ("mnlp", "MNLP"))),
        _both(
            "points of weaker parties above the line, MNLP",
            [_share(c["mnlp"] > c["mnlp_max"] + POSITIVE) for c in weaker],
        ),
        _both("median maximal improvement where MNLP got worse", [_median(c, worse=True) for c in (full, half)]),
        _both("... and where it got better", [_median(c, worse=False) for c in (full, half)]),
        _both("weaker parties' points near the line (MNLP lacks at most 10 %)", [_share(_near(c)) for c in weaker]),
        _both("median of what they lack, of the maximal improvement", [_lack(c) for c in weaker]),
    ]


def _both(what: str, values: list[str]) -> Line:
    return _text(what, f"rho 1: {values[0]}; rho 0.5: {values[1]}", paper=PAPER.get(what, ""))


PAPER = {
    "most improvements in MNLP are positive": "usually",
    "a larger phi is closer to the line, IG (rank correlation)": "holds",
    "a larger phi is closer to the line, MNLP (rank correlation)": "holds",
    "points of weaker parties above the line, MNLP": "occasionally",
    "median maximal improvement where MNLP got worse": "extremely small or even negative",
    "weaker parties' points near the line (MNLP lacks at most 10 %)": "most in Fig. 6d",
}


def _closer(results: pl.DataFrame, what: str, title: str) -> Line:
    """Whether the weakest parties' mean shortfall falls with rho, over the partitions that are drawn at both."""
    cloud = points(results).filter(pl.col("alpha") < 1.0)
    cloud = cloud.filter(
        pl.col("partition").is_in(_drawn_at(cloud, 1.0)) & pl.col("partition").is_in(_drawn_at(cloud, 0.5))
    )
    weakest = cloud.filter(pl.col("alpha") <= pl.col("alpha").median())
    if not len(weakest):
        return claim(f"darker points move closer to the line as rho falls, {title}", [])
    lacks = [
        float(np.mean((part[f"{what}_max"] - part[what]).to_numpy()))
        for part in (weakest.filter(pl.col("rho") == rho) for rho in (1.0, 0.5))
    ]
    note = f"on average they lack {lacks[0]:.3g} nats at rho = 1, {lacks[1]:.3g} at 0.5"
    return claim(f"darker points move closer to the line as rho falls, {title}", [lacks[1] < lacks[0]], note=note)


def _drawn_at(cloud: pl.DataFrame, rho: float) -> list[int]:
    partitions: list[int] = cloud.filter(pl.col("rho") == rho)["partition"].unique().to_list()
    return partitions


def _positive(cloud: pl.DataFrame, what: str) -> int:
    return int((cloud[what] > POSITIVE).sum())


def _share(held: pl.Series) -> str:
    return f"{np.mean(held.to_numpy()):.1%}" if len(held) else "no case"


def _rank(cloud: pl.DataFrame, what: str) -> str:
    """Spearman's correlation of phi_i / phi* with what the improvement lacks of its maximum; negative: closer."""
    if cloud["alpha"].n_unique() < 2:
        return "no case"
    lacks = (cloud[f"{what}_max"] - cloud[what]).to_numpy()
    correlation = float(spearmanr(cloud["alpha"].to_numpy(), lacks).statistic)
    return f"{correlation:+.2f}"


def _median(cloud: pl.DataFrame, *, worse: bool) -> str:
    chosen = cloud.filter(pl.col("mnlp") < -POSITIVE if worse else pl.col("mnlp") > POSITIVE)
    return f"{np.median(chosen['mnlp_max'].to_numpy()):.3f}" if len(chosen) else "no case"


def _near(cloud: pl.DataFrame) -> pl.Series:
    return (cloud["mnlp_max"] - cloud["mnlp"]).abs() <= NEAR * cloud["mnlp_max"].abs()


def _lack(cloud: pl.DataFrame) -> str:
    able = cloud.filter(pl.col("mnlp_max") > POSITIVE)
    return f"{np.median((1.0 - able['mnlp'] / able['mnlp_max']).to_numpy()):.1%}" if len(able) else "no case"


def _of(held: pl.Series) -> str:
    return f"{int(held.sum())} of {len(held)}"


def _text(what: str, here: str, paper: str = "") -> Line:
    return {"quantity or claim": what, "paper": paper, "here": here, "range or note": ""}
