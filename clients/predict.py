"""The predictions of a reward beside the rows of a file, of which not a byte is changed.

A CSV file is worked on as text: whatever stands in it (leading zeros, quotes, blanks, line ends, a byte order mark)
comes out as it went in, with cells added at the end of each line. A Parquet file keeps its columns with their types.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.encoding import named_by
from clients.party_data import PartyError, encoded_by, numbers, variances
from clients.table import TEXT_FILES, PartyTable, announced
from guerdon.types import FloatArray
from wire.files import write_whole
from wire.kinds import kind_of, understood
from wire.messages import Reward
from wire.schema import Schema, SchemaError
from wire.text import listed

__all__ = ["Predicted", "predicted", "write"]

SUFFIX = "predicted"
"""What the name of a column of predictions is followed by, where the file has one of that name."""

MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)
"""What a text file may begin with, and how it goes on."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is added to a file.

    columns : by name, a value for each row that was read, None where there is none; kept : which of them have one;
    notes : what whoever asked for it should know, in sentences.
    """

    columns: Mapping[str, Sequence[Any]]
    kept: NDArray[np.bool_]
    notes: tuple[str, ...]


def predicted(reward: Reward, table: PartyTable, noise_column: str | None = None) -> Predicted:
    """The predictions for the rows of a file, under names that it does not have.

    Raises
    ------
    PartyError
        A row can't be read; nothing is predicted then.
    """
    kind = kind_of(reward.about)
    with understood(reward):
        features = kind.features(reward)
    if noise_column is not None and noise_column not in table.columns:
        raise PartyError(f"{table.file} has no noise column {noise_column!r}; it has {listed(table.columns)}")
    X, kept = _inputs(reward, features, table)
    noise = variances(table, noise_column, kept) if noise_column else None
    found = kind.predict(reward, X, noise)
    names = _free(list(found), table.columns)
    notes = []
    if taken := [name for name in found if name != names[name]]:
        notes.append(
            f"{table.file} has columns of these names or nearly so: the predictions {listed(taken)} are in "
            f"{listed([names[name] for name in taken])}."
        )
    if not kept.all():
        rows = [str(row) for row in table.rows[~kept]]
        notes.append(
            f"No prediction for {len(rows)} row{'s' if len(rows) > 1 else ''} of {table.file}, which "
            f"{'have' if len(rows) > 1 else 'has'} a gap for which the schema drops rows: {listed(rows)} of the data."
        )
    return Predicted({names[name]: _spread(values, kept) for name, values in found.items()}, kept, tuple(notes))


def write(added: Predicted, file: Path, table: PartyTable, output: Path | None) -> bytes | None:
    """Write the file with the columns added; its bytes, where there is no ``output``.

    Raises
    ------
    PartyError
        The output is the file itself, can't be written, or is of another kind than .csv and .parquet; or the lines of
        the file can't be told apart.
    """
    if output is not None and output.suffix.lower() not in (".csv", ".parquet"):
        raise PartyError(f"{output.name} must end in .csv or .parquet")
    if output is not None and output.exists() and os.path.samefile(output, file):
        raise PartyError(f"{output.name} is the file itself, which is never written over: name another --output")
    own_text = file.suffix.lower() in TEXT_FILES
    if output is not None and output.suffix.lower() == ".parquet":
        made = io.BytesIO()
        _with_columns(added, file, table).write_parquet(made)
        content = made.getvalue()
    elif own_text:
        content = _with_cells(file, table, added.columns)
    else:
        content = _with_columns(added, file, table).write_csv().encode()
    if output is None:
        return content
    try:
        write_whole(output, content)
    except OSError as error:
        raise PartyError(f"{output} can't be written: {error.strerror}") from error
    return None


def _with_columns(added: Predicted, file: Path, table: PartyTable) -> pl.DataFrame:
    """The columns of a Parquet file as they are, or of a CSV file as texts (007 is no 7), and those that are added."""
    if file.suffix.lower() in TEXT_FILES:
        return table.frame.with_columns(pl.Series(name, values) for name, values in added.columns.items())
    own = pl.read_parquet(file)
    places = {int(row) - 1: k for k, row in enumerate(table.rows)}  # of rows of nothing there is no prediction
    return own.with_columns(
        pl.Series(name, [values[places[row]] if row in places else None for row in range(len(own))])
        for name, values in added.columns.items()
    )


def _free(names: Sequence[str], own: Sequence[str]) -> dict[str, str]:
    """Each name as it is where none of them is the file's own (upper case and blanks aside), else all with a suffix."""
    taken = {name.strip().casefold() for name in own}
    count, suffix = 1, ""
    while any(f"{name}{suffix}".strip().casefold() in taken for name in names):
        suffix = f"_{SUFFIX}" + (f"_{count}" if count > 1 else "")
        count += 1
    return {name: f"{name}{suffix}" for name in names}


