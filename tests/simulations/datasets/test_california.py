"""Houses in scikit-learn's layout, from a file in the layout of their first publication."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from simulations.datasets import California
from simulations.datasets.california import FEATURES, FILE
from simulations.datasets.files import data_file

HOUSES = 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty blocks whose columns can be told apart, as the raw file has them."""
    k = np.arange(HOUSES)
    table = pl.DataFrame(
        {
            "longitude": -120.0 - k / 10,
            "latitude": 34.0 + k / 10,
            "housing_median_age": 1 + k,
            "total_rooms": 10 * (1 + k),
            "total_bedrooms": 2 * (1 + k),
            "population": 3 * (1 + k),
            "households": 1 + k,
            "median_income": k / 7,
            "median_house_value": 100_000 + 1000 * k,
        }
    )
    (tmp_path / FILE.removesuffix(".gz")).write_text(table.write_csv())
    (tmp_path / FILE).write_bytes((tmp_path / FILE.removesuffix(".gz")).read_bytes())  # polars tells by the content
    monkeypatch.setenv("GUERDON_DATA", str(tmp_path))
    return tmp_path


def test_every_row_has_the_features_of_its_block_and_goes_to_one_place(folder: Path) -> None:
    data = California(public=0.5, rows=18, test=7).load(np.random.default_rng(0))
    assert data.public is not None
    assert data.held_out is not None
    assert data.feature_names == FEATURES
    assert [len(data.public.target), len(data.target), len(data.held_out.target)] == [30, 18, 7]
    X = np.concatenate([data.public.features, data.features, data.held_out.features])
    y = np.concatenate([data.public.target, data.target, data.held_out.target])
    k = X[:, 1] - 1  # the age tells the block
    assert len(set(k.tolist())) == len(k)
    expected = np.column_stack(
        [k / 7, 1 + k, np.full(len(k), 10.0), np.full(len(k), 2.0), 3 * (1 + k), np.full(len(k), 3.0)]
    )
    assert X[:, :6] == pytest.approx(expected)
    assert X[:, 6:] == pytest.approx(np.column_stack([34.0 + k / 10, -120.0 - k / 10]))
    assert y == pytest.approx(1.0 + k / 100)


def test_the_seed_decides_who_gets_what(folder: Path) -> None:
    source = California(public=0.5, rows=18, test=7)
    one, two, other = (source.load(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.features, two.features)
    assert not np.array_equal(one.features, other.features)


def test_more_rows_than_there_are_and_shares_that_are_none_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="more than the 60 there are"):
        California(public=0.5, rows=30, test=1).load(np.random.default_rng(0))
    for wrong in ({"public": 1.0}, {"rows": 0}, {"test": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            California(**wrong)  # type: ignore[arg-type]


def test_the_real_houses_are_scikit_learns() -> None:
    try:
        data_file(FILE)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    data = California(public=0.0, rows=20640, test=0).load(np.random.default_rng(0))
    assert data.public is None
    assert data.held_out is None
    assert data.target.mean() == pytest.approx(2.068558, abs=1e-6)
    assert data.target.std(ddof=1) == pytest.approx(1.153956, abs=1e-6)
    first = [8.3252, 41, 6.98412698, 1.02380952, 322, 2.55555556, 37.88, -122.23]
    near = np.abs(data.features - first).max(axis=1)
    assert near.min() < 1e-8
    assert data.target[near.argmin()] == pytest.approx(4.526)
