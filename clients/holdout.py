"""Which of a party's rows never leave: those whose content, hashed with a secret of the party's own, says so.

    u(row) = BLAKE2b(secret, content of the row) / 2^64 + turn (mod 1),    held out: u(row) < holdout

A row's fate follows from what stands in it and from nothing else: not from its place, from the rows beside it, from the
order of the columns, from the party's name, or from how the file was written (CSV or Parquet, 1 or 1.00, quotes,
blanks). So it stays as the file grows, is sorted or exported again; rows that are the same share it; and of a larger
share the smaller is a part. What counts as content are the columns that the first run took, or those that
``holdout-by`` names; other columns can come, change and go.

STORE/_holdout.json    the secret, made once, and the columns; for the owner only
STORE/_held.npz        hashes (8 bytes each) of all rows that were held out where others were sent: none is sent later,
                       also where the share is made smaller or a file of held-out rows is merged into the data
STORE/_references.npz  of held-out rows, hashes of those whose inputs some run was sent as references: on these nothing
                       is scored from then on, in any run, since a mediator that knows a row's inputs could make a
                       model whose score tells its output

A simulation's files are written once and never grow, and all of it lies with one person: there the rows are drawn by
their place, so that a share is that share to the row (``drawn``).
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_bytes

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clients.errors import PartyError
from wire.files import make_folder, read_arrays, write_arrays, write_whole
from wire.formats import HOLDOUT_SECRET, FormatError
from wire.parsing import read_json
from wire.text import listed

__all__ = [
    "Dealer",
    "Hashes",
    "drawn",
    "has_secret",
    "remember_held_out",
    "remember_references",
    "row_hashes",
    "sent_references",
]

Hashes = NDArray[np.uint64]

GAPS = ("", "na", "n/a", "nan", "null", "none", "-", ".")
"""How programs write that nothing is known: to the content of a row they are one."""

SECRET, HELD, REFERENCES = "_holdout.json", "_held.npz", "_references.npz"

WHOLE = 2.0**64

TURNS = 4096
"""Turns among which that is taken by which the first file's share is exact."""


