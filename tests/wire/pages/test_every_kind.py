"""Every kind of reward has a report and a page for each party, which say what it is and nothing that it is not."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from server.run_directory import RunDirectory
from simulations.present import present
from simulations.spread import allocation_table
from simulations.testing import StrategySuite
from wire.kinds import columns_of

MODEL = {"model": "GaussianProcess(kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.1)"}
LINEAR = {"model": "BayesianLinear(noise=0.1, features='Affine()')"}
TEMPERED = {"realization": "LikelihoodTempering()"}
RHO = {"scheme": "RhoShapley(rho=0.4)"}

OWN = '''
import numpy as np

from strategies import Outcome, PoolingMediator
from strategies.record import own_record
from wire.messages import Reward


class Thanks(PoolingMediator):
    """Everybody gets the number of the pool's rows."""

    def value(self, contributions):
        rows = sum(map(len, contributions))
        entries = [{"party": c.party, "gave": len(c), "thanks": rows / len(c)} for c in contributions]
        columns = [("rows given", "gave"), ("thanks", "thanks")]
        record = own_record(self.settings.run, self.session.texts, entries, columns)
        about = {"kind": "thanks", "run": self.settings.run, "contains": "a number"}
        rewards = {c.party: Reward({"rows": np.array(rows)}, {**about, "party": c.party}) for c in contributions}
        return Outcome(record, alone={}, rewards=rewards)
'''

CASES: dict[str, tuple[str, bool, Mapping[str, Any], set[str], set[str]]] = {
    "noise": ("ModelRewards()", False, MODEL | RHO, {"noise ηᵢ", "reward rᵢ", "MNLP, alone → reward"}, {"power κᵢ"}),
    "tempered": (
        "ModelRewards()",
        False,
        MODEL | TEMPERED | RHO,
        {"power κᵢ", "MNLP, had it been noise"},
        {"noise ηᵢ", "added to the others' outputs"},
    ),
    "tempered linear": ("ModelRewards()", False, LINEAR | TEMPERED | RHO, {"power κᵢ"}, {"noise ηᵢ"}),
    "synthetic": (
        "SyntheticDataRewards(size=80)",
        True,
        {},
        {"rows got", "ceiling", "MMD², alone → reward", "logistic regression"},
        {"noise ηᵢ", "power κᵢ"},
    ),
    "gradients": (
        "CosineGradientRewards(rounds=3, classes=3)",
        True,
        {},
        {"importance, r_i", "share, downloaded", "labels that the network gets right"},
        {"logistic regression", "all coalitions", "noise ηᵢ"},
    ),
    "training time": (
        "TrainingTimeRewards(rounds=3, classes=3)",
        True,
        {},
        {"reward rate, gamma_i", "others, a round"},
        {"logistic regression", "all coalitions"},
    ),
    "own": ("my_thanks:Thanks()", False, {}, {"rows given", "thanks"}, {"all coalitions", "noise ηᵢ"}),
}


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_thanks.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    text, labelled, settings, there, absent = CASES[request.param]

    class Kind(StrategySuite):
        strategy = text
        labels = labelled
        config = dict(settings)  # noqa: RUF012

    (tmp_path / "home").mkdir()
    with Kind()._run(folder=tmp_path / "home") as directory:
        yield directory, there, absent
    sys.modules.pop("my_thanks", None)


def test_the_report_and_every_partys_page_say_what_the_kind_is(case: Any) -> None:
    directory, there, absent = case
    record = directory.read_allocation()
    report = (directory.path / "report.html").read_text(encoding="utf-8")
    assert not [words for words in there if words not in report]
    assert not [words for words in absent if words in report]
    for entry in record["parties"]:
        page = Path(entry["store"]) / "report.html"
        assert page.is_file(), f"{entry['party']} has no page"
        text = page.read_text(encoding="utf-8")
        assert entry["party"] in text
        assert f"run <b>{record['run']}</b>" in text
        assert "It holds" in text


def test_terminal_report_and_file_have_the_same_columns(case: Any) -> None:
    """Once, from the kind or the strategy: what a table has a column for is in the page and in the exported file."""
    directory: RunDirectory = case[0]
    record = directory.read_allocation()
    console = Console(width=400, record=True)
    present(record, directory.path, console)
    printed, report = console.export_text(), (directory.path / "report.html").read_text(encoding="utf-8")
    exported = allocation_table(record).columns
    columns = columns_of(record)
    assert columns
    for column in columns:
        assert column.header.split("\n")[0] in printed
        assert f">{column.label}</th>" in report
        places = column.place.replace(" -> ", ", ").replace(" | ", ", ").split(", ")
        assert any(place.partition(" ")[0] in exported for place in places), column.place
