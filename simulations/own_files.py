"""Files of one's own in a simulation: each party's is what its SuperNode would read, by a schema that all confirm.

A file goes into the run directory as it is, byte for byte, and beside it how it is written where that was said; one
file with several parties in it is cut into theirs. Without a schema, one is drafted from all files.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import polars as pl
from rich.console import Console

from clients.cells import gaps_in, texts_of
from clients.draft import Draft, draft_schema
from clients.draft_view import show_draft, show_reading
from clients.encoding import named_by
from clients.errors import PartyError
from clients.party_data import WRITINGS, encoded_by
from clients.table import PartyTable, read_table
from clients.writing import AS_FOUND, KEYS, Writing
from wire.messages import MessageError, check_party_name
from wire.schema import Schema, SchemaError
from wire.text import listed, nearly, tidy

__all__ = ["OwnFiles", "OwnFilesError", "Read", "party_names", "read_writings", "strategy_for"]

TABLE_KEYS = ("files", "target", "party-column", "schema", "missing", *KEYS)
SCHEMA = "schema.toml"


class OwnFilesError(ValueError):
    """The files can't be simulated with; the message says what to mend."""


@dataclass(frozen=True)
class OwnFiles:
    """Which files, and what their people say of them.

    files : by party; under "" where one file has several parties in it, which ``party_column`` tells apart; schema :
    where there is one; missing : texts for nothing, for a draft; writings : how files are written, by party, "" for
    all.
    """

    files: Mapping[str, Path]
    target: str = ""
    party_column: str = ""
    schema: Path | None = None
    missing: tuple[str, ...] = ()
    writings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        files: Sequence[str] | Mapping[str, str],
        folder: Path,
        *,
        target: str = "",
        party_column: str = "",
        schema: str = "",
        missing: Sequence[str] = (),
        writings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Self:
        """Files by their paths from a folder, each a party called after it, or ``NAME=PATH``.

        Raises
        ------
        OwnFilesError
        """
        pairs = list(files.items()) if isinstance(files, Mapping) else [_pair(text) for text in files]
        if not pairs:
            raise OwnFilesError("name the files: --data north.csv --data south.csv")
        paths = [(name, (folder / Path(path).expanduser()).resolve()) for name, path in pairs]
        twice = [str(path) for k, (_, path) in enumerate(paths) if path in [other for _, other in paths[:k]]]
        if twice:
            raise OwnFilesError(f"the same file is named twice: {listed(twice)}. Each party has a file of its own")
        if party_column:
            if len(paths) > 1:
                raise OwnFilesError(
                    f"party-column {party_column!r} tells the parties of one file apart, and {len(paths)} are named"
                )
            named = {"": paths[0][1]}
        else:
            named = _named(paths)
            if len(named) < 2:
                raise OwnFilesError(
                    "one file is one party: name each party's file (--data north.csv --data south.csv), or the column "
                    "that tells them apart in this one (--party-column site)"
                )
        said = dict(writings or {})
        if unknown := [party for party in said if party and party not in named]:
            raise OwnFilesError(f"no file is {listed(unknown)}'s: the parties are {listed(list(named))}")
        table = folder / Path(schema).expanduser() if schema else None
        return cls(named, tidy(target), tidy(party_column), table, tuple(missing), said)

    @classmethod
    def from_table(cls, found: Mapping[str, Any], folder: Path) -> Self:
        """The table [data] of a scenario file, with paths from the folder that it lies in.

        Raises
        ------
        OwnFilesError
        """
        parties = {key: value for key, value in found.items() if isinstance(value, Mapping) and key != "files"}
        if unknown := [key for key in found if key not in (*TABLE_KEYS, *parties)]:
            near = nearly(unknown[0], TABLE_KEYS)
            hint = f"; did you mean {near!r}?" if near else ""
            raise OwnFilesError(f"[data] has no key {unknown[0]!r}{hint} The keys are {', '.join(TABLE_KEYS)}")
        files, missing = found.get("files"), found.get("missing", [])
        if not isinstance(files, list | Mapping) or not all(isinstance(f, str) for f in _values(files)):
            raise OwnFilesError('[data] names the files: files = ["north.csv", "south.csv"], or {north = "a.csv"}')
        texts = {key: found.get(key, "") for key in ("target", "party-column", "schema")}
        if wrong := [key for key, value in texts.items() if not isinstance(value, str)]:
            raise OwnFilesError(f"[data] {wrong[0]} is a text, got {texts[wrong[0]]!r}")
        missing = [str(code) for code in (missing if isinstance(missing, list) else [missing])]
        writings = {"": {key: found[key] for key in KEYS if key in found}, **parties}
        for party, keys in writings.items():
            if strange := [key for key in keys if key not in KEYS]:
                raise OwnFilesError(f"[data.{party}] says how a file is written, {', '.join(KEYS)}; not {strange[0]!r}")
        return cls.of(
            files,
            folder,
            target=texts["target"],
            party_column=texts["party-column"],
            schema=texts["schema"],
            missing=missing,
            writings={party: keys for party, keys in writings.items() if keys},
        )

    def read(self) -> Read:
        """The tables, with a schema by which all of them can be used.

        Raises
        ------
        OwnFilesError
            A file can't be read, or they can't be brought together; the sentence names file, column and row.
        """
        try:
            return self._read()
        except PartyError as error:
            raise OwnFilesError(error.in_full) from error

    def _read(self) -> Read:
        writings = {party: Writing.of({**self.writings.get("", {}), **self._said(party)}) for party in self.files}
        tables = {party: read_table(path, writings[party]) for party, path in self.files.items()}
        if self.party_column:
            tables = _divided(tables[""], self.party_column)
            writings = dict.fromkeys(tables, AS_FOUND)
        draft, text = None, ""
        if self.schema is None:
            draft, tables = draft_schema(tables, self.target, self.missing)
            schema, text = draft.schema, draft.to_toml()
        else:
            schema, text = _given(self.schema, self.target)
            tables = {party: named_by(schema, table) for party, table in tables.items()}
        problems = []
        for table in tables.values():
            try:
                encoded_by(schema, table, quote=True)
            except PartyError as error:
                problems.append(error.in_full)
        if problems:
            raise PartyError("\n".join(problems))
        files = {} if self.party_column else self.files
        return Read(files, writings, tables, schema, text, draft, _copies(files))

    def _said(self, party: str) -> Mapping[str, str]:
        return self.writings.get(party, {}) if party else {}


