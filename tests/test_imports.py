"""What a command loads: those that only print or refuse load neither torch nor scikit-learn nor Ray, most no Flower.

Loading is what they cost: 3 to 4 seconds of processor time, and minutes where many start at once on a busy machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOWER = ("flwr", "ray")
LEARNING = ("torch", "gpytorch", "sklearn")
WATCH = """
import json, runpy, sys
module, *arguments = sys.argv[1:]
sys.argv = [module, *arguments]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as ended:
    status = ended.code or 0
else:
    status = 0
print("\\n" + json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was valued and delivered to one party, in a simulation."""
    from server.run_directory import RunDirectory
    from wire.messages import Reward

    directory = RunDirectory.create(tmp_path_factory.mktemp("runs") / "run-1")
    party = {"party": "north", "rows": 3, "value": 1.0, "target": 1.0, "ceiling": 1.0, "alpha": 1.0, "delivered": True}
    about = {"kind": "rows", "party": "north", "run": "run-1", "contains": "rows as they are"}
    record = {"run": "run-1", "stage": "delivered", "unit": "nats", "kind": "own", "parties": [party], "notes": []}
    record |= {"refused": [], "columns": [["rows", "rows"]], "certificate": [], "facts": {}, "strategy": "S()"}
    directory.save_allocation(record)
    directory.ledger("contributed", party="north")
    import numpy as np

    from clients.reward_store import save_reward

    save_reward(directory.path / "data" / "north-reward", "run-1", Reward({"rows": np.zeros((2, 2))}, about))
    return directory.path


def loaded(command: str, **places: Path) -> tuple[int, set[str]]:
    argv = [word.format(**places) for word in command.split()]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", WATCH, *argv], cwd=ROOT, env=env, capture_output=True, text=True)
    status, modules = json.loads(ended.stdout.splitlines()[-1])
    assert "Traceback" not in ended.stderr, ended.stderr
    return status, set(modules)


def test_a_model_s_reward_is_shown_without_building_the_model(tmp_path: Path) -> None:
    import numpy as np

    from clients.reward_store import save_reward
    from guerdon.models import GaussianProcess, Predictor
    from guerdon.scaling import Scaling
    from wire.messages import Reward

    X = np.linspace(0.0, 1.0, 6)[:, None]
    posterior = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.1).posterior(X, X[:, 0])
    about = {"kind": "model", "party": "north", "run": "run-1", "contains": "all", "unit": "nats", "rho": 0.5}
    about |= {"reached": 2.0, "own_value": 1.0, "scheme": "S()", "model": {"kernel": "rbf"}, "thresholds": {}}
    for name, scaling in (("plain", Scaling.identity(1)), ("scaled", Scaling(np.ones(1), np.ones(1), 3.0, 2.0))):
        arrays = Predictor(posterior, scaling, ("dose",), "effect", 0.1).arrays()
        save_reward(tmp_path, "run-1", Reward(arrays, about)).rename(tmp_path / name)
    status, modules = loaded("clients show {store}/plain/ {store}/scaled/", store=tmp_path)
    assert status == 0
    assert not modules & {*LEARNING}
    said = subprocess.run(
        [sys.executable, "-m", "clients", "show", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert said.count("It predicts effect from dose.") == 2
    assert "on inputs as they are" in said
    assert "on inputs standardised" in said


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("simulations --help", 0),
        ("simulations run --help", 0),
        ("simulations list", 0),
        ("simulations run no-such-scenario", 2),
        ("simulations run my.csv", 2),
        ("simulations run diabetes --no-such-option", 2),
        ("simulations nothing", 2),
        ("simulations export {run}", 0),
        ("server --help", 0),
        ("server door --help", 0),
        ("server extract {run} north", 0),
        ("clients.supernode --help", 0),
    ],
)
def test_what_only_prints_loads_no_flower_and_no_learning(command: str, status: int, run: Path) -> None:
    ended, modules = loaded(command, run=run)
    assert ended == status
    assert not modules & {*FLOWER, *LEARNING}


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("simulations", 2),
        ("simulations show {run}", 0),
        ("simulations show {run}/nothing", 2),
        ("simulations purge {run}/nothing", 2),
        ("simulations compare {run}", 2),
        ("server purge-expired {run}", 0),
        ("clients --help", 0),
        ("clients show {run}/data/north-reward/run-1", 0),
        ("clients proposals {run}/data/north-reward", 1),
        ("clients withdraw {run}/data/north-reward --ahead", 0),
        ("clients audit {run}/data/north-reward", 0),
        ("clients check {run}/allocation.json --schema {run}/nothing.toml", 1),
        ("server credentials --help", 0),
    ],
)
def test_what_shows_a_run_or_a_partys_own_files_loads_no_learning(command: str, status: int, run: Path) -> None:
    ended, modules = loaded(command, run=run)
    assert ended == status
    assert not modules & {*LEARNING, "ray"}


def test_every_expected_error_is_where_it_is_looked_for() -> None:
    import importlib

    from simulations.errors import MISUSES

    for module, name in MISUSES:
        assert issubclass(getattr(importlib.import_module(module), name), Exception)
