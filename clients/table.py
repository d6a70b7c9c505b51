"""A party's table, as its file has it: the one reader of ``clients check``, SuperNodes, simulations and ``predict``.

A CSV file's cells stay the texts that they are, so that codes keep their zeros; what they mean is asked later, of
``clients.encoding`` by a schema or of ``clients.columns`` without one. A file that can be read in two ways is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.cells import BLANKS, gaps_in, looks_like_data
from clients.errors import PartyError
from wire.text import is_line, listed, tidy

__all__ = ["HEADLESS", "PartyTable", "read_table"]

HEADLESS = (
    "its first line reads like a row of data and not like the names of columns, so nothing of it is sent: write a line "
    "with the names above it (in a table whose columns are called by numbers, such as 2019, put a letter before each)"
)

CHUNK = 20_000
"""Rows that are in memory as Python's own texts at a time."""

REPLACED = "\ufffd"
"""What stands for letters that a program could not read, in the place of what they were."""


@dataclass(frozen=True, eq=False)
class PartyTable:
    """Rows and columns of a file.

    file : its name; frame : the cells, texts where the file is CSV; rows : the number of each row in the file, from 1,
    the header not counted; blank : how many rows of nothing were left out.
    """

    file: str
    frame: pl.DataFrame
    rows: NDArray[np.intp]
    blank: int = 0

    @classmethod
    def of(cls, frame: pl.DataFrame, file: str = "table") -> PartyTable:
        """A table of these cells, without its rows of nothing.

        Raises
        ------
        PartyError
            Its names can't be names of columns.
        """
        names = _names(file, frame.columns)
        frame.columns = names
        frame = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
        blank = np.logical_and.reduce([gaps_in(column) for column in frame]) if names else np.zeros(0, dtype=bool)
        return cls(file, frame.filter(pl.Series(~blank)), np.flatnonzero(~blank) + 1, int(blank.sum()))

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, name: str) -> pl.Series:
        return self.frame[name]

    @property
    def remarks(self) -> list[str]:
        """What was left out in reading it, for people."""
        if not self.blank:
            return []
        rows = "1 row holds" if self.blank == 1 else f"{self.blank} rows hold"
        return [f"{self.file}: {rows} nothing, as a spreadsheet's deleted ones; left out"]


