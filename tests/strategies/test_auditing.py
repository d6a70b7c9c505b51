"""What rewards give away, found out before they go out, and what max-disclosure holds back: through LocalGrid."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from flwr.serverapp.exception import AggregationError
from rich.console import Console

from clients.app import app
from clients.consent import proposals, read_ledger
from clients.reward_store import load_reward
from guerdon.audit import Area, Attack, Disclosure
from guerdon.types import Contribution
from server.app import mediate
from server.config import ConfigError, RunConfig
from server.report.mediator_page import mediator_page
from server.run_directory import RunDirectory
from simulations.present import present
from strategies.auditing import audit_statistics, exposure_of, why_held_back
from strategies.model_rewards import ModelRewards
from strategies.session import Outcome
from tests.fakes import LocalGrid
from wire.kinds import kind_of
from wire.pages.party_page import party_page

PARTIES = ("east", "north", "west")
SYNTHETIC = {
    "strategy": "SyntheticDataRewards(size=400)",
    "generator": "GaussianMixture(components=2)",
    "scheme": "RectifiedRhoShapley(incentive='rational')",
}
COPIES = {**SYNTHETIC, "generator": "KernelDensity(bandwidth=0.001)"}
TRAINED = "MmdGan(epochs=2, batch=20, critic_steps=1, noise=4, width=8)"
RIDGE = {"model": "BayesianLinear(features='Affine()', noise=1.0)"}
OVERFIT = {
    "model": "GaussianProcess(kernel='rbf(lengthscale=0.3, outputscale=1.0)', noise=0.0001)",
    "discloses-rows": True,
}
CLASSES = {"strategy": "ClassificationRewards(labels=2)", "target": "sick"}


def rows(party: int, count: int) -> pl.DataFrame:
    rng = np.random.default_rng(party)
    X = rng.normal(size=(count, 3)) + 0.3 * party
    y = 10.0 * X[:, 0] + 3.0 * rng.normal(size=count)
    sick = (X[:, 1] + rng.normal(size=count) > 0.3).astype(float)
    return pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "outcome": y, "sick": sick})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path, 80)


def written(folder: Path, count: int) -> Path:
    (folder / "data").mkdir()
    for k, party in enumerate(PARTIES):
        rows(k, count + 8 * k).write_parquet(folder / "data" / f"{party}.parquet")
    (folder / "data" / "parties.json").write_text(json.dumps(PARTIES))
    return folder / "data"


def config(data: Path, **changes: Any) -> dict[str, Any]:
    base = {
        "data-dir": str(data),
        "run-dir": str(data.parent / "run"),
        "target": "outcome",
        "parties": ",".join(PARTIES),
        "uncertainty": False,
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    if "strategy" in changes and changes["strategy"].startswith("Synthetic"):
        base["target"] = "sick"
    return {**base, **{key.replace("_", "-"): value for key, value in changes.items()}}


def run(settings: dict[str, Any], **grid: Any) -> RunDirectory:
    nodes: dict[int, Any] = {100 + 7 * k: {"partition-id": k, "num-partitions": 3} for k in range(3)}
    if settings.get("discloses-rows"):
        nodes = {node: {**own, "discloses-rows": True} for node, own in nodes.items()}
    return mediate(LocalGrid(app, nodes, settings, **grid), settings)


def areas(record: dict[str, Any], name: str) -> list[float]:
    return [a["auc"] for p in record["parties"] for a in p["disclosure"]["attacks"] if a["name"] == name]


@pytest.mark.parametrize("parts", [SYNTHETIC, RIDGE, CLASSES], ids=["synthetic", "model", "classes"])
def test_every_reward_is_audited_before_it_goes_out(data: Path, parts: dict[str, Any]) -> None:
    directory = run(config(data, **parts))
    record = directory.read_allocation()
    assert record["stage"] == "delivered"
    for entry in record["parties"]:
        found = entry["disclosure"]
        assert found["reason"] == ""
        assert found["attacks"] or found["harmless"]
        for attack in found["attacks"]:
            assert 0.0 <= attack["interval"]["least"] <= attack["auc"] <= attack["interval"]["most"] <= 1.0
        assert found["most"] == max((a["interval"]["most"] for a in found["attacks"]), default=0.5)
        told = load_reward(Path(entry["store"])).about["exposed"]
        assert told["auc"] == round(told["auc"], 2) == entry["exposed"]["auc"]
    names = [line["event"] == "stage" and line["stage"] for line in events(directory)]
    assert names.index("audit") < names.index("deliver")
    assert "What a reward gives away" in mediator_page(record)
    printed = io.StringIO()
    present(record, directory.path, Console(file=printed, width=160))
    assert "What a reward gives away" in printed.getvalue()


def events(directory: RunDirectory) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory.path / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_audit_changes_no_reward(data: Path) -> None:
    record = run(config(data, **SYNTHETIC, run_dir=str(data.parent / "one"))).read_allocation()
    made = load_reward(Path(record["parties"][0]["store"]))
    directory = RunDirectory(data.parent / "one")
    (data.parent / "two").mkdir()
    (data.parent / "two" / "noise_seed").write_bytes((directory.path / "noise_seed").read_bytes())
    other = run(config(data, **SYNTHETIC, run_dir=str(data.parent / "two"), audit=False)).read_allocation()
    assert other["parties"][0].get("disclosure") is None
    again = load_reward(Path(other["parties"][0]["store"]))
    np.testing.assert_array_equal(made.arrays["points"], again.arrays["points"])


def test_near_copies_are_found_out_and_a_mixture_is_not(tmp_path: Path) -> None:
    copies = run(config(written(tmp_path, 60), **COPIES)).read_allocation()
    assert max(areas(copies, "nearest row")) > 0.9  # a reward of few rows tells less
    (tmp_path / "again").mkdir()
    mixture = run(config(written(tmp_path / "again", 60), **SYNTHETIC)).read_allocation()
    assert max(areas(mixture, "nearest row")) < 0.65


def test_a_process_that_interpolates_is_found_out_by_its_losses_and_a_ridge_is_not(tmp_path: Path) -> None:
    overfit = run(config(written(tmp_path, 60), **OVERFIT)).read_allocation()
    assert max(areas(overfit, "log loss")) > 0.85
    assert max(areas(overfit, "rows that stand in the model")) == 1.0
    (tmp_path / "again").mkdir()
    ridge = run(config(written(tmp_path / "again", 60), **RIDGE)).read_allocation()
    assert max(areas(ridge, "log loss")) < 0.6
    assert areas(ridge, "rows that stand in the model") == []


@pytest.mark.parametrize("parts", [COPIES, OVERFIT], ids=["synthetic", "model"])
def test_what_gives_away_more_than_the_limit_is_held_back_and_its_party_told(data: Path, parts: dict[str, Any]) -> None:
    settings = config(data, **parts, max_disclosure=0.6)
    directory = run(settings)
    record = directory.read_allocation()
    held = [entry for entry in record["parties"] if entry.get("held_back")]
    assert held
    assert record["stage"] == "rewarded"
    for entry in held:
        assert not entry["delivered"]
        assert entry["reward"] is None
        assert entry["held_back"].startswith("max-disclosure = 0.6, and which rows of others")
        store = data / f"{entry['party']}-reward"
        reward = load_reward(store / "run")
        assert reward.arrays == {}
        assert reward.about["held_back"] == entry["held_back"]
        assert f"Why: {entry['held_back']}." in kind_of(reward.about).lines(reward)
        page = party_page(reward.about)
        assert "Why it is held back" in page
        assert "What another ρ would mean" not in page
        assert [line["action"] for line in read_ledger(store)][-1] == "held back"
        (proposal,) = proposals(store)
        assert proposal["terms"]["max-disclosure"].startswith("0.6: a reward is held back unless")
    kept = [p for p in directory.path.glob("rewards/*/reward.npz") if p.parent.name in {e["party"] for e in held}]
    assert all(not np.load(path).files for path in kept)  # nowhere, so that nothing of it can go out by mistake
    actions = [(line["action"], line.get("party")) for line in directory.read_ledger()]
    assert {("held back", entry["party"]) for entry in held} <= set(actions)
    assert {("told", entry["party"]) for entry in held} <= set(actions)
    assert [e["party"] for e in events(directory) if e["event"] == "held back"] == [e["party"] for e in held]
    printed = io.StringIO()
    present(record, directory.path, Console(file=printed, width=160))
    assert f"held back {held[0]['party']}: max-disclosure" in printed.getvalue()
    assert "To try again" not in printed.getvalue()
    assert "Held back" in mediator_page(record)

    again = run({**settings, "resume": True}).read_allocation()
    assert [e.get("held_back") for e in again["parties"]] == [e.get("held_back") for e in record["parties"]]
    assert [e["delivered"] for e in again["parties"]] == [e["delivered"] for e in record["parties"]]
    with pytest.raises(AggregationError, match=r"max-disclosure was 0\.6 and is 1\.0"):
        run({**settings, "resume": True, "max-disclosure": 1.0})


def test_the_run_goes_on_for_the_others(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def audited(*_: Any, **__: Any) -> list[Disclosure]:
        bad, good = Area(0.7, 0.65, 0.75), Area(0.5, 0.45, 0.55)
        return [
            Disclosure(party, (Attack("nearest row", bad if party == "north" else good),), rows=100)
            for party in PARTIES
        ]

    monkeypatch.setattr("strategies.model_rewards.audit_models", audited)
    record = run(config(data, **RIDGE, max_disclosure=0.6)).read_allocation()
    assert [entry["delivered"] for entry in record["parties"]] == [True, False, True]
    assert all((entry["reward"] is None) == (entry["party"] == "north") for entry in record["parties"])


@pytest.mark.slow
def test_rows_of_what_was_made_before_the_run_are_not_taken_for_harmless(data: Path) -> None:
    """Twins of theirs would draw from one source, which may have been made of these very rows, and be told .5."""
    parts = {**SYNTHETIC, "generator": TRAINED, "scheme": "RectifiedRhoShapley(incentive='none')"}
    trained = run(config(data, **parts, stop_after="valuation")).path / "generator.npz"
    pooled = pl.concat([pl.read_parquet(data / f"{party}.parquet") for party in PARTIES])
    given = data.parent / "given.parquet"
    pooled.write_parquet(given)  # the parties' own rows
    for name, path in (("generator_file", trained), ("synthetic_file", given)):
        source = {name: str(path)}
        settings = config(data, **parts, **source, run_dir=str(data.parent / name), max_disclosure=0.9)
        record = run(settings).read_allocation()
        assert any("made before this run" in sentence for sentence in record["diagnostics"])
        for entry in record["parties"]:
            assert entry["disclosure"]["most"] == (0.5 if entry["synthetic_rows"] == 0 else 1.0)
            assert ("could not be audited" in (entry.get("held_back") or "")) == (entry["synthetic_rows"] > 0)


def test_values_by_public_rows_are_audited_too(data: Path) -> None:
    public = data.parent / "public.parquet"
    rows(1, 80).write_parquet(public)
    value = {"valuation": "MaximumMeanDiscrepancy(reference='public')", "public_file": str(public)}
    parts = {**SYNTHETIC, "scheme": "RectifiedRhoShapley(incentive='none')"}
    record = run(config(data, **parts, **value, max_disclosure=0.99)).read_allocation()
    assert [entry["disclosure"]["reason"] for entry in record["parties"]] == ["", "", ""]
    assert all(entry["disclosure"]["attacks"] or entry["disclosure"]["harmless"] for entry in record["parties"])
    assert record["stage"] == "delivered"


def test_a_column_that_does_not_vary_hides_no_copies(data: Path) -> None:
    for party in PARTIES:  # of which a standard deviation is 1e-17
        path = data / f"{party}.parquet"
        pl.read_parquet(path).with_columns(dose=pl.lit(0.1)).write_parquet(path)
    record = run(config(data, **COPIES, standardize=False)).read_allocation()
    for name in ("nearest row", "guessing cells"):
        assert max(areas(record, name)) > 0.9, name


def test_what_gives_away_less_goes_out(tmp_path: Path) -> None:
    for name, parts in (("synthetic", SYNTHETIC), ("model", RIDGE)):
        (tmp_path / name).mkdir()
        record = run(config(written(tmp_path / name, 400), **parts, max_disclosure=0.6)).read_allocation()
        assert record["stage"] == "delivered", [entry.get("held_back") for entry in record["parties"]]


def test_what_can_not_be_audited_is_said_and_held_back_where_there_is_a_limit(tmp_path: Path) -> None:
    folder = written(tmp_path, 40)
    pl.concat([rows(9, 2)] * 10).write_parquet(folder / "east.parquet")  # two different rows
    settings = config(folder, **RIDGE, min_parties=2, holdout=0.0)
    record = run(settings).read_allocation()
    assert record["stage"] == "delivered"
    assert "halves take at least 4" in record["parties"][0]["disclosure"]["reason"]
    assert any("what rewards give away was not found out of east, north, west: " in d for d in record["diagnostics"])
    limited = run({**settings, "run-dir": str(tmp_path / "limited"), "max-disclosure": 0.9}).read_allocation()
    assert all("could not be audited" in entry["held_back"] for entry in limited["parties"])


class OwnValue(ModelRewards):
    """A strategy of somebody's own, which says nothing of what its rewards give away."""

    found: ClassVar[list[Disclosure] | None] = None

    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        found = self.found
        return replace(super().value(contributions), audit=None if found is None else lambda: found)


