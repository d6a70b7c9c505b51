"""Noise that is nested: for each row one Brownian path over the noise variance, kept over parties and runs.

e_r(eta) = B_r(eta), with B_r a Brownian motion of the row's own. Then e_r(eta) ~ N(0, eta) whatever eta is, and

    E e_r(a) e_r(b) = min(a, b),  so that  e_r(b) = e_r(a) + N(0, b - a) for a < b, the second independent of the first:

a lesser reward is a noisier version of a better one. Whoever holds several, his own or others', of one run or of many,
knows of a row's output what the one of the least noise tells, and nothing more. (Draws that are independent average
out: of variances a and b, a b / (a + b) is left.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from guerdon.keyed import uniform
from guerdon.row_marks import RowMarks
from guerdon.types import Contribution, FloatArray

__all__ = ["NoisePath"]

LARGEST = 2.0**1022
"""Where the path is drawn first; no noise variance is larger."""


@dataclass(frozen=True)
class NoisePath:
    """The paths of all rows, by a secret.

    Parameters
    ----------
    secret : bytes
        Who knows it can take the noise off. The same secret gives the same paths.

    Examples
    --------
    >>> path = NoisePath.of(np.random.default_rng(1))
    >>> rows = Contribution("east", [[1.0], [2.0]], [0.5, 0.7])
    >>> bool(np.all(path.draws(rows, 0.3) == path.draws(rows, 0.3))), path.draws(rows, 0.0)
    (True, array([0., 0.]))
    """

    secret: bytes

    @classmethod
    def of(cls, rng: np.random.Generator) -> Self:
        """The path for the next secret that the generator draws."""
        return cls(rng.bytes(32))

    def draws(self, contribution: Contribution, eta: float) -> FloatArray:
        """The noise of VARIANCE eta on a contribution's outputs, in its own units: (m,).

        The paths are over variances in the units of what the party sent, so that another standardization, as another
        pool has, doesn't make another path.
        """
        marks = contribution.marks or RowMarks.of(contribution)
        return self(marks.keys, eta * marks.unit**2) / marks.unit

    def __call__(self, keys: NDArray[np.uint8], eta: float) -> FloatArray:
        """B(eta) for the rows of these keys (m, 16): (m,).

        Levy's construction: known at both ends of an interval, the path at a point between them has a mean on the line
        that joins them and the variance (t - a)(b - t)/(b - a). The point is the middle float of the interval, counted
        in floats, so that any eta is met exactly after at most 63 steps, and each step's number belongs to its point.
        """
        if not 0.0 <= eta <= LARGEST:
            raise ValueError(f"a noise variance from 0 to {LARGEST:g} is expected, got {eta!r}")
        wanted, low, high = _place(eta), 0, _place(LARGEST)
        a, b, at_a = 0.0, LARGEST, np.zeros(len(keys))
        if wanted == low:
            return at_a
        at_b = np.sqrt(b) * self._normal(keys, b)
        while wanted != high:
            middle = (low + high) // 2
            t = _float(middle)
            share = (t - a) / (b - a)
            spread = np.sqrt((t - a) * ((b - t) / (b - a)))
            at_t = at_a + share * (at_b - at_a) + spread * self._normal(keys, t)
            if wanted <= middle:
                high, b, at_b = middle, t, at_t
            else:
                low, a, at_a = middle, t, at_t
        return np.asarray(at_b)

    def _normal(self, keys: NDArray[np.uint8], t: float) -> FloatArray:
        from scipy.special import ndtri  # here: whoever only scores a reward draws no noise

        return np.asarray(ndtri(uniform(self.secret, b"path" + struct.pack("<d", t), keys)))


def _place(value: float) -> int:
    """The place of a float >= 0 among all of them, in their order."""
    return int(struct.unpack("<q", struct.pack("<d", value + 0.0))[0])


def _float(place: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", place))[0])
