"""What a party's file comes to by a schema, said on its own machine before anything is sent."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from clients.encoding import Encoded, encode
from clients.look import implausible
from clients.party_data import PartyData, PartyError, PartyFile, store_of
from clients.table import read_table
from wire.schema import Schema, SchemaError
from wire.terminal import Screen
from wire.text import listed

__all__ = ["check_file"]


def check_file(
    path: Path,
    schema_path: Path,
    holdout: float | None,
    holdout_path: Path | None,
    party: str,
    console: Screen,
    store: Path | None = None,
) -> int:
    """Print the columns, what is wrong and what would be sent; returns the exit status, 1 where something is wrong.

    Which rows stay is known where the ``store`` holds the party's secret already, and how many otherwise; nothing is
    written there.

    Raises
    ------
    PartyError
        A file can't be read, or the schema is none.
    """
    try:
        schema = Schema.from_toml(schema_path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SchemaError) as error:
        said = f"it can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise PartyError(f"the schema {schema_path}: {said}") from error
    if holdout is not None and not 0.0 <= holdout <= 0.9:
        raise PartyError(f"--holdout must be from 0 to 0.9, got {holdout}")
    if holdout_path is not None and holdout_path.resolve() == path.resolve():
        raise PartyError("--holdout-path is the file itself: its rows would be sent and not stay here")
    wrong = 0
    for place in filter(None, (path, holdout_path)):
        table = read_table(place)
        encoded = encode(table, schema)
        console.print(_columns(schema, encoded, f"{place.name}: {len(table)} rows"))
        extra = [name for name in table.columns if name not in {column.name for column in schema.columns}]
        if extra:
            console.print(f"Not asked for, and never sent: {listed(extra)}", markup=False)
        for remark in encoded.remarks(table):
            console.print(f"Left out: {remark}", markup=False)
        for problem in encoded.problems:
            console.print(problem.sentence(place.name, quote=True), style="red", markup=False)
        for sentence in implausible(table, schema):
            console.print(f"Look at {place.name}, {sentence}", style="yellow", markup=False)
        wrong += len(encoded.problems)
    console.print(f"Schema {schema.hash}", markup=False)
    if wrong:
        console.print(f"The file can't be used: {wrong} problem{'s' if wrong > 1 else ''}.", style="red")
        return 1
    file = PartyFile(party, path, holdout_path, store or store_of(path), schema.target, None, holdout, schema)
    data = PartyData.read(file, new_secret=False)
    own = data.contribution
    console.print(
        f"You would send {len(own)} rows of {own.X.shape[1]} features"
        f"{f' and the target {data.target}' if data.target else ''}, {_size(own.X.nbytes)}; "
        f'{len(data.held_inputs)} rows stay here.\nTo send nothing else, put confirm-schema="{schema.hash}" in your '
        "node config.",
        markup=False,
    )
    return 0


def _columns(schema: Schema, encoded: Encoded, title: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for name in ("column", "type", "allowed", "gaps", "then"):
        table.add_column(name, justify="right" if name == "gaps" else "left")
    for column in schema.columns:
        low = "" if column.minimum is None else f"from {column.minimum:g}"
        high = "" if column.maximum is None else f"to {column.maximum:g}"
        allowed = ", ".join(column.values) or f"{low} {high}".strip()
        then = {"refuse": "refused", "drop": "row dropped"}.get(str(column.missing), f"taken as {column.missing}")
        gaps = encoded.gaps.get(column.name)
        target = " (target)" if column.name == schema.target else ""
        cells = (column.name + target, column.type, allowed, "absent" if gaps is None else str(gaps), then)
        table.add_row(*map(escape, cells))
    return table


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
