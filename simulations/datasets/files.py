"""Where the files of data sets lie that no installed package carries."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_file"]


def data_file(name: str, origin: str = "") -> Path:
    """The file of this name in the folder that GUERDON_DATA names, else in ../shared/data beside the checkout.

    Parameters
    ----------
    origin : where the data can be had, for the error's text

    Raises
    ------
    FileNotFoundError
    """
    named = os.environ.get("GUERDON_DATA")
    folders = [Path(named).expanduser()] if named else []
    folders.append(Path(__file__).resolve().parents[3] / "shared" / "data")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{name} is not in {' or '.join(map(str, folders))}: set GUERDON_DATA to the folder it is in"
        + (f". {origin}" if origin else "")
    )
