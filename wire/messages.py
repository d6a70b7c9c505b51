"""What crosses the wire: the one file that names messages and record keys, and the door at which they are checked.

How a kind of content is sent stands in ``wire.kinds``; it is put together from the checked pieces here.

Every ``encode_*`` makes a fresh RecordDict; every ``decode_*`` trusts nothing and raises ``MessageError`` with a
sentence that says what was expected and what came.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from numpy.typing import NDArray

from wire.parsing import ParseError, read_json
from wire.text import is_line, listed, printable

__all__ = [
    "ABOUT",
    "ARRAYS",
    "CONTRIBUTE",
    "INTRODUCE",
    "REWARD",
    "SCORE_ALONE",
    "SCORE_REWARD",
    "Introduction",
    "MessageError",
    "Proposal",
    "Receipt",
    "RefusedError",
    "Reward",
    "array_record",
    "check_party_name",
    "check_size",
    "decode_introduction",
    "decode_pooled",
    "decode_proposal",
    "decode_receipt",
    "decode_reward",
    "decode_scores",
    "digest",
    "encode_introduction",
    "encode_pooled",
    "encode_receipt",
    "encode_refusal",
    "encode_reward",
    "encode_scores",
    "error_sentence",
    "read_about",
    "read_arrays",
    "read_name",
    "read_names",
    "read_text",
    "require_contributor",
    "with_proposal",
]

INTRODUCE = "query.introduce"
CONTRIBUTE = "train.contribute"
REWARD = "train.reward"
SCORE_ALONE = "evaluate.alone"
SCORE_REWARD = "evaluate.reward"

ABOUT, ARRAYS, _SCORES, _PROPOSAL, _RECEIPT = "about", "arrays", "scores", "proposal", "receipt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIMIT_TEXT = 1_000_000
MOST_SAID = 100
"""Columns and remarks of an introduction that are read at most."""

NAME_LIMIT = 500
"""Characters of a column's name at most."""


class MessageError(ValueError):
    """A message is not what it should be; the text says what was expected and what came."""


class RefusedError(MessageError):
    """The other side says that it can't, and why; ``party`` is its name where it gave one."""

    def __init__(self, reason: str, party: str | None = None) -> None:
        super().__init__(reason)
        self.party = party


@dataclass(frozen=True)
class Proposal:
    """What a run is for, as the mediator says it with every request: what a party decides by.

    terms : the strategy and its parts as the run config has them; parties : who is asked, empty where anybody may come;
    schema : what the data must hold, as ``Schema.to_json`` writes it, "" where parties' own columns are taken;
    dry_run : names, columns and numbers of rows are asked for, and nothing else will be.
    """

    run: str
    terms: Mapping[str, str]
    parties: tuple[str, ...] = ()
    schema: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class Receipt:
    """The mediator has pooled a contribution.

    text : JSON with the contribution's hash; signature : the mediator's over it, hexadecimal, "" where it has no key.
    """

    text: str
    signature: str = ""


@dataclass(frozen=True)
class Introduction:
    """Who a node is and what it would bring.

    left_out : columns of its file that are no features by its own reading, each with the reason; remarks : what else it
    left out in reading its file. Neither quotes the file.
    """

    party: str
    rows: int
    feature_names: tuple[str, ...]
    target: str
    left_out: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Reward:
    """What is pushed to a party: named arrays and a JSON-able description, as they are also kept in files."""

    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """sha256 over names, shapes, types and bytes of the arrays, and the description."""
        return digest(self.arrays, json.dumps(self.about, sort_keys=True))


