"""Labels for synthetic points, by a classifier fitted on the pool. Valuation never sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from guerdon.types import Contribution, FloatArray

__all__ = ["Labeller"]

NEIGHBOURS = 15


@dataclass(frozen=True, eq=False)
class Labeller:
    """The vote of the 15 nearest labelled rows (of all, where there are fewer).

    rows : how many labelled rows it was fitted on; parties : who brought them.
    """

    classifier: Any
    rows: int
    parties: tuple[str, ...]

    @classmethod
    def of(cls, contributions: Sequence[Contribution]) -> Self | None:
        """Fitted on the parties that sent labels; None where nobody did.

        Raises
        ------
        ValueError
            Labels are not whole numbers, so they name no classes.
        """
        labelled = [c for c in contributions if c.y is not None and len(c)]
        if not labelled:
            return None
        X = np.concatenate([c.X for c in labelled])
        y = np.concatenate([np.asarray(c.y) for c in labelled])
        if np.any(y != np.round(y)):
            bad = next(c.party for c in labelled if np.any(np.asarray(c.y) != np.round(np.asarray(c.y))))
            raise ValueError(
                f"labels must be whole numbers, one a class, but party {bad!r} sent others: leave its target out, or "
                "code the classes as 0, 1, 2, ..."
            )
        classifier = KNeighborsClassifier(n_neighbors=min(NEIGHBOURS, len(X)), n_jobs=1).fit(X, y.astype(np.int64))
        return cls(classifier, len(X), tuple(c.party for c in labelled))

    def __call__(self, points: FloatArray) -> NDArray[np.float64]:
        """The class of each point (n,), as the parties wrote them."""
        return np.asarray(self.classifier.predict(points), dtype=np.float64)
