"""Who sees what of whom in model rewards: rows only aloud, no two runs that subtract to a patient, no free noise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from clients.app import app
from clients.reward_store import load_reward
from guerdon.types import FloatArray
from server.app import mediate
from server.config import ConfigError, RunConfig
from server.run_directory import RunDirectory, RunDirectoryError
from tests.fakes import LocalGrid

NAMES = ("east", "north", "west")
GP = "GaussianProcess(kernel='rbf(lengthscale=2.0, outputscale=1.0)', noise=0.3)"
LINEAR = "BayesianLinear(noise=0.3, features='Affine()')"
POINTS = [[0.1 * k, (-1.0) ** k, 0.5] for k in range(6)]
DTC = f"SparseGaussianProcess(kernel='rbf(lengthscale=3.0, outputscale=1.0)', noise=0.3, inducing={POINTS})"


def table(seed: int, rows: int = 80) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3)) * [10.0, 5.0, 2.0] + [40.0, 25.0, 7.0]
    y = X @ [1.0, -2.0, 3.0] + 4.0 * rng.normal(size=rows)
    return pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "outcome": y})


TABLES = {name: table(seed, 80 + 40 * seed) for seed, name in enumerate(NAMES)}


def run(
    place: Path,
    name: str = "run",
    tables: dict[str, pl.DataFrame] = TABLES,
    nodes: dict[str, dict[str, Any]] | None = None,
    **changes: Any,
) -> RunDirectory:
    """All rows of a file are sent; another file is what is scored on."""
    grid = {}
    for k, (party, rows) in enumerate(tables.items()):
        rows.write_parquet(place / f"{party}.parquet")
        table(50 + k, 12).write_parquet(place / f"held-{party}.parquet")
        own = {"data-path": str(place / f"{party}.parquet"), "holdout-path": str(place / f"held-{party}.parquet")}
        grid[k + 1] = {"party": party, **own, **(nodes or {}).get(party, {})}
    settings = {
        "run-dir": str(place / name),
        "parties": ",".join(tables),
        "target": "outcome",
        "join-timeout": 0.3,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    return mediate(LocalGrid(app, grid, settings), settings)


def reward(place: Path, party: str, name: str = "run") -> dict[str, Any]:
    return dict(load_reward(place / f"{party}-reward" / name).arrays)


def statistics(a: dict[str, Any]) -> FloatArray:
    """sum phi phi' and sum phi y of a linear model's reward, in the data's units for phi = (x, 1)."""
    precision, s2 = np.linalg.inv(a["posterior.root"] @ a["posterior.root"].T), float(a["posterior.noise"])
    width = len(precision)
    gram, moment = s2 * (precision - np.eye(width)), s2 * precision @ a["posterior.weights"]
    mean, scale = a["scaling.feature_mean"], a["scaling.feature_scale"]
    if width == len(mean) + 1:
        S = np.diag(np.append(scale, 1.0))
        S[:-1, -1] = mean
        gram, moment = S @ gram @ S.T, S @ moment * float(a["scaling.target_scale"])
        moment = moment + gram[:, -1] * float(a["scaling.target_mean"])
    return np.column_stack([gram, moment])


def test_the_default_ships_weights_and_says_so(tmp_path: Path) -> None:
    record = run(tmp_path).read_allocation()
    assert record["stage"] == "delivered"
    rows = {name: rows.select("age", "bmi", "bp").to_numpy() for name, rows in TABLES.items()}
    for entry in record["parties"]:
        arrays = reward(tmp_path, entry["party"])
        assert "posterior.X" not in arrays
        assert max(a.size for a in arrays.values()) <= 16
        assert entry["reward"]["rmse"] < 1.1 * entry["alone"]["rmse"]
        text = str(load_reward(tmp_path / f"{entry['party']}-reward" / "run").about["contains"])
        assert "none of the pool's rows" in text
    assert sum(map(len, rows.values())) == 360


def test_rows_in_rewards_are_chosen_aloud_before_anybody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--set discloses-rows=true") as caught:
        run(tmp_path, model=GP)
    words = str(caught.value)
    assert "the best party's eta is 0: it gets the others' rows exactly" in words
    assert "BayesianLinear(features='Affine()')" in words
    assert not RunDirectory(tmp_path / "run").read_ledger()
    aloud = RunConfig.parse({"model": GP, "discloses-rows": True})
    aloud.require_disclosure(aloud.build_parts())


def test_a_party_that_has_not_confirmed_sends_nothing(tmp_path: Path) -> None:
    agree = {name: {"discloses-rows": True} for name in ("east", "north")}
    directory = run(tmp_path, nodes=agree, model=GP, discloses_rows=True)
    record = directory.read_allocation()
    assert [p["party"] for p in record["parties"]] == ["east", "north"]
    (refusal,) = record["refused"]
    assert refusal["party"] == "west"
    assert "others' rewards may hold this party's rows" in refusal["reason"]
    assert not (tmp_path / "west-reward" / "_earlier.json").exists()
    assert "posterior.X" in reward(tmp_path, "north")
    (best,) = [p["party"] for p in record["parties"] if p["eta"] == 0.0]
    assert record["diagnostics"][-1].endswith(f"it gets the others' rows exactly; here that is {best}")
    assert "eta = 0, so that no noise was added" in str(
        load_reward(tmp_path / f"{best}-reward" / "run").about["contains"]
    )


