"""Make the stored runs of Guerdon 0.1, by the code of commit a61f939; see README.md. Kept to be read, not run again.

    git worktree add ../guerdon-0.1 a61f939; cd ../guerdon-0.1
    PYTHONPATH=. python .../tests/data/stored/0.1/make.py NEW-FOLDER

Both sides run in this process, on a LocalGrid: the files are those that the server's and the parties' own code writes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from flwr.app import Message

import clients.app
import server.app
from clients.__main__ import predict
from clients.consent import set_withdrawn
from server.credentials import make_credentials
from simulations.local_grid import LocalGrid

PARTIES = ("east", "north", "west")
NODES = {name: 100 + k for k, name in enumerate(PARTIES)}
KERNEL = "kernel='rbf(lengthscale=2.0, outputscale=1.0)', noise=0.3"
SCHEMA = """
target = "outcome"
[columns.age]
[columns.bmi]
missing = 0.0
[columns.sex]
type = "category"
values = ["f", "m"]
[columns.outcome]
"""


def numbers(folder: Path, rows: int = 12) -> None:
    """Rows of three features and a number to predict."""
    for k, party in enumerate(PARTIES):
        rng = np.random.default_rng(k)
        X = rng.normal(size=(rows + k, 3)).round(3)
        y = (10.0 * np.sin(X[:, 0]) + X[:, 1] + rng.normal(size=len(X)) + 50.0).round(3)
        table = pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "outcome": y})
        table.write_csv(folder / f"{party}.csv")


def with_a_category(folder: Path) -> None:
    """Rows that a schema turns into numbers, with a gap and a column that nobody asks for."""
    for k, party in enumerate(PARTIES):
        rng = np.random.default_rng(k)
        age, bmi = rng.normal(size=(2, 14)).round(3)
        sex = rng.choice(["f", "m"], size=14)
        outcome = (age - bmi + (sex == "f") + 0.3 * rng.normal(size=14)).round(3)
        gaps = pl.Series("bmi", [None, *bmi[1:]], dtype=pl.Float64)
        table = pl.DataFrame({"bmi": gaps, "age": age, "sex": sex, "outcome": outcome, "name": ["x"] * 14})
        table.write_csv(folder / f"{party}.csv")


def grades(folder: Path) -> None:
    """Rows of three classes in the plane, which the parties have in different shares."""
    centers = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    shares = np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
    for k, party in enumerate(PARTIES):
        rng = np.random.default_rng(k)
        label = rng.choice(3, size=18 + k, p=shares[k])
        X = (100.0 + 10.0 * (centers[label] + rng.normal(size=(len(label), 2)))).round(2)
        table = pl.DataFrame({"income": X[:, 0], "age": X[:, 1], "grade": label.astype(float)})
        table.write_csv(folder / f"{party}.csv")


def images(folder: Path) -> None:
    """Bright and dark images of 4 x 4 pixels."""
    for k, party in enumerate(PARTIES):
        rng = np.random.default_rng(k)
        labels = rng.integers(0, 2, size=12)
        pixels = rng.integers(0, 100, size=(12, 4, 4, 1)) + 150 * labels[:, None, None, None]
        np.savez_compressed(folder / f"{party}.npz", images=pixels.astype(np.uint8), labels=labels)


MODEL = {"target": "outcome", "model": f"GaussianProcess({KERNEL})", "scheme": "RhoShapley(rho=0.4)"}
LINEAR = {**MODEL, "model": "BayesianLinear(0.3, features='Affine()')"}
BY_SCHEMA = {**LINEAR, "target": "", "schema-file": "here"}
SYNTHETIC = {
    "strategy": "SyntheticDataRewards(size=40, limit=80)",
    "generator": "GaussianMixture(components=2)",
    "scheme": "RectifiedRhoShapley(incentive='rational')",
    "target": "grade",
}
LEARNING = {"target": "grade"}
RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "model-noise": (numbers, MODEL),
    "model-tempered": (numbers, {**MODEL, "realization": "LikelihoodTempering()"}),
    "model-linear": (numbers, LINEAR),
    "model-sparse": (numbers, {**MODEL, "model": f"SparseGaussianProcess({KERNEL}, inducing=5)"}),
    "model-network": (
        numbers,
        {**MODEL, "model": "BayesianLinear(features='NeuralFeatures(hidden=(4, 2), epochs=3)')", "public-file": "here"},
    ),
    "model-schema-signed": (with_a_category, {**BY_SCHEMA, "keys-dir": "here"}),
    "model-missed": (numbers, LINEAR),
    "model-valued": (numbers, {**MODEL, "stop-after": "valuation"}),
    "model-rehearsed": (numbers, {**MODEL, "dry-run": True}),
    "synthetic-rows": (grades, SYNTHETIC),
    "synthetic-images": (images, {**SYNTHETIC, "generator": "KernelDensity(bandwidth=0.05)", "target": "bright"}),
    "synthetic-trained": (
        grades,
        {**SYNTHETIC, "generator": "MmdGan(epochs=2, batch=10, critic_steps=1, noise=2, width=4)"},
    ),
    "synthetic-valued": (grades, {**SYNTHETIC, "stop-after": "valuation"}),
    "learning-gradients": (grades, {**LEARNING, "strategy": "CosineGradientRewards(rounds=3, classes=3)"}),
    "learning-time": (grades, {**LEARNING, "strategy": "TrainingTimeRewards(rounds=3, classes=3)"}),
    "own": (numbers, {"target": "outcome", "strategy": "my_strategy:RowsForRows()"}),
}


def make(name: str, work: Path) -> None:
    """One run, in ``work/NAME``: ``run`` is the mediator's, ``data`` the parties'."""
    home, (write, settings) = work / name, RUNS[name]
    (home / "data").mkdir(parents=True)
    write(home / "data")
    waits = {"join-timeout": 0.5, "timeout": 0.5}
    settings = {**settings, "run-dir": str(home / "run"), "parties": ",".join(PARTIES), **waits}
    files = {party: next((home / "data").glob(f"{party}.*")) for party in PARTIES}
    nodes: dict[int, dict[str, Any]] = {
        NODES[party]: {"party": party, "data-path": str(path), "holdout": 0.25} for party, path in files.items()
    }
    if "public-file" in settings:
        numbers(work, 60)
        pl.read_csv(work / "east.csv").write_parquet(work / "public.parquet")
        settings["public-file"] = str(work / "public.parquet")
    if "schema-file" in settings:
        (home / "schema.toml").write_text(SCHEMA)
        settings["schema-file"] = str(home / "schema.toml")
    if "keys-dir" in settings:
        make_credentials(work / "keys", PARTIES)
        settings["keys-dir"] = str(work / "keys" / "mediator" / "parties")
        settings["signing-key"] = str(work / "keys" / "mediator" / "mediator")
        for party, node in NODES.items():
            nodes[node]["key"] = str(work / "keys" / party / party)
            nodes[node]["mediator-key"] = str(work / "keys" / party / "mediator.pub")
        shutil.copy(work / "keys" / "mediator" / "mediator.pub", home / "mediator.pub")
    if name == "model-linear":  # a party that has not enough rows, and one that withdraws afterwards, are in it
        pl.read_csv(files["west"]).head(2).write_csv(files["west"])

    def tamper(node: int, message: Message, reply: Message) -> Message | None:
        lost = name == "model-missed" and node == NODES["north"] and message.metadata.message_type == "train.reward"
        return None if lost else reply

    server.app.mediate(LocalGrid(clients.app.app, nodes, settings, tamper), settings)
    if name == "model-linear":
        set_withdrawn(files["north"].with_name("north-reward"), "another-run")
    if name.startswith(("model", "learning")) and (reward := home / "data" / "east-reward" / "run").exists():
        predict(reward, files["east"], home / "predictions.csv")  # what every later Guerdon must say too


def clean(folder: Path, work: Path) -> None:
    """Take this machine's paths out of the texts."""
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".jsonl"):
            text = path.read_text(encoding="utf-8").replace(str(work), "/somewhere")
            assert not re.search(r"/(tmp|home|work|root)/", text), path
            path.write_text(text, encoding="utf-8")


def main() -> None:
    os.environ["GUERDON_NOISE_SEED"] = "1"
    for module in (server.app, clients.app):
        module.write_report = lambda *_, **__: None  # type: ignore[attr-defined]
    document = Path("docs/extending.md").read_text(encoding="utf-8")
    (own,) = re.findall(r"```python\n(# my_strategy.py\n.*?)```", document, re.DOTALL)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "my_strategy.py").write_text(own)
        sys.path.append(temporary)
        for name in RUNS:
            make(name, work)
            clean(work / name, work)
            shutil.copytree(work / name, Path(sys.argv[1]) / name)
            print(name, json.dumps(sum(p.stat().st_size for p in (work / name).rglob("*") if p.is_file())))


if __name__ == "__main__":
    main()
