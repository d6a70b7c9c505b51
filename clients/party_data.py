"""A party's own file: which it is, what is in it, and which rows of it never leave."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.encoding import Encoded, encode
from clients.errors import PartyError
from clients.image_file import read_images
from clients.node_config import check_keys, holdout_of
from guerdon.images import from_pixels, pixel_names
from guerdon.types import Contribution, FloatArray
from wire.parsing import ParseError, read_json
from wire.schema import Schema
from wire.text import listed

__all__ = ["PartyData", "PartyError", "PartyFile", "encoded_by", "numbers", "read_table"]

MOST = 5
"""Problems of a file in one sentence at most; ``python -m clients check`` shows all."""


@dataclass(frozen=True)
class PartyFile:
    """Which party this is and where its file, the rows it holds out (where they are a file) and its rewards lie.

    A simulated party (its node config has ``partition-id``) finds name and file in the run's data directory, and shares
    of rows and noise in the run's config. A real one takes all of these from its own node config only, so that the
    mediator can't choose what it opens or how many rows stay; which column is the target it may leave to the run.
    """

    party: str
    path: Path
    held_path: Path | None
    store: Path
    target: str
    noise: float | str | None
    holdout: float
    schema: Schema | None = None

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
        noise, holdout = node_config.get("noise"), holdout_of(node_config)
        if "partition-id" in node_config:
            party, path = _simulated(int(node_config["partition-id"]), str(run_config.get("data-dir", "")))
            held_path = path.parent / "heldout" / path.name
            held = held_path if held_path.exists() else None
            noise = node_config.get("noise", run_config.get("noise-column") or None)
            holdout = holdout_of({**run_config, **node_config})
        else:
            missing = [key for key in ("party", "data-path") if not node_config.get(key)]
            if missing:
                raise PartyError(
                    f"{' and '.join(missing)} missing: start the SuperNode with "
                    '--node-config \'party="north" data-path="/path/to/north.csv"\''
                )
            party, path = str(node_config["party"]), Path(str(node_config["data-path"])).expanduser()
            held = Path(str(node_config["holdout-path"])).expanduser() if node_config.get("holdout-path") else None
        target = str(node_config.get("target") or run_config.get("target") or "")
        if schema is not None and target not in ("", schema.target):
            raise PartyError(f"this party's target is {target!r}, the schema's is {schema.target!r}")
        store = node_config.get("reward-dir")
        return cls(
            party=party,
            path=path,
            held_path=held,
            store=Path(str(store)).expanduser() if store else path.with_name(f"{path.stem}-reward"),
            target=target if schema is None else schema.target,
            noise=noise if isinstance(noise, str) or noise is None else float(noise),
            holdout=holdout,
            schema=schema,
        )


def _simulated(partition: int, data_dir: str) -> tuple[str, Path]:
    index = Path(data_dir) / "parties.json"
    if not data_dir or not index.exists():
        raise PartyError(
            "the run config names no data-dir with a parties.json: prepare the parties' files first, "
            "python -m simulations prepare SCENARIO"
        )
    try:
        names = read_json(index.read_bytes())
    except (OSError, ParseError) as error:
        raise PartyError(f"{index.name} can't be read", here=f"{index}: {error}") from error
    if not isinstance(names, list):
        raise PartyError(f"{index.name} should hold a list of names")
    if not 0 <= partition < len(names):
        raise PartyError(f"{index} lists {len(names)} parties, so there is none with partition-id {partition}")
    images = index.parent / f"{names[partition]}.npz"
    return str(names[partition]), images if images.exists() else images.with_suffix(".parquet")


@dataclass(frozen=True, eq=False)
class PartyData:
    """A party's rows: those it contributes, and those it holds out to score what it gets."""

    contribution: Contribution
    target: str
    held_inputs: FloatArray
    held_outputs: FloatArray | None
    held_noise: FloatArray | None

    @classmethod
    def read(cls, file: PartyFile) -> PartyData:
        """Read and split the party's file; the split depends on the party's name and the number of rows only.

        Raises
        ------
        PartyError
            The file can't be read, lacks the target, holds text or missing values (named by column and row), or is too
            short to hold anything out.
        """
        features, rows = _read(file, file.path)
        held = np.zeros(len(rows.X), dtype=bool) if file.held_path else _held_out(len(rows.X), file)
        sent = rows.where(~held)
        scored = _read(file, file.held_path, features)[1] if file.held_path else rows.where(held)
        noise = file.noise if isinstance(file.noise, float) else sent.noise
        try:
            contribution = Contribution(file.party, sent.X, sent.y, features, noise)
        except ValueError as error:
            raise PartyError(f"{file.path.name}: {error}") from error
        return cls(contribution, file.target, scored.X, scored.y, scored.noise)


