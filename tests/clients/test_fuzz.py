"""Whatever a file or a schema holds, the reader ends in a table or in its own error: tried on mutations."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.errors import PartyError
from clients.party_data import PartyData, PartyFile
from wire.schema import Schema, SchemaError

SCHEMA = """
target = "y"
missing-values = ["", "NA", -9]
[columns.a]
minimum = 0
maximum = 1e3
missing = 2.5
flag-missing = true
unit = "mg/dl"
[columns.c]
type = "category"
values = ["one", 2, "3.0"]
missing = "drop"
missing-values = ["-"]
[columns.b]
type = "boolean"
[columns.y]
"""
CSV = "a,c,b,y\n1,one,yes,2\n2.5,2,0,3\n,3.0,false,1e2\n-9,-,1,4\n"
TOKENS = (
    *("9" * 5000, "1" + "0" * 400, "1e999", "-0", "nan", "inf", "NaN", "Infinity", "[" * 3000, "{", "}", "]", '"', "'", "\\"),  # noqa: E501
    *("\x00", "\ufeff", "\ufffd", "\x1b[2J", "é", "o\u0308", "\u200b", "\u00a0", "\n", "\r", ",", ";", "\t", "=", ".", "#"),  # noqa: E501
    *("true", "null", "2020-13-45", "1979-05-27T07:32:00Z", "07:32:00", '"""', "[[columns]]", "[columns.a]", "columns = 3"),  # noqa: E501
    *('"\\ud800"', '"name"', "0x10", "1_0", "values = [", "missing = []", "missing = nan", "minimum = {}", "type = 1"),
)  # fmt: skip
RNG = "a seed of this test's own"


def mutated(text: str, rng: random.Random) -> str:
    """The text with a few pieces cut out, doubled, swapped, or replaced by something odd."""
    for _ in range(rng.randint(1, 4)):
        i, j = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        j = min(j, i + rng.choice((0, 1, 3, 40)))
        piece = rng.choice((rng.choice(TOKENS), text[i:j] * 2, chr(rng.randrange(1, 0xD7FF)), ""))
        text = text[:i] + piece + text[j:]
    return text


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    out = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        i = rng.randrange(len(out) + 1)
        step = rng.randrange(4)
        if step == 0 and out:
            out[min(i, len(out) - 1)] = rng.randrange(256)
        elif step == 1:
            del out[i : i + rng.choice((1, 8, 200))]
        elif step == 2:
            out[i:i] = rng.randbytes(rng.choice((1, 4, 30)))
        else:
            out[i : i + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f"))
    return bytes(out)


def schemas(count: int) -> None:
    rng = random.Random(RNG)
    sent = Schema.from_toml(SCHEMA).to_json()
    for _ in range(count):
        for read, text in ((Schema.from_toml, SCHEMA), (Schema.from_json, sent)):
            text = mutated(text, rng)
            try:
                schema = read(text)
            except SchemaError as error:
                str(error).encode()
            else:
                assert Schema.from_json(schema.to_json()) == schema, text


def files(count: int, folder: Path, suffixes: tuple[str, ...] = (".csv", ".csv", ".parquet", ".npz")) -> None:
    rng = random.Random(RNG)
    schema = Schema.from_toml(SCHEMA)
    pl.DataFrame({"a": [1.0, None], "c": ["one", "2"], "b": [True, False], "y": [1, 2]}).write_parquet(
        folder / "p.parquet"
    )
    np.savez(folder / "i.npz", images=np.zeros((3, 2, 2, 1), np.uint8), labels=np.arange(3.0))
    kept = {path.suffix: path.read_bytes() for path in (folder / "p.parquet", folder / "i.npz")}
    for k in range(count):
        for suffix in suffixes:
            content = mutated(CSV, rng).encode() if suffix == ".csv" else mutated_bytes(kept[suffix], rng)
            path = folder / f"north{suffix}"
            path.write_bytes(mutated_bytes(content, rng) if suffix == ".csv" and k % 2 else content)
            for by in (schema, None):
                file = PartyFile("north", path, None, folder, "y", None, 0.25, None if suffix == ".npz" else by)
                try:
                    own = PartyData.read(file).contribution
                except PartyError as error:
                    str(error).encode()
                else:
                    assert np.isfinite(own.X).all()


def test_a_schema_is_one_or_a_schema_error() -> None:
    schemas(150)


def test_a_file_is_rows_or_a_party_error(tmp_path: Path) -> None:
    files(60, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_mutations(tmp_path: Path) -> None:
    """Of Parquet hundreds only: one broken file in some 10,000 makes polars ask for 2^61 bytes and ends the process."""
    schemas(10_000)
    files(10_000, tmp_path, (".csv", ".csv", ".npz"))


@pytest.mark.parametrize(
    "text",
    [
        "[columns.a]\nminimum = " + "9" * 5000,
        "[columns.a]\nminimum = " + "9" * 400,
        "[columns.a]\nmissing = nan",
        "[columns.a]\nmaximum = inf",
        "[columns.a]\nmissing = [1]",
        "[columns.a]\nmissing = 2020-01-01",
        "[columns.a]\ntype = " + "[" * 3000 + "]" * 3000,
        '[columns.a]\ntype = "category"\nvalues = [1e50]',
        '[columns.a]\ntype = "category"\nvalues = [nan, inf]',
        '[columns.a]\ntype = "category"\nvalues = [true]',
        '[columns.a]\ntype = "category"\nvalues = [""]',
        '[columns.""]',
        '[columns."\\u001b[2J"]',
        '[columns."a "]\n[columns.a]',
        "[columns]\na = 3",
        "columns = []",
        "target = 3\n[columns.a]",
        "missing-values = 3\n[columns.a]",
        "# " + "x" * 200_000 + "\n[columns.a]",
    ],
)
def test_a_schema_with_odd_numbers_types_and_names_is_refused(text: str) -> None:
    with pytest.raises(SchemaError) as error:
        Schema.from_toml(text)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"columns": [{"name": "a", "minimum": ' + "9" * 5000 + "}]}",
        '{"columns": [{"name": "a", "missing": NaN}]}',
        '{"columns": [{"name": "a"}, {"name": "a"}]}',
        '{"columns": [{"name": 3}]}',
        '{"columns": [{"name": ["a"]}]}',
        '{"columns": [{"name": "\\ud800"}]}',
        '{"columns": [{"name": "a", "type": {}}]}',
        json.dumps({"columns": [{"name": "a", "values": "one", "type": "category"}]}),
        '{"columns": 3}',
    ],
)
def test_what_no_mediator_would_send_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        Schema.from_json(text)
