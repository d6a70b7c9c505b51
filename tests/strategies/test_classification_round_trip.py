"""Classification through LocalGrid: real files with gaps and texts, awkward labels, and what rewards hold and tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Message
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import clients.report
import server.report
from clients.__main__ import cli
from clients.app import app
from clients.reward_store import load_reward
from guerdon.models import ClassPredictor
from server.app import mediate
from server.config import ConfigError
from server.run_directory import RunDirectory
from strategies import QuorumError
from tests.fakes import LocalGrid
from wire import messages
from wire.kinds import columns_of, rows

NAMES = ("east", "north", "west")
SCHEMA = """
target = "disease"
missing-values = ["", "?"]
[columns.age]
[columns.pain]
type = "category"
values = ["none", "some"]
[columns.dose]
missing = 5.0
flag-missing = true
[columns.disease]
type = "category"
values = ["absent", "mild", "severe"]
"""
YES_OR_NO = SCHEMA.replace('type = "category"\nvalues = ["absent", "mild", "severe"]', 'type = "boolean"')


def table(seed: int, rows: int = 80, labels: Sequence[str] = ("absent", "mild", "severe")) -> pl.DataFrame:
    """Patients whose disease follows age and dose; each hospital has gaps of its own."""
    rng = np.random.default_rng(seed)
    age, dose = rng.normal(60.0, 10.0, rows), rng.normal(5.0, 1.0, rows)
    score = (age - 60.0) / 8.0 + (dose - 5.0) + 0.5 * rng.normal(size=rows)
    place = np.searchsorted(np.linspace(-0.7, 0.7, len(labels) - 1) if len(labels) > 2 else [0.0], score)
    gap = rng.random(rows) < 0.1 * seed
    return pl.DataFrame(
        {
            "name": [f"patient {seed}-{k}" for k in range(rows)],
            "dose": ["?" if missing else f"{x:.3f}" for x, missing in zip(dose, gap, strict=True)],
            "disease": [labels[k] for k in place],
            "age": age.round(1),
            "pain": rng.choice(["none", "some"], rows),
        }
    )


TABLES = {name: table(seed, 80 + 20 * seed) for seed, name in enumerate(NAMES)}


def run(
    place: Path,
    tables: Mapping[str, pl.DataFrame] = TABLES,
    *,
    name: str = "run",
    schema: str = SCHEMA,
    tamper: Any = None,
    nodes: Mapping[str, Mapping[str, Any]] | None = None,
    **changes: Any,
) -> RunDirectory:
    grid = {}
    for k, (party, frame) in enumerate(tables.items()):
        frame.write_csv(place / f"{party}.csv")
        grid[k + 1] = {
            "party": party,
            "data-path": str(place / f"{party}.csv"),
            "holdout": 0.25,
            **(nodes or {}).get(party, {}),
        }
    (place / "schema.toml").write_text(schema)
    settings = {
        "strategy": "ClassificationRewards()",
        "run-dir": str(place / name),
        "parties": ",".join(tables),
        "schema-file": str(place / "schema.toml"),
        "join-timeout": 0.3,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    return mediate(LocalGrid(app, grid, settings, tamper), settings)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides' reports are drawn, as in a real run."""
    monkeypatch.setattr("server.app.write_report", server.report.write_report)
    monkeypatch.setattr("clients.app.write_report", clients.report.write_report)


def reward(place: Path, party: str, name: str = "run") -> Any:
    return load_reward(place / f"{party}-reward" / name)


def check_delivered(record: Mapping[str, Any]) -> None:
    assert record["stage"] == "delivered"
    assert record["kind"] == "classification"
    for entry in record["parties"]:
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-11)
        assert entry["value"] <= entry["target"] * (1 + 1e-9)
        assert 0.0 <= entry["kappa"] <= 1.0


