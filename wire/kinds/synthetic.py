"""Synthetic rows or images, one set a party: the files they come in, how they score, and how they are shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from guerdon.images import Pixels, from_pixels, image_shape
from guerdon.types import FloatArray
from wire.csv_text import csv_text
from wire.decoding import decoded, gap_texts
from wire.files import write_whole
from wire.kinds.columns import Column
from wire.kinds.kind import ACCURACY, HELD_OUT, WORTH, HeldRows, Kind, Score, reward_columns
from wire.kinds.worth import worth_lines
from wire.messages import MessageError, Reward
from wire.pages.glossary import MEANINGS
from wire.pages.numbers import is_number
from wire.schema import Schema, SchemaError

if TYPE_CHECKING:
    import polars as pl

    from wire.pages.page import Picture

__all__ = ["TELLING", "Synthetic", "synthetic_images", "synthetic_table"]

COMPONENTS = 100
"""Principal components of images that the scoring classifier sees."""

SHOWN = 64
"""Images in ``reward.png`` at most."""

COLUMNS = 6
"""Columns with histograms at most, those in which the synthetic rows differ most from the party's own."""

PICTURE_BYTES = 1_000_000
"""A picture of images larger than this is left out of the page; it lies beside it."""


FARTHEST, ALIKE, STRETCH = 100.0, 1e-3, 1e3
"""Of synthetic rows that are scored: how many spans of the party's own rows they lie away from them at most, how wide
they are at least beside those in some column, and how far the run's units are from their standard deviations."""

FIDELITY = Column(
    "fidelity\nshapes, pairs",
    "fidelity.column_shapes, fidelity.column_pair_trends",
    "fidelity: shapes, pairs",
    MEANINGS["fidelity"],
    "scores",
    decimals=2,
)

OWN_WORTH = (
    WORTH[0],
    Column("epsilon", "epsilon", "privacy ε", MEANINGS["epsilon"], "worth"),
    *WORTH[1:-1],
    replace(WORTH[-1], place="alpha +- sampling.alpha | embedding.alpha in likely.alpha"),
    Column("lost to\nprivacy", "privacy_cost", "lost to privacy", MEANINGS["privacy_cost"], "worth"),
)
"""Of embeddings, alpha's error is what features leave open."""

TSTR = Score(
    *("tstr", "TRTR → TSTR", "accuracy of synthetic rows only (TSTR) against own rows (TRTR)", MEANINGS["tstr"]),
    axis="share that a logistic regression gets right",
    summary="",
    lower_is_better=False,
    key_alone="accuracy",
)

MEMBERSHIP = Column(
    "AUC of telling\nwho was in",
    "reward.membership_auc",
    "AUC of telling who was in",
    MEANINGS["membership_auc"],
    "scores",
    decimals=2,
)

TELLING = 0.6
"""An AUC of telling who was in above this is told in the run."""


