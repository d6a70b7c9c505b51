"""A first schema for some parties' files: what each column is taken for and why, what is done about gaps, what is open.

Nothing is guessed in silence: what can be taken in two ways is taken in the one that loses least, or left out, and a
sentence names the line that settles it. A draft holds levels and bounds of the data, no row; bounds are rounded
outward to plain numbers, so that no one's own smallest or largest value is among them.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from clients.cells import GAP_WORDS, gaps_in, has_texts, hint_on, looks_dated, texts_of, truths_in
from clients.columns import ENOUGH, has_no_header, row_marker
from clients.errors import PartyError
from clients.table import HEADLESS, PartyTable
from guerdon.plausibility import code_cells
from guerdon.types import FloatArray
from wire.schema import EPOCH, MISSING, Column, Schema, SchemaError, as_date
from wire.text import alike, listed, nearly, printable, tidy

__all__ = ["LEFT_OUT", "Draft", "Taken", "draft_schema"]

LEFT_OUT = "left out"
"""What a column is taken for that is none of the schema's."""

MOST_LEVELS = 30
"""More different texts than that are no category."""

FEW = 5
"""Rows of a level that are worth a sentence, and gaps that are told apart by a feature of their own at least."""

FEW_NUMBERS = 10
"""Whole numbers of so few different values may be codes."""

MOSTLY = 0.8
"""A column with such a share of numbers is one of numbers, in which something else stands by mistake or for a gap."""

WORDS = tuple(word for word in GAP_WORDS if word.casefold() not in ("none", "nil", "*"))
"""What stands for a gap also among texts, where "none" may be an answer."""


@dataclass(frozen=True)
class Taken:
    """What a column was taken for.

    column : as the schema has it, None where it is left out; kind, why : in words; gaps : how many in all files;
    otherwise : lines of TOML that would take it otherwise, each with when.
    """

    name: str
    column: Column | None
    kind: str
    why: str
    gaps: int = 0
    otherwise: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Draft:
    """The columns in the files' order, the texts for gaps, and what a person should settle or know, a sentence each."""

    files: tuple[str, ...]
    target: str
    taken: tuple[Taken, ...]
    missing_values: tuple[str, ...]
    notes: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def schema(self) -> Schema:
        """What a run is announced with.

        Raises
        ------
        PartyError
            It would be none.
        """
        try:
            return Schema.from_toml(self.to_toml())
        except SchemaError as error:
            raise PartyError(f"no schema can be made of these files: {error}") from error

    def to_toml(self) -> str:
        """The schema as a file, each column with its reason, and what is open as comments where it is settled."""
        lines = [
            f"# A draft, made from {listed(self.files)}: what every party's file must hold.",
            "# It tells levels and bounds of these data (rounded outward) and no row: read it before you share it.",
            "# Check a file by it: python -m clients check FILE --schema THIS",
        ]
        head: dict[str, Any] = {"target": self.target} if self.target else {}
        head["missing-values"] = list(self.missing_values)
        lines += ["", *_assignments(head)]
        for taken in self.taken:
            lines += ["", *_block(taken)]
        return "\n".join(lines) + "\n"


def _block(taken: Taken) -> list[str]:
    if taken.column is None:
        return [printable(f"# {taken.name!r} is left out: {taken.why}")]
    return [
        f"[columns.{_key(taken.name)}]",
        printable(f"# {taken.kind}: {taken.why}"),
        *_assignments(_mapping(taken.column)),
        *(printable(f"# {when}: {line}") for when, line in taken.otherwise),
    ]


