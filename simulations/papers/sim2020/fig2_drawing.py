"""Fig. 2 as a picture, and as a table of the paper's numbers and claims beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes

from simulations.papers.figures import PARTY_COLOURS, figure_style, save_figure
from simulations.papers.sim2020.comparison import Line, claim, number
from simulations.papers.tables import save_table

__all__ = ["draw_curves", "fig2_table"]

PAPER_PHI = ("34.57", "29.24", "30.78")
OTHERS = "#555555"
CLOSE = 1e-9
"""Of v_N: values within this are equal."""

FAR = 1.5
"""Levels that are higher above the curves than this many times the curves' range are named, not drawn."""

LABEL_GAP = 0.045
"""Labels on the right are at least this part of the axis apart."""

ASSUMED = """# Fig. 2 of Sim et al. (ICML 2020): GP regression, Friedman data, three parties of {rows} rows

Mean ± standard deviation over {repetitions} data sets; the figure shows the first. The paper's main text is silent on
the following, and its appendices were not at hand. Assumed here: noise of standard deviation 1 on the outputs, which
are not rescaled; squared exponential kernel with one lengthscale an input; lengthscales, output scale, noise and the
constant mean by maximum likelihood on the pooled rows, to convergence; all inputs but the first uniform on [0, 1]; test
inputs uniform on [0, 1]^6. The paper shows one data set."""


def draw_curves(results: pl.DataFrame, folder: Path, name: str) -> list[Path]:
    """(a) r_i against rho, which falls to the right; (b) MNLP, the mean and its 95 % interval over the draws."""
    parties = results.filter(pl.col("kind") == "party")
    curves = results.filter(pl.col("kind") == "curve")
    first = parties.row(0, named=True)
    with figure_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4))
        values = [_Level(first["v_23"], r"$v_{\{2,3\}}$", OTHERS)]
        scores = [_Level(first["m_23"], r"$m_{\{2,3\}}$", OTHERS)]
        for i, party in enumerate(parties.iter_rows(named=True)):
            number, colour = party["party"], PARTY_COLOURS[i]
            curve = curves.filter(pl.col("party") == number).sort("rho")
            rho, mnlp, half = (curve[c].to_numpy() for c in ("rho", "mnlp", "mnlp_half_interval"))
            left.plot(rho, curve["reached"], color=colour, label=f"$r_{number}$")
            right.plot(rho, mnlp, color=colour, label=f"$m_{number}$")
            right.fill_between(rho, mnlp - half, mnlp + half, color=colour, alpha=0.25, linewidth=0)
            values.append(_Level(party["v_own"], f"$v_{number}$", colour))
            scores.append(_Level(party["m_own"], f"$m_{{\\{{{number}\\}}}}$", colour))
        _panel(left, values, "(a) IG", "information gain (nats)", first)
        _panel(right, scores, "(b) MNLP", "MNLP (nats)", first)
        return save_figure(figure, folder, name)


class _Level(NamedTuple):
    """A dotted line across the panel, and its name on the right."""

    value: float
    label: str
    colour: str


def _panel(axes: Axes, levels: Sequence[_Level], title: str, ylabel: str, first: dict[str, Any]) -> None:
    axes.set(title=title, xlabel=r"$\rho$", ylabel=ylabel, xlim=(1.0, 0.0))
    low, high = axes.get_ylim()  # of the curves
    inside = [level for level in sorted(levels) if level.value <= high + FAR * (high - low)]
    for level in inside:
        axes.axhline(level.value, color=level.colour, linestyle=":", linewidth=1.2)
    low, high = axes.get_ylim()
    place = -np.inf
    for level in inside:
        place = max(level.value, place + LABEL_GAP * (high - low))
        _name(axes, level, level.label, place, "data")
    for k, level in enumerate(sorted(set(levels) - set(inside), reverse=True)):
        _name(axes, level, rf"{level.label} $\uparrow$ {level.value:.2f}", 1.0 - k * 1.3 * LABEL_GAP, "axes fraction")
    _thresholds(axes, first["rho_r"], first["rho_s"])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)


def _name(axes: Axes, level: _Level, text: str, place: float, unit: str) -> None:
    axes.annotate(
        text,
        (1.0, place),
        xycoords=("axes fraction", unit),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        color=level.colour,
    )


def _thresholds(axes: Axes, rational: float, stable: float) -> None:
    for rho, label in ((rational, r"$\rho_r$"), (stable, r"$\rho_s$")):
        if rho < 1.0:
            axes.axvline(rho, color=OTHERS, linestyle="--", linewidth=1.0)
            axes.annotate(
                label, (rho, 0.0), xycoords=("data", "axes fraction"), xytext=(3, 4), textcoords="offset points"
            )


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
            [_falls(c.filter(pl.col("party") == i)) for c in curves for i in (2, 3)],
            note="a case is a party of a data set",
        ),
        claim(
            "MNLP at rho = 0 is below that at the largest rho, for parties 2 and 3",
            [_lower_end(c.filter(pl.col("party") == i)) for c in curves for i in (2, 3)],
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


def _falls(curve: pl.DataFrame) -> bool:
    return bool(np.all(np.diff(curve.sort("rho")["mnlp_expected"].to_numpy()) >= 0))


def _lower_end(curve: pl.DataFrame) -> bool:
    mnlp = curve.sort("rho")["mnlp_expected"]
    return bool(mnlp[0] < mnlp[-1])
