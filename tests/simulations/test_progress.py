"""The progress display, on a pipe and on a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console

from simulations.progress import STAGES, Progress

EVENTS = [
    {"event": "stage", "stage": "join", "total": 3},
    {"event": "progress", "stage": "join", "done": 3, "total": 3},
    {"event": "stage", "stage": "contribute", "total": 3},
    {"event": "progress", "stage": "contribute", "done": 1, "total": 3, "party": "north"},
    {"event": "refused", "party": "south", "reason": "y is [missing]"},
    {"event": "note", "text": "2 rows are duplicates"},
    {"event": "stage", "stage": "value", "total": None},
    {"event": "finished"},
    {"event": "stopping"},
]


def seconds() -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += 1.5


def shown(events: list[dict[str, object]], *, terminal: bool = False) -> str:
    out = io.StringIO()
    clock = seconds()
    with Progress(Console(file=out, width=60, force_terminal=terminal), clock=lambda: next(clock)) as progress:
        for event in events:
            progress.show(event)
    return out.getvalue()


def test_a_pipe_gets_one_plain_line_a_stage() -> None:
    lines = shown(EVENTS).splitlines()
    assert "\x1b" not in "".join(lines)
    assert [line.split("  ")[0] for line in lines] == [
        "✓ waiting for parties",
        "✗ refused south: y is [missing]",
        "· 2 rows are duplicates",
        "✓ collecting contributions",
        "✓ valuing coalitions",
        "✓ stopping Flower",
    ]
    assert lines[0].split()[-3:] == ["3/3", "1.5", "s"]


def test_a_failure_is_marked() -> None:
    lines = shown([*EVENTS[:3], {"event": "failed", "reason": "too few"}]).splitlines()
    assert lines[-1].startswith("✗ collecting contributions")
    assert lines[-1].endswith("failed")


def test_a_stage_that_did_not_end_is_marked() -> None:
    assert shown(EVENTS[:3]).splitlines()[-1].endswith("stopped")
    assert "stopped" in shown([*EVENTS[:3], {"event": "stopping"}])


def test_a_terminal_gets_colour_and_the_same_words() -> None:
    text = shown(EVENTS, terminal=True)
    assert "\x1b[" in text
    assert "valuing coalitions" in text
    assert "party" not in text.replace("parties", "")


def test_unknown_stages_and_odd_events_do_no_harm() -> None:
    lines = shown(
        [
            {"event": "progress", "stage": "mine", "done": "x", "total": None},
            {"event": "stage", "stage": "other"},
            {"event": "unheard"},
            {"event": "finished"},
        ]
    ).splitlines()
    assert [line.split()[1] for line in lines] == ["mine", "other"]
    assert "mine" not in STAGES
