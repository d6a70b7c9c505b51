"""Mutated messages, node configs and TOML files: each ends well or in its documented error, soon and in little memory.

A few hundred in every test run, 10,000 in the slow suite.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from clients.errors import PartyError
from clients.party_data import PartyFile
from clients.start import check_start
from guerdon.federated import Recipe
from guerdon.types import Contribution
from server.config import ConfigError, RunConfig
from simulations.overrides import OverrideError, parse_overrides
from simulations.scenarios import ScenarioError, load_scenario
from wire import messages
from wire.files import read_arrays
from wire.kinds import KINDS, kind_of, understood
from wire.kinds.lessons import Lesson, decode_lesson, decode_update, encode_lesson
from wire.kinds.rows import decode_contribution, encode_contribution
from wire.messages import Introduction, MessageError, Proposal, Receipt, Reward
from wire.parsing import ParseError, read_json, read_toml
from wire.schema import Schema, SchemaError
from wire.signing import MediatorSeal, PartySeal

SLOWEST = 5.0
"""Seconds of processor time that one may take."""

GROWTH = 64e6
"""Bytes that all together may leave or take at a time."""

TEXTS = (
    *(
        "",
        "\x00",
        "\x1b[2J",
        "a" * 70_000,
        "../../x",
        "\u202egnp",
        "nan",
        "1e999",
        "{}",
        "[]",
        "null",
        "north",
        "\ud800",
    ),
    *("[" * 5000, '{"a":' * 5000, "[" * 900 + "]" * 900, "9" * 5000, '{"a":' + "9" * 5000 + "}", '{"a": NaN}'),
    *('{"columns":[{"name":["x"]}]}', '{"columns":[]}', '{"columns":[{"name":"a","values":[1]}],"target":{}}'),
    *('{"columns":[{"name":"a","minimum":1e999}]}', '{"columns":[{"name":"a","type":[]}]}', '{"columns":{"a":1}}'),
    *('{"columns":[{"name":"a","missing":[]}]}', '{"features":1}', '{"a": 1, "a": 2}', '"\\ud800"', '{"\\ud800": 1}'),
    '{"features":["a"],"recipe":{"epochs":1e308},"seed":1e308}',
    '{"features":["a","b"],"recipe":{"epochs":1,"batch":1,"learning_rate":-1,"scale":0},"seed":-1}',
    '{"features":["a","b"],"recipe":[],"seed":"Infinity"}',
    "=cmd|' /C calc'!A0",
)
VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2**62, -(2**62), 0.0, 1e308, -1.5, float("nan"), float("inf"), True, False, b"", b"\xff\x00"),
    *([], [0, -5, 2**62], [0.5, float("nan")], ["a", "a"], ["", "\x1b"], [b"a", b""], [True]),
)
TOMLS = (
    *("[" * 3000, "a = " + "[" * 3000, "a = " + "9" * 5000, "a = nan", "\x00", "a = 0x" + "f" * 5000, "a = 1\na = 2"),
    *('a = "\\u0000"', "[columns.a]\ntype = 1", "columns = 1", '[columns.a]\nvalues = ["x", 1]', "a = 1979-05-27"),
)


def npy(shape: str, kind: object, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> Array:
    """An array whose header says what it likes."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return Array("float64", (5, 2), "numpy.ndarray", b"\x93NUMPY" + bytes(version) + length + header + data)


