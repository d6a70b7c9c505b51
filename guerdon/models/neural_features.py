"""Features that a neural network learned on public rows: its last hidden layer, frozen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import is_number, require_count
from guerdon.models.protocols import Arrays
from guerdon.threads import one_thread_of_all
from guerdon.types import FloatArray, Progress, silent

if TYPE_CHECKING:
    import torch

__all__ = ["NeuralFeatures", "Training"]

VALIDATION = 0.1
"""Share of the public rows that choose the epoch whose weights are kept."""

LEAST_ROWS = 20


class Training(NamedTuple):
    """How training went: rows trained on, epochs done, the epoch kept, and mean squared errors there in units of the
    target's variance, on the rows trained on and on those set aside."""

    rows: int
    epochs: int
    best_epoch: int
    train_error: float
    validation_error: float


@dataclass(frozen=True, eq=False)
class NeuralFeatures:
    """phi(x) = (h_L(x), 1), with h_l(x) = tanh(W_l h_(l-1)(x) + b_l) and h_0 the inputs in the public rows' units.

    A network with a linear output layer is trained on public rows by least squares; ``BayesianLinear`` then puts a
    standard Gaussian prior on the weights of its last hidden layer and a constant, as in Sim et al. (ICML 2020),
    section 5. tanh keeps every feature within (-1, 1), so that w ~ N(0, I) is a sensible prior for outputs of about
    unit variance: standardise them, or the prior is too narrow.

    Parameters
    ----------
    hidden : sequence of int
        The widths of the hidden layers; the last is the number of features besides the constant.
    epochs : int
        Passes through the public rows. The weights of the epoch with the least error on a tenth of them, set aside,
        are kept.
    learning_rate : float
        Of Adam, at first; it falls to 0 along a half cosine.
    batch : int
        Rows a step.
    weight_decay : float
        Shrinks the weights by this share of the learning rate a step.
    layers : tuple of tuple, optional
        The weights and biases of each hidden layer; set by ``fit``, as are the next three.
    center, scale : (d,) array, optional
        Mean and standard deviation of the public inputs.
    training : Training, optional
        How the training ended.

    Raises
    ------
    ValueError
        An argument is not positive.
    """

    hidden: Sequence[int] = (64, 64, 32)
    epochs: int = 60
    learning_rate: float = 3e-3
    batch: int = 128
    weight_decay: float = 1e-3
    layers: tuple[tuple[FloatArray, FloatArray], ...] | None = None
    center: FloatArray | None = None
    scale: FloatArray | None = None
    training: Training | None = None

    def __post_init__(self) -> None:
        widths = (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)
        if not widths:
            raise ValueError("hidden needs the width of one layer at least, got none")
        for width in widths:
            require_count("hidden", width)
        object.__setattr__(self, "hidden", widths)
        require_count("epochs", self.epochs)
        require_count("batch", self.batch)
        if not (is_number(self.learning_rate) and 0.0 < self.learning_rate < np.inf):
            raise ValueError(f"learning_rate is a positive number, got {self.learning_rate!r}")
        if not (is_number(self.weight_decay) and 0.0 <= self.weight_decay < np.inf):
            raise ValueError(f"weight_decay is a number of at least 0, got {self.weight_decay!r}")

    @property
    def trained(self) -> bool:
        return self.layers is not None

    @property
    def contains(self) -> str:
        """What the holder of the features can read from them."""
        return "a network that was trained on public rows, and none of the pool's"

    def __call__(self, X: FloatArray) -> FloatArray:
        """(h_L(x), 1) for the inputs X (m, d): (m, width of the last layer + 1)."""
        if self.layers is None or self.center is None or self.scale is None:
            raise ValueError("the network is not trained yet: call fit() with public rows")
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.center):
            raise ValueError(f"X must have shape (rows, {len(self.center)}), got {X.shape}")
        h = (X - self.center) / self.scale  # (m, d)
        for W, b in self.layers:
            # einsum, not a product by BLAS: the features of a row must not depend on how many rows come with it
            h = np.tanh(np.einsum("mi,oi->mo", h, W) + b)  # (m, width)
        return np.concatenate([h, np.ones((len(h), 1))], axis=1)

    def fit(self, X: FloatArray, y: FloatArray, *, rng: np.random.Generator, progress: Progress = silent) -> Self:
        """The features of a network trained on public rows X (m, d), y (m,); the same rng, the same bits.

        Raises
        ------
        ValueError
            There are too few rows, a value is not finite, or training diverged.
        """
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if X.ndim != 2 or y.shape != X.shape[:1] or len(X) < LEAST_ROWS:
            raise ValueError(
                f"a network needs at least {LEAST_ROWS} public rows X (m, d) and y (m,), got {X.shape} and {y.shape}"
            )
        if not (np.isfinite(X).all() and np.isfinite(y).all()):
            raise ValueError("public rows must be finite; drop or fill the missing values first")
        center, scale = X.mean(axis=0), X.std(axis=0)
        scale = np.where(scale > 1e-12 * np.maximum(np.abs(X).max(axis=0), 1.0), scale, 1.0)
        spread = float(y.std())
        target = (y - y.mean()) / (spread if spread > 0.0 else 1.0)
        with one_thread_of_all():  # the same bits on any number of cores
            layers, training = _train(self, (X - center) / scale, target, rng, progress)
        return replace(self, layers=layers, center=center, scale=scale, training=training)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The network's weights, and the public rows' means and standard deviations."""
        if self.layers is None or self.center is None or self.scale is None:
            raise ValueError("the network is not trained yet: there is nothing to send")
        weights = {f"W{k}": W for k, (W, _) in enumerate(self.layers)}
        biases = {f"b{k}": b for k, (_, b) in enumerate(self.layers)}
        return {"center": self.center, "scale": self.scale, **weights, **biases}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        as_float = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
        depth = sum(name.startswith("W") for name in as_float)
        layers = tuple((as_float[f"W{k}"], as_float[f"b{k}"]) for k in range(depth))
        return cls(
            hidden=tuple(len(b) for _, b in layers), layers=layers, center=as_float["center"], scale=as_float["scale"]
        )

    def describe(self) -> dict[str, Any]:
        """The widths, and how training went."""
        return {"hidden": list(self.hidden), "training": None if self.training is None else self.training._asdict()}


Layers = tuple[tuple[FloatArray, FloatArray], ...]


def _train(
    plan: NeuralFeatures, X: FloatArray, y: FloatArray, rng: np.random.Generator, progress: Progress
) -> tuple[Layers, Training]:
    """The hidden layers of the network with the least error on the rows set aside."""
    import torch  # here and below: only training takes it

    order = rng.permutation(len(X))
    aside = max(1, round(VALIDATION * len(X)))
    inputs, outputs = torch.as_tensor(X[order]), torch.as_tensor(y[order])
    held, rows = slice(0, aside), slice(aside, len(X))
    weights = _initial_weights([X.shape[1], *plan.hidden, 1], rng)
    optimizer = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    batches = math.ceil((len(X) - aside) / plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.epochs * batches)
    best, kept, epoch_kept = np.inf, [w.detach().clone() for w in weights], 0
    for epoch in range(plan.epochs):
        for batch in np.array_split(aside + rng.permutation(len(X) - aside), batches):
            chosen = torch.as_tensor(batch)
            optimizer.zero_grad()
            _error(weights, inputs[chosen], outputs[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        error = _error_of(weights, inputs[held], outputs[held])
        if error < best:
            best, kept, epoch_kept = error, [w.detach().clone() for w in weights], epoch + 1
        progress("pretrain", epoch + 1, plan.epochs)
    if not np.isfinite(best):
        raise ValueError(f"training diverged: lower learning_rate, which is {plan.learning_rate:g}")
    training = Training(
        len(X) - aside, plan.epochs, epoch_kept, _error_of(kept, inputs[rows], outputs[rows]), float(best)
    )
    arrays = [w.numpy() for w in kept[:-2]]  # without the output layer
    return tuple(zip(arrays[::2], arrays[1::2], strict=True)), training


def _initial_weights(widths: Sequence[int], rng: np.random.Generator) -> list[torch.Tensor]:
    """W (out, in) and b (out,) of each layer; W uniform with variance 2 / (in + out) (Glorot and Bengio, 2010)."""
    import torch

    weights = []
    for before, after in itertools.pairwise(widths):
        far = math.sqrt(6.0 / (before + after))
        weights += [torch.as_tensor(rng.uniform(-far, far, (after, before))), torch.zeros(after, dtype=torch.float64)]
    return [w.requires_grad_() for w in weights]


def _error(weights: Sequence[torch.Tensor], X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the network with these weights: ()."""
    import torch

    h = X
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        h = torch.tanh(h @ W.T + b)
    return torch.mean(torch.square((h @ weights[-2].T + weights[-1]).squeeze(1) - y))


def _error_of(weights: Sequence[torch.Tensor], X: torch.Tensor, y: torch.Tensor) -> float:
    import torch

    with torch.no_grad():
        return float(_error(weights, X, y))
