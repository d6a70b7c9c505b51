"""The tail of events.jsonl: whole lines only, and only those of this run."""

from __future__ import annotations

import json
from pathlib import Path

from simulations.events import EventTail


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def test_events_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    assert tail.read() == []
    append(path, '{"event": "stage", "stage": "join"}\n{"event": "fini')
    assert [event["event"] for event in tail.read()] == ["stage"]
    assert not tail.ended
    append(path, 'shed"}\n')
    assert [event["event"] for event in tail.read()] == ["finished"]
    assert tail.ended
    assert tail.read() == []
    assert tail.ended


def test_an_earlier_run_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, json.dumps({"event": "failed", "reason": "before"}) + "\n")
    tail = EventTail(path)
    assert tail.read() == []
    assert not tail.ended


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    append(path, 'nonsense\n[1]\n{"no": "event"}\n{"event": "note", "text": "é"}\n')
    assert tail.read() == [{"event": "note", "text": "é"}]
