"""A party's own page: its numbers, and what is common knowledge; nothing else about the others' data.

Names, alpha, rho, the thresholds and r_i / r_max of all are common knowledge. It is made from what the reward is sent
with (``strategies.record.party_view``), and at the party from its own rows, so it can't show more than the party has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wire.kinds import kind_of
from wire.kinds.columns import NOTHING, Column
from wire.kinds.kind import Score
from wire.kinds.worth import OF_ROWS
from wire.pages.glossary import MEANINGS
from wire.pages.numbers import is_number, number_text, percent_text, share_of_best, unit_text
from wire.pages.page import Picture, render
from wire.text import listed

__all__ = ["common_errors", "own_errors", "party_page", "view_of"]

View = Mapping[str, Any]

SAME = 1e-9
"""Shares this close to alpha^rho are those of rho-Shapley rewards."""

UNSAID: View = {
    **dict.fromkeys(("own_value", "target", "reached", "rho", "thresholds")),
    **dict.fromkeys(("unit", "scheme", "strategy", "contains"), ""),
    "parties": (),
    "findings": (),
    "held_back": "",
    "exposed": None,
}
"""What a strategy of one's own need not say of a reward."""

KNOWN = ("run", "unit", "kind", "strategy", "scheme", "rho", "thresholds")

COLUMNS = (
    Column("α", "alpha +- sampling.alpha in likely.alpha", meaning=MEANINGS["alpha"]),
    Column("reward / best", "share_of_best", meaning=MEANINGS["share_of_best"]),
)

