"""Noise variances: one for all rows, each row's own, or one for each party, learned with the rest.

A party's outputs may be noisier than another's, because it measures worse, or because they are made up. With one
variance for all, the others' rows pay for it; with one for each, maximum likelihood finds out, and a party's rows count
for what they turn out to be worth. What a party declares of its own noise then can only add to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.checks import is_number
from guerdon.types import Contribution, FloatArray

__all__ = [
    "BY_PARTY",
    "Groups",
    "Noise",
    "PartyNoise",
    "check_noise",
    "described_noise",
    "known_noise",
    "learned_noise",
    "median_noise",
    "noise_groups",
    "noise_is_open",
    "noise_of_party",
    "noise_of_rows",
    "row_noise",
]

BY_PARTY: Literal["by-party"] = "by-party"
"""As a model's noise: a variance for each party, to be learned."""


@dataclass(frozen=True)
class PartyNoise:
    """A noise VARIANCE for each party.

    Parameters
    ----------
    variances : mapping of str to float
        By the party's name.

    Examples
    --------
    >>> noise = PartyNoise({"ada": 0.1, "bob": 0.4})
    >>> noise.of(Contribution("bob", [[1.0], [2.0]], noise=[0.3, 0.9])).tolist()
    [0.4, 0.9]
    """

    variances: Mapping[str, float]

    @property
    def typical(self) -> float:
        """The geometric mean, for rows of nobody known."""
        return float(np.exp(np.mean(np.log(list(self.variances.values())))))

    def of(self, contribution: Contribution) -> FloatArray:
        """The variance of each row (m,): the party's, and what it declares where that is larger.

        Rows of none of the parties have the variances that they bring, or the typical one.
        """
        own = self.variances.get(contribution.party)
        given = contribution.noise
        if own is None:
            found: ArrayLike = self.typical if given is None else given
        else:
            found = own if given is None else np.maximum(own, given)
        return np.array(np.broadcast_to(found, len(contribution)), dtype=np.float64)


Noise = float | Literal["by-party"] | PartyNoise | None
"""A model's noise: a VARIANCE, None or "by-party" to learn one for all or one for each party, or what was learned."""


class Groups(NamedTuple):
    """The parties by name, in order, and whose each row is: owner (m,)."""

    names: tuple[str, ...]
    owner: NDArray[np.intp]

    def noise(self, variances: ArrayLike) -> PartyNoise:
        """Of variances (n,) in the order of the names."""
        return PartyNoise(dict(zip(self.names, np.asarray(variances, dtype=np.float64).tolist(), strict=True)))

    def variances(self, noise: Noise) -> FloatArray:
        """What was learned (n,), in the order of the names; not a number for a party whose was not."""
        found = noise.variances if isinstance(noise, PartyNoise) else {}
        return np.array([found.get(name, np.nan) for name in self.names])


def noise_groups(contributions: Sequence[Contribution], noise: Noise) -> Groups | None:
    """Whose each row of the pool is, where each party's variance is to be learned; else None."""
    if noise != BY_PARTY:
        return None
    names = tuple(sorted({c.party for c in contributions if len(c)}))
    owner = [names.index(c.party) if len(c) else 0 for c in contributions]
    return Groups(names, np.repeat(np.array(owner, dtype=np.intp), [len(c) for c in contributions]))


def check_noise(noise: object) -> None:
    """Refuse a model's noise that is none.

    Raises
    ------
    ValueError
    """
    if noise is None or isinstance(noise, PartyNoise) or (isinstance(noise, str) and noise == BY_PARTY):
        return
    if not (is_number(noise) and 0.0 < noise < np.inf):  # type: ignore[operator]
        raise ValueError(
            f"noise is a positive variance (None to learn it, 'by-party' to learn one for each party), got {noise!r}"
        )


def noise_is_open(contributions: Sequence[Contribution], noise: Noise) -> bool:
    """Whether the variance of a row is still to be learned."""
    if noise == BY_PARTY:
        return any(len(c) for c in contributions)
    return noise is None and any(c.noise is None and len(c) for c in contributions)


def learned_noise(noise: Noise, learned: float | FloatArray | None, groups: Groups | None) -> Noise:
    """A model's noise once maximum likelihood has found what was open of it."""
    if groups is not None and learned is not None:
        return groups.noise(learned)
    return float(learned) if noise is None and learned is not None else noise


def median_noise(noise: Noise, fitted: Sequence[Noise]) -> Noise:
    """A model's noise with the median, in log, of the fitted ones where one for all is open."""
    found = [variance for own in fitted if (variance := known_noise(own)) is not None]
    return float(np.exp(np.median(np.log(found)))) if noise is None and found else noise


def known_noise(noise: Noise) -> float | None:
    """One variance that stands for a model's noise; None where it is open."""
    if isinstance(noise, PartyNoise):
        return noise.typical
    return None if isinstance(noise, str) else noise


def described_noise(noise: Noise) -> float | str | dict[str, float] | None:
    """A model's noise as plain numbers and text: by party, where it is."""
    return dict(noise.variances) if isinstance(noise, PartyNoise) else noise


def noise_of_party(noise: Noise, party: str) -> float:
    """The noise variance of a party whose rows bring none of their own.

    Raises
    ------
    ValueError
        It is open.
    """
    found = noise.variances.get(party, noise.typical) if isinstance(noise, PartyNoise) else noise
    if found is None or isinstance(found, str):
        raise ValueError("the model's noise is open: call fit() to learn it, or give it")
    return float(found)


def noise_of_rows(noise: Noise, contribution: Contribution) -> FloatArray:
    """The noise variance of each of a contribution's rows: (m,).

    Its own where given, else the model's; where parties have theirs, the larger of that and its own.

    Raises
    ------
    ValueError
        It is open.
    """
    if isinstance(noise, PartyNoise):
        return noise.of(contribution)
    if isinstance(noise, str):
        raise ValueError("the model's noise by party is open: call fit() to learn it, or give it")
    return row_noise(noise, len(contribution), contribution.noise)


def row_noise(noise: Noise, rows: int, given: ArrayLike | None) -> FloatArray:
    """The noise variances given for so many rows, else the model's: (rows,).

    Raises
    ------
    ValueError
        Their shape does not fit, one is not positive, or the model has none.
    """
    if given is None and known_noise(noise) is None:
        raise ValueError("the model's noise is open: call fit() to learn it, or give it")
    variances = np.asarray(known_noise(noise) if given is None else given, dtype=np.float64)
    if variances.shape not in ((), (rows,)):
        raise ValueError(f"noise must be one variance or shape ({rows},), got shape {variances.shape}")
    if np.any(~(variances > 0)):
        raise ValueError(f"noise variances must be positive, got {np.min(variances)}")
    return np.array(np.broadcast_to(variances, rows), dtype=np.float64)