class Synthetic(Kind):
    """Synthetic rows, or images, that make the party's own data worth its reward."""

    name: ClassVar[str] = "synthetic"
    words: ClassVar[str] = "synthetic data"
    scheme: ClassVar[str] = "RectifiedRhoShapley"
    ceiling: ClassVar[str] = "its data with all synthetic rows"
    report_shows: ClassVar[str] = "some of the pooled rows"
    scores: ClassVar[Sequence[Score]] = (
        ACCURACY._replace(meaning=MEANINGS["accuracy_synthetic"], axis="share that a logistic regression gets right"),
        TSTR,
    )
    given: ClassVar[Sequence[Column]] = reward_columns(
        ("floor", "floor", "floor", "floor"),
        ("target r_i", "target", "reward rᵢ", "target"),
        ("ceiling", "ceiling", "ceiling", "ceiling"),
        ("rows got", "synthetic_rows in sampling.synthetic_rows", "rows got", "synthetic_rows"),
        ("reached", "reached", "reached", "reached"),
    )

    def columns(self, record: Mapping[str, Any]) -> Sequence[Column]:
        distance = Column(
            "unbiased MMD²\nalone → reward",
            "mmd2.alone -> mmd2.reward",
            "MMD², alone → reward",
            MEANINGS["mmd2"],
            "scores",
        )
        efficacy = replace(TSTR.column, header="accuracy\nTRTR → TSTR", title=TSTR.header)
        scores = (*(score.column for score in self.scores if score is not TSTR), efficacy, MEMBERSHIP)
        return (*OWN_WORTH, *self.given, distance, FIDELITY, HELD_OUT, *scores)

    def facts(self, record: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
        learned = record.get("model") or {}
        return [
            *super().facts(record),
            ("v*", record.get("maximum")),
            ("length-scale", learned.get("lengthscale")),
            ("|G|", learned.get("synthetic_rows")),
        ]

    def score(self, reward: Reward, data: HeldRows) -> dict[str, float]:
        """The accuracy of a logistic regression trained on the party's own rows together with the synthetic ones, and
        on the synthetic ones only (TSTR); alone, on its own rows only (which is TRTR too). Of images it sees the first
        100 principal components. And of synthetic rows how well they tell the rows that the party contributed from
        those that it held out."""
        if len(data.held_inputs) == 0:
            return {}
        points = _points(reward, data.contribution.feature_names or ())
        if points is not None and len(points):
            _require_bounds(reward, points, data)
        scores = {**_accuracy(reward, points, data), **_membership(reward, points, data)}
        return {**scores, "rows": len(data.held_inputs)} if scores else {}

    def disclosed(self, scores: Mapping[str, Mapping[str, float]]) -> str:
        found = {party: own["membership_auc"] for party, own in scores.items() if "membership_auc" in own}
        if not found:
            return ""
        party = max(found, key=lambda name: found[name])
        which = f", the largest of {len(found)}" if len(found) > 1 else ""
        told = (
            "rows that were contributed lie nearer to synthetic ones than rows that were not, so whoever sees the "
            "reward can tell something of who was in"
            if found[party] > TELLING
            else "0.5 is chance, 1 is certain"
        )
        return f"AUC {found[party]:.2f} of telling who was in, by {party}'s reward{which}: {told}."

    def told(self, about: Mapping[str, Any]) -> str:
        found = about.get("fidelity")
        if not isinstance(found, Mapping) or not is_number(found.get("column_shapes")):
            return ""
        pairs = found.get("column_pair_trends")
        said = f"column shapes {found['column_shapes']:.2f}"
        said += f", column pair trends {pairs:.2f}" if is_number(pairs) else ""
        return f"Its fidelity to all pooled rows: {said} (1 is the same, 0 nothing alike)."

    def save(self, reward: Reward, folder: Path, order: Sequence[str] = ()) -> None:
        """``reward.parquet`` and ``reward.csv`` in the party's own columns, units and words; of images, which are in
        ``reward.npz``, the first 64 in ``reward.png``."""
        if "images" not in reward.arrays:
            table = synthetic_table(reward)
            own = [name for name in order if name in table.columns]
            table = table.select(*own, *(name for name in table.columns if name not in own))
            table.write_parquet(folder / "reward.parquet")
            write_whole(folder / "reward.csv", csv_text(_with_texts_for_gaps(table, _schema(reward))).encode())
            return
        shown = synthetic_images(reward)[:SHOWN]
        if len(shown):
            from wire.image_grid import picture_grid

            write_whole(folder / "reward.png", picture_grid(from_pixels(shown)))

    def lines(self, reward: Reward) -> list[str]:
        about = reward.about
        if "images" in reward.arrays:
            images = synthetic_images(reward)
            shape = " x ".join(str(side) for side in images.shape[1:])
            with_labels = f", each with its {about['target_name']}" if "labels" in reward.arrays else ""
            what = (
                f"{len(images)} synthetic images of {shape}{with_labels}, in reward.npz; the first are in reward.png."
            )
        else:
            table = synthetic_table(reward)
            what = f"{len(table)} synthetic rows of {', '.join(table.columns)}, in reward.parquet and reward.csv."
        how = (
            f"Made by {about['realization']} from {about['synthetic_pool_rows']} rows of {about['generator']}, "
            f"sampling ended by {about['stopped']}."
        )
        return [*worth_lines(about, what, how), *filter(None, [self.told(about)])]

    def pictures(self, reward: Reward, data: HeldRows | None, folder: Path) -> list[Picture]:
        if "images" in reward.arrays:
            return _images(folder)
        return [] if data is None or not len(reward.arrays["points"]) else [_columns(reward, data)]


def synthetic_images(reward: Reward) -> Pixels:
    """The synthetic images of a reward (k, height, width, channels), uint8.

    Raises
    ------
    MessageError
        The reward holds no images, or not as many labels as images.
    """
    images, labels = reward.arrays.get("images"), reward.arrays.get("labels")
    if images is None or images.dtype != np.uint8 or images.ndim != 4:
        raise MessageError("this reward holds no images of shape (images, height, width, channels) as uint8")
    if labels is not None and labels.shape != images.shape[:1]:
        raise MessageError(f"this reward holds {len(images)} images but labels of shape {labels.shape}")
    return images


def synthetic_table(reward: Reward) -> pl.DataFrame:
    """The synthetic rows of a reward as a table of the party's own, with their labels where there are any.

    By the schema of the run: its columns in its order, categories as their words, gaps as nothing. Without one the
    party's columns as it introduced them, and the label.

    Raises
    ------
    MessageError
        The reward holds no synthetic rows, or not as many columns as names.
    """
    import polars as pl

    points, labels = reward.arrays.get("points"), reward.arrays.get("labels")
    features = reward.about.get("features")
    if reward.about.get("kind") != Synthetic.name or points is None or not isinstance(features, list):
        raise MessageError(f"this reward is not synthetic data but {reward.about.get('kind')!r}")
    if (
        points.ndim != 2
        or points.shape[1] != len(features)
        or (labels is not None and labels.shape != points.shape[:1])
    ):
        raise MessageError(f"the synthetic rows have shape {points.shape} but there are {len(features)} columns")
    schema, whole = _schema(reward), reward.about.get("whole")
    if schema is not None:
        if sorted(schema.features) != sorted(features):
            raise MessageError("the synthetic rows have other columns than the schema that lies with them")
        return decoded(schema, features, points, labels, whole or ())
    table = pl.DataFrame({name: points[:, features.index(name)] for name in reward.about.get("order", features)})
    if labels is not None:
        table = table.with_columns(pl.Series(str(reward.about["target_name"]), labels))
    # Version 0.1 did not say which numbers are whole.
    integer = [] if whole is None else [*whole, *([reward.about["target_name"]] if labels is not None else [])]
    return table.with_columns(pl.col(integer).cast(pl.Int64)) if integer else table


def _schema(reward: Reward) -> Schema | None:
    """The schema of the run; None where it had none."""
    if "schema" not in reward.about:
        return None
    try:
        return Schema.from_json(json.dumps(reward.about["schema"]))
    except SchemaError as error:
        raise MessageError(f"the schema that lies with the reward can't be used: {error}") from error


def _with_texts_for_gaps(table: pl.DataFrame, schema: Schema | None) -> pl.DataFrame:
    """The table with what stands for a gap in a text file by the schema."""
    import polars as pl

    if schema is None:
        return table
    texts = {name: text for name, text in gap_texts(schema).items() if name in table.columns and text}
    holes = [name for name in texts if table[name].null_count()]
    return table.with_columns(pl.col(name).cast(pl.String).fill_null(texts[name]) for name in holes)


def _points(reward: Reward, names: Sequence[str]) -> FloatArray | None:
    """The reward's synthetic rows (k, d) with the party's columns in its own order; None where there are none."""
    images, points = reward.arrays.get("images"), reward.arrays.get("points")
    if images is not None:
        return from_pixels(images.reshape(len(images), -1))
    return None if points is None else points[:, [list(reward.about["features"]).index(name) for name in names]]


def _accuracy(reward: Reward, points: FloatArray | None, data: HeldRows) -> dict[str, float]:
    """Of a logistic regression on held-out rows; nothing where there are no labels."""
    held, own, labels = data.held_outputs, data.contribution, reward.arrays.get("labels")
    if held is None:
        return {}
    X, y = own.X, np.asarray(own.y)
    is_image = image_shape(own.feature_names) is not None

    def right(rows: FloatArray, outputs: FloatArray) -> float:
        return float(np.mean(_predicted(rows, outputs, data.held_inputs, is_image) == held))

    if points is None or labels is None:
        return {"accuracy": right(X, y)}
    together = right(np.concatenate([X, points]), np.concatenate([y, labels]))
    return {"accuracy": together, **({"tstr": right(points, labels)} if len(points) else {})}


def _predicted(X: FloatArray, y: FloatArray, new: FloatArray, is_image: bool) -> FloatArray:
    """The classes of new rows (k,) by a logistic regression; the class itself where there is only one."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(y)) == 1:
        return np.full(len(new), y[0])
    scaling: list[Any] = [StandardScaler()]
    if is_image:  # pixels share a scale, and are too many
        solver = "covariance_eigh" if len(X) > X.shape[1] else "full"
        scaling = [PCA(min(COMPONENTS, *X.shape), svd_solver=solver)]
    return np.asarray(make_pipeline(*scaling, LogisticRegression(max_iter=5000)).fit(X, y).predict(new))


def _membership(reward: Reward, points: FloatArray | None, data: HeldRows) -> dict[str, float]:
    """The AUC of telling contributed rows from held-out ones by the distance to the nearest synthetic row, in the units
    that the run scaled its columns to; nothing where there is no synthetic row."""
    from sklearn.metrics import pairwise_distances_argmin_min, roc_auc_score

    own = data.contribution
    if points is None or not len(points) or not len(own.X):
        return {}
    scale = _scale(reward, data)
    rows = np.concatenate([own.X, data.held_inputs])
    _, distances = pairwise_distances_argmin_min(rows / scale, points / scale)
    was_in = np.arange(len(rows)) < len(own.X)
    # Two digits, as it is said in words: the mediator makes the rows, and more would tell it more of who was held out.
    return {"membership_auc": round(float(roc_auc_score(was_in, -distances)), 2)}


def _require_bounds(reward: Reward, points: FloatArray, data: HeldRows) -> None:
    """Score no rows that are made to ask something of the held-out rows rather than to be like the party's own.

    Raises
    ------
    MessageError
    """
    own = data.contribution.X
    low, high, spread = own.min(axis=0), own.max(axis=0), own.std(axis=0)
    varies = spread > 0.0
    reach = FARTHEST * (high - low)
    if not np.isfinite(points).all():
        raise MessageError("these synthetic rows hold NaN or infinite values, and are not scored")
    if np.any((points < low - reach) | (points > high + reach), where=varies):
        raise MessageError(
            f"these synthetic rows lie more than {FARTHEST:g} spans of the party's own rows away from them: their "
            "score would tell of rows that are held out, and stays at home"
        )
    if len(points) > 1 and np.all(points.std(axis=0)[varies] < ALIKE * spread[varies]):
        raise MessageError(
            "these synthetic rows are all but copies of one: their score would tell how far held-out rows are from it, "
            "and stays at home"
        )
    scale = _scale(reward, data)
    if not np.all((scale > 0.0) & np.isfinite(scale)) or np.any(
        (scale < spread / STRETCH) | (scale > spread * STRETCH), where=varies & bool("feature_scale" in reward.arrays)
    ):
        raise MessageError(
            "these synthetic rows come with units in which single columns count for nothing or for all: their score "
            "would tell of those, and stays at home"
        )


def _scale(reward: Reward, data: HeldRows) -> FloatArray:
    """What the run divided the party's columns by (d,)."""
    own = data.contribution
    if "feature_scale" not in reward.arrays:
        return np.ones(own.X.shape[1])
    features, scale = list(reward.about["features"]), reward.arrays["feature_scale"]
    return np.asarray(scale[[features.index(name) for name in own.feature_names or ()]], dtype=np.float64)


def _columns(reward: Reward, data: HeldRows) -> Picture:
    """The party's own rows beside the synthetic ones, column by column."""
    from matplotlib.figure import Figure

    from wire.pages.page import Picture
    from wire.pages.pictures import draw, ink, quiet_axes

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
    from wire.pages.page import Picture

    path = folder / "reward.png"
    if not path.exists() or path.stat().st_size > PICTURE_BYTES:
        return []
    source = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="The first synthetic images" src="data:image/png;base64,{source}">'
    return [Picture("The first synthetic images", "As in reward.png beside this page.", image)]


def _density(values: FloatArray, edges: FloatArray) -> FloatArray:
    counts, _ = np.histogram(values, bins=edges)
    return np.asarray(counts / max(len(values), 1))
