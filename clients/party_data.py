"""A party's own file: which it is, what is in it, and which rows of it never leave."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.cells import gaps_in, hint_on, truths_in
from clients.columns import has_no_header, holds_numbers, no_features
from clients.encoding import Encoded, encode, named_by, plain_rows
from clients.errors import PartyError
from clients.holdout import Dealer, Hashes, drawn, row_hashes
from clients.image_file import read_images
from clients.node_config import (
    Privacy,
    check_keys,
    columns_of,
    contribute_of,
    holdout_of,
    max_scored_runs_of,
    min_held_out_of,
    noise_of,
    privacy_of,
    share_references_of,
    share_scores_of,
)
from clients.table import HEADLESS, TEXT_FILES, PartyTable, read_table
from clients.writing import AS_FOUND, Writing
from guerdon.images import from_pixels, pixel_names
from guerdon.types import Contribution, FloatArray
from wire.defaults import HOLDOUT, MAX_SCORED_RUNS, MIN_HELD_OUT
from wire.parsing import ParseError, read_json
from wire.schema import Schema
from wire.text import listed, nearly, tidy

__all__ = [
    "WRITINGS",
    "PartyData",
    "PartyError",
    "PartyFile",
    "encoded_by",
    "file_of",
    "numbers",
    "store_of",
    "variances",
]

WRITINGS = "writings.json"
"""Beside the files of simulated parties: by party, how its file is written where that has to be said."""

MOST = 5
"""Problems of a file in one sentence at most; ``python -m clients check`` shows all."""


@dataclass(frozen=True)
class PartyFile:
    """Which party this is and where its file, the rows it holds out (where they are a file) and its rewards lie.

    A simulated party (its node config has ``partition-id``) finds name and file in the run's data directory, and shares
    of rows and noise in the run's config. A real one takes all of these from its own node config only, so that the
    mediator can't choose what it opens or how many rows stay; which column is the target it may leave to the run.

    holdout : the share of rows that stay, where the party says one; holdout_by : the columns by which rows are held
    out, where it names some; min_held_out, share_scores, max_scored_runs : which scores leave, of a real party, and
    of how many runs; share_references : whether inputs of held-out rows do where a run asks for them; writing : how the
    file is written, as far as its people say; contribute : what it sends and nothing else, rows or statistics, where it
    says so; privacy : the noise that it puts on its sums.
    """

    party: str
    path: Path
    held_path: Path | None
    store: Path
    target: str
    noise: float | str | None
    holdout: float | None
    schema: Schema | None = None
    holdout_by: tuple[str, ...] = ()
    min_held_out: int = MIN_HELD_OUT
    share_scores: bool = True
    max_scored_runs: int = MAX_SCORED_RUNS
    share_references: bool = True
    contribute: str = ""
    privacy: Privacy | None = None
    simulated: bool = False
    writing: Writing = AS_FOUND

    @classmethod
    def of(
        cls, node_config: Mapping[str, Any], run_config: Mapping[str, Any], schema: Schema | None = None
    ) -> PartyFile:
        """Find the party's file from Flower's node and run config, to be read by the run's schema where it has one.

        Raises
        ------
        PartyError
            The node config names no party or file, or has a key that there is not, or the data directory has none for
            this node; or it names another target than the schema.
        """
        check_keys(node_config)
        noise, holdout, privacy = noise_of(node_config), holdout_of(node_config), privacy_of(node_config)
        if "partition-id" in node_config:
            party, path, said = _simulated(int(node_config["partition-id"]), str(run_config.get("data-dir", "")))
            node_config = {**said, **node_config}
            held_path = path.parent / "heldout" / path.name
            held = held_path if held_path.exists() else None
            noise = noise_of(node_config) or tidy(str(run_config.get("noise-column") or "")) or None
            holdout = holdout_of({**run_config, **node_config})
            privacy = privacy or _simulated_privacy(run_config, int(node_config["partition-id"]))
        else:
            missing = [key for key in ("party", "data-path") if not node_config.get(key)]
            if missing:
                raise PartyError(
                    f"{' and '.join(missing)} missing: start the SuperNode with "
                    '--node-config \'party="north" data-path="/path/to/north.csv"\''
                )
            party, path = str(node_config["party"]), Path(str(node_config["data-path"])).expanduser()
            held = Path(str(node_config["holdout-path"])).expanduser() if node_config.get("holdout-path") else None
        target = tidy(str(node_config.get("target") or run_config.get("target") or ""))
        if schema is not None and target not in ("", schema.target):
            raise PartyError(f"this party's target is {target!r}, the schema's is {schema.target!r}")
        store = node_config.get("reward-dir")
        return cls(
            party=party,
            path=path,
            held_path=held,
            store=Path(str(store)).expanduser() if store else store_of(path),
            target=target if schema is None else schema.target,
            noise=noise,
            holdout=holdout,
            schema=schema,
            holdout_by=columns_of(node_config),
            min_held_out=min_held_out_of(node_config),
            share_scores=share_scores_of(node_config),
            max_scored_runs=max_scored_runs_of(node_config),
            share_references=share_references_of(node_config),
            contribute=contribute_of(node_config),
            privacy=privacy,
            simulated="partition-id" in node_config,
            writing=Writing.of(node_config),
        )

    def share_held(self, rows: int) -> float:
        """The share of a file of so many rows that stays: what the party says, else a quarter; or as many rows as a
        score needs, where a quarter are fewer and these are no more than a third."""
        if self.holdout is not None:
            return self.holdout
        if not self.simulated and rows * HOLDOUT < self.min_held_out <= rows / 3.0:
            return self.min_held_out / rows
        return HOLDOUT


def _simulated_privacy(run_config: Mapping[str, Any], partition: int) -> Privacy | None:
    """The epsilon that a simulation gives its party: the run config's ``private``, one for all or one a party."""
    given = [float(text) for text in (str(run_config.get("private", "")) or "inf").split(",")]
    epsilon = given[partition] if len(given) > 1 else given[0]
    return Privacy(epsilon) if math.isfinite(epsilon) else None