@dataclass(frozen=True)
class Dealer:
    """Deals a party's rows out, into those that are sent and those that stay.

    secret : of the party's own; turn : added to every hash, so that of the first file the share is exact; columns :
    what counts as a row's content; held : hashes of rows that were held out before.
    """

    secret: bytes
    turn: int
    columns: tuple[str, ...]
    held: Hashes

    @classmethod
    def new(cls, table: pl.DataFrame, columns: Sequence[str], share: float, file: str) -> Dealer:
        """A dealer with a new secret, drawn so that of this table the share stays, if at all possible to the row.

        u + turn (mod 1) is as even as u, so that rows to come stay with the same chance.
        """
        dealer = cls(token_bytes(32), 0, tuple(columns), np.zeros(0, dtype=np.uint64))
        turns = np.frombuffer(token_bytes(8 * TURNS), dtype=np.uint64)
        hashes = np.sort(dealer.hashes(table, file))
        starts = np.uint64(0) - turns  # mod 2^64: who stays is in a window of the circle, from -turn and as long as
        ends = starts + np.uint64(share * WHOLE)  # the share
        counts = np.searchsorted(hashes, ends) - np.searchsorted(hashes, starts) + len(hashes) * (ends < starts)
        wanted = min(max(1, round(share * len(hashes))), len(hashes) - 1)
        return replace(dealer, turn=int(turns[np.argmin(np.abs(counts - wanted))]))

    @classmethod
    def kept(cls, store: Path, chosen: Sequence[str] = ()) -> Dealer | None:
        """The dealer whose secret lies in a party's store (its reward-dir); None where there is none yet.

        Parameters
        ----------
        store : Path
        chosen : sequence of str
            The node config's ``holdout-by``.

        Raises
        ------
        PartyError
            The secret can't be read, or ``holdout-by`` names other columns than those that rows were told by so far.
        """
        if not has_secret(store):
            return None
        try:
            kept = HOLDOUT_SECRET.read(read_json((store / SECRET).read_text(encoding="utf-8")))
            secret, turn = bytes.fromhex(kept["secret"]), int(kept["turn"])
            columns = tuple(str(name) for name in kept["columns"])
            held = read_arrays(store / HELD)["held"] if (store / HELD).exists() else ()
        except (OSError, ValueError, KeyError, TypeError, FormatError) as error:
            raise PartyError(
                f"the secret by which this party holds rows out can't be read: restore {SECRET} and {HELD} in its "
                "store from a copy, for with another secret rows that stayed would be sent",
                here=f"{store}: {error}",
            ) from error
        if chosen and sorted(chosen) != sorted(columns):
            raise PartyError(
                "holdout-by is not what this party's rows were held out by so far: put it back, for by other columns "
                f"rows that stayed would be sent; or move {SECRET} and {HELD} out of its store to deal anew",
                here=f"so far by {listed(columns)}, now by {listed(chosen)}",
            )
        return cls(secret, turn, columns, np.asarray(held, dtype=np.uint64))

    def write(self, store: Path) -> None:
        """Keep the secret, for the owner only."""
        content = {"secret": self.secret.hex(), "turn": str(self.turn), "columns": list(self.columns)}
        write_whole(make_folder(store) / SECRET, json.dumps(HOLDOUT_SECRET.numbered(content), indent=1).encode())

    def hashes(self, table: pl.DataFrame, file: str) -> Hashes:
        """The hash of each row's content (m,).

        Raises
        ------
        PartyError
            The file lacks a column that counts.
        """
        found = {_name(name): name for name in table.columns}
        missing = [name for name in self.columns if _name(name) not in found]
        if missing:
            raise PartyError(
                f"{file} lacks columns by which this party's rows are held out: put them back, for without them rows "
                f"that stayed would be sent; or move {SECRET} and {HELD} out of its store to deal anew",
                here=f"missing: {listed(missing)}",
            )
        table = table.select(sorted(found[_name(name)] for name in self.columns))
        return row_hashes(table, self.secret) + np.uint64(self.turn)

    def keeps(self, hashes: Hashes, share: float, file: str) -> NDArray[np.bool_]:
        """Which rows stay (m,): that share of all rows there could be, and those that stayed before.

        Where chance would hold out all rows of a small file, or none, the row (and its like) that is nearest to the
        other side goes there.

        Raises
        ------
        PartyError
            There is nothing to hold out, or all of it has been held out before.
        """
        before = np.isin(hashes, self.held)
        if share == 0.0:
            stays = before
        elif len(hashes) < 2:
            raise _too_short(file, len(hashes))
        else:
            stays = (hashes / WHOLE < share) | before
            distinct = len(np.unique(hashes))
            if not stays.any() and distinct > 1:
                stays = hashes == hashes.min()
            elif stays.all() and not before.all():
                stays = before | (hashes != hashes[~before].max())
        if len(hashes) and stays.all():
            raise PartyError(f"every row of {file} was held out before: nothing is left to send")
        return stays


def has_secret(store: Path) -> bool:
    """Whether a party has its secret already, and so knows which rows stay."""
    return (store / SECRET).exists()


def remember_held_out(store: Path, hashes: Hashes) -> None:
    """Keep in mind that these rows were held out, now that others are sent."""
    before = read_arrays(store / HELD)["held"] if (store / HELD).exists() else np.zeros(0, dtype=np.uint64)
    held = np.union1d(before, hashes)
    if len(held) > len(before):
        write_arrays(store / HELD, {"held": held})


def sent_references(store: Path) -> Hashes:
    """Hashes of the held-out rows whose inputs have been sent.

    Raises
    ------
    PartyError
        They can't be read: nothing is scored then.
    """
    if not (store / REFERENCES).exists():
        return np.zeros(0, dtype=np.uint64)
    try:
        return np.asarray(read_arrays(store / REFERENCES)["sent"], dtype=np.uint64)
    except (OSError, ValueError, KeyError) as error:
        raise PartyError(
            "the list of held-out rows whose inputs this party has sent can't be read: restore "
            f"{REFERENCES} in its store from a copy, for without it scores could tell of those rows",
            here=f"{store}: {error}",
        ) from error


