"""Model rewards where the question is which class: to each party a model that gives class probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np

from guerdon.models import Classifier, ClassPredictor
from guerdon.models import Model as BayesianModel
from guerdon.realization import NoiseInjection
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray, Game
from strategies.model_rewards import ModelRewards
from strategies.session import Outcome, Session
from wire.kinds.classification import Classification
from wire.messages import MessageError
from wire.schema import Schema
from wire.text import is_line, listed

__all__ = ["ClassificationRewards"]

NAMES = "ClassificationRewards(labels=('no', 'yes'))"
"""How labels are named where no schema does."""


class ClassificationRewards(ModelRewards):
    """Value data by its information gain on a model of classes, and give each party a model of their probabilities.

    The labels are announced before any data come: those of the schema's target (of a boolean "no" and "yes"), or the
    ``labels``, in the order of the numbers 0, 1 ... that stand for them in the parties' files. Labels take no Gaussian
    noise, so that rewards are made by tempering the others' likelihood. All else is as for ``ModelRewards``.

    Parameters
    ----------
    labels : sequence of str, or int
        What the numbers 0, 1, ... of the target mean, where there is no schema; a number of classes for "0", "1", ...
    """

    kind: ClassVar[str] = Classification.name
    numbers: ClassVar[bool] = False
    gathers_evidence: ClassVar[bool] = False
    parts: ClassVar[Mapping[str, str]] = {
        **ModelRewards.parts,
        "model": "BayesianLogistic(features='Affine()')",
        "realization": "LikelihoodTempering()",
    }

    def __init__(self, labels: Sequence[str] | int = ()) -> None:
        super().__init__()
        named = tuple(map(str, range(labels))) if isinstance(labels, int) else tuple(labels)
        if (named or isinstance(labels, int)) and (isinstance(labels, str | bool) or not _are_names(named)):
            raise ValueError(
                f"labels are at least two different names of one line, in the order of their numbers, got {labels!r}"
            )
        self._named = named

    def begin(self, session: Session) -> None:
        self.labels = self._named or _labels_of(session.settings.schema)
        super().begin(session)

    def check_model(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        if not isinstance(parts["model"], Classifier):
            raise ValueError(
                f"model = {texts['model']!r} predicts a number, and strategy = {texts['strategy']!r} gives class "
                "probabilities: take model = \"BayesianLogistic(features='Affine()')\" or one of your own that has "
                'of_classes(), or strategy = "ModelRewards()"'
            )
        if isinstance(parts["realization"], NoiseInjection):
            raise ValueError(
                f"realization = {texts['realization']!r} does not fit strategy = {texts['strategy']!r}: labels take no "
                'Gaussian noise, "yes" plus .3 being no label. Take realization = "LikelihoodTempering()"'
            )

    def check_target(self, schema: Schema | None) -> None:
        target = None if schema is None else schema.outputs
        if schema is None and not self.labels:
            raise ValueError(
                "the labels are to be known before any data come: announce a schema whose target is a boolean or a "
                f'category (schema-file), or name them in the order of their numbers: strategy = "{NAMES}"'
            )
        if schema is not None and self._named:
            raise ValueError("the labels are those of the schema's target: leave labels out of the strategy")
        if schema is not None and (target is None or len(self.labels) < 2):
            what = "has no target" if target is None else f"has the target {target.name!r} of type {target.type}"
            only = f" with one value, {target.values[0]!r}" if target is not None and target.values else ""
            raise ValueError(
                f"the schema {what}{only}, and classification predicts one of at least two labels: take a target of "
                'type boolean or category, or strategy = "ModelRewards()", which predicts a number'
            )

    def accept(self, contribution: Contribution) -> None:
        super().accept(contribution)
        if contribution.noise is not None:
            raise MessageError(
                "it declares a noise variance, and labels have none: leave noise and noise-column out of its node "
                "config"
            )
        y = np.asarray(contribution.y)
        strange = int((~np.isin(y, np.arange(len(self.labels)))).sum())
        if strange:
            raise MessageError(
                f"{strange} of {len(y)} labels of {self.target!r} were not announced: expected the numbers 0 to "
                f"{len(self.labels) - 1}, which stand for {listed(self.labels)}"
            )

    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        counts = np.sum([self._counts(c) for c in contributions], axis=0)
        there = [label for label, count in zip(self.labels, counts, strict=True) if count]
        if len(there) < 2:
            raise ValueError(
                f"all {int(counts.sum())} rows of the pool have the label {there[0]!r} of {self.target!r}: a model can "
                "tell nothing apart. Pool parties that have rows of another label too"
            )
        if absent := [label for label in self.labels if label not in there]:
            self.note(
                f"no party has a row of {listed(absent)}: what rewards say of {'them' if len(absent) > 1 else 'it'} "
                "rests on what was assumed before any data, and on what the other labels leave"
            )
        return super().value(contributions)

    def judge(self) -> None:
        scores = {entry["party"]: entry.get("reward") or {} for entry in self.concluded.record["parties"]}
        if sentence := Classification().undefined(scores):
            self.note(sentence)

    def prepared(self, model: BayesianModel) -> BayesianModel:
        return cast(Classifier, model).of_classes(len(self.labels))

    def predictor(self, posterior: Any, scaling: Scaling, own: Contribution) -> ClassPredictor:
        return ClassPredictor(posterior, scaling, own.feature_names or (), self.target, self.labels)

    def losses(self, posterior: Any, rows: Contribution) -> dict[str, FloatArray]:
        p = posterior.predict_proba(rows.X)
        truth = p[np.arange(len(p)), np.asarray(rows.y).astype(np.int64)]
        return {"log loss": -np.log(np.maximum(truth, np.finfo(np.float64).tiny))}

    def evidence(
        self, model: BayesianModel, game: Game, scaled: Sequence[Contribution]
    ) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
        """How often each party has each label, and how the search for the pool's weights ended."""
        report = getattr(model, "report", None)
        labels = {c.party: dict(zip(self.labels, self._counts(c), strict=True)) for c in scaled}
        return {"labels": labels}, [] if report is None else [(report.sentence, False)]

    def _counts(self, contribution: Contribution) -> list[int]:
        y = np.asarray(contribution.y).astype(np.int64)
        return [int(count) for count in np.bincount(y, minlength=len(self.labels))]


def _labels_of(schema: Schema | None) -> tuple[str, ...]:
    """The labels that a schema's target announces, in the order of their numbers."""
    target = None if schema is None else schema.outputs
    if target is None:
        return ()
    return ("no", "yes") if target.type == "boolean" else target.values


def _are_names(labels: Sequence[object]) -> bool:
    return len(set(labels)) == len(labels) > 1 and all(isinstance(text, str) and is_line(text) for text in labels)