@cache
def fixed_arrays() -> tuple[Array, ...]:
    """Arrays of other shapes and types, and some whose bytes are none."""
    eighty = b"\0" * 80
    plain = [np.zeros(shape) for shape in [(5, 2), (5,), (0, 2), (5, 0), (), (5, 2, 1)]]
    plain += [np.array("rbf"), np.full((5, 2), np.nan), np.full((5, 2), 1e308)]
    plain += [np.ones((3, 4), dtype=kind) for kind in ("u1", "i8", "f4", "f2", "c16", "?", "u8")]
    bad = [
        npy("(10000000000, 10000000000)", "<f8"),
        npy("(5, 2)", "|O", b"cos\nsystem\n(S'true'\ntR."),
        *(npy(shape, "<f8", eighty) for shape in ("(-1, -10)", "(True, 10)", "(10.0,)", f"({2**63}, 0)", "(" * 3000)),
        *(npy("(5, 2)", kind, eighty) for kind in (">f8", "|S8", "<M8[s]", "|V8", [("a", "<f8")])),
        npy("(20,)", "<U1", b"\xff" * 80),
        npy("(20,)", "<U1", b"\x00\xd8\x00\x00" * 20),
        npy("(5, 2)", "<f8", eighty, (3, 0)),
    ]
    return (*map(Array, plain), *bad)


def arrays(rng: random.Random) -> Array:
    """One of those, noise, or one with some bytes changed."""
    match rng.randrange(len(fixed_arrays()) + 4):
        case 0:
            whole = bytearray(npy("(5, 2)", "<f8", b"\0" * 80).data)
            for _ in range(rng.randrange(1, 6)):
                whole[rng.randrange(len(whole))] = rng.randrange(256)
            return Array("float64", (5, 2), "numpy.ndarray", bytes(whole))
        case 1 | 2 | 3:
            kind = rng.choice(("numpy.ndarray", "torch", ""))
            return Array("float64", (5, 2), kind, rng.randbytes(rng.randrange(200)))
    return copy.copy(rng.choice(fixed_arrays()))


def mutated(content: RecordDict, rng: random.Random) -> RecordDict:
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice([*content, "about"])
        record = content.get(name)
        try:
            match rng.randrange(6):
                case 0 if name in content:
                    del content[name]
                case 1:
                    content[name] = rng.choice(
                        [
                            ConfigRecord({"x": 1}),
                            MetricRecord({"x": 1.0}),
                            ArrayRecord({"X": arrays(rng)}),
                            ConfigRecord(),
                        ]
                    )
                case 2 if record:
                    del record[rng.choice(list(record))]
                case _ if isinstance(record, ConfigRecord):
                    record[rng.choice([*record, *TEXTS[:8]])] = rng.choice([*TEXTS, *VALUES])
                case _ if isinstance(record, MetricRecord):
                    numbers = [0, float("nan"), float("inf"), -3.0, 2**62, [1.0, 2.0]]
                    record[rng.choice([*record, "a b", "x" * 300, "\x1b"])] = rng.choice(numbers)
                case _ if isinstance(record, ArrayRecord):
                    record[rng.choice([*record, "y", "noise", "../../z", "X"])] = arrays(rng)
        except (TypeError, ValueError, KeyError):  # what Flower itself does not send
            continue
    return content


