"""One page, one file: the skeleton that every report fills, and the few macros of its tables."""

from __future__ import annotations

from typing import Any, NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined

from wire.pages.numbers import count_text, likely_text, number_text, percent_text
from wire.pages.style import STYLE, colour_name
from wire.text import cleaned

__all__ = ["LIMIT", "Picture", "render"]

LIMIT = 3_000_000
"""Bytes that a page stays below."""


class Picture(NamedTuple):
    """A figure of a page: its title, a sentence below, the SVG, and how it lies ("", "wide" or "wide long")."""

    title: str
    caption: str
    svg: str
    form: str = ""


SKELETON = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<p class="eyebrow">{% block eyebrow %}{% endblock %}</p>
<h1>{{ title }}</h1>
{% block opening %}{% endblock %}
</header>
{% block navigation %}{% endblock %}
<main>
{% block content %}{% endblock %}
</main>
<footer><p>{% block closing %}{% endblock %} Made by Guerdon. This page is one file: it loads nothing from anywhere and sends
nothing anywhere.</p></footer>
</body>
</html>
"""

MACROS = """
{% macro party(i, name) %}<span class="party"><span class="dot" style="color: var(--{{ colour(i) }})" aria-hidden="true"></span><span>{{ name }}</span></span>{% endmacro %}
{% macro table(columns, rows) %}
<div class="scroll{{ ' tall' if rows | length > 24 }}" tabindex="0">
<table class="cards">
<thead><tr><th class="text">party</th>{% for column in columns %}<th title="{{ column.meaning }}">{{ column.label }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}<tr><th class="text" scope="row">{{ party(loop.index0, row.party) }}</th>
{%- for column in columns %}<td data-label="{{ column.label }}" title="{{ column.meaning }}">{{ column.cell(row) }}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table>
</div>
<details><summary>What the columns mean</summary>
<dl>{% for column in columns %}<dt>{{ column.label }}</dt><dd>{{ column.meaning }}</dd>{% endfor %}</dl>
</details>
{% endmacro %}
{% macro figure(picture) %}
<figure class="{{ picture.form }}">
<h3>{{ picture.title }}</h3>
<div class="scroll"{% if picture.form == 'wide long' %} tabindex="0"{% endif %}>{{ picture.svg | safe }}</div>
<figcaption>{{ picture.caption }}</figcaption>
</figure>
{% endmacro %}
"""


def render(template: str, **values: Any) -> str:
    """A page from a template that extends ``skeleton`` and imports ``macros``; everything but SVG is escaped, and shown."""
    environment = Environment(
        loader=DictLoader({"skeleton": SKELETON, "macros": MACROS, "page": template}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"number": number_text, "count": count_text, "percent": percent_text, "likely": likely_text}
    environment.globals |= {"colour": colour_name}
    return str(cleaned(environment.get_template("page").render(style=_Raw(STYLE), **values)))


class _Raw(str):
    """A text that is ours and stands as it is."""

    def __html__(self) -> str:
        return self
