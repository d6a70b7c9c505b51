"""What all models with Gaussian weights share: the value of data, of every coalition, and how tempering moves it.

A row of data tells as much of the weights w ~ N(0, I) as its white rows P: the value is I(w; D) =
1/2 log det(I + P' P) in nats. A linear model with Gaussian noise has P = L^-1/2 Phi, one white row a row; a logistic
model has those of its likelihood's curvature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from guerdon.linalg import PRECISION, LossOfPrecisionError, psd_cholesky, triangular_factor
from guerdon.models.coalition_sums import (
    chains_of_gains,
    chains_of_predictive_gains,
    gain,
    gains_of_rows,
    predictive_gains_of_rows,
    table_of_gains,
    table_of_predictive_gains,
)
from guerdon.models.features import Features
from guerdon.models.linear_gaussian_posterior import square_root_information
from guerdon.models.noise_response import noise_response_of
from guerdon.models.pool import some_rows
from guerdon.models.protocols import NoiseResponse
from guerdon.models.references import PredictiveResponse, References, narrowing
from guerdon.threads import one_thread
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


class LinearModel(ABC):
    """A model of weights w ~ N(0, I), for models that say what the white rows of a contribution are."""

    @abstractmethod
    def _features(self) -> Features | None:
        """phi, ready to be used; None for the inputs themselves."""

    @abstractmethod
    def _white(self, contribution: Contribution) -> WhiteRows:
        """P (k, W) of a contribution's rows."""

    @property
    def _rows_each(self) -> int:
        """p, the white rows of each row."""
        return 1

    @abstractmethod
    def _least_noise(self, contribution: Contribution) -> FloatArray:
        """The smallest noise variance (m,) that the white rows of each row are like."""

    @abstractmethod
    def noise_of(self, contribution: Contribution) -> FloatArray:
        """The noise variance of each row (m,), as the model understands it."""

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

    def row_influences(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> list[FloatArray]:
        """What each party adds when it arrives, less what it adds without row r, on average over the orders.

        For each party (some m, n), in nats. With p_r the white rows of row r and A_C = I + P_C' P_C, it adds
        -1/2 log det(I - p_r A_C^-1 p_r') to v_C. Of a party with many rows, those of some.
        """

        def worth(by_row: FloatArray, factor: FloatArray) -> FloatArray:
            return narrowing(by_row @ by_row.transpose(0, 2, 1) * (1.0 - 1e-15))

        return self._influences(contributions, orders, worth)

    def predictive_row_influences(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> list[FloatArray]:
        """The same of what is known at the references; empty where a row is like several white rows.

        With C = A_C^-1, b_x = 1 + R_x C R_x' and d_r = 1 - p_r C p_r', without row r a reference x would lose
        1/2 log[1 + (R_x C p_r')^2 / (b_x d_r)].
        """
        if self._rows_each > 1:
            return []
        at, weights = self._at(references)[:, 0], references.weights

        def worth(by_row: FloatArray, factor: FloatArray) -> FloatArray:
            P = by_row[:, 0]
            R = solve_triangular(factor, at.T, lower=True, check_finite=False)  # (W, q)
            left = 1.0 - np.square(P).sum(axis=1) * (1.0 - 1e-15)
            share = np.square(P @ R) / (1.0 + np.square(R).sum(axis=0)) / left[:, None]
            return np.asarray(0.5 * np.log1p(share) @ weights)

        return self._influences(contributions, orders, worth)

    def _influences(
        self,
        contributions: Sequence[Contribution],
        orders: NDArray[np.intp],
        worth: Callable[[FloatArray, FloatArray], FloatArray],
    ) -> list[FloatArray]:
        """``row_influences`` of a value of which a coalition's rows p_r hold ``worth`` (p_r L^-T, L), L L' = A_C."""
        parts = [self._white(c) for c in contributions]
        n, width = len(parts), parts[0].width
        grams = np.stack([sum((P.T @ P for P in part), np.zeros((width, width))) for part in parts])
        places = [some_rows(len(c), n) for c in contributions]
        chosen = [self._by_row([_some(c, self.noise_of(c), k)]) for c, k in zip(contributions, places, strict=True)]
        starts = np.cumsum([0, *map(len, places)])
        total = np.zeros((n, starts[-1]))
        for order in orders:
            A, adds = np.eye(width), np.zeros(starts[-1])
            for place, i in enumerate(order):
                A = A + grams[i]
                arrived = np.concatenate([np.arange(starts[j], starts[j + 1]) for j in order[: place + 1]])
                P = np.concatenate([chosen[j] for j in order[: place + 1]])
                flat = P.reshape(-1, width).T
                with one_thread():
                    factor = psd_cholesky(A, "the pooled data")
                    half = solve_triangular(factor, flat, lower=True, check_finite=False)
                by_row = half.T.reshape(P.shape)
                after = np.zeros(starts[-1])
                after[arrived] = worth(by_row, factor)
                total[i] += (after - adds) / len(orders)
                adds = after
        return [part.T for part in np.split(total, starts[1:-1], axis=1)]

    def row_gains(self, contributions: Sequence[Contribution], orders: NDArray[np.intp]) -> FloatArray:
        """What each row of the pool adds in nats when the rows arrive in an order: (k, m) for orders (k, m)."""
        rows = self._by_row(contributions)
        return np.stack([gains_of_rows(rows, order) for order in orders])

    def predictive_row_gains(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> FloatArray:
        """What each row adds to what is known at the references when rows arrive in an order: (k, m) as orders."""
        rows, at = self._by_row(contributions), self._at(references)
        return np.stack([predictive_gains_of_rows(rows, at, references.weights, order) for order in orders])

    def _by_row(self, contributions: Sequence[Contribution]) -> FloatArray:
        """The white rows (m, p, W), p a row."""
        P = np.concatenate([self._white(c).whole() for c in contributions])
        return P.reshape(sum(map(len, contributions)), self._rows_each, P.shape[1])

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

    def predictive_gains(
        self, contributions: Sequence[Contribution], references: References, *, progress: Progress = silent
    ) -> FloatArray:
        """What every coalition's data tell of new outputs at the references, in nats: (2**n,)."""
        parts, at = [self._white(c).whole() for c in contributions], self._at(references)
        return table_of_predictive_gains(parts, at, references.weights, progress=progress)

    def predictive_gain_chains(
        self, contributions: Sequence[Contribution], references: References, orders: NDArray[np.intp]
    ) -> FloatArray:
        """The same of all prefixes of each order of the parties: (k, n + 1)."""
        parts, at = [self._white(c).whole() for c in contributions], self._at(references)
        return chains_of_predictive_gains(parts, at, references.weights, orders)

    def predictive_response(
        self, own: Contribution, others: Contribution, references: References, own_value: float, *, tempered: bool
    ) -> PredictiveResponse:
        """How what is known at the references answers to noise on the others' outputs, or to tempering them.

        With root root' = (I + P_i' P_i)^-1 and the others' rows W = Phi_o root: (W' W) V = V diag(lambda) where their
        noise is l throughout, and then R_x Sigma_eta R_x' = |g_x|^2 - sum_j g_xj g_xj' lambda_j / (lambda_j + l + eta),
        g_x = R_x root V; else by the eigenvectors of W W' + diag(noise).
        """
        P = self._white(own)
        root = square_root_information(P, P.width)
        rows, noise = self._noisy(others, tempered)
        g = self._at(references) @ root  # (q, p, M)
        before = np.eye(g.shape[1]) + g @ g.transpose(0, 2, 1)
        W = np.concatenate([np.empty((0, P.width)), *(block @ root for block in rows)])
        if len(noise) == 0 or np.all(noise == noise[0]):
            shared = float(noise[0]) if len(noise) else 1.0
            R = triangular_factor(P.width, [W])
            _, singular, V = np.linalg.svd(R, full_matrices=False)
            z = (g @ V.T * singular).transpose(2, 0, 1)
            return PredictiveResponse(own_value, references.weights, before, z, np.square(singular) + shared)
        floor, U = np.linalg.eigh(W @ W.T + np.diag(noise))
        z = (g @ (W.T @ U)).transpose(2, 0, 1)
        return PredictiveResponse(own_value, references.weights, before, z, floor)

    @abstractmethod
    def _at(self, references: References) -> FloatArray:
        """The white rows (q, p, W) of a new output at each reference."""

    def _noisy(self, others: Contribution, tempered: bool) -> tuple[WhiteRows, FloatArray]:
        """The others' rows and what their noise variances are: those of white rows are 1."""
        white = self._white(others)
        return white, np.ones(len(white))

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


def _some(contribution: Contribution, noise: FloatArray, rows: NDArray[np.intp]) -> Contribution:
    """Some rows of a contribution, with the noise variances that hold for them."""
    return Contribution(contribution.party, contribution.X[rows], noise=noise[rows])
