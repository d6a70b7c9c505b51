"""What federated learning sends: a lesson to a party, its update back; and what a party does with a lesson.

The party's rows stay where they are. Nothing here imports the party's app: its side is two handlers that the strategies
bring (``wire.handlers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from flwr.app import RecordDict

from guerdon.federated import Recipe, Weights, check_labels, predict, train
from guerdon.types import Contribution, FloatArray
from wire.handlers import Handler
from wire.messages import MessageError, Reward, decode_reward, encode_reward, encode_scores, read_names
from wire.signing import content_digest
from wire.text import listed

__all__ = ["HANDLERS", "LEARN_ALONE", "UPDATE", "Lesson", "decode_lesson", "decode_update", "encode_lesson"]

UPDATE = "train.update"
LEARN_ALONE = "evaluate.learn_alone"

MOST = 100_000
"""Epochs, or rows a step, that a party lets itself be asked for."""


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
    features = read_names(found.about.get("features"))
    recipe, seed = found.about.get("recipe"), found.about.get("seed")
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise MessageError("a lesson's seed is a whole number from 0 to 2^63")
    if not isinstance(recipe, dict) or set(recipe) != {field.name for field in fields(Recipe)}:
        raise MessageError(f"a lesson's recipe holds {', '.join(field.name for field in fields(Recipe))}")
    counts, lengths = [recipe["epochs"], recipe["batch"]], [recipe["learning_rate"], recipe["scale"]]
    if not all(type(count) is int and 1 <= count <= MOST for count in counts):
        raise MessageError(f"a lesson's epochs and batch are whole numbers from 1 to {MOST:,}")
    if not all(type(length) in (int, float) and length > 0.0 for length in lengths):
        raise MessageError("a lesson's learning_rate and scale are positive numbers")
    _check_network(found.arrays, len(features))
    return Lesson(dict(found.arrays), features, Recipe(**recipe), seed)


def _check_network(weights: Weights, inputs: int) -> None:
    """Layers 0, 1, ... whose matrices fit each other and take so many inputs, float64 and finite."""
    layers, width = len(weights) // 2, inputs
    if layers == 0 or set(weights) != {f"{k}.{part}" for k in range(layers) for part in ("weight", "bias")}:
        raise MessageError(f"a network's weights are 0.weight, 0.bias and so on, got {listed(sorted(weights))}")
    for k in range(layers):
        weight, bias = weights[f"{k}.weight"], weights[f"{k}.bias"]
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1] or not len(bias):
            raise MessageError(
                f"layer {k} of a network takes {width} inputs, got a weight of shape {weight.shape} and a bias of "
                f"shape {bias.shape}"
            )
        for array in (weight, bias):
            if array.dtype != np.float64 or not np.all(np.isfinite(array)):
                raise MessageError(f"layer {k} of a network must hold finite float64 numbers")
        width = len(bias)


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
