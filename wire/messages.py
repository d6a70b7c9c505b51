"""What crosses the wire: the one file that names messages and record keys, and the door at which they are checked.

Every ``encode_*`` makes a fresh RecordDict; every ``decode_*`` trusts nothing and raises ``MessageError`` with a
sentence that says what was expected and what came.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from numpy.typing import NDArray

from guerdon.images import Pixels, from_pixels, image_shape, to_pixels
from guerdon.types import Contribution, FloatArray

__all__ = [
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
    "check_party_name",
    "content_hash",
    "decode_contribution",
    "decode_introduction",
    "decode_pooled",
    "decode_proposal",
    "decode_receipt",
    "decode_reward",
    "decode_scores",
    "encode_contribution",
    "encode_introduction",
    "encode_pooled",
    "encode_receipt",
    "encode_refusal",
    "encode_reward",
    "encode_scores",
    "error_sentence",
    "listed",
    "packed",
    "unpacked",
    "with_proposal",
]

INTRODUCE = "query.introduce"
CONTRIBUTE = "train.contribute"
REWARD = "train.reward"
SCORE_ALONE = "evaluate.alone"
SCORE_REWARD = "evaluate.reward"

_ABOUT, _ARRAYS, _SCORES, _PROPOSAL, _RECEIPT = "about", "arrays", "scores", "proposal", "receipt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIMIT_TEXT = 1_000_000


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
    """Who a node is and what it would bring."""

    party: str
    rows: int
    feature_names: tuple[str, ...]
    target: str


@dataclass(frozen=True, eq=False)
class Reward:
    """What is pushed to a party: named arrays and a JSON-able description, as they are also kept in files."""

    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """sha256 over names, shapes, types and bytes of the arrays, and the description."""
        return _hash(self.arrays, json.dumps(self.about, sort_keys=True))


def check_party_name(name: object) -> str:
    """The name itself if it can serve as a file name and in a ledger, else MessageError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MessageError(
            f"a party's name is 1 to 64 of the letters a-z and A-Z, digits, dots, dashes and underscores, not starting "
            f"with one of the latter three; got {str(name)[:80]!r}"
        )
    return name


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
    try:
        terms = json.loads(_text(record.get("terms"), "terms", _LIMIT_TEXT))
    except json.JSONDecodeError as error:
        raise MessageError(f"the proposal's terms are not JSON: {error}") from error
    if not isinstance(terms, dict) or not all(isinstance(text, str) for text in terms.values()):
        raise MessageError("the proposal's terms must be texts by name")
    parties = record.get("parties")
    return Proposal(
        run=check_party_name(record.get("run")),
        terms={_text(name, "name of a term"): _text(text, "term") for name, text in terms.items()},
        parties=tuple(check_party_name(name) for name in parties) if isinstance(parties, list) else (),
        schema=_text(record.get("schema"), "schema", _LIMIT_TEXT),
        dry_run=record.get("dry-run") is True,
    )


def encode_refusal(party: str, reason: str) -> RecordDict:
    """The party's own no, with its reason."""
    return RecordDict({_ABOUT: ConfigRecord({"refused": reason[:_LIMIT_TEXT], "party": party})})


def encode_introduction(introduction: Introduction) -> RecordDict:
    about = ConfigRecord(
        {
            "party": introduction.party,
            "rows": introduction.rows,
            "features": list(introduction.feature_names),
            "target": introduction.target,
        }
    )
    return RecordDict({_ABOUT: about})


def decode_introduction(content: RecordDict) -> Introduction:
    about = _about(content)
    rows = about.get("rows")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise MessageError(f"an introduction says how many rows there are, got {rows!r}")
    return Introduction(
        check_party_name(about.get("party")), rows, _names(about.get("features")), _text(about.get("target"), "target")
    )


def encode_contribution(contribution: Contribution, target: str) -> RecordDict:
    arrays: dict[str, NDArray[Any]] = {"X": packed(contribution)}
    if contribution.y is not None:
        arrays["y"] = contribution.y
    if contribution.noise is not None:
        arrays["noise"] = np.asarray(contribution.noise, dtype=np.float64)
    about = ConfigRecord(
        {"party": contribution.party, "features": list(contribution.feature_names or ()), "target": target}
    )
    return RecordDict({_ARRAYS: _array_record(arrays), _ABOUT: about})


