"""Attacks on rewards of which it is known what they give away."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.audit import Area, Cells, area_with_interval, density_ratio, guesses, nearest, singling_out
from guerdon.tables import Category, Columns, Number
from guerdon.types import FloatArray

COLUMNS = Columns.of([Number("age", 0), Number("weight", 1), Category("pain", (2, 3, 4))])
M = 120


def table(rng: np.random.Generator, count: int) -> FloatArray:
    return np.column_stack([rng.normal(size=(count, 2)), np.eye(3)[rng.integers(3, size=count)]])


def attacked(name: str, seed: int, *, copies: bool) -> Area:
    """By twins that hold their rows, or others of the same distribution."""
    rng = np.random.default_rng(seed)
    X, own, inside = table(rng, M), table(rng, 40), rng.permutation(M) < M // 2
    scores = []
    for side in (inside, ~inside):
        S = X[side] if copies else table(rng, M // 2)
        cells = Cells.of(COLUMNS, X, None), Cells.of(COLUMNS, S, None)
        scores.append(
            {
                "nearest": lambda S=S: nearest(X, S),
                "density": lambda S=S: density_ratio(X, S, own),
                "singling out": lambda side=side, cells=cells: singling_out(cells[0], side, cells[1], rng),
                "guesses": lambda cells=cells: guesses(*cells),
            }[name]().scores
        )
    return area_with_interval((scores[0], scores[1]), inside)


@pytest.mark.parametrize(
    ("name", "least"), [("nearest", 1.0), ("density", 0.6), ("singling out", 0.7), ("guesses", 0.97)]
)
def test_copies_of_rows_are_found_out(name: str, least: float) -> None:
    assert attacked(name, 0, copies=True).auc >= least


@pytest.mark.parametrize("name", ["nearest", "density", "singling out", "guesses"])
def test_of_rows_that_were_not_used_nothing_is_told(name: str) -> None:
    found = [attacked(name, seed, copies=False) for seed in range(40)]
    held = np.mean([area.low <= 0.5 <= area.high for area in found])
    assert held >= 0.87, held  # 35 of 40 or more, where 38 are to be expected
    assert np.mean([area.auc for area in found]) == pytest.approx(0.5, abs=0.025)


def test_shares_of_singling_out_are_of_predicates() -> None:
    rng = np.random.default_rng(1)
    X, inside = table(rng, M), np.arange(M) < M // 2
    cells = Cells.of(COLUMNS, X, None)
    found = singling_out(cells, inside, cells.rows(inside), rng)
    assert found.shares is not None
    within, without = found.shares[inside].mean(), found.shares[~inside].mean()
    assert 0.0 < without < within <= 1.0


def test_labels_and_gaps_are_cells_too() -> None:
    rng = np.random.default_rng(1)
    X, labels = table(rng, M), rng.integers(2, size=M).astype(np.float64)
    cells = Cells.of(COLUMNS, X, labels)
    assert cells.numbers.shape == (M, 2)
    assert cells.codes.shape == (M, 2)
    assert guesses(cells, cells).scores.mean() > 0.9
    assert Cells.of(None, X, None).numbers.shape == (M, 5)


@pytest.mark.parametrize("offset", [0.1, 2e9])
def test_where_a_column_lies_changes_nothing(offset: float) -> None:
    rng = np.random.default_rng(3)
    X, S = rng.normal(size=(M, 2)), rng.normal(size=(40, 2))
    S[:20] = X[:20]
    moved = [np.column_stack([block, np.full(len(block), offset)]) for block in (X, S)]
    np.testing.assert_allclose(nearest(*moved).scores, nearest(X, S).scores, atol=1e-6)
    plain = guesses(Cells.of(None, X, None), Cells.of(None, S, None))
    both = guesses(Cells.of(None, moved[0], None), Cells.of(None, moved[1], None))
    assert plain.shares is not None
    assert both.shares is not None
    np.testing.assert_allclose(both.shares, (2.0 * plain.shares + 1.0) / 3.0)  # the third is guessed right always


def test_columns_that_do_not_vary_and_a_single_row_break_nothing() -> None:
    X = np.column_stack([np.ones(6), np.arange(6.0)])
    assert np.isfinite(nearest(X, X[:1]).scores).all()
    assert np.isfinite(density_ratio(X, X[:3], X[3:]).scores).all()
    assert np.isfinite(density_ratio(np.ones((4, 2)), np.ones((3, 2)), np.ones((2, 2))).scores).all()
    cells = Cells.of(None, X, None)
    assert np.isfinite(guesses(cells, cells.rows(np.array([0]))).scores).all()
