"""The events of a run, read while the ServerApp appends them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wire.parsing import ParseError, read_json

__all__ = ["Event", "EventTail"]

Event = Mapping[str, Any]


class EventTail:
    """Follows ``events.jsonl`` from where it ends now, so that a resumed run shows its own events only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self.last: Event | None = None

    def read(self) -> list[Event]:
        """The events that were completely written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            text = stream.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._offset += len(complete)
        events = [event for line in complete.splitlines() if (event := _parse(line)) is not None]
        self.last = events[-1] if events else self.last
        return events

    @property
    def ended(self) -> bool:
        """The ServerApp has said its last word."""
        return self.last is not None and self.last["event"] in ("finished", "failed")


def _parse(line: bytes) -> Event | None:
    try:
        event = read_json(line)
    except ParseError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