TEMPLATE = """{% extends "skeleton" %}
{% import "macros" as part with context %}
{% block eyebrow %}A party's own view{% endblock %}
{% block opening %}
<p class="lead">{{ opening }}</p>
<ul class="chips"><li>run <b>{{ view.run }}</b></li>{% if view.scheme or view.strategy %}<li>{{ 'scheme' if view.scheme else 'strategy' }} <b>{{ view.scheme or view.strategy }}</b></li>{% endif %}
{% if view.rho is not none %}<li title="{{ meanings.rho }}">ρ = <b>{{ view.rho | number }}</b></li>{% endif %}</ul>
{% endblock %}
{% block content %}
{% if view.held_back %}<section><h2>Why it is held back</h2><p class="warning">{{ view.held_back[:1] | upper }}{{ view.held_back[1:] }}.</p>
<p>Nothing of your reward was sent. That rewards which give away more than this are held back was a term of the run, and holds for all parties.</p></section>{% endif %}
<section>
<h2>What you {{ 'get' if given else 'would get' }}</h2>
{% if view.target is not none %}<div class="tiles">
<div class="tile"><b>{{ view.own_value | number }}</b><span>{{ own }}{{ '' if private else ' alone' }}, {{ view.unit }}{{ view.own_value_range | likely }}</span></div>
<div class="tile"><b>{{ view.target | number }}</b><span>your reward should be worth this, {{ view.unit }}{{ view.target_range | likely }}</span></div>
{% if given %}<div class="tile"><b>{{ view.reached | number }}</b><span>the reward that was made is worth this</span></div>{% endif %}
<div class="tile"><b>{{ (view.target - view.own_value) | number }}</b><span>gained over {{ own }}</span></div>
</div>{% if private %}<p class="warning">The mediator knows your rows by the sums that you sent, with your noise on them, also where it made your reward. {{ of_rows }}</p>{% endif %}{% endif %}
{% if view.synthetic_rows_range is defined and view.synthetic_rows_range %}<p class="note">How many synthetic rows it has follows α, and α has an error: were other rows drawn in the
place of those that were sent, it would be {{ view.synthetic_rows_range.least | count }} to {{ view.synthetic_rows_range.most | count }} in nine of ten draws.</p>{% endif %}
{% if given %}<p>It holds {{ view.contains }}.</p>
{% if told %}<p title="{{ meanings.fidelity }}">{{ told }}</p>{% endif %}
<p class="note screen">Beside this page lie the reward's files. <code>python -m clients show FOLDER</code> says what it is{% if predicts %}, and
<code>python -m clients predict FOLDER NEW.csv</code> predicts with it{% endif %}.</p>{% endif %}
</section>
{% if view.findings %}<section>
<h2>What looks implausible in your data</h2>
<ul>{% for sentence in view.findings %}<li>{{ sentence }}</li>{% endfor %}</ul>
<p class="note">Found by the mediator in what you sent. <code>python -m clients check</code> names the rows on your own machine.</p>
</section>{% endif %}
{% if scores %}
<section>
<h2>What it does on rows you held out</h2>
<p class="note">{{ scores[0].rows | count }} rows that never left you; on few rows, chance decides.</p>
<table class="cards"><thead><tr><th class="text">score</th><th>your own data alone</th><th>with your reward</th></tr></thead><tbody>
{% for score in scores %}<tr><th class="text" scope="row" title="{{ score.meaning }}">{{ score.name }}</th>
<td data-label="your own data alone">{{ score.alone | number }}</td><td data-label="with your reward">{{ score.reward | number }}</td></tr>{% endfor %}
</tbody></table>
<details><summary>What the scores mean</summary><dl>{% for score in scores %}<dt>{{ score.name }}</dt><dd>{{ score.meaning }}</dd>{% endfor %}</dl></details>
{% if worse %}<p class="warning">{{ worse }}</p>{% endif %}
{% if undefined %}<p class="note">{{ undefined[:1] | upper }}{{ undefined[1:] }}.</p>{% endif %}
</section>
{% endif %}
{% if exposed %}<section>
<h2>What the others' rewards tell of your rows</h2>
<p>{{ exposed }}</p>
<p class="note">Found by the mediator before any reward went out, on twins of the rewards that were each made of one half of all rows. These attacks
were tried and no others: that they fail is no guarantee.</p>
</section>{% endif %}
{% if disclosed %}<section>
<h2>What it tells of who was in</h2>
<p>{{ disclosed }}</p>
<p class="note">{{ meanings.membership_auc }}</p>
</section>{% endif %}
{% if pictures %}<section><h2>Your rows and your reward</h2><div class="figures">{% for picture in pictures %}{{ part.figure(picture) }}{% endfor %}</div></section>{% endif %}
{% if columns %}<section>
<h2>How all parties are rewarded</h2>
<p>α is what a party's data added, relative to whoever added most. {% if view.rho is not none %}With ρ = {{ view.rho | number }} rewards follow it
{{ 'in proportion' if view.rho == 1 else 'not at all' if view.rho == 0 else 'less than in proportion' }}: {{ meanings.rho }}{% endif %}

This much is common knowledge; what the others' data are worth by themselves is not on this page.</p>
{{ part.table(columns, view.parties) }}
{% if view.thresholds %}
<p class="note">ρᵣ = {{ view.thresholds.rational | number }}: the largest ρ at which nobody gets less than its own data is worth, as it was sent.
ρₛ = {{ view.thresholds.stable | number }}: the largest at which no group of parties does better by itself.</p>
{% endif %}
</section>{% endif %}
{% if slider %}
<section id="negotiation">
<h2>What another ρ would mean</h2>
<p>{{ 'The rewards are made and stay as they are; this shows what else could have been agreed on.' if given
else 'Nothing is given yet: this is what there is to agree on.' }}</p>
<div class="slider"><div class="marks" aria-hidden="true"></div>
<input id="rho" type="range" min="0" max="1" step="0.001" value="{{ view.rho }}" aria-label="rho, the fairness exponent">
<div class="ends"><span>0: all get the same</span><span>1: in proportion to Shapley values</span></div></div>
<div class="tiles"><div class="tile"><b id="rho-text"></b><span>ρ</span></div><div class="tile"><b id="own"></b><span>your reward, {{ view.unit }}</span></div>
<div class="tile"><b id="gain"></b><span>over {{ own }}</span></div>
<div class="tile"><b id="verdict"></b><span id="verdict-text"></span></div></div>
<table id="shares" class="cards"><thead><tr><th class="text">party</th><th>reward / best</th></tr></thead><tbody>
{% for row in view.parties %}<tr><th class="text" scope="row">{{ part.party(loop.index0, row.party) }}</th><td data-label="reward / best" class="share"></td></tr>{% endfor %}
</tbody></table>
</section>
<script type="application/json" id="data">{{ slider | safe }}</script>
<script>
(() => {
  const data = JSON.parse(document.getElementById("data").textContent), slider = document.getElementById("rho");
  const text = x => x === 0 ? "0" : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? x.toExponential(2) : String(+x.toPrecision(4));
  const show = (element, value) => { element.textContent = text(value); element.dataset.value = value; };
  const update = rho => {
    document.getElementById("rho-text").textContent = text(rho);
    slider.setAttribute("aria-valuetext", `rho ${text(rho)}`);
    const shares = data.alpha.map(a => a === 1 || rho === 0 ? 1 : Math.exp(rho * Math.log(a)));
    document.querySelectorAll("#shares .share").forEach((cell, i) => show(cell, shares[i]));
    const own = data.target * shares[data.row] / data.share;
    show(document.getElementById("own"), own);
    show(document.getElementById("gain"), own - data.own);
    const lost = rho > data.rational * (1 + 1e-9), open = rho > data.stable * (1 + 1e-9);
    document.getElementById("verdict").textContent = lost ? "✗" : open ? "–" : "✓";
    document.getElementById("verdict-text").textContent = lost ? "beyond ρᵣ: somebody would get less than it has"
      : open ? "beyond ρₛ: a group could do better by itself" : "up to ρₛ: no group does better by itself";
  };
  document.querySelector(".marks").innerHTML = [["ρₛ", data.stable], ["ρᵣ", data.rational]].filter(([, x]) => x <= 1)
    .map(([name, x]) => `<span style="left: ${100 * x}%">${name}</span>`).join("");
  slider.addEventListener("input", () => update(Number(slider.value)));
  update(data.rho);
})();
</script>
{% endif %}
{% endblock %}
{% block closing %}It shows {{ view.party }}'s own numbers and what all parties know.{% endblock %}
"""


