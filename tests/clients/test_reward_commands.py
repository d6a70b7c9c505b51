"""``python -m clients show`` and ``predict`` on a real reward, and the store they read."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.__main__ import main
from clients.party_data import PartyError
from clients.reward_store import load_reward, save_reward
from guerdon.models import GaussianProcess, Predictor
from guerdon.scaling import Scaling
from guerdon.types import Contribution
from wire.kinds.model import predictor_of
from wire.messages import MessageError, Reward
from wire.schema import Schema

FEATURES = ("age", "bmi")


@pytest.fixture
def pool() -> Contribution:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2)) * [10.0, 3.0] + [50.0, 25.0]
    return Contribution("north", X, 100.0 + 2.0 * X[:, 0] + rng.normal(size=30), FEATURES)


@pytest.fixture
def predictor(pool: Contribution) -> Predictor:
    scaling = Scaling.of_pool([pool])
    scaled = scaling.apply(pool)
    assert scaled.y is not None
    model = GaussianProcess("rbf(lengthscale=1.5, outputscale=1.0)", noise=0.1)
    return Predictor(model.posterior(scaled.X, scaled.y), scaling, FEATURES, "progression")


@pytest.fixture
def stored(tmp_path: Path, predictor: Predictor) -> Path:
    about = {
        "kind": "model", "party": "north", "run": "run-1", "unit": "nats", "strategy": "ModelRewards()",
        "scheme": "RhoShapley(rho='stable')", "own_value": 3.5, "target": 5.0, "reached": 5.0, "rho": 0.5,
        "thresholds": {"rational": "inf", "stable": 0.5},
        "parties": [{"party": "north", "alpha": 0.5, "share_of_best": 0.7}],
        "model": {"kernel": "rbf(lengthscale=1.5, outputscale=1.0)", "noise": 0.1, "mean": 0.0},
        "contains": "the posterior of an exact Gaussian process", "target_name": "progression",
    }  # fmt: skip
    return save_reward(tmp_path / "north-reward", "run-1", Reward(predictor.arrays(), about))


def clients(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m clients` in this process, which has imported what takes seconds to import."""
    words, out, err = [str(word) for word in arguments], io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["clients", *words])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def test_the_commands_are_a_module_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-m", "clients", "--help"], capture_output=True, text=True, check=True)
    for command in ("check", "proposals", "withdraw", "show", "predict", "audit"):
        assert command in done.stdout


def test_what_was_stored_is_what_is_loaded(stored: Path, predictor: Predictor, pool: Contribution) -> None:
    again = predictor_of(load_reward(stored))
    for mine, theirs in zip(again.predict(pool.X), predictor.predict(pool.X), strict=True):
        assert np.array_equal(mine, theirs)
    assert stored.parent.stat().st_mode & 0o077 == 0


def test_predict_adds_mean_and_standard_deviation_in_own_units(
    stored: Path, predictor: Predictor, pool: Contribution, tmp_path: Path
) -> None:
    rows = tmp_path / "new.csv"
    pl.DataFrame({"id": range(30), "bmi": pool.X[:, 1], "age": pool.X[:, 0]}).write_csv(rows)
    done = clients("predict", stored, rows)
    assert done.returncode == 0, done.stderr
    table = pl.read_csv(io.StringIO(done.stdout))
    assert table.columns == ["id", "bmi", "age", "progression_mean", "progression_sd"]
    mean, variance = predictor.predict(pool.X)
    assert table["progression_mean"].to_numpy() == pytest.approx(mean, rel=1e-12)
    assert table["progression_sd"].to_numpy() == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_predict_takes_the_noise_of_new_observations_from_a_column(
    stored: Path, predictor: Predictor, pool: Contribution, tmp_path: Path
) -> None:
    rows, noise = tmp_path / "new.csv", np.linspace(1.0, 9.0, 30)
    pl.DataFrame({"bmi": pool.X[:, 1], "age": pool.X[:, 0], "variance": noise}).write_csv(rows)
    done = clients("predict", stored, rows, "--noise-column", "variance")
    assert done.returncode == 0, done.stderr
    _, variance = predictor.predict(pool.X, noise)
    assert pl.read_csv(io.StringIO(done.stdout))["progression_sd"].to_numpy() == pytest.approx(np.sqrt(variance))


SCHEMA = """
target = "progression"
[columns.bmi]
missing = 25.0
[columns.age]
missing = "drop"
maximum = 120
[columns.progression]
"""


@pytest.fixture
def by_schema(stored: Path) -> Path:
    reward = load_reward(stored)
    about = {**reward.about, "run": "run-2", "schema": json.loads(Schema.from_toml(SCHEMA).to_json())}
    return save_reward(stored.parent, "run-2", Reward(reward.arrays, about))