@pytest.mark.parametrize("found", [None, [Disclosure("east", harmless=True)]], ids=["no audit", "of one party only"])
def test_what_a_strategy_did_not_look_into_is_held_back_where_there_is_a_limit(
    data: Path, monkeypatch: pytest.MonkeyPatch, found: list[Disclosure] | None
) -> None:
    monkeypatch.setattr(OwnValue, "found", found)
    settings = config(data, **RIDGE, strategy=f"{__name__}:OwnValue()")
    assert run(settings).read_allocation()["stage"] == "delivered"
    limited = run({**settings, "run-dir": str(data.parent / "limited"), "max-disclosure": 0.9}).read_allocation()
    held = [entry["party"] for entry in limited["parties"] if "could not be audited" in (entry.get("held_back") or "")]
    assert held == [party for party in PARTIES if party not in {own.party for own in found or ()}]
    assert any("the strategy did not look" in sentence for sentence in limited["diagnostics"])


@pytest.mark.parametrize("nothing", [float("nan"), float("inf")])
def test_an_attack_that_comes_to_no_number_shows_nothing(nothing: float) -> None:
    areas = [Area(0.5, 0.45, 0.55), Area(nothing, nothing, nothing)]
    for order in (areas, areas[::-1]):  # the largest of numbers and none depends on which comes first
        found = Disclosure("east", tuple(Attack("nearest row", area) for area in order), rows=40)
        assert found.most == 1.0
        assert why_held_back(found, 0.9)
    assert Disclosure("east", bound=nothing).most == 1.0