def remember_references(store: Path, hashes: Hashes) -> None:
    """Keep in mind that the inputs of these held-out rows were sent."""
    if len(hashes):
        make_folder(store)
        write_arrays(store / REFERENCES, {"sent": np.union1d(sent_references(store), hashes)})


def drawn(rows: int, share: float, party: str, file: str) -> NDArray[np.bool_]:
    """Which rows of a simulated party stay (m,): a share drawn by the party's name, at least one and never all."""
    held = np.zeros(rows, dtype=bool)
    if share == 0.0:
        return held
    if rows < 2:
        raise _too_short(file, rows)
    digest = hashlib.sha256(party.encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    held[rng.permutation(rows)[: min(max(1, round(share * rows)), rows - 1)]] = True
    return held


def row_hashes(table: pl.DataFrame, secret: bytes) -> Hashes:
    """BLAKE2b of each row of a table (m,), whatever its columns' order and however its cells are written."""
    names = sorted(table.columns, key=_name)
    cells = [_canonical(table[name]) for name in names]
    numbers = np.column_stack([number for number, _ in cells]) if cells else np.zeros((len(table), 0))
    texts = [text for _, text in cells if text is not None]
    head = json.dumps([_name(name) for name in names]).encode()
    start = hashlib.blake2b(head, key=secret, digest_size=8)
    found = np.empty(len(table), dtype=np.uint64)
    for k, row in enumerate(numbers):
        whole = start.copy()
        whole.update(row.tobytes())
        if texts:
            whole.update(json.dumps([text[k] for text in texts]).encode())
        found[k] = int.from_bytes(whole.digest(), "little")
    return found


def _too_short(file: str, rows: int) -> PartyError:
    """What is said of a file of which nothing can be held out."""
    return PartyError(f"{file} has {rows} rows; at least 2 are needed to contribute some and hold some out")


def _name(column: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", column).split())


def _canonical(column: pl.Series) -> tuple[NDArray[np.float64], list[str] | None]:
    """The cells as numbers (m,), NaN where they are none, and the texts of those; None where all are numbers or gaps.

    A number is its value, whatever it was written as, to the 12 digits that every program keeps; of text the case and
    blanks around it don't count; of a time that is midnight only the day does.
    """
    if column.dtype == pl.Binary:
        return np.full(len(column), np.nan), [hashlib.sha256(cell or b"").hexdigest() for cell in column]
    if column.dtype.is_numeric() and column.dtype not in (pl.Decimal, pl.Float32):  # these by how they are written
        return _plain(column.cast(pl.Float64)), None
    if column.dtype.is_nested():
        texts = pl.Series([json.dumps(cell, default=str) for cell in column.to_list()], dtype=pl.String)
    else:
        texts = column.cast(pl.String, strict=False)
    texts = texts.fill_null("").str.strip_chars().str.to_lowercase()
    texts = texts.str.replace(r"^(\d{4}-\d\d-\d\d)t(\d)", "${1} ${2}").str.replace(r"(:\d\d)\.0+$", "${1}")
    texts = texts.str.replace(r"^(\d{4}-\d\d-\d\d) 00:00(:00)?$", "${1}")
    texts = texts.replace({"true": "1", "false": "0"})
    numbers = texts.cast(pl.Float64, strict=False)
    left = texts.set(numbers.is_not_null() | texts.is_in(GAPS), "")
    said = [unicodedata.normalize("NFKC", text) for text in left] if (left != "").any() else None
    return _plain(numbers), said


def _plain(numbers: pl.Series) -> NDArray[np.float64]:
    """To 12 significant digits, whole numbers as they are; with one zero, and one NaN for whatever is no number."""
    values = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    fractions = np.isfinite(values) & (values != np.floor(values))
    parts = values[fractions]
    scale = 10.0 ** np.clip(11 - np.floor(np.log10(np.abs(parts))), -290, 290)
    values[fractions] = np.round(parts * scale) / scale
    return np.where(np.isnan(values), np.nan, values + 0.0)
