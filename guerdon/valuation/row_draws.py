"""How far values are open because rows were drawn: the errors of phi and alpha by a jackknife.

A party's rows are a draw from those that it might have sent: which it held out is chance, and which it has at all. With
U_r = phi - phi without row r (n,), its influence, the variance of phi is (Efron & Stein 1981, who show that this errs
on the large side)

    sum over parties of (m - 1) / m sum over its m rows of (U_r - mean U)(U_r - mean U)'

Of the same draw, a share h of a file that is held out decides h times as much of that variance: two splits of one file
share most of their rows. Hyperparameters, length-scale and scaling are held as they are; what is drawn from a generator
is one more set of rows. No row is left out for it: leverages, and sums of the kernel, tell what it would come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import comb, factorial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import FloatArray, ShapleyValues, all_coalitions

__all__ = ["MOST_PARTIES", "RowGame", "SamplingError", "arrival_orders", "sampling_error", "shapley_weights"]

MOST_PARTIES = 100
"""Of more parties the errors are not computed: influences are a number for every row and party."""

ALL_ORDERS, MOST_ORDERS = 24, 32
"""Orders of arrival: all where there are so few, else rotations of one and their reverses, at most so many."""

DRAWS = 4000
"""Draws of phi from its normal distribution, of which alpha's errors are taken: alpha is 1 for whoever is largest."""


@runtime_checkable
class RowGame(Protocol):
    """A game that says how its Shapley values answer to single rows."""

    def row_influences(self) -> Sequence[tuple[int, FloatArray]]:
        """For each set of rows that was drawn, how many it has, and phi less phi without it, of all or some: (rows, n).

        The first n sets are the parties'; further ones are no party's, such as synthetic rows. Empty where it
        can't say.
        """
        ...


@dataclass(frozen=True, eq=False)
class SamplingError:
    """What the draw of rows leaves open.

    Parameters
    ----------
    alpha : (n,) array
        phi_i / phi*.
    shapley_errors, alpha_errors : (n,) array
        Standard errors by all that was drawn, with that of a sampled Shapley estimate.
    alpha_range : (n, 2) array
        Where alpha lies in nine draws of ten.
    split_errors : (n,) array
        Standard errors of alpha by which rows of a file are held out.
    split_range : (n, 2) array
        Where alpha lies in nine splits of ten of the same files.
    """

    alpha: FloatArray
    shapley_errors: FloatArray
    alpha_errors: FloatArray
    alpha_range: FloatArray
    split_errors: FloatArray
    split_range: FloatArray


def sampling_error(game: Any, shapley: ShapleyValues, *, holdout: float = 0.0) -> SamplingError | None:
    """The errors of a game's Shapley values and alphas by the draw of its rows.

    Parameters
    ----------
    game : Game
        Nothing is told of one that is no ``RowGame``.
    shapley : ShapleyValues
        Of the game; the errors of an estimate are added.
    holdout : float
        The share of its file that each party holds out.

    Returns
    -------
    SamplingError or None
        None also for values of single rows (``RowShapley``), whose influences are not known, for more than 100
        parties, for a party of one row, and where no Shapley value is positive.

    Examples
    --------
    >>> from guerdon.models import BayesianLinear
    >>> from guerdon.shapley import Auto
    >>> from guerdon.types import Contribution
    >>> from guerdon.valuation import InformationGain
    >>> rng = np.random.default_rng(0)
    >>> parties = [Contribution(name, rng.normal(size=(40, 2))) for name in ("ada", "bob")]
    >>> game = InformationGain(BayesianLinear(noise=1.0)).game(parties)
    >>> sampling_error(game, Auto()(game, rng=rng)).alpha_errors.round(2).tolist()
    [0.06, 0.07]
    """
    phi = shapley.values
    if shapley.rows is not None or not isinstance(game, RowGame) or game.n > MOST_PARTIES or not phi.max() > 0.0:  # type: ignore[attr-defined]
        return None
    sets = game.row_influences()
    if not sets or any(rows < 2 for rows, _ in sets[: len(phi)]):
        return None
    of_parties, of_others = _covariance(sets[: len(phi)], len(phi)), _covariance(sets[len(phi) :], len(phi))
    estimate = np.zeros_like(of_parties)
    if shapley.standard_errors is not None:
        estimate = np.diag(np.square(shapley.standard_errors)) if shapley.covariance is None else shapley.covariance
    total = of_parties + of_others + estimate
    alpha_errors, alpha_range = _of_alpha(phi, total)
    split_errors, split_range = _of_alpha(phi, holdout * of_parties)
    return SamplingError(
        shapley.alpha, np.sqrt(np.diagonal(total)), alpha_errors, alpha_range, split_errors, split_range
    )


def _covariance(sets: Iterable[tuple[int, FloatArray]], n: int) -> FloatArray:
    found = np.zeros((n, n))
    for rows, U in sets:
        if len(U) > 1:
            centred = U - U.mean(axis=0)
            found += (rows - 1.0) / len(U) * (centred.T @ centred)
    return found


def _of_alpha(phi: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Root mean squared errors (n,) and 90 % ranges (n, 2) of phi / max phi where phi is normal with this covariance.

    By draws, since alpha is no smooth function where the largest may be another.
    """
    values, vectors = np.linalg.eigh(covariance)
    z = np.random.default_rng(0).normal(size=(DRAWS, len(phi)))
    drawn = phi + z * np.sqrt(np.clip(values, 0.0, None)) @ vectors.T
    alpha = np.clip(drawn, 0.0, None) / np.maximum(drawn.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    errors = np.sqrt(np.mean(np.square(alpha - phi / phi.max()), axis=0))
    return errors, np.quantile(alpha, [0.05, 0.95], axis=0).T


def arrival_orders(n: int) -> NDArray[np.intp]:
    """Orders of arrival (k, n): all of up to four parties, else evenly spaced rotations of one and their reverses."""
    if factorial(n) <= ALL_ORDERS:
        return np.array(list(permutations(range(n))))
    base = np.random.default_rng(0).permutation(n)
    shifts = min(n, MOST_ORDERS // 2)
    starts = np.arange(shifts) * n // shifts
    rotations = base[(starts[:, None] + np.arange(n)) % n]
    return np.concatenate([rotations, rotations[:, ::-1]])


def shapley_weights(n: int) -> tuple[NDArray[np.bool_], FloatArray]:
    """Coalitions (c, n) and weights (n, c) with phi = weights @ v(coalitions).

    All coalitions of up to 16 parties; beyond, the prefixes of some orders of arrival.
    """
    if n <= MAX_EXACT_PARTIES:
        coalitions = all_coalitions(n)
        others = coalitions.sum(axis=1)  # where i is out; with it there is one less
        joining = np.array([1.0 / (n * comb(n - 1, k)) for k in range(n)] + [0.0])
        return coalitions, np.where(coalitions.T, joining[others - 1], -joining[others])
    orders = arrival_orders(n)
    places = np.argsort(orders, axis=1)
    coalitions = (places[:, None, :] < np.arange(n + 1)[:, None]).reshape(-1, n)
    weights = np.zeros((n, len(orders), n + 1))
    each = np.arange(len(orders))
    for i in range(n):
        weights[i, each, places[:, i]] -= 1.0 / len(orders)
        weights[i, each, places[:, i] + 1] += 1.0 / len(orders)
    return coalitions, weights.reshape(n, -1)