def test_a_model_of_ones_own_that_keeps_rows_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_keeping_model.py").write_text(
        "from guerdon.models import GaussianProcess\n\n\nclass Mine:\n    def __init__(self):\n"
        "        self.own = GaussianProcess('rbf(lengthscale=1.0, outputscale=1.0)', noise=0.3)\n\n"
        "    def fit(self, contributions, progress=None):\n        return self\n\n"
        "    def __getattr__(self, name):\n        if name == 'discloses_rows':\n\n"
        "            raise AttributeError(name)\n        return getattr(self.own, name)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"the reward of 'east' would hold rows of north, west"):
        run(tmp_path, model="my_keeping_model:Mine()")


def test_rows_that_are_called_noiseless_are_refused_by_name(tmp_path: Path) -> None:
    free = {**TABLES, "zero": table(9, 5)}
    record = run(tmp_path, tables=free, nodes={"zero": {"noise": 1e-6}}).read_allocation()
    assert [p["party"] for p in record["parties"]] == list(NAMES)
    (refusal,) = record["refused"]
    assert refusal["party"] == "zero"
    assert "min-noise = 0.001" in refusal["reason"]
    fine = run(tmp_path, "other", free, nodes={"zero": {"noise": 1e-6}}, min_noise=0.0).read_allocation()
    assert len(fine["parties"]) == 4


CHANGES = {
    "one patient more": lambda rows: (rows[:-1], rows),
    "one patient less": lambda rows: (rows, rows[1:]),
    "one patient changed": lambda rows: (rows, pl.concat([rows[:-1], 1.02 * rows[-1:]])),
}
MAKERS = [(LINEAR, "NoiseInjection()"), (LINEAR, "LikelihoodTempering()"), (DTC, "NoiseInjection()")]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("model", "realization"), MAKERS, ids=["linear", "tempered", "sparse"])
def test_two_runs_do_not_subtract_to_a_patient(model: str, realization: str, change: str, tmp_path: Path) -> None:
    """The difference of two runs' statistics is not the patient's; without the blur it is."""
    first, second = CHANGES[change](TABLES["west"])
    settings = {"model": model, "realization": realization, "scheme": "RhoShapley(rho=0.0)"}
    errors = {}
    for precision in (0.0, 2.0):
        for name, west in (("one", first), ("two", second)):
            run(tmp_path, f"{name}-{precision}", {**TABLES, "west": west}, reward_precision=precision, **settings)
        one, two = (statistics(reward(tmp_path, "east", f"{name}-{precision}")) for name in ("one", "two"))
        errors[precision] = two - one
    if model == DTC:  # in standard units, which differ by a row too
        assert np.abs(errors[2.0]).max() > 0.5
        return
    exact, blurred = errors[0.0], errors[2.0]
    told = second.height - first.height
    assert exact[-2 + 1, -2] == pytest.approx(told, abs=1e-5)
    spread = np.array([10.0, 5.0, 2.0])
    assert np.abs((blurred - exact)[-1, :3] / spread).max() > 1.0


def test_the_same_pool_has_the_same_blur_whatever_others_send(tmp_path: Path) -> None:
    """So that repeated runs, or ones in which the colluders change their own rows, average nothing out."""
    run(tmp_path, "one", model=LINEAR, scheme="RhoShapley(rho=0.0)")
    other = {**TABLES, "north": TABLES["north"][:-20]}
    run(tmp_path, "two", other, model=LINEAR, scheme="RhoShapley(rho=0.0)")
    run(tmp_path, "three", model=LINEAR, scheme="RhoShapley(rho=0.0)")
    one, three = (reward(tmp_path, "east", name) for name in ("one", "three"))
    assert all(np.array_equal(one[name], three[name]) for name in one if name.startswith(("posterior", "scaling")))
    of_others = []
    for name, sent in (("one", TABLES["north"]), ("two", other["north"])):
        own = np.column_stack(
            [sent.select("age", "bmi", "bp").to_numpy(), np.ones(len(sent)), sent["outcome"].to_numpy()]
        )
        of_others.append(statistics(reward(tmp_path, "north", name)) - own[:, :-1].T @ own)
    np.testing.assert_allclose(of_others[0], of_others[1], rtol=1e-7)


def test_a_party_refuses_a_run_that_differs_by_a_patient(tmp_path: Path) -> None:
    strict = {"west": {"min-difference": 5}}
    run(tmp_path, "one", nodes=strict)
    record = run(tmp_path, "two", {**TABLES, "west": TABLES["west"][:-1]}, nodes=strict).read_allocation()
    (refusal,) = record["refused"]
    assert refusal["party"] == "west"
    assert "0 added and 1 left out, fewer than min-difference = 5" in refusal["reason"]
    again = run(tmp_path, "three", nodes=strict).read_allocation()
    assert not again["refused"]


def test_runs_of_one_mediator_share_the_noise_and_of_two_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without GUERDON_NOISE_SEED the key lies beside the run directories, for the mediator only."""
    monkeypatch.delenv("GUERDON_NOISE_SEED")
    for name in ("a/one", "a/two", "b/one"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        RunDirectory.create(tmp_path / name)
    keys = [RunDirectory(tmp_path / name).noise_key() for name in ("a/one", "a/two", "b/one")]
    assert keys[0] == keys[1] != keys[2]
    assert (tmp_path / "a" / "noise.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "a" / "noise.key").write_text("none")
    with pytest.raises(RunDirectoryError, match="restore it, or delete it"):
        RunDirectory(tmp_path / "a/one").noise_key()
    monkeypatch.setitem(os.environ, "GUERDON_NOISE_SEED", "17")
    assert RunDirectory(tmp_path / "a/one").noise_key() == 17
