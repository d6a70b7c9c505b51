"""One consortium on loopback for all tests of this folder; without nginx there is no door, so they are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.deployment.consortium import Consortium


@pytest.fixture(scope="session")
def nginx() -> None:
    """Skips where there is none."""
    if not shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"):
        pytest.skip("nginx is not installed: apt-get install nginx")


@pytest.fixture(scope="session")
def consortium(tmp_path_factory: pytest.TempPathFactory, nginx: None) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("consortium") / "keys") as consortium:
        yield consortium
