"""A run's allocation as a table that can be read at a glance, in colour on a terminal and plain in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from wire.kinds import Column, columns_of, kind_of
from wire.kinds.columns import DISCLOSURE, NOTHING
from wire.pages.numbers import count_text, number_text
from wire.terminal import fitted
from wire.text import cleaned

__all__ = ["present", "present_rehearsal"]

Record = Mapping[str, Any]
NAME_WIDTH, LEAST_NAME_WIDTH = 16, 9  # longer names are folded
MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "dim")}


def present(allocation: Record, run: Path, console: Console) -> None:
    """Print parties, what they gave and get, the certificate, notes and where everything is kept.

    Parameters
    ----------
    allocation : content of ``allocation.json``
    run : run directory, named at the end
    console : where to print; its width decides between one table and two
    """
    allocation = cleaned(allocation)
    unit = str(allocation.get("unit", "nats"))
    tables = _tables(allocation["parties"], unit, columns_of(allocation), console)
    tables += _disclosure(allocation["parties"], console)
    parts: list[RenderableType] = [*tables, *_refusals(allocation.get("refused") or []), *_held_back(allocation), ""]
    parts += [_summary(allocation, unit)] if allocation.get("facts", True) else []
    if allocation.get("certificate") or "columns" not in allocation:
        parts += ["", _certificate(allocation.get("certificate") or [])]
    parts += _notes(allocation.get("diagnostics") or [])
    parts += _notes(allocation.get("notes") or [])
    console.print(Group(*parts), highlight=False)
    report = [f"Report: {run / 'report.html'}"] if (run / "report.html").exists() else []
    for line in ("", f"Run directory: {run}", *report, *_what_is_left(allocation, run)):  # paths to copy are not broken
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def present_rehearsal(ledger: Sequence[Record], console: Console) -> None:
    """Print what came of the last dry run: who would bring what, and who was refused and why."""
    ledger = cleaned(ledger)
    last = max(k for k, entry in enumerate(ledger) if entry["action"] == "started")
    entries = ledger[last + 1 :]
    columns = [Column(name, name) for name in ("rows", "columns", "target")]
    came = [entry for entry in entries if entry["action"] == "introduced"]
    longest = max([len("party"), *(len(str(entry["party"])) for entry in came)])
    table = _table(
        "Dry run: what each party would bring; no data was asked for",
        columns,
        came,
        min(longest, NAME_WIDTH),
        console.encoding,
    )
    refused = [entry for entry in entries if entry["action"] == "refused"]
    foreseen = [str(entry["reason"]) for entry in entries if entry["action"] == "foreseen"]
    console.print(Group(table, *_refusals(refused), *_notes(foreseen)), highlight=False)


def _table(title: str, columns: Sequence[Column], parties: Sequence[Record], name_width: int, encoding: str) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("party", style="bold", overflow="fold", width=name_width)
    for column in columns:
        table.add_column(escape(fitted(column.header, encoding)), justify="right", no_wrap=True)
    for party in parties:
        cells = (Text(fitted(column.cell(party), encoding)) for column in columns)
        table.add_row(Text(str(party["party"])), *cells)
    return table


def _tables(parties: Sequence[Record], unit: str, columns: Sequence[Column], console: Console) -> list[Table]:
    """One table where it fits, else two, three or more; names give way before numbers do."""
    worth, reward, scores = (tuple(c for c in columns if c.group == group) for group in ("worth", "reward", "scores"))
    of = f" ({unit})" if unit else ""
    gave, gets, held_out = f"What each party gave{of}", f"What each party gets{of}", "On held-out rows"
    layouts = [
        [(f"What each party gave and gets{of}", worth + reward + scores)],
        [(gave, worth), (gets, reward + scores)],
        [(gave, worth), (gets, reward), (held_out, scores)],
    ]
    for most in range(max(len(worth), len(reward), len(scores)) - 1, 0, -1):
        sections = ((gave, worth), (gets, reward), (held_out, scores))
        layouts.append([(title, part[k : k + most]) for title, part in sections for k in range(0, len(part), most)])
    longest = max([len("party"), *(len(str(party["party"])) for party in parties)])
    widest, narrowest = min(longest, NAME_WIDTH), min(longest, LEAST_NAME_WIDTH)
    for layout in layouts:
        layout = [(title, part) for title, part in layout if part]
        tables = [_table(title, part, parties, widest, console.encoding) for title, part in layout]
        excess = [_width(table, console) - console.width for table in tables]
        if max(excess, default=0) <= widest - narrowest:
            break
    return [
        _table(title, part, parties, max(1, widest - max(0, over)), console.encoding)
        for (title, part), over in zip(layout, excess, strict=True)
    ]


def _disclosure(parties: Sequence[Record], console: Console) -> list[Table]:
    """What each reward gives away, where it was found out."""
    columns = [column for column in DISCLOSURE if any(column.cell(party) != NOTHING for party in parties)]
    if not columns:
        return []
    longest = max([len("party"), *(len(str(party["party"])) for party in parties)])
    title = "What a reward gives away (0.5 is chance, 1 is certain)"
    return [_table(title, columns, parties, min(longest, NAME_WIDTH), console.encoding)]


def _width(table: Table, console: Console) -> int:
    """The columns that the table takes where nothing limits it."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum


