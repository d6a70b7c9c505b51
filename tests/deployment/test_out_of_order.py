"""A mediator with the right key, between real processes and signed, that asks beside the protocol's order."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.approval import app_hash
from clients.consent import proposals, read_ledger
from simulations.staging import stage
from tests.deployment.consortium import PARTIES, Consortium
from tests.deployment.runs import Run, node_config, store, write_data

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(900)]  # three minutes

ROGUE = '''
"""Model rewards that also ask what was not agreed on, and write down what is said to that."""

from dataclasses import replace

import numpy as np
from flwr.app import Message, RecordDict

from strategies import ModelRewards
from wire import messages
from wire.messages import Receipt, Reward


class Rogue(ModelRewards):
    def requests(self, server_round, grid):
        self.grid = grid
        agreed = super().requests(server_round, grid)
        self.agreed = [(m.metadata.dst_node_id, m.content.copy()) for m in agreed]
        honest = self.proposal
        self.proposal = replace(honest, terms={**honest.terms, "retain-until": "not said"})
        self.ask_all("other terms", messages.CONTRIBUTE)
        self.proposal = honest
        self.ask_all("scores before rows", messages.SCORE_ALONE, self.crafted)
        return agreed

    def alone_requests(self):
        self.ask_all("rows again", messages.CONTRIBUTE)
        same = [Message(content, node, messages.CONTRIBUTE) for node, content in self.agreed]
        self.tell("the same bytes again", same)
        for _ in range(2):
            self.ask_all("scores of a crafted model", messages.SCORE_ALONE, self.crafted)
        return super().alone_requests()

    def crafted(self):
        d = len(next(iter(self.introductions.values())).feature_names)
        scale = {"feature_mean": np.zeros(d), "feature_scale": np.ones(d), "target_mean": np.array(0.0)}
        arrays = {
            "kind": np.array("linear_gaussian"), "feature_names": np.array(["a", "b"]), "target": np.array("y"),
            "noise": np.array(np.nan), "posterior.mean": np.array(0.0), "posterior.noise": np.array(0.1),
            "posterior.weights": np.full(d + 1, 1e3), "posterior.root": 1e3 * np.eye(d + 1),
            "posterior.features.kind": np.array("Affine"),
            **{f"scaling.{name}": array for name, array in scale.items()}, "scaling.target_scale": np.array(1.0),
        }
        return messages.encode_pooled(Receipt("x", self.seal.sign_text("x")), Reward(arrays, {"kind": "model"}))

    def ask_all(self, what, kind, content=RecordDict):
        self.tell(what, [self._request(kind, node, content()) for node in self.nodes.values()])

    def tell(self, what, requests):
        for reply in self.grid.send_and_receive(requests, timeout=200.0):
            about, scores = reply.content.get("about", {}), reply.content.get("scores")
            said = about.get("refused") or ("ANSWERED" if scores is None else repr(sorted(scores.items())))
            self.journal.event("tried", what=what, said=said)
'''


def test_nothing_is_answered_but_what_was_introduced_and_once(consortium: Consortium, tmp_path: Path) -> None:
    (tmp_path / "my_rogue.py").write_text(ROGUE)
    app = stage([tmp_path / "my_rogue.py"], tmp_path / "app")
    write_data(consortium)
    approved = [app_hash(app)]
    nodes = {name: f"{node_config(consortium, name)} holdout=0.5" for name in PARTIES}
    services = [consortium.party(name, approved, node) for name, node in nodes.items()]
    run = Run(
        tmp_path / "rogue",
        strategy="my_rogue:Rogue()",
        model="BayesianLinear(noise=0.1)",
        **{"retain-until": "2099-12-31"},
    )
    try:
        run.submit(consortium, app)
        run.finish(600.0)
    finally:
        for service in services:
            service.stop()
    tried: dict[str, list[str]] = {}
    for event in run.events():
        if event["event"] == "tried":
            tried.setdefault(event["what"], []).append(event["said"])
    said = {
        "other terms": "is not what was introduced",
        "scores before rows": "has sent nothing to this run",
        "rows again": "they are sent once",
        "the same bytes again": "this very request has been answered already",
    }
    for what, words in said.items():
        assert len(tried[what]) == len(PARTIES)
        assert all(words in answer for answer in tried[what]), tried[what]
    # What was crafted is not scored: the party trains the model again on its own rows, once, and rounds.
    scores = tried["scores of a crafted model"]
    assert sorted(scores[: len(PARTIES)]) == sorted(scores[len(PARTIES) :])
    assert all("rmse" in answer and len(answer) < 200 for answer in scores)
    # And the run went on as it was agreed.
    assert sorted(run.delivered()) == sorted(PARTIES)
    for party in PARTIES:
        assert [about["terms"]["retain-until"] for about in proposals(store(consortium, party))] == ["2099-12-31"]
        actions = [entry["action"] for entry in read_ledger(store(consortium, party)) if entry["run"] == "rogue"]
        assert actions.count("contributed") == 1
        record = next(entry for entry in run.record()["parties"] if entry["party"] == party)
        assert record["alone"]["rmse"] < 3.0
        assert record["reward"]["rows"] >= 10
