"""How much of a value comes from the noise level: what a user should know before trusting one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guerdon.models.protocols import Model
from guerdon.models.statistics import as_rows
from guerdon.types import Contribution

__all__ = ["NoiseSensitivity", "noise_sensitivity"]

NUGGET_SHARE = 0.8
"""Effective degrees of freedom a row above which the model takes the rows' own scatter for signal."""


@dataclass(frozen=True)
class NoiseSensitivity:
    """What the noise level does to the pool's value.

    Attributes
    ----------
    value : float
        v_N in nats.
    rows : int
        How many rows the pool has.
    degrees_of_freedom : float
        tr(K (K + L)^-1), how many numbers the data determine, between 0 and ``rows``.
    """

    value: float
    rows: int
    degrees_of_freedom: float

    @property
    def elasticity(self) -> float:
        """d v_N / d log noise in nats an e-fold: -1/2 tr(B^-1 (B - I)), half the degrees of freedom, negative."""
        return -0.5 * self.degrees_of_freedom

    @property
    def share(self) -> float:
        """Degrees of freedom a row, in [0, 1]: 1 where every row only tells about itself."""
        return self.degrees_of_freedom / self.rows if self.rows else 0.0

    @property
    def counts_noise(self) -> bool:
        """Whether (almost) every row has a degree of freedom to itself, as under a kernel with a term like a nugget."""
        return self.share > NUGGET_SHARE

    @property
    def sentence(self) -> str:
        """The numbers in words."""
        text = (
            f"the pool's {self.rows} rows have {self.degrees_of_freedom:.4g} effective degrees of freedom: a noise "
            f"variance 10 % larger lowers v_N = {self.value:.4g} nats by about {-self.elasticity * np.log(1.1):.2g}"
        )
        if self.counts_noise:
            text += (
                f". That is {self.share:.0%} of the rows: each tells of itself alone, so that a value counts rows, or "
                "their noise. A kernel term with a short lengthscale does that, or a noise variance that is too small"
            )
        return text


def noise_sensitivity(model: Model, contributions: Sequence[Contribution]) -> NoiseSensitivity:
    """How the pool's value answers to the noise level, in closed form.

    With B = I + L^-1/2 K L^-1/2 and all noise variances scaled by s, d v_N / d log s = -1/2 tr(B^-1 (B - I)).

    Parameters
    ----------
    model : Model
        With all hyperparameters known.
    contributions : sequence of Contribution

    Examples
    --------
    >>> from guerdon.models import BayesianLinear
    >>> found = noise_sensitivity(BayesianLinear(noise=1.0), [Contribution("ada", np.array([[1.0]]))])
    >>> round(found.elasticity, 12)
    -0.25
    """
    model, rows = as_rows(model, contributions)
    X = np.concatenate([c.X for c in rows])
    noise = np.concatenate([model.noise_of(c) for c in rows])
    return NoiseSensitivity(
        model.information_gain(X, noise), sum(map(len, contributions)), model.degrees_of_freedom(rows)
    )
