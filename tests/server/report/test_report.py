"""The mediator's page of a run: whole, small, its own, and no reason for a run to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import server.app
from guerdon.types import all_coalitions
from server.report import mediator_page, write_report
from server.report.run_pictures import run_pictures
from server.run_directory import RunDirectory, RunDirectoryError
from strategies.record import own_record
from tests.browser import Browser, browser, chromium
from tests.games import log_of_sum
from tests.server.report.records import model_record, synthetic_record
from tests.server.report.runs import MODEL, SYNTHETIC, run
from wire.kinds import columns_of
from wire.pages.glossary import MEANINGS
from wire.pages.page import LIMIT


def events(directory: RunDirectory) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory.path / "events.jsonl").read_text().splitlines()]


A4 = 688
"""CSS pixels across a page of paper within its margins of 14 mm."""


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser(chromium()) as opened:
        yield opened


@pytest.mark.parametrize("kind", [MODEL, SYNTHETIC], ids=["model", "synthetic"])
def test_every_run_ends_with_a_report(kind: dict[str, str], tmp_path: Path) -> None:
    directory = run(tmp_path, **kind)
    path = directory.path / "report.html"
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(text.encode()) < LIMIT
    for entry in directory.read_allocation()["parties"]:
        assert entry["party"] in text
        own = Path(entry["store"]) / "report.html"
        assert f"{entry['party']}&#39;s reward" in own.read_text(encoding="utf-8")
        assert f'href="data/{entry["party"]}-reward/run/report.html"' in text
    assert "http" not in text.replace("http-equiv", "")
    assert "mathdefault" not in text  # what matplotlib writes powers of ten in
    for title in ("What happened", "Negotiate ρ", "Certificate", "What every coalition is worth", "Who added how much"):
        assert title in text
    assert ("Own rows, synthetic rows, and what each gets" in text) == (kind is SYNTHETIC)
    assert ("Worth against the number of rows" in text) == (kind is SYNTHETIC)


@pytest.mark.parametrize("kind", [MODEL, SYNTHETIC], ids=["model", "synthetic"])
def test_a_run_that_stopped_after_valuation_has_one_too_and_pages_to_hand_out(
    kind: dict[str, str], tmp_path: Path
) -> None:
    directory = run(tmp_path, stop_after="valuation", **kind)
    text = (directory.path / "report.html").read_text(encoding="utf-8")
    assert f"python -m simulations resume {directory.path.resolve()}" in text
    assert 'href="parties/east.html"' in text
    page = (directory.path / "parties" / "east.html").read_text(encoding="utf-8")
    assert "What east would get" in page
    assert not list((directory.path / "data" / "east-reward").glob("*/reward.json"))


def test_what_the_pictures_say_is_not_cut(tmp_path: Path) -> None:
    """Coordinates are rounded, numbers are not: 8.157 once came out as 8.15."""
    record = model_record([0.0, 8.157, 17.1526, 23.154])
    (columns, *_) = run_pictures(record)
    assert re.findall(r">([\d.]+)</text>", columns.svg)[-3:] == ["8.157", "17.15", "23.15"]


def test_sixteen_parties_fit(page: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    game = log_of_sum(rng.gamma(1.0, 2.0, size=16))
    record = model_record(game(all_coalitions(16)))
    path = tmp_path / "report.html"
    path.write_text(mediator_page(record, pictures=run_pictures(record)), encoding="utf-8")
    assert path.stat().st_size < LIMIT
    page.open(path)
    state = page.run("document.getElementById('negotiation').dataset.state")
    assert (state, page.complaints) == ("ready", [])


def test_a_report_that_fails_is_said_and_the_run_stays_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(directory: RunDirectory) -> Path:
        raise ValueError("no ink")

    monkeypatch.setattr(server.app, "write_report", fails)
    directory = run(tmp_path, **MODEL)
    assert directory.read_allocation()["stage"] == "delivered"
    told = [event for event in events(directory) if event["event"] == "note"]
    assert "report.html could not be drawn (ValueError: no ink)" in told[-1]["text"]
    assert events(directory)[-1]["event"] == "finished"


def test_a_partys_report_that_fails_costs_it_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Path:
        raise ValueError("no ink")

    monkeypatch.setattr("clients.app.write_report", fails)
    record = run(tmp_path, **MODEL).read_allocation()
    assert record["stage"] == "delivered"
    assert all(entry["reward"]["rows"] > 0 for entry in record["parties"])
    assert not list(tmp_path.glob("run/data/*/*/report.html"))


def test_it_is_drawn_again_without_what_was_purged(tmp_path: Path) -> None:
    directory = run(tmp_path, **SYNTHETIC)
    assert (directory.path / "view.npz").exists()
    directory.purge()
    assert not (directory.path / "view.npz").exists()
    assert not (directory.path / "report.html").exists()  # it showed rows
    text = write_report(directory).read_text(encoding="utf-8")
    assert "Own rows, synthetic rows" not in text
    assert "Worth against the number of rows" in text


def test_a_strategy_of_ones_own_has_what_it_tells(tmp_path: Path) -> None:
    """It may value parties in another way, or not at all; its scores are shown."""
    parties = [{"party": name, "alone": {"accuracy": 0.5}, "reward": {"accuracy": 0.75}} for name in ("a", "b")]
    record = {"run": "r", "stage": "delivered", "kind": "trained", "parties": parties}
    text = mediator_page(record, pictures=run_pictures(record))
    assert "classifications with the reward are better than alone for two of two" in text
    assert "Accuracy on held-out rows" in text
    assert "no ρ to negotiate" in text
    assert "Who added how much" not in text


def test_what_was_handed_out_goes_when_the_rewards_come(tmp_path: Path) -> None:
    directory = run(tmp_path, stop_after="valuation", **MODEL)
    assert (directory.path / "parties" / "east.html").exists()
    directory.save_allocation(directory.read_allocation() | {"stage": "delivered"})
    write_report(directory)
    assert not (directory.path / "parties").exists()


def test_a_run_that_valued_nothing_has_none(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    directory.event("stage", stage="join")
    with pytest.raises(RunDirectoryError, match="did not get as far as valuing"):
        write_report(directory)


def test_what_others_wrote_is_text_and_not_markup(page: Browser, tmp_path: Path) -> None:
    evil = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    record = model_record([0.0, 7.0, 5.0, 8.0])
    record["parties"][0]["party"] = evil
    record["refused"] = [{"party": evil, "stage": "join", "reason": evil}]
    record["notes"], record["scheme"], record["run"] = [evil], evil, "a run"
    path = tmp_path / "report.html"
    path.write_text(mediator_page(record, pictures=run_pictures(record)), encoding="utf-8")
    page.open(path)
    for rho in (0.0, 1.0):
        page.run(f"(s => {{ s.value = {rho}; s.dispatchEvent(new Event('input')) }})(document.getElementById('rho'))")
    assert page.run("document.title") == "Two parties and their rewards"
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 2


@pytest.mark.parametrize("kind", [MODEL, SYNTHETIC], ids=["model", "synthetic"])
def test_it_asks_for_nothing_and_fits_a_phone_in_light_and_dark(
    kind: dict[str, str], page: Browser, tmp_path: Path
) -> None:
    directory = run(tmp_path, **kind)
    own = Path(directory.read_allocation()["parties"][0]["store"]) / "report.html"
    grounds = set()
    for path in (directory.path / "report.html", own):
        for width, dark in ((360, False), (360, True), (800, False), (1100, False)):
            page.open(path, width=width, dark=dark)
            assert page.requests == [path.as_uri()]
            assert page.complaints == []
            assert page.run("document.documentElement.scrollWidth") <= width
            grounds.add((dark, page.run("getComputedStyle(document.body).backgroundColor")))
            unlabelled = page.run("[...document.querySelectorAll('input')].filter(i => !i.ariaLabel).map(i => i.id)")
            assert unlabelled == []
            assert page.run("[...document.querySelectorAll('svg')].every(s => s.getAttribute('role') === 'img')")
        page.open(path, width=A4)
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.run("document.documentElement.scrollWidth") <= A4
    assert len(grounds) == 2


@pytest.mark.parametrize(
    "own", [{"rows": 3, "value": 2.0}, {"accuracy": 0.9}, {"rows": 3, "value": "much"}, {"target": "outcome"}], ids=str
)
def test_numbers_of_a_strategy_s_own_may_bear_names_of_ours(own: dict[str, Any]) -> None:
    parties = [{"party": name, **own, "alone": None, "reward": {"accuracy": 0.75}} for name in ("a", "b")]
    record = own_record("r", {}, parties, [(name, name) for name in own], kind="trained")
    text = mediator_page(record, pictures=run_pictures(record))
    assert all(f">{name}</th>" in text for name in own)
    assert "Who added how much" not in text


def test_a_strategy_s_own_headers_stand_over_its_columns() -> None:
    parties = [{"party": "a", "alpha": 0.5}]
    (column,) = columns_of(own_record("r", {}, parties, [("standing", "alpha")]))
    assert (column.header, column.label, column.meaning) == ("standing", "standing", MEANINGS["alpha"])


def test_the_most_is_said_as_the_run_has_it() -> None:
    """The grand coalition where that is the ceiling, also of synthetic rewards."""
    table = log_of_sum(np.array([1.0, 2.0, 3.0])).table()
    plain, pool = synthetic_record(table, np.full(3, table[-1])), "the most it could get, the grand coalition, v_N."
    assert pool in " ".join(mediator_page(plain).split())
    grown = synthetic_record(table, table[-1] * np.array([1.1, 1.2, 1.3]))
    assert "the most it could get, its data with all synthetic rows." in " ".join(mediator_page(grown).split())


def test_growth_in_another_unit_is_not_laid_beside_the_targets() -> None:
    growth = {"rows": [0, 10], "values": [0.1, 0.2]}
    party = {"party": "a", "target": 40.0, "growth": growth, "alone": None, "reward": None}
    record = {"run": "r", "kind": "synthetic", "unit": "rows", "parties": [party]}
    (beside,) = [p for p in run_pictures(record) if "number of rows" in p.title]
    assert "the dashes are the targets" in beside.caption
    (apart,) = [
        p for p in run_pictures(record | {"parties": [party | {"reached_in_carrier": 0.2}]}) if "of rows" in p.title
    ]
    assert "in the value that rewards were made by" in apart.caption
    assert "dashes" not in apart.caption


def test_who_has_no_page_yet_is_not_sent_to_the_mediators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = run(tmp_path, stop_after="valuation", **MODEL)
    directory.save_allocation(directory.read_allocation() | {"stage": "rewarded"})
    monkeypatch.chdir(directory.path)
    write_report(directory)
    assert 'href="report.html"' not in (directory.path / "report.html").read_text(encoding="utf-8")
