"""Models of the pool, one a party: what they predict, how that scores, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from guerdon.scaling import Scaling
from guerdon.types import FloatArray
from wire.kinds.columns import Column
from wire.kinds.kind import MNLP, RMSE, HeldRows, Kind, Score, held_inputs, require_parts, reward_columns
from wire.kinds.retraining import trained_again
from wire.kinds.worth import worth_lines
from wire.messages import MessageError, Reward
from wire.pages.glossary import MEANINGS
from wire.pages.numbers import percent_text

if TYPE_CHECKING:
    from guerdon.models import Predictor
    from wire.pages.page import Picture

__all__ = ["Model", "predictor_of"]

ROWS = 300
"""Held-out rows in the picture of predictions at most, evenly spaced in their order of truth."""

NINETY = 1.6448536269514722
"""Standard deviations to each side that hold 90 % of a normal distribution."""


SUREST, FARTHEST = 1e-5, 100.0
"""Of a model that is scored, in spans of the party's own outputs: the least standard deviation, the farthest mean."""


PRIVACY = (
    Column("epsilon", "epsilon", "privacy ε", MEANINGS["epsilon"], "worth"),
    Column("lost to\nprivacy", "privacy_cost", "lost to privacy", MEANINGS["privacy_cost"], "worth"),
)
"""What noise of its own a party put on its sums, and what that cost it."""


