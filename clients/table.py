"""A party's table, as its file has it: the one reader of ``clients check``, SuperNodes, simulations and ``predict``.

A text file's cells stay the texts that they are, so that codes keep their zeros; what they mean is asked later, of
``clients.encoding`` by a schema or of ``clients.columns`` without one. What stands between the cells is found where one
sign alone cuts every row into as many cells as there are names. A file that can be read in two ways is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.cells import BLANKS, PLAIN, Notation, days_in, gaps_in, looks_like_data, numbers_in, plain_numbers
from clients.errors import PartyError
from clients.notation import Found, find_dates, find_notations
from clients.writing import AS_FOUND, Writing
from guerdon.types import FloatArray
from wire.text import alike, is_line, listed, tidy

__all__ = ["HEADLESS", "TEXT_FILES", "PartyTable", "announced", "read_table"]

TEXT_FILES = (".csv", ".tsv", ".tab", ".txt")
"""Suffixes of tables as text; what stands between the cells is not told by them."""

SIGNS = (",", ";", "\t", "|")
"""What may stand between cells."""

TRIED = 1000
"""Rows by which it is found."""

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

    file : its name; frame : the cells, texts where the file is one; rows : the number of each row in the file, from 1,
    the header not counted; blank : how many rows of nothing were left out; writing : what its people say of it;
    delimiter : what stands between its cells; renamed : what columns are called in the file, by the names that they
    go by here, where these differ.
    """

    file: str
    frame: pl.DataFrame
    rows: NDArray[np.intp]
    blank: int = 0
    writing: Writing = AS_FOUND
    delimiter: str = ","
    renamed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pl.DataFrame, file: str = "table", writing: Writing = AS_FOUND) -> Self:
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
        rows = np.flatnonzero(~blank) + 1
        return cls(file, frame.filter(pl.Series(~blank)), rows, int(blank.sum()), writing)

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, name: str) -> pl.Series:
        return self.frame[name]

    def called(self, names: Sequence[str]) -> Self:
        """The same table with columns by these names where they are spelled otherwise in the file (other case, _ and
        blank), one for each; two that could be meant are left alone."""
        wanted, own = set(names), self.columns
        if wanted >= set(own):
            return self
        near = _by_likeness(name for name in own if name not in wanted)
        rivals = _by_likeness(names)
        meant = {
            near[key][0]: alikes[0]
            for key, alikes in rivals.items()
            if len(alikes) == len(near.get(key, ())) == 1 and alikes[0] not in own
        }
        if not meant:
            return self
        renamed = {**self.renamed, **{name: self.renamed.get(own, own) for own, name in meant.items()}}
        return replace(self, frame=self.frame.rename(meant), renamed=renamed)

    # What the cells of a column say, in the file's own notation.

    def notation(self, name: str) -> Notation:
        """How a column writes its numbers."""
        return self._notations.get(name, Found()).notation

    def numbers(self, name: str) -> FloatArray:
        """A column as numbers, NaN where none is written."""
        return numbers_in(self[name], self.notation(name))

    def gaps(self, name: str, nothing: Sequence[str] = (), *, as_numbers: bool = False) -> NDArray[np.bool_]:
        """Where a column has nothing, or one of the texts that stand for it."""
        return gaps_in(self[name], nothing, self.notation(name), as_numbers=as_numbers)

    def days(self, name: str) -> FloatArray:
        """A column of dates as days since 1970-01-01, NaN where none is written."""
        return days_in(self[name], self.date_order(name) or "ymd")

    def date_order(self, name: str) -> str:
        """How a column writes its dates: "ymd", "dmy", "mdy", or a format; "" where it holds none, or is in doubt."""
        return self._dates.get(name, Found()).dates

    def doubt(self, name: str, *, dates: bool = False) -> str:
        """Why a column can be read in two ways, with what settles it; "" where it can't."""
        return (self._dates if dates else self._notations).get(name, Found()).doubt

    @cached_property
    def plain(self) -> pl.DataFrame:
        """The cells with all numbers written as programs write them, so that a row is the same however it came."""
        other = [name for name, found in self._notations.items() if found.notation != PLAIN and name in self.columns]
        return self.frame.with_columns(
            plain_numbers(self[name], self.notation(name)).fill_null(self[name]) for name in other
        )

    def settled(self) -> Self:
        """The same table with all that the whole file proves written out, so that any part of it is read alike."""
        dated = [name for name, found in self._dates.items() if found.dates not in ("", "ymd") and name in self.columns]
        moments = [
            (pl.Series(name, self.days(name)).fill_nan(None) * 86_400_000.0).cast(pl.Int64).cast(pl.Datetime("ms"))
            for name in dated
        ]
        texts = [own.dt.strftime("%Y-%m-%dT%H:%M:%S").fill_null(self[own.name]) for own in moments]
        return replace(self, frame=self.plain.with_columns(texts))

    def where(self, chosen: pl.Series, *, without: str) -> Self:
        """Some of the rows, without one of the columns."""
        rows = self.rows[chosen.to_numpy()]
        return replace(self, frame=self.frame.filter(chosen).drop(without), rows=rows, blank=0)

    @property
    def decimal(self) -> str:
        """The decimal sign of the file's numbers; where commas stand between its cells, a point unless it is said."""
        signs = {found.notation.decimal for found in self._notations.values() if found.proved}
        return self.writing.decimal or ("," if signs == {","} and self.delimiter != "," else ".")

    @cached_property
    def _notations(self) -> Mapping[str, Found]:
        return find_notations(self.frame.get_columns(), self.writing, self.delimiter)

    @cached_property
    def _dates(self) -> Mapping[str, Found]:
        return find_dates(self.frame.get_columns(), self.writing)

    @property
    def remarks(self) -> list[str]:
        """What was left out or found in reading it, for people."""
        said = []
        if self.blank:
            rows = "1 row holds" if self.blank == 1 else f"{self.blank} rows hold"
            said.append(f"{self.file}: {rows} nothing, as a spreadsheet's deleted ones; left out")
        return said

    @property
    def found(self) -> list[str]:
        """How the file is written, where that is not as programs do, for its own people."""
        said = []
        if self.delimiter != ",":
            said.append(f"{_sign(self.delimiter)} between the cells")
        commas = [name for name, found in self._notations.items() if found.notation.decimal == ","]
        apart = [name for name, found in self._notations.items() if found.notation.thousands and found.proved]
        dated = {name: found.dates for name, found in self._dates.items() if found.dates in ("dmy", "mdy")}
        said += [f"commas before the decimals ({listed(commas)})"] if commas and not self.writing.decimal else []
        said += [f"thousands apart ({listed(apart)})"] if apart else []
        said += [
            f"{'day' if order == 'dmy' else 'month'} first in dates ({listed([k for k in dated if dated[k] == order])})"
            for order in sorted(set(dated.values()))
        ]
        said += [f"{own!r} is {name!r}" for name, own in self.renamed.items()]
        return [f"{self.file}: {'; '.join(said)}"] if said else []


