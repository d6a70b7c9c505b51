"""``report.html`` in a run's directory, and the parties' own pages where they have no reward yet to come with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from server.report.comparison_page import comparison_page
from server.report.mediator_page import mediator_page
from server.report.run_pictures import run_pictures
from server.run_directory import RunDirectory
from wire.files import make_folder, write_whole
from wire.pages.party_page import party_page, view_of

__all__ = ["REPORT", "purge", "write_comparison", "write_report"]

REPORT = "report.html"


def write_report(directory: RunDirectory) -> Path:
    """Draw the report of a run from what it left, again if it is there already; returns the file.

    Where nothing was given yet, ``parties/NAME.html`` are the parties' own pages, for the mediator to hand out. A
    party that was given a reward has its page beside it.

    Raises
    ------
    RunDirectoryError
        The run did not get as far as valuing the data.
    """
    record = directory.read_allocation()
    if record["stage"] != "valued":
        shutil.rmtree(directory.path / "parties", ignore_errors=True)  # what would be is overtaken by what is
    pages: list[tuple[str, str | None]] = []
    for entry in record["parties"]:
        party = str(entry["party"])
        page: Path | None
        if record["stage"] == "valued" and "target" in entry:
            page = make_folder(directory.path / "parties") / f"{party}.html"
            write_whole(page, party_page(view_of(record, party)).encode())
        else:
            page = Path(str(entry["store"])) / REPORT if entry.get("store") else None
        pages.append((party, None if page is None else _address(page, directory.path)))
    pictures = run_pictures(record, directory.load_view())
    text = mediator_page(record, directory=directory.path.resolve(), pictures=pictures, pages=pages)
    path = directory.path / REPORT
    write_whole(path, text.encode())
    return path


def purge(directory: RunDirectory) -> list[str]:
    """Delete a run's data, and draw the report of a run that valued them again, without them; returns what went."""
    gone = directory.purge()
    if directory.load_allocation() is not None:
        write_report(directory)
    return gone


def write_comparison(runs: Sequence[Path], output: Path) -> Path:
    """Draw several runs side by side into one file; returns it.

    Raises
    ------
    RunDirectoryError
        One of them is not a run that valued data.
    ComparisonError
        There are fewer than two, or no party took part in all of them.
    """
    records = [RunDirectory(run).read_allocation() for run in runs]
    write_whole(output, comparison_page(records).encode())
    return output


def _address(page: Path, directory: Path) -> str | None:
    """Of a party's page as seen from the report; None where it is not in the run's directory, or not there."""
    try:
        return page.resolve().relative_to(directory.resolve()).as_posix() if page.is_file() else None
    except ValueError:
        return None