@dataclass(frozen=True, eq=False)
class Read:
    """The files as they were read.

    files : by party, none where one was divided; text : the schema as a file; notes : what the user should know.
    """

    files: Mapping[str, Path]
    writings: Mapping[str, Writing]
    tables: Mapping[str, PartyTable]
    schema: Schema
    text: str
    draft: Draft | None
    notes: tuple[str, ...] = ()

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(self.tables)

    def write(self, run: Path) -> Path:
        """Write what each party reads into the run directory, and the schema, whose path is returned."""
        folder = run / "data"
        folder.mkdir()
        for party, table in self.tables.items():
            if party in self.files:
                shutil.copyfile(self.files[party], folder / f"{party}{self.files[party].suffix.lower()}")
            else:
                table.frame.write_parquet(folder / f"{party}.parquet")
        said = {party: config for party, writing in self.writings.items() if (config := writing.to_config())}
        if said:
            (folder / WRITINGS).write_text(json.dumps(said), encoding="utf-8")
        (folder / "parties.json").write_text(json.dumps(self.parties), encoding="utf-8")
        (run / SCHEMA).write_text(self.text, encoding="utf-8")
        return run / SCHEMA

    def show(self, console: Console) -> None:
        """Print what the files were taken for."""
        if self.draft is not None:
            show_draft(self.draft, self.tables, console)
        else:
            show_reading(self.tables, console)


def strategy_for(schema: Schema) -> tuple[str, str]:
    """The strategy that suits a schema's target, and why, in words."""
    target = next((column for column in schema.columns if column.name == schema.target), None)
    if target is None:
        return "SyntheticDataRewards()", "there is no target, so that rewards are synthetic rows"
    if target.numeric:
        return "ModelRewards()", f"the target {target.name!r} is a number, which a regression predicts"
    what = "yes or no" if target.type == "boolean" else f"one of {len(target.values)} categories"
    return "ClassificationRewards()", f"the target {target.name!r} is {what}, whose probabilities a classifier predicts"