def _summary(allocation: Record, unit: str) -> Text:
    """v_N, what else the kind of reward has to say of the run, rho and the two thresholds, in one line."""
    if (own := allocation.get("facts")) is not None:
        return Text("   ".join(f"{name} = {number_text(value)}" for name, value in own.items()))
    thresholds = allocation.get("thresholds") or {}
    (name, value), *more = kind_of(allocation).facts(allocation)
    of = f" {unit}" if unit.isalpha() else ""
    likely = (allocation.get("likely") or {}).get("pool")
    span = "" if likely is None else f" ({number_text(likely['least'])} to {number_text(likely['most'])})"
    facts = [f"{name} = {number_text(value)}{of}{span}"]
    for symbol, value in (
        *more,
        ("rho", allocation.get("rho")),
        ("rho_r", thresholds.get("rational")),
        ("rho_s", thresholds.get("stable")),
    ):
        if value is not None:
            facts.append(f"{symbol} = {count_text(value) if type(value) is int else number_text(value)}")
    if allocation.get("shapley_method"):
        facts.append(f"Shapley values: {allocation['shapley_method']}")
    return Text("   ".join(facts))


def _refusals(refused: Sequence[Record]) -> list[RenderableType]:
    return [
        Text.assemble(("✗ refused ", "bold red"), (str(entry["party"]), "bold"), f": {entry['reason']}")
        for entry in refused
    ]


def _held_back(allocation: Record) -> list[RenderableType]:
    return [
        Text.assemble(("✗ held back ", "bold red"), (str(entry["party"]), "bold"), f": {entry['held_back']}")
        for entry in allocation["parties"]
        if entry.get("held_back")
    ]


def _certificate(checks: Sequence[Record]) -> RenderableType:
    """One line a check: whether it holds, its title, and the witness."""
    if not checks:
        return Text("No certificate: the run stopped before rewards were decided.", style="dim")
    table = Table(title="Certificate", title_justify="left", title_style="bold", box=None, show_header=False)
    table.pad_edge = False
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold", ratio=2)
    table.add_column(overflow="fold", ratio=3, style="dim")
    for check in checks:
        mark, style = MARKS[check.get("holds")]
        name, title = str(check["name"]), str(check.get("title") or "")
        table.add_row(Text(mark, style=style), Text(name), Text(title), Text(str(check.get("witness") or "")))
    return table


def _notes(notes: Sequence[str]) -> list[RenderableType]:
    table = Table.grid(padding=(0, 1))
    for note in notes:
        table.add_row(Text("·", style="dim"), Text(note))
    return ["", table] if notes else []


def _what_is_left(allocation: Record, run: Path) -> list[str]:
    """What a later ``resume`` would do."""
    if allocation.get("stage") == "valued":
        return [f"Valued only, nothing was given yet. To go on: python -m simulations resume {run}"]
    missed = [
        str(party["party"])
        for party in allocation["parties"]
        if not party.get("delivered") and not party.get("held_back")
    ]
    if not missed:
        return []
    return [f"Not delivered to {', '.join(missed)}. To try again: python -m simulations resume {run}"]