# A CSV file as text.


def _with_cells(file: Path, table: PartyTable, added: Mapping[str, Sequence[Any]]) -> bytes:
    """The bytes of a CSV file with cells added at the end of each of its lines."""
    content = file.read_bytes()
    mark, encoding = next((m for m in MARKS if content.startswith(m[0])), (b"", table.writing.encoding or "utf-8"))
    text = content[len(mark) :].decode(encoding, errors="surrogateescape")
    _, behind = announced(text)
    before, sign = text[: len(text) - len(behind)], table.delimiter
    lines = _lines(file, behind, sign)
    header = next(k for k, line in enumerate(lines) if any(cell.strip() for cell in _cells(line, sign)))
    values = dict(zip(table.rows.tolist(), zip(*added.values(), strict=True), strict=True))
    made = [before, *lines[:header], _longer(lines[header], list(added), table)]
    for row, line in enumerate(lines[header + 1 :], start=1):
        cells = values.get(row, [None] * len(added))
        made.append(_longer(line, cells, table) if line.strip("\r\n") else line)  # an empty line stays one
    return mark + "".join(made).encode(encoding, errors="surrogateescape")


def _lines(file: Path, text: str, sign: str) -> list[str]:
    """The lines of a CSV file with their ends; one that goes on within quotation marks is one."""
    s = re.escape(sign)
    cell = rf'(?:"[^"]*(?:""[^"]*)*"[^{s}\r\n]*|[^"{s}\r\n][^{s}\r\n]*)?'
    line = re.compile(rf"{cell}(?:{s}{cell})*(?:\r\n|\n|\r|\Z)")
    lines = [found.group() for found in line.finditer(text) if found.group()]
    if "".join(lines) != text or not lines:
        raise PartyError(f"{file.name}: the quotation marks in it do not match, so its lines can't be told apart")
    return lines


def _cells(line: str, sign: str) -> list[str]:
    return next(csv.reader([line], delimiter=sign), [])


def _longer(line: str, values: Sequence[Any], table: PartyTable) -> str:
    """The line with these cells before its end, cut and written as the file's own are."""
    body = line.rstrip("\r\n")
    return table.delimiter.join([body, *(_cell(value, table) for value in values)]) + line[len(body) :]


def _cell(value: Any, table: PartyTable) -> str:
    text = "" if value is None else str(value)
    if isinstance(value, float):
        text = text.replace(".", table.decimal)
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in (table.delimiter, *'"\r\n')) else text


# What a model is given.


def _inputs(found: Reward, features: Sequence[str], table: PartyTable) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The features (k, d) of a file's rows, and which rows they are; by the schema that the reward brings, unless the
    file holds the features themselves."""
    missing = [name for name in features if name not in table.columns]
    if "schema" in found.about:
        schema = _schema(found).without_target
        table = named_by(schema, table)
        if missing or all(column.name in table.columns for column in schema.columns):
            encoded = encoded_by(schema, table, quote=True)
            return encoded.X[:, [schema.features.index(name) for name in features]], encoded.kept
    if missing:
        raise PartyError(f"{table.file} lacks the columns {listed(missing)}; it has {listed(table.columns)}")
    return np.column_stack([numbers(table, name) for name in features]), np.ones(len(table), dtype=bool)


def _schema(found: Reward) -> Schema:
    try:
        return Schema.from_json(json.dumps(found.about["schema"]))
    except SchemaError as error:
        raise PartyError(f"the schema that lies with the reward can't be used: {error}") from error


def _spread(values: NDArray[Any], kept: NDArray[np.bool_]) -> list[Any]:
    """The values of the rows that were kept, and none for the others."""
    found = iter(values.tolist())
    return [next(found) if row else None for row in kept]
