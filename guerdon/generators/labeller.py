"""Labels for synthetic points, by a classifier fitted on the pool. Valuation never sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from guerdon.types import Contribution, FloatArray

__all__ = ["Labeller", "check_labels"]

NEIGHBOURS = 15

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
            f"others, such as {bad[0]}: leave its target out, or code the classes as 0, 1, 2, ..."
        )


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
            Labels name no classes: see ``check_labels``.
        """
        labelled = [c for c in contributions if c.y is not None and len(c)]
        if not labelled:
            return None
        for contribution in labelled:
            check_labels(contribution)
        X = np.concatenate([c.X for c in labelled])
        y = np.concatenate([np.asarray(c.y) for c in labelled])
        classifier = KNeighborsClassifier(n_neighbors=min(NEIGHBOURS, len(X)), n_jobs=1).fit(X, y.astype(np.int64))
        return cls(classifier, len(X), tuple(c.party for c in labelled))

    def __call__(self, points: FloatArray) -> NDArray[np.float64]:
        """The class of each point (n,), as the parties wrote them."""
        return np.asarray(self.classifier.predict(points), dtype=np.float64)
