"""A draft schema as a table for people: what each column was taken for, why, and what is done about gaps."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.draft import Draft, Taken
from clients.table import PartyTable
from wire.text import listed

__all__ = ["show_draft", "show_reading"]


def show_draft(draft: Draft, tables: Mapping[str, PartyTable], console: Console) -> None:
    """Print how the files were read, what each column was taken for, and what is open.

    Parameters
    ----------
    draft : Draft
    tables : mapping of str to PartyTable
        As the draft was made of them.
    console : Console
    """
    show_reading(tables, console)
    view = Table(title="What each column was taken for", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    view.pad_edge = False
    for name in ("column", "taken for", "allowed", "gaps", "a gap is"):
        view.add_column(name, justify="right" if name == "gaps" else "left", overflow="fold")
    for taken in draft.taken:
        if taken.column is not None:
            target = " (target)" if taken.name == draft.target else ""
            cells = [taken.name + target, taken.kind, _allowed(taken), str(taken.gaps or ""), _then(taken)]
            view.add_row(*map(Text, cells))
    console.print(view, highlight=False)
    for taken in draft.taken:
        if taken.column is None:
            said = f"Left out: {taken.name}: {taken.why}."
            console.print(said, highlight=False, markup=False, soft_wrap=True)
    for note in draft.notes:
        console.print(f"Open: {note}.", style="yellow", highlight=False, markup=False, soft_wrap=True)


def show_reading(tables: Mapping[str, PartyTable], console: Console) -> None:
    """Print how files were read, a line each and what is particular to it.

    Parameters
    ----------
    tables : mapping of str to PartyTable
        By party, or file.
    console : Console
    """
    for party, table in tables.items():
        who = "" if party == table.file else f"{party}: "
        console.print(f"{who}{table.file}, {len(table):,} rows", highlight=False, markup=False, soft_wrap=True)
        for said in [*table.found, *table.remarks]:
            told = said.removeprefix(f"{table.file}: ")
            console.print(f"  {told}", style="dim", highlight=False, markup=False, soft_wrap=True)


def _allowed(taken: Taken) -> str:
    column = taken.column
    if column is None:
        return ""
    if column.values:
        return listed(column.values, 6)
    if column.minimum is None or column.maximum is None:
        return ""
    return f"{column.written(column.minimum)} to {column.written(column.maximum)}"


def _then(taken: Taken) -> str:
    column = taken.column
    if column is None:
        return ""
    if column.missing == "refuse":
        return "refused" if taken.gaps else ""
    if column.missing == "drop":
        return "row left out"
    fill = column.written(column.missing) if isinstance(column.missing, float) else column.missing
    if column.type == "boolean":
        fill = "yes" if column.missing else "no"
    return f"taken as {fill}" + (", and told apart" if column.flag_missing else "")