def decode_contribution(
    content: RecordDict, *, party: str, target: str, max_megabytes: float, min_rows: int
) -> Contribution:
    """A party's contribution, checked: it comes from ``party``, is float64, finite, named, and of a sane size.

    Images may come as uint8 pixels, and count with the size that they have as float64. With a ``target`` it holds
    outputs; where that is "" the data is unlabelled.

    Raises
    ------
    MessageError
        With the first thing that is wrong. ``RefusedError`` where the party itself declined.
    """
    about = _about(content)
    named = check_party_name(about.get("party"))
    if named != party:
        raise MessageError(f"it introduced itself as {party!r} but contributes as {named!r}")
    arrays = _arrays(content, max_megabytes)
    features = _names(about.get("features"))
    if "X" not in arrays:
        raise MessageError("a contribution holds the inputs X; they are missing")
    if arrays["X"].dtype == np.uint8 and image_shape(features) is not None:
        _check_size(8 * arrays["X"].size, max_megabytes)
        arrays["X"] = unpacked(arrays["X"])
    for name in ("X", "y", "noise"):
        if name in arrays and arrays[name].dtype != np.float64:
            raise MessageError(f"{name} must be float64, got {arrays[name].dtype}")
    X = arrays["X"]
    if X.ndim != 2 or X.shape[1] != len(features):
        raise MessageError(f"X must have one column for each of the {len(features)} feature names, got shape {X.shape}")
    if about.get("target") != target:
        raise MessageError(f"its target is {about.get('target')!r}, it was asked for {target!r}")
    if bool(target) != ("y" in arrays):
        missing = f"outputs y are missing: the values of the target {target!r}"
        raise MessageError(missing if target else "it holds outputs y that nobody asked for")
    if len(X) < min_rows:
        raise MessageError(f"at least {min_rows} rows are needed, got {len(X)}")
    try:
        return Contribution(named, X, arrays.get("y"), features, arrays.get("noise"))
    except ValueError as error:
        raise MessageError(str(error)) from error


def packed(contribution: Contribution) -> FloatArray | Pixels:
    """Its inputs as they are sent and kept: images as uint8 pixels where that loses nothing, an eighth of the size."""
    X = contribution.X
    if image_shape(contribution.feature_names) is not None:
        pixels = to_pixels(X)
        if np.array_equal(from_pixels(pixels), X):
            return pixels
    return X


def unpacked(X: NDArray[Any]) -> NDArray[Any]:
    """Inputs as they were before they were packed."""
    return from_pixels(X) if X.dtype == np.uint8 else X


def content_hash(contribution: Contribution) -> str:
    """sha256 over a contribution's names, shapes and numbers: what the ledger holds of it."""
    arrays: dict[str, NDArray[Any]] = {"X": contribution.X}
    if contribution.y is not None:
        arrays["y"] = contribution.y
    if contribution.noise is not None:
        arrays["noise"] = np.asarray(contribution.noise)
    return _hash(arrays, json.dumps([contribution.party, contribution.feature_names]))


def encode_reward(reward: Reward) -> RecordDict:
    about = ConfigRecord({"json": json.dumps(reward.about, allow_nan=False)})
    return RecordDict({_ARRAYS: _array_record(reward.arrays), _ABOUT: about})


def decode_reward(content: RecordDict, max_megabytes: float = math.inf) -> Reward:
    text = _text(_about(content).get("json"), "description of the reward", _LIMIT_TEXT)
    try:
        about = json.loads(text)
    except json.JSONDecodeError as error:
        raise MessageError(f"the reward's description is not JSON: {error}") from error
    if not isinstance(about, dict):
        raise MessageError(f"the reward's description must be a mapping, got {type(about).__name__}")
    return Reward(_arrays(content, max_megabytes), about)


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
        _text(record.get("text"), "receipt", _LIMIT_TEXT), _text(record.get("signature"), "receipt's signature")
    )
    return receipt, decode_reward(content) if _ABOUT in content else None


