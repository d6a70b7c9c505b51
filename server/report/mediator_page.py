"""The mediator's page: everything about a run, with the negotiation as its heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from server.report.disclosed import DISCLOSED, disclosed
from server.report.mathematics import MATHEMATICS
from server.report.negotiation import NEGOTIATION, SCRIPT, STYLE, negotiation_data
from server.report.words import joined, number_word, summary, tells
from wire.kinds import Column, columns_of, kind_of
from wire.pages.glossary import CONDITIONS, MEANINGS, STAGES
from wire.pages.page import Picture, render

__all__ = ["mediator_page"]

BESIDE = 8
"""Columns that a table can have beside the parties' names on a screen of ordinary width."""

TEMPLATE = (
    """{% extends "skeleton" %}
{% import "macros" as part with context %}
{% block eyebrow %}The mediator's view{% endblock %}
{% block opening %}
<ul class="chips"><li><b>{{ stage }}</b></li><li>run <b>{{ record.run }}</b></li>{% if record.scheme %}<li>scheme <b>{{ record.scheme }}</b></li>{% endif %}
{% if record.shapley_method is defined %}<li>Shapley values: <b>{{ record.shapley_method }}</b></li>{% endif %}</ul>
{% endblock %}
{% block navigation %}<nav aria-label="sections"><ul><li><a href="#outcome">Outcome</a></li>{% if negotiation %}<li><a href="#negotiation">Negotiate ρ</a></li>{% endif %}
{% if record.certificate %}<li><a href="#certificate">Certificate</a></li>{% endif %}{% if disclosed %}<li><a href="#disclosed">What it gives away</a></li>{% endif %}<li><a href="#pictures">Pictures</a></li><li><a href="#details">Details</a></li></ul></nav>{% endblock %}
{% block content %}
<style>{{ extra_style | safe }}</style>
<section id="outcome">
<h2>What happened</h2>
<p class="lead">{{ sentences | join(" ") }}</p>
{% for entry in record.refused %}<p class="warning"><b class="bad">Refused:</b> <b>{{ entry.party }}</b>, {{ entry.reason }}</p>{% endfor %}
{% if record.findings %}<h3>What looks implausible</h3>
<ul>{% for finding in record.findings %}<li><b>{{ finding.party }}</b>: {{ finding.sentence }}</li>{% endfor %}</ul>{% endif %}
{% for title, group in tables %}{% if title %}<h3>{{ title }}</h3>{% endif %}
{{ part.table(group, record.parties) }}
{% endfor %}</section>
{% if negotiation %}
"""
    + NEGOTIATION
    + """
{% else %}<section id="negotiation"><h2>Negotiate ρ</h2><p>{{ no_negotiation }}</p></section>
{% endif %}
{% if record.certificate %}<section id="certificate">
<h2>Certificate</h2>
<p>{% if valued %}Which of the papers' conditions the rewards of this run satisfy, computed from the values{% if not record['values'] %} that are known{% else %} of all coalitions{% endif %},
each with its witness.{% else %}What can be told of this run's rewards.{% endif %}</p>
<ul class="checks">{% for check in record.certificate %}
<li title="{{ conditions.get(check.name, ('', ''))[1] }}"><span class="mark {{ 'good' if check.holds else 'bad' if check.holds is false else 'quiet' }}"
aria-label="{{ 'holds' if check.holds else 'fails' if check.holds is false else 'not checked' }}">{{ '✓' if check.holds else '✗' if check.holds is false else '–' }}</span>
<span>{% if check.name | length < 3 %}<b>{{ check.name }}</b> {% endif %}{{ check.title }}<small>{{ check.witness }}</small></span></li>{% endfor %}
</ul>
<details><summary>What the conditions mean</summary><dl>{% for check in record.certificate %}{% if check.name in conditions %}
<dt>{{ check.name }}, {{ check.title }}</dt><dd>{{ conditions[check.name][1] }}</dd>{% endif %}{% endfor %}</dl></details>
</section>{% endif %}
"""
    + DISCLOSED
    + """
<section id="pictures">
<h2>Pictures</h2>
<div class="figures">{% for picture in pictures %}{{ part.figure(picture) }}{% endfor %}</div>
{% if samples %}<p class="note">What the generator draws is in <a href="samples.png">samples.png</a> beside this page.</p>{% endif %}
</section>
<section id="details">
<h2>Details</h2>
{% for note in notes %}<p class="warning">{{ note }}</p>{% endfor %}
{% for note in record.get('diagnostics') or [] %}<p>{{ note[:1] | upper }}{{ note[1:] }}.</p>{% endfor %}
{% if pages %}<p>Each party has a page of its own, which shows no more than it may see{% if record.stage == 'valued' %}; hand it out before you agree{% endif %}:
{% for name, address in pages %}{% if address %}<a href="{{ address }}">{{ name }}</a>{% else %}{{ name }}{% endif %}{{ ", " if not loop.last }}{% endfor %}.
{% if record.stage != 'valued' %}It lies in its reward store, with pictures of its own rows that nobody else sees.{% endif %}</p>{% endif %}
<table class="cards"><tbody>{% for key, text in details %}<tr><th class="text" scope="row">{{ key }}</th><td class="text"><code>{{ text }}</code></td></tr>{% endfor %}</tbody></table>
<p class="warning">This page shows {{ 'the values of all coalitions' if valued else 'what each party contributed and got' }}{{ shows }}: it is for the mediator, and for all parties
together where they agreed to see it. Their own pages are for handing out.</p>
</section>
{% if negotiation %}<script>{{ script | safe }}</script>{% endif %}
{% endblock %}
{% block closing %}Run {{ record.run }}.{% endblock %}
"""
)


