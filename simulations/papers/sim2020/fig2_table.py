"""Fig. 2 as a table: the paper's numbers and claims beside ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from simulations.papers.sim2020.comparison import Line, claim, number
from simulations.papers.tables import save_table

__all__ = ["fig2_table"]

PAPER_PHI = ("34.57", "29.24", "30.78")

CLOSE = 1e-9
"""Of v_N: values within this are equal."""

ASSUMED = """# Fig. 2 of Sim et al. (ICML 2020): GP regression, Friedman data, three parties of {rows} rows

Mean ± standard deviation over {repetitions} data sets; the figure shows the first. The paper's main text is silent on
the following, and its appendices were not at hand. Assumed here: noise of standard deviation 1 on the outputs, which
are not rescaled; squared exponential kernel with one lengthscale an input; lengthscales, output scale, noise and the
constant mean by maximum likelihood on the pooled rows, to convergence; all inputs but the first uniform on [0, 1]; test
inputs uniform on [0, 1]^6. The paper shows one data set."""


def fig2_table(results: pl.DataFrame, folder: Path, name: str) -> list[Path]:
    parties = results.filter(pl.col("kind") == "party")
    first = parties.filter(pl.col("party") == 1)
    heading = ASSUMED.format(repetitions=len(first), rows=_rows(results))
    return save_table(pl.DataFrame([*_numbers(parties, first), *_claims(results)]), folder, name, heading)


def _rows(results: pl.DataFrame) -> str:
    return str(results["party_rows"][0])


def _numbers(parties: pl.DataFrame, first: pl.DataFrame) -> list[Line]:
    lines = []
    for i, paper in enumerate(PAPER_PHI, start=1):
        lines.append(number(f"phi_{i} (nats)", parties.filter(pl.col("party") == i)["phi"], paper=paper))
    lines.append(number("v_N (nats)", first["v_pool"], paper="94.59 (the sum of phi)"))
    for i in range(1, 4):
        lines.append(number(f"v_{i} (nats)", parties.filter(pl.col("party") == i)["v_own"]))
    lines.append(number("v_{2,3} (nats)", first["v_23"]))
    lines.append(number("rho_r", first["rho_r"], paper=">= 1"))
    lines.append(number("rho_s", first["rho_s"], paper="below 1", digits=3))
    lines.append(number("noise variance learned", first["noise"]))
    return lines


def _claims(results: pl.DataFrame) -> list[Line]:
    cases = [case for _, case in results.group_by("repetition", maintain_order=True)]
    parties = [case.filter(pl.col("kind") == "party") for case in cases]
    curves = [case.filter(pl.col("kind") == "curve") for case in cases]
    both = list(zip(parties, curves, strict=True))
    return [
        claim("party 1 has the largest phi and gets v_N at every rho", [_first_gets_all(p, c) for p, c in both]),
        claim("phi_3 > phi_2", [p["phi"][2] > p["phi"][1] for p in parties], paper="30.78 > 29.24"),
        claim("a larger phi gets a larger r at every rho > 0 (R5)", [_fair(p, c) for p, c in both]),
        claim("rho_r >= 1: individually rational at every rho (R4)", [p["rho_r"][0] >= 1.0 for p in parties]),
        claim(
            "at rho_s one party's r equals v of itself and all below it (R6)",
            [_binding(p, c) for p, c in both if p["rho_s"][0] <= 1.0],
            note="where rho_s <= 1",
        ),
        claim(
            "... and that is v_{2,3}, of the second-ranked party",
            [_pair_binds(p, c) for p, c in both if p["rho_s"][0] <= 1.0],
            note="where rho_s <= 1",
        ),
        claim("at rho = 0 every party gets v_N (R7)", [_equal_at_zero(p, c) for p, c in both]),
        claim(
            "expected MNLP falls as rho falls, for parties 2 and 3",
            [_falls(c.filter(pl.col("party") == i), "mnlp_expected") for c in curves for i in (2, 3)],
            note="a case is a party of a data set",
        ),
        claim(
            "so does its mean over the draws",
            [_falls(c.filter(pl.col("party") == i), "mnlp") for c in curves for i in (2, 3)],
            note="a case is a party of a data set",
        ),
    ]


def _first_gets_all(parties: pl.DataFrame, curve: pl.DataFrame) -> bool:
    pool = float(parties["v_pool"][0])
    reached = curve.filter(pl.col("party") == 1)["reached"].to_numpy()
    return bool(parties["phi"].arg_max() == 0 and np.all(np.abs(reached - pool) <= CLOSE * pool))


def _fair(parties: pl.DataFrame, curve: pl.DataFrame) -> bool:
    order = np.argsort(parties["phi"].to_numpy())
    rewards = np.stack(
        [curve.filter((pl.col("party") == i + 1) & (pl.col("rho") > 0))["reached"].to_numpy() for i in order]
    )
    return bool(np.all(np.diff(rewards, axis=0) > 0))


def _at(parties: pl.DataFrame, curve: pl.DataFrame, rho: float) -> pl.DataFrame:
    values = parties.select("party", "phi", "v_weaker", "v_23")
    return curve.filter(pl.col("rho") == rho).select("party", "reached").join(values, on="party")


def _binding(parties: pl.DataFrame, curve: pl.DataFrame) -> bool:
    """Whether exactly the bound that sets rho_s is met with equality, the party with the largest phi left out."""
    return len(_bound(parties, curve)) == 1


def _bound(parties: pl.DataFrame, curve: pl.DataFrame) -> pl.DataFrame:
    others = _at(parties, curve, float(parties["rho_s"][0])).filter(pl.col("phi") < parties["phi"].max())
    return others.filter((pl.col("reached") - pl.col("v_weaker")).abs() <= CLOSE * float(parties["v_pool"][0]))


def _pair_binds(parties: pl.DataFrame, curve: pl.DataFrame) -> bool:
    bound = _bound(parties, curve)
    return len(bound) == 1 and bound["v_weaker"][0] == bound["v_23"][0]


def _equal_at_zero(parties: pl.DataFrame, curve: pl.DataFrame) -> bool:
    pool = float(parties["v_pool"][0])
    reached = curve.filter(pl.col("rho") == 0.0)["reached"].to_numpy()
    return bool(np.all(np.abs(reached - pool) <= CLOSE * pool))


def _falls(curve: pl.DataFrame, column: str) -> bool:
    return bool(np.all(np.diff(curve.sort("rho")[column].to_numpy()) >= 0))