def test_a_reward_predicts_a_party_s_own_raw_file_in_the_target_s_own_words(tmp_path: Path, drawn: None) -> None:
    record = run(tmp_path).read_allocation()
    check_delivered(record)
    assert record["labels"]["east"].keys() == {"absent", "mild", "severe"}
    for entry in record["parties"]:
        for score in ("log_loss", "accuracy", "auc", "brier", "calibration_error"):
            assert {score} <= entry["alone"].keys() & entry["reward"].keys()
    done = CliRunner().invoke(cli, ["predict", str(tmp_path / "west-reward" / "run"), str(tmp_path / "west.csv")])
    assert done.exit_code == 0, done.output
    found = pl.read_csv(done.output.encode())
    columns = ["disease=absent", "disease=mild", "disease=severe"]
    assert found.columns == [*TABLES["west"].columns, *columns]
    p = found.select(columns).to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    said = np.array(["absent", "mild", "severe"])[p.argmax(axis=1)]
    assert np.mean(said == TABLES["west"]["disease"].to_numpy()) > 0.7
    shown = CliRunner().invoke(cli, ["show", str(tmp_path / "west-reward" / "run")])
    assert "how probable each of absent, mild, severe is as disease" in shown.output
    headers = " ".join(column.header for column in columns_of(record))
    assert all(word in headers for word in ("log loss", "accuracy", "AUC", "Brier", "ECE", "kappa_i"))
    page = (tmp_path / "west-reward" / "run" / "report.html").read_text()
    assert all(word in page for word in ("log loss", "calibration error (ECE)", "Probabilities against what happened"))
    report = (tmp_path / "run" / "report.html").read_text()
    assert "predicted probabilities (log loss) with the reward are better than alone for" in report


def test_yes_or_no_is_predicted_in_two_columns_whatever_it_was_written_as(tmp_path: Path) -> None:
    tables = {
        "east": table(0, labels=("no", "yes")),
        "north": table(1, labels=("0", "1")),
        "west": table(2, labels=("FALSE", "True")),
    }
    record = run(tmp_path, tables, schema=YES_OR_NO).read_allocation()
    check_delivered(record)
    done = CliRunner().invoke(cli, ["predict", str(tmp_path / "north-reward" / "run"), str(tmp_path / "east.csv")])
    assert pl.read_csv(done.output.encode()).columns[-2:] == ["disease=no", "disease=yes"]


def test_a_run_stopped_after_valuation_goes_on_with_the_same_values(tmp_path: Path, drawn: None) -> None:
    valued = run(tmp_path, stop_after="valuation").read_allocation()
    assert valued["stage"] == "valued"
    assert (tmp_path / "run" / "report.html").exists()
    whole = run(tmp_path, resume=True, scheme="RhoShapley(rho=0.5)").read_allocation()
    check_delivered(whole)
    assert whole["values"] == valued["values"]
    assert whole["rho"] == 0.5


def test_a_dry_run_says_who_would_bring_what(tmp_path: Path) -> None:
    actions = [entry["action"] for entry in run(tmp_path, dry_run=True).read_ledger()]
    assert actions.count("introduced") == 3
    assert "contributed" not in actions


# Awkward labels.


def test_a_class_that_a_party_lacks_and_a_party_of_one_class(tmp_path: Path, drawn: None) -> None:
    tables = {
        "east": TABLES["east"].filter(pl.col("disease") != "severe"),
        "north": TABLES["north"].filter(pl.col("disease") == "mild"),
        "west": TABLES["west"],
    }
    record = run(tmp_path, tables).read_allocation()
    check_delivered(record)
    assert record["labels"]["north"]["absent"] == 0
    north = record["parties"][1]
    assert "auc" not in north["reward"]
    said = "all rows that north held out have one label, so that nothing is ranked above another there"
    assert any(said in note for note in record["notes"])
    assert "auc" in record["parties"][0]["reward"]
    assert (
        "All rows that north held out have one label" in (tmp_path / "north-reward" / "run" / "report.html").read_text()
    )
    assert ClassPredictor.from_arrays(reward(tmp_path, "north").arrays).labels == ("absent", "mild", "severe")


def test_a_pool_of_one_class_is_a_clear_no(tmp_path: Path) -> None:
    tables = {name: frame.filter(pl.col("disease") == "mild") for name, frame in TABLES.items()}
    with pytest.raises(ValueError, match=r"all \d+ rows of the pool have the label 'mild' of 'disease': a model can"):
        run(tmp_path, tables)