def party_page(
    view: View,
    *,
    alone: Mapping[str, float] | None = None,
    reward: Mapping[str, float] | None = None,
    pictures: Sequence[Picture] = (),
) -> str:
    """The page of the party that ``view`` is for.

    Parameters
    ----------
    view : what came with the reward, or ``view_of`` a record where nothing was given yet
    alone, reward : the party's own scores on rows that it held out
    pictures : drawn from its own rows
    """
    given, kind = "contains" in view, kind_of(view)
    scores = [
        {
            "name": score.name,
            "meaning": score.meaning,
            "alone": score.sides(alone, reward)[0],
            "reward": reward[score.key],
            "rows": int(reward.get("rows", 0)),
        }
        for score in kind.scores
        if reward and score.key in reward
    ]
    view = _told(view)
    private = view.get("epsilon") is not None
    return render(
        TEMPLATE,
        title=f"{view['party']}'s reward" if given else f"What {view['party']} would get",
        view=view,
        given=given,
        opening=_opening(view, given),
        own=_own(view),
        private=private,
        of_rows=OF_ROWS.replace("Its", "Your").replace("the party itself", "yourself"),
        worse=_worse(kind.scores, alone, reward),
        told=kind.told(view),
        meanings=MEANINGS,
        columns=[c for c in COLUMNS if any(c.cell(row) != NOTHING for row in view["parties"])],
        predicts=kind.predicts,
        scores=scores,
        undefined=kind.undefined({view["party"]: reward or {}}),
        exposed=_exposed(view["exposed"]),
        disclosed=kind.disclosed({view["party"]: reward or {}}),
        pictures=list(pictures),
        slider=_slider(view),
    )


def view_of(record: Mapping[str, Any], party: str) -> dict[str, Any]:
    """What this party may see of a run's record, as it is also sent with a reward."""
    best = max(float(entry["target"]) for entry in record["parties"])
    own = next(entry for entry in record["parties"] if entry["party"] == party)
    return {
        **{key: record.get(key) for key in KNOWN},
        "party": party,
        "own_value": own["value"],
        "target": own["target"],
        "parties": [
            {
                "party": entry["party"],
                "alpha": entry["alpha"],
                "share_of_best": share_of_best(entry["target"], best),
                **common_errors(entry),
            }
            for entry in record["parties"]
        ],
        **own_errors(own),
    }


def common_errors(entry: View) -> dict[str, Any]:
    """How well a party's alpha is known, of its entry in a record: as much common knowledge as alpha itself."""
    shown = {"sampling": ("alpha", "alpha_range", "split", "split_range"), "likely": ("alpha",)}
    return {
        source: {key: entry[source][key] for key in keys if key in entry[source]}
        for source, keys in shown.items()
        if entry.get(source)
    }


def own_errors(entry: View) -> dict[str, Any]:
    """How well the numbers of the party's own are known, of its entry in a record, and the noise that it sent with."""
    likely, sampling = entry.get("likely") or {}, entry.get("sampling") or {}
    ranges = {
        "own_value_range": likely.get("value"),
        "target_range": likely.get("target"),
        "target_range_of_rows": sampling.get("target"),
        "synthetic_rows_range": sampling.get("synthetic_rows"),
        "epsilon": entry.get("epsilon"),
    }
    return {key: found for key, found in ranges.items() if found is not None}