def _assignments(mapping: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in mapping.items()]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """A value as TOML writes it; of texts, JSON's way is one of TOML's."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value) if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def _mapping(column: Column) -> dict[str, Any]:
    def day(value: Any) -> Any:
        return as_date(value) if column.type == "date" and isinstance(value, float) else _plain(value)

    found: dict[str, Any] = {"type": column.type}
    if column.whole:
        found["whole"] = True
    for key, value in (("minimum", column.minimum), ("maximum", column.maximum)):
        if value is not None:
            found[key] = day(value)
    if column.values:
        found["values"] = list(column.values)
    if column.missing != "refuse":
        found["missing"] = day(column.missing)
    if column.flag_missing:
        found["flag-missing"] = True
    if column.missing_values is not None:
        found["missing-values"] = list(column.missing_values)
    return found


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def draft_schema(
    tables: Mapping[str, PartyTable], target: str = "", missing: Sequence[str] = (), party_column: str = ""
) -> tuple[Draft, dict[str, PartyTable]]:
    """The draft, and the tables with their columns called as in it.

    Parameters
    ----------
    tables : mapping of str to PartyTable
        By file, or party.
    target : str
        What is to be predicted; "" for none.
    missing : sequence of str
        Texts and numbers that stand for nothing, "-9" in all columns or "age=-9" in one.
    party_column : str
        The column that tells parties apart, which is none of their data.

    Raises
    ------
    PartyError
        The files can't be brought together, or the target can't be used.
    """
    tables, names = _brought_together(tables)
    for party, table in tables.items():
        if has_no_header(table):
            raise PartyError(f"{table.file}: {HEADLESS}", here=f"it reads {listed(table.columns)}")
        if not len(table):
            raise PartyError(f"{party} has no rows of data below its header: leave the file out, or name another")
    if target:
        target = _target_in(tables, names, target)
    codes = _codes(missing, names)
    held = [set(table.columns) for table in tables.values()]
    common = [name for name in names if all(name in own for own in held)]
    if not set(common) - {target, party_column}:
        raise PartyError(
            "the files have no column in common" + (" besides the target" if target else ""), _lists(tables)
        )
    looks = {name: _Look(tables, name, codes) for name in common if name != party_column}
    notes: list[str] = []
    taken = [
        _taken(looks[name], is_target=name == target, notes=notes) if name in looks else _partial(name, tables, names)
        for name in names
        if name != party_column
    ]
    kept = {entry.name for entry in taken if entry.column is not None}
    extra = sorted({word for name, look in looks.items() for word in look.words_seen if name in kept})
    wide = (*MISSING, *(code for code in codes.get("", ()) if code not in MISSING))
    missing_values = (*wide, *(word for word in extra if word not in wide))
    taken = [_with_own_gaps(entry, missing_values, codes) for entry in taken]
    if not any(entry.column is not None and entry.name != target for entry in taken):
        raise PartyError(
            "no column is left that could be a feature: "
            + "; ".join(f"{entry.name!r}: {entry.why}" for entry in taken if entry.name != target)
        )
    rows = {party: len(table) for party, table in tables.items()}
    files = tuple(dict.fromkeys(table.file for table in tables.values()))
    return Draft(files, target, tuple(taken), missing_values, tuple(notes), rows), dict(tables)


def _brought_together(tables: Mapping[str, PartyTable]) -> tuple[dict[str, PartyTable], list[str]]:
    """The tables with one spelling of each name, that of the first file which has it, and all names."""
    names: list[str] = []
    for table in tables.values():
        known = set(names)
        names += [name for name in table.called(names).columns if name not in known]
    return {party: table.called(names) for party, table in tables.items()}, names


def _lists(tables: Mapping[str, PartyTable]) -> str:
    return "; ".join(f"{party} has {listed(table.columns)}" for party, table in tables.items())


def _target_in(tables: Mapping[str, PartyTable], names: Sequence[str], target: str) -> str:
    """The target as the files spell it, which all of them must have."""
    wanted = tidy(target)
    found = wanted if wanted in names else nearly(wanted, names)
    lacking = [party for party, table in tables.items() if found not in table.columns]
    if lacking:
        near = [] if found in names else get_close_matches(wanted, names, n=1)
        raise PartyError(
            f"the target {target!r} is no column of {listed(lacking)}",
            here=(f"did you mean {near[0]!r}? " if near else "")
            + "; ".join(f"{party} has {listed(tables[party].columns)}" for party in lacking),
        )
    return found


def _codes(missing: Sequence[str], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What the user says stands for nothing, by column, "" for all."""
    found: dict[str, tuple[str, ...]] = {}
    for text in missing:
        name, equals, code = text.rpartition("=")
        name = tidy(name)
        column = name if name in names else nearly(name, names)
        if equals and not column:
            raise PartyError(f"missing {text!r}: no file has a column {name!r}; the columns are {listed(names)}")
        if not tidy(code):
            raise PartyError("missing: an empty cell always is a gap; name a code, such as -9 or age=-9")
        found[column] = (*found.get(column, ()), tidy(code))
    return found


