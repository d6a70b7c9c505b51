"""A Gaussian mixture's characteristic function, fitted to that of rows at some frequencies by L-BFGS.

What the fit is for: ``guerdon.generators.embedded_mixture``.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from guerdon.tables import Columns, Number
from guerdon.types import FloatArray

__all__ = ["CharacteristicFit"]

STEPS = 100
"""Of L-BFGS, for a mixture."""

NARROWEST = 1e-3
"""No column varies less, in units in which it goes from -1 to 1."""

SPREAD, CENTRE, TILT = 0.3, 0.5, 0.3
"""What is thought before: standard deviations are around the first, means within the second of the middle, and columns
follow from others by factors about the third."""


Parameters = dict[str, torch.Tensor]


class CharacteristicFit:
    """A mixture's characteristic function beside that of the rows, at some frequencies W (F, d)."""

    def __init__(self, W: FloatArray, means: NDArray[np.complex128], variance: float, columns: Columns) -> None:
        places = [column.place for column in columns.numbers]
        self.W = torch.tensor(W[:, places])
        self.means = torch.tensor(means)
        self.variance = variance
        self.levels = [torch.tensor(np.exp(1j * W @ patterns.T)) for patterns in _patterns(columns)]

    def start(self, count: int, before: Parameters | None, rng: np.random.Generator) -> Parameters:
        """So many components, scattered as the mixture before is; one in the middle where there was none."""
        p = self.W.shape[1]
        if before is None:
            theta = {
                "weights": torch.zeros(1, dtype=torch.float64),
                "means": torch.zeros(1, p, dtype=torch.float64),
                "spread": torch.full((1, p), math.log(SPREAD), dtype=torch.float64),
                "tilt": torch.zeros(1, p, p, dtype=torch.float64),
            }
            return theta | {f"level.{k}": torch.zeros(1, x.shape[1]).double() for k, x in enumerate(self.levels)}
        centre, factor = before["means"].mean(0), self._factors(before).mean(0)
        z = torch.tensor(rng.standard_normal((count, p)))
        theta = {
            "weights": torch.zeros(count, dtype=torch.float64),
            "means": centre + 0.7 * z @ factor.T,
            "spread": before["spread"].mean(0).repeat(count, 1) + math.log(0.8),
            "tilt": before["tilt"].mean(0).repeat(count, 1, 1),
        }
        for k in range(len(self.levels)):
            own = before[f"level.{k}"].mean(0).repeat(count, 1)
            theta[f"level.{k}"] = own + 0.5 * torch.tensor(rng.standard_normal(tuple(own.shape)))
        return theta

    def run(self, theta: Parameters) -> Parameters:
        """The likeliest mixture near by."""
        free = {name: value.clone().requires_grad_(True) for name, value in theta.items()}
        optimizer = torch.optim.LBFGS(
            list(free.values()), max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-7
        )

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = self._squares(free) / (2.0 * self.variance) + _unlikely(free)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in free.items()}

    def distance(self, theta: Parameters) -> float:
        """The mean squared distance at these frequencies."""
        with torch.no_grad():
            return float(self._squares(theta)) / max(len(self.means), 1)

    def mixture(self, theta: Parameters) -> tuple[FloatArray, FloatArray, FloatArray, tuple[FloatArray, ...]]:
        """Weights (c,), means (c, p), Cholesky factors (c, p, p), and of each column of few levels shares (c, l)."""
        weights = torch.softmax(theta["weights"], 0).numpy()
        shares = tuple(torch.softmax(theta[f"level.{k}"], 1).numpy() for k in range(len(self.levels)))
        factors = self._factors(theta).numpy()
        return weights / weights.sum(), theta["means"].numpy(), factors, shares

    def _squares(self, theta: Parameters) -> torch.Tensor:
        total = torch.zeros_like(self.means)
        weights = torch.softmax(theta["weights"], 0)
        factors = self._factors(theta)
        for c in range(len(weights)):
            size = torch.exp(-0.5 * (self.W @ factors[c]).square().sum(1))
            term = torch.polar(weights[c] * size, self.W @ theta["means"][c])
            for k, levels in enumerate(self.levels):
                term = term * (levels @ torch.softmax(theta[f"level.{k}"][c], 0).to(levels.dtype))
            total = total + term
        apart = total - self.means
        return (apart.real.square() + apart.imag.square()).sum()

    @staticmethod
    def _factors(theta: Parameters) -> torch.Tensor:
        """S = L L', L = diag(sd) (I + tilt below the diagonal)."""
        deviations = NARROWEST + torch.exp(theta["spread"])
        unit = torch.eye(deviations.shape[1], dtype=torch.float64) + torch.tril(theta["tilt"], -1)
        return deviations[:, :, None] * unit


def _unlikely(theta: Parameters) -> torch.Tensor:
    """Half the squares of what is thought before."""
    total = (theta["means"] / CENTRE).square().sum() + (theta["spread"] - math.log(SPREAD)).square().sum() / 4.0
    total = total + (theta["tilt"] / TILT).square().sum() + theta["weights"].square().sum()
    for name, value in theta.items():
        if name.startswith("level."):
            total = total + value.square().sum() / 4.0
    return 0.5 * total


def _patterns(columns: Columns) -> list[FloatArray]:
    """For each column of few levels the features (levels, d) of a row that has that level there, and 0 elsewhere.

    Of a number that can have gaps only the flag is such a column, and what stands in for a gap one of its numbers.
    """
    found = []
    codes = np.zeros((1, len(columns.coded)), dtype=np.int64)
    numbers = np.zeros((1, len(columns.numbers)))
    for k, column in enumerate(columns.coded):
        flag = None if column.gap is None else column.gap.flag
        own = [] if isinstance(column, Number) else list(column.places)
        own += [] if flag is None else [flag]
        patterns = np.zeros((column.levels, len(columns)))
        for level in range(column.levels):
            chosen = codes.copy()
            chosen[0, k] = level
            patterns[level, own] = columns.join(numbers, chosen)[0, own]
        found.append(patterns if own else patterns[:1])
    return found