def _told(view: View) -> dict[str, Any]:
    """The view as the page can show it: a strategy of one's own may say less, or other things under these names."""
    view = {**UNSAID, **view}
    rows = view["parties"] if isinstance(view["parties"], list | tuple) else ()
    view["parties"] = [row for row in rows if isinstance(row, Mapping) and "party" in row]
    own: View = next((row for row in view["parties"] if row["party"] == view["party"]), {})
    if not all(map(is_number, (view["own_value"], view["target"], own.get("share_of_best")))):
        view |= {"own_value": None, "target": None}
    limits = view["thresholds"]
    if not (isinstance(limits, Mapping) and {"rational", "stable"} <= set(limits)):
        view["thresholds"] = None
    return view


def _exposed(found: Any) -> str:
    """What the mediator's audit says of the party's own rows, in a sentence; "" where it says nothing."""
    if not isinstance(found, Mapping) or not all(is_number(found.get(key)) for key in ("auc", "least", "most")):
        return ""
    rewards = found.get("rewards")
    of = f"of {rewards} rewards of others" if is_number(rewards) and rewards != 1 else "reward of another"
    said = f"an AUC of {found['auc']:.2f} ({found['least']:.2f} to {found['most']:.2f})"
    return (
        f"Which of your rows were in is told by the strongest attack, on whichever {of} tells most, with {said}: 0.5 is "
        "chance, 1 is certain."
    )


def _opening(view: View, given: bool) -> str:
    if view["held_back"]:
        return "Your reward was made, and is held back."
    what, verb = kind_of(view).words, "is" if given else "would be"
    if view["target"] is None:
        alpha = next((row.get("alpha") for row in view["parties"] if row["party"] == view["party"]), None)
        counted = "" if alpha is None else f": what you sent counted {percent_text(alpha)} of what counted most"
        return f"Your reward {verb} {what}{counted}."
    own, target = float(view["own_value"]), float(view["target"])
    share = next(row["share_of_best"] for row in view["parties"] if row["party"] == view["party"])
    rank = "the best of all" if share == 1.0 else f"{percent_text(share)} of what the best one is worth"
    more = f", {target / own:.3g} times {_own(view)}" if own > 0.0 and "const" not in str(view["unit"]) else ""
    return f"Your reward {verb} {what} worth {number_text(target)} {unit_text(str(view['unit']))}{more}: {rank}."


def _own(view: View) -> str:
    """What a party's value is the worth of."""
    return "your own data" if view.get("epsilon") is None else "your sums with noise"


def _worse(scores: Sequence[Score], alone: Mapping[str, float] | None, reward: Mapping[str, float] | None) -> str:
    """By which scores the party does better without its reward, in a sentence; "" where by none."""
    sides = [(score, *score.sides(alone, reward)) for score in scores]
    known = [(score, before, after) for score, before, after in sides if before is not None and after is not None]
    better = [score.name for score, before, after in known if score.worse(before, after)]
    if not better:
        return ""
    return f"Your own data alone does better than your reward on these rows, whatever that is worth: {listed(better)}."


def _slider(view: View) -> str | None:
    """What the slider computes from, as JSON: common knowledge and the party's own numbers.

    Only where r_i / r_max = alpha_i^rho follows from that: with synthetic rewards the others' own data come in too.
    """
    thresholds = view["thresholds"]
    if (
        view["held_back"]
        or not is_number(view["rho"])
        or view["target"] is None
        or not thresholds
        or str(view["scheme"]).partition("(")[0] != "RhoShapley"
    ):
        return None
    own = next(i for i, row in enumerate(view["parties"]) if row["party"] == view["party"])
    share = float(view["parties"][own]["share_of_best"])
    if share <= 0.0:
        return None
    if not all(is_number(row.get(key)) for row in view["parties"] for key in ("alpha", "share_of_best")):
        return None
    alpha = [float(row["alpha"]) for row in view["parties"]]
    if any(
        abs(row["share_of_best"] - max(a, 0.0) ** view["rho"]) > SAME
        for row, a in zip(view["parties"], alpha, strict=True)
    ):
        return None  # a scheme of its own
    limits = {name: float(thresholds[name]) for name in ("rational", "stable")}
    data = {
        "alpha": alpha,
        "row": own,
        "share": share,
        "target": view["target"],
        "own": view["own_value"],
        "rho": view["rho"],
        **{name: min(limit, 1e9) for name, limit in limits.items()},
    }
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")
