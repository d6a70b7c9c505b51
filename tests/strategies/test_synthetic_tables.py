"""A synthetic reward is the party's own table: whatever the generator, it passes ``clients check`` by the schema."""

from __future__ import annotations

import io
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from clients.app import app
from clients.check import check_file
from clients.encoding import encode
from clients.reward_store import load_reward, save_reward
from clients.table import read_table
from server.app import mediate
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid
from wire.kinds.synthetic import synthetic_table
from wire.messages import Reward
from wire.schema import Schema

PARTIES = ("east", "north", "west")

SCHEMA = """
target = "ward"
missing-values = ["NA", "", "?"]

[columns.age]
minimum = 18
maximum = 95

[columns.sex]
type = "boolean"

[columns.ward]
type = "category"
values = ["surgery, first floor", "geriatrics", "=cardiology"]

[columns.pain]
type = "category"
values = ["typical", "none", "10", "2"]
missing = "none"
flag-missing = true

[columns.sole]
type = "category"
values = ["only"]

[columns.smoker]
type = "boolean"
missing = 0
flag-missing = true

[columns.cholesterol]
minimum = 0.5
missing = 5.25
flag-missing = true

[columns.cholesterol_mg]
missing = 203.0
flag-missing = true

[columns.stay]
minimum = 0
missing = -1

[columns.dose]
missing = "drop"

[columns.born]
type = "date"
maximum = 2010-12-31

[columns.seen]
type = "date"
minimum = 2020-01-01
missing = 2020-06-01
flag-missing = true

[columns.country]
[columns.age_again]
"""

GENERATORS = [
    "GaussianMixture()",
    "KernelDensity()",
    "KernelDensity(bandwidth=0.1)",
    "AdversarialForest(trees=10)",
    "MmdGan(epochs=2, batch=20, critic_steps=1, width=4)",
]


