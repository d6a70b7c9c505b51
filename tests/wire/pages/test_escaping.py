"""No text of a run or a reward is markup on any page: each text in turn is an attack, and the page has none of it."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from server.report.comparison_page import ComparisonError, comparison_page
from server.report.mediator_page import mediator_page
from simulations.present import present
from simulations.progress import Progress
from wire.pages.party_page import party_page, view_of
from wire.text import cleaned

STORED = Path(__file__).parents[2] / "data" / "stored" / "0.1"
RECORDS = sorted(path for path in STORED.glob("*/run/allocation.json"))
REWARDS = sorted(path for path in STORED.glob("*/data/*-reward/*/reward.json"))
ATTACK = "<script>x()</script>\"'><img src=x onerror=y()>{{7*7}}\x1b[2J\u202e"
KEPT = {"kind", "stage", "name", "holds", "place"}
"""Keys whose texts say what something is and are looked up, not shown."""


def attacked(value: Any, key: str = "") -> Any:
    """The record with the attack behind every text that is shown."""
    if isinstance(value, str) and key not in KEPT and value not in ("inf", "-inf"):
        return value + ATTACK
    if isinstance(value, dict):
        return {name: attacked(item, name) for name, item in value.items()}
    return [attacked(item, key) for item in value] if isinstance(value, list) else value


def check(page: str) -> None:
    assert "<script>x()" not in page
    assert "<img src=x" not in page
    assert "49" not in page.split("7*7")[0][-6:]
    assert "\x1b" not in page
    assert "\u202e" not in page


def record_of(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {
        key: value if key in ("columns", "facts_of_rewards") else attacked(value, key) for key, value in record.items()
    }


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parts[-3])
def test_no_text_of_a_run_is_markup(path: Path, tmp_path: Path) -> None:
    record = record_of(path)
    parties = [str(entry["party"]) for entry in record["parties"]]
    check(mediator_page(record, directory=tmp_path, pictures=(), pages=[(party, None) for party in parties]))
    with suppress(ComparisonError):  # of runs that valued no data
        check(comparison_page([record, record]))
    if record["stage"] == "valued":
        check(party_page(view_of(record, parties[0])))
    shown = io.StringIO()
    present(record, tmp_path, Console(file=shown, force_terminal=True, color_system=None, width=300))
    assert "\x1b[2J" not in shown.getvalue()
    assert "\u202e" not in shown.getvalue()


@pytest.mark.parametrize("path", REWARDS[:12], ids=lambda path: path.parts[-5])
def test_no_text_of_a_reward_is_markup(path: Path) -> None:
    check(party_page(attacked(json.loads(path.read_text(encoding="utf-8")))))


def test_no_text_of_an_event_steers_the_terminal() -> None:
    shown = io.StringIO()
    with Progress(Console(file=shown, width=200)) as progress:
        for event in ("stage", "progress", "refused", "note", "failed"):
            progress.show(
                attacked({"event": event, "stage": "s", "party": "p", "reason": "r", "text": "t"}, "place")
                | {"event": event}
            )
    assert "\x1b" not in shown.getvalue()
    assert "[2J" in shown.getvalue()
    assert cleaned(shown.getvalue()) == shown.getvalue()
