"""The picture of what lies earn: three panels, a row a lie, a colour a set of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from simulations.papers.figures import PARTY_COLOURS, figure_style, save_figure

__all__ = ["draw"]

PANELS = (
    ("reward_change", "reward value, of the largest:\nlie less honesty"),
    ("gain", "true utility gained by the lie\n(right of 0: lying pays)"),
    ("alpha_change", "alpha of the honest party\nthat falls furthest, relative"),
)


def draw(rows: Sequence[Mapping[str, Any]], title: str, folder: Path, name: str) -> list[Path]:
    """Means over seeds with bars of two standard errors; a lie that was refused every time has no mark."""
    lies = list(dict.fromkeys(row["lie"] for row in rows))
    rules = list(dict.fromkeys(row["rules"] for row in rows))
    with figure_style():
        figure, axes = plt.subplots(1, len(PANELS), figsize=(11.0, 1.2 + 0.42 * len(lies)), sharey=True)
        for axis, (measure, label) in zip(axes, PANELS, strict=True):
            axis.axvline(0.0, color="#444444", linewidth=1.0)
            for k, rule in enumerate(rules):
                of_rule = {row["lie"]: row for row in rows if row["rules"] == rule}
                means = np.array([of_rule.get(lie, {}).get(measure, np.nan) for lie in lies], dtype=np.float64)
                errors = np.array([of_rule.get(lie, {}).get(f"{measure}_error", np.nan) for lie in lies], dtype=float)
                places = np.arange(len(lies)) + 0.72 / len(rules) * (k - (len(rules) - 1) / 2)
                axis.errorbar(
                    means,
                    places,
                    xerr=2.0 * np.nan_to_num(errors),
                    fmt="o",
                    ms=4,
                    lw=1.4,
                    color=PARTY_COLOURS[k],
                    label=rule,
                )
            axis.set_xlabel(label)
        axes[0].set_yticks(range(len(lies)), lies)
        axes[0].invert_yaxis()
        figure.suptitle(
            f"{title} ({max(row['seeds'] for row in rows)} seeds, bars of two standard errors)", fontsize=11
        )
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(rules))
        return save_figure(figure, folder, name)