def store_of(path: Path) -> Path:
    """Where a party's rewards lie unless its node config says otherwise: beside its file."""
    return path.with_name(f"{path.stem}-reward")


def _simulated(partition: int, data_dir: str) -> tuple[str, Path, Mapping[str, Any]]:
    """A simulated party's name and file, and what its node config would say of how that is written."""
    index = Path(data_dir) / "parties.json"
    if not data_dir or not index.exists():
        raise PartyError(
            "the run config names no data-dir with a parties.json: prepare the parties' files first, "
            "python -m simulations prepare SCENARIO"
        )
    writings = index.with_name(WRITINGS)
    try:
        names = read_json(index.read_bytes())
        said = read_json(writings.read_bytes()) if writings.exists() else {}
    except (OSError, ParseError) as error:
        raise PartyError(f"{index.name} can't be read", here=f"{index}: {error}") from error
    if not isinstance(names, list):
        raise PartyError(f"{index.name} should hold a list of names")
    if not 0 <= partition < len(names):
        raise PartyError(f"{index} lists {len(names)} parties, so there is none with partition-id {partition}")
    name = str(names[partition])
    return name, file_of(index.parent, name), said.get(name, {})


def file_of(folder: Path, party: str) -> Path:
    """The file of a simulated party, of whatever kind it is."""
    files = [folder / f"{party}{suffix}" for suffix in (".npz", *TEXT_FILES, ".parquet")]
    return next((path for path in files if path.exists()), files[-1])