def encode_receipt(sha256: str, place: str) -> RecordDict:
    """The party has stored a reward: its hash as received, and where it lies on the party's side."""
    return RecordDict({_ABOUT: ConfigRecord({"sha256": sha256, "place": place})})


def decode_receipt(content: RecordDict) -> tuple[str, str]:
    about = _about(content)
    return _text(about.get("sha256"), "hash"), _text(about.get("place"), "place")


def encode_scores(scores: Mapping[str, float]) -> RecordDict:
    """Named numbers, such as mnlp, rmse, rows; empty where the party holds nothing out."""
    return RecordDict({_SCORES: MetricRecord({name: float(value) for name, value in scores.items()})})


def decode_scores(content: RecordDict) -> dict[str, float]:
    _about(content, required=False)
    record = content.get(_SCORES)
    if not isinstance(record, MetricRecord):
        raise MessageError("scores are missing")
    scores = {name: value for name, value in record.items() if isinstance(value, (int, float))}
    bad = [
        name for name, value in scores.items() if not np.isfinite(value) or not re.fullmatch(r"[a-z][a-z0-9_]*", name)
    ]
    if bad or len(scores) != len(record) or len(scores) > 20:
        raise MessageError("scores must be at most 20 finite numbers with plain names")
    return {name: float(value) for name, value in scores.items()}


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a sentence; of more than ``most``, as the pixels of images are, the first few and how many more."""
    few = len(names) if len(names) <= most else 3
    return ", ".join(names[:few]) + (f" and {len(names) - few:,} more" if few < len(names) else "")


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
    return f"it failed (Flower error {error.code}): {_text(last, 'reason')}"


def _about(content: RecordDict, *, required: bool = True) -> Mapping[str, Any]:
    about = content.get(_ABOUT)
    if not isinstance(about, ConfigRecord):
        if required:
            raise MessageError(f"the {_ABOUT!r} record is missing")
        return {}
    if "refused" in about:
        party = about.get("party")
        raise RefusedError(_text(about["refused"], "reason"), check_party_name(party) if party else None)
    return about


def _array_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(array, order="C")) for name, array in arrays.items()})


def _arrays(content: RecordDict, max_megabytes: float) -> dict[str, NDArray[Any]]:
    record = content.get(_ARRAYS)
    if not isinstance(record, ArrayRecord):
        raise MessageError(f"the {_ARRAYS!r} record is missing")
    _check_size(sum(len(array.data) for array in record.values()), max_megabytes)
    return {name: _decoded(name, array) for name, array in record.items()}


def _check_size(size: int, max_megabytes: float) -> None:
    if size / 1e6 > max_megabytes:
        raise MessageError(f"it is {size / 1e6:.1f} MB; the limit is max-contribution-mb = {max_megabytes:g}")


def _decoded(name: str, array: Array) -> NDArray[Any]:
    """One array, once its header is known to speak of exactly the bytes that came: no small message is large."""
    try:
        stream = io.BytesIO(array.data)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except Exception as error:  # NumPy's parser raises whatever the bytes lead it to
        raise MessageError(f"array {name!r} can't be read: it is not in NumPy's own format") from error
    if dtype.kind not in "fiubU":
        raise MessageError(f"array {name!r} must hold numbers or text, got {dtype}")
    if math.prod(shape) * dtype.itemsize != len(array.data) - stream.tell():
        raise MessageError(f"array {name!r} says that it has shape {shape}, but other than that many bytes came")
    return array.numpy()


def _names(value: object) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, (list, tuple)) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise MessageError("feature names are missing or not text")
    if len(set(names)) < len(names):
        raise MessageError(f"feature names must differ from each other, got {listed(names)}")
    return names


def _text(value: object, what: str, limit: int = 500) -> str:
    """A text without control characters, which could rewrite an operator's screen, cut at the limit."""
    if not isinstance(value, str):
        raise MessageError(f"the {what} must be a text, got {type(value).__name__}")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", value)[:limit]


def _hash(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
