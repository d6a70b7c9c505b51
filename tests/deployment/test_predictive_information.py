"""Predictive information between real processes: inputs of held-out rows travel signed, and a party may decline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clients.approval import app_hash
from clients.consent import proposals
from simulations.staging import stage
from tests.deployment.consortium import PARTIES, Consortium
from tests.deployment.runs import Run, node_config, store, write_data
from wire.references import references_term

pytestmark = pytest.mark.deployment


@pytest.mark.slow
def test_a_run_by_predictions_in_which_one_party_sends_no_references(consortium: Consortium, tmp_path: Path) -> None:
    app = stage([], tmp_path / "app")
    write_data(consortium)
    declining = PARTIES[0]
    services = [
        consortium.party(
            name,
            [app_hash(app)],
            node_config(consortium, name) + (" share-references=false" if name == declining else ""),
        )
        for name in PARTIES
    ]
    try:
        run = Run(
            tmp_path / "predictions",
            model="BayesianLinear(noise='by-party', features='Affine()')",
            valuation="PredictiveInformation()",
            shapley="RowShapley(orders=64)",
        )
        run.submit(consortium, app)
        run.finish()
    finally:
        for service in services:
            service.stop()
    record = run.record()
    assert record["unit"] == "nats a prediction"
    assert sorted(run.delivered()) == sorted(PARTIES)
    brought = {entry["party"]: entry["reference_inputs"] for entry in record["parties"]}
    assert brought[declining] == 0
    assert [entry["party"] for entry in run.ledger("no references")] == [declining]
    for entry in record["parties"]:
        assert entry["reached"] == pytest.approx(entry["target"], rel=1e-9)
        assert entry["noise"]["learned"] > 0.0
        told = proposals(store(consortium, entry["party"]))  # of the other tests' runs too, at the same parties
        (about,) = [about for about in told if about["run"] == "predictions"]
        assert about["terms"]["references"] == references_term(200)
        kept = np.load(run.path / "pool" / f"{entry['party']}.npz")
        assert len(kept.get("references", ())) == brought[entry["party"]]
    for contributed in run.ledger("contributed"):
        assert len(contributed["signature"]) > 180
        assert contributed["references"] == brought[contributed["party"]]
