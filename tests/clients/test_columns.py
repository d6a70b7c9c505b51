"""Columns that number or name rows are no features, and a line of data is no header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.columns import has_no_header, no_features
from clients.table import PartyTable

M = 20
RNG = np.random.default_rng(0)


def reasons(**columns: Any) -> dict[str, str]:
    return no_features(PartyTable.of(pl.DataFrame(columns)), ("y",))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Unnamed: 0", range(M)),
        ("Unnamed: 0.1", range(M)),
        ("Unnamed: 3", RNG.normal(size=M)),
        ("__index_level_0__", [7, 7, *range(18)]),
        ("...1", range(1, M + 1)),
        ("nr", range(1, M + 1)),
        ("anything", range(M)),
        ("anything", [float(k) for k in range(M)]),
        ("anything", [str(k) for k in range(M)]),
        ("anything", range(500, 500 + M)),
        ("anything", RNG.permutation(M)),
        ("id", [1] * M),
        ("patient_id", RNG.normal(size=M)),
        ("PatientID", ["a"] * M),
        ("patientId", range(M)),
        ("ID-Nummer", range(M)),
        ("uuid", ["x"] * M),
        ("Fallnummer", [k * k + 1000 for k in range(M)]),
        ("case no.", [k * k + 1000 for k in range(M)]),
        ("who", [f"Ann {chr(65 + k)}" for k in range(M)]),
        ("who", [f"3f2a{k:04x}-77" for k in range(M)]),
    ],
)
def test_what_numbers_or_names_rows_is_left_out_with_the_reason(name: str, values: Any) -> None:
    found = reasons(**{name: pl.Series(list(values)), "x": RNG.normal(size=M)})
    assert list(found) == [name]
    assert found[name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x", [k * k for k in range(M)]),
        ("age", [30 + k // 2 for k in range(M)]),
        ("index of wealth", [k * k for k in range(M)]),
        ("number_of_children", [k % 4 for k in range(M)]),
        ("number_of_cells", [k * k + 9 for k in range(M)]),
        ("humidity", [k * k for k in range(M)]),
        ("grid", [k * k for k in range(M)]),
        ("x", np.arange(M) / 2),
        ("dose", [f"{k} mg" for k in range(M)]),
        ("level", [f"{k},5" for k in range(M)]),
        ("day", [f"2020-01-{k + 1:02d}" for k in range(M)]),
        ("smokes", [True, False] * (M // 2)),
        ("city", ["Bern", "Rom"] * (M // 2)),
        ("y", range(M)),  # the target
    ],
)
def test_what_could_be_a_feature_is_left_alone(name: str, values: Any) -> None:
    assert reasons(**{name: pl.Series(list(values)), "z": RNG.normal(size=M)}) == {}


def test_of_few_rows_nothing_is_said_by_what_they_hold() -> None:
    assert reasons(dose=[0, 1, 2], z=[1.5, 2.5, 2.5]) == {}


@pytest.mark.parametrize(
    "text",
    [
        "58,169,220.2\n60,160,211.7\n",
        "58,male,220.2\n60,female,211.7\n61,male,1\n",
        "male,yes,5.5\nmale,no,4\nfemale,yes,3\n",
        "Ann,63,145\nBob,64,133\n",
        "63,unknown\n64,1\n65,2\n",
        "?,63\n1,64\n",
        "2020-01-05,3.5\n2020-01-06,4.5\n",
        '"1,5","2,5"\n"1,7","2,9"\n',
        "<0.1,5\n0.2,6\n",
        "1,0\n",
    ],
)
def test_a_first_line_of_data_is_no_header(tmp_path: Path, text: str) -> None:
    from clients.table import read_table

    (tmp_path / "north.csv").write_text(text)
    assert has_no_header(read_table(tmp_path / "north.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "age,bp\n60,160\n",
        "y\n1\n2\n",
        "x1,x2\n1,2\n",
        "25(OH)D,17-OHP,NSE\n1,2,3\n",
        "2h glucose,CO2,pH\n1,2,7\n",
        "country,y2019,y2020\nNA,1,2\n",
        "sex,age\nsex,5\nm,6\n",
        "Na,K\n140,4\n",
        ",a,y\n0,1,2\n1,2,3\n",
        "a,b\n",
    ],
)
def test_a_line_of_names_is_a_header(tmp_path: Path, text: str) -> None:
    from clients.table import read_table

    (tmp_path / "north.csv").write_text(text)
    assert not has_no_header(read_table(tmp_path / "north.csv"))
