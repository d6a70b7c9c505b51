"""Files that appear whole or not at all, readable by their owner only, and without pickle."""

from __future__ import annotations

import json
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from wire.parsing import ParseError, read_json

__all__ = ["alone_in", "append_line", "make_folder", "read_arrays", "read_lines", "write_arrays", "write_whole"]


def make_folder(path: Path) -> Path:
    """The folder, made for its owner only where it did not exist."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else who asks for the same writes in the folder meanwhile: what was read there still holds."""
    import fcntl  # which only systems have that SuperNodes run on

    with (make_folder(folder) / "_lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that after a crash the old one or the new one is there, never half of one."""
    _write(path, lambda file: file.write(content))


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An npz file of numbers and text."""
    _write(path, lambda file: np.savez(file, allow_pickle=False, **dict(arrays)))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file; never a pickle.

    Raises
    ------
    ParseError
        It is no such file, or an array's header speaks of other bytes than are there: no small file is large.
    """
    try:
        with zipfile.ZipFile(path) as members:
            for member in members.infolist():
                _check_array(members, member)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except ParseError:
        raise
    except (EOFError, KeyError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ParseError(f"{path.name} is no npz file of numbers and text") from error


def _check_array(members: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array before anything of its size is made."""
    if member.file_size > MOST_PACKED * max(1, member.compress_size):
        raise ParseError(f"an array in it is packed to less than a part in {MOST_PACKED} of its size")
    with members.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
        if kind.hasobject or math.prod(shape) * kind.itemsize != member.file_size - stream.tell():
            raise ParseError(f"an array in it says that it has shape {shape}, but other than that many bytes are there")


MOST_PACKED = 1100
"""What zip's own packing can do; no array of ours is packed at all."""


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an entry to a JSON-lines file; after one that a crash cut short, on a line of its own."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
        torn = size > 0 and file.read(1) != b"\n"
        file.write((b"\n" if torn else b"") + json.dumps(entry, allow_nan=False).encode() + b"\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every entry of a JSON-lines file, none where there is no file; a line that a crash cut short is left out."""
    entries = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            entries.append(read_json(line))
        except ParseError:
            continue
    return entries


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
