"""A party's own page, ``report.html`` beside its reward: what it may see, and its own rows, which never leave it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

from clients.party_data import PartyData
from clients.reward_store import load_predictor
from guerdon.types import FloatArray
from wire.files import write_whole
from wire.messages import Reward
from wire.pages.numbers import percent_text
from wire.pages.party_page import party_page
from wire.pages.pictures import Picture, draw, ink, quiet_axes

__all__ = ["write_report"]

ROWS = 300
"""Held-out rows in the picture of predictions at most, evenly spaced in their order of truth."""

COLUMNS = 6
"""Columns with histograms at most, those in which the synthetic rows differ most from the party's own."""

PICTURE_BYTES = 1_000_000
"""A picture of images larger than this is left out of the page; it lies beside it."""


def write_report(
    folder: Path,
    reward: Reward,
    data: PartyData | None = None,
    *,
    alone: Mapping[str, float] | None = None,
    scores: Mapping[str, float] | None = None,
) -> Path:
    """Draw the page of the party that this reward is for; returns the file.

    Parameters
    ----------
    folder : of the reward
    data : the party's own rows, for pictures that only it may see
    alone, scores : what it scored on rows it held out, with its own data alone and with the reward
    """
    page = party_page(reward.about, alone=alone, reward=scores, pictures=_pictures(folder, reward, data))
    path = folder / "report.html"
    write_whole(path, page.encode())
    return path


def _pictures(folder: Path, reward: Reward, data: PartyData | None) -> list[Picture]:
    if reward.about.get("kind") == "model":
        return [] if data is None or data.held_outputs is None else [_predictions(reward, data, data.held_outputs)]
    if reward.about.get("kind") == "synthetic":
        if "images" in reward.arrays:
            return _images(folder)
        return [] if data is None or not len(reward.arrays["points"]) else [_columns(reward, data)]
    return []


def _predictions(reward: Reward, data: PartyData, held: FloatArray) -> Picture:
    """Prediction against truth on the rows that the party held out."""
    predictor = load_predictor(reward)
    names = data.contribution.feature_names or ()
    chosen = np.argsort(held)[np.unique(np.linspace(0, len(held) - 1, ROWS).astype(int))]
    X = data.held_inputs[:, [names.index(name) for name in predictor.feature_names]]
    noise = None if data.held_noise is None else data.held_noise[chosen]
    mean, variance = predictor.predict(X[chosen], noise)
    truth, reach = held[chosen], float(ndtri(0.95)) * np.sqrt(variance)
    inside = float(np.mean(np.abs(truth - mean) <= reach))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        ends = [min(truth.min(), mean.min()), max(truth.max(), mean.max())]
        axes.plot(ends, ends, color=ink("quiet"), linewidth=1.0, linestyle="--")
        axes.errorbar(truth, mean, yerr=reach, fmt="none", ecolor=ink("accent"), alpha=0.3, elinewidth=1.2)
        axes.plot(truth, mean, "o", markersize=4.5, color=ink("accent"))
        axes.set_xlabel(f"true {predictor.target}"[:60])
        axes.set_ylabel("predicted")
        quiet_axes(axes)
        axes.grid(color=ink("line"), linewidth=0.6)

    caption = (
        f"Rows that you held out ({len(chosen):,} of {len(held):,}); on the dashed line a prediction is right. "
        f"Lines: where the model expects nine of ten to lie; {percent_text(inside)} do."
    )
    return Picture("Predictions against truth", caption, draw(4.2, 3.6, paint, "Predictions against truth"))


def _columns(reward: Reward, data: PartyData) -> Picture:
    """The party's own rows beside the synthetic ones, column by column."""
    own, names = data.contribution, data.contribution.feature_names or ()
    features, points = list(reward.about["features"]), reward.arrays["points"]
    mine = own.X[:, [names.index(name) for name in features]]
    apart = np.abs(mine.mean(axis=0) - points.mean(axis=0)) / np.maximum(mine.std(axis=0), np.finfo(np.float64).tiny)
    shown = [int(j) for j in np.argsort(-np.where(mine.std(axis=0) > 0.0, apart, 0.0), kind="stable")[:COLUMNS]]

    def paint(figure: Figure) -> None:
        across = min(3, len(shown))
        panels = figure.subplots(-(-len(shown) // across), across, squeeze=False).ravel()
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        for axes, j in zip(panels, shown, strict=False):
            low, high = np.quantile(np.concatenate([mine[:, j], points[:, j]]), [0.003, 0.997])
            edges = np.linspace(low, high if high > low else low + 1.0, 25)
            axes.stairs(_density(points[:, j], edges), edges, fill=True, color=ink("accent"), alpha=0.35)
            axes.stairs(_density(mine[:, j], edges), edges, color=ink("ink"), linewidth=1.3)
            axes.set_title(str(features[j])[:20], loc="left", fontsize=9)
            axes.set_yticks([])
            axes.locator_params(axis="x", nbins=3)
            quiet_axes(axes)

    caption = (
        f"Line: the {len(own):,} rows that you sent. Filled: the {len(points):,} synthetic rows that you get. "
        f"The {len(shown)} columns in which their means differ most."
    )
    width = 4.2 if len(shown) < 3 else 7.2
    svg = draw(width, 1.7 * (-(-len(shown) // 3)), paint, "Histograms of columns")
    return Picture("Your rows and the synthetic ones", caption, svg, "wide")


def _images(folder: Path) -> list[Picture]:
    """The first images, as they lie beside the page."""
    path = folder / "reward.png"
    if not path.exists() or path.stat().st_size > PICTURE_BYTES:
        return []
    source = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="The first synthetic images" src="data:image/png;base64,{source}">'
    return [Picture("The first synthetic images", "As in reward.png beside this page.", image)]


def _density(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts, _ = np.histogram(values, bins=edges)
    return np.asarray(counts / max(len(values), 1))
