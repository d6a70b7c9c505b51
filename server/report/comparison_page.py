"""Several runs side by side: the same parties under other schemes, with another rho, or another way to value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from wire.kinds import kind_of
from wire.kinds.kind import Score
from wire.pages.glossary import CONDITIONS, MEANINGS, STAGES
from wire.pages.numbers import number_text, percent_text, share_of_best, unit_text
from wire.pages.page import Picture, render
from wire.pages.pictures import draw, ink, party_colour, quiet_axes

__all__ = ["ComparisonError", "comparison_page"]

Record = Mapping[str, Any]

MOST = 24
"""Parties with a picture at most: the first by name."""


class ComparisonError(ValueError):
    """These runs can't stand side by side; the text says why."""


TEMPLATE = """{% extends "skeleton" %}
{% import "macros" as part with context %}
{% block eyebrow %}The mediator's view{% endblock %}
{% block opening %}<p class="lead">{{ opening }}</p>{% endblock %}
{% block content %}
<section><h2>The runs</h2><div class="scroll" tabindex="0"><table>
<thead><tr><th class="text"></th>{% for run in runs %}<th class="text">{{ run.letter }}</th>{% endfor %}</tr></thead><tbody>
{% for row in facts %}<tr><th class="text" scope="row" title="{{ row.meaning }}">{{ row.name }}</th>{% for cell in row.cells %}<td class="text">{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div></section>
{% for table in tables %}
<section><h2>{{ table.title }}</h2><p class="note">{{ table.meaning }}</p><div class="scroll" tabindex="0"><table>
<thead><tr><th class="text">party</th>{% for run in runs %}<th title="{{ run.record.run }}">{{ run.letter }}</th>{% endfor %}</tr></thead><tbody>
{% for row in table.rows %}<tr><th class="text" scope="row">{{ part.party(loop.index0, row.party) }}</th>{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div></section>
{% endfor %}
<section><h2>Certificates</h2><div class="scroll" tabindex="0"><table>
<thead><tr><th class="text">condition</th>{% for run in runs %}<th>{{ run.letter }}</th>{% endfor %}</tr></thead><tbody>
{% for row in checks %}<tr><th class="text" scope="row" title="{{ row.meaning }}">{{ row.title }}</th>{% for check in row.cells %}
<td title="{{ check.witness }}"><span class="mark {{ 'good' if check.holds else 'bad' if check.holds is false else 'quiet' }}" aria-label="{{ 'holds' if check.holds else 'fails' if check.holds is false else 'not checked' }}">{{ '✓' if check.holds else '✗' if check.holds is false else '–' }}</span></td>{% endfor %}</tr>{% endfor %}
</tbody></table></div><p class="note">The witness of each stands in the run's own report, and here on hover.</p></section>
<section><h2>Pictures</h2><div class="figures">{% for picture in pictures %}{{ part.figure(picture) }}{% endfor %}</div></section>
{% endblock %}
{% block closing %}{% endblock %}
"""


def comparison_page(records: Sequence[Record]) -> str:
    """One page for several runs' records (contents of allocation.json).

    Values of other kinds, or under other models, are in other units; alpha and the shares of the best reward compare.

    Raises
    ------
    ComparisonError
        There are fewer than two, or no party took part in all of them.
    """
    if len(records) < 2:
        raise ComparisonError(f"compare needs two runs or more, got {len(records)}")
    names = sorted(set.intersection(*({str(p["party"]) for p in record["parties"]} for record in records)))
    unvalued = [str(record["run"]) for record in records if record.get("grand_value") is None]
    if unvalued:
        raise ComparisonError(
            f"{', '.join(unvalued)} valued no data, so there are no values to lay side by side: compare runs that did"
        )
    if not names:
        raise ComparisonError("no party took part in all of these runs, so there is nothing to compare")
    runs = [{"letter": _letter(k), "record": record} for k, record in enumerate(records)]
    rows = [{str(p["party"]): p for p in record["parties"]} for record in records]
    others = max(len(record["parties"]) for record in records) - len(names)
    return render(
        TEMPLATE,
        title=f"{len(records)} runs side by side",
        opening=f"{len(names)} parties took part in all of them."
        + (f" {others} more took part in some only and are left out." if others > 0 else ""),
        runs=runs,
        facts=_facts(records),
        tables=_tables(records, names, rows),
        checks=_checks(records),
        pictures=_pictures(records, names[:MOST], rows),
    )


def _letter(k: int) -> str:
    return chr(ord("A") + k) if k < 26 else str(k + 1)


def _facts(records: Sequence[Record]) -> list[dict[str, Any]]:
    def thresholds(record: Record, key: str) -> object:
        return (record.get("thresholds") or {}).get(key)

    lines = [
        ("run", "", [str(record["run"]) for record in records]),
        ("", "", [STAGES.get(str(record["stage"]), str(record["stage"])) for record in records]),
        *_parts(records),
        ("ρ", MEANINGS["rho"], [number_text(record.get("rho")) for record in records]),
        ("ρₛ", MEANINGS["stable"], [number_text(thresholds(record, "stable")) for record in records]),
        ("ρᵣ", MEANINGS["rational"], [number_text(thresholds(record, "rational")) for record in records]),
        ("v_N", "What all data together is worth.",
         [f"{number_text(record['grand_value'])} {unit_text(str(record['unit']))}" for record in records]),
        ("best reward", MEANINGS["maximum"], [number_text(record.get("maximum")) for record in records]),
        ("welfare", MEANINGS["welfare"], [_welfare(record) for record in records]),
    ]  # fmt: skip
    return [{"name": name, "meaning": meaning, "cells": cells} for name, meaning, cells in lines]


