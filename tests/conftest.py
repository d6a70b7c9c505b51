"""What all tests share: hypothesis draws the same examples every time, and so does the mediator's secret."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("guerdon", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("guerdon")


@pytest.fixture(autouse=True)
def noise_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise and synthetic pools come from a secret of the run; a test that fails must fail again."""
    monkeypatch.setenv("GUERDON_NOISE_SEED", "1")
