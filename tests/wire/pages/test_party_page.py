"""A party's page: what it may see, and not a number more."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.reward_store import load_reward
from guerdon.rewards import RhoShapley
from guerdon.shapley import exact_shapley
from tests.browser import Browser, browser, chromium
from tests.server.report.records import model_record, synthetic_record
from tests.server.report.runs import MODEL, SYNTHETIC, run
from wire.pages.numbers import number_text
from wire.pages.party_page import party_page, view_of

TABLE = np.array([0.0, 10.6003, 17.1526, 20.4719, 8.1572, 15.1429, 20.0762, 23.1537])


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser(chromium()) as opened:
        yield opened


def numbers_of(text: str) -> set[str]:
    """Every number that stands in a page, as text or in its data; not the coordinates of its pictures."""
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", text, flags=re.DOTALL)
    return set(re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", html.unescape(text)))


def written(value: float) -> set[str]:
    """How a number could stand there: in full, or as the pages write numbers."""
    return {repr(float(value)), number_text(float(value)), f"{value:.6g}", f"{value:.12g}"}


def forbidden(record: dict[str, Any], party: str) -> set[str]:
    """The others' values, Shapley values, rewards and noise, and what any coalition but itself is worth."""
    own = next(entry for entry in record["parties"] if entry["party"] == party)
    allowed = written(own["value"]) | written(own["target"]) | written(own["target"] - own["value"])
    allowed |= written(own["reached"] or 0.0) | {"0", "0.0", "1"}
    for entry in record["parties"]:  # common knowledge
        allowed |= written(entry["alpha"]) | written(entry["target"] / max(p["target"] for p in record["parties"]))
    found: set[str] = set()
    for entry in record["parties"]:
        if entry["party"] != party:
            for key in ("value", "shapley", "target", "floor", "ceiling", "eta", "reached"):
                if isinstance(entry.get(key), float):
                    found |= written(entry[key])
    for value in record["values"]:
        found |= written(value)
    return found - allowed


@pytest.mark.parametrize("kind", [MODEL, SYNTHETIC], ids=["model", "synthetic"])
def test_it_tells_nothing_of_the_others_but_common_knowledge(kind: dict[str, str], tmp_path: Path) -> None:
    record = run(tmp_path, **kind).read_allocation()
    for entry in record["parties"]:
        folder = Path(entry["store"])
        told = numbers_of((folder / "report.html").read_text(encoding="utf-8"))
        assert not told & forbidden(record, entry["party"])
        assert written(entry["value"]) & told
        assert written(entry["target"]) & told


@pytest.mark.parametrize("record", [model_record(TABLE), synthetic_record(TABLE, np.full(3, 25.0), 0.3)])
def test_the_pages_to_hand_out_tell_no_more(record: dict[str, Any]) -> None:
    for entry in record["parties"]:
        told = numbers_of(party_page(view_of(record, entry["party"])))
        assert not told & forbidden(record, entry["party"])


def test_the_search_would_find_what_must_not_be_there() -> None:
    record = model_record(TABLE)
    text = party_page(view_of(record, "party-01")).replace("</main>", f"<p>{number_text(TABLE[2])}</p></main>")
    assert numbers_of(text) & forbidden(record, "party-01") == {"17.15"}


def test_what_is_handed_out_is_what_is_sent(tmp_path: Path) -> None:
    record = run(tmp_path, **MODEL).read_allocation()
    for entry in record["parties"]:
        sent = load_reward(Path(entry["store"])).about
        view = view_of(record, entry["party"])
        assert json.dumps({key: sent[key] for key in view}, sort_keys=True) == json.dumps(view, sort_keys=True)


def test_the_party_has_its_own_scores_and_predictions_on_its_page(tmp_path: Path) -> None:
    entry = run(tmp_path, **MODEL).read_allocation()["parties"][0]
    text = (Path(entry["store"]) / "report.html").read_text(encoding="utf-8")
    for side in ("alone", "reward"):
        assert number_text(entry[side]["mnlp"]) in text
    assert "Predictions against truth" in text


def test_its_slider_moves_its_reward_as_guerdon_would(page: Browser, tmp_path: Path) -> None:
    record = model_record(TABLE)
    phi = exact_shapley(TABLE)
    path = tmp_path / "page.html"
    path.write_text(party_page(view_of(record, "party-03")), encoding="utf-8")
    page.open(path)
    for rho in (0.0, 0.2, 0.654, 1.0):
        page.run(f"(s => {{ s.value = {rho}; s.dispatchEvent(new Event('input')) }})(document.getElementById('rho'))")
        expected = RhoShapley(rho)(phi, TABLE).values
        shares = page.run("[...document.querySelectorAll('#shares .share')].map(c => Number(c.dataset.value))")
        assert shares == pytest.approx(expected / expected.max(), abs=1e-9)
        assert page.run("Number(document.getElementById('own').dataset.value)") == pytest.approx(expected[2], abs=1e-9)
    assert page.complaints == []


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(synthetic_record(TABLE, np.full(3, 25.0), 0.3), id="others' own data come in"),
        pytest.param({**model_record(TABLE), "rho": 0.1}, id="a scheme of its own"),
    ],
)
def test_there_is_no_slider_where_common_knowledge_does_not_say(record: dict[str, Any]) -> None:
    assert 'id="rho"' not in party_page(view_of(record, "party-01"))


@pytest.mark.parametrize(
    "own",
    [
        {"target": "outcome"},
        {"target": 3.0, "own_value": 1.0},
        {"target": 3.0, "own_value": 1.0, "parties": [{"party": "north", "alpha": 0.5}]},
        {"parties": ["north", "west"]},
        {"parties": 3, "rho": "none", "thresholds": {"rational": 1.0}},
        {"scheme": "RhoShapley()", "rho": 0.5, "thresholds": {"rational": 1.0, "stable": 1.0}},
    ],
    ids=str,
)
def test_a_reward_of_a_strategy_s_own_may_say_other_things_under_our_names(own: dict[str, Any]) -> None:
    about = {"kind": "voucher", "party": "north", "run": "run-1", "contains": "a number", **own}
    text = party_page(about)
    assert "It holds a number." in text
    assert "your own data alone" not in text
    assert 'id="negotiation"' not in text