def test_the_upper_end_decides() -> None:
    found = Disclosure("east", (Attack("nearest row", Area(0.55, 0.48, 0.62)),), rows=40)
    assert why_held_back(found, 0.65) == ""
    assert why_held_back(found, 0.6).endswith("the upper end decides, and on so few rows it is no lower")
    assert "upper end" not in why_held_back(Disclosure("east", (Attack("x", Area(0.7, 0.65, 0.75)),)), 0.6)
    # Its party is told this too, and why could be a fact about another one.
    assert why_held_back(Disclosure("east", reason="why"), 0.99) == "max-disclosure = 0.99, and it could not be audited"
    assert why_held_back(Disclosure("east", harmless=True), 0.51) == ""


def test_a_party_is_told_the_worst_that_others_rewards_tell_of_its_rows() -> None:
    found = [
        Disclosure("east", exposed={"west": Area(0.6, 0.5, 0.7)}),
        Disclosure("north", exposed={"west": Area(0.651, 0.5, 0.7), "east": Area(0.5, 0.4, 0.6)}),
    ]
    assert exposure_of("west", found) == {"auc": 0.65, "least": 0.5, "most": 0.7, "rewards": 2}
    assert exposure_of("north", found) == {}


class _Made:
    def __init__(self, party: str, eta: float = 1.0) -> None:
        self.party, self.eta = party, eta

    def facts(self) -> dict[str, Any]:
        return {"eta": self.eta}