def mediator_page(
    record: Mapping[str, Any],
    *,
    directory: Path | None = None,
    pictures: Sequence[Picture] = (),
    pages: Sequence[tuple[str, str | None]] = (),
) -> str:
    """The page of a run.

    Parameters
    ----------
    record : content of allocation.json
    directory : of the run, for the command that goes on with it
    pictures : what ``run_pictures`` drew
    pages : each party's name and the address of its own page, where it can be reached from this one
    """
    record = {
        "kind": "model",
        "scheme": "",
        "unit": "",
        "values": None,
        "certificate": [],
        "refused": [],
        "notes": [],
        "findings": [],
        **record,
    }
    findings = {f"{finding['party']}: {finding['sentence']}" for finding in record["findings"]}
    negotiation = negotiation_data(record, directory)
    return render(
        TEMPLATE,
        title=_title(record),
        record=record,
        stage=STAGES.get(str(record.get("stage")), str(record.get("stage"))),
        sentences=summary(record),
        tables=_tables(columns_of(record)),
        valued=tells(record, "value"),
        shows=f" and {kind_of(record).report_shows}" if kind_of(record).report_shows else "",
        disclosed=disclosed(record),
        negotiation=negotiation,
        private=joined([str(party["party"]) for party in record["parties"] if party.get("epsilon") is not None]),
        no_negotiation="Rewards of this kind have no ρ to negotiate.",
        meanings=MEANINGS,
        conditions=CONDITIONS,
        pictures=list(pictures),
        samples=directory is not None and (directory / "samples.png").exists(),
        notes=[note for note in record["notes"] if note not in findings],
        pages=list(pages),
        details=_details(record),
        extra_style=STYLE,
        script=MATHEMATICS + SCRIPT,
    )


def _tables(columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """The columns in one table where they fit beside each other, else with the scores in one of their own."""
    if len(columns) <= BESIDE:
        return [("", list(columns))]
    scores = [column for column in columns if column.group == "scores"]
    rest = [column for column in columns if column.group != "scores"]
    named = (("What each party gave and gets", rest), ("On rows held out", scores))
    return [(title, group) for title, group in named if group]


def _title(record: Mapping[str, Any]) -> str:
    count = len(record["parties"])
    return f"{number_word(count).capitalize()} {'party' if count == 1 else 'parties'} and their rewards"


def _details(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The parts that the run was made of, and what they learned, as they are in allocation.json."""
    parts = [(str(key), str(text)) for key, text in (record.get("parts") or {}).items()]
    learned = record.get("model") or {}
    return parts + [(str(key).replace("_", " "), _plain(value)) for key, value in learned.items() if value is not None]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value[:12]) + (", …" if len(value) > 12 else "")
    return str(value)
