"""What all tests share: hypothesis draws the same examples every time, and both sides' secrets are the same ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("guerdon", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("guerdon")


@pytest.fixture(autouse=True)
def noise_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise and synthetic pools come from a secret of the run; a test that fails must fail again."""
    monkeypatch.setenv("GUERDON_NOISE_SEED", "1")


@pytest.fixture(autouse=True)
def holdout_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which rows a party holds out follows from a secret of its own: in tests, the same one for all."""
    if "clients.holdout" in sys.modules:
        monkeypatch.setattr(sys.modules["clients.holdout"], "token_bytes", lambda n: np.random.default_rng(1).bytes(n))


@pytest.fixture(autouse=True)
def report(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are drawn where they are tested; a hundred other runs end without."""
    where = request.path.relative_to(Path(__file__).parent).parts
    if not any("report" in part or part == "pages" for part in where):
        for name in ("server.app", "clients.app"):
            if name in sys.modules:
                monkeypatch.setattr(sys.modules[name], "write_report", lambda *_, **__: None)