def _by_likeness(names: Iterable[str]) -> dict[str, list[str]]:
    """Names that a reader takes for the same, together."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(alike(name), []).append(name)
    return found


def read_table(path: Path, writing: Writing = AS_FOUND) -> PartyTable:
    """A table of text (.csv, .tsv, .txt) or a Parquet file.

    Raises
    ------
    PartyError
        It can't be read, or not in one way only; what is said quotes nothing that stands in it.
    """
    kind = path.suffix.lower()
    if path.is_dir():
        raise PartyError(f"{path.name} is a folder: name the file with the table in it")
    if kind in OTHERWISE:
        raise PartyError(f"{path.name} is {OTHERWISE[kind]}")
    if kind not in (*TEXT_FILES, ".parquet"):
        raise PartyError(f"{path.name} must be a .csv or .parquet file, or an .npz file of images")
    try:
        if not path.is_file():
            raise PartyError(f"{path.name} does not exist", here=f"looked for in {path.parent}")
        if kind in TEXT_FILES:
            return _csv(path.name, _text(path.name, path.read_bytes(), writing.encoding), writing)
        frame = pl.read_parquet(path)
    except PartyError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # parsers raise whatever a broken file leads them to
        what = f"{path.name} can't be read as {kind[1:]}: {type(error).__name__}"
        raise PartyError(what, here=str(error).partition("\n")[0]) from error
    return PartyTable.of(frame, path.name, writing)


WORKBOOK = "a workbook: save its sheet as CSV (in Excel: Save as, CSV UTF-8) and name that file"
PACKED = "packed: unpack it and name the table that is in it"
OTHERWISE = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), WORKBOOK),
    **dict.fromkeys((".zip", ".gz", ".7z", ".bz2", ".xz", ".rar", ".tar", ".zst"), PACKED),
    **dict.fromkeys(
        (".sav", ".dta", ".sas7bdat", ".xpt", ".rds", ".rdata", ".feather", ".json", ".db", ".sqlite", ".mdb"),
        "of another program: export its table as .csv or .parquet",
    ),
}
"""What people have besides, and what to do with it."""


def _text(file: str, content: bytes, said: str = "") -> str:
    """The text of a file in UTF-8, in UTF-16 or 32 where its first bytes say so, or in the encoding that was said."""
    if content.startswith(b"PK\x03\x04"):
        raise PartyError(f"{file} is no text but a zip file, as workbooks are too: {SAVE}")
    if said:
        try:
            return content.decode(said).removeprefix("\ufeff")
        except UnicodeError:
            raise PartyError(f"{file} is not written in encoding={said!r}, which was said of it: say another") from None
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
    'iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW), or say what it is: encoding="cp1252" (Western Europe) in the node '
    "config (as an option, --encoding cp1252)"
)


def announced(text: str) -> tuple[str, str]:
    """The sign that the first line of a text announces for itself, sep=; as Excel writes it, and the text behind that
    line; "" and the text where none does."""
    first, end, rest = text.partition("\n")
    told = tidy(first).strip('"')
    return (told[4], rest) if len(told) == 5 and told.lower().startswith("sep=") and end else ("", text)


def _csv(file: str, text: str, writing: Writing) -> PartyTable:
    """The rows of a table as text, each with as many cells as the header has names."""
    told, text = announced(text)
    delimiter = writing.delimiter or told or _delimiter(file, text)
    records = _records(file, text, delimiter)
    header = next((record for record in records if not _is_blank(record)), None)
    if header is None:
        raise PartyError(f"{file} can't be read as csv: it is empty")
    frames, rows, blank = [], [], 0
    chunk: list[list[str]] = []
    for number, record in enumerate(records, start=1):
        if _is_blank(record):
            blank += 1
            continue
        if len(record) != len(header):
            raise PartyError(_ragged(file, delimiter, number, len(record), len(header)))
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
    return PartyTable(file, frame, np.array(rows, dtype=np.intp), blank, writing, delimiter)


def _delimiter(file: str, text: str) -> str:
    """The only sign that cuts all rows into as many cells as there are names, two or more; where none does, the one
    that makes most names, so that what does not fit is named."""
    cut = {sign: _cut(text, sign) for sign in SIGNS}
    fits = [sign for sign, (names, even) in cut.items() if even and names > 1]
    if len(fits) > 1:
        raise PartyError(
            f"{file} can be cut into columns at {listed([_sign(sign) for sign in fits])}: say which one it is, "
            f'delimiter="{fits[0] if fits[0] != TAB else "tab"}" in the node config (as an option, --delimiter)'
        )
    most = max(SIGNS, key=lambda sign: cut[sign][0])
    return fits[0] if fits else most if cut[most][0] > 1 else ","


TAB = "\t"


def _sign(sign: str) -> str:
    return {TAB: "tabs", ",": "commas"}.get(sign, repr(sign))


def _cut(text: str, sign: str) -> tuple[int, bool]:
    """How many names the header has if cut at this sign, and whether the first rows have as many cells each."""
    records = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=sign)
    names, even = 0, True
    try:
        for record in islice((record for record in records if not _is_blank(record)), TRIED):
            names = names or len(record)
            even &= len(record) == names
    except csv.Error:
        even = False
    return names, even


def _records(file: str, text: str, delimiter: str) -> Iterator[list[str]]:
    records = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    number = 0  # of the next record, the header being 0
    try:
        for record in records:
            yield record
            number += 1
    except csv.Error as error:
        where = f"row {number} of the data" if number else "its header"
        raise PartyError(
            f"{file} can't be read as csv: the quotation marks in {where} do not match, or a cell there is too long",
            here=str(error),
        ) from None


def _frame(rows: Sequence[Sequence[str]], width: int) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    return pl.DataFrame({str(k): pl.Series(column, dtype=pl.String) for k, column in enumerate(columns)})


def _is_blank(record: Sequence[str]) -> bool:
    return not "".join(record).strip(BLANKS)


def _ragged(file: str, delimiter: str, row: int, cells: int, names: int) -> str:
    signs = "a comma" if delimiter == "," else "a tab" if delimiter == TAB else f"a {delimiter!r}"
    how = (
        "it is cut off, or was changed by hand"
        if cells < names
        else f'it has {signs} too many, as in a number written 1,5 or a text that is not in quotation marks ("a, b")'
        if delimiter == ","
        else f"it has {signs} too many, as in a text that is not in quotation marks"
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
