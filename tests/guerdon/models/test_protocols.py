"""The spectral response: gain and deficit of one curve, to the last digits at both ends."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from guerdon.models.protocols import SpectralResponse

RESPONSE = SpectralResponse(3.0, np.array([0.0, 1e-9, 0.2, 5.0, 400.0]), np.array([0.01, 0.02, 0.1, 0.1, 2.0]))


def gain(eta: float) -> mp.mpf:
    terms = zip(RESPONSE.excess.tolist(), RESPONSE.floor.tolist(), strict=True)
    return mp.fsum(mp.log1p(mp.mpf(e) / (mp.mpf(f) + mp.mpf(eta))) for e, f in terms) / 2


@pytest.mark.parametrize("eta", [0.0, 1e-30, 1e-12, 1e-3, 1.0, 1e3, 1e12, 1e30])
def test_both_ends_against_fifty_digits(eta: float) -> None:
    assert RESPONSE.gain(eta).value == pytest.approx(float(gain(eta)), rel=1e-14)
    assert RESPONSE.deficit(eta).value == pytest.approx(float(gain(0.0) - gain(eta)), rel=1e-13, abs=0.0)
    slope = float(mp.diff(gain, eta)) if 1e-9 < eta < 1e9 else None
    if slope is not None:
        assert RESPONSE.gain(eta).slope == pytest.approx(slope, rel=1e-9)
        assert RESPONSE.deficit(eta).slope == pytest.approx(-slope, rel=1e-9)


def test_limits() -> None:
    assert RESPONSE.deficit(1e-15).value / 1e-15 == pytest.approx(RESPONSE.small_noise, rel=1e-9)
    assert RESPONSE.gain(1e15).value * 1e15 == pytest.approx(RESPONSE.large_noise, rel=1e-9)
    for eta in np.logspace(-6, 6, 13):
        assert RESPONSE.deficit(eta).value <= eta * RESPONSE.small_noise
        assert RESPONSE.gain(eta).value <= RESPONSE.large_noise / eta


def test_no_others() -> None:
    alone = SpectralResponse(3.0, np.empty(0), np.empty(0))
    assert alone.gain(1.0) == (0.0, 0.0)
    assert alone.deficit(1.0) == (0.0, 0.0)
