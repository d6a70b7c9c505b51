"""The table: every number whole at any width, no colour in a pipe, and what is left to do."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from simulations.present import present, present_rehearsal
from wire.pages.numbers import number_text


def party(name: str, **changes: Any) -> dict[str, Any]:
    scores = {"mnlp": 5.7123, "rmse": 61.2345, "rows": 30}
    base = {"party": name, "rows": 1200, "value": 13.2345, "shapley": 14.1, "shapley_error": None, "alpha": 0.4567}
    reward = {"target": 30.1234, "eta": 1234.5, "reached": 30.1233, "alone": scores, "reward": scores}
    return base | reward | {"delivered": True, "store": None} | changes


def allocation(**changes: Any) -> dict[str, Any]:
    return {
        "run": "diabetes-1",
        "stage": "delivered",
        "grand_value": 45.6789,
        "unit": "nats",
        "rho": 0.4231,
        "thresholds": {"rational": 0.6112, "stable": "inf"},
        "shapley_method": "exact",
        "parties": [party("party-1"), party("party-2", shapley_error=0.0123, eta="inf", reward=None)],
        "refused": [{"party": "party-3", "stage": "contribute", "reason": "its y is [missing]"}],
        "certificate": [
            {"name": "R1", "title": "non-negativity", "holds": True, "witness": "smallest margin 1.5"},
            {"name": "R4", "title": "individual rationality", "holds": False, "witness": "party-1 has more alone"},
            {"name": "F4", "title": "strict monotonicity", "holds": None, "witness": "by theorem"},
        ],
        "notes": ["two rows are duplicates"],
    } | changes


def printed(record: dict[str, Any], width: int = 140, *, terminal: bool = False) -> str:
    out = io.StringIO()
    present(
        record,
        Path("/a/long/way/to/runs/diabetes-20260131-120000"),
        Console(file=out, width=width, **({"force_terminal": True} if terminal else {})),
    )
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_numbers_are_whole_at_any_width(width: int) -> None:
    text = printed(allocation(), width)
    for number in ("1,200", "13.23", "14.10", "14.10 ± 0.01", "0.457", "30.12", "1234", "∞", "5.712 → 5.712"):
        assert number in text, number
    for number in ("61.23 → 61.23", "61.23 → –", "45.68 nats", "0.4231", "0.6112"):
        assert number in text, number
    assert "…" not in text
    assert "\x1b" not in text
    assert text.count("party-1 ") >= {60: 3, 80: 2, 100: 2, 140: 1}[width]
    assert "/a/long/way/to/runs/diabetes-20260131-120000\n" in text


@pytest.mark.parametrize("names", [("a", "b"), ("party-1", "party-2"), ("north-hospital", "the-hospital-in-the-south")])
def test_no_width_cuts_a_number(names: tuple[str, str]) -> None:
    record = allocation(parties=[party(name) for name in names])
    for width in range(60, 150):
        text = printed(record, width)
        assert "…" not in text, width
        assert text.count("5.712 → 5.712") == text.count("61.23 → 61.23") == 2, width


def test_long_names_are_folded_not_cut() -> None:
    name = "a-hospital-with-a-very-long-name-in-the-north"
    text = printed(allocation(parties=[party(name)], refused=[]), 80)
    table = text[: text.index("What each party gets")]
    words = "".join(line.split()[0] for line in table.splitlines() if line[1:9].strip("- ─"))
    assert name in words
    assert "…" not in text


def test_refusals_certificate_and_notes() -> None:
    text = printed(allocation())
    assert "✗ refused party-3: its y is [missing]" in text
    assert "✓  R1" in text
    assert "✗  R4" in text
    assert "–  F4" in text
    assert "party-1 has more alone" in text
    assert "two rows are duplicates" in text


def test_a_tempered_reward_shows_kappa_and_what_noise_would_have_come_to() -> None:
    scores = {"mnlp": 5.7123, "mnlp_noise": 5.8456, "rmse": 61.2345, "rows": 30}
    text = printed(allocation(parties=[party("party-1", kappa=0.0625, reward=scores)]))
    assert "kappa_i" in text
    assert "0.06250" in text
    assert "5.846" in text
    assert "eta_i" not in text


@pytest.mark.parametrize("width", [40, 60, 140])
def test_a_strategy_can_bring_columns_and_facts_of_its_own(width: int) -> None:
    parties = [
        {"party": "north", "delivered": True, "rows": 1200, "share": 0.25, "alone": {"accuracy": 0.5}},
        {"party": "south", "delivered": True, "rows": 90, "share": "inf", "reward": {"accuracy": 0.75}},
    ]
    record = allocation(
        unit="",
        parties=parties,
        facts={"mean accuracy": 0.625},
        columns=[
            ["rows", "rows"],
            ["share", "share"],
            ["accuracy\nalone → reward", "alone.accuracy -> reward.accuracy"],
        ],
        certificate=[],
    )
    text = printed(record, width)
    for word in ("1,200", "0.2500", "∞", "0.5000 → –", "– → 0.7500", "mean accuracy = 0.6250"):
        assert word in text, word
    assert "v_N" not in text
    assert "No certificate" not in text
    assert text.count("north") == {40: 2, 60: 1, 140: 1}[width]


def test_a_terminal_gets_colour() -> None:
    assert "\x1b[" in printed(allocation(), terminal=True)


def test_what_a_valued_run_waits_for() -> None:
    parties = [party("p", target=None, eta=None, reached=None, alone=None, reward=None, delivered=False)]
    record = allocation(
        stage="valued", parties=parties, thresholds=None, rho=None, certificate=[], refused=[], notes=[]
    )
    text = printed(record)
    assert "nothing was given yet" in text
    assert "resume" in text
    assert "rho" not in text
    assert "No certificate" in text


def test_who_has_not_received_a_reward() -> None:
    text = printed(allocation(parties=[party("north"), party("south", delivered=False)]))
    assert "Not delivered to south" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.0, "0"),
        (1.0, "1.000"),
        (-12.345, "-12.35"),
        (999.96, "1000.0"),
        (12345.6, "12346"),
        (1234567.0, "1.23e+06"),
        (0.00012345, "0.000123"),
        (1.2e-9, "1.2e-09"),
        ("inf", "∞"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_have_four_digits(value: object, text: str) -> None:
    assert number_text(value) == text


def test_a_dry_run_shows_who_would_bring_what() -> None:
    start = {"action": "started", "dry_run": True}
    came = {"action": "introduced", "party": "north", "rows": 18, "columns": 4, "target": "y"}
    ledger = [start, {**came, "rows": 1}, start, came, {"action": "refused", "party": "west", "reason": "it has gaps"}]
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    present_rehearsal(ledger, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"north +18 +4 +y", text)
    assert "refused west: it has gaps" in text
    assert text.count("north") == 1
