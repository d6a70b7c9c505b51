"""The negotiation: a slider for rho that moves every reward, computed in the page from the values that it carries."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from server.report.words import tells
from wire.kinds import kind_of
from wire.pages.glossary import CONDITIONS
from wire.pages.style import colour_name

__all__ = ["NEGOTIATION", "SCRIPT", "STYLE", "negotiation_data"]

Record = Mapping[str, Any]

PLAIN, RECTIFIED = "RhoShapley", "RectifiedRhoShapley"
"""The schemes that the page computes."""

NEGOTIATION = """
<section id="negotiation" data-state="waiting">
<h2>Negotiate ρ</h2>
<p>How far should rewards follow what parties added? Move ρ and look at what each would get. {{ negotiation.words }}</p>
<div class="slider screen"><div class="marks" aria-hidden="true"></div>
<input id="rho" type="range" min="0" max="1" step="0.001" aria-label="rho, the fairness exponent">
<div class="ends"><span>0: welfare, all get the same</span><span>1: fairness, in proportion to Shapley values</span></div></div>
<div class="presets screen" role="group" aria-label="values of rho">
<label>ρ = <input class="exactly" id="exactly" inputmode="decimal" autocomplete="off" aria-label="rho as a number from 0 to 1"></label>
<button type="button" data-rho="equal" title="Everybody gets the same.">equal, 0</button>
<button type="button" data-rho="stable" title="{{ meanings.stable }}">stable</button>
<button type="button" data-rho="rational" title="{{ meanings.rational }}">rational</button>
<button type="button" data-rho="proportional" title="Rewards in proportion to Shapley values.">proportional, 1</button>
<button type="button" data-rho="run" title="What this run was computed with.">as in this run</button>
</div>
<p id="told" class="warning" role="status" aria-live="polite"></p>
<div class="tiles">
<div class="tile" title="{{ meanings.rho }}"><b id="at"></b><span>ρ; {{ negotiation.limits }}</span></div>
<div class="tile" title="{{ meanings.welfare }}"><b id="welfare"></b><span id="welfare-share"></span></div>
<div class="tile" title="{{ meanings.fairness }}"><b id="fairness"></b><span>fairness: 1 where rewards are in proportion to Shapley values (Jain's index)</span></div>
<div class="tile" title="The best reward."><b id="best"></b><span>{{ 'v*, the best reward: as large as all ceilings allow' if negotiation.rectified else 'the best reward: as much as all data together, v_N' }}</span></div>
</div>
<figure class="wide"><h3>Every party's reward, whatever ρ</h3>{% if record.parties | length <= 12 %}
<p class="note">{% for party in record.parties %}{{ part.party(loop.index0, party.party) }}{{ "   " if not loop.last }}{% endfor %}</p>{% endif %}<div id="curves"></div>
<figcaption><span class="good">Green</span> ground: no group of parties does better by itself. <span style="color: var(--gold)">Gold</span>: some group could.
{% if not negotiation.rectified %}<span class="bad">Red</span>: somebody would get less than its own data is worth, as it was sent. {% endif %}{% if record.parties | length <= 16 %}Dotted: a party's own data alone.{% endif %}</figcaption></figure>
<div class="scroll{{ ' tall' if negotiation.many }}" tabindex="0">
<table class="cards" id="rewards">
<thead><tr><th class="text">party</th><th class="text line">from its own data to its reward</th>
<th title="{{ meanings.target }}">reward{{ ', ' ~ record.unit if record.unit }}</th><th title="{{ meanings.share_of_best }}">of the best</th>
<th title="{{ meanings.gain }}">gains over alone</th>
<th title="What the party could get at most, less its reward.">gives up</th>
<th title="The change against the rewards that this run was computed with.">against this run</th></tr></thead>
<tbody>{% for party in record.parties %}
<tr><th class="text" scope="row">{{ part.party(loop.index0, party.party) }}</th><td class="line text"><div class="track"></div></td>
<td data-label="reward{{ ', ' ~ record.unit if record.unit }}" class="reward"></td><td data-label="of the best" class="share"></td>
<td data-label="gains over alone" class="gain"></td><td data-label="gives up" class="loss"></td>
<td data-label="against this run" class="change"></td></tr>{% endfor %}
</tbody></table></div>
<p class="note">Hollow: its own data alone. Full: its reward. Grey line: the most it could get, {{ negotiation.ceiling }}.
Gold line: what it could reach with all that contributed no more; a stable reward is not below.
{% if private %}Own data is what was sent, with its noise: to {{ private }} its rows can be worth more, and predict better.{% endif %}</p>
<p class="holds" id="holds" aria-label="conditions at this rho"></p>
<details><summary>What holds at this ρ, and the witness</summary><ul class="checks" id="checks"></ul></details>
<h3>{{ 'Agreed? This makes and delivers the rewards' if negotiation.open else 'The same with another ρ' }}</h3>
<p class="note">{{ negotiation.how }}</p>
<div class="command"><code id="command"></code><button type="button" class="screen" id="copy">Copy</button></div>
{% if negotiation.open %}<details class="screen"><summary>In a deployment, where flwr starts the run</summary><p class="note">Change these keys of the run config, and start the run again with it:</p>
<div class="command"><code id="config"></code></div></details>{% endif %}
<p class="note" id="agreement"></p>
<noscript><p class="warning">The negotiation is computed in this page and needs JavaScript; nothing is loaded from anywhere.</p></noscript>
</section>
<script type="application/json" id="negotiation-data">{{ negotiation.json | safe }}</script>
"""

STYLE = """
.checks { list-style: none; padding: 0; margin: .3rem 0 .8rem; display: grid; gap: .1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
.checks li { padding: .32rem 0; font-size: .92rem; display: grid; grid-template-columns: 1.3rem 1fr; line-height: 1.4; }
.checks small { display: block; color: var(--quiet); font-size: .84rem; }
.track { position: relative; height: 1.6rem; min-width: 9rem; }
.track::before { content: ""; position: absolute; left: 0; right: 0; top: 50%; border-top: 1px solid var(--line); }
.track i { position: absolute; top: 50%; transform: translate(-50%, -50%); }
.track .span { height: .42rem; border-radius: 99px; opacity: .35; transform: translateY(-50%); background: currentColor; }
.track .own { width: .78rem; height: .78rem; border-radius: 50%; border: 2px solid currentColor; background: var(--card); }
.track .won { width: 1rem; height: 1rem; border-radius: 50%; background: currentColor; }
.track .cap { height: 1.25rem; border-left: 2px solid var(--quiet); }
.track .floor { height: 1.05rem; border-left: 3px solid var(--gold); }
.holds { display: flex; flex-wrap: wrap; gap: .35rem; }
.holds span { background: var(--wash); border-radius: 99px; padding: .1rem .65rem; font-size: .88rem; cursor: help; }
#told:empty { display: none; }
#curves svg { max-width: none; }
#rewards td { white-space: nowrap; } #rewards tbody > tr > * { vertical-align: middle; } #rewards td.line { width: 34%; }
@media screen and (max-width: 44rem) { #rewards td.line { width: auto; } .track { margin: .3rem .5rem; } }
"""

SCRIPT = r"""
(() => {
  const data = JSON.parse(document.getElementById("negotiation-data").textContent);
  const $ = id => document.getElementById(id), section = $("negotiation");
  const text = x => x === Infinity ? "∞" : x === -Infinity ? "none" : x === 0 ? "0" // four digits, as everywhere
    : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? x.toExponential(2)
    : x.toFixed(Math.max(0, 3 - Math.floor(Math.log10(Math.abs(x)))));
  const short = x => x === Infinity ? "∞" : String(Number(x.toPrecision(4)));
  const signed = x => Math.abs(x) <= 1e-12 * game.pool ? "0" : (x > 0 ? "+" : "−") + text(Math.abs(x));
  const percent = x => `${(100 * x).toFixed(Math.abs(x) < .1 ? 1 : 0)} %`;
  let game;
  try { game = Guerdon.load(data); } catch (error) {
    $("told").textContent = `No ρ can be chosen here: ${error.message}.`;
    section.dataset.state = "failed";
    return;
  }
  const {names, alone, floors, ceilings, n} = game, limits = game.thresholds, rectified = data.rectified;
  const capped = x => Math.min(1, x);
  const choices = {equal: 0, proportional: 1, stable: capped(limits.stable), rational: capped(limits.rational), run: data.rho};
  const colour = i => `var(--${data.colours[i]})`;
  let rho = null, choice = null;
  Object.assign(section.dataset, limits);

  // Where what stands, for the tracks and the curves: from the least own data to the largest ceiling.
  const tops = ceilings;
  const most = Math.max(...tops, ...alone), least = Math.min(...alone);
  const low = least >= 0 && least < most / 2 ? 0 : least - .08 * (most - least || Math.abs(most)), high = most + .02 * (most - low);
  const place = x => 100 * (x - low) / (high - low);

  const zone = at => {
    const r = game.rewards(at).values, slack = 1e-9 * Math.abs(game.pool);
    if (r.some((x, i) => x < alone[i] - slack)) return "bad";
    const led = game.structure.led;
    return (led ? led.some((mask, i) => game.table[mask] > r[i] + slack) : floors.some((v, i) => v > r[i] + slack))
      ? "gold" : "good";
  };
  const edges = Array.from({length: 401}, (_, k) => k / 400), zones = edges.map(zone);
  const stretches = []; // [zone, from, to]
  edges.forEach((at, k) => {
    const last = stretches[stretches.length - 1];
    if (last && last[0] === zones[k]) last[2] = at;
    else stretches.push([zones[k], last ? last[2] : 0, at]);
  });
  for (let k = 0; k + 1 < stretches.length; k++) { // the thresholds are where it changes, exactly
    const edge = [limits.stable, limits.rational].find(x => Math.abs(x - stretches[k][2]) <= .0051);
    stretches[k][2] = stretches[k + 1][1] = edge === undefined ? (stretches[k][2] + stretches[k + 1][2]) / 2 : edge;
  }
  $("rho").style.setProperty("--track", `linear-gradient(to right, ${stretches.map(([z, from, to]) =>
    `color-mix(in srgb, var(--${z}) 55%, var(--card)) ${100 * from}% ${100 * to}%`).join(", ")})`);
  const marks = [["ρₛ", limits.stable], ["ρᵣ", limits.rational]].filter(([, x]) => x >= 0 && x <= 1);
  if (marks.length === 2 && Math.abs(marks[0][1] - marks[1][1]) < .07)
    marks.splice(0, 2, ["ρₛ, ρᵣ", (marks[0][1] + marks[1][1]) / 2]);
  document.querySelector(".marks").innerHTML =
    marks.map(([name, x]) => `<span style="left: ${100 * x}%">${name}</span>`).join("");
  for (const button of document.querySelectorAll("[data-rho]")) {
    const at = choices[button.dataset.rho];
    if (["stable", "rational"].includes(button.dataset.rho))
      button.textContent = `${button.dataset.rho}${at >= 1 ? ": every ρ" : at >= 0 ? `, ${short(at)}` : ": none"}`;
    button.disabled = at === null || !(at >= 0);
    button.addEventListener("click", () => choose(at, button.dataset.rho));
  }

  const rows = [...document.querySelectorAll("#rewards tbody tr")].map((row, i) => {
    const track = row.querySelector(".track");
    track.style.color = colour(i);
    track.innerHTML = '<i class="span"></i><i class="cap"></i><i class="floor"></i><i class="own"></i><i class="won"></i>';
    const part = name => track.querySelector("." + name);
    part("own").style.left = `${place(alone[i])}%`;
    part("cap").style.left = `${place(tops[i])}%`;
    part("floor").style.left = `${place(floors[i])}%`;
    if (!(floors[i] >= low)) part("floor").style.display = "none";
    return {row, span: part("span"), won: part("won"), track};
  });

  function cell(row, name, value, shown) {
    const found = row.querySelector("." + name);
    found.textContent = shown;
    found.dataset.value = value;
    return found;
  }

  function choose(value, by) {
    rho = value;
    choice = by;
    const targets = game.rewards(rho), {values, maximum} = targets, best = Math.max(...values);
    $("rho").value = rho;
    $("rho").setAttribute("aria-valuetext", `rho ${short(rho)}`);
    if (document.activeElement !== $("exactly")) $("exactly").value = Number(rho.toPrecision(6));
    for (const button of document.querySelectorAll("[data-rho]"))
      button.setAttribute("aria-pressed", String(!button.disabled && choices[button.dataset.rho] === rho));
    rows.forEach(({row, span, won, track}, i) => {
      const from = place(Math.min(alone[i], values[i])), to = place(Math.max(alone[i], values[i]));
      won.style.left = `${place(values[i])}%`;
      Object.assign(span.style, {left: `${from}%`, width: `${to - from}%`});
      const gain = values[i] - alone[i], loss = tops[i] - values[i];
      cell(row, "reward", values[i], text(values[i]));
      cell(row, "share", values[i] / best, percent(values[i] / best));
      cell(row, "gain", gain, signed(gain)).className = `gain ${gain < -1e-9 * Math.abs(game.pool) ? "bad" : ""}`;
      cell(row, "loss", loss, text(Math.abs(loss) <= 1e-12 * game.pool ? 0 : loss));
      const change = data.rewards[i] === null ? null : values[i] - data.rewards[i];
      cell(row, "change", change, change === null ? "–" : signed(change));
      track.setAttribute("role", "img");
      track.setAttribute("aria-label", `${names[i]}: alone ${text(alone[i])}, reward ${text(values[i])}`);
    });
    const welfare = Guerdon.sum(values), possible = Guerdon.sum(tops), fairness = Guerdon.proportionality(values, game.phi);
    const put = (id, value, shown) => { $(id).textContent = shown; $(id).dataset.value = value; };
    put("at", rho, short(rho));
    put("welfare", welfare, text(welfare));
    put("welfare-share", welfare / possible, `welfare, all rewards together: ${percent(welfare / possible)} of the most`);
    put("fairness", fairness, fairness.toFixed(3));
    put("best", maximum, text(maximum));
    const checks = Guerdon.certify(game, targets, text);
    $("checks").innerHTML = checks.map(check => {
      const [title, meaning] = data.conditions[check.name] || [check.name, ""];
      const [mark, tone] = check.holds === null ? ["–", "quiet"] : check.holds ? ["✓", "good"] : ["✗", "bad"];
      const label = check.name.length > 2 ? "" : `<b>${check.name}</b> `;
      return `<li data-check="${check.name}" data-holds="${check.holds}" title="${meaning}"><span class="mark ${tone}" aria-label="${
        {"✓": "holds", "✗": "fails", "–": "not checked"}[mark]}">${mark}</span><span>${label}${title}<small></small></span></li>`;
    }).join("");
    $("holds").innerHTML = checks.map(check => { // the list below says it in words
      const tone = check.holds === null ? "quiet" : check.holds ? "good" : "bad", mark = {good: "✓", bad: "✗", quiet: "–"}[tone];
      return `<span title="${(data.conditions[check.name] || []).join(": ")}"><b class="${tone}">${mark}</b> ${check.name}</span>`;
    }).join("");
    checks.forEach((check, k) => { $("checks").children[k].querySelector("small").textContent = check.witness; });
    const lost = checks.find(c => c.name === "R4" && c.holds === false), left = checks.find(c => c.name === "R6" && c.holds === false);
    $("told").textContent = lost ? `Not to be had at this ρ: ${lost.witness}. A run refuses it.`
      : left ? `Somebody might leave: ${left.witness}.` : "";
    const scheme = (choice === "stable" || choice === "rational")
      ? (rectified ? `RectifiedRhoShapley(incentive='${choice}')` : `RhoShapley(rho='${choice}')`)
      : `${rectified ? "RectifiedRhoShapley" : "RhoShapley"}(rho=${rho})`;
    $("command").textContent = `${data.command} --set "scheme=${scheme}"`.trim();
    if ($("config")) $("config").textContent = `scheme = "${scheme}"\n${data.config}`;
    section.style.setProperty("--at", rho);
    curve();
    section.dataset.rho = rho;
    section.dataset.state = "ready";
  }

  function curve() {
    const box = $("curves"), width = Math.max(280, box.clientWidth || 700), height = Math.max(210, Math.min(330, .42 * width));
    const left = 52, right = 14, over = 8, under = 30;
    const x = at => left + at * (width - left - right), y = v => over + (1 - (v - low) / (high - low)) * (height - over - under);
    const parts = stretches.map(([z, from, to]) =>
      `<rect x="${x(from)}" y="${over}" width="${Math.max(0, x(to) - x(from))}" height="${height - over - under}" fill="var(--${z})" opacity=".1"/>`);
    const rough = (high - low) / 4, ten = 10 ** Math.floor(Math.log10(rough));
    const step = ten * [1, 2, 2.5, 5, 10].find(k => k * ten >= rough);
    for (let k = Math.ceil(low / step); k * step <= high; k++) {
      const v = k * step;
      parts.push(`<line x1="${left}" x2="${width - right}" y1="${y(v)}" y2="${y(v)}" stroke="var(--line)"/>`,
        `<text x="${left - 7}" y="${y(v) + 4}" text-anchor="end" font-size="12" fill="var(--quiet)">${Number(v.toPrecision(6))}</text>`);
    }
    for (let k = 0; k <= 5; k++)
      parts.push(`<text x="${x(k / 5)}" y="${height - 9}" text-anchor="${k === 5 ? "end" : "middle"}" font-size="12" fill="var(--quiet)">${
        k === 0 ? "ρ = 0" : k / 5}</text>`);
    names.forEach((_, i) => {
      const line = samples.map((s, k) => `${k ? "L" : "M"}${x(grid[k]).toFixed(1)} ${y(s[i]).toFixed(1)}`).join("");
      if (n <= 16) parts.push(`<line x1="${x(0)}" x2="${x(1)}" y1="${y(alone[i])}" y2="${y(alone[i])}" stroke="${colour(i)}" stroke-dasharray="2 5" opacity=".75"/>`);
      parts.push(`<path d="${line}" fill="none" stroke="${colour(i)}" stroke-width="${n > 16 ? 1 : 2.2}" opacity="${n > 16 ? .6 : 1}"/>`);
    });
    parts.push(`<line x1="${x(rho)}" x2="${x(rho)}" y1="${over}" y2="${height - under}" stroke="var(--ink)" stroke-width="1.4"/>`);
    game.rewards(rho).values.forEach((v, i) =>
      parts.push(`<circle cx="${x(rho)}" cy="${y(v)}" r="5" fill="${colour(i)}" stroke="var(--card)" stroke-width="1.5"/>`));
    box.innerHTML = `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Rewards of all parties for rho from 0 to 1">${parts.join("")}</svg>`;
  }
  const grid = Array.from({length: 101}, (_, k) => k / 100), samples = grid.map(at => game.rewards(at).values);

  $("rho").addEventListener("input", () => choose(Number($("rho").value), null));
  $("exactly").addEventListener("change", () => {
    const wanted = Number($("exactly").value.replace(",", "."));
    const usable = $("exactly").value.trim() !== "" && wanted >= 0 && wanted <= 1;
    $("exactly").setCustomValidity(usable ? "" : "a number from 0 to 1");
    $("exactly").reportValidity();
    if (usable) choose(wanted, null);
  });
  $("copy").addEventListener("click", async () => {
    const command = $("command").textContent;
    try { await navigator.clipboard.writeText(command); } catch {
      getSelection().selectAllChildren($("command"));
      document.execCommand("copy");
    }
    $("copy").textContent = "Copied";
    setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
  });
  addEventListener("resize", curve);
  addEventListener("beforeprint", curve);

  // What the page computes by itself must be what the run computed.
  if (data.rho !== null && data.rewards.every(r => r !== null)) {
    const own = game.rewards(data.rho).values, scale = Math.max(...own.map(Math.abs));
    const gap = Math.max(...own.map((r, i) => Math.abs(r - data.rewards[i]))) / scale;
    $("agreement").dataset.value = gap;
    $("agreement").textContent = gap <= 1e-9
      ? `Computed in this page from the values of ${game.table ? "all coalitions" : "the parties"}; the run's own rewards come out to within ${gap === 0 ? "the last digit" : gap.toExponential(0)}.`
      : "The run's own rewards are not of this scheme: they are what \"against this run\" compares with.";
  }
  const start = data.rho !== null ? data.rho : choices.stable >= 0 ? choices.stable : 0;
  choose(start, start === choices.stable && data.stable ? "stable" : start === choices.rational && data.rational ? "rational" : null);
})();
"""


def negotiation_data(record: Record, directory: Path | None) -> dict[str, Any] | None:
    """What the template and the script need; None where rewards of this kind have no rho.

    Parameters
    ----------
    record : content of allocation.json
    directory : of the run, named in the command that delivers; None where there is none
    """
    scheme = _computed_scheme(record)
    if not scheme or not record["parties"] or not tells(record, "value", "shapley", "ceiling"):
        return None
    if record.get("grand_value") is None:
        return None
    if record.get("values") is None and any(party.get("floor") is None for party in record["parties"]):
        return None  # of a run from before floors were kept, too large for a table
    is_open = record.get("stage") == "valued"
    where = "RUN" if directory is None else str(directory)
    command = ["python", "-m", "simulations", "resume", where] if is_open else []
    chosen = str(record.get("scheme", ""))
    parties = record["parties"]
    carried = {
        "rectified": scheme == RECTIFIED,
        "names": [party["party"] for party in parties],
        "colours": [colour_name(i) for i in range(len(parties))],
        "table": _packed(record.get("values")),
        "exact": all(not party.get("shapley_error") for party in parties),
        "phi": [party["shapley"] for party in parties],
        "alone": [party["value"] for party in parties],
        "floors": [party.get("floor", party["value"]) for party in parties],
        "ceilings": [party["ceiling"] for party in parties],
        "rewards": [party.get("target") for party in parties],
        "pool": record["grand_value"],
        "rho": record.get("rho"),
        "stable": "stable" in chosen or chosen.removesuffix("()") in (PLAIN, RECTIFIED),  # what they do by themselves
        "rational": "rational" in chosen,
        "conditions": {name: list(words) for name, words in CONDITIONS.items()},
        "command": shlex.join(command),
        "config": f'run-dir = "{where}"\nresume = true\nstop-after = ""',
    }
    return {
        "json": json.dumps(carried, allow_nan=False).replace("<", "\\u003c"),
        "open": is_open,
        "rectified": scheme == RECTIFIED,
        "ceiling": kind_of(record).most_in(record),
        "many": len(parties) > 24,
        "words": _words(record),
        "limits": _limits(record),
        "how": "Nothing has been given yet. With this command the run goes on from what it has valued."
        if is_open
        else "This run's rewards are made and stay as they are: two of them together could hold more than was agreed. "
        "A new run gives others: with what this one was given (config.toml in its directory has it all), and with this.",
    }


def _computed_scheme(record: Record) -> str:
    """The run's scheme where the page computes it, else that of its kind of reward; "" where there is none."""
    name = str(record.get("scheme", "")).partition("(")[0]
    return name if name in (PLAIN, RECTIFIED) else kind_of(record).scheme


def _packed(values: list[float] | None) -> str | None:
    """The table as little-endian float64 in base64: every bit of it, and half as long as digits."""
    return None if values is None else base64.b64encode(np.asarray(values, dtype="<f8").tobytes()).decode()


def _words(record: Record) -> str:
    if any(party.get("shapley_error") for party in record["parties"]):
        return "Shapley values are the run's own estimates."
    return ""


def _limits(record: Record) -> str:
    thresholds = record.get("thresholds") or {}
    named = [(symbol, thresholds.get(key)) for symbol, key in (("ρₛ", "stable"), ("ρᵣ", "rational"))]
    told = []
    for symbol, value in named:
        if value is not None:
            told.append(
                f"{symbol} = {value:.4g}" if isinstance(value, int | float) else f"{symbol}: {_unbounded(value)}"
            )
    return ", ".join(told) or "the run's scheme has none"


def _unbounded(value: str) -> str:
    return "no limit" if value == "inf" else "none"