def decoders() -> Mapping[str, tuple[Callable[[], RecordDict], Callable[[RecordDict], object]]]:
    """Every message that one side makes, and how the other reads it."""
    X = np.arange(10.0).reshape(5, 2)
    own = Contribution("north", X, X[:, 0], ("a", "b"), np.full(5, 0.1))
    pixels = tuple(f"pixel-{r}-{k}-0" for r in range(2) for k in range(2))
    images = Contribution("north", np.arange(12.0).reshape(3, 4) / 255, np.zeros(3), pixels)
    schema = Schema.from_toml('target = "y"\n[columns.a]\nminimum = 0\n[columns.b]\n[columns.y]\n')
    weights = {"0.weight": np.zeros((2, 2)), "0.bias": np.zeros(2)}
    party, mediator = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    ours = MediatorSeal(mediator, {"north": party.public_key()}, "run")
    theirs = PartySeal("north", party, mediator.public_key())

    def proposed() -> RecordDict:
        return messages.with_proposal(
            RecordDict(), Proposal("run", {"model": "M()"}, ("north",), schema.to_json(), dry_run=True)
        )

    def read_proposal(content: RecordDict) -> object:
        return Schema.from_json(messages.decode_proposal(content).schema or "{}")

    def read_rows(content: RecordDict) -> object:
        return decode_contribution(content, party="north", target="y", max_megabytes=1.0, min_rows=2)

    def introduced() -> RecordDict:
        return messages.encode_introduction(Introduction("north", 5, ("a", "b"), "y"))

    reward = Reward({"t": np.array("rbf"), "X": X}, {"kind": "model", "party": "north", "run": "run"})
    return {
        "introduction": (introduced, messages.decode_introduction),
        "rows": (lambda: encode_contribution(own, "y"), read_rows),
        "images": (lambda: encode_contribution(images, "y"), read_rows),
        "reward": (lambda: messages.encode_reward(reward), messages.decode_reward),
        "pooled": (lambda: messages.encode_pooled(Receipt("{}", "ab"), reward), messages.decode_pooled),
        "receipt": (lambda: messages.encode_receipt("ab", "/x"), messages.decode_receipt),
        "scores": (lambda: messages.encode_scores({"mnlp": 1.0, "rows": 3}), messages.decode_scores),
        "refusal": (lambda: messages.encode_refusal("north", "no"), messages.decode_introduction),
        "proposal": (proposed, read_proposal),
        "lesson": (lambda: encode_lesson(Lesson(weights, ("a", "b"), Recipe(1, 2, 0.1, 1.0), 3)), decode_lesson),
        "update": (lambda: messages.encode_reward(Reward(weights, {})), lambda r: decode_update(r, weights, 1.0)),
        "sealed answer": (
            lambda: theirs.sealed(introduced(), "query.introduce", 7, ours.sealed(proposed(), "query.introduce", 7)),
            lambda r: ours.verify(r, "query.introduce", "north", 7),
        ),
        "sealed request": (
            lambda: ours.sealed(proposed(), "query.introduce", 7),
            lambda r: theirs.open(r, "query.introduce", 7),
        ),
    }


def tried(count: int, attempts: Iterator[Callable[[], object]], *expected: type[Exception]) -> int:
    """Make so many attempts, each of which ends well or in an expected error, soon; how many ended well."""
    well = ended = 0
    tracemalloc.start()
    try:
        for _ in range(count):
            attempt, began = next(attempts), time.thread_time()
            try:
                attempt()
                well += 1
            except expected:
                ended += 1
            assert time.thread_time() - began < SLOWEST
        assert well + ended == count
        assert tracemalloc.get_traced_memory()[1] < GROWTH
    finally:
        tracemalloc.stop()
    return well


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Flower warns of every record that is replaced by one of another type."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    yield
    logging.getLogger("flwr").setLevel(logging.INFO)


