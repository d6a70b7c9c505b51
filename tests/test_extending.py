"""What docs/extending.md prints is what runs: every file of it, and every suite on it."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guerdon.plugins import build
from guerdon.testing import Suite

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = {
    block.partition("\n")[0].removeprefix("# "): block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
}
CHECKS = sorted(name.removesuffix(".py") for name in FILES if name.startswith("check_"))


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The document's files in a folder of their own, importable as a user's are."""
    folder = tmp_path_factory.mktemp("extending")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


def suites(module: str) -> list[type[Suite]]:
    found = vars(importlib.import_module(module)).values()
    return [v for v in found if isinstance(v, type) and issubclass(v, Suite) and v.__name__.startswith("Test")]


@pytest.mark.parametrize("module", CHECKS)
def test_each_suite_passes_as_printed(module: str) -> None:
    (suite,) = suites(module)
    suite().run()


def test_from_another_folder_as_its_author_runs_them(written: Path) -> None:
    """In a process of its own, which knows the checkout only as ``pip install -e`` makes it known."""
    files = ["check_my_strategy.py", "check_my_averaging.py"]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(argv, cwd=written, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "16 passed" in ended.stdout


def test_one_of_each_kind_and_none_long() -> None:
    kinds = ("averaging", "generator", "realization", "scheme", "strategy", "valuation")
    assert [check.removeprefix("check_my_") for check in CHECKS] == list(kinds)
    for name, content in FILES.items():
        code = [line for line in content.splitlines() if line and not line.startswith(("#", "import", "from"))]
        assert len(code) <= 21, (name, len(code))


def test_parts_are_built_as_the_text_says() -> None:
    assert build("my_scheme:HalfWay(share=0.25)", {}).share == 0.25
    with pytest.raises(ValueError, match="share is a number from 0 to 1"):
        build("my_scheme:HalfWay(share=2.0)", {})


def test_the_allocation_that_the_valuation_s_section_names() -> None:
    import numpy as np

    from guerdon.pipeline import allocate
    from guerdon.rewards import RhoShapley
    from guerdon.shapley import Auto
    from guerdon.testing import example_contributions

    value = build("my_valuation:LogVolume()", {})
    found = allocate(example_contributions(), value, Auto(), RhoShapley("stable"), None, rng=np.random.default_rng(0))
    assert found.certificate.R6.holds


def test_clipped_updates_are_no_longer_than_1(tmp_path: Path) -> None:
    """The party's side is the document's handler, not the one it replaces."""
    from guerdon.federated import norm
    from simulations.testing import StrategySuite
    from wire import messages
    from wire.kinds import lessons

    seen: list[float] = []

    def watch(node, message, reply):  # type: ignore[no-untyped-def]
        if message.metadata.message_type == lessons.UPDATE:
            seen.append(norm(messages.decode_reward(reply.content).arrays))
        return reply

    class Watched(StrategySuite):
        strategy = "my_averaging:ClippedAveraging(rounds=2, classes=3, learning_rate=20.0)"
        labels = True

    with Watched()._run(tamper=watch):
        assert len(seen) == 6
        assert max(seen) == pytest.approx(1.0, rel=1e-12)
