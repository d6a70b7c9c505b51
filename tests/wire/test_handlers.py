"""A strategy's handlers: found by the run config's text, in modules that travel in the app only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wire.handlers import OURS, handlers_of
from wire.kinds.lessons import HANDLERS

CHECKOUT = Path(__file__).parents[2]
MODULE = """
class Mine:
    handlers = {"query.count": len}

class Plain:
    pass
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_handling_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("wire.handlers.HOME", tmp_path)
    monkeypatch.delitem(sys.modules, "my_handling_module", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_have_theirs(name: str) -> None:
    assert handlers_of(f"{name}(rounds=3)") == HANDLERS


def test_a_users_own_come_from_the_app(app: Path) -> None:
    assert handlers_of("my_handling_module:Mine(share=0.5)") == {"query.count": len}
    assert handlers_of("my_handling_module:Plain()") == {}


def test_what_does_not_travel_in_the_app_is_not_imported(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.handlers.HOME", app / "elsewhere")
    assert handlers_of("my_handling_module:Mine()") == {}
    assert "my_handling_module" not in sys.modules
    assert handlers_of("antigravity:Mine()") == {}
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("text", ["ModelRewards()", "", "Mine(", "nowhere_at_all:Mine()"])
def test_others_have_none(text: str, app: Path) -> None:
    assert handlers_of(text) == {}
