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
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from wire.parsing import ParseError, read_json, read_toml
from wire.text import is_line

__all__ = ["Column", "Schema", "SchemaError", "spelled"]

Type = Literal["number", "category", "boolean"]

MISSING = ("", "NA", "NaN", "nan", "null", "?")
"""What stands for a gap unless the schema says otherwise."""

KEYS = {"type", "minimum", "maximum", "values", "missing", "flag-missing", "unit", "description"}

LIMIT = 200_000
"""Characters of a schema at most."""


class SchemaError(ValueError):
    """The schema can't be used; the text says which column, what was expected and what came."""


@dataclass(frozen=True)
class Column:
    """One column of every party's file.

    minimum, maximum : bounds of a number, both included; values : the categories, in the order of their features;
    missing : "refuse", "drop", or what stands in for a gap (a number, or one of the categories); flag_missing : one
    more feature, 1 where there was a gap; unit, description : for whoever reads it.
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
        try:
            found = read_json(text)
            columns = {column.pop("name"): column for column in found.pop("columns")}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SchemaError("it is not what a schema is sent as") from error
        return cls._of({**found, "columns": columns})

    def to_json(self) -> str:
        """The schema as it is sent and hashed, with no two ways to write it."""
        columns = [
            {
                key.replace("_", "-"): value
                for key, value in asdict(column).items()
                if value not in (None, "", ()) and value is not False
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
    def without_target(self) -> Self:
        """What rows without outputs must hold, as those that a model is to predict."""
        columns = tuple(column for column in self.columns if column.name != self.target)
        return replace(self, columns=columns, target="")

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Self:
        unknown = set(found) - {"target", "missing-values", "columns"}
        if unknown:
            raise SchemaError(f"expected target, missing-values and columns, got {', '.join(sorted(unknown))} besides")
        columns = found.get("columns")
        if not isinstance(columns, Mapping) or not columns:
            raise SchemaError('a schema names its columns: [columns.age] with type = "number" and so on')
        missing_values = found.get("missing-values", list(MISSING))
        schema = cls(
            tuple(_column(name, about) for name, about in columns.items()),
            _text(found.get("target", ""), "target"),
            tuple(_text(value, "missing-values") for value in _list(missing_values, "missing-values")),
        )
        schema._check()
        return schema

    def _check(self) -> None:
        by_name = {column.name: column for column in self.columns}
        if self.target and self.target not in by_name:
            raise SchemaError(f"target = {self.target!r} is none of the columns {', '.join(by_name)}")
        if self.target and (by_name[self.target].fills or by_name[self.target].flag_missing):
            raise SchemaError(f"column {self.target!r}: a target is never made up; missing must be 'refuse' or 'drop'")
        if not self.features:
            raise SchemaError("there is no column besides the target")
        if len(set(self.features)) < len(self.features):
            twice = sorted({name for name in self.features if self.features.count(name) > 1})
            raise SchemaError(f"two columns make a feature of the same name: {', '.join(twice)}")
        if len(self.to_json()) > LIMIT:
            raise SchemaError(f"it is longer than {LIMIT:,} characters")


def spelled(value: str) -> str:
    """A category as it is compared: without blanks around it, and 1, 1.0 and 1.00 are the same."""
    text = value.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else (repr(number) if math.isfinite(number) else text)


def _column(name: str, about: Any) -> Column:
    if not is_line(name):
        raise SchemaError(f"a column's name must be one line that can be printed, got {name[:60]!r}")
    where = f"column {name!r}"
    if not isinstance(about, Mapping):
        raise SchemaError(f"{where}: expected a table of {', '.join(sorted(KEYS))}, got {about!r}")
    unknown = set(about) - KEYS
    if unknown:
        raise SchemaError(f"{where}: there is no {', '.join(sorted(unknown))}; the keys are {', '.join(sorted(KEYS))}")
    kind = about.get("type", "number")
    if kind not in get_args(Type):
        raise SchemaError(f"{where}: type must be {', '.join(get_args(Type))}, got {kind!r}")
    values = tuple(spelled(_text(value, f"{where}: values")) for value in _list(about.get("values", []), where))
    if (kind == "category") != bool(values):
        raise SchemaError(f"{where}: a category has values = [...], and nothing else has; got {kind!r} with {values}")
    if len(set(values)) < len(values):
        raise SchemaError(f"{where}: its values must differ, got {', '.join(values)}")
    low, high = (_bound(about.get(key), f"{where}: {key}") for key in ("minimum", "maximum"))
    if kind != "number" and (low is not None or high is not None):
        raise SchemaError(f"{where}: only a number has a minimum and a maximum")
    if low is not None and high is not None and low > high:
        raise SchemaError(f"{where}: its minimum {low:g} is above its maximum {high:g}")
    flag = about.get("flag-missing", False)
    if not isinstance(flag, bool):
        raise SchemaError(f"{where}: flag-missing must be true or false, got {flag!r}")
    missing = _missing(about.get("missing", "refuse"), kind, values, where)
    if flag and missing in ("refuse", "drop"):
        raise SchemaError(
            f"{where}: flag-missing needs a value that stands in for a gap, missing = ..., got {missing!r}"
        )
    unit, description = (_text(about.get(key, ""), f"{where}: {key}") for key in ("unit", "description"))
    return Column(name, kind, low, high, values, missing, flag, unit, description)


def _missing(missing: Any, kind: Type, values: Sequence[str], where: str) -> str | float:
    if missing in ("refuse", "drop"):
        return str(missing)
    if kind == "category":
        text = spelled(_text(missing, f"{where}: missing"))
        if text in values:
            return text
        raise SchemaError(f"{where}: missing must be 'refuse', 'drop' or one of {', '.join(values)}, got {missing!r}")
    is_number = isinstance(missing, (int, float)) and not isinstance(missing, bool)
    number = _bound(missing, f"{where}: missing") if is_number else None
    if number is None or (kind == "boolean" and number not in (0.0, 1.0)):
        raise SchemaError(f"{where}: missing must be 'refuse', 'drop' or what stands in for a gap, got {missing!r}")
    return number


def _bound(value: Any, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SchemaError(f"{what} must be a finite number, got {value!r}")
    return float(value)


def _text(value: Any, what: str) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    if not isinstance(value, str):
        raise SchemaError(f"{what} must be a text, got {value!r}")
    if value and not value.isspace() and not is_line(value, LIMIT):
        raise SchemaError(f"{what} must be one line that can be printed, got {value[:60]!r}")
    return value


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise SchemaError(f"{what} must be a list, got {value!r}")
    return value