def test_predict_reads_new_rows_by_the_schema_of_the_run(by_schema: Path, predictor: Predictor, tmp_path: Path) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text("id,age,bmi\n1,50,25.5\n2,NA,25\n3,60,\n")
    done = clients("predict", by_schema, rows)
    assert done.returncode == 0, done.stderr
    table = pl.read_csv(io.StringIO(done.stdout))
    mean, variance = predictor.predict(np.array([[50.0, 25.5], [60.0, 25.0]]))
    assert table["progression_mean"].to_list() == [pytest.approx(mean[0]), None, pytest.approx(mean[1])]
    assert table["progression_sd"].drop_nulls().to_list() == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize(("row", "id_"), [("NA,25", "150"), ("51.5,25", "150"), ("51,?", "150"), ("51,25", "a7")])
def test_predict_does_not_judge_a_column_by_its_first_rows(by_schema: Path, tmp_path: Path, row: str, id_: str) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text("id,age,bmi\n" + "".join(f"{k},50,25\n" for k in range(150)) + f"{id_},{row}\n")
    done = clients("predict", by_schema, rows)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{id_},{row},")


def test_predict_takes_the_noise_of_the_rows_that_it_predicts(by_schema: Path, tmp_path: Path) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text("age,bmi,v\n50,25.5,4\nNA,25,\n60,,9\n")
    done = clients("predict", by_schema, rows, "--noise-column", "v")
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(io.StringIO(done.stdout))["progression_sd"].is_null().to_list() == [False, True, False]
    rows.write_text("age,bmi,v\n50,25.5,4\n60,25,-1\n")
    said = clients("predict", by_schema, rows, "--noise-column", "v").stderr
    assert "of 1 that are not, the first is in row 2 of the data; there stands -1" in said


def test_predict_says_what_is_wrong_by_the_schema(by_schema: Path, tmp_path: Path) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text("age,bmi\n50,25.5\n1000,25\n")
    done = clients("predict", by_schema, rows)
    assert done.returncode == 1
    assert "new.csv, column 'age', row 2 of the data: above the maximum 120 (there stands '1000')" in done.stderr
    rows.write_text("bmi\n25.5\n")
    assert "column 'age': there is no such column; it has bmi" in clients("predict", by_schema, rows).stderr


def test_another_reward_of_the_same_run_is_not_written_over_the_first(stored: Path, predictor: Predictor) -> None:
    save_reward(stored.parent, "run-1", load_reward(stored))
    with pytest.raises(PartyError, match="holds another reward of a run of this name"):
        save_reward(stored.parent, "run-1", Reward(predictor.arrays(), {"kind": "model"}))


def test_predict_writes_a_file(stored: Path, pool: Contribution, tmp_path: Path) -> None:
    rows = tmp_path / "new.parquet"
    pl.DataFrame({"age": pool.X[:, 0], "bmi": pool.X[:, 1]}).write_parquet(rows)
    assert clients("predict", stored, rows, "--output", tmp_path / "out.csv").returncode == 0
    assert len(pl.read_csv(tmp_path / "out.csv")) == 30


def test_show_says_what_it_is_and_what_it_is_worth(stored: Path) -> None:
    done = clients("show", stored)
    assert done.returncode == 0, done.stderr
    for expected in ("north", "run-1", "Worth 5 (nats)", "alone is worth 3.5", "progression", "rho = 0.5", "inf"):
        assert expected in done.stdout


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"age": [1.0]}, "lacks the columns bmi"), ({"age": ["x"], "bmi": [1.0]}, "must hold numbers")],
)
def test_a_file_that_does_not_fit_is_one_sentence_and_exit_status_1(
    stored: Path, tmp_path: Path, columns: dict[str, list[object]], reason: str
) -> None:
    rows = tmp_path / "bad.csv"
    pl.DataFrame(columns).write_csv(rows)
    done = clients("predict", stored, rows)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_reward_says_so(tmp_path: Path) -> None:
    done = clients("show", tmp_path)
    assert done.returncode == 1
    assert "holds no reward" in done.stderr


def test_a_runs_name_cannot_lead_out_of_the_store(tmp_path: Path, predictor: Predictor) -> None:
    with pytest.raises(PartyError, match="can't be a folder"):
        save_reward(tmp_path / "store", "../../elsewhere", Reward(predictor.arrays(), {}))


