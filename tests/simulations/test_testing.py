"""The strategies' conformance suite, both ways: ours pass, and each of its tests fails for some broken strategy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from simulations.testing import StrategySuite

BROKEN = '''
import numpy as np

from strategies import Outcome, TrustedMediator
from wire.messages import Reward
from strategies.record import own_record


class Broken(TrustedMediator):
    """Gives each party the number of the pool's rows, wrong in one way."""

    def __init__(self, fault=""):
        self.fault = fault
        self.handlers = {"count": len} if fault == "a handler of no kind" else {}

    def ask(self, kind, nodes, content=None):
        self.first = next(iter(nodes), self.__dict__.get("first"))
        if self.fault == "blind to who came" and kind == "train.contribute":
            self.came = list(self.nodes.values())
        return super().ask(kind, nodes, content)

    def join(self, grid):
        refused = super().join(grid)
        if not self.__dict__.get("came"):
            self.came = list(self.nodes)[0]
        self.order = [node for node in grid.get_node_ids()]
        return refused

    def unanswered(self, party, stage, reason):
        if self.fault == "silent on silence":
            self.nodes.pop(party, None)
        elif self.fault == "gives up":
            raise RuntimeError(reason)
        else:
            super().unanswered(party, stage, reason)

    def made_before(self):
        return None if self.fault == "makes them again" else super().made_before()

    def value(self, contributions):
        drawn = np.random.default_rng().random() if self.fault == "unseeded" else 0.0
        if self.fault == "makes them again" and self.settings.resume:
            drawn = 1.0
        if self.fault == "first come":
            drawn = float(self.order[0])
        if self.fault == "chatty":
            self.journal.ledger("saw", x=repr(float(contributions[0].X[0, 0])))
        rewards = {}
        for c in contributions:
            about = {"kind": "count", "party": c.party, "run": self.settings.run}
            if self.fault == "misaddressed":
                about["run"] = "another"
            rewards[c.party] = Reward({"rows": np.array([len(contributions) + drawn])}, about)
        entries = [{"party": c.party} for c in contributions]
        record = own_record(self.settings.run, self.session.texts, entries, [("party", "party")])
        if self.fault == "unshowable":
            record["columns"] = [("only one",)]
        return Outcome(record, {}, rewards)
'''

FAULTS = [
    ("a handler of no kind", "test_the_run_config_takes_it"),
    ("misaddressed", "test_every_party_takes_its_own_reward"),
    ("unshowable", "test_its_record_can_be_shown"),
    ("first come", "test_the_order_of_arrival_changes_nothing"),
    ("unseeded", "test_same_secret_same_rewards"),
    ("makes them again", "test_a_missed_reward_comes_as_it_was"),
    ("silent on silence", "test_who_does_not_answer_is_named"),
    ("gives up", "test_who_does_not_answer_is_named"),
    ("chatty", "test_no_row_is_written_where_others_look"),
]


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken_strategy.py").write_text(BROKEN)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("broken_strategy", None)


def suite(text: str, **attributes: Any) -> StrategySuite:
    made: StrategySuite = type("Subject", (StrategySuite,), {"strategy": text, **attributes})()
    return made


def test_the_faultless_stand_in_passes() -> None:
    suite("broken_strategy:Broken()").run()


@pytest.mark.parametrize(("fault", "test"), FAULTS)
def test_a_broken_strategy_fails(fault: str, test: str) -> None:
    with pytest.raises(Exception) as failure:  # noqa: PT011 - an assertion's or the strategy's own
        getattr(suite(f"broken_strategy:Broken(fault={fault!r})"), test)()
    assert str(failure.value)


def test_every_test_has_a_strategy_that_fails_it() -> None:
    assert {test for _, test in FAULTS} == set(StrategySuite.list_tests())


class TestClassificationRewards(StrategySuite):
    strategy = "ClassificationRewards(labels=('low', 'middle', 'high'))"
    labels = True


class TestModelRewards(StrategySuite):
    strategy = "ModelRewards()"
    config = {"model": "GaussianProcess(kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.1)"}  # noqa: RUF012


class TestTrainingTimeRewards(StrategySuite):
    strategy = "TrainingTimeRewards(rounds=2, classes=3)"
    labels = True


class TestCosineGradientRewards(StrategySuite):
    strategy = "CosineGradientRewards(rounds=2, classes=3)"
    labels = True
