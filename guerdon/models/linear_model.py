"""What all models with Gaussian weights share: the value of data, of every coalition, and how tempering moves it.

A row of data tells as much of the weights w ~ N(0, I) as its white rows P: the value is I(w; D) =
1/2 log det(I + P' P) in nats. A linear model with Gaussian noise has P = L^-1/2 Phi, one white row a row; a logistic
model has those of its likelihood's curvature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guerdon.linalg import PRECISION, LossOfPrecisionError
from guerdon.models.coalition_sums import chains_of_gains, gain, table_of_gains
from guerdon.models.features import Features
from guerdon.models.linear_gaussian_posterior import square_root_information
from guerdon.models.noise_response import noise_response_of
from guerdon.models.protocols import NoiseResponse
from guerdon.types import Contribution, FloatArray, Progress, silent

__all__ = ["LinearModel", "WhiteRows"]

DROPPED = 1e-3
"""The largest share of a value (or of 1 nat) that features lost to rounding may hold, at least."""


class WhiteRows(Protocol):
    """Rows P (k, W), a block at a time."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[FloatArray]: ...
    @property
    def width(self) -> int: ...
    def whole(self) -> FloatArray: ...


class LinearModel:
    """A model of weights w ~ N(0, I), for models that say what the white rows of a contribution are."""

    def _features(self) -> Features | None:
        """phi, ready to be used; None for the inputs themselves."""
        raise NotImplementedError

    def _white(self, contribution: Contribution) -> WhiteRows:
        """P (k, W) of a contribution's rows."""
        raise NotImplementedError

    def _least_noise(self, contribution: Contribution) -> FloatArray:
        """The smallest noise variance (m,) that the white rows of each row are like."""
        raise NotImplementedError

    def value_of(self, contribution: Contribution) -> float:
        """I(w; D) in nats of one party's rows, or of any rows.

        Raises
        ------
        LossOfPrecisionError
            (Almost) repeated features with (almost) no noise: float64 can't tell the value.
        """
        if len(contribution) == 0:
            return 0.0
        P = self._white(contribution).whole()
        value = gain(P)
        self._require_scales([P], value)
        self._require_directions(contribution, value)
        return value

    def information_gains(self, contributions: Sequence[Contribution], *, progress: Progress = silent) -> FloatArray:
        """I(w; D_C) in nats of every coalition: (2**n,), from one Gram matrix a party."""
        parts = [self._white(c).whole() for c in contributions]
        table = table_of_gains(parts, progress=progress)
        self._require(parts, contributions, float(table[-1]))
        return table

    def information_gain_chains(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> FloatArray:
        """I(w; D_C) in nats of all prefixes of each order of the parties: (k, n + 1), from running sums."""
        parts = [self._white(c).whole() for c in contributions]
        chains = chains_of_gains(parts, orders)
        self._require(parts, contributions, float(chains[0, -1]) if len(chains) else 0.0)
        return chains

    def degrees_of_freedom(self, contributions: Sequence[Contribution]) -> float:
        """tr(Q (Q + I)^-1) = tr(P (I + P' P)^-1 P') of the pool, with Q = P P'."""
        parts = [self._white(c) for c in contributions]
        root = square_root_information(chain(*parts), parts[0].width)
        return float(sum(np.square(P @ root).sum() for P in chain(*parts)))

    def tempering_response(self, own: Contribution, others: Contribution) -> NoiseResponse:
        """How IG falls as the others' likelihood is taken to the power kappa = 1 / (1 + eta).

        Their white rows have noise 1 each, so one decomposition serves every eta whatever their own noise is.
        """
        white = self._white(others)
        return self._response(own, white, np.ones(len(white)), white)

    def _response(self, own: Contribution, rows: WhiteRows, noise: FloatArray, white: WhiteRows) -> NoiseResponse:
        P, own_value = self._white(own), self.value_of(own)
        response = noise_response_of(own_value, square_root_information(P, P.width), rows, noise)
        self._require_scales(chain(P, white), own_value + response.gain(0.0).value)
        return response

    def _require(self, parts: Sequence[FloatArray], contributions: Sequence[Contribution], value: float) -> None:
        self._require_scales(parts, value)
        for c in contributions:
            self._require_directions(c, value)

    def _require_directions(self, contribution: Contribution, value: float) -> None:
        """Refuse a value that directions of the features which float64 can't tell would add to."""
        dropped = getattr(self._features(), "dropped", None)
        if dropped is not None and len(contribution):
            scaled = np.square(dropped(contribution.X)) / self._least_noise(contribution)[:, None]
            lost = float(0.5 * np.sum(np.log1p(np.sum(scaled, axis=0))))
            if not lost <= DROPPED * max(1.0, value):
                raise LossOfPrecisionError(
                    f"the information gain of the data would be {value:.6g} nats, without {lost:.3g} nats or more that "
                    "the data tell of the difference between inducing points that are too close together for float64. "
                    "Leave some out, or move them apart."
                )

    def _require_scales(self, white: Iterable[FloatArray], value: float) -> None:
        """Refuse a value that the rounding of the features' own scales could have moved.

        A relative error e_j in the scale of feature j moves the value by e_j [G (I + G)^-1]_jj, G = P' P, at most
        (with several weights a feature, by the sum over them).
        """
        errors = getattr(self._features(), "scale_errors", None)
        if errors is not None:
            white = list(white)
            width = white[0].shape[1] if white else len(errors)
            root = square_root_information(white, width)
            freedom = np.clip(1.0 - np.square(root).sum(axis=1), 0.0, 1.0)
            error = float(np.resize(errors, width) @ freedom)
            if not error <= PRECISION * max(1.0, value):
                raise LossOfPrecisionError(
                    f"the information gain of the data is {value:.6g} nats with a rounding error of about {error:.1g}: "
                    "features such as inducing points are too close together for float64 to tell them apart, and the "
                    "data depend on their difference. Leave some out, or move them apart."
                )
