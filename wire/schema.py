"""What every party's file must hold, said before any data moves: columns, types, categories, gaps, and the target.

The mediator announces it with every request; each party reads its own file by it or refuses with the reason, so that
the same value means the same number everywhere. It is written in TOML:

    target = "disease"
    missing-values = ["", "NA", "?"]        # the texts that stand for nothing

    [columns.age]
    type = "number"                         # one feature
    minimum = 0
    maximum = 120

    [columns.pain]
    type = "category"                       # one feature a value, 1 for the row's own and 0 for the others
    values = ["typical", "atypical", "none"]

    [columns.cholesterol]
    type = "number"
    missing = 240.0                         # what stands in for a gap; "refuse" (the default) or "drop" the row
    flag-missing = true                     # and a feature that is 1 where there was one

    [columns.disease]
    type = "boolean"

Names and categories are compared as people read them (``wire.text.tidy``). A category is a text, never a number: 007,
7, 12E1 and 120 are four; only a whole number that a program wrote with a point, 1.0, is the category 1 where no other
is listed as 1.0. What stands for a gap can't be a category too, as NA is for Namibia: such a column says what its own
gaps are, ``missing-values = ["-"]`` below its name. An empty cell always is one.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from wire.parsing import ParseError, read_json, read_toml
from wire.text import is_line, listed, nearly, shown, tidy

__all__ = ["FALSE", "TRUE", "Column", "Schema", "SchemaError", "as_whole", "whole_categories"]

Type = Literal["number", "category", "boolean"]

MISSING = ("", "NA", "NaN", "nan", "null", "?")
"""What stands for a gap unless the schema says otherwise."""

TRUE, FALSE = ("1", "true", "yes", "y", "t"), ("0", "false", "no", "n", "f")
"""What a boolean is written as, in letters of either size."""

KEYS = {"type", "minimum", "maximum", "values", "missing", "missing-values", "flag-missing", "unit", "description"}

LIMIT = 200_000
"""Characters of a schema at most."""


class SchemaError(ValueError):
    """The schema can't be used; the text says which column, what was expected and what came."""


