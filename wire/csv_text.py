"""Tables as CSV that a spreadsheet opens without taking a text for a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wire.text import cell_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["csv_text"]


def csv_text(table: pl.DataFrame) -> str:
    """The table as CSV: numbers as they are, and names and texts that begin like a formula behind an apostrophe."""
    import polars as pl

    texts = [name for name, kind in table.schema.items() if kind in (pl.String, pl.Categorical) or kind == pl.Enum]
    shown = table.with_columns(pl.col(name).cast(pl.String).map_elements(cell_text, pl.String) for name in texts)
    names: dict[str, str] = {}
    for name in table.columns:
        header = cell_text(name)
        while header != name and (header in names.values() or header in table.columns):
            header = f"'{header}"
        names[name] = header
    return shown.rename(names).write_csv()