class _Cells(NamedTuple):
    """One file's cells of a column that are no gaps: their rows in the file, texts, numbers, truths and days."""

    party: str
    rows: Any
    series: pl.Series
    numbers: FloatArray
    truths: FloatArray
    days: FloatArray


class _Look:
    """What all files have in a column."""

    def __init__(self, tables: Mapping[str, PartyTable], name: str, codes: Mapping[str, Sequence[str]]) -> None:
        self.name, self.tables = name, tables
        self.codes = (*MISSING, *codes.get("", ()), *codes.get(name, ()))
        self.single = all(has_texts(table[name]) for table in tables.values())
        self.rows = sum(len(table) for table in tables.values())
        gaps = {party: table.gaps(name, self.codes, as_numbers=True) for party, table in tables.items()}
        words = {party: gaps_in(table[name], WORDS) & ~gaps[party] for party, table in tables.items()}
        every = {party: gaps_in(table[name], GAP_WORDS) & ~gaps[party] for party, table in tables.items()}
        self.cells = [self._of(party, ~(gaps[party] | every[party])) for party in tables]
        self.numeric = self.single and all(not np.isnan(c.numbers).any() for c in self.cells)
        self.dated = self.single and all(not np.isnan(c.days).any() for c in self.cells if len(c.rows))
        self.dated = self.dated and any(len(c.rows) for c in self.cells) and not self.numeric
        self.true_or_false = self.single and all(not np.isnan(c.truths).any() for c in self.cells)
        seen = every
        if not (self.numeric or self.dated or self.true_or_false) and self.share < MOSTLY:
            seen = words  # among texts, "none" may be an answer
            self.cells = [self._of(party, ~(gaps[party] | words[party])) for party in tables]
        self.gaps = sum(int((gaps[party] | seen[party]).sum()) for party in tables)
        self.words_seen = sorted(
            {
                text
                for party, table in tables.items()
                if seen[party].any()
                for text in texts_of(table[name]).filter(pl.Series(seen[party])).unique()
            }
        )

    def _of(self, party: str, there: Any) -> _Cells:
        table = self.tables[party]
        series = table[self.name].filter(pl.Series(there))
        dated = looks_dated(series)
        return _Cells(
            party,
            table.rows[there],
            series,
            table.numbers(self.name)[there],
            truths_in(series),
            table.days(self.name)[there] if dated else np.full(len(series), np.nan),
        )

    @property
    def share(self) -> float:
        """Of the cells that are no gaps, how many are numbers."""
        count = sum(len(c.numbers) for c in self.cells)
        return 1.0 - sum(int(np.isnan(c.numbers).sum()) for c in self.cells) / count if count else 0.0

    @property
    def numbers(self) -> FloatArray:
        return np.concatenate([c.numbers for c in self.cells])

    @property
    def days(self) -> FloatArray:
        return np.concatenate([c.days for c in self.cells])

    @property
    def has_zeros_before(self) -> bool:
        """Digits with a zero before them, as codes have."""
        texts = [texts_of(c.series) for c in self.cells if c.series.dtype == pl.String]
        return any(bool(own.str.contains(r"^0[0-9]+$").any()) for own in texts)

    def levels(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for c in self.cells:
            for text, count in texts_of(c.series).value_counts().iter_rows():
                found[tidy(text)] += count
        return found

    @property
    def doubts(self) -> list[str]:
        """Why files can be read in two ways."""
        dates = any(looks_dated(c.series) for c in self.cells)
        said = {p: t.doubt(self.name, dates=dates) for p, t in self.tables.items()}
        return [f"{self.tables[p].file}, column {self.name!r}: {doubt}" for p, doubt in said.items() if doubt]

    @property
    def marker(self) -> str:
        """Why it only numbers or names the rows, in all files that are long enough to tell."""
        said = [row_marker(table, self.name) for table in self.tables.values()]
        long = [text for text, table in zip(said, self.tables.values(), strict=True) if text or len(table) >= ENOUGH]
        return said[0] or long[0] if long and all(long) else ""


def _taken(look: _Look, *, is_target: bool, notes: list[str]) -> Taken:
    found = _kind(look, is_target=is_target, notes=notes)
    if is_target and found.column is None:
        raise PartyError(f"the target {look.name!r} can't be used: {found.why}")
    if found.column is None or not look.gaps:
        column = found.column
    elif is_target:
        column = replace(found.column, missing="drop")
    else:
        column = replace(found.column, missing=_fill(look, found.column), flag_missing=look.gaps >= FEW)
    return replace(found, column=column, gaps=look.gaps)


def _kind(look: _Look, *, is_target: bool, notes: list[str]) -> Taken:
    name = look.name
    if not look.single:
        kinds = listed(sorted({str(table[name].dtype.base_type()) for table in look.tables.values()}))
        return _out(name, f"a cell of it holds no single value ({kinds})")
    if any(table[name].dtype == pl.Time for table in look.tables.values()):
        return _out(name, "it holds times of day, which are no dates: write them as numbers, such as hours")
    if not any(len(c.series) for c in look.cells):
        return _out(name, "it is empty in every row")
    if not is_target and (marker := look.marker):
        return _out(name, f"identifier: {marker}")
    levels = None if look.numeric or look.dated else look.levels()
    different = len(np.unique(look.numbers)) if look.numeric else 0
    if different == 1 or (levels is not None and len(levels) == 1) or (look.dated and len(np.unique(look.days)) == 1):
        return _out(
            name, "it is the same in every row" + (", so that there is nothing to predict" if is_target else "")
        )
    if doubts := look.doubts:
        notes += [f"{doubt}; until then the column is left out" for doubt in doubts]
        return _open(name, "it can be read in two ways: " + doubts[0].partition(": ")[2])
    if look.true_or_false:
        return _boolean(look, notes)
    if look.numeric and not look.has_zeros_before:
        return _number(look, different, notes, is_target=is_target)
    if look.dated:
        return _date(look)
    if look.share >= MOSTLY and not look.numeric:
        return _mostly_numbers(look, notes)
    return _category(look, levels if levels is not None else look.levels(), notes)


def _out(name: str, why: str) -> Taken:
    return Taken(name, None, LEFT_OUT, why)


def _open(name: str, why: str) -> Taken:
    """Left out until somebody settles what a note says."""
    return Taken(name, None, "open", why)


def _boolean(look: _Look, notes: list[str]) -> Taken:
    if not look.numeric:
        words = listed(sorted(look.levels())[:8])
        return Taken(look.name, Column(look.name, "boolean"), "yes or no", f"{words} only")
    notes.append(f'column {look.name!r} holds 0 and 1 only: taken as yes or no; if it is an amount, type = "number"')
    other = (("if it is an amount", 'type = "number"'),)
    return Taken(look.name, Column(look.name, "boolean"), "yes or no", "0 and 1 only", otherwise=other)


def _number(look: _Look, different: int, notes: list[str], *, is_target: bool) -> Taken:
    numbers = look.numbers
    if not np.isfinite(numbers).all():
        return _out(look.name, "it holds an infinite number: mend it, or name it as a code for a gap (--missing inf)")
    whole = bool(np.all(numbers == np.round(numbers)) and np.abs(numbers).max() < 2.0**53)
    low, high = _outward(float(numbers.min()), float(numbers.max()))
    column = Column(look.name, "number", low, high, whole=whole)
    other: tuple[tuple[str, str], ...] = ()
    why = f"{'whole ' if whole else ''}numbers only"
    codes = code_cells(numbers, None)
    if codes.any():
        which = sorted({f"{value:g}" for value in numbers[codes]})
        notes.append(
            f"column {look.name!r}: {listed(which)} in {int(codes.sum())} cells is taken as a number, and looks like a "
            f"code for a gap; if it is one: --missing {look.name}={which[0]}"
        )
    elif whole and different <= FEW_NUMBERS and len(numbers) > 2 * different:
        values = [str(int(value)) for value in np.unique(numbers)]
        line = f'type = "category", values = {values}'.replace("'", '"')
        taken_as = "an amount, which regression predicts" if is_target else "an amount"
        notes.append(
            f"column {look.name!r} holds {different} whole numbers: taken as {taken_as}; if they are codes, {line}"
        )
        other = (("if these are codes (without whole, minimum and maximum)", line),)
    return Taken(look.name, column, "whole number" if whole else "number", why, otherwise=other)


def _date(look: _Look) -> Taken:
    first, last = (as_date(float(value)).year for value in (look.days.min(), look.days.max()))
    low = float((date(first, 1, 1) - EPOCH).days)
    high = float((date(min(last + 1, 9999), 12, 31) - EPOCH).days)
    orders = {order for table in look.tables.values() if (order := table.date_order(look.name)) in ("dmy", "mdy")}
    told = {"dmy": ", the day first", "mdy": ", the month first"}
    how = "; ".join(told[order] for order in sorted(orders)) if orders else ""
    return Taken(look.name, Column(look.name, "date", low, high), "date", f"dates only{how}")


def _mostly_numbers(look: _Look, notes: list[str]) -> Taken:
    strange: Counter[str] = Counter()
    where = ""
    for c in look.cells:
        bad = np.flatnonzero(np.isnan(c.numbers))
        if len(bad):
            where = where or f"{look.tables[c.party].file}, row {c.rows[bad[0]]}"
            strange.update(str(c.series[int(k)]) for k in bad)
    some = [f"{text!r}" + (f" ({count} times)" if count > 1 else "") for text, count in strange.most_common(3)]
    common = strange.most_common(1)[0][0]
    cells = "one cell" if sum(strange.values()) == 1 else f"{sum(strange.values())} cells"
    notes.append(
        f"column {look.name!r} is left out: it holds numbers but for {cells}, the first in "
        f"{where} of the data: {listed(some)}{' and others' if len(strange) > 3 else ''}. Mend them; or, if that "
        f"stands for a gap: --missing '{look.name}={common}'"
    )
    return _open(look.name, f"it holds numbers but for {cells}, the first in {where} of the data")


def _category(look: _Look, levels: Counter[str], notes: list[str]) -> Taken:
    name = look.name
    if len(levels) > MOST_LEVELS or (len(levels) > 10 and 2 * len(levels) > sum(levels.values())):
        first = next(c for c in look.cells if len(c.series))
        hint = "" if look.numeric else hint_on(first.series, 0)
        if hint:
            where = f"{look.tables[first.party].file}, column {name!r}, row {first.rows[0]} of the data"
            notes.append(f"{where}: no number that can be read{hint}; until then the column is left out")
            return _open(name, "its cells are no numbers that can be read")
        kind = "codes" if look.numeric else "texts"
        most = f"merge them to at most {MOST_LEVELS}"
        return _out(name, f"it holds {len(levels):,} different {kind}: free text, or too fine: {most}")
    values = tuple(sorted(levels))
    words = [word for word in look.words_seen if word not in MISSING] + _plain_gaps(look)
    if words:
        notes.append(
            f"column {name!r}: {listed(words)} is taken for a gap; if it is an answer, put it among the values of "
            f"[columns.{_key(name)}], and missing-values = [] there"
        )
    rare = [f"{value!r} ({count})" for value, count in sorted(levels.items()) if count < FEW]
    if rare and len(levels) > 1 and sum(levels.values()) > 10 * FEW:
        notes.append(
            f"column {name!r} has levels of fewer than {FEW} rows, which can point to a person: {listed(rare)}; merge "
            "them in the files, or leave the column out"
        )
    alikes = Counter(alike(value) for value in values)
    twice = [value for value in values if alikes[alike(value)] > 1]
    if twice:
        notes.append(f"column {name!r}: {listed(twice)} are two levels or more, and look like one: write them alike")
    why = f"{len(values)} different texts"
    if look.numeric:
        why = f"digits with zeros before them are codes, {len(values)} different ones"
    return Taken(name, Column(name, "category", values=values), "category", why)


def _plain_gaps(look: _Look) -> list[str]:
    """Of what every schema takes for a gap, what stands in the files and could be a country or a person's initials."""
    texts = {
        text
        for table in look.tables.values()
        if table[look.name].dtype == pl.String
        for text in ("NA",)
        if (texts_of(table[look.name]) == text).any()
    }
    return sorted(texts)


def _partial(name: str, tables: Mapping[str, PartyTable], names: Sequence[str]) -> Taken:
    own = [party for party, table in tables.items() if name in table.columns]
    lacking = [party for party in tables if party not in own]
    near = nearly(name, [other for other in names if other != name])
    hint = f" ({near!r} differs in its spelling only: one file has both, so rename one)" if near else ""
    return _out(name, f"only {listed(own)} {'has' if len(own) == 1 else 'have'} it, and not {listed(lacking)}{hint}")


def _with_own_gaps(taken: Taken, wide: Sequence[str], codes: Mapping[str, Sequence[str]]) -> Taken:
    """The column with missing-values of its own where those of the schema would take an answer for a gap."""
    column = taken.column
    if column is None:
        return taken
    own = tuple(code for code in codes.get(taken.name, ()) if code not in wide)
    answers = {*column.values, *(("0", "1") if column.type == "boolean" else ())}
    nothing = tuple(text for text in (*wide, *own) if text not in answers)
    if nothing == tuple(wide):
        return taken
    return replace(taken, column=replace(column, missing_values=nothing))


def _fill(look: _Look, column: Column) -> str | float:
    """What stands in for a gap: the middle, roundly, or what is most frequent."""
    if column.type == "category":
        return look.levels().most_common(1)[0][0]
    if column.type == "boolean":
        return float(np.mean(np.concatenate([c.truths for c in look.cells])) >= 0.5)
    values = look.days if column.type == "date" else look.numbers
    middle = float(np.median(values))
    if column.type == "date":
        return float((date(as_date(middle).year, 7, 1) - EPOCH).days)
    step = _step(float(values.min()), float(values.max())) / 10.0
    rounded = _rounded(round(middle / step) * step, step)
    return float(round(rounded)) if column.whole else rounded


def _step(low: float, high: float) -> float:
    span = high - low or abs(high) or 1.0
    return float(10.0 ** math.floor(math.log10(span)))


def _rounded(value: float, step: float) -> float:
    return round(value, max(0, -math.floor(math.log10(step)) + 1)) + 0.0


def _outward(low: float, high: float) -> tuple[float, float]:
    """Bounds of plain numbers, a tenth of the range outside it at least, and on the same side of 0."""
    step, pad = _step(low, high), (high - low) / 10.0
    least = _rounded(math.floor((low - pad) / step) * step, step)
    most = _rounded(math.ceil((high + pad) / step) * step, step)
    return (max(0.0, least) if low >= 0.0 else least), (min(0.0, most) if high <= 0.0 else most)