@dataclass(frozen=True)
class Column:
    """One column of every party's file.

    minimum, maximum : bounds of a number, both included; values : the categories, in the order of their features;
    missing : "refuse", "drop", or what stands in for a gap (a number, or one of the categories); flag_missing : one
    more feature, 1 where there was a gap; unit, description : for whoever reads it; missing_values : the texts that
    stand for nothing in this column, None where those of the schema do.
    """

    name: str
    type: Type = "number"
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    missing: str | float = "refuse"
    flag_missing: bool = False
    unit: str = ""
    description: str = ""
    missing_values: tuple[str, ...] | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the numbers that it becomes."""
        own = tuple(f"{self.name}={value}" for value in self.values) if self.type == "category" else (self.name,)
        return (*own, f"{self.name} missing") if self.flag_missing else own

    @property
    def fills(self) -> bool:
        """A gap is filled, and neither refused nor dropped with its row."""
        return self.missing not in ("refuse", "drop")


@dataclass(frozen=True)
class Schema:
    """Columns in order; ``target`` names one of them, or is "" for data without outputs."""

    columns: tuple[Column, ...]
    target: str = ""
    missing_values: tuple[str, ...] = MISSING

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a schema file.

        Raises
        ------
        SchemaError
        """
        _check_length(text)
        try:
            return cls._of(read_toml(text))
        except ParseError as error:
            raise SchemaError(str(error)) from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises
        ------
        SchemaError
        """
        _check_length(text)
        try:
            found = read_json(text)
            named = [(column.pop("name"), column) for column in found.pop("columns")]
            columns = dict(named)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SchemaError("it is not what a schema is sent as") from error
        if len(columns) < len(named) or not all(isinstance(name, str) for name in columns):
            raise SchemaError("it is not what a schema is sent as: columns have names, each its own")
        return cls._of({**found, "columns": columns})

    def to_json(self) -> str:
        """The schema as it is sent and hashed, with no two ways to write it."""
        columns = [
            {
                key.replace("_", "-"): value
                for key, value in asdict(column).items()
                if (value not in (None, "", ()) and value is not False) or (key == "missing_values" and value == ())
            }
            for column in self.columns
        ]
        return json.dumps(
            {"target": self.target, "missing-values": list(self.missing_values), "columns": columns}, sort_keys=True
        )

    @property
    def hash(self) -> str:
        """sha256 of ``to_json()``: what a party confirms."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of all features, in order."""
        return tuple(name for column in self.columns if column.name != self.target for name in column.features)

    @property
    def outputs(self) -> Column | None:
        """The target's column; None for data without outputs."""
        return next((column for column in self.columns if column.name == self.target), None)

    def nothing(self, column: Column) -> tuple[str, ...]:
        """The texts that stand for a gap in this column."""
        return self.missing_values if column.missing_values is None else column.missing_values

    @property
    def without_target(self) -> Self:
        """What rows without outputs must hold, as those that a model is to predict."""
        columns = tuple(column for column in self.columns if column.name != self.target)
        return replace(self, columns=columns, target="")

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Self:
        unknown = set(found) - {"target", "missing-values", "columns"}
        if unknown:
            besides = ", ".join(sorted(map(str, unknown)))[:200]
            raise SchemaError(f"expected target, missing-values and columns, got {besides} besides")
        columns = found.get("columns")
        if not isinstance(columns, Mapping) or not columns:
            raise SchemaError('a schema names its columns: [columns.age] with type = "number" and so on')
        missing_values = found.get("missing-values", list(MISSING))
        schema = cls(
            tuple(_column(_name(name), about) for name, about in columns.items()),
            _text(found.get("target", ""), "target"),
            _texts(missing_values, "missing-values"),
        )
        schema._check()
        return schema

    def _check(self) -> None:
        by_name = {column.name: column for column in self.columns}
        if len(by_name) < len(self.columns):
            raise SchemaError("two columns have names that differ by blanks or by how their letters are encoded only")
        if self.target and self.target not in by_name:
            near = nearly(self.target, by_name)
            hint = f"; did you mean {near!r}?" if near else ""
            raise SchemaError(f"target = {shown(self.target)} is none of the columns {_some(by_name)}{hint}")
        if self.target and (by_name[self.target].fills or by_name[self.target].flag_missing):
            raise SchemaError(f"column {self.target!r}: a target is never made up; missing must be 'refuse' or 'drop'")
        for column in self.columns:
            _check_gaps(column, self.nothing(column))
        if not self.features:
            raise SchemaError("there is no column besides the target")
        if len(set(self.features)) < len(self.features):
            twice = sorted({name for name in self.features if self.features.count(name) > 1})
            raise SchemaError(f"two columns make a feature of the same name: {_some(twice)}")
        if len(self.to_json()) > LIMIT:
            raise SchemaError(f"it is longer than {LIMIT:,} characters")


def as_whole(text: str) -> str:
    """A code as the whole number that a program wrote with a point: 1. and 1.0 as 1; any other text as it is."""
    return re.sub(r"(-?[0-9]{1,15})\.0*", r"\1", text) if re.fullmatch(r"-?[0-9]{1,15}\.0*", text) else text


def whole_categories(values: Sequence[str]) -> dict[str, str]:
    """The categories by what ``as_whole`` makes of them, where that is no other's too (ICD-9 has 250 and 250.0)."""
    times = Counter(map(as_whole, values))
    return {as_whole(value): value for value in values if times[as_whole(value)] == 1}


def _check_length(text: str) -> None:
    if len(text) > LIMIT:
        raise SchemaError(f"it is longer than {LIMIT:,} characters")


def _check_gaps(column: Column, nothing: Sequence[str]) -> None:
    """Refuse what would be a value and a gap at the same time."""
    taken = {"category": column.values, "boolean": (*TRUE, *FALSE)}.get(column.type, ())
    gaps = {as_whole(text) if column.type == "category" else as_whole(text).casefold() for text in nothing}
    both = [value for value in taken if as_whole(value) in gaps]
    if both:
        raise SchemaError(
            f"column {shown(column.name)}: {_some(both)} would be a value of this column and, by missing-values, stand "
            'for a gap: give the column missing-values of its own without it, such as missing-values = ["-"]'
        )


def _name(name: str) -> str:
    """A column's name as it is compared."""
    text = _text(name, "the name of a column")
    if not text:
        raise SchemaError("a column has an empty name")
    return text