def test_a_class_that_nobody_has_is_said(tmp_path: Path) -> None:
    tables = {name: frame.filter(pl.col("disease") != "severe") for name, frame in TABLES.items()}
    record = run(tmp_path, tables).read_allocation()
    check_delivered(record)
    assert any(note.startswith("no party has a row of severe: what rewards say of it") for note in record["notes"])


def test_three_rows_of_a_rare_class_and_rows_that_can_be_separated(tmp_path: Path) -> None:
    rare = TABLES["west"].filter(pl.col("disease") == "severe").head(4)
    tables = {name: frame.filter(pl.col("disease") != "severe") for name, frame in TABLES.items()}
    tables["west"] = pl.concat([tables["west"], rare])
    apart = {
        name: frame.with_columns(disease=pl.when(pl.col("age") > 60.0).then(pl.lit("mild")).otherwise(pl.lit("absent")))
        for name, frame in TABLES.items()
    }
    for name, these in (("rare", tables), ("apart", apart)):
        (tmp_path / name).mkdir()
        record = run(tmp_path / name, these).read_allocation()
        check_delivered(record)
        for entry in record["parties"]:
            p = ClassPredictor.from_arrays(reward(tmp_path / name, entry["party"]).arrays)
            assert np.isfinite(p.predict_proba(np.array([[60.0, 1.0, 0.0, 5.0, 0.0]]))).all()
            assert np.isfinite(entry["reward"]["log_loss"])


def test_a_label_that_nobody_announced_is_refused_at_the_party(tmp_path: Path) -> None:
    strange = TABLES["north"].with_columns(
        disease=pl.when(pl.int_range(pl.len()) == 6).then(pl.lit("unheard-of")).otherwise(pl.col("disease"))
    )
    record = run(tmp_path, {**TABLES, "north": strange}).read_allocation()
    (refusal,) = record["refused"]
    assert refusal["party"] == "north"
    assert (
        "north.csv, column 'disease', row 7 of the data: one of the categories absent, mild, severe"
        in refusal["reason"]
    )
    assert "unheard-of" not in json.dumps(record)


def beyond(node: int, request: Message, reply: Message) -> Message:
    """North's app sends a fourth class."""
    if request.metadata.message_type == messages.CONTRIBUTE and node == 2:
        sent = rows.decode_contribution(reply.content, party="north", target="disease", max_megabytes=9.0, min_rows=2)
        y = np.array(sent.y)
        y[:5] = 3.0
        reply.content = rows.encode_contribution(replace(sent, y=y), "disease")
    return reply


