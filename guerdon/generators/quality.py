"""How good samples are, as numbers: their distance to data, and what a classifier makes of their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from guerdon.generators.protocols import SyntheticData
from guerdon.metrics import mmd2_unbiased
from guerdon.threads import one_thread
from guerdon.types import FloatArray

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["SampleQuality", "sample_quality"]

MEDIAN_ROWS = 1000
"""Rows whose distances give the length-scale."""

ITERATIONS = 5000


@dataclass(frozen=True)
class SampleQuality:
    """How good samples are: distances in the feature space of the comparison, accuracies as shares from 0 to 1.

    Attributes
    ----------
    mmd2 : float
        The unbiased MMD^2 between samples and held-out rows, near 0 (and perhaps negative) where they are alike.
    lengthscale : float
        The length-scale of its kernel.
    samples, held_out : int
        How many rows it compares.
    agreement : float or None
        The share of samples that a logistic regression trained on data labels as they are labelled: how plainly a
        sample is of its class. None without labels, as are the other two.
    usefulness : float or None
        The share of held-out rows that a logistic regression trained on the samples labels correctly.
    attainable : float or None
        The same for one trained on data.
    """

    mmd2: float
    lengthscale: float
    samples: int
    held_out: int
    agreement: float | None = None
    usefulness: float | None = None
    attainable: float | None = None


def sample_quality(
    samples: SyntheticData,
    data: SyntheticData,
    held_out: SyntheticData,
    *,
    features: Callable[[FloatArray], FloatArray] | None = None,
    lengthscale: float | None = None,
) -> SampleQuality:
    """Compare samples with held-out rows, which the generator should not have seen: one that repeats its data is
    nearer to that than any honest one.

    Parameters
    ----------
    samples, data, held_out : SyntheticData
        Rows drawn from the generator, rows to train a classifier on, and rows to compare with and score on.
    features : callable, optional
        Maps rows (m, d) to the feature space of comparison; the rows themselves when None.
    lengthscale : float, optional
        That of the Gaussian kernel there; the median distance between held-out rows when None.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> near, far, held = (SyntheticData(rng.normal(size=(200, 2)) + shift) for shift in (0, 2, 0))
    >>> sample_quality(near, held, held).mmd2 < 0.01 < sample_quality(far, held, held).mmd2
    True
    """
    S, D, H = (part.points if features is None else features(part.points) for part in (samples, data, held_out))
    width = _median_distance(H) if lengthscale is None else lengthscale
    mmd2 = mmd2_unbiased(S, H, width)
    y_samples, y_data, y_held = samples.labels, data.labels, held_out.labels
    if y_samples is None or y_data is None or y_held is None:
        return SampleQuality(mmd2, width, len(S), len(H))
    of_data, of_samples = _classifier(D, y_data), _classifier(S, y_samples)
    return SampleQuality(
        mmd2,
        width,
        len(S),
        len(H),
        agreement=_accuracy(of_data, S, y_samples),
        usefulness=_accuracy(of_samples, H, y_held),
        attainable=_accuracy(of_data, H, y_held),
    )


def _median_distance(rows: FloatArray) -> float:
    """Over all pairs of up to 1,000 evenly spaced rows; 1 where most rows are equal."""
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEDIAN_ROWS)).astype(int)]
    return float(np.median(pdist(chosen))) or 1.0


def _classifier(rows: FloatArray, labels: NDArray[np.float64]) -> Pipeline | float:
    """A logistic regression on standardised columns; the label itself where there is only one."""
    from sklearn.linear_model import LogisticRegression  # here: most runs need none
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels)) == 1:
        return float(labels[0])
    with one_thread():
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS)).fit(rows, labels)


def _accuracy(classifier: Pipeline | float, rows: FloatArray, labels: NDArray[np.float64]) -> float:
    predicted = classifier if isinstance(classifier, float) else classifier.predict(rows)
    return float(np.mean(predicted == labels))
