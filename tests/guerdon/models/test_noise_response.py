"""Noise on the others' outputs in a linear model: both ends of the scale against fifty digits."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from guerdon.linalg import LossOfPrecisionError
from guerdon.models import BayesianLinear
from guerdon.models.noise_response import ShiftedNoiseResponse
from guerdon.models.protocols import NoiseResponse, SpectralResponse
from guerdon.realization import solve_noise
from guerdon.types import Contribution, FloatArray
from tests import exact

ETAS = [0.0, 1e-14, 1e-8, 1e-3, 1.0, 1e3, 1e8, 1e14]


def gain_in_fifty_digits(X: FloatArray, noise: list[Any]) -> Any:
    assert exact.mp.mp.dps == 50
    A = mp.eye(X.shape[1])
    for row, s in zip(X.tolist(), noise, strict=True):
        A += mp.matrix(row) * mp.matrix(row).T / s
    return mp.log(mp.det(A)) / 2


def response(own: int, others: int, noise: str, d: int = 4) -> tuple[NoiseResponse, FloatArray, FloatArray]:
    """A response, the rows of all and their noise variances, the party's own first."""
    rng = np.random.default_rng(own + others)
    X = rng.normal(size=(own + others, d))
    unequal = {"equal": np.full(others, 0.2), "unequal": 10.0 ** rng.uniform(-3, 1, others)}[noise]
    L = np.concatenate([rng.uniform(0.1, 0.5, own), unequal])
    parties = Contribution("ada", X[:own], noise=L[:own]), Contribution("others", X[own:], noise=L[own:])
    return BayesianLinear(0.1).noise_response(*parties), X, L


@pytest.mark.parametrize("noise", ["equal", "unequal"])
@pytest.mark.parametrize(("own", "others"), [(6, 9), (0, 9), (2, 2), (5, 1), (1, 40)])
def test_both_ends_against_fifty_digits(noise: str, own: int, others: int) -> None:
    found, X, L = response(own, others, noise)
    assert isinstance(found, ShiftedNoiseResponse if noise == "unequal" and others > 1 else SpectralResponse)
    exact_noise = [mp.mpf(float(s)) for s in L]
    alone = gain_in_fifty_digits(X[:own], exact_noise[:own])

    def truth(eta: Any) -> Any:
        return gain_in_fifty_digits(X, [s + (eta if r >= own else 0) for r, s in enumerate(exact_noise)]) - alone

    assert found.own_value == pytest.approx(float(alone), rel=1e-12)
    for eta in ETAS:
        at, deficit = truth(mp.mpf(eta)), truth(mp.mpf(0)) - truth(mp.mpf(eta))
        assert found.gain(eta).value == pytest.approx(float(at), rel=1e-11)
        assert found.deficit(eta).value == pytest.approx(float(deficit), rel=1e-11, abs=0.0)
        if eta:
            step = mp.mpf(eta) * mp.mpf("1e-12")
            slope = float((truth(eta + step) - truth(eta - step)) / (2 * step))
            assert found.gain(eta).slope == pytest.approx(slope, rel=1e-10)
            assert found.deficit(eta).slope == pytest.approx(-slope, rel=1e-10)
    small, large = mp.mpf("1e-25"), mp.mpf("1e25")
    assert found.small_noise == pytest.approx(float((truth(mp.mpf(0)) - truth(small)) / small), rel=1e-10)
    assert found.large_noise == pytest.approx(float(truth(large) * large), rel=1e-10)


@pytest.mark.parametrize("noise", ["equal", "unequal"])
@pytest.mark.parametrize("exponent", [-9, -3, 0, 3, 9])
def test_the_noise_of_a_target_is_found(noise: str, exponent: int) -> None:
    found, _, _ = response(6, 9, noise)
    eta = 10.0**exponent
    assert solve_noise(found, found.gain(eta).value, found.deficit(eta).value) == pytest.approx(eta, rel=1e-11)


def test_no_others() -> None:
    found, _, _ = response(5, 0, "equal")
    assert found.gain(1.0) == (0.0, 0.0)
    assert found.deficit(1.0) == (0.0, 0.0)


def test_one_noise_for_all_in_either_form() -> None:
    """The form for unequal noise, given equal noise, is the spectral one."""
    spectral, X, _ = response(0, 9, "equal")
    shifted = ShiftedNoiseResponse(0.0, X, np.full(9, 0.2))
    for eta in ETAS:
        for curve in ("gain", "deficit"):
            expected = getattr(spectral, curve)(eta)
            np.testing.assert_allclose(getattr(shifted, curve)(eta), expected, rtol=1e-11)


def test_too_little_noise_is_refused() -> None:
    X = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(LossOfPrecisionError):
        BayesianLinear(1e-30).noise_response(Contribution("ada", X[:1]), Contribution("others", X[1:]))