def party_names(files: Sequence[str]) -> list[str]:
    """The names that ``OwnFiles.of`` gives to these files, as far as they can be told."""
    return [given or _as_name(Path(path).stem) for given, path in map(_pair, files)]


def _values(files: Sequence[str] | Mapping[str, str]) -> Iterable[str]:
    return files.values() if isinstance(files, Mapping) else files


def _pair(text: str) -> tuple[str, str]:
    """NAME=PATH, or a path."""
    name, equals, path = text.partition("=")
    return (name, path) if equals and not Path(text).exists() and "/" not in name else ("", text)


def _as_name(text: str) -> str:
    """A party's name of what a file or a cell calls it: St. Märien as St.-Marien."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:64] or "party"


def _named(paths: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """The files by party: the name that was given, else the file's."""
    found: dict[str, Path] = {}
    for given, path in paths:
        name = given or _as_name(path.stem)
        try:
            check_party_name(name)
        except MessageError as error:
            raise OwnFilesError(f"{path.name}: {error}. Name it: --data NAME={path}") from error
        same = [other for other in found if other.casefold() == name.casefold()]
        if same:
            raise OwnFilesError(
                f"{found[same[0]]} and {path} would both be the party {name!r}: name them, "
                f"--data one={found[same[0]]} --data other={path}"
            )
        found[name] = path
    return found


def _divided(table: PartyTable, column: str) -> dict[str, PartyTable]:
    """The rows of each party, by what stands in a column, which is none of their data."""
    table = table.called([column]).settled()
    if column not in table.columns:
        here = f"it has {listed(table.columns)}"
        raise PartyError(f"{table.file} has no column {column!r}, which is to tell parties apart", here)
    gaps = gaps_in(table[column])
    if gaps.any():
        row = int(table.rows[gaps.argmax()])
        raise PartyError(f"{table.file}, column {column!r}, row {row} of the data: no party is named here")
    texts = texts_of(table[column]).map_elements(tidy, pl.String)
    found: dict[str, PartyTable] = {}
    spelled: dict[str, str] = {}
    for text in sorted(texts.unique()):
        name = _as_name(text)
        try:
            check_party_name(name)
        except MessageError as error:
            raise PartyError(f"{table.file}, column {column!r}: {error}") from error
        if name.casefold() in spelled:
            raise PartyError(
                f"{table.file}, column {column!r}: two of its texts make the same party, {spelled[name.casefold()]!r} "
                f"and {text!r}: write them alike, or apart by more than case and signs"
            )
        spelled[name.casefold()] = text
        found[name] = table.where(texts == text, without=column)
    if len(found) < 2:
        raise PartyError(f"{table.file}, column {column!r}: it names one party only, and two or more are to pool data")
    if len(found) > MOST_PARTIES:
        raise PartyError(
            f"{table.file}, column {column!r} names {len(found):,} parties: is it the column that tells them apart?"
        )
    return found


MOST_PARTIES = 200
"""More are rather rows, told apart by an identifier."""


def _copies(files: Mapping[str, Path]) -> tuple[str, ...]:
    """What is said of files that are the same to the byte."""
    first: dict[str, str] = {}
    said = []
    for party, path in files.items():
        other = first.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), party)
        if other != party:
            said.append(
                f"{party} and {other} have the same file, to the byte: each would be rewarded for the same rows"
            )
    return tuple(said)


def _given(path: Path, target: str) -> tuple[Schema, str]:
    try:
        text = path.read_text(encoding="utf-8")
        schema = Schema.from_toml(text)
    except (OSError, UnicodeDecodeError, SchemaError) as error:
        said = f"it can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise PartyError(f"the schema {path}: {said}") from error
    if target and target not in (schema.target, nearly(schema.target, [target])):
        raise PartyError(f"the schema {path} has the target {schema.target!r}, got --target {target!r}")
    return schema, text


def read_writings(said: Mapping[str, Sequence[str]], parties: Iterable[str]) -> dict[str, dict[str, str]]:
    """Options by key, each for all files or, as PARTY=VALUE, for one; as ``OwnFiles.of`` takes them."""
    found: dict[str, dict[str, str]] = {}
    names = set(parties)
    for key, values in said.items():
        for value in values:
            party, equals, own = value.partition("=")
            party, own = (party, own) if equals and party in names else ("", value)
            found.setdefault(party, {})[key] = own
    return found
