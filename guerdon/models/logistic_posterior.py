"""The belief on a logistic model's weights: a normal distribution at the most probable ones (Laplace)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from guerdon.models.class_rows import ClassRows, log_probabilities, logits, weight_table
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.features import (
    Features,
    contents_of,
    design_matrix,
    features_arrays,
    features_from_arrays,
    unexplained_variance,
)
from guerdon.models.linear_gaussian_posterior import square_root_information
from guerdon.models.maximum_likelihood import ConvergenceError
from guerdon.models.pool import blocks
from guerdon.models.protocols import Arrays
from guerdon.types import FloatArray, Progress, silent

__all__ = ["LogisticPosterior", "MapReport", "most_probable"]

STEPS = 200
"""Newton steps at most; a handful is usual, since the prior bends everywhere."""

CLOSE = 1e-7
"""A full step of no more than this share of the weights' length is the last: what is missing after it is its square."""


@dataclass(frozen=True)
class MapReport:
    """How the search for the most probable weights ended.

    Attributes
    ----------
    log_posterior : float
        log p(y | w) - |w|^2 / 2 in nats there.
    gradient : float
        The length of its gradient there, which bounds how far the weights are from the most probable ones.
    steps : int
        Newton steps.
    """

    log_posterior: float
    gradient: float
    steps: int

    @property
    def sentence(self) -> str:
        """How it ended, in words."""
        return (
            f"the most probable weights have a log posterior of {self.log_posterior:.6g} nats (without its constant) "
            f"and a gradient of {self.gradient:.1g}, after {self.steps} Newton steps"
        )

    def record(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return {**asdict(self), "sentence": self.sentence}


class _Point(NamedTuple):
    """Negative log posterior, its gradient and Hessian at some weights."""

    value: float
    gradient: FloatArray
    hessian: FloatArray


def most_probable(
    features: Features | None,
    X: FloatArray,
    y: NDArray[np.int64],
    classes: int,
    power: FloatArray | None = None,
    *,
    progress: Progress = silent,
) -> tuple[FloatArray, MapReport]:
    """The weights that maximize sum_r power_r log P(y_r | x_r, w) - |w|^2 / 2: (M,) for two classes, else (K M,).

    Newton's method with step halving. The negative log posterior is bent by at least 1 in every direction, so that
    there is one minimum, also for classes that can be separated, and the gradient's length bounds the distance to it.

    Raises
    ------
    ConvergenceError
        The gradient did not vanish.
    """
    width = FeatureRows(features, X).width * (1 if classes == 2 else classes)
    w = np.zeros(width)
    here = _point(features, X, y, classes, power, w)
    steps = 0
    for steps in range(1, STEPS + 1):
        factor = cho_factor(here.hessian, lower=True, check_finite=False)
        step = -cho_solve(factor, here.gradient, check_finite=False)
        expected = float(here.gradient @ step)
        size = 1.0
        there = _point(features, X, y, classes, power, w + step)
        while there.value > here.value + 1e-4 * size * expected + 1e-14 * abs(here.value) and size > 1e-10:
            size *= 0.5
            there = _point(features, X, y, classes, power, w + size * step)
        w, here = w + size * step, there
        progress("fit", steps, STEPS)
        if np.linalg.norm(step) <= CLOSE * (1.0 + np.linalg.norm(w)):
            break
    gradient = float(np.linalg.norm(here.gradient))
    if not gradient <= 1e-6 * (1.0 + np.linalg.norm(w)):
        raise ConvergenceError(
            f"the most probable weights were not found in {steps} steps: the gradient is still {gradient:.2g}. "
            "Features far from size 1 do that: standardize the inputs"
        )
    return w, MapReport(-here.value, gradient, steps)


def _point(
    features: Features | None,
    X: FloatArray,
    y: NDArray[np.int64],
    classes: int,
    power: FloatArray | None,
    w: FloatArray,
) -> _Point:
    value, gradient, hessian = 0.5 * float(w @ w), w.copy(), np.eye(len(w))
    for block in blocks(len(X)):
        Phi = design_matrix(features, X[block])
        log_p = log_probabilities(logits(Phi, w, classes))
        own = y[block]
        u = np.ones(len(own)) if power is None else power[block]
        value -= float(u @ log_p[np.arange(len(own)), own])
        p = np.exp(log_p)
        residual = p.copy()
        residual[np.arange(len(own)), own] -= 1.0
        if classes == 2:
            gradient += Phi.T @ (u * residual[:, 1])
            hessian += (Phi * (u * p[:, 0] * p[:, 1])[:, None]).T @ Phi
        else:
            gradient += ((residual * u[:, None]).T @ Phi).ravel()
            hessian += _curvature(Phi, p, u)
    return _Point(value, gradient, hessian)


def _curvature(Phi: FloatArray, p: FloatArray, u: FloatArray) -> FloatArray:
    """sum_r u_r (diag(p_r) - p_r p_r') (x) phi_r phi_r': (K M, K M)."""
    K, M = p.shape[1], Phi.shape[1]
    H = np.empty((K, M, K, M))
    for k in range(K):
        for j in range(k, K):
            bend = u * (p[:, k] * (1.0 - p[:, k]) if j == k else -p[:, k] * p[:, j])
            H[k, :, j] = (Phi * bend[:, None]).T @ Phi
            H[j, :, k] = H[k, :, j].T
    return H.reshape(K * M, K * M)


@dataclass(frozen=True, eq=False)
class LogisticPosterior:
    """w ~ N(weights, root root'), weights the most probable ones and root root' the inverse Hessian there.

    Parameters
    ----------
    features : Features or None
        phi, the inputs themselves when None.
    classes : int
        K.
    weights : (M,) or (K M,) array
        One class after the other.
    root : (W, W) array
        W the number of weights.
    """

    features: Features | None
    classes: int
    weights: FloatArray
    root: FloatArray

    @classmethod
    def of(
        cls,
        features: Features | None,
        X: FloatArray,
        y: NDArray[np.int64],
        classes: int,
        power: FloatArray | None = None,
    ) -> Self:
        """The belief after labels y (m,) at inputs X (m, d), under the rows' likelihoods to powers (m,)."""
        weights, _ = most_probable(features, X, y, classes, power)
        rows = ClassRows(features, X, weights, classes, power)
        return cls(features, classes, weights, square_root_information(rows, len(weights)))

    def retrained(self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None) -> Self:
        """The belief of the same model after other rows: labels y (m,) at X (m, d), their likelihoods to 1 / noise.

        Raises
        ------
        ValueError
            A label is no whole number from 0 to K - 1.
        """
        labels = y.astype(np.int64)
        if np.any(labels != y) or np.any(labels < 0) or np.any(labels >= self.classes):
            raise ValueError(f"labels must be whole numbers from 0 to {self.classes - 1}: the places of their classes")
        power = None if noise is None else np.array(np.broadcast_to(1.0 / np.asarray(noise), len(X)))
        return self.of(self.features, X, labels, self.classes, power)

    @property
    def contains(self) -> str:
        """What the holder of this posterior can read from it."""
        return (
            f"the posterior of a logistic model for {self.classes} classes: the mean and covariance of "
            f"{len(self.weights)} weights, and the features that they weigh: {contents_of(self.features)}"
        )

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """P(y = k | x) at X (k, d), averaged over the belief: (k, K), each row summing to 1.

        sigmoid(mu / sqrt(1 + pi var / 8)) for two classes, and the softmax of mu_k / sqrt(1 + pi var_k / 8) for more,
        mu and var the mean and variance of w_k' phi(x) (MacKay 1992).
        """
        X = np.asarray(X, dtype=np.float64)
        probabilities = np.empty((len(X), self.classes))
        table = weight_table(self.weights, self.classes)
        M = table.shape[1]
        for block in blocks(len(X)):
            Phi = design_matrix(self.features, X[block])
            if Phi.shape[1] != M:
                raise ValueError(f"X must have {M} features, got {Phi.shape[1]}")
            variance = np.stack(
                [np.square(Phi @ self.root[k * M : (k + 1) * M]).sum(axis=1) for k in range(len(table))], axis=1
            )
            variance += np.reshape(unexplained_variance(self.features, X[block], Phi), (-1, 1))
            f = (Phi @ table.T) / np.sqrt(1.0 + np.pi * variance / 8.0)
            f = np.concatenate([np.zeros_like(f), f], axis=1) if self.classes == 2 else f
            probabilities[block] = np.exp(log_probabilities(f))
        return probabilities

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Mean and covariance of the weights and the features: no row of the pool is among them."""
        return {
            "classes": np.array(self.classes),
            "weights": self.weights,
            "root": self.root,
            **features_arrays(self.features),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(
            features=features_from_arrays(arrays),
            classes=int(arrays["classes"]),
            weights=np.asarray(arrays["weights"], dtype=np.float64),
            root=np.asarray(arrays["root"], dtype=np.float64),
        )
