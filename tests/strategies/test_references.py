"""References: which inputs of held-out rows leave a party, where they lie, and that nothing is scored on them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flwr.app import Array, ArrayRecord, Message
from flwr.serverapp.exception import AggregationError

from clients.__main__ import _proposal
from clients.app import app
from clients.consent import proposals, read_ledger
from clients.party_data import PartyData, PartyFile
from guerdon.models import GaussianProcess
from guerdon.realization import noise_variances, tempering_exponents
from guerdon.scaling import Scaling
from guerdon.valuation import PredictiveInformation
from server.app import mediate
from server.config import ConfigError, RunConfig
from server.run_directory import RunDirectory
from tests.fakes import LocalGrid
from wire import messages
from wire.references import asked_references, references_term

PARTIES = ("east", "north", "west")
MODEL = "GaussianProcess(kernel='rbf(lengthscale=2.0, outputscale=1.0)', noise=0.3)"
LINEAR = "BayesianLinear(features='Affine()', noise=0.3)"


def rows(seed: int, count: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3))
    y = 10.0 * np.sin(X[:, 0]) + X[:, 1] + rng.normal(size=count) + 50.0
    return pl.DataFrame({"age": X[:, 0], "bmi": X[:, 1], "bp": X[:, 2], "outcome": y})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, party in enumerate(PARTIES):
        rows(seed, 40 + 20 * seed).write_parquet(folder / f"{party}.parquet")
    return folder


def run(
    data: Path,
    *,
    nodes: dict[str, dict[str, Any]] | None = None,
    tamper: Any = None,
    order: tuple[str, ...] = PARTIES,
    **changes: Any,
) -> RunDirectory:
    """A run of real parties, by their own node configs."""
    settings = {
        "run-dir": str(data.parent / "run"),
        "target": "outcome",
        "parties": ",".join(PARTIES),
        "valuation": "PredictiveInformation()",
        "model": LINEAR,
        "join-timeout": 0.5,
        "timeout": 0.5,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    configs = {
        100 + k: {
            "party": party,
            "data-path": str(data / f"{party}.parquet"),
            "holdout": 0.5,
            "min-held-out": 5,
            "discloses-rows": True,
            **(nodes or {}).get(party, {}),
        }
        for k, party in enumerate(order)
    }
    return mediate(LocalGrid(app, configs, settings, tamper), settings)


def pool_of(directory: RunDirectory) -> list[Any]:
    return (directory.load_pool() or pytest.fail("no pool was kept"))[0]


def read(data: Path, party: str) -> PartyData:
    config = {"party": party, "data-path": str(data / f"{party}.parquet"), "holdout": 0.5, "min-held-out": 5}
    return PartyData.read(PartyFile.of(config, {"target": "outcome"}))


def as_set(X: Any) -> set[bytes]:
    return {row.tobytes() for row in np.ascontiguousarray(X)}


def test_half_of_the_held_out_inputs_leave_and_the_other_half_is_scored(data: Path) -> None:
    directory = run(data)
    entries = {entry["party"]: entry for entry in directory.read_allocation()["parties"]}
    for c in pool_of(directory):
        held = read(data, c.party)
        assert len(c.references) == entries[c.party]["reference_inputs"] == len(held.held_inputs) // 2
        assert as_set(c.references) < as_set(held.held_inputs)
        scored = len(held.held_inputs) - len(c.references)
        assert entries[c.party]["reward"]["rows"] == entries[c.party]["alone"]["rows"] == scored
        assert entries[c.party]["reference_weight"] == pytest.approx(1 / 3)
    assert entries["east"]["reached"] == pytest.approx(entries["east"]["target"], rel=1e-11)


def test_no_output_of_a_held_out_row_leaves(data: Path) -> None:
    seen: list[bytes] = []

    def look(node: int, message: Message, reply: Message) -> Message:
        for record in reply.content.values():
            if isinstance(record, ArrayRecord):
                seen.extend(array.data for array in record.values())
        return reply

    run(data, tamper=look)
    everything = b"".join(seen)
    for party in PARTIES:
        held = read(data, party)
        assert not [y for y in held.held_outputs if y.tobytes() in everything]  # type: ignore[union-attr]
        sent = [x for x in held.held_inputs if x.tobytes() in everything]
        assert len(sent) == len(held.held_inputs) // 2


@pytest.mark.parametrize("realization", ["NoiseInjection()", "LikelihoodTempering()"])
def test_the_numbers_are_those_of_the_mathematics(data: Path, realization: str) -> None:
    directory = run(data, model=MODEL, discloses_rows=True, scheme="RhoShapley(rho=0.2)", realization=realization)
    record, pool = directory.read_allocation(), pool_of(directory)
    scaling = Scaling.of_pool(pool)
    scaled = [scaling.apply(c) for c in pool]
    model = GaussianProcess("rbf(lengthscale=2.0, outputscale=1.0)", noise=0.3)
    game = PredictiveInformation(model, [c.references for c in scaled]).game(scaled)
    assert record["unit"] == "nats a prediction"
    assert record["values"] == pytest.approx(game.table().tolist(), abs=1e-12)
    targets = [entry["target"] for entry in record["parties"]]
    if realization == "NoiseInjection()":
        etas = noise_variances(game, scaled, targets) * scaling.target_scale**2
        assert [e["eta"] for e in record["parties"]] == pytest.approx(etas, rel=1e-8)
    else:
        kappas = tempering_exponents(game, scaled, targets)
        assert [e["kappa"] for e in record["parties"]] == pytest.approx(kappas, rel=1e-8)


def test_the_order_of_arrival_changes_nothing(data: Path) -> None:
    one = run(data, run_dir=str(data.parent / "one"))
    other = run(data, run_dir=str(data.parent / "other"), order=PARTIES[::-1])
    assert one.read_allocation()["values"] == other.read_allocation()["values"]


def test_a_party_may_decline_and_its_weight_goes_to_the_others(data: Path) -> None:
    directory = run(data, nodes={"north": {"share-references": False}})
    record, pool = directory.read_allocation(), {c.party: c for c in pool_of(directory)}
    assert pool["north"].references is None
    weights = {entry["party"]: entry["reference_weight"] for entry in record["parties"]}
    assert weights == {"east": 0.5, "north": 0.0, "west": 0.5}
    assert any("north brings no references" in note and "declines" in note for note in record["notes"])
    assert [e["party"] for e in directory.read_ledger() if e["action"] == "no references"] == ["north"]
    entry = next(e for e in record["parties"] if e["party"] == "north")
    assert entry["reward"]["rows"] == len(read(data, "north").held_inputs), "nothing was sent, so all rows are scored"


def test_a_run_where_nobody_brings_any_ends_with_the_reasons(data: Path) -> None:
    declining = {party: {"share-references": False} for party in PARTIES}
    with pytest.raises(AggregationError, match=r"nobody brings references \(east: it declines .*references = .public"):
        run(data, nodes=declining)


def test_few_held_out_rows_are_kept_for_the_scores(data: Path) -> None:
    directory = run(data, nodes={"east": {"min-held-out": 18}, "north": {"min-held-out": 30}})
    counts = {e["party"]: e["reference_inputs"] for e in directory.read_allocation()["parties"]}
    assert counts == {"east": 2, "north": 0, "west": 20}
    assert any("it holds out too few rows" in note for note in directory.read_allocation()["notes"])


def test_a_number_bounds_what_is_asked(data: Path) -> None:
    directory = run(data, references=4)
    assert [len(c.references) for c in pool_of(directory)] == [4, 4, 4]


def test_the_proposal_says_it_and_the_party_can_look(data: Path) -> None:
    run(data, nodes={"north": {"share-references": False}})
    store = data / "east-reward"
    (about,) = proposals(store)
    assert about["terms"]["references"] == references_term(200)
    assert asked_references(about["terms"]) == 200
    said = "\n".join(_proposal(about, frozenset(), store))
    assert "but the inputs of 10 of them, without their outputs, are sent as references and not scored on" in said
    (declined,) = proposals(data / "north-reward")
    assert "no references are sent: it declines" in "\n".join(_proposal(declined, frozenset(), store))
    (sent,) = [entry for entry in read_ledger(store) if entry["action"] == "contributed"]
    assert sent["references"] == 10
    assert sent["sha256"] == about["sha256"], "what was to be sent is what was sent"


def test_a_run_of_another_valuation_asks_for_none(data: Path) -> None:
    directory = run(data, valuation="InformationGain()")
    (about,) = proposals(data / "east-reward")
    assert "references" not in about["terms"]
    assert about["references"] == 0
    assert all(c.references is None for c in pool_of(directory))
    assert "reference_inputs" not in directory.read_allocation()["parties"][0]


def test_rows_whose_inputs_are_known_are_not_scored_in_later_runs(data: Path) -> None:
    first = run(data, run_dir=str(data.parent / "first"))
    later = run(data, run_dir=str(data.parent / "later"), valuation="InformationGain()")
    before = {e["party"]: e["reward"]["rows"] for e in first.read_allocation()["parties"]}
    assert {e["party"]: e["reward"]["rows"] for e in later.read_allocation()["parties"]} == before
    again = run(data, run_dir=str(data.parent / "again"))
    for one, two in zip(pool_of(first), pool_of(again), strict=True):
        assert as_set(one.references) == as_set(two.references), "the same ones again show nothing new"


def test_a_file_that_grows_sends_the_old_ones_first(data: Path) -> None:
    first = run(data, run_dir=str(data.parent / "first"), references=6)
    grown = pl.concat([pl.read_parquet(data / "east.parquet"), rows(9, 40)])
    grown.write_parquet(data / "east.parquet")
    later = run(data, run_dir=str(data.parent / "later"), references=8)
    assert as_set(pool_of(first)[0].references) < as_set(pool_of(later)[0].references)


def test_rows_that_are_the_same_share_their_fate(data: Path) -> None:
    table = rows(3, 20)
    pl.concat([table] * 3).write_parquet(data / "east.parquet")
    directory = run(data)
    east = pool_of(directory)[0]
    held = read(data, "east")
    scored = as_set(held.held_inputs) - as_set(east.references)
    assert not scored & as_set(east.references)
    entry = directory.read_allocation()["parties"][0]
    assert entry["reward"]["rows"] == len(held.held_inputs) - len(east.references)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 2)), r"references of party 'east' must have shape \(rows, 3\)"),
        (np.full((3, 3), np.nan), "references of party 'east' must be finite"),
        (np.zeros((3, 3), dtype=np.float32), "references must be float64"),
        (np.zeros((201, 3)), "it holds 201 references, and at most 200 were asked for"),
        (np.full((3, 3), 1e200), "of its references, column 'age': 3 numbers beyond"),
    ],
)
def test_references_that_are_none_are_refused(data: Path, array: Any, reason: str) -> None:
    def lie(node: int, message: Message, reply: Message) -> Message:
        if node == 100 and message.metadata.message_type == messages.CONTRIBUTE:
            arrays = reply.content["arrays"]
            assert isinstance(arrays, ArrayRecord)
            arrays["references"] = Array(array)
        return reply

    directory = run(data, tamper=lie)
    (entry,) = directory.read_allocation()["refused"]
    assert entry["party"] == "east"
    assert re.search(reason, entry["reason"]), entry["reason"]


def test_references_that_nobody_asked_for_are_refused(data: Path) -> None:
    def lie(node: int, message: Message, reply: Message) -> Message:
        if node == 100 and message.metadata.message_type == messages.CONTRIBUTE:
            arrays = reply.content["arrays"]
            assert isinstance(arrays, ArrayRecord)
            arrays["references"] = Array(np.zeros((3, 3)))
        return reply

    directory = run(data, tamper=lie, valuation="InformationGain()")
    (entry,) = directory.read_allocation()["refused"]
    assert "it holds 3 references, and nobody asked for any" in entry["reason"]


def test_public_references_ask_nothing_of_the_parties(data: Path) -> None:
    public = data.parent / "public.parquet"
    rows(7, 25).write_parquet(public)
    directory = run(data, references="public", public_file=str(public))
    assert all(c.references is None for c in pool_of(directory))
    (about,) = proposals(data / "east-reward")
    assert about["terms"]["references"] == references_term(None)
    assert about["references"] == 0
    assert any("public rows" in said for said in directory.read_allocation()["diagnostics"])
    with pytest.raises(ValueError, match=r"references = .public. are the inputs of public rows: name them"):
        run(data, references="public", run_dir=str(data.parent / "other"))


def test_a_resumed_run_has_them_and_purge_deletes_them(data: Path) -> None:
    first = run(data, stop_after="valuation")
    valued = first.read_allocation()["values"]
    resumed = run(data, resume=True)
    assert resumed.read_allocation()["values"] == valued
    assert resumed.read_allocation()["stage"] == "delivered"
    with pytest.raises(AggregationError, match="references was"):
        run(data, resume=True, references=3)
    kept = [path for path in resumed.path.rglob("*.npz") if "references" in np.load(path).files]
    assert len(kept) == 3
    resumed.purge()
    assert not [path for path in kept if path.exists()]


def test_ledger_and_record_hold_no_input(data: Path) -> None:
    directory = run(data)
    written = "".join(
        (directory.path / name).read_text(encoding="utf-8")
        for name in ("events.jsonl", "ledger.jsonl", "allocation.json", "report.html")
    )
    numbers = [repr(float(x)) for party in PARTIES for x in read(data, party).held_inputs.ravel()]
    assert not [x for x in numbers if x in written]
    page = (directory.path / "report.html").read_text(encoding="utf-8")
    assert "nats a prediction" in page
    assert "rows that 3 of 3 parties hold out" in page
    about = json.loads((data / "east-reward" / "run" / "reward.json").read_text())
    assert about["references"] == {"inputs": 10, "weight": pytest.approx(1 / 3)}


@pytest.mark.parametrize("value", [0, -3, True, "mine"])
def test_references_is_a_word_or_a_number(value: Any) -> None:
    with pytest.raises(ConfigError, match="references"):
        RunConfig.parse({"references": value})


def test_a_term_that_nobody_knows_is_refused() -> None:
    with pytest.raises(messages.MessageError, match="expected the run's term references"):
        asked_references({"references": "all held-out rows with their outputs"})
    assert asked_references({}) == asked_references({"references": references_term(None)}) == 0
