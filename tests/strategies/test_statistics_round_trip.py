"""Statistics in the place of rows through LocalGrid: the same values and rewards, refusals, resuming, and privacy."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Array, ArrayRecord, Message
from typer.testing import CliRunner

from clients.__main__ import cli
from clients.app import app
from clients.privacy import Budget, Release
from clients.reward_store import load_reward
from guerdon.models import Affine
from server.app import mediate
from server.config import ConfigError, RunConfig
from server.report.mediator_page import mediator_page
from server.report.words import summary
from server.run_directory import RunDirectory
from strategies.statistics_rewards import _units_of
from tests.fakes import LocalGrid
from wire.files import alone_in
from wire.kinds.model import predictor_of
from wire.messages import CONTRIBUTE
from wire.pages.party_page import party_page, view_of
from wire.schema import Schema

PARTIES = ("east", "north", "west")
SCHEMA = """
target = "outcome"
[columns.age]
minimum = -6
maximum = 6
[columns.bmi]
minimum = 0
maximum = 100
[columns.smokes]
type = "boolean"
[columns.outcome]
minimum = -50
maximum = 150
"""
NETWORK = "BayesianLinear(features='NeuralFeatures(hidden=(8, 4), epochs=5)')"
FOURIER = "BayesianLinear(features='FourierFeatures(count=8, lengthscale=1.5)')"
KNOWN = "BayesianLinear(noise=0.001, features='Affine()')"


def table(seed: int, rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age, bmi, smokes = rng.normal(size=rows).clip(-6, 6), rng.normal(50.0, 5.0, rows), rng.integers(0, 2, rows)
    y = 10.0 * np.sin(age) + bmi + 3.0 * smokes + rng.normal(size=rows)
    return pl.DataFrame({"age": age, "bmi": bmi, "smokes": smokes.astype(float), "outcome": y})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, party in enumerate(PARTIES):
        table(seed, 60 + 20 * seed).write_parquet(folder / f"{party}.parquet")
    (folder / "parties.json").write_text(json.dumps(PARTIES))
    table(9, 300).write_parquet(tmp_path / "public.parquet")
    (tmp_path / "schema.toml").write_text(SCHEMA)
    return folder


def config(data: Path, name: str = "run", **changes: Any) -> dict[str, Any]:
    base = {
        "data-dir": str(data),
        "run-dir": str(data.parent / name),
        "parties": ",".join(PARTIES),
        "contribute": "statistics",
        "reward-precision": 0.0,
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def bounded(data: Path) -> dict[str, Any]:
    return {"schema_file": str(data.parent / "schema.toml")}


def public(data: Path) -> dict[str, Any]:
    return {"public_file": str(data.parent / "public.parquet"), "target": "outcome"}


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


class TestAsFromRows:
    @pytest.mark.parametrize("realization", ["NoiseInjection()", "LikelihoodTempering()"])
    @pytest.mark.parametrize(
        ("units", "model"),
        [
            (bounded, "BayesianLinear(features='Affine()')"),
            (public, NETWORK),
            (public, FOURIER),
            (lambda data: {"standardize": False, "target": "outcome"}, KNOWN.replace("0.001", "9.0")),
        ],
        ids=["bounds", "network", "fourier", "as they are"],
    )
    def test_two_whole_runs_come_to_the_same(
        self, data: Path, units: Callable[[Path], dict[str, Any]], model: str, realization: str
    ) -> None:
        common = {**units(data), "model": model, "realization": realization}
        sums = run(config(data, "sums", **common))
        rows = run(config(data, "rows", **common, contribute="rows"))
        one, other = sums.read_allocation(), rows.read_allocation()
        assert one["stage"] == other["stage"] == "delivered"
        np.testing.assert_allclose(one["values"], other["values"], rtol=1e-9, atol=1e-9)
        assert one["rho"] == pytest.approx(other["rho"], rel=1e-9)
        assert one["model"]["noise"] == pytest.approx(other["model"]["noise"], rel=1e-9)
        for key in ("rows", "value", "shapley", "alpha", "target", "reached"):
            np.testing.assert_allclose(of_party(one, key), of_party(other, key), rtol=1e-9, err_msg=key)
        given = "eta" if realization == "NoiseInjection()" else "kappa"
        np.testing.assert_allclose(of_party(one, given), of_party(other, given), rtol=1e-8)
        tempered = realization == "LikelihoodTempering()"
        for mine, theirs in zip(one["parties"], other["parties"], strict=True):
            assert mine["alone"] == pytest.approx(theirs["alone"], rel=1e-7)
            if tempered or mine.get("eta") == 0.0:
                assert mine["reward"] == pytest.approx(theirs["reward"], rel=1e-7)
        assert [check["holds"] for check in one["certificate"]] == [check["holds"] for check in other["certificate"]]

    def test_the_noise_in_rewards_is_the_same_in_every_run_of_the_same_sums(self, data: Path) -> None:
        def weights(name: str, **more: Any) -> np.ndarray:
            record = run(config(data, name, **bounded(data), **more)).read_allocation()
            worst = min(record["parties"], key=lambda entry: float(entry["target"]))
            return np.asarray(load_reward(Path(worst["store"])).arrays["posterior.weights"])

        np.testing.assert_array_equal(weights("one"), weights("two"))

    def test_no_row_and_no_cell_crosses_the_wire(self, data: Path) -> None:
        cells = {np.float64(c).tobytes() for k in range(3) for c in table(k, 60 + 20 * k).to_numpy().ravel()}
        cells -= {np.float64(c).tobytes() for c in (0.0, 1.0)}
        sent: list[bytes] = []

        def listen(node: int, message: Message, reply: Message) -> Message:
            if message.metadata.message_type == CONTRIBUTE:
                sent.extend(array.data for array in reply.content["arrays"].values())  # type: ignore[union-attr,union-attr]
            return reply

        run(config(data, **bounded(data)), listen)
        assert sent
        assert sum(map(len, sent)) < 3 * 2000
        assert not any(cell in whole for cell in cells for whole in sent)


class TestWhatIsToldAndKept:
    def test_terms_ledger_receipts_and_the_record_say_statistics(self, data: Path) -> None:
        directory = run(config(data, **bounded(data)))
        entry = directory.contributed()["north"]
        assert (entry["contributed"], entry["rows"], entry["features"]) == ("statistics", 60, 4)
        store = Path(directory.read_allocation()["parties"][1]["store"]).parent
        shown = CliRunner().invoke(cli, ["proposals", str(store)])
        assert "contribute: statistics" in shown.output
        assert "reward-precision: exact" in shown.output
        audited = CliRunner().invoke(cli, ["audit", str(store)])
        assert audited.exit_code == 0, audited.output
        record = directory.read_allocation()
        assert any("sums over their rows and no row" in sentence for sentence in record["diagnostics"])
        assert record["noise_sensitivity"]["rows"] == 180
        assert "sampling" not in record

    def test_a_stopped_run_resumes_without_asking_again_and_gives_the_same(self, data: Path) -> None:
        common = {**public(data), "model": NETWORK}
        whole = run(config(data, "whole", **common)).read_allocation()
        run(config(data, **common, stop_after="valuation"))
        pooled = RunDirectory(data.parent / "run").load_pool()
        assert pooled is not None
        assert [len(sums) for sums in pooled[0]] == [45, 60, 75]
        resumed = run(config(data, **common, resume=True)).read_allocation()
        assert resumed["values"] == whole["values"]
        assert resumed["stage"] == "delivered"
        with pytest.raises(Exception, match="contribute was 'statistics' and is 'rows'"):
            run(config(data, "run", **common, resume=True, contribute="rows"))

    def test_units_of_a_reward_are_those_of_the_pool(self, data: Path) -> None:
        directory = run(config(data, **bounded(data)))
        entry = directory.read_allocation()["parties"][0]
        scaling = predictor_of(load_reward(Path(entry["store"]))).scaling
        rows = run(config(data, "rows", **bounded(data), contribute="rows")).read_allocation()["parties"][0]
        other = predictor_of(load_reward(Path(rows["store"]))).scaling
        np.testing.assert_allclose(scaling.feature_mean, other.feature_mean, rtol=1e-10)
        np.testing.assert_allclose(scaling.feature_scale, other.feature_scale, rtol=1e-10)
        assert scaling.target_scale == pytest.approx(other.target_scale, rel=1e-10)


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"model": "GaussianProcess(kernel='rbf')", "discloses_rows": True}, "can't be had from sums"),
            ({"model": "SparseGaussianProcess(kernel='rbf')"}, "BayesianLinear"),
            ({"model": "BayesianLinear()"}, "features that each party computes|each party computes by itself"),
            ({"shapley": "RowShapley()"}, "values single rows"),
            ({"strategy": "CosineGradientRewards()"}, "can't be had from statistics"),
            ({"deduplicate": True}, "equal rows can't be told"),
            ({"noise_column": "sd"}, "one noise variance"),
            ({"private": "0"}, "epsilon above 0"),
            ({"private": "1,2"}, "one for each of 3 parties"),
            ({"private": "1", "contribute": "rows"}, "noise is put on sums"),
        ],
    )
    def test_by_the_config(self, data: Path, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            RunConfig.parse(config(data, **{**public(data), **changes})).build_parts()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"target": "outcome"}, "Name public rows"),
            ({"target": "outcome", "private": "3"}, "the model needs a noise"),
            ({"target": "outcome", "standardize": "robust"}, "medians and quartiles"),
            ({"target": "outcome", "fit": "leave-one-out median"}, "fit needs the parties' rows"),
            ({"target": "outcome", "evidence": True}, "evidence needs the parties' rows"),
            ({"target": "outcome", "valuation": "PredictiveInformation()"}, 'references = "public"'),
        ],
    )
    def test_before_anybody_is_asked(self, data: Path, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            run(config(data, **changes))
        assert "introduced" not in [entry["action"] for entry in RunDirectory(data.parent / "run").read_ledger()]

    def test_dates_are_brought_into_the_units_of_their_bounds(self) -> None:
        """As days since 1970 they would be some 19,000 long, and clipping would leave nothing of the other columns."""
        dated = '[columns.seen]\ntype = "date"\n'
        text = SCHEMA + dated
        with pytest.raises(ValueError, match="the schema gives seen no minimum"):
            _units_of(Schema.from_toml(text), Affine())
        schema = Schema.from_toml(text + "minimum = 2023-01-01\nmaximum = 2023-01-11\n")
        scaling, bounds = _units_of(schema, Affine())
        place = schema.features.index("seen")
        assert scaling.feature_mean[place] == pytest.approx(19358.0 + 5.0)
        assert scaling.feature_scale[place] == pytest.approx(5.0)
        assert bounds.norm == pytest.approx(np.sqrt(len(schema.features) + 1.0))

    def test_a_number_without_bounds_is_named(self, data: Path) -> None:
        path = data.parent / "schema.toml"
        path.write_text(SCHEMA.replace("maximum = 100\n", ""))
        with pytest.raises(ValueError, match="bmi no minimum and maximum"):
            run(config(data, **bounded(data)))

    def test_rows_too_few_by_the_party_and_rows_beyond_the_bounds(self, data: Path) -> None:
        table(0, 24).write_parquet(data / "east.parquet")
        table(1, 80).with_columns(age=pl.lit(99.0)).write_parquet(data / "north.parquet")
        with pytest.raises(Exception, match="1 of the at least 2"):
            run(config(data, **bounded(data)))
        found = refusals(RunDirectory(data.parent / "run"))
        assert "sums over fewer than 20 rows" in found["east"]
        assert "'age'" in found["north"]
        assert "above the maximum 6" in found["north"]

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda a: a["gram"].__setitem__((0, 1), 7.0), "not symmetric"),
            (lambda a: a["gram"].__isub__(1e4 * np.eye(4)), "not positive semidefinite"),
            (lambda a: a["gram"].__setitem__((0, 0), np.nan), "must be finite"),
            (lambda a: a["moment"].__imul__(1e3), "do not belong together"),
            (lambda a: a["rows"].__setitem__((), 3.0), "more than its 3 rows span"),
            (lambda a: a["rows"].__setitem__((), 19.0), "fewer than 20 rows"),
            (lambda a: a["square"].__setitem__((), np.nan), "y' y is missing"),
            (lambda a: a["privacy"].__setitem__(0, 1.0), "do not go with noise"),
            (lambda a: a.update(gram=np.eye(3)), r"gram must be float64 of shape \(4, 4\)"),
            (lambda a: a.pop("square"), "expected the sums"),
        ],
    )
    def test_sums_that_are_none_by_the_mediator(self, data: Path, spoil: Callable[[Any], None], reason: str) -> None:
        def tamper(node: int, message: Message, reply: Message) -> Message:
            if message.metadata.message_type == CONTRIBUTE and node == 100:
                arrays = {name: np.array(array.numpy()) for name, array in reply.content["arrays"].items()}  # type: ignore[union-attr]
                spoil(arrays)
                reply.content["arrays"] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
            return reply

        directory = run(config(data, **bounded(data)), tamper)
        found = refusals(directory)
        assert list(found) == ["east"]
        assert re.search(reason, found["east"]), found


def page_of(entry: dict[str, Any]) -> str:
    """The page that a party has beside its reward."""
    about = load_reward(Path(entry["store"])).about
    return " ".join(html.unescape(party_page(about, alone=entry["alone"], reward=entry["reward"])).split())


class TestPrivacy:
    @pytest.fixture(autouse=True)
    def more_rows(self, data: Path) -> None:
        for seed, party in enumerate(PARTIES):
            table(seed, 400 + 20 * seed).write_parquet(data / f"{party}.parquet")

    def test_each_party_chooses_and_the_record_says_it(self, data: Path) -> None:
        common = public(data)
        record = run(config(data, **common), own={0: {"epsilon": 1.0}, 1: {"epsilon": 3}}).read_allocation()
        assert record["stage"] == "delivered"
        assert [entry.get("epsilon") for entry in record["parties"]] == [1.0, 3.0, None]
        assert record["parties"][0]["privacy_cost"] > record["parties"][1]["privacy_cost"] > 0.0
        assert record["parties"][0]["value"] < record["parties"][1]["value"] < record["parties"][2]["value"]
        assert record["parties"][0]["rows"] != 300  # the count is as noisy as the sums
        assert any("put noise on the sums" in note for note in record["notes"])
        introduced = [e for e in RunDirectory(data.parent / "run").read_ledger() if e["action"] == "introduced"]
        assert {e["party"]: e["rows"] for e in introduced} == {"east": 0, "north": 0, "west": 330}
        store = Path(record["parties"][0]["store"]).parent
        shown = CliRunner().invoke(cli, ["privacy", str(store)])
        assert shown.exit_code == 0, shown.output
        assert "1 release, together epsilon = 1 at delta = 1e-05." in shown.output
        values = []
        for epsilon in ("30", "10", "3", "1"):
            values.append(run(config(data, f"e{epsilon}", **common, private=epsilon)).read_allocation()["values"])
        assert all(np.all(np.array(after) <= before) for before, after in itertools.pairwise(values))

    def test_nobody_calls_a_reward_a_gain_that_predicts_worse_than_the_party_alone(self, data: Path) -> None:
        """The mediator knows noisy sums only, so that a reward worth more than these can be no use at home."""
        own = {0: {"epsilon": 1.0}, 1: {"epsilon": 1.0}}
        directory = run(config(data, **public(data)), own=own)
        record = directory.read_allocation()
        east, north, west = record["parties"]
        assert east["reached"] >= east["value"]
        assert east["reward"]["mnlp"] > east["alone"]["mnlp"]
        assert any("the rewards of east, north predict worse than their own rows do" in n for n in record["notes"])
        told = " ".join(summary(record))
        assert "worth at least what it sent" in told
        assert "no score: east and north put noise on what was sent" in told
        assert "worse for east and north" in told
        assert "times the most that one of them sent (west)" in told
        assert "its own data" not in told
        mediator = " ".join(mediator_page(record).split())
        assert "to east and north its rows can be worth more, and predict better" in mediator
        for entry in (east, north):
            page = page_of(entry)
            assert "gained over your sums with noise" in page
            assert "is no score. Compare both on rows that were held out" in page
            assert "Your own data alone does better than your reward on these rows, whatever that is worth" in page
            assert "gained over your own data" not in page
            assert "times your own data" not in page
            shown = CliRunner().invoke(cli, ["show", entry["store"]])
            assert "with its noise on them, are worth" in shown.output
            assert "own data alone is worth" not in shown.output
        page = page_of(west)
        assert "gained over your own data" in page
        assert "sums with noise" not in page

    def test_the_pages_to_hand_out_before_anything_is_given_say_so_too(self, data: Path) -> None:
        directory = run(config(data, **public(data), stop_after="valuation"), own={0: {"epsilon": 1.0}})
        record = directory.read_allocation()
        pages = [" ".join(party_page(view_of(record, entry["party"])).split()) for entry in record["parties"]]
        assert ["gained over your sums with noise" in page for page in pages] == [True, False, False]
        assert ["is no score" in page for page in pages] == [True, False, False]

    def test_the_budget_holds_across_runs_and_one_run_gets_one_release(self, data: Path) -> None:
        mean = {0: {"epsilon": 1.0, "privacy-budget": 1.5}}
        first = run(config(data, "one", **public(data)), own=mean)
        sent = first.contributed()["east"]["sha256"]
        again = run(config(data, "one", **public(data), resume=True), own=mean)
        assert again.contributed()["east"]["sha256"] == sent
        run(config(data, "two", **public(data)), own=mean)  # together 1.46
        third = run(config(data, "three", **public(data)), own=mean)
        assert "its privacy budget is spent" in refusals(third)["east"]
        assert not (data / "east-reward" / "_releases" / "three.npz").exists()

    def test_asked_again_nobody_learns_what_became_of_the_rows(self, data: Path) -> None:
        own = {0: {"epsilon": 1.0}}
        sent = run(config(data, "one", **public(data)), own=own).contributed()["east"]["sha256"]
        (data.parent / "one").rename(data.parent / "gone")  # the mediator starts the same run anew
        table(0, 61).write_parquet(data / "east.parquet")
        again = run(config(data, "one", **public(data)), own=own)
        assert again.contributed()["east"]["sha256"] == sent

    def test_runs_at_once_do_not_spend_the_budget_twice(self, tmp_path: Path) -> None:
        """Each waits for the other, and then finds what it has spent."""
        noted = []

        def spend(name: str) -> None:
            with alone_in(tmp_path):
                budget = Budget.of(tmp_path)
                noted.append(len(budget.releases))
                sleep(0.05)
                budget.note(Release("now", name, 1.0, 1e-5, 3.73, "asked", "sha"))

        threads = [Thread(target=spend, args=(f"run-{k}",)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(noted) == [0, 1, 2, 3]
        assert len(Budget.of(tmp_path).releases) == 4

    def test_a_second_release_to_a_run_is_refused_by_name(self, data: Path) -> None:
        own = {0: {"epsilon": 1.0}}
        run(config(data, "one", **public(data)), own=own)
        (data.parent / "one").rename(data.parent / "gone")  # the mediator starts the same run anew
        same = run(config(data, "one", **public(data)), own=own)
        before = RunDirectory(data.parent / "gone").contributed()["east"]["sha256"]
        assert same.contributed()["east"]["sha256"] == before
        (data.parent / "one").rename(data.parent / "gone2")
        other = run(config(data, "one", **public(data), standardize="robust"), own=own)
        assert "released sums to this run already" in refusals(other)["east"]
        (data / "east-reward" / "_releases" / "one.npz").unlink()
        (data.parent / "one").rename(data.parent / "gone3")
        lost = run(config(data, "one", **public(data)), own=own)
        assert "a second release" in refusals(lost)["east"]

    def test_nothing_private_goes_to_a_run_of_rows_or_one_without_bounds(self, data: Path) -> None:
        rows = run(config(data, "rows", **public(data), contribute="rows"), own={0: {"epsilon": 1.0}})
        assert "sends sums over its rows, and no rows" in refusals(rows)["east"]
        kept = run(config(data, "kept", **public(data), contribute="rows"), own={1: {"contribute": "statistics"}})
        assert "this run asks for rows" in refusals(kept)["north"]
        bare = run(config(data, "bare", **bounded(data)), own={0: {"epsilon": 1.0}})
        assert "can't take any" in refusals(bare)["east"]
        given = run(config(data, "given", **bounded(data), model=KNOWN), own={0: {"epsilon": 1.0}})
        assert not refusals(given)

    @pytest.mark.parametrize(
        ("own", "reason"),
        [
            ({"epsilon": 0}, "epsilon in the node config is a number above 0"),
            ({"epsilon": -1.0}, "epsilon in the node config is a number above 0"),
            ({"epsilon": "much"}, "epsilon in the node config is a number above 0"),
            ({"epsilon": 1.0, "delta": 0.0}, "delta in the node config is a probability"),
            ({"epsilon": 3.0, "privacy-budget": 1.0}, "privacy-budget in the node config is at least epsilon"),
            ({"privacy-budget": 1.0}, "goes with epsilon"),
            ({"epsilon": 1.0, "contribute": "rows"}, "leave one out"),
            ({"contribute": "secrets"}, "contribute in the node config is rows or statistics"),
        ],
    )
    def test_a_node_config_that_promises_nothing(self, data: Path, own: dict[str, Any], reason: str) -> None:
        directory = run(config(data, **public(data)), own={0: own})
        assert reason in " ".join(refusals(directory).values())


EFFECTS = "BayesianLinear(features='Affine()', noise='by-party', effects='by-party')"


def test_party_effects_are_those_of_rows_and_find_who_says_something_else(data: Path) -> None:
    told = table(7, 60)  # west's outputs belong to other rows: its weights are not those of the others
    shuffled = told.with_columns(outcome=pl.col("outcome").reverse(), age=3.0 * pl.col("age").clip(-2, 2))
    shuffled.write_parquet(data / "west.parquet")
    shared = {"model": EFFECTS, "valuation": "PredictiveInformation()", "references": "public", **public(data)}
    by_rows = run(config(data, "rows", contribute="rows", **shared))
    by_sums = run(config(data, "sums", **shared))
    rows, sums = by_rows.read_allocation(), by_sums.read_allocation()
    for key in ("alpha", "target", "reached"):
        assert of_party(sums, key) == pytest.approx(of_party(rows, key), rel=1e-4)
    for record, directory in ((rows, by_rows), (sums, by_sums)):
        effects = {entry["party"]: entry["effect"] for entry in record["parties"]}
        assert effects["west"]["share"] < 0.6 < 0.9 < min(effects["east"]["share"], effects["north"]["share"])
        assert any("west" in sentence and "different things" in sentence for sentence in record["diagnostics"])
        entry = next(e for e in record["parties"] if e["party"] == "west")
        view = json.loads((Path(entry["store"]) / "reward.json").read_text())
        assert view["model"]["effects"] == pytest.approx(effects["west"]["variance"])
        assert any("different things" in finding for finding in view["findings"])
        assert refusals(directory) == {}


def test_sums_with_noise_tell_effects_where_the_noise_of_outputs_is_known(data: Path) -> None:
    known = "BayesianLinear(noise=0.01, features='Affine()', effects='by-party')"
    shared = {"model": known, "private": "3.0,3.0,3.0", **bounded(data)}
    record = run(config(data, **shared)).read_allocation()
    assert all(entry["effect"]["variance"] >= 0.0 for entry in record["parties"])
    with pytest.raises(ValueError, match="needs a noise"):
        run(config(data, "open", **{**shared, "model": EFFECTS}))


@pytest.mark.parametrize("whose", [0, 2])
def test_public_rows_tell_the_noise_of_sums_with_noise_and_nothing_of_effects(data: Path, whose: int) -> None:
    for seed, party in enumerate(PARTIES):
        table(seed, 400 + 20 * seed).write_parquet(data / f"{party}.parquet")
    by_noise = EFFECTS.replace("noise='by-party', ", "")
    record = run(config(data, model=by_noise, **public(data)), own={whose: {"epsilon": 3.0}}).read_allocation()
    assert record["stage"] == "delivered"
    assert any("learned from the public rows" in note for note in record["notes"])
    assert set(record["model"]["effects"]) == set(PARTIES)
    of_rows = run(config(data, "plain", model=by_noise.replace(", effects='by-party'", ""), **public(data)))
    assert of_rows.read_allocation()["stage"] == "delivered"


def test_single_rows_have_no_value_where_all_of_a_party_count_together(data: Path) -> None:
    with pytest.raises(ConfigError, match="takes all rows of a party together"):
        run(config(data, contribute="rows", model=EFFECTS, shapley="RowShapley(orders=8)"))
