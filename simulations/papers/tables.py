"""Tables beside the paper's: one data frame, kept as CSV for machines and Markdown for people."""

from __future__ import annotations

from pathlib import Path

import polars as pl

__all__ = ["markdown", "save_table"]


def save_table(table: pl.DataFrame, folder: Path, name: str, heading: str = "") -> list[Path]:
    """``folder/name.csv`` and ``.md``, the latter under a heading or a few sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.csv", folder / f"{name}.md"]
    table.write_csv(paths[0])
    paths[1].write_text((f"{heading}\n\n" if heading else "") + markdown(table) + "\n", encoding="utf-8")
    return paths


def markdown(table: pl.DataFrame) -> str:
    """A GitHub-flavoured table; numbers to the right, with four significant digits or as whole numbers from 10,000."""
    numeric = [dtype.is_numeric() for dtype in table.dtypes]
    lines = [_line(table.columns), _line(["---:" if right else "---" for right in numeric])]
    lines += [_line([_cell(value) for value in row]) for row in table.iter_rows()]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value).replace("|", "\\|")