def test_show_describes_synthetic_rows(stored: Path, tmp_path: Path) -> None:
    about = {
        **load_reward(stored).about,
        "kind": "synthetic", "features": ["age", "bmi"], "target_name": "sick", "stopped": "target",
        "realization": "WeightedSampling(beta=1.0)", "generator": "KernelDensity()", "synthetic_pool_rows": 500,
    }  # fmt: skip
    arrays = {"points": np.array([[1.0, 2.0], [3.0, 4.0]]), "labels": np.array([0.0, 1.0])}
    folder = save_reward(tmp_path / "other", "run-2", Reward(arrays, about))
    done = clients("show", folder)
    assert done.returncode == 0, done.stderr
    for expected in ("2 synthetic rows of age, bmi, sick", "from 500 rows of KernelDensity()"):
        assert expected in done.stdout
    assert pl.read_csv(folder / "reward.csv").rows() == [(1.0, 2.0, 0.0), (3.0, 4.0, 1.0)]
    refused = clients("predict", folder, folder / "reward.csv")
    assert refused.returncode == 1
    assert "not a model but 'synthetic'" in refused.stderr


def test_another_kind_of_reward_can_not_predict(tmp_path: Path, predictor: Predictor) -> None:
    folder = save_reward(tmp_path, "run", Reward(predictor.arrays(), {"kind": "voucher"}))
    with pytest.raises(MessageError, match="not a model but 'voucher'"):
        predictor_of(load_reward(folder))


def test_no_pickle_is_ever_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    np.savez(folder / "reward.npz", kind=np.array([object()], dtype=object), allow_pickle=True)
    (folder / "reward.json").write_text(json.dumps({"kind": "model"}))
    with pytest.raises(PartyError, match="can't be read"):
        load_reward(folder)


def test_a_classifier_is_shown_and_predicts(tmp_path: Path) -> None:
    weights = {"0.weight": np.array([[1.0, 0.0], [-1.0, 0.0]]), "0.bias": np.zeros(2)}
    about = {
        "kind": "classifier", "party": "north", "run": "run-1", "unit": "accuracy", "features": ["a", "b"],
        "strategy": "CosineGradientRewards()", "target_name": "label", "scale": 1.0, "contains": "weights, and no row",
        "parties": [{"party": "north", "alpha": 0.5}, {"party": "west", "alpha": 1.0}],
    }  # fmt: skip
    folder = save_reward(tmp_path / "north-reward", "run-1", Reward(weights, about))
    shown = clients("show", folder)
    assert shown.returncode == 0, shown.stderr
    for words in ("A classifier reward for north", "It predicts label from a, b.", "weights, and no row", "0.5000"):
        assert words in shown.stdout, words
    pl.DataFrame({"b": [0.0, 0.0], "a": [2.0, -2.0]}).write_csv(tmp_path / "new.csv")
    done = clients("predict", folder, tmp_path / "new.csv")
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(io.StringIO(done.stdout))["label_class"].to_list() == [0, 1]


def test_a_reward_of_an_unknown_kind_says_what_it_holds(tmp_path: Path) -> None:
    reward = Reward({"rows": np.ones((4, 3))}, {"kind": "rows", "party": "north", "run": "run-1"})
    shown = clients("show", save_reward(tmp_path / "north-reward", "run-1", reward))
    assert shown.returncode == 0, shown.stderr
    assert "It holds rows 4x3." in shown.stdout


def test_several_rewards_are_shown_one_after_the_other(stored: Path, tmp_path: Path) -> None:
    """As a shell's ``STORE/*/`` names them: with trailing slashes, and the store's own folders among them."""
    store = tmp_path / "store"
    for run in ("run-1", "run-2"):
        shutil.copytree(stored, store / run)
    (store / "_proposals").mkdir()
    one = clients("show", stored).stdout
    named = [f"{folder}/" for folder in sorted(store.iterdir())]
    for paths in (named, [store], [f"{store}/"], [store / "run-1" / "reward.json", f"{store}/run-2/"]):
        done = clients("show", *paths)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{one}\n{one}"
    assert clients("show", f"{store}/run-1/").stdout == one
    done = clients("show", f"{store}/_proposals/")
    assert done.returncode == 1
    assert "_proposals" in done.stderr


def test_a_reward_chooses_no_module_from_where_the_party_happens_to_be(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features of one's own come from the app; from the working directory only where somebody asks for a prediction."""
    (tmp_path / "lying_about.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    reward = load_reward(stored)
    told = Reward({**reward.arrays, "kind": np.array("lying_about:Features")}, reward.about)
    with pytest.raises(MessageError, match=r"lying_about:Features, which is not part of the app$"):
        predictor_of(told)
    with pytest.raises(SystemExit, match="imported"):
        predictor_of(told, here=True)
    for name in ("os:PathLike", "clients.errors:PartyError"):
        with pytest.raises(MessageError, match=r"not part of the app|can't be rebuilt"):
            predictor_of(Reward({**reward.arrays, "kind": np.array(name)}, reward.about))
