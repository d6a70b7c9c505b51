"""Models of the pool that say how probable each class is, one a party."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from guerdon.types import FloatArray
from wire.kinds.columns import Column
from wire.kinds.kind import ACCURACY, HeldRows, Kind, Score, held_inputs, require_parts, reward_columns
from wire.kinds.retraining import trained_again
from wire.kinds.worth import worth_lines
from wire.messages import MessageError, Reward
from wire.pages.glossary import MEANINGS
from wire.text import listed

if TYPE_CHECKING:
    from guerdon.models import ClassPredictor
    from wire.pages.page import Picture

__all__ = ["Classification"]

LOG_LOSS = Score(
    *("log_loss", "log loss", "log loss", MEANINGS["log_loss"]),
    axis="mean negative log probability of the true class, in nats",
    summary="predicted probabilities (log loss)",
    lower_is_better=True,
)
AUC = Score(
    *("auc", "AUC", "area under the ROC curve", MEANINGS["auc"]),
    axis="area under the ROC curve",
    summary="",
    lower_is_better=False,
)
BRIER = Score(
    *("brier", "Brier", "Brier score", MEANINGS["brier"]),
    axis="Brier score",
    summary="",
    lower_is_better=True,
)
CALIBRATION = Score(
    *("calibration_error", "ECE", "calibration error (ECE)", MEANINGS["calibration_error"]),
    axis="expected calibration error",
    summary="",
    lower_is_better=True,
)

UNSURE = 1e-10
"""Of a model that is scored, the least probability of a class: the log loss of one that is surer tells of single rows."""


class Classification(Kind):
    """A model of the pool that gives the probability of each class and is worth the party's reward."""

    name: ClassVar[str] = "classification"
    words: ClassVar[str] = "a model of class probabilities"
    scheme: ClassVar[str] = "RhoShapley"
    predicts: ClassVar[bool] = True
    scores: ClassVar[Sequence[Score]] = (LOG_LOSS, ACCURACY, AUC, BRIER, CALIBRATION)
    given: ClassVar[Sequence[Column]] = reward_columns(
        ("target r_i", "target", "reward rᵢ", "target"),
        ("kappa_i", "kappa", "power κᵢ", "kappa"),
        ("reached", "reached", "reached", "reached"),
    )

    def alone(self, reward: Reward, data: HeldRows) -> Reward:
        """The same model trained on the party's own rows: of what was sent it keeps the scaling and the features."""
        sent = _predictor(reward)
        return replace(reward, arrays=replace(sent, posterior=trained_again(sent, data.contribution)).arrays())

    def score(self, reward: Reward, data: HeldRows) -> dict[str, float]:
        """Log loss (nats), accuracy, area under the ROC curve, Brier score and calibration error on held-out rows.

        Without the area where all held-out rows have one label: there is none then.
        """
        from guerdon.class_metrics import accuracy, area_under_curve, brier_score, calibration_error, log_loss

        held = data.held_outputs
        if held is None or len(held) == 0:
            return {}
        predictor = _predictor(reward)
        p = predictor.predict_proba(held_inputs(data, predictor.feature_names))
        _require_bounds(p, held)
        measures = {
            "log_loss": log_loss,
            "accuracy": accuracy,
            "auc": area_under_curve,
            "brier": brier_score,
            "calibration_error": calibration_error,
        }
        found = {name: measure(p, held) for name, measure in measures.items()}
        return {name: value for name, value in found.items() if np.isfinite(value)} | {"rows": len(held)}

    def lines(self, reward: Reward) -> list[str]:
        try:
            features, target = listed([str(name) for name in reward.arrays["feature_names"]]), reward.arrays["target"]
            labels = listed([str(label) for label in reward.arrays["labels"]])
        except KeyError as error:
            raise _broken(error) from error
        linear_in = (reward.about["model"].get("features") or {}).get("kind", "the inputs")
        return worth_lines(
            reward.about,
            f"It predicts how probable each of {labels} is as {target}, from {features}.",
            f"Logistic in {linear_in}.",
        )

    def features(self, reward: Reward) -> Sequence[str]:
        return _predictor(reward, here=True).feature_names

    def predict(self, reward: Reward, X: FloatArray, noise: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """The probability of each class, one column a class in the target's own words."""
        predictor = _predictor(reward, here=True)
        p = predictor.predict_proba(X)
        return {f"{predictor.target}={label}": p[:, k] for k, label in enumerate(predictor.labels)}

    def pictures(self, reward: Reward, data: HeldRows | None, folder: Path) -> list[Picture]:
        if data is None or data.held_outputs is None or len(data.held_outputs) == 0:
            return []
        return [_calibration(reward, data, data.held_outputs)]


def _predictor(reward: Reward, *, here: bool = False) -> ClassPredictor:
    """The model in a reward; MessageError where it is none, or brings features that are not part of the app."""
    from guerdon.models import ClassPredictor

    if reward.about.get("kind") != Classification.name:
        raise MessageError(f"this reward is not a classification but {reward.about.get('kind')!r}: it can't predict")
    require_parts(reward, here=here)
    try:
        return ClassPredictor.from_arrays(reward.arrays)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> MessageError:
    return MessageError(f"the model in this reward can't be rebuilt: {error}")


def _require_bounds(p: FloatArray, held: FloatArray) -> None:
    """Score nothing that is made to tell of single rows, nor labels that the model does not know.

    Raises
    ------
    MessageError
    """
    if np.any((held < 0) | (held >= p.shape[1]) | (held != np.round(held))):
        raise MessageError(
            "rows that this party holds out have labels that this model does not know: nothing is scored"
        )
    if not np.isfinite(p).all() or np.abs(p.sum(axis=1) - 1.0).max() > 1e-6:
        raise MessageError("this model predicts no probabilities, and is not scored")
    if np.any(p < UNSURE):
        raise MessageError(
            f"this model gives a label a probability below {UNSURE:g}: its score would tell of single rows, and stays "
            "at home"
        )


def _calibration(reward: Reward, data: HeldRows, held: FloatArray) -> Picture:
    """How often what was predicted came about, on the rows that the party held out."""
    from matplotlib.figure import Figure

    from guerdon.class_metrics import calibration
    from wire.pages.page import Picture
    from wire.pages.pictures import draw, ink, quiet_axes

    predictor = _predictor(reward)
    bins = calibration(predictor.predict_proba(held_inputs(data, predictor.feature_names)), held)
    what = predictor.labels[1] if len(predictor.labels) == 2 else "the most probable class"

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=ink("quiet"), linewidth=1.0, linestyle="--")
        sizes = [12.0 + 240.0 * b.rows / len(held) for b in bins]
        axes.plot(
            [b.predicted for b in bins], [b.observed for b in bins], color=ink("accent"), linewidth=1.0, alpha=0.5
        )
        axes.scatter([b.predicted for b in bins], [b.observed for b in bins], s=sizes, color=ink("accent"))
        axes.set_xlabel(f"predicted probability of {what}"[:60])
        axes.set_ylabel("how often it was so")
        quiet_axes(axes)
        axes.grid(color=ink("line"), linewidth=0.6)

    caption = (
        f"The {len(held):,} rows that you held out, by the probability that the model gave; the larger a dot, the more "
        "rows. On the dashed line the model's word is right."
    )
    return Picture("Probabilities against what happened", caption, draw(4.2, 3.6, paint, "Calibration"))