COUNTS = [
    pytest.param(400, id="few"),
    pytest.param(10_000, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize("count", COUNTS)
def test_whatever_is_wrong_with_a_message_is_a_message_error(count: int) -> None:
    rng, ways = random.Random(1), list(decoders().values())

    def attempts() -> Iterator[Callable[[], object]]:
        while True:
            make, read = rng.choice(ways)
            content = mutated(make(), rng)
            yield partial(read, content)

    assert 0 < tried(count, attempts(), MessageError, SchemaError) < count


@pytest.mark.parametrize("count", COUNTS)
def test_whatever_is_wrong_with_a_node_config_is_a_party_error(count: int, tmp_path: Path) -> None:
    rng = random.Random(2)
    (tmp_path / "north.csv").write_text("a,y\n1,2\n", encoding="utf-8")
    sound = {"party": "north", "data-path": str(tmp_path / "north.csv"), "confirm-schema": "any", "holdout": 0.2}
    keys = ["party", "data-path", "target", "noise", "holdout", "holdout-path", "reward-dir", "key", "mediator-key"]
    keys += ["confirm-schema", "partition-id", "num-partitions", "parti", "\x1b"]
    plain = [value for value in VALUES if not isinstance(value, list | bytes)]

    def attempts() -> Iterator[Callable[[], object]]:
        while True:
            node: dict[str, Any] = dict(sound)
            for _ in range(rng.randrange(1, 4)):
                node[rng.choice(keys)] = rng.choice([*TEXTS, *plain])

            def attempt(node: dict[str, Any] = node) -> None:
                PartyFile.of(node, {"data-dir": str(tmp_path)})
                check_start(node)

            yield attempt

    assert 0 < tried(count, attempts(), PartyError) < count


SCENARIO = '[scenario]\ndescription = "d"\nparties = 3\n[config]\nseed = 1\nstrategy = "ModelRewards()"\n'
SCHEMA = 'target = "y"\n[columns.a]\ntype = "category"\nvalues = ["u", "v"]\nmissing = "u"\n[columns.y]\nminimum = 0\n'


@pytest.mark.parametrize("count", COUNTS)
def test_whatever_is_wrong_with_a_toml_file_is_its_own_error(count: int, tmp_path: Path) -> None:
    rng, path = random.Random(3), tmp_path / "s.toml"

    def changed(text: str) -> str:
        match rng.randrange(4):
            case 0:
                return rng.choice(TOMLS) + "\n" + text
            case 1:
                return text + "\n" + rng.choice(TOMLS)
            case 2:
                lines = text.splitlines()
                key, value = rng.choice(["a", "seed", "parties", "target"]), json.dumps(rng.choice(TEXTS))
                lines[rng.randrange(len(lines))] = f"{key} = {value}"
                return "\n".join(lines)
        letters = list(text)
        for _ in range(rng.randrange(1, 5)):
            letters[rng.randrange(len(letters))] = chr(rng.randrange(1, 300))
        return "".join(letters)

    def scenario(content: bytes) -> None:
        path.write_bytes(content)
        RunConfig.parse(load_scenario(str(path)).config)

    def attempts() -> Iterator[Callable[[], object]]:
        while True:
            yield rng.choice(
                [
                    lambda: scenario(changed(SCENARIO).encode("utf-8", "surrogatepass")),
                    lambda: Schema.from_toml(changed(SCHEMA)),
                    lambda: parse_overrides([changed("seed=7")]),
                ]
            )

    assert 0 < tried(count, attempts(), ScenarioError, ConfigError, SchemaError, OverrideError) < count


@pytest.mark.parametrize("text", TEXTS)
def test_json_is_plain_data_or_a_parse_error(text: str) -> None:
    with suppress(ParseError):
        found = read_json(text)
        copy.deepcopy(found)
        json.dumps(found, allow_nan=False).encode()


@pytest.mark.parametrize("text", TOMLS)
def test_toml_is_a_table_or_a_parse_error(text: str) -> None:
    with suppress(ParseError):
        assert isinstance(read_toml(text), dict)


def test_no_small_file_of_arrays_is_large(tmp_path: Path) -> None:
    bomb, lie, other = tmp_path / "bomb.npz", tmp_path / "lie.npz", tmp_path / "other.npz"
    with zipfile.ZipFile(lie, "w") as file:
        file.writestr("X.npy", npy("(10000000000, 10000000000)", "<f8").data)
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_LZMA) as file, file.open("X.npy", "w") as member:
        header = npy("(50, 1000000)", "|u1").data
        member.write(header)
        for _ in range(50):
            member.write(bytes(1_000_000))
    other.write_bytes(b"PK\x03\x04" + b"x" * 100)
    tracemalloc.start()
    for path in (bomb, lie, other):
        with pytest.raises(ParseError):
            read_arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


@pytest.mark.parametrize("kind", [*KINDS, "own"])
def test_a_reward_that_is_none_of_its_kind_is_refused(kind: str, tmp_path: Path) -> None:
    rng = random.Random(5)
    for k in range(40):
        about = {
            "kind": kind,
            **{key: rng.choice(VALUES) for key in ("run", "party", "features", "rho", "model", "unit")},
        }
        made = Reward({name: np.zeros((2, k % 3)) for name in ("points", "X", "target")}, about)
        with suppress(MessageError), understood(made):
            kind_of(about).lines(made)
        with suppress(MessageError), understood(made):
            kind_of(about).features(made)
        with suppress(MessageError), understood(made):
            kind_of(about).save(made, tmp_path)
