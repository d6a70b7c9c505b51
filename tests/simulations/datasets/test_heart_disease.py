"""Four hospitals with gaps of their own, read through the schema that comes along; and what is said where they lack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.encoding import encode
from clients.table import read_table
from simulations.datasets import HeartDisease
from simulations.datasets.files import data_file
from simulations.prepare import PrepareError, prepare
from simulations.scenarios import load_scenario
from wire.schema import Schema


@pytest.fixture
def file() -> Path:
    try:
        return data_file("heart_disease_4sites.csv")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


def test_patients_and_their_gaps(file: Path) -> None:
    data = HeartDisease().load(np.random.default_rng(0))
    table = pl.read_csv(file)
    assert data.target.sum() == (table["num"] > 0).sum()
    assert [len(block) for block in data.blocks or ()] == [303, 294, 123, 200]
    cholesterol = data.features[:, data.feature_names.index("chol")]
    assert np.isnan(cholesterol[(table["site"] == "switzerland").to_numpy()]).all()  # 0 throughout in the file
    assert np.nanmin(cholesterol) > 0.0


def test_each_hospital_s_file_is_what_the_schema_asks_for_with_no_row_lost(file: Path, tmp_path: Path) -> None:
    made = prepare(load_scenario("heart-disease"), output_dir=tmp_path)
    assert made.parties == ("cleveland", "hungarian", "switzerland", "va")
    schema = Schema.from_toml(Path(made.config.schema_file).read_text())
    flags = {}
    for party in made.parties:
        table = read_table(made.run / "data" / f"{party}.parquet")
        encoded = encode(table, schema)
        assert not encoded.problems
        assert encoded.kept.all()
        flags[party] = encoded.X[:, schema.features.index("ca missing")].mean()
    assert flags["cleveland"] < 0.02 < 0.9 < flags["hungarian"]


def test_where_the_file_is_missing_the_sentence_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulations.datasets.files.__file__", str(tmp_path / "a" / "b" / "c" / "files.py"))
    monkeypatch.delenv("GUERDON_DATA", raising=False)
    with pytest.raises(PrepareError, match=r"heart_disease_4sites.csv is not in .*set GUERDON_DATA.*Heart Disease"):
        prepare(load_scenario("heart-disease"), output_dir=tmp_path)
