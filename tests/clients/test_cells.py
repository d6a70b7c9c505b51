"""A cell is read as what it is written as, and as nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.cells import gaps_in, hint_on, numbers_in, truths_in


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_number_is_read_to_the_last_bit(numbers: list[float]) -> None:
    assert np.array_equal(numbers_in(pl.Series(list(map(repr, numbers)))), numbers)


@pytest.mark.parametrize("text", ["12", "-9.0", "9.", ".5", "+1e-3", " 7 ", "\u00a07", "1E5", "007"])
def test_what_programs_write_is_a_number(text: str) -> None:
    assert numbers_in(pl.Series([text])).tolist() == [float(text.strip())]


@pytest.mark.parametrize(
    "text",
    ["1_0", "0x10", "1 000", "1,5", "1.000,5", "\u0661\u0662", "1e", "e5", ".", "5 mg", "nan", "--1", "1\n2", ""],
)
def test_what_a_lenient_parser_would_take_for_one_is_none(text: str) -> None:
    assert np.isnan(numbers_in(pl.Series([text]))).all()


@pytest.mark.parametrize("text", ["-9", "-9.0", "-9.", "-9e0", " -9.00", "-90e-1"])
def test_a_missing_code_counts_however_it_is_written(text: str) -> None:
    assert gaps_in(pl.Series([text, "9"]), ["-9"], as_numbers=True).tolist() == [True, False]


@pytest.mark.parametrize("series", [pl.Series([-9, 9]), pl.Series([-9.0, 9.0]), pl.Series([-9, 9], dtype=pl.Int8)])
def test_a_missing_code_counts_among_numbers_of_any_type(series: pl.Series) -> None:
    assert gaps_in(series, ["-9", "NA"], as_numbers=True).tolist() == [True, False]


def test_nothing_is_a_gap_whatever_the_type() -> None:
    for series in (
        pl.Series([None, 1.0, float("nan")]),
        pl.Series([None, "x", " \u200b"]),
        pl.Series([None, [1], None]),
    ):
        assert gaps_in(series).tolist() == [True, False, True]


def test_true_and_false_are_read_in_any_size_of_letters() -> None:
    assert truths_in(pl.Series(["TRUE", "no", "1.0", "0", "Y", "f"])).tolist() == [1, 0, 1, 0, 1, 0]
    assert np.isnan(truths_in(pl.Series(["maybe", "2", ""]))).all()
    assert truths_in(pl.Series([True, False])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("series", "said"),
    [
        (pl.Series(["2020-01-31"]), "a date"),
        (pl.Series(["31.01.2020"]), "a date"),
        (pl.Series(["12:30"]), "a date or a time"),
        (pl.Series(["1,5"]), "a comma"),
        (pl.Series(["1 000"]), "thousands apart"),
        (pl.Series(["True"]), "true or false"),
        (pl.Series(["5 mg/dl"]), "something beside its number"),
        (pl.Series(["<0.1"]), "something beside its number"),
        (pl.Series([1]).cast(pl.Date), "dates or times"),
        (pl.Series([True]), "true and false"),
        (pl.Series([[1]]), "holds List"),
    ],
)
def test_what_stands_instead_of_a_number_is_said_without_quoting_it(series: pl.Series, said: str) -> None:
    assert said in hint_on(series, 0)
    assert str(series[0]) not in hint_on(series, 0)