class _Rows(NamedTuple):
    """X (m, d), y (m,) and noise variances (m,), the latter two where there are any."""

    X: FloatArray
    y: FloatArray | None
    noise: FloatArray | None

    def where(self, chosen: NDArray[np.bool_]) -> _Rows:
        y, noise = self.y, self.noise
        return _Rows(self.X[chosen], None if y is None else y[chosen], None if noise is None else noise[chosen])


def _read(file: PartyFile, path: Path, features: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], _Rows]:
    """The names of the features, or those asked for, and the rows of a table or of images."""
    if path.suffix.lower() == ".npz":
        if file.schema is not None:
            raise PartyError(f"{path.name} holds images, and the run's schema is for tables; nothing else is sent")
        return _images(file, path, features)
    noise = file.noise if isinstance(file.noise, str) else ""
    if file.schema is not None:
        return file.schema.features, _by_schema(file.schema, path, noise)
    table = read_table(path)
    for what, name in (("target", file.target), ("noise", noise)):
        if name and name not in table.columns:
            raise PartyError(f"{path.name} has no {what} column {name!r}", here=f"it has {listed(table.columns)}")
    features = features or tuple(name for name in table.columns if name not in (file.target, noise))
    if not features:
        raise PartyError(f"{path.name} has no feature columns besides {file.target!r}")
    return features, _columns(table, features, file.target, noise or None, path.name)


def _by_schema(schema: Schema, path: Path, noise: str) -> _Rows:
    """The rows of a table by the schema; what is wrong is said without quoting it, since the sentence is sent."""
    table = read_table(path, texts=True)
    encoded = encoded_by(schema, table, path.name)
    if not noise:
        return _Rows(encoded.X, encoded.y, None)
    if noise not in table.columns:
        raise PartyError(f"{path.name} has no noise column {noise!r}", here=f"it has {listed(table.columns)}")
    column = table.select(pl.col(noise).cast(pl.Float64, strict=False))
    return _Rows(encoded.X, encoded.y, numbers(column, noise, path.name)[encoded.kept])


def encoded_by(schema: Schema, table: pl.DataFrame, file: str, *, quote: bool = False) -> Encoded:
    """The rows of a table by the schema, which must be as it says; an error can ``quote`` what stands in the file.

    Raises
    ------
    PartyError
    """
    encoded = encode(table, schema)
    if encoded.problems:
        said = [problem.sentence(file, quote=quote) for problem in encoded.problems]
        more = f"; and {len(said) - MOST} more" if len(said) > MOST else ""
        raise PartyError("; ".join(said[:MOST]) + more)
    return encoded


def _images(file: PartyFile, path: Path, features: tuple[str, ...] | None) -> tuple[tuple[str, ...], _Rows]:
    """Images as rows of pixels from 0 to 1."""
    if isinstance(file.noise, str):
        raise PartyError(f"{path.name} holds images, which have no noise column {file.noise!r}: leave noise-column out")
    pixels, labels = read_images(path, labelled=bool(file.target))
    names = pixel_names(pixels.shape[1:])
    if features is not None and features != names:
        raise PartyError(f"{path.name} holds images of shape {pixels.shape[1:]}, {file.path.name} holds other rows")
    return names, _Rows(from_pixels(pixels.reshape(len(pixels), -1)), labels, None)


