"""A run's allocation as a table that can be read at a glance, in colour on a terminal and plain in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from wire.pages.numbers import count_text, number_text, with_error

__all__ = ["present", "present_rehearsal"]

Record = Mapping[str, Any]
NAME_WIDTH, LEAST_NAME_WIDTH = 16, 9  # longer names are folded
MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "dim")}
ARROW = " → "


class _Column(NamedTuple):
    """A column: its header, and how it is read off one party's record."""

    header: str
    cell: Callable[[Record], str]


class _Columns(NamedTuple):
    """What stands in the tables of one kind of reward: what parties gave, what they get, and how it scores."""

    worth: tuple[_Column, ...]
    reward: tuple[_Column, ...]
    held_out: tuple[_Column, ...]


def present(allocation: Record, run: Path, console: Console) -> None:
    """Print parties, what they gave and get, the certificate, notes and where everything is kept.

    Parameters
    ----------
    allocation : content of ``allocation.json``
    run : run directory, named at the end
    console : where to print; its width decides between one table and two
    """
    unit = str(allocation.get("unit", "nats"))
    tables = _tables(allocation["parties"], unit, _columns(allocation), console)
    parts: list[RenderableType] = [*tables, *_refusals(allocation.get("refused") or []), ""]
    parts += [_summary(allocation, unit)] if allocation.get("facts", True) else []
    if allocation.get("certificate") or "columns" not in allocation:
        parts += ["", _certificate(allocation.get("certificate") or [])]
    parts += _notes(allocation.get("diagnostics") or [])
    parts += _notes(allocation.get("notes") or [])
    console.print(Group(*parts), highlight=False)
    report = [f"Report: {run / 'report.html'}"] if (run / "report.html").exists() else []
    for line in ("", f"Run directory: {run}", *report, *_what_is_left(allocation, run)):  # paths to copy are not broken
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _columns(allocation: Record) -> _Columns:
    """Those of the kind of reward, or those that the strategy itself names: (header, place in a party's record)."""
    own = allocation.get("columns")
    if own is not None:
        return _Columns((), tuple(_Column(str(header), partial(_looked_up, str(place))) for header, place in own), ())
    kind = COLUMNS[str(allocation.get("kind") or "model")]
    if not any("kappa" in party for party in allocation["parties"]):
        return kind
    return kind._replace(
        reward=tuple(TEMPERED.get(column.header, column) for column in kind.reward),
        held_out=(*kind.held_out[:2], WITH_NOISE, *kind.held_out[2:]),
    )


def _looked_up(place: str, party: Record) -> str:
    """What stands at ``key``, at ``key.inner``, or at both sides of ``key -> key``."""
    found = []
    for path in place.split("->"):
        value: Any = party
        for key in path.strip().split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        found.append(value)
    if all(value is None for value in found):
        return "–"
    return ARROW.join(f"{value:,}" if type(value) is int else number_text(value) for value in found)


def present_rehearsal(ledger: Sequence[Record], console: Console) -> None:
    """Print what came of the last dry run: who would bring what, and who was refused and why."""
    last = max(k for k, entry in enumerate(ledger) if entry["action"] == "started")
    entries = ledger[last + 1 :]
    columns = [
        _Column("rows", lambda entry: str(entry["rows"])),
        _Column("columns", lambda entry: str(entry["columns"])),
        _Column("target", lambda entry: str(entry["target"])),
    ]
    came = [entry for entry in entries if entry["action"] == "introduced"]
    longest = max((len(str(entry["party"])) for entry in came), default=LEAST_NAME_WIDTH)
    table = _table(
        "Dry run: what each party would bring; no data was asked for", columns, came, min(longest, NAME_WIDTH)
    )
    refused = [entry for entry in entries if entry["action"] == "refused"]
    console.print(Group(table, *_refusals(refused)), highlight=False)


def _table(title: str, columns: Sequence[_Column], parties: Sequence[Record], name_width: int) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("party", style="bold", overflow="fold", width=name_width)
    for column in columns:
        table.add_column(column.header, justify="right", no_wrap=True)
    for party in parties:
        table.add_row(Text(str(party["party"])), *(column.cell(party) for column in columns))
    return table


def _tables(parties: Sequence[Record], unit: str, kind: _Columns, console: Console) -> list[Table]:
    """One table where it fits, else two, three or four; names give way before numbers do."""
    worth, reward, held_out = kind
    if not worth:
        return _own_tables(parties, unit, reward, console)
    gave, gets, scores = f"What each party gave ({unit})", f"What each party gets ({unit})", "On held-out rows"
    layouts = (
        [(f"What each party gave and gets ({unit})", worth + reward + held_out)],
        [(gave, worth), (gets, reward + held_out)],
        [(gave, worth), (gets, reward), (scores, held_out)],
        [(gave, worth), (gets, reward), (scores, held_out[:-1]), (scores, held_out[-1:])],
    )
    longest = max((len(str(party["party"])) for party in parties), default=LEAST_NAME_WIDTH)
    widest, narrowest = min(longest, NAME_WIDTH), min(longest, LEAST_NAME_WIDTH)
    for layout in layouts:
        excess = [_width(_table(title, columns, parties, widest), console) - console.width for title, columns in layout]
        if max(excess) <= widest - narrowest:
            break
    return [
        _table(title, columns, parties, widest - max(0, over))
        for (title, columns), over in zip(layout, excess, strict=True)
    ]


