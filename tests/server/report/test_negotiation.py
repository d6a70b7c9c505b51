"""The negotiation in a real browser: whatever moves rho, the numbers on the page are guerdon's to 1e-9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.metrics import proportionality
from guerdon.rewards import RhoShapley, certify, rho_thresholds
from guerdon.shapley import exact_shapley
from guerdon.types import FloatArray, RewardTargets, TableGame
from server.report import mediator_page
from tests.browser import Browser, browser, chromium
from tests.games import CLOSED_FORM
from tests.server.report.records import model_record, record_of, synthetic_record, synthetic_targets

DATA = Path(__file__).parents[2] / "data"
HAND_MADE = json.loads((DATA / "games.json").read_text())
RHOS = (0.0, 0.001, 0.37, 0.5, 0.999, 1.0)


def fraction(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


MODEL_GAMES = {f"{game.name}-{k}": game.table() for k, game in enumerate(CLOSED_FORM)}
MODEL_GAMES |= {name: np.array([fraction(v) for v in game["v"]]) for name, game in HAND_MADE.items()}
MODEL_GAMES |= {name: np.load(DATA / f"{name}.npz")["v"] for name in ("ig_gp_n3", "ig_blr_n4")}


def nearly(table: FloatArray) -> FloatArray:
    """The game with the errors of rounding: what was equal is so to 14 digits only, what was 0 nearly."""
    errors = 1e-14 * table[-1] * np.random.default_rng(0).normal(size=len(table))
    return np.where(np.arange(len(table)) == 0, 0.0, table + errors)


MODEL_GAMES |= {f"nearly {name}": nearly(MODEL_GAMES[name]) for name in ("unanimity-1", "symmetric-3", "airport-2")}


def not_monotone(seed: int) -> tuple[FloatArray, FloatArray]:
    """A game in which somebody's Shapley value is negative, and ceilings, some below a party's own value."""
    rng = np.random.default_rng(seed)
    table = 0.3 + 0.2 * rng.random(16)
    table[0], table[8] = 0.0, 0.01
    table[9:] -= 0.25
    ceilings = 0.5 + 0.4 * rng.random(4)
    assert exact_shapley(table).min() < 0.0
    return table, ceilings


SYNTHETIC_GAMES = {
    name: (np.load(DATA / f"{name}.npz")["v"], np.load(DATA / f"{name}.npz")["vmax"])
    for name in ("mmd_A_n3_d2", "mmd_C_n5_d2_disjoint", "mmd_I_n3_d2_bigG_feasible", "mmd_J_n5_d2_feasible")
}
SYNTHETIC_GAMES |= {f"not-monotone-{seed}": not_monotone(seed) for seed in range(3)}


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser(chromium()) as opened:
        yield opened


def opened(page: Browser, record: dict[str, Any], folder: Path) -> None:
    path = folder / "report.html"
    path.write_text(mediator_page(record, directory=folder), encoding="utf-8")
    page.open(path)
    assert page.complaints == []


def slide(page: Browser, rho: float) -> None:
    """What the browser does when somebody drags the slider to where rho is."""
    page.run(f"(s => {{ s.value = {rho}; s.dispatchEvent(new Event('input')) }})(document.getElementById('rho'))")


def type_in(page: Browser, rho: float) -> None:
    page.run(
        f"(s => {{ s.value = '{rho!r}'; s.dispatchEvent(new Event('change')) }})(document.getElementById('exactly'))"
    )


def click(page: Browser, preset: str) -> None:
    page.run(f"document.querySelector('[data-rho={preset}]').click()")


def shown(page: Browser) -> dict[str, Any]:
    """Every number and verdict that stands on the page, in full."""
    found: dict[str, Any] = page.run(
        """(() => {
          const cells = name => [...document.querySelectorAll(`#rewards .${name}`)].map(c => Number(c.dataset.value));
          const one = id => Number(document.getElementById(id).dataset.value);
          const section = document.getElementById("negotiation").dataset;
          return {
            state: section.state, rho: Number(section.rho), stable: section.stable, rational: section.rational,
            reward: cells("reward"), share: cells("share"), gain: cells("gain"), loss: cells("loss"),
            welfare: one("welfare"), fairness: one("fairness"), best: one("best"),
            holds: Object.fromEntries([...document.querySelectorAll("#checks li")].map(
              c => [c.dataset.check, c.dataset.holds])),
            command: document.getElementById("command").textContent,
            agreement: one("agreement"),
          };
        })()"""
    )
    return found


def check(found: dict[str, Any], table: FloatArray, targets: RewardTargets, tops: FloatArray) -> None:
    game, phi = TableGame(np.asarray(table, dtype=np.float64)), exact_shapley(table)
    alone, close = game(np.eye(game.n, dtype=bool)), 1e-9 * abs(float(table[-1]))
    assert found["state"] == "ready"
    assert found["reward"] == pytest.approx(targets.values, abs=close)
    assert found["best"] == pytest.approx(targets.maximum, abs=close)
    assert found["share"] == pytest.approx(targets.values / targets.values.max(), abs=1e-9)
    assert found["gain"] == pytest.approx(targets.values - alone, abs=close)
    assert found["loss"] == pytest.approx(tops - targets.values, abs=close)
    assert found["welfare"] == pytest.approx(targets.values.sum(), abs=close * game.n)
    assert found["fairness"] == pytest.approx(proportionality(targets.values, phi), abs=1e-9)
    expected = {c.name: {True: "true", False: "false", None: "null"}[c.holds] for c in certify(game, phi, targets)}
    assert found["holds"] == {name: holds for name, holds in expected.items() if name not in ("F4", "order")}


@pytest.mark.parametrize("name", sorted(MODEL_GAMES))
def test_model_rewards_are_guerdons_wherever_the_slider_stands(name: str, page: Browser, tmp_path: Path) -> None:
    table = MODEL_GAMES[name]
    phi, tops = exact_shapley(table), np.full(len(exact_shapley(table)), table[-1])
    opened(page, model_record(table), tmp_path)
    thresholds = rho_thresholds(phi, table)
    first = shown(page)
    check(first, table, RhoShapley("stable")(phi, table), tops)
    assert first["agreement"] <= 1e-9
    for word, limit in (("stable", thresholds.stable), ("rational", thresholds.rational)):
        assert float(first[word].replace("Infinity", "inf")) == pytest.approx(limit, abs=1e-9)
        click(page, word)
        found = shown(page)
        assert found["rho"] == pytest.approx(min(1.0, limit), abs=1e-9)
        assert found["command"].endswith(f"--set \"scheme=RhoShapley(rho='{word}')\"")
        check(found, table, RhoShapley(word)(phi, table), tops)  # type: ignore[arg-type]
    for rho in RHOS:
        slide(page, rho)
        found = shown(page)
        assert found["rho"] == rho
        check(found, table, RhoShapley(rho)(phi, table), tops)


@pytest.mark.parametrize("name", sorted(SYNTHETIC_GAMES))
def test_synthetic_rewards_move_with_their_best(name: str, page: Browser, tmp_path: Path) -> None:
    table, ceilings = SYNTHETIC_GAMES[name]
    opened(page, synthetic_record(table, ceilings, 0.5), tmp_path)
    first = shown(page)
    thresholds = synthetic_targets(table, ceilings, 0.5).thresholds
    assert thresholds is not None
    for word, limit in (("stable", thresholds.stable), ("rational", thresholds.rational)):
        assert float(first[word].replace("Infinity", "inf")) == pytest.approx(limit, abs=1e-9)
        if np.isfinite(limit):
            click(page, word)
            found = shown(page)
            check(found, table, synthetic_targets(table, ceilings, None, word), ceilings)
            assert found["command"].endswith(f"--set \"scheme=RectifiedRhoShapley(incentive='{word}')\"")
        else:
            assert page.run(f"document.querySelector('[data-rho={word}]').disabled")
    for rho in RHOS:
        slide(page, rho)
        check(shown(page), table, synthetic_targets(table, ceilings, rho), ceilings)


def test_a_null_party_gets_nothing_but_where_rho_is_0(page: Browser, tmp_path: Path) -> None:
    table = MODEL_GAMES["additive-0"]
    opened(page, model_record(table), tmp_path)
    slide(page, 0.25)
    assert shown(page)["reward"][2] == 0.0
    slide(page, 0.0)
    assert shown(page)["reward"][2] == table[-1]


def test_a_number_typed_in_is_taken_as_it_is_and_ends_up_in_the_command(page: Browser, tmp_path: Path) -> None:
    table = MODEL_GAMES["sim_example1"]
    opened(page, model_record(table), tmp_path)
    type_in(page, 0.1234567890123)
    found = shown(page)
    assert found["rho"] == 0.1234567890123
    assert found["command"] == f'python -m simulations resume {tmp_path} --set "scheme=RhoShapley(rho=0.1234567890123)"'
    check(found, table, RhoShapley(0.1234567890123)(exact_shapley(table), table), np.full(2, 8.0))
    type_in(page, 1.5)
    assert shown(page)["rho"] == 0.1234567890123  # refused


def test_the_keyboard_moves_the_slider(page: Browser, tmp_path: Path) -> None:
    table = MODEL_GAMES["sim_example1"]
    opened(page, model_record(table, 0.5), tmp_path)
    page.run("document.getElementById('rho').focus()")
    page.press("ArrowRight", 3)
    assert shown(page)["rho"] == pytest.approx(0.503)
    page.press("Home")
    check(shown(page), table, RhoShapley(0.0)(exact_shapley(table), table), np.full(2, 8.0))
    assert page.run("document.getElementById('rho').getAttribute('aria-valuetext')") == "rho 0"


def test_beyond_rho_r_the_page_says_that_a_run_refuses_it(page: Browser, tmp_path: Path) -> None:
    opened(page, model_record(MODEL_GAMES["sim_example1"]), tmp_path)  # rho_r = .92, party 2 has 5 and would get 4.8
    slide(page, 1.0)
    told = page.run("document.getElementById('told').textContent")
    assert "party-02 would get 4.800, less than its own data's 5.000" in told
    slide(page, 0.9)
    assert page.run("document.getElementById('told').textContent") == ""


def test_sampled_shapley_values_stay_those_of_the_run(page: Browser, tmp_path: Path) -> None:
    """The run would go on with its estimates, so the page does."""
    table = MODEL_GAMES["ig_gp_n3"]
    record = model_record(table, 0.5)
    estimates = exact_shapley(table) * [1.0, 1.05, 0.97]
    for entry, phi in zip(record["parties"], estimates, strict=True):
        entry.update(shapley=float(phi), shapley_error=0.01, alpha=float(phi / estimates.max()))
    opened(page, record, tmp_path)
    slide(page, 0.5)
    assert shown(page)["reward"] == pytest.approx((estimates / estimates.max()) ** 0.5 * table[-1], abs=1e-9)


def test_without_a_table_the_values_of_the_parties_do(page: Browser, tmp_path: Path) -> None:
    """Beyond 16 parties: r, thresholds and R4 are the same, and what needs all coalitions is not claimed."""
    table = MODEL_GAMES["ig_blr_n4"]
    phi = exact_shapley(table)
    opened(page, model_record(table) | {"values": None}, tmp_path)
    slide(page, 0.4)
    found = shown(page)
    assert found["reward"] == pytest.approx(RhoShapley(0.4)(phi, table).values, abs=1e-9)
    assert float(found["stable"]) == pytest.approx(rho_thresholds(phi, table).stable, abs=1e-9)
    assert [found["holds"][name] for name in ("F1", "F2", "F3", "stability", "R5")] == ["null"] * 5
    assert "from the values that are known" in page.run("document.getElementById('certificate').textContent")


def test_a_scheme_of_ones_own_is_compared_with(page: Browser, tmp_path: Path) -> None:
    table = MODEL_GAMES["sim_example1"]
    phi = exact_shapley(table)
    own = RewardTargets(values=np.array([6.0, 6.0]), rho=None, maximum=6.0, ceilings=np.full(2, 8.0))
    shapley = model_record(table)
    record = record_of(table, own, _values(phi), "model", "my_module:EqualReward()")
    assert record["parties"][0]["shapley"] == shapley["parties"][0]["shapley"]
    opened(page, record, tmp_path)
    slide(page, 1.0)
    change = page.run("[...document.querySelectorAll('#rewards .change')].map(c => Number(c.dataset.value))")
    assert change == pytest.approx([2.0, -1.2])


def test_where_there_is_nothing_to_reward_the_page_says_so(page: Browser, tmp_path: Path) -> None:
    record = model_record(MODEL_GAMES["sim_example1"])
    record.update(values=[0.0, -1.0, -2.0, -3.0], grand_value=-3.0)
    opened(page, record, tmp_path)
    assert page.run("document.getElementById('negotiation').dataset.state") == "failed"
    assert "worth nothing" in page.run("document.getElementById('told').textContent")


def _values(phi: FloatArray) -> Any:
    from guerdon.types import ShapleyValues

    return ShapleyValues(phi, method="exact")
