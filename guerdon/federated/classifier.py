"""A small classifier in torch, whose weights travel as arrays: dense layers with ReLU between them.

All arithmetic is float64 on one thread of the CPU, and the only randomness a seed, so that a party's update is the same
bits wherever and whenever it is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guerdon.federated.weights import Weights
from guerdon.threads import one_torch_thread
from guerdon.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Recipe", "check_labels", "initial_weights", "predict", "train"]


@dataclass(frozen=True)
class Recipe:
    """How a party trains: inputs are divided by ``scale``; stochastic gradient descent on the cross-entropy.

    Parameters
    ----------
    epochs : int
        Passes over the party's own rows.
    batch : int
        Rows a step.
    learning_rate : float
        The length of a step, as a multiple of the gradient.
    scale : float
        What the inputs are divided by.
    """

    epochs: int = 1
    batch: int = 32
    learning_rate: float = 0.1
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (self.epochs >= 1 and self.batch >= 1 and self.learning_rate > 0.0 and self.scale > 0.0):
            raise ValueError(f"epochs and batch are at least 1, learning_rate and scale positive, got {self}")


def initial_weights(features: int, hidden: Sequence[int], classes: int, seed: int) -> dict[str, FloatArray]:
    """Weights from which all start, He-normal: layer k is ``k.weight`` (out, in) and ``k.bias`` (out,)."""
    rng = np.random.default_rng(seed)
    widths = [features, *hidden, classes]
    weights: dict[str, FloatArray] = {}
    for k, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weights[f"{k}.weight"] = rng.normal(size=(fan_out, fan_in)) * np.sqrt(2.0 / fan_in)
        weights[f"{k}.bias"] = np.zeros(fan_out)
    return weights


def check_labels(y: FloatArray, classes: int) -> NDArray[np.int64]:
    """The labels as whole numbers 0 ... classes - 1.

    Raises
    ------
    ValueError
        One is something else.
    """
    labels = np.asarray(y).astype(np.int64)
    if len(labels) and (np.any(labels != y) or labels.min() < 0 or labels.max() >= classes):
        others = int(np.sum((labels != y) | (labels < 0) | (labels >= classes)))
        raise ValueError(f"labels are whole numbers from 0 to {classes - 1}, got {others} others of {len(labels)}")
    return labels


def train(weights: Weights, X: FloatArray, y: FloatArray, recipe: Recipe, seed: int) -> dict[str, FloatArray]:
    """The weights after training on rows X (m, d) with labels y (m,); same seed, same bits."""
    import torch  # here and below, not at the top: a party's app loads this module on every message
    from torch.nn import functional

    classes = len(weights[f"{_layers(weights) - 1}.bias"])
    labels = torch.from_numpy(check_labels(y, classes))
    rng = np.random.default_rng(seed)
    with one_torch_thread():
        inputs = torch.from_numpy(np.array(X, dtype=np.float64, order="C")) / recipe.scale
        moving = {name: torch.from_numpy(array.copy()).requires_grad_() for name, array in weights.items()}
        for _ in range(recipe.epochs):
            order = rng.permutation(len(X))
            for start in range(0, len(order), recipe.batch):
                rows = torch.from_numpy(order[start : start + recipe.batch])
                loss = functional.cross_entropy(_logits(moving, inputs[rows]), labels[rows])
                gradients = torch.autograd.grad(loss, list(moving.values()))
                with torch.no_grad():
                    for tensor, gradient in zip(moving.values(), gradients, strict=True):
                        tensor -= recipe.learning_rate * gradient
        return {name: tensor.detach().numpy().copy() for name, tensor in moving.items()}


def predict(weights: Weights, X: FloatArray, scale: float = 1.0) -> NDArray[np.int64]:
    """The most probable class of each row of X (k, d): (k,)."""
    import torch

    with one_torch_thread(), torch.no_grad():
        inputs = torch.from_numpy(np.array(X, dtype=np.float64, order="C")) / scale
        tensors = {name: torch.from_numpy(np.array(array, dtype=np.float64)) for name, array in weights.items()}
        found: NDArray[np.int64] = _logits(tensors, inputs).argmax(dim=1).numpy()
    return found


def _logits(weights: dict[str, Tensor], inputs: Tensor) -> Tensor:
    from torch.nn import functional

    last = _layers(weights) - 1
    for k in range(last + 1):
        inputs = functional.linear(inputs, weights[f"{k}.weight"], weights[f"{k}.bias"])
        inputs = inputs if k == last else functional.relu(inputs)
    return inputs


def _layers(weights: Weights | dict[str, Tensor]) -> int:
    return len(weights) // 2
