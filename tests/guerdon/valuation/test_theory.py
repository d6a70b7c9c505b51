"""Propositions 1 and 4, Corollary 1 and Theorem 1 of Tay et al. (AAAI 2022) on random sets."""

from dataclasses import replace

import numpy as np
import pytest
from gpytorch.kernels import LinearKernel

from guerdon.metrics import mmd2_unbiased
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy
from guerdon.valuation.theory import kernel_range, monotone_eta, non_negative_gamma


def random_game(seed, lengthscale, g=30, d=2):
    rng = np.random.default_rng(seed)
    parties = [Contribution(f"P{i}", rng.normal(size=(m, d))) for i, m in enumerate((6, 9, 2))]
    return rng, MaximumMeanDiscrepancy(lengthscale).game(parties, rng.normal(size=(g, d)))


def reference(game):
    return np.concatenate([*(c.X for c in game.contributions), game.synthetic])


def within(S, lengthscale):
    return np.exp(-np.square(S[:, None] - S[None]).sum(axis=-1) / (2 * lengthscale**2))


@pytest.mark.parametrize("seed", range(5))
def test_proposition_1_and_corollary_1(seed):
    """v(S) = (sigma_S - k*)/(s - 1) - MMD_u^2 + c, between (gamma - k*)/s and (eta - k*)/s plus the same."""
    rng, game = random_game(seed, lengthscale=0.8)
    T = reference(game)
    t = len(T)
    c = (within(T, 0.8).sum() - t) / (t * (t - 1))
    bounds = kernel_range(game)
    assert bounds.diagonal == 1.0
    for s in (2, 5, 20, t):
        S = T[rng.choice(t, size=s, replace=False)]
        distance, value = mmd2_unbiased(S, T, 0.8), game.value(S)
        assert value == pytest.approx((within(S, 0.8).mean() - 1) / (s - 1) - distance + c, abs=1e-13)
        assert (bounds.gamma - 1) / s - distance + c <= value + 1e-13
        assert value - 1e-13 <= (bounds.eta - 1) / s - distance + c


@pytest.mark.parametrize("lengthscale", [0.1, 0.5, 2.0, 8.0])
def test_proposition_4_is_sufficient(lengthscale):
    """Where the kernel's actual gamma reaches the bound, no set of that size has a negative value."""
    rng, game = random_game(0, lengthscale)
    T, bounds = reference(game), kernel_range(game)
    t = len(T)
    for s in range(1, t):
        if bounds.gamma >= non_negative_gamma(s, t, bounds.eta):
            for _ in range(5):
                assert game.value(T[rng.choice(t, size=s, replace=False)]) >= -1e-13


def test_proposition_4_is_met_by_wide_kernels_and_missed_by_narrow_ones():
    _, wide = random_game(0, lengthscale=10.0)
    _, narrow = random_game(0, lengthscale=0.1)
    t = wide.reference
    assert kernel_range(wide).gamma >= non_negative_gamma(6, t, kernel_range(wide).eta)
    assert kernel_range(narrow).gamma < non_negative_gamma(6, t, kernel_range(narrow).eta)
    assert wide(np.eye(3, dtype=bool)).min() >= 0 > narrow(np.eye(3, dtype=bool)).min()


def test_theorem_1_is_sufficient():
    """Where the kernel's actual eta is below the bound, no point lowers the value."""
    rng, game = random_game(1, lengthscale=1.0, d=6)
    T = reference(game)
    t = len(T)
    game = MaximumMeanDiscrepancy(0.05).game(game.contributions, game.synthetic)
    eta = kernel_range(game).eta
    met = [s for s in range(1, t) if eta <= monotone_eta(s, t)]
    assert met  # points in six dimensions are far apart
    for s in met:
        order = rng.permutation(t)
        gain = game.value(T[order[: s + 1]]) - game.value(T[order[:s]])
        assert gain >= -1e-13


def test_proposition_5_both_bounds_conflict_for_less_than_half():
    t = 60
    for s in range(2, t // 2 - 1):
        eta = monotone_eta(s, t)
        assert non_negative_gamma(s, t, eta) > eta


def test_a_kernel_without_one_diagonal_is_refused():
    _, game = random_game(0, 1.0)
    linear = MaximumMeanDiscrepancy(1.0, kernel=LinearKernel()).game(game.contributions, game.synthetic)
    with pytest.raises(ValueError, match="same for all points"):
        kernel_range(replace(linear))
