"""Representative inputs of a pool: the centres of k-means, whatever the order in which its rows arrived."""

from __future__ import annotations

import numpy as np

from guerdon.threads import one_thread_of_all
from guerdon.types import FloatArray

__all__ = ["centres"]


def centres(X: FloatArray, count: int, seed: int) -> FloatArray:
    """The ``count`` centres of k-means on the rows of X (m, d), in ascending order of their coordinates: (count, d).

    The rows are sorted first, so that the centres depend on the rows and the seed alone. One thread, since
    scikit-learn's threads add up in whatever order they come; its OpenMP may have been loaded after our own limits
    were set up, hence a fresh look at what is loaded.

    Raises
    ------
    ValueError
        There are fewer different rows than centres.
    """
    from sklearn.cluster import KMeans  # here: most runs need none

    different = len(np.unique(X, axis=0)) if len(X) else 0
    if different < count:
        raise ValueError(
            f"{count} inducing points need as many different inputs, but the pool has {different}: ask for at most "
            f"{different}, or give the points"
        )
    with one_thread_of_all():
        fitted = KMeans(count, n_init=1, random_state=seed).fit(_sorted(X))
    return _sorted(np.asarray(fitted.cluster_centers_, dtype=np.float64))


def _sorted(X: FloatArray) -> FloatArray:
    return np.ascontiguousarray(X[np.lexsort(X.T[::-1])])
