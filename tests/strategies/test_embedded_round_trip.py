"""Mean embeddings in the place of rows through LocalGrid: values, rewards, refusals, resuming, and privacy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Array, ArrayRecord, Message
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.app import app
from clients.privacy import Budget
from clients.reward_store import load_reward
from guerdon.models.features import Affine
from guerdon.scaling import Scaling
from server.app import mediate
from server.config import ConfigError, RunConfig
from server.report import write_report
from server.run_directory import RunDirectory
from strategies.embedded_rewards import EmbeddedRewards
from tests.fakes import LocalGrid
from wire.kinds.embeddings import EMBEDDING, AskedEmbedding
from wire.kinds.statistics import Asked, encode_asked
from wire.kinds.synthetic import synthetic_table
from wire.messages import CONTRIBUTE

PARTIES = ("east", "north", "west")
SCHEMA = """
target = "sick"
[columns.age]
minimum = 0
maximum = 100
whole = true
[columns.pressure]
minimum = 60
maximum = 220
[columns.ward]
type = "category"
values = ["surgery", "geriatrics", "cardiology"]
[columns.smokes]
type = "boolean"
missing = 0
flag-missing = true
[columns.sick]
type = "boolean"
"""


def table(seed: int, rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    sick = rng.random(rows) < 0.3 + 0.2 * seed
    age = np.round(rng.normal(45 + 15 * sick, 8).clip(0, 100))
    ward = np.where(sick, rng.integers(1, 3, rows), rng.integers(0, 2, rows))
    return pl.DataFrame(
        {
            "age": age,
            "pressure": (100 + 0.5 * age + rng.normal(0, 8, rows)).clip(60, 220),
            "ward": [("surgery", "geriatrics", "cardiology")[k] for k in ward],
            "smokes": [None if rng.random() < 0.1 else int(rng.random() < 0.4) for _ in range(rows)],
            "sick": sick.astype(int),
        }
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, party in enumerate(PARTIES):
        table(seed, 120 + 40 * seed).write_parquet(folder / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    (tmp_path / "schema.toml").write_text(SCHEMA)
    return folder


def config(data: Path, name: str = "run", **changes: Any) -> dict[str, Any]:
    base = {
        "data-dir": str(data),
        "run-dir": str(data.parent / name),
        "parties": ",".join(PARTIES),
        "schema-file": str(data.parent / "schema.toml"),
        "strategy": "SyntheticDataRewards(size=400, limit=1600, frequencies=1024)",
        "generator": "EmbeddedMixture(max_components=1)",
        "scheme": "RectifiedRhoShapley(incentive='none')",
        "contribute": "statistics",
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(
    settings: dict[str, Any],
    tamper: Callable[[int, Message, Message], Message | None] | None = None,
    own: dict[int, dict[str, Any]] | None = None,
) -> RunDirectory:
    nodes = {100 + 7 * k: {"partition-id": k, "num-partitions": 3, **(own or {}).get(k, {})} for k in range(3)}
    return mediate(LocalGrid(app, nodes, settings, tamper), settings)


def of_party(record: dict[str, Any], key: str) -> np.ndarray:
    return np.array([entry[key] for entry in record["parties"]], dtype=float)


def refusals(directory: RunDirectory) -> dict[str, str]:
    return {party: reason for party, (_, reason) in directory.refusals().items()}


class TestAWholeRun:
    def test_values_are_those_of_rows_with_the_same_synthetic_rows_to_the_stated_error(self, data: Path) -> None:
        rng = np.random.default_rng(5)
        names = ["age", "pressure", "ward=surgery", "ward=geriatrics", "ward=cardiology", "smokes", "smokes missing"]
        ward = np.eye(3)[rng.integers(0, 3, 300)]
        yes = rng.integers(0, 2, (300, 2))
        rows = np.column_stack([np.round(rng.uniform(20, 90, 300)), rng.uniform(90, 180, 300), ward, yes])
        pl.DataFrame(rows, schema=names).write_parquet(data.parent / "synthetic.parquet")
        pl.DataFrame(rows, schema=names).write_parquet(data.parent / "public.parquet")
        common = {
            "synthetic_file": str(data.parent / "synthetic.parquet"),
            "standardize": False,
            "valuation": "MaximumMeanDiscrepancy(lengthscale=20.0)",
            "stop_after": "valuation",
        }
        strategy = "SyntheticDataRewards(frequencies=8192)"
        one = run(config(data, "sums", **common, strategy=strategy)).read_allocation()
        settings = config(data, "rows", **common, contribute="rows", strategy="SyntheticDataRewards()")
        del settings["generator"]
        other = run(settings).read_allocation()
        assert one["model"]["lengthscale"] == other["model"]["lengthscale"] == 20.0
        errors = np.array([entry["embedding"]["alpha"] for entry in one["parties"]])
        assert errors.max() < 0.01
        apart = np.abs(of_party(one, "alpha") - of_party(other, "alpha"))
        assert np.all(apart <= 4.0 * errors + 1e-9), (apart, errors)
        np.testing.assert_allclose(one["values"], other["values"], atol=0.02)
        np.testing.assert_allclose(of_party(one, "rows"), of_party(other, "rows"))

    def test_rewards_are_rows_of_the_table_and_everything_is_told(self, data: Path) -> None:
        sent: list[bytes] = []

        def listen(node: int, message: Message, reply: Message) -> Message:
            if message.metadata.message_type == CONTRIBUTE:
                sent.extend(array.data for array in reply.content["arrays"].values())  # type: ignore[union-attr]
            return reply

        directory = run(config(data), listen)
        record = directory.read_allocation()
        assert record["stage"] == "delivered"
        assert record["model"]["frequencies"] == 1024
        assert any("mean embeddings and no row" in sentence for sentence in record["diagnostics"])
        assert any("1,024 frequencies leave open" in sentence for sentence in record["diagnostics"])
        assert "sampling" not in record
        for entry in record["parties"]:
            assert entry["reached"] >= entry["value"] - 1e-9
            assert 0.0 <= entry["embedding"]["alpha"] < 0.05
        told = load_reward(Path(record["parties"][0]["store"]))
        assert "without rows" in told.about["contains"]
        drawn = synthetic_table(told)
        assert drawn.columns == ["age", "pressure", "ward", "smokes", "sick"]
        assert drawn["ward"].is_in(["surgery", "geriatrics", "cardiology"]).all()
        entry = directory.contributed()["north"]
        assert (entry["contributed"], entry["rows"], entry["features"]) == ("statistics", 120, 2048)
        store = Path(record["parties"][1]["store"]).parent
        shown = CliRunner().invoke(cli, ["proposals", str(store)]).output
        assert "contribute: statistics" in shown
        assert "1024 frequencies" in shown
        assert CliRunner().invoke(cli, ["audit", str(store)]).exit_code == 0
        page = write_report(directory).read_text()
        assert "mean embeddings" in page
        cells = {np.float64(c).tobytes() for k in range(3) for c in table(k, 120 + 40 * k)["pressure"].to_numpy()}
        assert sent
        assert not any(cell in whole for cell in cells for whole in sent)

    def test_a_stopped_run_resumes_without_asking_again_and_gives_the_same(self, data: Path) -> None:
        run(config(data, stop_after="valuation"))
        before = RunDirectory(data.parent / "run").read_allocation()
        resumed = run(config(data, resume=True)).read_allocation()
        assert resumed["values"] == before["values"]
        assert resumed["stage"] == "delivered"

    def test_small_classes_are_not_told_apart(self, data: Path) -> None:
        table(0, 120).with_columns(sick=pl.lit(0)).write_parquet(data / "east.parquet")
        rows = table(1, 160).with_row_index("k").with_columns(sick=(pl.col("k") < 8).cast(pl.Int64)).drop("k")
        rows.write_parquet(data / "north.parquet")
        directory = run(config(data))
        assert not refusals(directory)
        assert any("rows are of classes of which" in note for note in directory.read_allocation()["notes"])


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"valuation": "MaximumMeanDiscrepancy(kernel='matern32')"}, "needs rows"),
            ({"valuation": "MaximumMeanDiscrepancy(reference='parties')"}, "needs rows"),
            ({"valuation": "MaximumMeanDiscrepancy(near_duplicates='once')"}, "needs rows"),
            ({"valuation": "MaximumMeanDiscrepancy(lengthscale='paper')"}, "needs rows"),
            ({"valuation": "InformationGain()"}, "needs rows"),
            ({"shapley": "RowShapley()"}, "values single rows"),
            ({"generator": "KernelDensity()"}, "is fitted to rows"),
            ({"generator": "GaussianMixture()"}, "is fitted to rows"),
            ({"contribute": "rows"}, "fitted to mean embeddings"),
            ({"strategy": "SyntheticDataRewards(frequencies=3)"}, "from 16 to"),
        ],
    )
    def test_by_the_config(self, data: Path, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            RunConfig.parse(config(data, **changes)).build_parts()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"schema_file": "", "target": "sick"}, "Name public rows"),
            ({"standardize": "robust"}, "medians and quartiles"),
            ({"standardize": False}, "length-scale must be known"),
        ],
    )
    def test_before_anybody_is_asked(self, data: Path, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            run(config(data, **changes))
        assert "introduced" not in [entry["action"] for entry in RunDirectory(data.parent / "run").read_ledger()]

    def test_a_number_without_bounds_and_rows_too_few(self, data: Path) -> None:
        path = data.parent / "schema.toml"
        path.write_text(SCHEMA.replace("maximum = 220\n", ""))
        with pytest.raises(ValueError, match="pressure no minimum and maximum"):
            run(config(data))
        path.write_text(SCHEMA)
        table(0, 24).write_parquet(data / "east.parquet")
        found = refusals(run(config(data, "other")))
        assert "fewer than 20 rows" in found["east"]

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda a: a.update(embedding=a["embedding"][:, :-2]), r"must be float64 of shape \(3, 2048\)"),
            (lambda a: a["embedding"].__imul__(3.0), "is no sum over its rows"),
            (lambda a: a["embedding"].__setitem__((0, 0), np.nan), "must be finite"),
            (lambda a: a["counts"].__setitem__(0, 3.0), "is no sum over its rows|fewer than 20"),
            (lambda a: a["counts"].__setitem__(0, 30.5), "whole numbers"),
            (lambda a: a["kernel"].__setitem__(0, 9.0), "another length-scale"),
            (lambda a: a["classes"].__setitem__(0, 9.0), "other classes"),
            (lambda a: a["privacy"].__setitem__(0, 1.0), "do not go with noise"),
            (lambda a: a["noise"].__setitem__(0, 1.0), "do not go with noise"),
            (lambda a: (a["embedding"].__setitem__(2, 0.01), a["counts"].__setitem__(2, 5.0)), "fewer than 20 rows"),
            (lambda a: a.pop("counts"), "expected the arrays"),
        ],
    )
    def test_embeddings_that_are_none_by_the_mediator(
        self, data: Path, spoil: Callable[[Any], None], reason: str
    ) -> None:
        def tamper(node: int, message: Message, reply: Message) -> Message:
            if message.metadata.message_type == CONTRIBUTE and node == 100:
                arrays = {name: np.array(array.numpy()) for name, array in reply.content["arrays"].items()}  # type: ignore[union-attr]
                spoil(arrays)
                reply.content["arrays"] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
            return reply

        directory = run(config(data, stop_after="valuation", strategy=QUICK), tamper)
        found = refusals(directory)
        assert list(found) == ["east"]
        assert re.search(reason, found["east"]), found


class TestWhatAPartySends:
    """Only what the terms announce, and in no units that would show single rows."""

    @pytest.mark.parametrize("other", [{"frequencies": 65_536}, {"seed": 9}, {"lengthscale": 1.5}])
    def test_is_what_the_terms_say(self, data: Path, other: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        to_ask = EmbeddedRewards.to_ask

        def another(self: EmbeddedRewards, columns: Any) -> AskedEmbedding:
            asked = to_ask(self, columns)
            return replace(asked, features=replace(asked.features, **other))

        monkeypatch.setattr(EmbeddedRewards, "to_ask", another)
        found = asked_and_refused(config(data, strategy=QUICK, valuation="MaximumMeanDiscrepancy(lengthscale=2.0)"))
        assert len(found) == 3
        said = "its terms announce one by 1024 frequencies by seed 0, length-scale 2.0"
        assert all(said in reason for reason in found.values())

    def test_is_no_embedding_where_none_is_announced(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        told = EmbeddedRewards.discloses
        monkeypatch.setattr(
            EmbeddedRewards, "discloses", lambda self: {k: v for k, v in told(self).items() if k != EMBEDDING}
        )
        found = asked_and_refused(config(data, strategy=QUICK))
        assert len(found) == 3
        assert all("its terms announce none" in reason for reason in found.values())

    def test_is_an_embedding_where_one_is_announced(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = Asked(("age", "pressure"), Scaling.identity(2), Affine(), None)
        monkeypatch.setattr(EmbeddedRewards, "request", lambda self, party: encode_asked(other))
        found = asked_and_refused(config(data, strategy=QUICK))
        assert len(found) == 3
        assert all("announce a mean embedding, and it asks for other sums" in reason for reason in found.values())

    def test_without_noise_shows_no_single_rows(self, data: Path) -> None:
        short = {"standardize": False, "valuation": "MaximumMeanDiscrepancy(lengthscale=0.02)", "strategy": QUICK}
        found = asked_and_refused(config(data, **short))
        assert len(found) == 3
        assert all("would show single rows: the standard deviation of column 'age'" in r for r in found.values())

    def test_in_units_that_are_tiny_shows_no_single_rows(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        to_ask = EmbeddedRewards.to_ask

        def tiny(self: EmbeddedRewards, columns: Any) -> AskedEmbedding:
            asked = to_ask(self, columns)
            return replace(asked, scaling=replace(asked.scaling, feature_scale=asked.scaling.feature_scale * 1e-6))

        monkeypatch.setattr(EmbeddedRewards, "to_ask", tiny)
        assert all("would show single rows" in r for r in asked_and_refused(config(data, strategy=QUICK)).values())


def asked_and_refused(settings: dict[str, Any]) -> dict[str, str]:
    """Why each party refuses to send what it is asked for, in a run that ends for it."""
    try:
        run({**settings, "stop-after": "valuation"})
    except Exception as error:
        assert "part" in str(error), error  # noqa: PT017
    return refusals(RunDirectory(Path(settings["run-dir"])))


QUICK = "SyntheticDataRewards(size=50, frequencies=1024)"


class TestPrivacy:
    def test_a_private_party_is_told_of_and_its_budget_is_kept(self, data: Path) -> None:
        directory = run(config(data, private="3,inf,inf"))
        record = directory.read_allocation()
        east = record["parties"][0]
        assert (east["epsilon"], east["delta"]) == (3.0, 1e-5)
        assert east["privacy_cost"] > 0.0
        assert "epsilon" not in record["parties"][1]
        entry = directory.contributed()["east"]
        assert entry["epsilon"] == 3.0
        store = Path(east["store"]).parent
        (release,) = Budget.of(store).releases
        assert release.epsilon == 3.0
        assert "epsilon" in CliRunner().invoke(cli, ["privacy", str(store)]).output

    def test_a_spent_budget_refuses_and_a_second_answer_is_the_first(self, data: Path) -> None:
        own = {0: {"epsilon": 2.0, "privacy-budget": 2.5}}
        common: dict[str, Any] = {"stop_after": "valuation", "strategy": QUICK}
        first = run(config(data, "one", **common), own=own)
        assert not refusals(first)
        again = run(config(data, "two", **common), own=own)
        assert "privacy budget is spent" in refusals(again)["east"]
