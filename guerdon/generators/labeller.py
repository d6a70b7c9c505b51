"""Labels for synthetic points, by a classifier fitted on the pool. Valuation never sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp, softmax

from guerdon.types import Contribution, FloatArray

if TYPE_CHECKING:
    from sklearn.neighbors import KNeighborsClassifier

__all__ = ["Labeller", "check_labels"]

NEIGHBOURS = 15

SHARPNESS = np.geomspace(0.5, 8.0, 25)
"""Powers of the neighbours' votes that are tried."""

JUDGED = 4000
"""Rows of the pool at most that the power is found on, and the classes' shares kept on."""

SHARE_STEPS = 500
"""Steps of the weights of classes at most; it takes tens."""

COMPONENTS, PENALTY = 100, 3.0
"""For images: 96 % right on MNIST and 81 % on CIFAR-10 by network features, after 5,000 and 1,500 labels."""

LARGEST_LABEL = 2**53
"""Beyond this not every whole number is a float64, so that classes would run together."""


def check_labels(contribution: Contribution) -> None:
    """Refuse a contribution whose outputs, where it has any, name no classes.

    Raises
    ------
    ValueError
        A label is not a whole number, or is beyond +-2**53.
    """
    y = np.empty(0) if contribution.y is None else contribution.y
    bad = y[(y != np.round(y)) | (np.abs(y) > LARGEST_LABEL)]
    if bad.size:
        raise ValueError(
            f"labels must be whole numbers from -2**53 to 2**53, one a class, but party {contribution.party!r} sent "
            f"{bad.size} others of {y.size}: leave its target out, or code the classes as 0, 1, 2, ..."
        )


@dataclass(frozen=True, eq=False)
class Labeller:
    """The class of a point, drawn by how likely each is there.

        p(class | x)  proportional to  w_class ((votes_class + share_class) / (k + 1))^sharpness

    with the votes of the k = 15 nearest labelled rows (of all, where there are fewer), the classes' shares of all rows,
    the sharpness under which the rows, each judged by its neighbours, are likeliest, and weights w under which the
    classes keep their shares: a likeliest class everywhere would leave none to the rare ones.

    For images, whose features are many, the class that a support-vector machine on their first 100 principal components
    says.

    Attributes
    ----------
    rows : int
        How many labelled rows it was fitted on.
    parties : tuple of str
        Who brought them.
    classes, shares : (K,) array
        As the parties wrote them, and their shares of the rows.
    votes : (j, K) array
        Of the neighbours of up to 4,000 of the rows, without the row itself.
    """

    classifier: Any
    rows: int
    parties: tuple[str, ...]
    classes: NDArray[np.int64]
    shares: FloatArray
    votes: FloatArray
    sharpness: float = 1.0

    @classmethod
    def of(cls, contributions: Sequence[Contribution], *, images: bool = False) -> Self | None:
        """Fitted on the parties that sent labels; None where nobody did.

        Raises
        ------
        ValueError
            Labels name no classes: see ``check_labels``.
        """
        labelled = [c for c in contributions if c.y is not None and len(c)]
        if not labelled:
            return None
        for contribution in labelled:
            check_labels(contribution)
        X = np.concatenate([c.X for c in labelled])
        y = np.concatenate([np.asarray(c.y) for c in labelled]).astype(np.int64)
        parties = tuple(c.party for c in labelled)
        classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        shares = counts / len(y)
        if images:
            return cls(_machine(X, y).fit(X, y), len(X), parties, classes, shares, np.empty((0, len(classes))))
        from sklearn.neighbors import KNeighborsClassifier  # here: most runs need none

        # Distances are in the rows' own units, which a run has standardised.
        classifier = KNeighborsClassifier(min(NEIGHBOURS, len(X)), n_jobs=1).fit(X, y)
        judged = np.unique(np.linspace(0, len(X) - 1, JUDGED).astype(int))
        votes = _votes_of_others(classifier, X, codes, judged, len(classes))
        sharpness = _likeliest(votes, shares, codes[judged])
        return cls(classifier, len(X), parties, classes, shares, votes, sharpness)

    def __call__(self, points: NDArray[Any], rng: np.random.Generator | None = None) -> NDArray[np.float64]:
        """A class for each point (n,), as the parties wrote them: drawn, or the one with most votes without ``rng``."""
        if rng is None or not len(self.votes) or not len(points):
            return np.asarray(self.classifier.predict(points), dtype=np.float64)
        chances = self.probabilities(points)
        chosen = (rng.random(len(points))[:, None] > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
        return np.asarray(self.classes[chosen], dtype=np.float64)

    def probabilities(self, points: FloatArray) -> FloatArray:
        """How likely each class is at each point (n, K), with the classes' shares kept over these points and the pool's
        rows together, so that many points have them, and few are judged by the pool."""
        neighbours = self.classifier.n_neighbors
        here = self.sharpness * _log_chances(neighbours * self.classifier.predict_proba(points), self.shares)
        there = self.sharpness * _log_chances(self.votes, self.shares)
        return np.asarray(softmax(here + _weights(np.concatenate([here, there]), self.shares), axis=1))


def _votes_of_others(
    classifier: KNeighborsClassifier, X: FloatArray, codes: NDArray[Any], judged: NDArray[np.intp], classes: int
) -> FloatArray:
    """How many of each row's nearest others are of each class: (j, classes)."""
    k = min(classifier.n_neighbors, len(X) - 1)
    if k == 0:
        return np.zeros((len(judged), classes))
    nearest = classifier.kneighbors(X[judged], k + 1, return_distance=False)
    own = nearest == judged[:, None]
    own[~own.any(axis=1), -1] = True  # of more than k equal rows the row itself need not be among the nearest
    others = codes[nearest[~own].reshape(len(judged), k)]
    return np.stack([(others == place).sum(axis=1) for place in range(classes)], axis=1).astype(np.float64)


def _log_chances(votes: FloatArray, shares: FloatArray) -> FloatArray:
    """log((votes + share) / (k + 1)): no class is impossible anywhere."""
    return np.asarray(np.log(votes + shares) - np.log(votes.sum(axis=1, keepdims=True) + 1.0))


def _likeliest(votes: FloatArray, shares: FloatArray, codes: NDArray[Any]) -> float:
    chances = _log_chances(votes, shares)
    found = [log_softmax(power * chances, axis=1)[np.arange(len(codes)), codes].sum() for power in SHARPNESS]
    return float(SHARPNESS[int(np.argmax(found))])


def _weights(chances: FloatArray, shares: FloatArray) -> FloatArray:
    """log w (K,) with mean over rows of softmax(chances + log w) = shares, by fixed point."""
    weights = np.zeros(len(shares))
    for _ in range(SHARE_STEPS):
        means = logsumexp(log_softmax(chances + weights, axis=1), axis=0) - np.log(len(chances))
        step = np.log(shares) - means
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _machine(X: FloatArray, y: NDArray[np.int64]) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    if len(np.unique(y)) == 1:
        return DummyClassifier()
    components = PCA(min(COMPONENTS, *X.shape), svd_solver="covariance_eigh" if len(X) > X.shape[1] else "full")
    return make_pipeline(components, SVC(C=PENALTY))
