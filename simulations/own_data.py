"""What is answered where somebody names a file of data of their own in a place that takes none."""

from __future__ import annotations

from pathlib import Path

__all__ = ["KEYS", "OWN_DATA", "is_data_file"]

OWN_DATA = (
    "To simulate with files of your own, name each party's: python -m simulations run --data north.csv --data "
    "south.csv --target NAME; or one file with a column that tells the parties apart, --data all.csv --party-column "
    'site. In a scenario file that is a table, [data] with files = ["north.csv", "south.csv"] (docs/tutorials/study.md). '
    "Rows that a program makes or divides are a data set part (docs/scenarios.md)."
)

KEYS = ("data", "data-path", "data-file", "file", "csv")
"""What the key for it would be called, if there were one."""

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".npz", ".npy", ".json", ".xlsx", ".xls", ".arff", ".feather")


def is_data_file(text: str) -> bool:
    """The text is the name of a file with data, rather than of a scenario or a part."""
    return Path(text.strip("\"' ")).suffix.lower() in SUFFIXES