def test_and_at_the_mediator_by_its_name(tmp_path: Path) -> None:
    (refusal,) = run(tmp_path, tamper=beyond).read_allocation()["refused"]
    assert refusal["party"] == "north"
    assert "column 'disease': 5 of" in refusal["reason"]
    assert "are no place among its 3 categories" in refusal["reason"]


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Without texts, as a simulation without a schema writes its files."""
    places = {"absent": 0, "mild": 1, "severe": 2}
    return frame.select(
        pl.col("age"),
        pl.col("dose").cast(pl.Float64, strict=False).fill_null(5.0),
        pl.col("disease").replace_strict(places),
    )


def test_without_a_schema_the_strategy_names_the_labels(tmp_path: Path) -> None:
    plain = {name: numbered(frame) for name, frame in TABLES.items()}
    named = "ClassificationRewards(labels=('absent', 'mild', 'severe'))"
    changes = {"schema_file": "", "target": "disease"}
    check_delivered(run(tmp_path, plain, strategy=named, **changes).read_allocation())
    assert reward(tmp_path, "east").arrays["labels"].tolist() == ["absent", "mild", "severe"]
    two = "ClassificationRewards(labels=('absent', 'mild'))"
    with pytest.raises(QuorumError) as caught:
        run(tmp_path, plain, name="two", strategy=two, **changes)
    assert "labels of 'disease' were not announced: expected the numbers 0 to 1, which stand for absent, mild" in str(
        caught.value
    )


def test_ten_classes_of_images(tmp_path: Path) -> None:
    X, y = load_digits(return_X_y=True)
    columns = {f"p{j}": X[:, j] for j in range(64) if X[:, j].std() > 4.0}
    frame = pl.DataFrame({**columns, "digit": y}).head(900)
    tables = {name: frame.gather_every(3, offset=k) for k, name in enumerate(NAMES)}
    record = run(
        tmp_path, tables, strategy="ClassificationRewards(labels=10)", schema_file="", target="digit"
    ).read_allocation()
    check_delivered(record)
    assert all(entry["reward"]["log_loss"] < entry["alone"]["log_loss"] for entry in record["parties"])
    done = CliRunner().invoke(cli, ["predict", str(tmp_path / "east-reward" / "run"), str(tmp_path / "east.csv")])
    assert pl.read_csv(done.output.encode()).columns[-10:] == [f"digit={k}" for k in range(10)]


# What can't be, before anybody is asked.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"realization": "NoiseInjection()"}, "labels take no Gaussian noise.*LikelihoodTempering"),
        ({"model": "BayesianLinear(features='Affine()')"}, "predicts a number.*BayesianLogistic"),
        ({"strategy": "ModelRewards()", "model": "BayesianLogistic()"}, "predicts classes.*ClassificationRewards"),
        ({"strategy": "ModelRewards()"}, r"'disease' is a category.*ClassificationRewards\(\)"),
        ({"strategy": "ClassificationRewards(labels=('a', 'b'))"}, "leave labels out"),
        ({"strategy": "ClassificationRewards(labels=('a', 'a'))"}, "at least two different names"),
        ({"strategy": "ClassificationRewards(labels=1)"}, "at least two different names"),
        ({"strategy": "ClassificationRewards(labels='ab')"}, "at least two different names"),
        ({"schema_file": "", "target": "disease"}, "labels are to be known before any data come"),
        ({"model": "BayesianLogistic(classes=2)"}, "the model is for 2 classes, and there are 3"),
        ({"schema": SCHEMA.replace('type = "category"\nvalues = ["absent", "mild", "severe"]', "")}, "of type number"),
        ({"schema": SCHEMA.replace('target = "disease"', "")}, "has no target"),
        ({"schema": SCHEMA.replace('"absent", "mild", "severe"', '"mild"')}, "with one value, 'mild'"),
    ],
)
def test_what_does_not_fit_is_said_before_anybody_is_asked(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises((ConfigError, ValueError), match=reason):
        run(tmp_path, **changes)
    assert "introduced" not in [entry["action"] for entry in RunDirectory(tmp_path / "run").read_ledger()]


def test_a_noise_variance_of_labels_is_refused_by_name(tmp_path: Path) -> None:
    (refusal,) = run(tmp_path, nodes={"north": {"noise": 0.1}}).read_allocation()["refused"]
    assert refusal["party"] == "north"
    assert "labels have none" in refusal["reason"]


# What rewards hold and tell.


def test_a_reward_holds_weights_only_and_no_row_of_anybody(tmp_path: Path) -> None:
    record = run(tmp_path, standardize=False).read_allocation()
    assert record["parties"][0]["reward"]
    cells = np.concatenate([frame["age"].to_numpy() for frame in TABLES.values()])
    for party in NAMES:
        found = reward(tmp_path, party)
        numbers = np.concatenate([a.ravel() for a in found.arrays.values() if a.dtype == np.float64])
        assert not np.isin(numbers, cells).any()
        assert "none of the pool's rows" in found.about["contains"]


def test_the_same_pool_has_the_same_blur_in_every_run(tmp_path: Path) -> None:
    """So that repeated runs average nothing out."""
    arrays = {}
    for name, precision in (("one", 2.0), ("two", 2.0), ("exact", 0.0)):
        run(tmp_path, name=name, reward_precision=precision)
        arrays[name] = reward(tmp_path, "east", name).arrays
    for name in ("posterior.weights", "posterior.root", "scaling.feature_mean"):
        np.testing.assert_array_equal(arrays["one"][name], arrays["two"][name])
        assert not np.allclose(arrays["one"][name], arrays["exact"][name], rtol=1e-3)
    assert arrays["one"]["scaling.target_scale"] == 1.0
