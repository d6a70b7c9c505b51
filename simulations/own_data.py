"""What is answered where somebody names a file of data of their own in a place that takes none."""

from __future__ import annotations

from pathlib import Path

__all__ = ["KEYS", "OWN_DATA", "is_data_file"]

OWN_DATA = (
    "To simulate with data of your own, write a data set part, a class with load(rng) -> Dataset in a file such as "
    "my_data.py beside you, and name it: python -m simulations run SCENARIO --set "
    "\"dataset=my_data:Table(path='my.csv', target='y')\". docs/scenarios.md has it to copy; with real parties each "
    "names its own file, docs/deployment.md."
)

KEYS = ("data", "data-path", "data-file", "file", "csv")
"""What the key for it would be called, if there were one."""

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".npz", ".npy", ".json", ".xlsx", ".xls", ".arff", ".feather")


def is_data_file(text: str) -> bool:
    """The text is the name of a file with data, rather than of a scenario or a part."""
    return Path(text.strip("\"' ")).suffix.lower() in SUFFIXES