def _column(name: str, about: Any) -> Column:
    where = f"column {shown(name)}"
    if not isinstance(about, Mapping):
        raise SchemaError(f"{where}: expected a table of {', '.join(sorted(KEYS))}, got {shown(about)}")
    unknown = set(about) - KEYS
    if unknown:
        raise SchemaError(f"{where}: there is no {_some(unknown)}; the keys are {', '.join(sorted(KEYS))}")
    kind = about.get("type", "number")
    if kind not in get_args(Type):
        raise SchemaError(f"{where}: type must be {', '.join(get_args(Type))}, got {shown(kind)}")
    values = tuple(_category(value, f"{where}: values") for value in _list(about.get("values", []), where))
    if (kind == "category") != bool(values):
        raise SchemaError(
            f"{where}: a category has values = [...], and nothing else has; got {kind!r} with {shown(values)}"
        )
    if len(set(values)) < len(values):
        raise SchemaError(f"{where}: its values must differ, got {_some(values)}")
    low, high = (_bound(about.get(key), f"{where}: {key}") for key in ("minimum", "maximum"))
    if kind != "number" and (low is not None or high is not None):
        raise SchemaError(f"{where}: only a number has a minimum and a maximum")
    if low is not None and high is not None and low > high:
        raise SchemaError(f"{where}: its minimum {low:g} is above its maximum {high:g}")
    flag = about.get("flag-missing", False)
    if not isinstance(flag, bool):
        raise SchemaError(f"{where}: flag-missing must be true or false, got {shown(flag)}")
    missing = _missing(about.get("missing", "refuse"), kind, values, where)
    if flag and missing in ("refuse", "drop"):
        raise SchemaError(
            f"{where}: flag-missing needs a value that stands in for a gap, missing = ..., got {missing!r}"
        )
    unit, description = (_text(about.get(key, ""), f"{where}: {key}") for key in ("unit", "description"))
    own = about.get("missing-values")
    nothing = None if own is None else _texts(own, f"{where}: missing-values")
    return Column(name, kind, low, high, values, missing, flag, unit, description, nothing)


def _category(value: Any, what: str) -> str:
    """A category as it is compared; a number without quotes where it can be written in one way only."""
    plain = re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]+)?", shown(value)) is not None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not plain:
        raise SchemaError(f"{what}: a category is a text: write {shown(value)} in quotes, as it stands in the files")
    text = _text(value, what)
    if not text:
        raise SchemaError(f"{what}: an empty cell is a gap and can't be a category: leave it out, or give it a name")
    return as_whole(text) if isinstance(value, float) else text


def _missing(missing: Any, kind: Type, values: Sequence[str], where: str) -> str | float:
    if missing in ("refuse", "drop"):
        return str(missing)
    if kind == "category":
        text = _category(missing, f"{where}: missing")
        found = text if text in values else whole_categories(values).get(as_whole(text))
        if found is not None:
            return found
        raise SchemaError(f"{where}: missing must be 'refuse', 'drop' or one of {_some(values)}, got {shown(missing)}")
    is_number = isinstance(missing, (int, float)) and not isinstance(missing, bool)
    number = _bound(missing, f"{where}: missing") if is_number else None
    if number is None or (kind == "boolean" and number not in (0.0, 1.0)):
        raise SchemaError(
            f"{where}: missing must be 'refuse', 'drop' or what stands in for a gap, got {shown(missing)}"
        )
    return number


def _bound(value: Any, what: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number beyond every float
        number = math.inf
    if not math.isfinite(number):
        raise SchemaError(f"{what} must be a finite number, got {shown(value)}")
    return number


def _text(value: Any, what: str) -> str:
    """A text as it is compared, or a number as it is written."""
    if isinstance(value, int) and value.bit_length() > 1000:
        raise SchemaError(f"{what}: a number of that many digits is none, write a text in quotes")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    if not isinstance(value, str):
        raise SchemaError(f"{what} must be a text, got {shown(value)}")
    text = tidy(value)
    if text and not is_line(text, LIMIT):
        raise SchemaError(f"{what} must be one line that can be printed, got {shown(value)}")
    return text


def _texts(values: Any, what: str) -> tuple[str, ...]:
    return tuple(_text(value, what) for value in _list(values, what))


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise SchemaError(f"{what} must be a list, got {shown(value)}")
    return value


def _some(names: Iterable[Any]) -> str:
    """Names in an error's sentence, not all of very many."""
    return listed([str(name)[:80] for name in names])