def check_party_name(name: object) -> str:
    """The name itself if it can serve as a file name and in a ledger, else MessageError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MessageError(
            f"a party's name is 1 to 64 of the letters a-z and A-Z, digits, dots, dashes and underscores, not starting "
            f"with one of the latter three; got {str(name)[:80]!r}"
        )
    return name


def require_contributor(named: object, party: str) -> None:
    """Make sure that who contributes goes by the name by which it introduced itself.

    Raises
    ------
    MessageError
    """
    if check_party_name(named) != party:
        raise MessageError(f"it introduced itself as {party!r} but contributes as {named!r}")


def with_proposal(content: RecordDict, proposal: Proposal) -> RecordDict:
    """The content with the proposal beside it."""
    content[_PROPOSAL] = ConfigRecord(
        {
            "run": proposal.run,
            "terms": json.dumps(dict(proposal.terms), sort_keys=True),
            "parties": list(proposal.parties),
            "schema": proposal.schema,
            "dry-run": proposal.dry_run,
        }
    )
    return content


def decode_proposal(content: RecordDict) -> Proposal:
    """The proposal beside any request.

    Raises
    ------
    MessageError
    """
    record = content.get(_PROPOSAL)
    if not isinstance(record, ConfigRecord):
        raise MessageError(f"the {_PROPOSAL!r} record is missing")
    terms = _plain(record.get("terms"), "proposal's terms")
    if not isinstance(terms, dict) or not all(isinstance(text, str) for text in terms.values()):
        raise MessageError("the proposal's terms must be texts by name")
    parties = record.get("parties")
    if not isinstance(parties, list):
        raise MessageError(f"the proposal's parties must be a list of names, got {type(parties).__name__}")
    return Proposal(
        run=check_party_name(record.get("run")),
        terms={read_text(name, "name of a term"): read_text(text, "term") for name, text in terms.items()},
        parties=tuple(check_party_name(name) for name in parties),
        schema=read_text(record.get("schema"), "schema", _LIMIT_TEXT),
        dry_run=record.get("dry-run") is True,
    )


def encode_refusal(party: str, reason: str) -> RecordDict:
    """The party's own no, with its reason."""
    return RecordDict({ABOUT: ConfigRecord({"refused": reason[:_LIMIT_TEXT], "party": party})})


def encode_introduction(introduction: Introduction) -> RecordDict:
    """Who a node is and what it would bring.

    Raises
    ------
    MessageError
        A column's name is none that the other side takes.
    """
    read_names(introduction.feature_names)
    about = ConfigRecord(
        {
            "party": introduction.party,
            "rows": introduction.rows,
            "features": list(introduction.feature_names),
            "target": introduction.target,
            "left-out": list(introduction.left_out),
            "reasons": list(introduction.left_out.values()),
            "remarks": list(introduction.remarks),
        }
    )
    return RecordDict({ABOUT: about})


def decode_introduction(content: RecordDict) -> Introduction:
    about = read_about(content)
    rows = about.get("rows")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise MessageError(f"an introduction says how many rows there are, got {rows!r}")
    return Introduction(
        check_party_name(about.get("party")),
        rows,
        read_names(about.get("features")),
        read_name(about.get("target"), "target's name"),
        dict(zip(_said(about, "left-out"), _said(about, "reasons"), strict=False)),
        _said(about, "remarks"),
    )