def _columns(table: pl.DataFrame, features: Sequence[str], target: str, noise: str | None, file: str) -> _Rows:
    """The features, the target and the noise variances that a table holds."""
    wanted = [*features, *filter(None, (target, noise))]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise PartyError(f"{file} has no column {missing[0]!r}", here=f"it has {listed(table.columns)}")
    X = np.column_stack([numbers(table, name, file) for name in features])
    return _Rows(X, numbers(table, target, file) if target else None, numbers(table, noise, file) if noise else None)


def read_table(path: Path, *, texts: bool = False) -> pl.DataFrame:
    """A CSV or Parquet file as a table; a CSV file's columns as ``texts`` where a schema is to say what they mean.

    Raises
    ------
    PartyError
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise PartyError(f"{path.name} must be a .csv or .parquet file, or an .npz file of images")
    try:
        if not path.is_file():
            raise PartyError(f"{path.name} does not exist", here=f"looked for in {path.parent}")
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        table = pl.read_csv(path, infer_schema=not texts, infer_schema_length=None)  # by all rows, not the first 100
    except (pl.exceptions.PolarsError, OSError) as error:
        if path.suffix.lower() == ".csv" and (separator := _other_separator(_first_line(path))):
            raise PartyError(_separated(path, separator)) from error
        # The parser's own words can quote rows, and what is said is sent to the mediator.
        what = f"{path.name} can't be read as {path.suffix[1:]}: {type(error).__name__}"
        raise PartyError(what, here=str(error).partition("\n")[0]) from error
    if len(table.columns) == 1 and (separator := _other_separator(table.columns[0])):
        raise PartyError(_separated(path, separator))
    twice = [name for name in table.columns if re.sub(r"_duplicated_\d+$", "", name) in set(table.columns) - {name}]
    if twice:
        raise PartyError(f"{path.name} has more than one column of the same name", here=f"rename one: {listed(twice)}")
    return table


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.readline()
    except OSError:
        return ""


def _other_separator(header: str) -> str:
    """What the names of a CSV file's columns are separated by, where it is not commas; else ""."""
    found = max((";", "\t", "|"), key=header.count)
    return found if header.count(found) > header.count(",") else ""


def _separated(path: Path, separator: str) -> str:
    named = "tabs" if separator == "\t" else repr(separator)
    return (
        f"{path.name} looks separated by {named}: save it with commas between the columns and points in the numbers, "
        "or as .parquet"
    )


def numbers(table: pl.DataFrame, name: str, file: str) -> FloatArray:
    """One column as float64; a missing value, a NaN, an infinity or text is an error that names the row."""
    column = table[name]
    if len(column) == 0:
        raise PartyError(f"{file} has no rows")
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        texts = column.cast(pl.String, strict=False)
        strange = (texts.is_not_null() & texts.str.strip_chars().cast(pl.Float64, strict=False).is_null()).arg_true()
        where = f", the first of other kind in row {strange[0] + 1} of the data" if len(strange) else ""
        raise PartyError(f"{file}, column {name!r} must hold numbers, got {column.dtype}{where}")
    values: NDArray[np.float64] = column.cast(pl.Float64).to_numpy()
    bad = np.flatnonzero(column.is_null().to_numpy() | ~np.isfinite(values))
    if len(bad):
        raise PartyError(
            f"{file}, column {name!r}: {len(bad)} missing or infinite values, the first in row {bad[0] + 1} of the data"
        )
    return values


def _held_out(rows: int, file: PartyFile) -> NDArray[np.bool_]:
    """Which rows never leave: a random share, at least one and never all; of a larger share the smaller is a part.

    No setting of the mediator's but the share moves it, so that runs with other seeds don't see other rows.
    """
    held = np.zeros(rows, dtype=bool)
    if file.holdout == 0.0:
        return held
    if rows < 2:
        raise PartyError(
            f"{file.path.name} has {rows} rows; at least 2 are needed to contribute some and hold some out"
        )
    digest = hashlib.sha256(file.party.encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    count = min(max(1, round(file.holdout * rows)), rows - 1)
    held[rng.permutation(rows)[:count]] = True
    return held