def patients(party: int, count: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(party)
    ward = rng.choice(3, size=count, p=[0.6, 0.3, 0.1])
    age = np.clip(np.round(rng.normal(50 + 10 * ward, 12)), 18, 95)
    cholesterol = np.round(rng.normal(5.2, 0.8, count), 2)
    text = np.char.mod("%.2f", cholesterol).astype(object)
    mg = np.char.mod("%.1f", 38.67 * cholesterol).astype(object)
    lost = rng.random(count) < 0.2
    text[lost], mg[lost] = "?", "NA"
    pain = rng.choice(["typical", "none", "10", "2", "NA"], size=count)
    stay = rng.poisson(2, count).astype(object)
    stay[rng.random(count) < 0.1] = ""
    dose = np.round(rng.normal(0, 1, count), 3).astype(object)
    dose[rng.random(count) < 0.05] = "NA"
    words = ["surgery, first floor", "geriatrics", "=cardiology"]
    return pl.DataFrame(
        {
            "age_again": [str(int(a)) for a in age],
            "sex": rng.choice(["yes", "no"], size=count),
            "stay": [str(s) for s in stay],
            "ward": [words[k] for k in ward],
            "pain": pain,
            "sole": ["only"] * count,
            "smoker": rng.choice(["1", "0", "NA"], size=count),
            "cholesterol": text,
            "cholesterol_mg": mg,
            "dose": [str(d) for d in dose],
            "country": ["7"] * count,
            "born": [str(date(1930, 1, 1) + timedelta(int(days))) for days in rng.integers(29_000, size=count)],
            "seen": [
                "NA" if lost else f"2020-{month:02d}-15 10:{month:02d}"
                for lost, month in zip(rng.random(count) < 0.2, rng.integers(1, 13, count), strict=True)
            ],
            "age": [str(int(a)) for a in age],
        }
    )


def run(tmp_path: Path, schema: str, **settings: Any) -> RunDirectory:
    (tmp_path / "schema.toml").write_text(schema)
    nodes: dict[int, dict[str, Any]] = {}
    for k, party in enumerate(PARTIES):
        path = tmp_path / f"{party}.csv"
        if not path.exists():
            patients(k).write_csv(path)
        nodes[k + 1] = {"party": party, "data-path": str(path), **({"confirm-schema": "any"} if schema else {})}
    keys = {
        "strategy": "SyntheticDataRewards(size=150)",
        "scheme": "RectifiedRhoShapley(incentive='none')",
        "run-dir": str(tmp_path / "run"),
        "parties": ",".join(PARTIES),
        "join-timeout": 0.5,
        "timeout": 0.5,
        **({"schema-file": str(tmp_path / "schema.toml")} if schema else {}),
        **{key.replace("_", "-"): value for key, value in settings.items()},
    }
    return mediate(LocalGrid(app, nodes, keys), keys)


def rewards(directory: RunDirectory) -> list[Path]:
    return [Path(entry["store"]) for entry in directory.read_allocation()["parties"]]


def problems(path: Path, schema: Path) -> str:
    said = io.StringIO()
    status = check_file(path, schema, 0.0, None, "east", Console(file=said, width=200))
    return said.getvalue() if status else ""


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_reward_of_every_generator_passes_the_schema_of_its_run(tmp_path: Path, generator: str) -> None:
    directory = run(tmp_path, SCHEMA, generator=generator)
    for folder in rewards(directory):
        for name in ("reward.csv", "reward.parquet"):
            assert problems(folder / name, tmp_path / "schema.toml") == ""
        table = pl.read_parquet(folder / "reward.parquet")
        assert table.columns == patients(0).columns  # in the order of the party's file
        assert set(table.columns) == set(re.findall(r"^\[columns\.(\w+)\]", SCHEMA, re.MULTILINE))
        for whole in ("age", "stay", "country", "age_again", "sex"):
            assert table[whole].dtype == pl.Int64, whole
        assert set(table["ward"]) <= {"surgery, first floor", "geriatrics", "=cardiology"}
        assert set(table["pain"].drop_nulls()) <= {"typical", "none", "10", "2"}
        assert table["born"].dtype == table["seen"].dtype == pl.Date
        assert all(born <= date(2010, 12, 31) for born in table["born"])
        assert all(seen >= date(2020, 1, 1) for seen in table["seen"].drop_nulls())
        assert table["stay"].min() in (None, 0, 1, 2, 3)
        assert set(table["country"]) == {7}


def test_the_forest_is_the_default_where_the_schema_has_categories(tmp_path: Path) -> None:
    directory = run(tmp_path, SCHEMA)
    assert directory.read_allocation()["parts"]["generator"] == "AdversarialForest()"
    assert all(problems(f / "reward.csv", tmp_path / "schema.toml") == "" for f in rewards(directory))


def test_gaps_come_back_as_gaps_in_their_share(tmp_path: Path) -> None:
    directory = run(tmp_path, SCHEMA, generator="KernelDensity()", strategy="SyntheticDataRewards(size=1000)")
    table = pl.concat([pl.read_parquet(folder / "reward.parquet") for folder in rewards(directory)])
    texts = pl.concat([pl.read_csv(f / "reward.csv", infer_schema=False) for f in rewards(directory)])
    for name, share in (("pain", 0.2), ("smoker", 0.33), ("cholesterol", 0.2), ("stay", 0.1)):
        assert table[name].is_null().mean() == pytest.approx(share, abs=0.12)
        assert (texts[name] == "NA").sum() == table[name].null_count()
    both = table.select(pl.col("cholesterol", "cholesterol_mg").is_null())
    assert both["cholesterol"].equals(both["cholesterol_mg"].alias("cholesterol"))


def test_what_is_valued_is_what_is_given(tmp_path: Path) -> None:
    """Read by the schema, a party's reward is the rows that its value was reached with."""
    directory = run(tmp_path, SCHEMA, generator="GaussianMixture()")
    for folder in rewards(directory):
        reward = load_reward(folder)
        schema = Schema.from_json(json.dumps(reward.about["schema"]))
        encoded = encode(read_table(folder / "reward.csv"), schema)
        assert not encoded.problems
        np.testing.assert_allclose(encoded.X, reward.arrays["points"], rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(encoded.y, reward.arrays["labels"])


def test_numbers_that_follow_from_others_follow_again(tmp_path: Path) -> None:
    for folder in rewards(run(tmp_path, SCHEMA, generator="GaussianMixture()")):
        table = pl.read_parquet(folder / "reward.parquet")
        assert (table["age"] - table["age_again"]).abs().max() in (0, None)


def test_without_a_schema_columns_are_as_all_rows_are_and_that_is_said(tmp_path: Path) -> None:
    for k, party in enumerate(PARTIES):
        table = patients(k).select(
            pl.col("age").cast(pl.Int64),
            (pl.col("sex") == "yes").cast(pl.Int64).alias("sick"),
            (pl.col("ward") == "geriatrics").cast(pl.Int64).alias("old"),
            pl.Series("change", np.random.default_rng(k).normal(size=60)),
        )
        table.select(["sick", "change", "age", "old"] if k else ["age", "old", "change", "sick"]).write_csv(
            tmp_path / f"{party}.csv"
        )
    directory = run(tmp_path, "", generator="GaussianMixture()", target="sick")
    assert any("whole numbers: age; 0 or 1: old" in note for note in directory.read_allocation()["notes"])
    for party, folder in zip(PARTIES, rewards(directory), strict=True):
        table = pl.read_csv(folder / "reward.csv")
        assert table.columns == (
            ["age", "old", "change", "sick"] if party == "east" else ["sick", "change", "age", "old"]
        )
        assert table["age"].dtype == table["old"].dtype == table["sick"].dtype == pl.Int64
        assert set(table["old"]) <= {0, 1}
        assert set(table["sick"]) <= {0, 1}


def test_a_class_that_a_reward_lacks_is_said_in_its_words(tmp_path: Path) -> None:
    directory = run(tmp_path, SCHEMA, generator="KernelDensity()", strategy="SyntheticDataRewards(size=3)")
    notes = [note for note in directory.read_allocation()["notes"] if "synthetic rows has ward" in note]
    assert notes
    assert all("geriatrics" in note or "=cardiology" in note or "surgery" in note for note in notes)


def test_a_reward_of_version_0_1_with_a_schema_is_read(tmp_path: Path) -> None:
    """Its rows were fractions of categories."""
    schema = {
        "columns": [
            {"name": "pain", "type": "category", "values": ["a", "b"], "missing": "refuse"},
            {"name": "days", "type": "number", "minimum": 0.0, "missing": "refuse"},
        ],
        "target": "",
        "missing-values": [""],
    }
    about = {"kind": "synthetic", "features": ["pain=a", "pain=b", "days"], "target_name": "", "schema": schema}
    points = np.array([[0.4, 0.6, -2.0], [1.1, -0.1, 3.5]])
    folder = save_reward(tmp_path / "store", "run", Reward({"points": points}, about))
    assert synthetic_table(load_reward(folder)).rows() == [("b", 0.0), ("a", 3.5)]