def _said(about: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Texts that a description may lack, as that of an older Guerdon does; not more than anybody reads."""
    texts = about.get(key)
    return tuple(read_text(text, key) for text in texts[:MOST_SAID]) if isinstance(texts, list) else ()


def encode_reward(reward: Reward) -> RecordDict:
    about = ConfigRecord({"json": json.dumps(reward.about, allow_nan=False)})
    return RecordDict({ARRAYS: array_record(reward.arrays), ABOUT: about})


def decode_reward(content: RecordDict, max_megabytes: float = math.inf) -> Reward:
    about = _plain(read_about(content).get("json"), "reward's description")
    if not isinstance(about, dict):
        raise MessageError(f"the reward's description must be a mapping, got {type(about).__name__}")
    return Reward(read_arrays(content, max_megabytes), about)


def encode_pooled(receipt: Receipt, alone: Reward | None) -> RecordDict:
    """The receipt for a contribution, and what the party could do alone where that can be scored."""
    content = encode_reward(alone) if alone is not None else RecordDict()
    content[_RECEIPT] = ConfigRecord({"text": receipt.text, "signature": receipt.signature})
    return content


def decode_pooled(content: RecordDict) -> tuple[Receipt, Reward | None]:
    record = content.get(_RECEIPT)
    if not isinstance(record, ConfigRecord):
        raise MessageError(f"the {_RECEIPT!r} record is missing")
    receipt = Receipt(
        read_text(record.get("text"), "receipt", _LIMIT_TEXT), read_text(record.get("signature"), "receipt's signature")
    )
    return receipt, decode_reward(content) if ABOUT in content else None


def encode_receipt(sha256: str, place: str) -> RecordDict:
    """The party has stored a reward: its hash as received, and where it lies on the party's side."""
    return RecordDict({ABOUT: ConfigRecord({"sha256": sha256, "place": place})})


def decode_receipt(content: RecordDict) -> tuple[str, str]:
    about = read_about(content)
    return read_text(about.get("sha256"), "hash"), read_text(about.get("place"), "place")


def encode_scores(scores: Mapping[str, float]) -> RecordDict:
    """Named numbers, such as mnlp, rmse, rows; empty where the party holds nothing out."""
    return RecordDict({_SCORES: MetricRecord({name: float(value) for name, value in scores.items()})})


def decode_scores(content: RecordDict) -> dict[str, float]:
    read_about(content, required=False)
    record = content.get(_SCORES)
    if not isinstance(record, MetricRecord):
        raise MessageError("scores are missing")
    scores = {name: value for name, value in record.items() if isinstance(value, (int, float))}
    bad = [
        name
        for name, value in scores.items()
        if not np.isfinite(value) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
    ]
    if bad or len(scores) != len(record) or len(scores) > 20:
        raise MessageError("scores must be at most 20 finite numbers with plain names")
    return {name: float(value) for name, value in scores.items()}


def error_sentence(error: Error) -> str:
    """Flower's error in one line.

    Deployments send ``<class 'ValueError'>:<'text'>``; simulations send Ray's traceback in the same brackets, ending in
    ``Exception ClientAppException occurred. Message: text``.
    """
    reason = (error.reason or "").strip()
    wrapped = re.fullmatch(r"<class '([^']*)'>:<'(.*)'>", reason, flags=re.DOTALL)
    kind, text = (wrapped.group(1).rpartition(".")[2], wrapped.group(2)) if wrapped else ("", reason)
    if "occurred. Message: " in text:
        kind, text = "", text.rpartition("occurred. Message: ")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = f"{kind}: {lines[-1]}" if kind and lines else (lines or [kind or "no reason given"])[-1]
    return f"it failed (Flower error {error.code}): {read_text(last, 'reason')}"


def read_about(content: RecordDict, *, required: bool = True) -> Mapping[str, Any]:
    """The description in a message.

    Raises
    ------
    MessageError
        It is missing. ``RefusedError`` where it is the other side's no.
    """
    about = content.get(ABOUT)
    if not isinstance(about, ConfigRecord):
        if required:
            raise MessageError(f"the {ABOUT!r} record is missing")
        return {}
    if "refused" in about:
        party = about.get("party")
        raise RefusedError(read_text(about["refused"], "reason"), check_party_name(party) if party else None)
    return about


def array_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Named arrays as Flower sends them."""
    return ArrayRecord({name: Array(np.asarray(array, order="C")) for name, array in arrays.items()})


def read_arrays(content: RecordDict, max_megabytes: float) -> dict[str, NDArray[Any]]:
    """The named arrays in a message.

    Raises
    ------
    MessageError
        They are missing, too large together, or one is not what its header says.
    """
    record = content.get(ARRAYS)
    if not isinstance(record, ArrayRecord):
        raise MessageError(f"the {ARRAYS!r} record is missing")
    check_size(sum(len(array.data) for array in record.values()), max_megabytes)
    return {name: _decoded(name, array) for name, array in record.items()}


def check_size(size: int, max_megabytes: float) -> None:
    """Raise MessageError where so many bytes are over the limit."""
    if size / 1e6 > max_megabytes:
        raise MessageError(f"it is {size / 1e6:.1f} MB; the limit is max-contribution-mb = {max_megabytes:g}")


def _decoded(name: str, array: Array) -> NDArray[Any]:
    """One array, once its header is known to speak of exactly the bytes that came: no small message is large."""
    shown = printable(name, 60)
    try:
        stream = io.BytesIO(array.data)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except Exception as error:  # NumPy's parser raises whatever the bytes lead it to
        raise MessageError(f"array {shown!r} can't be read: it is not in NumPy's own format") from error
    if dtype.kind not in "fiubU" or dtype.itemsize == 0:
        raise MessageError(f"array {shown!r} must hold numbers or text, got {printable(str(dtype), 60)}")
    whole = all(type(size) is int and 0 <= size <= sys.maxsize for size in shape)
    if not whole or math.prod(shape) * dtype.itemsize != len(array.data) - stream.tell():
        raise MessageError(f"array {shown!r} says that it has shape {shape}, but other than that many bytes came")
    try:
        found = array.numpy()
    except (OverflowError, TypeError, ValueError) as error:  # of another library's format, or larger than an address
        raise MessageError(f"array {shown!r} can't be read: it is not in NumPy's own format") from error
    if dtype.kind == "U" and not _is_text(found):
        raise MessageError(f"array {shown!r} holds what is no text")
    return found


def _is_text(array: NDArray[Any]) -> bool:
    """Every code point of a text array is a character's: no other makes a string."""
    points = np.frombuffer(array.tobytes(), array.dtype.str[0] + "u4")
    return bool(np.all((points < 0xD800) | ((points > 0xDFFF) & (points <= 0x10FFFF))))


def read_names(value: object) -> tuple[str, ...]:
    """Names of features: at least one, each one printable line, and no two the same.

    Raises
    ------
    MessageError
    """
    names = tuple(value) if isinstance(value, (list, tuple)) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise MessageError("feature names are missing or not text")
    for k, name in enumerate(names):
        read_name(name, f"name of feature {k + 1} of {len(names)}")
    if len(set(names)) < len(names):
        raise MessageError(f"feature names must differ from each other, got {listed(names)}")
    return names


def read_name(value: object, what: str) -> str:
    """A name as it is, or "" where there is none: one line that can be printed; who sent another has to rename it.

    Raises
    ------
    MessageError
        It does not quote the name.
    """
    if not isinstance(value, str):
        raise MessageError(f"the {what} must be a text, got {type(value).__name__}")
    if value and not is_line(value, NAME_LIMIT):
        raise MessageError(
            f"the {what} must be one line of at most {NAME_LIMIT} characters that can be printed; it is blank or "
            "longer, or holds control characters, line ends or marks of direction: rename it"
        )
    return value


def _plain(value: object, what: str) -> Any:
    """What a text of JSON in a message holds."""
    if not isinstance(value, str):
        raise MessageError(f"the {what} must be a text, got {type(value).__name__}")
    if len(value) > _LIMIT_TEXT:
        raise MessageError(f"the {what} has {len(value):,} characters; the limit is {_LIMIT_TEXT:,}")
    try:
        return read_json(value)
    except ParseError as error:
        raise MessageError(f"the {what} can't be read: {error}") from error


def read_text(value: object, what: str, limit: int = 500) -> str:
    """A text without control characters, which could rewrite an operator's screen, cut at the limit."""
    if not isinstance(value, str):
        raise MessageError(f"the {what} must be a text, got {type(value).__name__}")
    return printable(value, limit)


def digest(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    """sha256 over a text, and the names, types, shapes and bytes of arrays; hexadecimal."""
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        sha256.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()
