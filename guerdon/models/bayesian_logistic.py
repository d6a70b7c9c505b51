"""Bayesian logistic regression, for two classes or more, linearized once at the pool's weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.models.class_rows import ClassRows
from guerdon.models.feature_model import FeatureModel
from guerdon.models.features import Features, as_features, describe_features
from guerdon.models.linear_model import LinearModel
from guerdon.models.logistic_posterior import LogisticPosterior, MapReport, most_probable
from guerdon.models.protocols import NoiseResponse
from guerdon.models.references import References
from guerdon.types import Contribution, FloatArray, Progress, silent

__all__ = ["BayesianLogistic"]


@dataclass(frozen=True, eq=False)
class BayesianLogistic(FeatureModel, LinearModel):
    """P(y = k | x) = softmax_k(w_k' phi(x)) with w_k ~ N(0, I); of two classes one has w = 0, and P(y = 1 | x) =
    1 / (1 + exp(-w' phi(x))).

    The value of data is the information gain on w under ONE linearization, at the most probable weights (MAP) of the
    pool: v_C = 1/2 log det(I + sum_{r in C} (diag(p_r) - p_r p_r') (x) phi_r phi_r') in nats, p_r the probabilities at
    those weights (for two classes the linear model's with noise 1 / (p (1 - p))). So it is monotone and submodular as
    for a linear model, and a coalition is valued as fast. A reward holds the mean and covariance of w, and none of the
    pool's rows.

    Labels are whole numbers from 0 to K - 1 and have no noise variance: rewards are made by tempering the others'
    likelihood (``LikelihoodTempering``), not by noise. Where rows bring a ``noise`` l, as tempering hands them over,
    their likelihood counts to the power 1 / l.

    Parameters
    ----------
    features : Features or str, optional
        phi, or a text such as ``"Affine()"``; the inputs themselves when None, so that a constant needs ``Affine()``.
    classes : int, optional
        K; the largest label of the pool + 1, and at least 2, when None.
    weights : (M,) or (K M,) array, optional
        The pool's most probable weights, one class after the other; set by ``fit``. Given, they are kept.
    report : MapReport, optional
        How the search for them ended; set by ``fit``.

    Examples
    --------
    >>> model = BayesianLogistic(weights=np.zeros(1), classes=2)
    >>> round(model.information_gain(np.array([[2.0]])), 6)  # p = 1/2: 1/2 log(1 + 2^2 / 4)
    0.346574
    """

    discloses_rows: ClassVar[str] = ""

    features: Features | str | None = None
    classes: int | None = None
    weights: FloatArray | None = None
    report: MapReport | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", as_features(self.features))
        if self.classes is not None and (isinstance(self.classes, bool) or int(self.classes) != self.classes):
            raise ValueError(f"classes is a whole number, or None, got {self.classes!r}")
        if self.classes is not None and self.classes < 2:
            raise ValueError(f"classes is at least 2, got {self.classes}")
        if self.weights is not None:
            if self.classes is None:
                raise ValueError("weights that are given need the number of classes, classes=2 or more")
            weights = np.array(self.weights, dtype=np.float64)
            if weights.ndim != 1 or not np.all(np.isfinite(weights)):
                raise ValueError(f"weights are finite and of shape (M,) or (K M,), got shape {weights.shape}")
            weights.setflags(write=False)
            object.__setattr__(self, "weights", weights)

    def of_classes(self, classes: int) -> Self:
        """The model for this number of classes, whether or not there are rows of each.

        Raises
        ------
        ValueError
            It was made for another number.
        """
        if self.classes not in (None, classes):
            raise ValueError(f"the model is for {self.classes} classes, and there are {classes}: leave classes out")
        return replace(self, classes=classes)

    def fit(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> Self:
        """The model linearized at the most probable weights of the pool, by Newton's method to convergence.

        Raises
        ------
        ValueError
            A party sent no labels, labels that are no whole numbers from 0 to K - 1, or a noise variance.
        """
        if self.weights is not None:
            return self
        for c in contributions:
            if c.noise is not None:
                raise ValueError(f"labels have no noise variance, and party {c.party!r} brings one: leave it out")
        labels = [_labels(c, self.classes) for c in contributions]
        classes = self.classes or max(2, 1 + int(max(int(y.max(initial=0)) for y in labels)))
        X, y = np.concatenate([c.X for c in contributions]), np.concatenate(labels)
        weights, report = most_probable(self._features(), X, y, classes, progress=progress)
        return replace(self, classes=classes, weights=weights, report=report)

    def information_gain(self, X: FloatArray, noise: float | FloatArray | None = None) -> float:
        """I(w; D) in nats of inputs X (m, d), linearized at the model's weights.

        A ``noise`` l takes a row's likelihood to the power 1 / l.

        Raises
        ------
        ValueError
            The weights are not known yet.
        """
        X = np.asarray(X, dtype=np.float64)
        return self.value_of(Contribution("rows", X, noise=None if noise is None else np.asarray(noise)))

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """Refused: there is no Gaussian noise on a label.

        Raises
        ------
        ValueError
        """
        raise ValueError("labels take no Gaussian noise: realize a classification's rewards with LikelihoodTempering()")

    def noise_of(self, contribution: Contribution) -> FloatArray:
        """The reciprocals of the powers of the rows' likelihoods (m,): 1, unless a row brings another."""
        return np.array(np.broadcast_to(1.0 if contribution.noise is None else contribution.noise, len(contribution)))

    def posterior(
        self,
        X: FloatArray,
        y: ArrayLike,
        weights: FloatArray | None = None,
        classes: int | None = None,
        *,
        noise: float | FloatArray | None = None,
    ) -> LogisticPosterior:
        """The belief after labels y (m,) at X (m, d): the MAP and the inverse Hessian there, under the likelihoods to
        their powers.

        Parameters
        ----------
        X : (m, d) array
        y : (m,) array
            Labels 0 .. K - 1.
        weights : (m,) array, optional
            Powers of the rows' likelihoods; 1 when None.
        classes : int, optional
            K; the model's when None, and if it has none, the largest label + 1.
        noise : float or (m,) array, optional
            Reciprocals of the powers, in the place of ``weights``.
        """
        X = np.asarray(X, dtype=np.float64)
        if weights is not None and noise is not None:
            raise ValueError("give the powers of the likelihoods as weights or as noise = 1 / weights, not as both")
        if noise is not None:
            weights = 1.0 / np.asarray(noise, dtype=np.float64)
        power = None if weights is None else np.array(np.broadcast_to(weights, len(X)), dtype=np.float64)
        if power is not None and not np.all((power >= 0.0) & np.isfinite(power)):
            raise ValueError(f"powers of likelihoods are finite and at least 0, got {power.min()} to {power.max()}")
        known = classes or self.classes
        labels = _labels(Contribution("the data", X, np.asarray(y)), known)
        return LogisticPosterior.of(self._features(), X, labels, known or max(2, 1 + int(labels.max(initial=0))), power)

    def describe(self) -> dict[str, Any]:
        """The features, the number of classes, and how the search for the pool's weights ended."""
        fit = None if self.report is None else self.report.record()
        return {"features": describe_features(self._features()), "classes": self.classes, "fit": fit}

    def _white(self, contribution: Contribution) -> ClassRows:
        if self.weights is None or self.classes is None:
            raise ValueError("the model is not linearized yet: call fit() with the pool, or give weights and classes")
        power = None if contribution.noise is None else 1.0 / self.noise_of(contribution)
        return ClassRows(self._features(), contribution.X, self.weights, self.classes, power)

    def _at(self, references: References) -> FloatArray:
        white = self._white(Contribution("references", references.X)).whole()
        return white.reshape(len(references), -1, white.shape[1])

    @property
    def _rows_each(self) -> int:
        return (self.classes or 2) - 1

    def _least_noise(self, contribution: Contribution) -> FloatArray:
        """diag(p) - p p' has no eigenvalue above 1/2, and p (1 - p) is at most 1/4."""
        return self.noise_of(contribution) * (4.0 if self.classes == 2 else 2.0)


def _labels(contribution: Contribution, classes: int | None) -> NDArray[np.int64]:
    """The labels of a contribution as whole numbers (m,).

    Raises
    ------
    ValueError
        There are none, or one is no whole number from 0 to K - 1.
    """
    party, y = contribution.party, contribution.y
    if y is None:
        raise ValueError(f"labels y are needed, but party {party!r} sent none")
    labels = y.astype(np.int64)
    if np.any(labels != y) or np.any(labels < 0) or (classes is not None and np.any(labels >= classes)):
        most = "" if classes is None else f" to {classes - 1}"
        raise ValueError(f"labels of party {party!r} must be whole numbers from 0{most}: the places of their classes")
    return labels
