"""The rows of a logistic model by the curvature of their likelihood, a block at a time.

A row x with class probabilities p(x) bends the log likelihood of the weights by (diag(p) - p p') (x) phi phi'. That is
B B' (x) phi phi' with B (K, K - 1), so that the row counts as K - 1 white rows of a linear model with K M weights. Two
classes have one weight a feature, and one white row sqrt(p (1 - p)) phi.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guerdon.models.features import Features, design_matrix
from guerdon.models.pool import BLOCK
from guerdon.types import FloatArray

__all__ = ["ClassRows", "log_probabilities", "logits", "weight_table"]


def weight_table(weights: FloatArray, classes: int) -> FloatArray:
    """The weights class after class as a table: (1, M) for two classes, else (K, M)."""
    return weights.reshape(1 if classes == 2 else classes, -1)


def logits(Phi: FloatArray, weights: FloatArray, classes: int) -> FloatArray:
    """What the softmax is taken of, (k, K); of two classes the first has 0."""
    f = Phi @ weight_table(weights, classes).T
    return np.concatenate([np.zeros_like(f), f], axis=1) if classes == 2 else f


def log_probabilities(f: FloatArray) -> FloatArray:
    """Log softmax of each row of logits f (k, K)."""
    shifted = f - f.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


@dataclass(frozen=True, eq=False)
class ClassRows:
    """White rows P with P' P = sum_r power_r (diag(p_r) - p_r p_r') (x) phi_r phi_r' at the weights given.

    Parameters
    ----------
    features : Features or None
        phi; the inputs themselves when None.
    X : (m, d) array
    weights : (M,) or (K M,) array
        The linearization: where the probabilities p are taken.
    classes : int
        K.
    power : (m,) array, optional
        Powers of the rows' likelihoods; 1 when None.
    """

    features: Features | None
    X: FloatArray
    weights: FloatArray
    classes: int
    power: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.X) * (self.classes - 1)

    def __iter__(self) -> Iterator[FloatArray]:
        """The white rows in their order, K - 1 a row, in blocks (k, width)."""
        step = max(1, BLOCK // self.classes**2)
        for start in range(0, len(self.X), step):
            block = slice(start, start + step)
            Phi = design_matrix(self.features, self.X[block])
            B = _roots(logits(Phi, self.weights, self.classes))  # (k, K or 1, K - 1)
            if self.power is not None:
                B = B * np.sqrt(self.power[block])[:, None, None]
            yield np.einsum("rkq,rj->rqkj", B, Phi).reshape(-1, self.width)

    @property
    def width(self) -> int:
        """The number of weights: M for two classes, K M for more."""
        return len(self.weights)

    def whole(self) -> FloatArray:
        """All white rows at once: (m (K - 1), width)."""
        return np.concatenate([np.empty((0, self.width)), *self])


def _roots(f: FloatArray) -> FloatArray:
    """B with B B' = diag(p) - p p': (k, K, K - 1), and (k, 1, 1) with B^2 = p (1 - p) for two classes.

    diag(p) - p p' = D (I - s s') D with s = sqrt(p), D = diag(s). The reflection that takes s to the last axis has
    columns other than the last that are a basis of what is orthogonal to s.
    """
    s = np.exp(0.5 * log_probabilities(f))
    classes = f.shape[1]
    if classes == 2:
        return np.asarray(s[:, :1, None] * s[:, 1:, None])
    v = s.copy()
    v[:, -1] += 1.0  # s >= 0: the sum does not cancel
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    basis: NDArray[np.float64] = np.eye(classes)[:, :-1] - 2.0 * v[:, :, None] * v[:, None, :-1]
    return np.asarray(s[:, :, None] * basis)