def _parts(records: Sequence[Record]) -> list[tuple[str, str, list[str]]]:
    """The strategy and the scheme, and each further part in which the runs differ, as the run config has it."""
    texts = [
        {"strategy": record.get("strategy", ""), "scheme": record.get("scheme", ""), **(record.get("parts") or {})}
        for record in records
    ]
    keys = dict.fromkeys(key for own in texts for key in own)
    shown = [key for key in keys if key in ("strategy", "scheme") or len({own.get(key) for own in texts}) > 1]
    return [(key, "", [str(own.get(key) or "–") for own in texts]) for key in shown]


def _welfare(record: Record) -> str:
    welfare, most = (sum(float(party[key]) for party in record["parties"]) for key in ("target", "ceiling"))
    return f"{number_text(welfare)}, {percent_text(welfare / most)} of the most" if most > 0.0 else number_text(welfare)


def _share(record: Record, party: Record) -> float | None:
    best = max(float(entry["target"]) for entry in record["parties"])
    return share_of_best(party["target"], best)


def _tables(
    records: Sequence[Record], names: Sequence[str], rows: Sequence[Mapping[str, Record]]
) -> list[dict[str, Any]]:
    def table(title: str, meaning: str, cell: Any) -> dict[str, Any]:
        entries = [
            {"party": name, "cells": [cell(record, found[name]) for record, found in zip(records, rows, strict=True)]}
            for name in names
        ]
        return {"title": title, "meaning": meaning, "rows": entries}

    tables = [
        table("Contributions, α", MEANINGS["alpha"], lambda _, p: number_text(p["alpha"])),
        table("Rewards", "What each reward should be worth, and its share of the best.", _reward),
        table("Gains", MEANINGS["gain"], _gain),
    ]
    for key, score in {score.key: score for record in records for score in kind_of(record).scores}.items():
        if any((found[name].get("reward") or {}).get(key) is not None for found in rows for name in names):
            title = f"{score.name[:1].upper()}{score.name[1:]}"
            tables.append(table(title, score.meaning, lambda _, p, score=score: _scores(p, score)))
    return tables


def _reward(record: Record, party: Record) -> str:
    share = _share(record, party)
    return number_text(party["target"]) + ("" if share is None else f" ({percent_text(share)})")


def _gain(_: Record, party: Record) -> str:
    return number_text(float(party["target"]) - float(party["value"]))


def _scores(party: Record, score: Score) -> str:
    return " → ".join(map(number_text, score.sides(party.get("alone"), party.get("reward"))))


def _checks(records: Sequence[Record]) -> list[dict[str, Any]]:
    found = [{str(check["name"]): check for check in record.get("certificate") or []} for record in records]
    absent = {"holds": None, "witness": "not in this run's certificate"}
    return [
        {
            "title": f"{name}, {title}" if len(name) < 3 else title,
            "meaning": meaning,
            "cells": [checks.get(name, absent) for checks in found],
        }
        for name, (title, meaning) in CONDITIONS.items()
        if any(name in checks for checks in found)
    ]


def _pictures(records: Sequence[Record], names: Sequence[str], rows: Sequence[Mapping[str, Record]]) -> list[Picture]:
    letters = [_letter(k) for k in range(len(records))]

    def bars(title: str, caption: str, values: Sequence[Sequence[float]]) -> Picture:
        """values : one row a party, one number a run."""

        def paint(figure: Figure) -> None:
            across = min(4, len(names))
            panels = figure.subplots(-(-len(names) // across), across, squeeze=False, sharey=True).ravel()
            for axes in panels[len(names) :]:
                axes.set_axis_off()
            for i, (axes, name) in enumerate(zip(panels, names, strict=False)):
                axes.bar(letters, values[i], width=0.65, color=party_colour(i))
                axes.set_title(name[:18], loc="left", fontsize=9.5)
                axes.axhline(0.0, color=ink("quiet"), linewidth=0.8)
                quiet_axes(axes)
                axes.tick_params(axis="x", length=0)

        across = min(4, len(names))
        width = 1.1 + across * max(0.9, 0.28 * len(letters))
        return Picture(title, caption, draw(width, 1.75 * -(-len(names) // across), paint, title))

    shares = [
        [_share(record, found[name]) or 0.0 for record, found in zip(records, rows, strict=True)] for name in names
    ]
    alphas = [[max(float(found[name]["alpha"]), 0.0) for found in rows] for name in names]
    return [
        bars("Rewards", "Each reward's share of the best one in its run.", shares),
        bars("Contributions", "α: Shapley values as shares of the largest in their run.", alphas),
    ]
