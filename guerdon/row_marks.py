"""What tells a party's rows apart whatever units they are in, and how heavily others' rewards may count each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.keyed import uniform

if TYPE_CHECKING:
    from guerdon.types import Contribution, FloatArray

__all__ = ["RowMarks", "shown", "shown_to_others", "weights_of"]


@dataclass(frozen=True, eq=False)
class RowMarks:
    """The marks of a contribution's rows, made once, of the numbers that the party sent.

    Attributes
    ----------
    keys : (m, 16) uint8 array
        A digest a row: of its party, its inputs, its output, and how many equal rows of the party come before it.
    unit : float
        What the outputs were divided by since (``Scaling``), so that what is drawn for a row can stay the same.
    weights : (m,) array, optional
        How heavily each row counts in what others get, about 1; None where every row counts as 1.
    shown : Contribution, optional
        The same rows in the units that rewards are made and sent in, where these are others than the values are taken
        in: units that follow from all rows exactly would tell of them. See ``shown``.
    others : Contribution, optional
        What others' rewards are made of in the place of these rows, where that can't be said by a weight a row.
    """

    keys: NDArray[np.uint8]
    unit: float = 1.0
    weights: FloatArray | None = None
    shown: Contribution | None = None
    others: Contribution | None = None

    @classmethod
    def together(cls, keys: NDArray[np.uint8], count: int, unit: float = 1.0) -> Self:
        """The marks of so many rows that all rows of these keys together were made into."""
        whole = blake2b(np.sort(np.ascontiguousarray(keys).view("V16"), axis=0).tobytes(), digest_size=16).digest()
        made = b"".join(blake2b(whole, salt=k.to_bytes(16, "little"), digest_size=16).digest() for k in range(count))
        return cls(np.frombuffer(made, dtype=np.uint8).reshape(count, 16), unit)

    @classmethod
    def of(cls, contribution: Contribution) -> Self:
        """The marks of rows as they are; columns are taken by name, so that their order changes nothing."""
        names = contribution.feature_names
        order = sorted(range(contribution.X.shape[1]), key=lambda j: names[j]) if names is not None else slice(None)
        columns = [contribution.X[:, order]] + ([] if contribution.y is None else [contribution.y[:, None]])
        rows = np.ascontiguousarray(np.concatenate(columns, axis=1) + 0.0)  # -0.0 and 0.0 are one number
        party, seen = blake2b(contribution.party.encode(), digest_size=16).digest(), Counter[bytes]()
        keys = bytearray()
        for row in rows:
            own = blake2b(row, digest_size=16, salt=party).digest()
            if seen[own]:
                keys += blake2b(own, digest_size=16, salt=party, person=seen[own].to_bytes(8, "little")).digest()
            else:
                keys += own
            seen[own] += 1
        return cls(np.frombuffer(bytes(keys), dtype=np.uint8).reshape(len(rows), 16))

    def weighted(self, secret: bytes, rows: float) -> Self:
        """The marks with weights of mean 1 that only who has the secret knows.

        Sums over the party's m rows then hold an error as large as ``rows`` of them: the weights' standard deviation is
        rows / sqrt(m), at most 1. They follow from the secret and from all of the party's rows together: the same rows
        have the same weights in every run, and one row more or less gives new ones to all. Gamma distributed; all 1
        where ``rows`` is 0.
        """
        from scipy.special import gammaincinv  # a party that only reads its file loads no SciPy

        m = len(self.keys)
        if rows <= 0.0 or not m:
            return replace(self, weights=np.ones(m))
        shape = max(m / rows**2, 1.0)
        everything = blake2b(np.sort(self.keys.view("V16"), axis=0).tobytes(), digest_size=16).digest()
        weights = gammaincinv(shape, uniform(secret, b"weights" + everything, self.keys)) / shape
        weights = np.maximum(weights, np.finfo(np.float64).tiny ** 0.5)
        weights.setflags(write=False)
        return replace(self, weights=weights)

    def of_rows(self, rows: NDArray[np.intp]) -> Self:
        """The marks of some of the rows, where they have nothing else to show."""
        if self.shown is not None:
            raise ValueError("rows whose marks show them in other units are chosen before, not after")
        return replace(self, keys=self.keys[rows], weights=None if self.weights is None else self.weights[rows])

    def divided(self, unit: float) -> Self:
        """The marks of the same rows with their outputs divided by this."""
        return replace(self, unit=self.unit * unit)


def shown(contribution: Contribution) -> Contribution:
    """The contribution as rewards are made of it, the party's own too; itself where its marks say nothing else."""
    marks = contribution.marks
    return contribution if marks is None or marks.shown is None else marks.shown


def shown_to_others(contribution: Contribution) -> Contribution:
    """The contribution as others' rewards are made of it."""
    own = shown(contribution)
    return own if own.marks is None or own.marks.others is None else own.marks.others


def weights_of(contribution: Contribution) -> FloatArray | float:
    """How heavily each of a contribution's rows counts in what others get: (m,), or 1."""
    marks = contribution.marks
    return 1.0 if marks is None or marks.weights is None else marks.weights