@dataclass(frozen=True, eq=False)
class PartyData:
    """A party's rows: those it contributes, and those it holds out to score what it gets.

    left_out : the columns that only number or name rows, where no schema says what is wanted, each with the reason;
    remarks : what else was left out in reading the file; kept_home : hashes of the rows that it held out where others
    are sent, by which a real party remembers them; held_hashes : of the rows that are scored on, in their order.
    """

    contribution: Contribution
    target: str
    held_inputs: FloatArray
    held_outputs: FloatArray | None
    held_noise: FloatArray | None
    left_out: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    kept_home: Hashes | None = None
    held_hashes: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    @classmethod
    def read(cls, file: PartyFile, *, new_secret: bool = True) -> PartyData:
        """Read and split the party's file: what stands in a row decides whether it stays (``clients.holdout``).

        Where the party has no secret to split by yet, one is made; without ``new_secret`` it is not kept.

        Raises
        ------
        PartyError
            The file can't be read, lacks the target, holds text or missing values (named by column and row), or is too
            short to hold anything out.
        """
        read = _read(file, file.path)
        features, rows = read.features, read.rows
        apart = _read(file, file.held_path, features).rows if file.held_path else None
        held, kept_home, held_hashes = _dealt(file, features, rows, apart, new_secret)
        sent = rows.where(~held)
        scored = rows.where(held) if apart is None else apart
        noise = file.noise if isinstance(file.noise, float) else sent.noise
        try:
            contribution = Contribution(file.party, sent.X, sent.y, features, noise)
        except ValueError as error:  # its text can quote the rows
            raise PartyError(f"{file.path.name}: its rows can't be contributed", here=str(error)) from error
        return cls(
            *(contribution, file.target, scored.X, scored.y, scored.noise),
            left_out=read.left_out,
            remarks=read.remarks,
            kept_home=kept_home,
            held_hashes=held_hashes,
        )

    def references(self, most: int, scored: int, before: Hashes) -> NDArray[np.bool_]:
        """Which of the held-out rows (m,) a run gets the inputs of, and no score: those of ``before`` come first.

        Parameters
        ----------
        most : int
            So many at most, and at most half of the rows held out.
        scored : int
            So many are left at least to score on.
        before : Hashes
            Of rows whose inputs have been sent before.
        """
        hashes, held = self.held_hashes, len(self.held_inputs)
        order = np.lexsort((hashes, ~np.isin(hashes, before)))
        count = max(0, min(most, held // 2, held - scored))
        while 0 < count < held and hashes[order[count]] == hashes[order[count - 1]]:
            count -= 1  # rows that are the same share their fate
        chosen = np.zeros(held, dtype=bool)
        chosen[order[:count]] = True
        return chosen

    def without(self, sent: Hashes) -> PartyData:
        """The data to be scored on: of the held-out rows those whose inputs nobody has been sent."""
        kept = ~np.isin(self.held_hashes, sent)
        y, noise = self.held_outputs, self.held_noise
        return replace(
            self,
            held_inputs=self.held_inputs[kept],
            held_outputs=None if y is None else y[kept],
            held_noise=None if noise is None else noise[kept],
            held_hashes=self.held_hashes[kept],
        )

    @property
    def fate(self) -> str:
        """A hash of which rows are sent and which are held out, in full but for the order of rows and columns."""
        own = self.contribution
        order = np.argsort(own.feature_names or ())
        sent = _unordered(own.X[:, order], own.y, own.noise)
        held = _unordered(self.held_inputs[:, order], self.held_outputs, self.held_noise)
        return hashlib.sha256(
            json.dumps([sorted(own.feature_names or ()), self.target, sent, held]).encode()
        ).hexdigest()


def _unordered(X: FloatArray, y: FloatArray | None, noise: float | FloatArray | None) -> str:
    """A hash of rows that is the same in any order of them."""
    beside = [np.broadcast_to(np.asarray(part), len(X)) for part in (y, noise) if part is not None]
    rows = sorted(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in np.column_stack([X, *beside]))
    return hashlib.sha256(b"".join(rows)).hexdigest()


class _Rows(NamedTuple):
    """X (m, d), y (m,) and noise variances (m,), the latter two where there are any; ``raw`` is what the file says."""

    X: FloatArray
    y: FloatArray | None
    noise: FloatArray | None
    raw: pl.DataFrame

    def where(self, chosen: NDArray[np.bool_]) -> _Rows:
        y, noise = self.y, self.noise
        return _Rows(
            self.X[chosen],
            None if y is None else y[chosen],
            None if noise is None else noise[chosen],
            self.raw.filter(chosen),
        )


def _dealt(
    file: PartyFile, features: Sequence[str], rows: _Rows, apart: _Rows | None, new_secret: bool
) -> tuple[NDArray[np.bool_], Hashes | None, Hashes]:
    """Which rows stay (m,), the hashes of all that do (of a file of held-out rows also its own, and their like), and
    those of the rows that are scored on."""
    share = 0.0 if apart is not None else file.share_held(len(rows.X))
    if file.simulated:
        held = drawn(len(rows.X), share, file.party, file.path.name)
        scored = rows.raw.filter(held) if apart is None else apart.raw
        return held, None, row_hashes(scored, file.party.encode())
    named = [column.name for column in file.schema.columns] if file.schema else [*features, file.target]
    taken = [name for name in named if name in rows.raw.columns] or rows.raw.columns  # of images, the images
    dealer = Dealer.kept(file.store, file.holdout_by)
    if dealer is None:
        dealer = Dealer.new(rows.raw, file.holdout_by or taken, share, file.path.name)
        if new_secret:
            dealer.write(file.store)
    hashes = dealer.hashes(rows.raw, file.path.name)
    if apart is None:
        held = dealer.keeps(hashes, share, file.path.name)
        return held, hashes[held], hashes[held]
    theirs = dealer.hashes(apart.raw, Path(file.held_path or "").name)
    held = dealer.keeps(hashes, share, file.path.name) | np.isin(hashes, theirs)
    if held.all():
        raise PartyError(f"every row of {file.path.name} is held out: nothing is left to send")
    return held, np.concatenate([hashes[held], theirs]), theirs


class _Read(NamedTuple):
    """The names of the features and the rows; columns left out with their reasons, and remarks."""

    features: tuple[str, ...]
    rows: _Rows
    left_out: Mapping[str, str] = {}
    remarks: tuple[str, ...] = ()


def _read(file: PartyFile, path: Path, features: tuple[str, ...] | None = None) -> _Read:
    """The rows of a table or of images, with these features where they are known."""
    if path.suffix.lower() == ".npz":
        if file.schema is not None:
            raise PartyError(f"{path.name} holds images, and the run's schema is for tables; nothing else is sent")
        return _images(file, path, features)
    noise = file.noise if isinstance(file.noise, str) else ""
    table = read_table(path, file.writing)
    if file.schema is not None:
        return _by_schema(file.schema, named_by(file.schema, table), noise)
    if len(table) and not any(holds_numbers(table, name) for name in table.columns):
        # Nothing tells a line of names from a row of texts, so no name is said.
        raise PartyError(
            f"{table.file} has no column of numbers; a schema says which texts are categories", _has(table)
        )
    if has_no_header(table):
        raise PartyError(f"{table.file}: {HEADLESS}", here=f"it reads {listed(table.columns)}")
    for what, name in (("target", file.target), ("noise", noise)):
        if name:
            _require(table, name, what)
    left_out = no_features(table, (file.target, noise)) if features is None else {}
    if set(table.columns) <= {file.target, noise, *left_out}:
        left_out = {}  # there is nothing else, so this is what the party has
    features = features or tuple(name for name in table.columns if name not in (file.target, noise, *left_out))
    if not features:
        raise PartyError(f"{table.file} has no feature columns besides {file.target!r}")
    return _Read(features, _columns(table, features, file.target, noise), left_out, tuple(table.remarks))


def _by_schema(schema: Schema, table: PartyTable, noise: str) -> _Read:
    """The rows of a table by the schema; what is wrong is said without quoting it, since the sentence is sent."""
    encoded = encoded_by(schema, table)
    if noise:
        _require(table, noise, "noise")
    by_row = variances(table, noise, encoded.kept) if noise else None
    rows = _Rows(encoded.X, encoded.y, by_row, plain_rows(schema, table).filter(encoded.kept))
    return _Read(schema.features, rows, {}, tuple(encoded.remarks(table)))


def encoded_by(schema: Schema, table: PartyTable, *, quote: bool = False) -> Encoded:
    """The rows of a table by the schema, which must be as it says; an error can ``quote`` what stands in the file.

    Raises
    ------
    PartyError
    """
    encoded = encode(table, schema)
    if encoded.problems:
        said = [problem.sentence(table.file, quote=quote) for problem in encoded.problems]
        more = f"; and {len(said) - MOST} more" if len(said) > MOST else ""
        raise PartyError("; ".join(said[:MOST]) + more)
    return encoded


def _images(file: PartyFile, path: Path, features: tuple[str, ...] | None) -> _Read:
    """Images as rows of pixels from 0 to 1."""
    if isinstance(file.noise, str):
        raise PartyError(f"{path.name} holds images, which have no noise column {file.noise!r}: leave noise-column out")
    pixels, labels = read_images(path, labelled=bool(file.target))
    names = pixel_names(pixels.shape[1:])
    if features is not None and features != names:
        raise PartyError(f"{path.name} holds images of shape {pixels.shape[1:]}, {file.path.name} holds other rows")
    raw = pl.DataFrame({"image": [image.tobytes() for image in pixels]})
    return _Read(names, _Rows(from_pixels(pixels.reshape(len(pixels), -1)), labels, None, raw))


def _columns(table: PartyTable, features: Sequence[str], target: str, noise: str) -> _Rows:
    """The features, the target and the noise variances that a table holds."""
    for name in features:
        _require(table, name)
    X = np.column_stack([numbers(table, name) for name in features])
    y, by_row = numbers(table, target) if target else None, variances(table, noise) if noise else None
    return _Rows(X, y, by_row, table.plain)


def _require(table: PartyTable, name: str, what: str = "") -> None:
    """Make sure that there is a column of this name; one that is spelled otherwise is named, no other."""
    if name in table.columns:
        return
    near = nearly(name, table.columns)
    hint = f"; {near!r} differs in its spelling only: rename it" if near else ""
    raise PartyError(f"{table.file} has no {what} column {name!r}".replace("  ", " ") + hint, here=_has(table))


def _has(table: PartyTable) -> str:
    return f"it has {listed(table.columns)}"


def numbers(table: PartyTable, name: str, kept: NDArray[np.bool_] | None = None) -> FloatArray:
    """One column as float64, of the rows that are ``kept``; true and false are 1 and 0.

    Raises
    ------
    PartyError
        A value is missing or infinite, or no number: the sentence names its row.
    """
    if len(table) == 0:
        raise PartyError(f"{table.file} has no rows")
    where = np.arange(len(table)) if kept is None else np.flatnonzero(kept)
    if doubt := table.doubt(name):
        raise PartyError(f"{table.file}, column {name!r}: {doubt}")
    column = table[name] if kept is None else table[name].gather(where)
    values, gaps = table.numbers(name)[where], gaps_in(column)
    if np.isnan(values[~gaps]).all():
        values = truths_in(column, ("true",), ("false",))
    strange = np.flatnonzero(~gaps & np.isnan(values))
    if len(strange):
        cells = "one cell holds" if len(strange) == 1 else f"{len(strange)} cells hold"
        raise PartyError(
            f"{table.file}, column {name!r} must hold numbers, and {cells} something else, the first in row "
            f"{table.rows[where[strange[0]]]} of the data{hint_on(column, int(strange[0]))}"
        )
    bad = np.flatnonzero(gaps | ~np.isfinite(values))
    if len(bad):
        raise PartyError(
            f"{table.file}, column {name!r}: {len(bad)} missing or infinite values, the first in row "
            f"{table.rows[where[bad[0]]]} of the data"
        )
    return values


def variances(table: PartyTable, name: str, kept: NDArray[np.bool_] | None = None) -> FloatArray:
    """The noise variances that a column holds, of the rows that are ``kept``.

    Raises
    ------
    PartyError
        One is not above 0, missing, infinite or no number.
    """
    values = numbers(table, name, kept)
    wrong = np.flatnonzero(values <= 0.0)
    if len(wrong):
        rows = table.rows if kept is None else table.rows[kept]
        raise PartyError(
            f"{table.file}, column {name!r}: noise variances must be above 0; of {len(wrong)} that are not, the first "
            f"is in row {rows[wrong[0]]} of the data",
            here=f"there stands {values[wrong[0]]:g}",
        )
    return values
