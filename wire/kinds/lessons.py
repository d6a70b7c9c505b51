"""What federated learning sends: a lesson to a party, its update back; and what a party does with a lesson.

The party's rows stay where they are. Nothing here imports the party's app: its side is two handlers that the strategies
bring (``wire.handlers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from flwr.app import RecordDict

from guerdon.federated import Recipe, Weights, check_labels, predict, train
from guerdon.types import Contribution, FloatArray
from wire.handlers import Handler
from wire.messages import MessageError, Reward, decode_reward, encode_reward, encode_scores
from wire.signing import content_digest
from wire.text import listed

__all__ = ["HANDLERS", "LEARN_ALONE", "UPDATE", "Lesson", "decode_lesson", "decode_update", "encode_lesson"]

UPDATE = "train.update"
LEARN_ALONE = "evaluate.learn_alone"


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a party is to train: a network's weights, its inputs in their order, how, and the seed of the batches."""

    weights: Weights
    features: tuple[str, ...]
    recipe: Recipe
    seed: int

    @property
    def classes(self) -> int:
        """As many as the last layer has outputs."""
        return len(self.weights[f"{len(self.weights) // 2 - 1}.bias"])


def encode_lesson(lesson: Lesson) -> RecordDict:
    about = {"features": list(lesson.features), "recipe": asdict(lesson.recipe), "seed": lesson.seed}
    return encode_reward(Reward(lesson.weights, about))


def decode_lesson(content: RecordDict) -> Lesson:
    """What ``encode_lesson`` made.

    Raises
    ------
    MessageError
    """
    found = decode_reward(content)
    try:
        features = tuple(str(name) for name in found.about["features"])
        return Lesson(dict(found.arrays), features, Recipe(**found.about["recipe"]), int(found.about["seed"]))
    except (KeyError, TypeError, ValueError) as error:
        raise MessageError(
            f"a lesson holds features, a recipe and a seed; something is wrong with it: {error}"
        ) from error


def decode_update(content: RecordDict, like: Weights, max_megabytes: float) -> dict[str, FloatArray]:
    """An update of weights with these names and shapes, float64 and finite.

    Raises
    ------
    MessageError
        With the first thing that is wrong. ``RefusedError`` where the party itself declined.
    """
    arrays = decode_reward(content, max_megabytes).arrays
    if set(arrays) != set(like):
        raise MessageError(f"an update moves {listed(sorted(like))}, got {listed(sorted(arrays))}")
    for name, array in arrays.items():
        if array.dtype != np.float64 or array.shape != like[name].shape:
            expected = f"float64 of shape {like[name].shape}"
            raise MessageError(f"the update of {name!r} must be {expected}, got {array.dtype} of shape {array.shape}")
        if not np.all(np.isfinite(array)):
            raise MessageError(f"the update of {name!r} holds NaN or infinite values")
    return {name: arrays[name] for name in like}


# At the party.


def _update(party: Any, content: RecordDict) -> RecordDict:
    """Train on the party's rows that are not held out, and send by how much each weight moves."""
    lesson = decode_lesson(content)
    after = _trained(lesson, party.data.contribution)
    sent = encode_reward(Reward({name: after[name] - lesson.weights[name] for name in after}, {}))
    party.note("updated", sha256=content_digest(sent))
    return sent


def _learn_alone(party: Any, content: RecordDict) -> RecordDict:
    """The accuracy on held-out rows of what comes of training without the others."""
    lesson, data = decode_lesson(content), party.data
    if data.held_outputs is None or len(data.held_outputs) == 0:
        return encode_scores({})
    after = _trained(lesson, data.contribution)
    found = predict(after, _inputs(lesson, data.contribution, data.held_inputs), lesson.recipe.scale)
    return encode_scores({"accuracy": float(np.mean(found == data.held_outputs)), "rows": len(found)})


HANDLERS: Mapping[str, Handler] = {UPDATE: _update, LEARN_ALONE: _learn_alone}
"""What a strategy that teaches by lessons brings for the parties' side."""


def _trained(lesson: Lesson, own: Contribution) -> dict[str, FloatArray]:
    if own.y is None:
        raise MessageError("there are no labels to train on: name the target column")
    try:
        check_labels(own.y, lesson.classes)
    except ValueError as error:
        raise MessageError(f"the target can't be learned as {lesson.classes} classes: {error}") from error
    return train(lesson.weights, _inputs(lesson, own, own.X), own.y, lesson.recipe, lesson.seed)


def _inputs(lesson: Lesson, own: Contribution, X: FloatArray) -> FloatArray:
    """The party's columns in the lesson's order."""
    names = own.feature_names or ()
    if set(names) != set(lesson.features):
        raise MessageError(f"the lesson takes {listed(lesson.features)}, this party has {listed(names)}")
    return X if names == lesson.features else X[:, [names.index(name) for name in lesson.features]]