class _Sums:
    def __init__(self, party: str, epsilon: float) -> None:
        self.party, self.epsilon, self.delta, self.exact = party, epsilon, 1e-5, not np.isfinite(epsilon)


def test_of_sums_the_noise_promises_a_bound_and_nothing_else_is_known() -> None:
    sums = [_Sums("east", 1.0), _Sums("north", 3.0), _Sums("west", np.inf)]
    made: Any = [_Made("east"), _Made("north", np.inf), _Made("west")]
    east, north, west = audit_statistics(sums, made)
    assert "west sent sums without noise" in east.reason
    assert east.most == 1.0
    assert north.harmless
    assert west.bound is not None
    assert 0.6 < west.bound < 0.75  # of north's epsilon of 3
    (_, _, alone) = audit_statistics([_Sums("a", 1.0), _Sums("b", 1.0), _Sums("c", 1.0)], [_Made(p) for p in "abc"])  # type: ignore[misc]
    assert 0.55 < alone.most < 0.6
    assert "all that the noise on the others' sums promises" in why_held_back(west, 0.6)


@pytest.mark.parametrize("value", [0.5, 0.0, -1.0, 1.01, float("nan"), "0.6", True])
def test_a_limit_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="max-disclosure"):
        RunConfig.parse({"max-disclosure": value})


def test_a_limit_needs_the_audit(data: Path) -> None:
    with pytest.raises(ConfigError, match="leave out audit = false"):
        RunConfig.parse({"max-disclosure": 0.6, "audit": False})
    with pytest.raises(ValueError, match="CosineGradientRewards does not find out what its rewards give away"):
        run(config(data, strategy="CosineGradientRewards()", target="sick", max_disclosure=0.6))
