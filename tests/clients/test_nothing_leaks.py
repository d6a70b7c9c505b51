"""Nothing that a cell of a party's file holds leaves it but in a contribution: tried on all refusals.

Every fault is a file with sentinels in it, texts and numbers that stand nowhere else; each byte that crosses the wire
from its party is searched for them, and so is whatever the mediator keeps.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Message, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from hypothesis import given, settings
from hypothesis import strategies as st

import clients
from clients.app import app
from server.app import mediate
from strategies.conversation import QuorumError
from tests.fakes import LocalGrid
from wire import messages

TEXT, NUMBER, NEGATIVE = "Xyzzy Plugh", 271828.1828, -314159.2653
SENTINELS = ("xyzzy", "plugh", "271828", "314159", "999331", "xýzzy")

CELLS = (TEXT, "271828", "271828.1828", "?", "", "1", "yes", "2.5", "314159,5")

SCHEMA = """
target = "y"
[columns.a]
minimum = -1000
maximum = 1000
[columns.c]
type = "category"
values = ["one", "two"]
[columns.b]
type = "boolean"
[columns.y]
"""
GOOD = "a,c,b,y,v\n" + "".join(
    f"{k * k % 17 + 0.5},{('one', 'two')[k % 2]},{k % 2},{3 * k % 7}.5,.5\n" for k in range(12)
)
PLAIN = "a,b,y,v\n" + "".join(f"{k * k % 17 + 0.5},{k % 2},{3 * k % 7}.5,.5\n" for k in range(12))


@dataclass(frozen=True)
class Fault:
    """What is wrong at one party: its file, and whatever else is set for it or for the run."""

    content: Any
    name: str = "north.csv"
    node: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    schema: str = ""


def cell(text: object, row: int = 3, column: int = 0, base: str = PLAIN) -> str:
    """The table with another text in one cell."""
    lines = [line.split(",") for line in base.splitlines()]
    lines[row][column] = f'"{text}"' if "," in str(text) else str(text)
    return "\n".join(map(",".join, lines)) + "\n"


def parquet(**columns: Any) -> Callable[[Path], None]:
    filled = {
        name: (values if len(values) == 12 else [*values, *[values[-1]] * (12 - len(values))])
        for name, values in columns.items()
    }
    return lambda path: pl.DataFrame(filled, strict=False).write_parquet(path)


def images(**arrays: Any) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)


NUMBERS = [k * k % 17 + 0.5 for k in range(12)]
FAULTS: dict[str, Fault] = {
    "text among numbers": Fault(cell(TEXT)),
    "text in the target": Fault(cell(TEXT, column=2)),
    "comma": Fault(cell("271828,18")),
    "hexadecimal": Fault(cell("0x271828")),
    "underscore": Fault(cell("271828_1")),
    "thousands": Fault(cell("271 828")),
    "unit": Fault(cell("271828 mg")),
    "date": Fault(cell("271828-10-10")),
    "infinite": Fault(cell("271828e9999")),
    "gap": Fault(cell("").replace("16.5", "271828")),
    "negative noise": Fault(cell(NEGATIVE, column=3), node={"noise": "v"}),
    "text for noise": Fault(cell(TEXT, column=3), node={"noise": "v"}),
    "no such noise": Fault(cell(NUMBER), node={"noise": "nothing"}),
    "no such target": Fault(cell(NUMBER), node={"target": "nothing"}),
    "target by another case": Fault(cell(NUMBER).replace("y", "Y")),
    "cut off": Fault(PLAIN + "271828\n"),
    "too long": Fault(PLAIN + "271828,314159,1,2,3\n"),
    "open quotation": Fault(PLAIN + '"Xyzzy Plugh,1,2,3\n'),
    "no header": Fault("271828,314159,1\n" + "4,5,6\n" * 9),
    "no header, texts": Fault("Xyzzy,Plugh,999331\n" + "Abc,Def,5\n" * 9),
    "no header, only texts": Fault("Xyzzy,Plugh\n" + "Abc,Def\n" * 9),
    "no header, first gap": Fault("Xyzzy,?,314159\n" + "Abc,4,5\n" * 9),
    "no header, seen": Fault("xyzzy,unknown\n" + "xyzzy,5\n" * 9),
    "no header, one row": Fault("271828,314159\n"),
    "no header, date": Fault("2718281-01-01,271828,3\n" + "2020-01-01,5,4\n" * 9),
    "no header, the same twice": Fault("271828,271828,1\n" + "4,5,6\n" * 9),
    "no header, parquet": Fault(parquet(**{"271828": NUMBERS, "314159.5": NUMBERS}), "north.parquet"),
    "column twice": Fault("a,a,y\n271828,2,3\n"),
    "semicolons": Fault("a;b;y\n271828,5;314159,5;1\n"),
    "latin-1": Fault(PLAIN.encode() + "Xýzzy,1,2,3\n".encode("latin-1")),
    "utf-16 cut": Fault(PLAIN.encode("utf-16") + b"\x00"),
    "zero bytes": Fault(b"a,b,y\n271828\x00,2,3\n"),
    "lost letters": Fault("gr\ufffd,y\n271828,1\n"),
    "empty": Fault(""),
    "only a header": Fault("a,b,y\n"),
    "identifiers only": Fault("id,y\n271828,1\n314159,2\n"),
    "texts that all differ": Fault("name,y\n" + "".join(f"Xyzzy{k},{k}.5\n" for k in range(12))),
    "broken parquet": Fault(b"PAR1Xyzzy Plugh 271828PAR1", "north.parquet"),
    "text in parquet": Fault(parquet(a=[TEXT, "b"], y=NUMBERS), "north.parquet"),
    "list in parquet": Fault(parquet(a=[[NUMBER], [1.0]], y=NUMBERS), "north.parquet"),
    "bytes in parquet": Fault(parquet(a=[b"Xyzzy", b"a"], y=NUMBERS), "north.parquet"),
    "dates in parquet": Fault(
        lambda path: pl.DataFrame({"a": [271828] * 9, "y": [1.0] * 9})
        .with_columns(pl.col("a").cast(pl.Date)).write_parquet(path), "north.parquet"),
    "nan in parquet": Fault(parquet(a=[float("nan"), NUMBER], y=NUMBERS), "north.parquet"),
    "broken images": Fault(b"PK Xyzzy Plugh 271828", "north.npz"),
    "wrong images": Fault(images(images=np.full((3, 2), NUMBER), labels=np.zeros(3)), "north.npz"),
    "no images": Fault(images(other=np.full((3, 2), NUMBER)), "north.npz"),
    "labels that are texts": Fault(
        images(images=np.zeros((3, 2, 2, 1), np.uint8), labels=np.array([TEXT] * 3)), "north.npz"),
    "labels that are gaps": Fault(
        images(images=np.zeros((3, 2, 2, 1), np.uint8), labels=np.array([NUMBER, np.nan, 1])), "north.npz"),
    "pickled": Fault(lambda path: np.savez(path, images=np.array([TEXT], dtype=object)), "north.npz"),
    "another suffix": Fault(PLAIN, "north.xlsx"),
    "not there": Fault(None),
    "schema: text": Fault(cell(TEXT, base=GOOD), schema=SCHEMA),
    "schema: below": Fault(cell(NEGATIVE, base=GOOD), schema=SCHEMA),
    "schema: above": Fault(cell(NUMBER, base=GOOD), schema=SCHEMA),
    "schema: category": Fault(cell(TEXT, column=1, base=GOOD), schema=SCHEMA),
    "schema: boolean": Fault(cell(NUMBER, column=2, base=GOOD), schema=SCHEMA),
    "schema: gap": Fault(cell("", base=GOOD).replace("16.5", "271828"), schema=SCHEMA),
    "schema: no header": Fault("271828,Xyzzy,1,314159\n" + "4,one,1,6\n" * 9, schema=SCHEMA),
    "schema: no header, texts": Fault("Xyzzy,Plugh,yes\n" + "Abc,Def,no\n" * 9, schema=SCHEMA),
    "schema: other columns": Fault("Xyzzy,a,c\n1,2,3\n", schema=SCHEMA),
    "schema: other case": Fault(cell(TEXT, column=1, base=GOOD.replace("a,c", "A,c")), schema=SCHEMA),
    "schema: noise": Fault(cell(NEGATIVE, column=4, base=GOOD), schema=SCHEMA, node={"noise": "v"}),
    "schema: images": Fault(images(images=np.zeros((3, 2, 2, 1), np.uint8)), "north.npz", schema=SCHEMA),
    "schema: nested": Fault(parquet(a=[[NUMBER]], c=[[TEXT]], b=[[True]], y=[[1.0]]), "north.parquet", schema=SCHEMA),
    "schema: another target": Fault(cell(TEXT, base=GOOD), schema=SCHEMA, node={"target": "a"}),
}  # fmt: skip


def collaborate(folder: Path, fault: Fault, run: Mapping[str, Any], later: Callable[[str], None] | None = None) -> Path:
    """A run of which the party north has the fault; its folder. Whatever north says is searched."""
    base = GOOD if fault.schema else PLAIN
    path = folder / fault.name
    for name in ("east", "west"):
        (folder / f"{name}.csv").write_text(base)
    _write(path, fault.content)
    keys = {"run-dir": str(folder / "run"), "parties": "east,north,west", "target": "y", "join-timeout": 1.0} | dict(
        run
    )
    if fault.schema:
        (folder / "schema.toml").write_text(fault.schema)
        del keys["target"]
        keys["schema-file"] = str(folder / "schema.toml")
    nodes = {
        k: {"party": name, "data-path": str(path if name == "north" else folder / f"{name}.csv")}
        | (dict(fault.node) if name == "north" else {})
        for k, name in enumerate(("east", "north", "west"))
    }

    def listen(node: int, message: Message, reply: Message) -> Message:
        kind = message.metadata.message_type
        if node == 1 and not (kind == messages.CONTRIBUTE and "arrays" in reply.content):
            assert_no_sentinel(b"".join(o.deflate() for o in get_all_nested_objects(reply).values()), kind)
        if node == 1 and later is not None:
            later(kind)
        return reply

    try:
        mediate(LocalGrid(app, nodes, keys, tamper=listen), keys)
    except QuorumError as error:
        assert_no_sentinel(str(error).encode(), "what the run ended with")
    for kept in ("ledger.jsonl", "events.jsonl", "allocation.json"):
        if (folder / "run" / kept).exists():
            assert_no_sentinel((folder / "run" / kept).read_bytes(), kept)
    return folder / "run"


def _write(path: Path, content: Any) -> None:
    if callable(content):
        content(path)
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def assert_no_sentinel(content: bytes, where: str) -> None:
    text = content.decode("latin-1").casefold() + content.decode("utf-8", errors="ignore").casefold()
    found = [sentinel for sentinel in SENTINELS if sentinel in text]
    found += [number for number in (NUMBER, NEGATIVE) if struct.pack("<d", number) in content]
    assert not found, f"{where}: {found} in {content!r}"


def refusal(run: Path) -> str:
    entries = [line for line in (run / "ledger.jsonl").read_text().splitlines() if '"refused"' in line]
    return next((line for line in entries if '"north"' in line), "")


@pytest.mark.parametrize("what", FAULTS)
def test_a_refusal_quotes_nothing_that_a_cell_holds(tmp_path: Path, what: str) -> None:
    fault = FAULTS[what]
    run = collaborate(tmp_path, fault, {"dry-run": True, **fault.run})
    assert refusal(run), "north was to be refused"


@pytest.mark.parametrize(
    ("strategy", "column", "value"),
    [
        ("SyntheticDataRewards(size=20)", 2, NUMBER),
        ("CosineGradientRewards(rounds=1, classes=2)", 2, NUMBER),
        ("CosineGradientRewards(rounds=1, classes=2)", 2, NEGATIVE),
    ],
)
def test_what_the_mediator_refuses_is_not_quoted_in_its_ledger(
    tmp_path: Path, strategy: str, column: int, value: float
) -> None:
    base = PLAIN.replace(".5", "")
    fault = Fault(cell(value, column=column, base=base), node={"holdout": 0.0})
    collaborate(tmp_path, fault, {"strategy": strategy})


@pytest.mark.parametrize("stage", [messages.INTRODUCE, messages.CONTRIBUTE, messages.SCORE_ALONE])
def test_a_file_that_breaks_in_the_middle_of_a_run_is_not_quoted(tmp_path: Path, stage: str) -> None:
    def breaks(kind: str) -> None:
        if kind == stage:
            (tmp_path / "north.csv").write_text(cell(TEXT))

    collaborate(tmp_path, Fault(PLAIN), {"strategy": "ModelRewards()", "model": "BayesianLinear(noise=0.5)"}, breaks)


@settings(max_examples=30)
@given(
    texts=st.lists(st.sampled_from(CELLS), min_size=12, max_size=12),
    schema=st.sampled_from(["", SCHEMA]),
    header=st.booleans(),
)
def test_no_table_of_sentinels_is_quoted(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], schema: str, header: bool
) -> None:
    rows = [",".join(f'"{text}"' for text in texts[k : k + 4]) for k in (0, 4, 8)]
    content = "\n".join([*(["a,c,b,y"] if header else []), *rows]) + "\n"
    collaborate(tmp_path_factory.mktemp("run"), Fault(content, schema=schema), {"dry-run": True})


def test_what_is_sent_takes_no_words_of_another_programs_error() -> None:
    """The first text of a PartyError is sent; an error of NumPy's, polars' or Python's goes into ``here``."""
    ours = {"SchemaError", "MessageError", "KeyFileError", "FormatError", "ApprovalError"}
    wrong = []
    for path in Path(clients.__file__).parent.glob("*.py"):
        for handler in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ExceptHandler)):
            caught = (
                {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else set()
            )
            for call in (n for n in ast.walk(handler) if isinstance(n, ast.Call)):
                if getattr(call.func, "id", "") == "PartyError" and not caught <= ours and call.args:
                    wrong += [f"{path.name}:{call.lineno}" for said in _said(call.args[0]) if said == handler.name]
    assert not wrong


def _said(text: ast.expr) -> list[str]:
    """The names whose own words a text takes in; an error's type or ``strerror`` is none."""
    return [
        part.value.id
        for part in ast.walk(text)
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name)
    ]


def test_an_error_that_nobody_foresaw_says_its_place_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> RecordDict:
        raise RuntimeError(f"row {TEXT} {NUMBER}")

    monkeypatch.setattr("clients.party_data.encode", fails)
    run = collaborate(tmp_path, Fault(GOOD, schema=SCHEMA), {"dry-run": True})
    assert "RuntimeError in test_nothing_leaks.py, line" in refusal(run)
