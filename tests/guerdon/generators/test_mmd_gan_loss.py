"""The objective against plain sums over pairs, and the penalty against differences of the witness."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from guerdon.generators.mmd_gan_loss import ALPHAS, kernel_matrix, mmd2, witness_penalty


def k(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    distance = float(((a - b) ** 2).sum())
    return float(a @ b) + sum((1 + distance / (2 * alpha)) ** -alpha for alpha in ALPHAS)


def points(seed: int, n: int, f: int = 3) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, f))


def test_the_kernel_of_equal_points_is_their_square_and_one_for_each_scale() -> None:
    A = points(0, 4)
    diagonal = kernel_matrix(torch.tensor(A), torch.tensor(A)).diagonal().numpy()
    np.testing.assert_allclose(diagonal, (A**2).sum(axis=1) + len(ALPHAS))


def test_mmd2_is_the_unbiased_estimate_by_a_double_loop() -> None:
    A, B = points(0, 5), points(1, 7) + 1.0
    within = sum(k(a, b) for i, a in enumerate(A) for j, b in enumerate(A) if i != j) / (5 * 4)
    within += sum(k(a, b) for i, a in enumerate(B) for j, b in enumerate(B) if i != j) / (7 * 6)
    between = sum(k(a, b) for a in A for b in B) / (5 * 7)
    assert float(mmd2(torch.tensor(A), torch.tensor(B))) == pytest.approx(within - 2 * between, rel=1e-12)


def test_mmd2_of_two_samples_of_one_distribution_is_zero_on_average() -> None:
    estimates = [float(mmd2(torch.tensor(points(2 * s, 8)), torch.tensor(points(2 * s + 1, 8)))) for s in range(400)]
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / np.sqrt(len(estimates))
    assert min(estimates) < 0.0


def test_the_penalty_is_that_of_the_witness_slope_by_differences() -> None:
    x, y, at = points(0, 4, 2), points(1, 4, 2) + 2.0, np.random.default_rng(2).random((4, 1))
    W = points(3, 2, 3)
    z = at * x + (1 - at) * y

    def witness(point: NDArray[np.float64]) -> float:
        return float(np.mean([k(a @ W, point @ W) for a in x]) - np.mean([k(b @ W, point @ W) for b in y]))

    step = 1e-5
    slopes = [[(witness(p + step * e) - witness(p - step * e)) / (2 * step) for e in np.eye(2)] for p in z]
    expected = np.mean((np.linalg.norm(slopes, axis=1) - 1.0) ** 2)

    def critic(rows: torch.Tensor) -> torch.Tensor:
        return rows @ torch.tensor(W)

    real, fake = torch.tensor(x), torch.tensor(y)
    found = witness_penalty(critic, real, fake, torch.tensor(at), (critic(real), critic(fake)))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_a_witness_of_slope_one_is_not_penalised_and_a_flat_one_by_one() -> None:
    # With h(z) = c z and data and samples far apart only the dot product is felt: f(z) is c^2 (mean x - mean y) z.
    x, y = np.full((3, 1), 1000.0), np.full((3, 1), -1000.0)
    real, fake, at = torch.tensor(x), torch.tensor(y), torch.full((3, 1), 0.5, dtype=torch.float64)
    for c, penalty in ((1 / np.sqrt(2000.0), 0.0), (0.0, 1.0)):
        found = witness_penalty(lambda z, c=c: c * z, real, fake, at, (c * real, c * fake))
        assert found.item() == pytest.approx(penalty, abs=1e-2)


def test_the_penalty_reaches_the_critics_weights_and_stays_finite_where_it_is_flat() -> None:
    weight = torch.zeros(2, 3, requires_grad=True)
    real, fake = torch.tensor(points(0, 4, 2)).float(), torch.tensor(points(1, 4, 2)).float()
    witness_penalty(
        lambda z: z @ weight, real, fake, torch.full((4, 1), 0.5), (real @ weight, fake @ weight)
    ).backward()
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()
