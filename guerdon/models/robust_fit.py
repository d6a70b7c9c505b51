"""Hyperparameters that no single party decides: the median, in log, of what several parts of the pool show.

One party's rows can drag a likelihood's maximum: outputs that are made up ask for a shorter lengthscale or more noise.
Of n parts of the pool each is fitted by itself, and the median of each hyperparameter taken:

    leave-one-out median    parts are the pool without one party: little is lost of what all rows tell, and what a party
                            does to the median is at most what it does to a fit; but it is in n - 1 of the n parts
    party median            parts are the parties: half of them would have to lie together, and each has few rows

Where each party's noise is learned, that is done afterwards, with the other hyperparameters as they came out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, Self, TypeVar, runtime_checkable

from guerdon.types import Contribution, Progress, silent

__all__ = ["FITS", "Robust", "RobustFit", "median_fit"]

RobustFit = Literal["leave-one-out median", "party median"]

FITS: tuple[RobustFit, ...] = ("leave-one-out median", "party median")
"""How hyperparameters are learned from several parts of the pool."""


@runtime_checkable
class Robust(Protocol):
    """A model that can take the median of models of its kind."""

    def median(self, fitted: Sequence[Any], features: int) -> Self:
        """This model with what is open of it the median, in log, of the fitted ones', on so many features."""
        ...

    def fit(self, contributions: Sequence[Contribution], *, progress: Progress = ...) -> Self: ...


M = TypeVar("M", bound="Robust")


def median_fit(model: M, contributions: Sequence[Contribution], how: RobustFit, *, progress: Progress = silent) -> M:
    """The model with its open hyperparameters the median of several fits.

    Parameters
    ----------
    model : Robust
        With hyperparameters that are open, to be learned.
    contributions : sequence of Contribution
        Of at least three parties: of two the median is half of each.
    how : str
        Which parts: "leave-one-out median" or "party median".
    progress : callable

    Raises
    ------
    ValueError
        There are fewer than three parties.
    """
    n = len(contributions)
    if n < 3:
        raise ValueError(f"the {how} of hyperparameters takes at least three parties, got {n}: fit on the pool instead")
    if how == "party median":
        parts = [[c] for c in contributions]
    else:
        parts = [[c for k, c in enumerate(contributions) if k != j] for j in range(n)]
    fitted = []
    for j, part in enumerate(parts):
        fitted.append(model.fit(part))
        progress("fit", j + 1, n)
    return model.median(fitted, contributions[0].X.shape[1]).fit(contributions)
