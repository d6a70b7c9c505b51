"""Our commands on terminals that are not UTF-8, and in files that are."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.progress import STAGES, Progress
from wire.terminal import Screen, fitted

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests" / "data" / "stored" / "0.1" / "model-noise" / "run"
ENCODINGS = ["ascii", "iso-8859-1", "cp1252", "cp437", "utf-8"]


@given(st.text(), st.sampled_from(ENCODINGS))
def test_any_text_fits_any_terminal(text: str, encoding: str) -> None:
    shown = fitted(text, encoding)
    assert shown.encode(encoding).decode(encoding) == shown
    if text.isascii():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("1 → 2", "1 -> 2"),
        ("Müller", "Mueller"),
        ("Łódź", "Lodz"),
        ("ρᵣ ≥ 1", "rhor >= 1"),
        ("╭─╮│", "+-+|"),
        ("⠋", "*"),
    ],
)
def test_the_replacement_is_what_people_write(text: str, ascii_text: str) -> None:
    assert fitted(text, "ascii") == ascii_text


def test_nothing_that_is_printed_steers_the_screen() -> None:
    file = io.StringIO()
    screen = Screen(file=file, force_terminal=True, color_system=None, width=80)
    screen.print("a\x1b[2Jb \u202ec", markup=False)
    assert "\x1b[2J" not in file.getvalue()
    assert "\u202e" not in file.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_run_is_followed_on_any_terminal(encoding: str) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="readable")
    with Progress(Screen(file=file, force_terminal=True, width=100)) as progress:
        for stage in STAGES:
            progress.show({"event": "stage", "stage": stage, "total": 3})
            progress.show({"event": "progress", "stage": stage, "done": 1, "total": 3, "party": "Mü\x1b[2J"})
        progress.show({"event": "refused", "party": "x", "reason": "→ \x1b[2J [red]ü"})
        progress.show({"event": "finished"})
    file.flush()
    text = raw.getvalue().decode(encoding)
    assert "\x1b[2J" not in text
    assert "[red]" in text


COMMANDS = [
    ("simulations", "show", "RUN"),
    ("simulations", "show", "/no/Mü→"),
    ("simulations", "export", "RUN"),
    ("simulations", "--help"),
    ("simulations", "show", "--→"),
    ("server", "extract", "RUN", "→ü"),
    ("server", "--help"),
    ("clients", "show", "/no/Mü→"),
    ("clients.supernode", "--hash", "--app", "/no/→ü"),
]


@pytest.mark.parametrize(
    ("command", "encoding"), [(command, "ascii") for command in COMMANDS] + [(COMMANDS[0], "iso-8859-1")]
)
def test_our_commands_end_without_a_traceback(command: tuple[str, ...], encoding: str) -> None:
    module, *arguments = [str(RUN) if word == "RUN" else word for word in command]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert b"UnicodeEncodeError" not in done.stdout + done.stderr
    if "export" not in command:  # which writes data, in UTF-8 wherever it goes
        (done.stdout + done.stderr).decode(encoding)


def test_no_file_is_read_or_written_in_the_encoding_of_the_terminal() -> None:
    """Every ``open``, ``read_text`` and ``write_text`` of a text names its encoding."""
    unnamed = []
    for package in ("guerdon", "wire", "server", "clients", "strategies", "simulations"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                method, function = getattr(node.func, "attr", ""), getattr(node.func, "id", "")
                ours = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "messages"
                of_text = (method in ("read_text", "write_text") and not ours) or function == "open"
                if of_text and not any(keyword.arg == "encoding" for keyword in node.keywords):
                    unnamed.append(f"{path}:{node.lineno}")
    assert not unnamed
