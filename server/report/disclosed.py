"""What each reward gives away of single rows, as the mediator's page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wire.pages.numbers import number_text, percent_text

__all__ = ["DISCLOSED", "disclosed"]

DISCLOSED = """
{% if disclosed %}<section id="disclosed">
<h2>What a reward gives away</h2>
<p class="lead">{{ disclosed.lead }}</p>
{% for entry in record.parties if entry.get("held_back") %}<p class="warning"><b class="bad">Held back:</b> <b>{{ entry.party }}</b>, {{ entry.held_back }}.</p>{% endfor %}
{% if disclosed.rows %}<table class="cards"><thead><tr><th class="text">attack</th>{% for party in disclosed.parties %}<th>{{ party }}'s reward</th>{% endfor %}</tr></thead><tbody>
{% for name, cells in disclosed.rows %}<tr><th class="text" scope="row">{{ name }}</th>
{% for party, cell in cells %}<td data-label="{{ party }}'s reward">{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table>
<p class="note">The AUC of telling which of the other parties' rows were in, with the 95 % interval over these rows: 0.5 is chance, 1 is certain. It is
found out on twins of the reward, each made in the same way from one half of every party's rows and attacked with the other: rows that parties
hold out never reach the mediator. A twin is made of fewer rows than the reward, so that one of them weighs more in it.</p>{% endif %}
{% for sentence in disclosed.sentences %}<p>{{ sentence }}</p>{% endfor %}
{% if disclosed.shares %}<details><summary>In shares and distances</summary>{% for sentence in disclosed.shares %}<p>{{ sentence }}</p>{% endfor %}</details>{% endif %}
{% if disclosed.meanings %}<details><summary>What the attacks do</summary><dl>{% for name, meaning in disclosed.meanings %}<dt>{{ name }}</dt><dd>{{ meaning }}</dd>{% endfor %}</dl></details>{% endif %}
<p class="warning">These attacks were tried and no others. That they fail is no guarantee of privacy.</p>
</section>{% endif %}
"""

MEANINGS = {
    "nearest row": "Rows near a synthetic one were in, it guesses.",
    "density ratio": "Rows where synthetic ones lie denser than the attacker's own rows were in, it guesses (DOMIAS).",
    "singling out": "Conditions made from synthetic rows, such as an age of at least 74 and pain of kind 3: rows that "
    "are the only ones to fulfil one were in, it guesses (after Anonymeter).",
    "guessing cells": "Each cell of a row is guessed by the synthetic row that is nearest in all others: rows of which "
    "more is guessed right were in, it guesses.",
    "log loss": "Rows whose outputs the model finds likely were in, it guesses.",
    "squared error": "Rows whose outputs the model predicts well were in, it guesses.",
    "rows that stand in the model": "Rows near one of those that the model's arrays hold were in, it guesses: 1 where "
    "the model holds the rows themselves.",
}

OWN = " against its own model's"

CLOSEST = (
    "{party}: half of its synthetic rows lie within {to_rows} of a row of others, and half of these within "
    "{between_rows} of another (standard units). For information only: such a distance is evidence of nothing."
)


def disclosed(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the page shows of a record; None where nothing was looked into."""
    found = {str(p["party"]): p["disclosure"] for p in record["parties"] if p.get("disclosure")}
    if not found:
        return None
    names = list(dict.fromkeys(attack["name"] for own in found.values() for attack in own["attacks"]))
    attacked = {party: own for party, own in found.items() if own["attacks"]}
    rows = [(name, [(party, _cell(own, name)) for party, own in attacked.items()]) for name in names]
    known = [
        (name, MEANINGS[name.removesuffix(OWN)] + _calibrated(name))
        for name in names
        if name.removesuffix(OWN) in MEANINGS
    ]
    return {
        "lead": _lead(found),
        "parties": list(attacked),
        "rows": rows,
        "sentences": _sentences(found),
        "shares": _shares_and_distances(found),
        "meanings": known,
    }


def _calibrated(name: str) -> str:
    return (
        " By comparison with what the attacker's own model says, for whom a row can be easy too."
        if name.endswith(OWN)
        else ""
    )


def _cell(own: Mapping[str, Any], name: str) -> str:
    attack = next((attack for attack in own["attacks"] if attack["name"] == name), None)
    if attack is None:
        return "–"
    low, high = (number_text(attack["interval"][end], 2) for end in ("least", "most"))
    return f"{attack['auc']:.2f} ({low} to {high})"


def _lead(found: Mapping[str, Any]) -> str:
    strongest = {party: own["strongest"] for party, own in found.items() if own["strongest"]}
    if not strongest:
        return "Before rewards go out, what they give away of single rows is found out as far as it can be."
    party = max(strongest, key=lambda name: strongest[name]["auc"])
    attack = strongest[party]
    return (
        f"Whoever holds {party}'s reward, of all rewards the one that tells most, can tell which rows of others it was "
        f"made of with an AUC of {attack['auc']:.2f} ({attack['interval']['least']:.2f} to "
        f"{attack['interval']['most']:.2f}), by {attack['name']}: of a row that was in and one that was not, it is "
        f"right about {100 * attack['auc']:.0f} times in a hundred."
    )


def _sentences(found: Mapping[str, Any]) -> list[str]:
    said = []
    for party, own in found.items():
        if own["harmless"]:
            said.append(f"{party}: nothing of the others is in its reward.")
        elif own["reason"]:
            said.append(f"{party}: not found out, {own['reason']}.")
        elif own["bound"] is not None:
            said.append(
                f"{party}: by the noise that the others put on their sums no attack at all tells one row of theirs "
                f"with an AUC above {own['bound']:.2f}. From sums no more can be found out: no row is here to attack with."
            )
    return said


def _shares_and_distances(found: Mapping[str, Any]) -> list[str]:
    said = []
    for party, own in found.items():
        for attack in own["attacks"]:
            if attack.get("inside") is not None:
                said.append(f"{party}, {attack['name']}: {_shares(attack)}.")
        if own.get("closest"):
            distances = {key: number_text(value, 2) for key, value in own["closest"].items()}
            said.append(CLOSEST.format(party=party, **distances))
    return said


def _shares(attack: Mapping[str, Any]) -> str:
    inside, outside = percent_text(attack["inside"]), percent_text(attack["outside"])
    if attack["name"] == "singling out":
        return (
            f"{inside} of the conditions made from synthetic rows are fulfilled by exactly one of the rows that were "
            f"in, {outside} by exactly one of the others"
        )
    return f"{inside} of the cells of rows that were in are guessed right, {outside} of those of the others"