def _own_tables(parties: Sequence[Record], unit: str, columns: Sequence[_Column], console: Console) -> list[Table]:
    """A strategy's own columns, over as few tables as the width allows."""
    title = "What each party gave and gets" + (f" ({unit})" if unit else "")
    longest = max((len(str(party["party"])) for party in parties), default=LEAST_NAME_WIDTH)
    for most in range(len(columns), 0, -1):
        chunks = [columns[start : start + most] for start in range(0, len(columns), most)]
        tables = [_table(title, chunk, parties, min(longest, NAME_WIDTH)) for chunk in chunks]
        if all(_width(table, console) <= console.width for table in tables):
            break
    return tables


def _width(table: Table, console: Console) -> int:
    """The columns that the table takes where nothing limits it."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum


def _summary(allocation: Record, unit: str) -> Text:
    """v_N, rho and the two thresholds, in one line; for synthetic rewards what they were valued with, too."""
    if (own := allocation.get("facts")) is not None:
        return Text("   ".join(f"{name} = {number_text(value)}" for name, value in own.items()))
    thresholds = allocation.get("thresholds") or {}
    synthetic = allocation.get("kind") == "synthetic"
    facts = [f"v_N = {number_text(allocation['grand_value'])}" + ("" if synthetic else f" {unit}")]
    valued_with = allocation.get("model") or {}
    for symbol, value in (
        ("v*", allocation.get("maximum") if synthetic else None),
        ("length-scale", valued_with.get("lengthscale")),
        ("|G|", count_text(valued_with.get("synthetic_rows")) if synthetic else None),
        ("rho", allocation.get("rho")),
        ("rho_r", thresholds.get("rational")),
        ("rho_s", thresholds.get("stable")),
    ):
        if value is not None:
            facts.append(f"{symbol} = {number_text(value)}")
    if allocation.get("shapley_method"):
        facts.append(f"Shapley values: {allocation['shapley_method']}")
    return Text("   ".join(facts))


def _refusals(refused: Sequence[Record]) -> list[RenderableType]:
    return [
        Text.assemble(("✗ refused ", "bold red"), (str(entry["party"]), "bold"), f": {entry['reason']}")
        for entry in refused
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
    missed = [str(party["party"]) for party in allocation["parties"] if not party.get("delivered")]
    if not missed:
        return []
    return [f"Not delivered to {', '.join(missed)}. To try again: python -m simulations resume {run}"]


def _held_out(party: Record) -> str:
    """How many rows the scores stand on."""
    rows = (party.get("alone") or party.get("reward") or {}).get("rows")
    return count_text(None if rows is None else int(rows))


def _calibration(party: Record) -> str:
    """Shares of the held-out rows within the reward's 50 % and 90 % predictive intervals."""
    scores = party.get("reward") or {}
    shares = [scores.get(f"coverage_{level}") for level in (50, 90)]
    return ", ".join(number_text(share, 2) for share in shares) if any(share is not None for share in shares) else "–"


def _gain(party: Record, score: str) -> str:
    """``alone -> reward`` of a held-out score; a dash for a side that was not scored."""
    return _sides({side: (party.get(side) or {}).get(score) for side in ("alone", "reward")})


def _sides(found: Record) -> str:
    sides = [found.get(side) for side in ("alone", "reward")]
    return ARROW.join(number_text(value) for value in sides) if any(value is not None for value in sides) else "–"


WORTH = (
    _Column("rows", lambda p: f"{p['rows']:,}"),
    _Column("v_i", lambda p: number_text(p["value"])),
    _Column("Shapley", lambda p: with_error(p["shapley"], p.get("shapley_error"))),
    _Column("alpha", lambda p: number_text(p["alpha"], 3)),
)
COLUMNS = {
    "model": _Columns(
        WORTH,
        (
            _Column("target r_i", lambda p: number_text(p.get("target"))),
            _Column("eta_i", lambda p: number_text(p.get("eta"))),
            _Column("reached", lambda p: number_text(p.get("reached"))),
        ),
        (
            _Column("rows\nheld out", _held_out),
            _Column("MNLP\nalone → reward", lambda p: _gain(p, "mnlp")),
            _Column("RMSE\nalone → reward", lambda p: _gain(p, "rmse")),
            _Column("rows in its\n50 %, 90 %", _calibration),
        ),
    ),
    "synthetic": _Columns(
        WORTH,
        (
            _Column("floor", lambda p: number_text(p.get("floor"))),
            _Column("target r_i", lambda p: number_text(p.get("target"))),
            _Column("ceiling", lambda p: number_text(p.get("ceiling"))),
            _Column("rows got", lambda p: count_text(p.get("synthetic_rows"))),
            _Column("reached", lambda p: number_text(p.get("reached"))),
        ),
        (
            _Column("unbiased MMD²\nalone → reward", lambda p: _sides(p.get("mmd2") or {})),
            _Column("rows\nheld out", _held_out),
            _Column("accuracy\nalone → reward", lambda p: _gain(p, "accuracy")),
        ),
    ),
}
"""The columns for each kind of reward."""

TEMPERED = {"eta_i": _Column("kappa_i", lambda p: number_text(p.get("kappa")))}
WITH_NOISE = _Column("MNLP had it\nbeen noise", lambda p: number_text((p.get("reward") or {}).get("mnlp_noise")))
"""What a tempered reward has instead of noise, and what noise of the same value would have come to on average."""