class Model(Kind):
    """A model of the pool that is worth the party's reward."""

    name: ClassVar[str] = "model"
    words: ClassVar[str] = "a model"
    scheme: ClassVar[str] = "RhoShapley"
    predicts: ClassVar[bool] = True
    scores: ClassVar[Sequence[Score]] = (MNLP, RMSE)
    given: ClassVar[Sequence[Column]] = reward_columns(
        ("target r_i", "target in likely.target", "reward rᵢ", "target"),
        ("eta_i", "eta", "noise ηᵢ", "eta"),
        ("kappa_i", "kappa", "power κᵢ", "kappa"),
        ("reached", "reached", "reached", "reached"),
    )

    def columns(self, record: Mapping[str, Any]) -> Sequence[Column]:
        rows, *columns, mnlp, rmse = super().columns(record)
        if any(party.get("kappa") is not None for party in record["parties"]):
            columns = [column for column in columns if column.place != "eta"]  # no noise was added
        entries = record["parties"]
        if any(party.get("reference_inputs") is not None for party in entries):
            meaning = MEANINGS["reference_inputs"]
            columns.append(Column("references", "reference_inputs", "references", meaning, "worth", count=True))
        if any(party.get("noise") for party in entries):
            columns.append(Column("its noise", "noise.used", "its noise", MEANINGS["party_noise"], "worth"))
        instead = Column(
            "MNLP had it\nbeen noise", "reward.mnlp_noise", "MNLP, had it been noise", MEANINGS["mnlp_noise"], "scores"
        )
        coverage = Column(
            "rows in its\n50 %, 90 %",
            "reward.coverage_50, reward.coverage_90",
            "in its 50 %, 90 %",
            MEANINGS["coverage"],
            "scores",
            decimals=2,
        )
        return (rows, *PRIVACY, *columns, mnlp, instead, rmse, coverage)

    def alone(self, reward: Reward, data: HeldRows) -> Reward:
        """The same model trained on the party's own rows: of what was sent it keeps the scaling, the features and the
        hyperparameters."""
        sent, own = predictor_of(reward), data.contribution
        posterior = trained_again(sent, own, learn_noise=bool(reward.about.get("learn_noise")))
        noise = None if own.noise is None else float(np.mean(own.noise))
        return replace(reward, arrays=replace(sent, posterior=posterior, noise=noise).arrays())

    def score(self, reward: Reward, data: HeldRows) -> dict[str, float]:
        """MNLP (nats, of the target in its own units), RMSE (in its units), and the shares of rows within its central
        50 % and 90 % predictive intervals; of a tempered model that holds all rows also the MNLP that noise of the same
        value would have come to on average."""
        from guerdon.metrics import coverage, mnlp, rmse

        held = data.held_outputs
        if held is None or len(held) == 0:
            return {}
        predictor = predictor_of(reward)
        X = held_inputs(data, predictor.feature_names)
        mean, variance = predictor.predict(X, data.held_noise)
        _require_bounds(mean, variance, data)
        scores = {"mnlp": mnlp(mean, variance, held), "rmse": rmse(mean, held), "rows": len(held)}
        tempering = reward.about.get("tempering")
        if tempering is not None:
            from guerdon.realization import mnlp_with_noise_instead

            others = np.ones(len(predictor.posterior.arrays()["y"]), dtype=bool)
            others[slice(*tempering["rows"])] = False
            eta = float(tempering["eta"])
            scores["mnlp_noise"] = mnlp_with_noise_instead(predictor, eta, others, X, held, data.held_noise)
        return scores | {f"coverage_{level}": coverage(mean, variance, held, level / 100) for level in (50, 90)}

    def lines(self, reward: Reward) -> list[str]:
        arrays = {name.removeprefix("scaling."): array for name, array in reward.arrays.items()}
        try:  # what is said needs no model, and to build one takes seconds
            scaled = "as they are" if Scaling.from_arrays(arrays).is_identity else "standardised"
            features, target = ", ".join(map(str, arrays["feature_names"])), arrays["target"]
        except (KeyError, ValueError) as error:
            raise _broken(error) from error
        model = reward.about["model"]
        if "kernel" in model:
            what = f"Kernel {model['kernel']}"
        else:
            what = f"Linear in {(model.get('features') or {}).get('kind', 'the inputs')}"
        return worth_lines(
            reward.about,
            f"It predicts {target} from {features}.",
            f"{what}, on inputs {scaled}.",
            *_of_own(reward.about),
        )

    def features(self, reward: Reward) -> Sequence[str]:
        return predictor_of(reward, here=True).feature_names

    def predict(self, reward: Reward, X: FloatArray, noise: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """The target's mean and standard deviation (observation noise included), in its own units."""
        predictor = predictor_of(reward, here=True)
        mean, variance = predictor.predict(X, noise)
        return {f"{predictor.target}_mean": mean, f"{predictor.target}_sd": np.sqrt(variance)}

    def pictures(self, reward: Reward, data: HeldRows | None, folder: Path) -> list[Picture]:
        if data is None or data.held_outputs is None or not len(data.held_outputs):
            return []
        return [_predictions(reward, data, data.held_outputs)]


def predictor_of(reward: Reward, *, here: bool = False) -> Predictor:
    """The model in a reward.

    Parameters
    ----------
    reward : Reward
    here : bool
        Features of one's own may also come from the working directory, where somebody sits in front of it; the party's
        app takes them from itself only.

    Raises
    ------
    MessageError
        The reward is not a model, or an array is missing.
    """
    from guerdon.models import Predictor

    if reward.about.get("kind") != Model.name:
        raise MessageError(f"this reward is not a model but {reward.about.get('kind')!r}: it can't predict")
    require_parts(reward, here=here)
    try:
        return Predictor.from_arrays(reward.arrays)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a class of another kind, or other arrays
        raise _broken(error) from error


def _of_own(about: Mapping[str, Any]) -> list[str]:
    """What the run says of the party's own references and noise, where it looks at them."""
    lines = []
    if (own := about.get("references")) is not None:
        lines.append(
            f"Predictions are valued at inputs that are held out: {own['inputs']} of yours, with {own['weight']:.0%} "
            "of the weight."
        )
    if (noise := about.get("noise")) is not None:
        lines.append(f"Your rows count with a noise variance of {noise['used']:.4g}; they show {noise['learned']:.4g}.")
    return lines


def _require_bounds(mean: FloatArray, variance: FloatArray, data: HeldRows) -> None:
    """Score nothing that is made to tell of single rows: the score of a model that is all but sure of one of them, or
    far off at it, is that row's.

    Raises
    ------
    MessageError
    """
    own = np.asarray(data.contribution.y)
    middle, spread = (own.max() + own.min()) / 2.0, own.max() - own.min()
    if not (np.isfinite(mean).all() and np.isfinite(variance).all() and np.all(variance > 0.0)):
        raise MessageError("this model predicts no finite means and positive variances, and is not scored")
    if spread > 0.0 and (
        np.any(variance < (SUREST * spread) ** 2) or np.any(np.abs(mean - middle) > FARTHEST * spread)
    ):
        raise MessageError(
            f"this model is surer of a row than {SUREST:g} of the span of the party's own outputs, or predicts more "
            f"than {FARTHEST:g} spans away: its score would tell of single rows, and stays at home"
        )


def _broken(error: Exception) -> MessageError:
    return MessageError(f"the model in this reward can't be rebuilt: {error}")


def _predictions(reward: Reward, data: HeldRows, held: FloatArray) -> Picture:
    """Prediction against truth on the rows that the party held out."""
    from matplotlib.figure import Figure

    from wire.pages.page import Picture
    from wire.pages.pictures import draw, ink, quiet_axes

    predictor = predictor_of(reward)
    chosen = np.argsort(held)[np.unique(np.linspace(0, len(held) - 1, ROWS).astype(int))]
    X = held_inputs(data, predictor.feature_names)
    noise = None if data.held_noise is None else data.held_noise[chosen]
    mean, variance = predictor.predict(X[chosen], noise)
    truth, reach = held[chosen], NINETY * np.sqrt(variance)
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