def read_table(path: Path) -> PartyTable:
    """A CSV or Parquet file as a table.

    Raises
    ------
    PartyError
        It can't be read, or not in one way only; what is said quotes nothing that stands in it.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise PartyError(f"{path.name} must be a .csv or .parquet file, or an .npz file of images")
    try:
        if not path.is_file():
            raise PartyError(f"{path.name} does not exist", here=f"looked for in {path.parent}")
        if kind == ".csv":
            return _csv(path.name, _text(path.name, path.read_bytes()))
        frame = pl.read_parquet(path)
    except PartyError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # parsers raise whatever a broken file leads them to
        what = f"{path.name} can't be read as {kind[1:]}: {type(error).__name__}"
        raise PartyError(what, here=str(error).partition("\n")[0]) from error
    return PartyTable.of(frame, path.name)


def _text(file: str, content: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 or 32 where its first bytes say so."""
    for mark, encoding in (
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\x00\x00\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                raise PartyError(f"{file} begins as {encoding.upper()} but goes on otherwise; {SAVE}") from None
    if b"\0" in content[:4096]:
        raise PartyError(f"{file} is no text: it holds zero bytes, as workbooks and UTF-16 without a mark do; {SAVE}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start + 1].decode("latin-1")
        row = sum(1 for _ in csv.reader(io.StringIO(before, newline=""))) - 1
        where = f"row {row} of the data" if row else "its header"
        raise PartyError(
            f"{file} is not UTF-8 (perhaps Latin-1 or Windows-1252): the first letter that can't be read is in {where};"
            f" {SAVE}"
        ) from None


SAVE = (
    "save it as UTF-8 (in Excel: Save as, CSV UTF-8; in LibreOffice: Edit filter settings, Unicode (UTF-8); elsewhere: "
    "iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW)"
)


def _csv(file: str, text: str) -> PartyTable:
    """The rows of a CSV file, each with as many cells as the header has names."""
    records = _records(file, text)
    header = next((record for _, record in records if not _is_blank(record)), None)
    if header is None:
        raise PartyError(f"{file} can't be read as csv: it is empty")
    if len(header) == 1 and (separator := _other_separator(header[0])):
        raise PartyError(_separated(file, separator))
    frames, rows, blank = [], [], 0
    chunk: list[list[str]] = []
    number = 0
    for number, record in enumerate((record for _, record in records), start=1):
        if _is_blank(record):
            blank += 1
            continue
        if len(record) != len(header):
            raise PartyError(_ragged(file, text, number, len(record), len(header)))
        rows.append(number)
        chunk.append(record)
        if len(chunk) == CHUNK:
            frames.append(_frame(chunk, len(header)))
            chunk = []
    frame = pl.concat([*frames, _frame(chunk, len(header))])
    empty = [name for name, title in zip(frame.columns, header, strict=True) if not title.strip(BLANKS)]
    empty = [name for name in empty if gaps_in(frame[name]).all()]  # what stands after a comma too many in every line
    kept = [k for k, name in enumerate(frame.columns) if name not in empty]
    frame = frame.select(frame.columns[k] for k in kept)
    frame.columns = _names(file, [header[k] if header[k].strip(BLANKS) else f"Unnamed: {k}" for k in kept])
    return PartyTable(file, frame, np.array(rows, dtype=np.intp), blank)


def _records(file: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with its number, the header being 0."""
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = -1
    try:
        for number, record in enumerate(records):
            yield number, record
    except csv.Error as error:
        separator = _other_separator(text.partition("\n")[0])
        if separator:
            raise PartyError(_separated(file, separator)) from None
        where = f"row {number + 1} of the data" if number >= 0 else "its header"
        raise PartyError(
            f"{file} can't be read as csv: the quotation marks in {where} do not match, or a cell there is too long",
            here=str(error),
        ) from None


def _frame(rows: Sequence[Sequence[str]], width: int) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    return pl.DataFrame({str(k): pl.Series(column, dtype=pl.String) for k, column in enumerate(columns)})


def _is_blank(record: Sequence[str]) -> bool:
    return not "".join(record).strip(BLANKS)


def _ragged(file: str, text: str, row: int, cells: int, names: int) -> str:
    separator = _other_separator(text.partition("\n")[0])
    if separator:
        return _separated(file, separator)
    how = (
        "it is cut off, or was changed by hand"
        if cells < names
        else 'it has a comma too many, as in a number written 1,5 or a text that is not in quotation marks ("a, b")'
    )
    return f"{file}, row {row} of the data has {cells} cells, and the header names {names} columns: {how}"


def _names(file: str, names: Sequence[str]) -> list[str]:
    """The names of the columns as they are compared."""
    tidied = [tidy(name) for name in names]
    tidied = [name or f"Unnamed: {k}" for k, name in enumerate(tidied)]
    if any(REPLACED in name for name in tidied):
        raise PartyError(
            f"{file}: a column's name holds the sign {REPLACED}, which stands for letters that were lost when the file "
            "was converted: take the file that it was made from, or write the name anew"
        )
    if not all(is_line(name) for name in tidied):
        raise PartyError(f"{file}: a column's name holds control characters: write the name anew")
    twice = [k for k, name in enumerate(tidied) if tidied.index(name) != k]
    if twice and 2 * sum(map(looks_like_data, tidied)) > len(tidied):
        raise PartyError(f"{file}: {HEADLESS}")
    if twice:
        raise PartyError(
            f"{file} has more than one column of the same name (the columns number "
            f"{listed([str(k + 1) for k in twice])} have the name of one before)",
            here=f"rename one: {listed([tidied[k] for k in twice])}",
        )
    return tidied


def _other_separator(header: str) -> str:
    """What the names of a CSV file's columns are separated by, where it is not commas; else ""."""
    found = max((";", "\t", "|"), key=header.count)
    return found if header.count(found) > header.count(",") else ""


def _separated(file: str, separator: str) -> str:
    named = "tabs" if separator == "\t" else repr(separator)
    return (
        f"{file} looks separated by {named}: save it with commas between the columns and points in the numbers, "
        "or as .parquet"
    )
