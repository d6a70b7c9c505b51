"""A party's file as it is read: nothing is filled up, guessed or lost, and names are those that people see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.errors import PartyError
from clients.table import CHUNK, PartyTable, read_table


def read(folder: Path, content: str | bytes, name: str = "north.csv") -> PartyTable:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(folder / name)


def test_cells_stay_the_texts_that_they_are(tmp_path: Path) -> None:
    table = read(tmp_path, 'code,n\n007,1E5\n 1_0 ,"a, ""b"""\n12345678901234567,\n')
    assert table["code"].to_list() == ["007", " 1_0 ", "12345678901234567"]
    assert table["n"].to_list() == ["1E5", 'a, "b"', ""]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "lines",
    [",", "", "   ", '"",""', "\u00a0,\u200b", "\t,", ",,,,"],
    ids=("commas", "none", "blanks", "quoted", *"xyz"),
)
def test_lines_of_nothing_are_no_rows_and_are_counted(tmp_path: Path, lines: str, end: str) -> None:
    table = read(tmp_path, end.join(["a,b", "1,2", lines, "3,4", lines, lines, ""]))
    assert table["a"].to_list() == ["1", "3"]
    assert table.rows.tolist() == [1, 3]  # as a spreadsheet numbers them, the header not counted
    assert table.blank == 3
    assert table.remarks == ["north.csv: 3 rows hold nothing, as a spreadsheet's deleted ones; left out"]


def test_empty_rows_of_a_parquet_file_are_no_rows(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.0, None, float("nan")], "b": ["x", "", None]}).write_parquet(tmp_path / "north.parquet")
    table = read_table(tmp_path / "north.parquet")
    assert (len(table), table.blank, table.rows.tolist()) == (1, 2, [1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3", "row 2 of the data has 1 cells, and the header names 2 columns: it is cut off"),
        ("a,b,c\n1,2\n3,4,5\n", "row 1 of the data has 2 cells"),
        (
            "a,b\n1,2\n\n3,4,5\n",
            "row 3 of the data has 3 cells, and the header names 2 columns: it has a comma too many",
        ),
        ('a,b\n1,2\n3,"4\n5,6\n', "the quotation marks in row 2 of the data do not match"),
        ('a,"b\n1,2\n', "the quotation marks in its header do not match"),
        ("", "it is empty"),
        ("\n\n,\n", "it is empty"),
    ],
)
def test_rows_of_another_length_are_never_filled_up(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PartyError, match=said):
        read(tmp_path, text)


def test_a_long_file_is_read_whole(tmp_path: Path) -> None:
    rows = 2 * CHUNK + 3
    table = read(tmp_path, "a,b\n" + "".join(f"{k},x\n" for k in range(rows)))
    assert np.array_equal(table["a"].cast(pl.Int64), np.arange(rows))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_in_whatever_form_says_what_it_is(tmp_path: Path, encoding: str) -> None:
    table = read(tmp_path, "größe,y\n1,ü\n".encode(encoding))
    assert (table.columns, table["y"].to_list()) == (["größe", "y"], ["ü"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "größe,y\n1,2\n".encode("latin-1"),
            r"not UTF-8 .* the first letter that can't be read is in its header; save it",
        ),
        ('a,"y\nz"\n1,2\n3,"x\n€"\n'.encode("cp1252"), "is in row 2 of the data; save it as UTF-8"),
        ("größe,y\n1,2\n".encode("utf-16-le"), "is no text: it holds zero bytes"),
        (b"\xff\xfea", "begins as UTF-16 but goes on otherwise"),
        (b"PK\x03\x04\x00\x00", "is no text"),
        ("gr\ufffdße,y\n1,2\n".encode(), "stands for letters that were lost"),
        (b"a\x1b[2J,y\n1,2\n", "control characters"),
    ],
)
def test_another_encoding_is_an_error_and_never_other_letters(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(PartyError, match=said):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "name", ["größe", "gro\u0308ße", " größe", "größe\u00a0", "\ufeffgröße", "grö\u200bße", "\u200bgröße\t", '"größe "']
)
def test_a_name_is_what_people_see(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"{name},y\n1,2\n").columns == ["größe", "y"]
    pl.DataFrame({name.strip('"'): [1], "y": [2]}).write_parquet(tmp_path / "p.parquet")
    assert read_table(tmp_path / "p.parquet").columns == ["größe", "y"]


@pytest.mark.parametrize("header", ["a,a,y", "a,a ,y", "ö,o\u0308,y", "a\u00a0b,a  b,y"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(PartyError, match=r"more than one column of the same name \(the columns number 2 "):
        read(tmp_path, f"{header}\n1,2,3\n")


def test_what_stands_after_a_comma_too_many_is_no_column(tmp_path: Path) -> None:
    assert read(tmp_path, "a,y,\n1,2,\n3,4, \n").columns == ["a", "y"]
    assert read(tmp_path, ",a,\n0,2,x\n1,4,\n").columns == ["Unnamed: 0", "a", "Unnamed: 2"]
