"""Draws the SVG figures of the documentation, into this folder; the numbers are those of examples/negotiation.ipynb.

python docs/figures/draw.py
"""

from __future__ import annotations

import contextlib
import io
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

HERE = Path(__file__).parent
INK, QUIET, LINE, CARD, WASH, ACCENT, GOLD = "#1d2530", "#5a6472", "#cfcabd", "#fffefb", "#efece4", "#0d6560", "#876000"
PARTY = ["#0b6a9e", "#c1530f", "#44803a"]


def text(x: float, y: float, words: str, *, size: int = 14, fill: str = INK, anchor: str = "start", bold: bool = False):
    weight = ' font-weight="600"' if bold else ""
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{weight}>{words}</text>'


def box(x: float, y: float, w: float, h: float, *lines: str, fill: str = WASH, stroke: str = LINE) -> str:
    """A rounded box; the first line is its title, the others are smaller."""
    drawn = [f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="9" fill="{fill}" stroke="{stroke}"/>']
    top = y + h / 2 - 9 * (len(lines) - 1) + 5
    for k, line in enumerate(lines):
        size, colour = (14, INK) if k == 0 else (12, QUIET)
        drawn.append(text(x + w / 2, top + 18 * k, line, size=size, fill=colour, anchor="middle", bold=k == 0))
    return "".join(drawn)


def arrow(x1: float, y1: float, x2: float, y2: float, colour: str = QUIET, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="1.6" marker-end="url(#head)"'
        f"{dash}/>"
    )


def path(points: Any, colour: str, *, width: float = 2.2, dash: str = "") -> str:
    at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{width}"{extra}/>'


def write(name: str, width: int, height: int, title: str, *parts: str) -> None:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif">'
        f"<title>{title}</title>"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{QUIET}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" rx="12" fill="{CARD}"/>'
    )
    (HERE / name).write_text(head + "\n".join(parts) + "</svg>\n", encoding="utf-8")


def hospitals() -> dict[str, Any]:
    """The names that the notebook's cells leave behind."""
    mpl.use("Agg")
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in json.loads((HERE.parents[1] / "examples" / "negotiation.ipynb").read_text())["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    return names


def mechanism() -> None:
    parts = []
    for k, (name, about) in enumerate(
        [("party", "its own file"), ("party", "its own file"), ("party", "its own file")]
    ):
        x = 90 + 250 * k
        parts += [box(x, 22, 150, 52, name, about), arrow(x + 55, 76, x + 55, 128), arrow(x + 95, 248, x + 95, 300)]
        parts.append(text(x + 47, 106, "rows", size=12, fill=QUIET, anchor="end"))
        parts.append(text(x + 103, 280, "its own reward", size=12, fill=QUIET))
        parts.append(box(x - 20, 302, 190, 52, "reward", "scored on rows held out"))
    parts.append(f'<rect x="20" y="130" width="790" height="116" rx="12" fill="#e7f0ee" stroke="{ACCENT}"/>')
    parts.append(text(34, 151, "mediator", fill=ACCENT, bold=True))
    steps = [
        ("values v(C)", "what is each", "coalition worth?"),
        ("Shapley phi_i", "who added", "how much?"),
        ("targets r_i", "what should each", "reward be worth?"),
        ("rewards", "made to be worth", "exactly that"),
    ]
    for k, lines in enumerate(steps):
        parts.append(box(36 + 195 * k, 160, 168, 74, *lines, fill=CARD))
        if k:
            parts.append(arrow(36 + 195 * k - 25, 197, 36 + 195 * k - 3, 197))
    write("mechanism.svg", 830, 374, "From contributions to rewards", *parts)


def shapley(names: dict[str, Any]) -> None:
    table, parties = names["game"].table(), names["valued"].parties
    top, scale, parts = 40, 9.2, []
    floor = top + table[-1] * scale
    for k, order in enumerate(permutations(range(3))):
        x, height, mask = 36 + 84 * k, floor, 0
        for i in order:
            gain = (table[mask | 1 << i] - table[mask]) * scale
            mask |= 1 << i
            height -= gain
            parts.append(
                f'<rect x="{x}" y="{height:.1f}" width="58" height="{gain:.1f}" fill="{PARTY[i]}" stroke="{CARD}"/>'
            )
            if gain > 16:
                value = f"{gain / scale:.2f}"
                parts.append(text(x + 29, height + gain / 2 + 5, value, size=13, fill="#fff", anchor="middle"))
        arrived = [parties[i] for i in order]
        for line, party in enumerate(arrived):
            parts.append(text(x + 29, floor + 20 + 16 * line, party, size=12, fill=QUIET, anchor="middle"))
    x, height = 572, floor
    for i, phi in enumerate(names["shapley"].values):
        height -= phi * scale
        parts.append(
            f'<rect x="{x}" y="{height:.1f}" width="76" height="{phi * scale:.1f}" fill="{PARTY[i]}" stroke="{CARD}"/>'
        )
        label = f"phi({parties[i]}) = {phi:.2f}"
        parts.append(text(x + 88, height + phi * scale / 2 + 5, label, fill=PARTY[i], bold=True))
    parts.append(text(36, 26, "who joins first, second, third: what each adds (nats)", size=13, fill=QUIET))
    parts.append(text(x, 26, "the mean over all orders", size=13, fill=QUIET))
    parts.append(text(x + 38, floor + 20, f"v_N = {table[-1]:.2f}", size=12, fill=QUIET, anchor="middle"))
    write("shapley.svg", 830, int(floor + 72), "Shapley values as means over orders of joining", *parts)


def rho(names: dict[str, Any]) -> None:
    rhos, rewards, alone, parties = (names[k] for k in ("rhos", "rewards", "alone", "valued"))
    parties, stable = parties.parties, names["thresholds"].stable
    left, right, top, bottom, low, high = 70, 640, 44, 330, 5.0, 26.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x, bottom - (bottom - top) * (y - low) / (high - low)

    edge = at(stable, 0)[0]
    parts = [
        f'<rect x="{left}" y="{top}" width="{edge - left:.1f}" height="{bottom - top}" fill="#e6f0e8"/>',
        f'<rect x="{edge:.1f}" y="{top}" width="{right - edge:.1f}" height="{bottom - top}" fill="#f6ead6"/>',
        path([(edge, top), (edge, bottom)], GOLD, width=1.4),
        text(edge, top - 8, f"rho_s = {stable:.3f}", size=13, fill=GOLD, anchor="middle", bold=True),
        text(left + 10, bottom - 10, "no group does better by itself", size=12, fill="#1d7440"),
        text(edge + 8, bottom - 10, "some group could leave", size=12, fill=GOLD),
    ]
    for value in (5, 10, 15, 20, 25):
        parts.append(text(left - 10, at(0, value)[1] + 4, str(value), size=12, fill=QUIET, anchor="end"))
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(text(at(value, 0)[0], bottom + 20, f"{value:g}", size=12, fill=QUIET, anchor="middle"))
    for i, party in enumerate(parties):
        parts.append(path([at(0, alone[i]), at(1, alone[i])], PARTY[i], width=1.3, dash="2 4"))
        parts.append(path([at(r, v) for r, v in zip(rhos, rewards[:, i], strict=True)], PARTY[i]))
        end = at(1, rewards[-1, i])[1]
        parts.append(text(right + 10, end + 5, f"{party}, {rewards[-1, i]:.1f}", fill=PARTY[i], bold=True))
    parts.append(text((left + right) / 2, bottom + 44, "rho", size=13, fill=QUIET, anchor="middle"))
    parts.append(text(left, top - 24, "worth of the reward (nats)", size=13, fill=QUIET))
    parts.append(text(left, bottom + 44, "all get the pool's model", size=12, fill=QUIET))
    parts.append(text(right, bottom + 44, "in proportion to phi", size=12, fill=QUIET, anchor="end"))
    parts.append(text(right + 10, bottom + 20, "dotted: worth alone", size=12, fill=QUIET))
    write("rho.svg", 830, 390, "What rho does to every party's reward", *parts)


def noise(names: dict[str, Any]) -> None:
    i = names["valued"].parties.index("youth")
    response, alone, whole = names["responses"][i], names["alone"][i], names["game"].table()[-1]
    etas = np.logspace(-3, 4, 141)
    values = [alone + response.gain(float(eta)).value for eta in etas]
    left, right, top, bottom, low, high = 70, 640, 40, 290, 5.0, 26.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * (np.log10(x) + 3) / 7, bottom - (bottom - top) * (y - low) / (high - low)

    target = names["RhoShapley"]("stable")(names["shapley"], names["game"]).values[i]
    solved = float(np.interp(-target, -np.array(values), etas))
    x, y = at(solved, target)
    parts = [path([at(1e-3, v), at(1e4, v)], QUIET, width=1.2, dash="2 4") for v in (alone, whole)]
    parts += [path([at(e, v) for e, v in zip(etas, values, strict=True)], PARTY[i], width=2.6)]
    parts += [path([(left, y), (x, y), (x, bottom)], GOLD, width=1.4, dash="5 4")]
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{GOLD}"/>']
    parts += [text(x + 10, y - 6, f"target {target:.2f}: eta = {solved:.1f}", fill=GOLD, bold=True)]
    parts += [text(right + 8, at(1, whole)[1] + 4, "v_N, the pool's model", size=12, fill=QUIET)]
    parts += [text(right + 8, at(1, alone)[1] + 4, "v_i, own rows only", size=12, fill=QUIET)]
    for power in (-3, -1, 1, 3):
        spot = at(10.0**power, 0)[0]
        parts.append(text(spot, bottom + 20, f"{10.0**power:g}", size=12, fill=QUIET, anchor="middle"))
    for value in (5, 10, 15, 20, 25):
        parts.append(text(left - 10, at(1, value)[1] + 4, str(value), size=12, fill=QUIET, anchor="end"))
    parts.append(text(left, top - 16, "what youth's reward is worth (nats)", size=13, fill=QUIET))
    axis = "eta, the variance of the noise on the others' outputs (standard units)"
    parts.append(text((left + right) / 2, bottom + 44, axis, size=12, fill=QUIET, anchor="middle"))
    write("noise.svg", 830, 350, "The value of a reward against the noise in it", *parts)


def house() -> None:
    floors = [
        (20, 22, 380, "simulations", "the command line: data, parties, launch, show"),
        (20, 100, 380, "server", "the mediator's app: config, run directory, report"),
        (20, 178, 380, "strategies", "the conversation, the pool, the strategies"),
        (430, 178, 380, "clients", "a party's app: its file, consent, its rewards"),
        (20, 256, 790, "wire", "what both sides share: messages, schema, signatures, kinds of things sent, pages"),
        (20, 334, 790, "guerdon", "the mathematics: arrays in, arrays out; the only part that the wheel carries"),
    ]
    fills = {"guerdon": "#e7f0ee", "wire": "#f3eee0"}
    parts = [box(x, y, w, 56, *lines, fill=fills.get(lines[0], WASH)) for x, y, w, *lines in floors]
    parts += [arrow(210, y, 210, y + 20) for y in (79, 157, 235)]
    parts += [arrow(620, 235, 620, 254), arrow(415, 313, 415, 332)]
    write("house.svg", 830, 410, "The folders, and which way imports run", *parts)


def contribution() -> None:
    left, right, parts = 200, 620, []
    parts += [box(90, 18, 220, 44, "party", fill="#eaf1f6"), box(510, 18, 220, 44, "mediator", fill="#e7f0ee")]
    parts += [f'<line x1="{x}" y1="64" x2="{x}" y2="628" stroke="{LINE}" stroke-width="2"/>' for x in (left, right)]

    def message(y: float, words: str, back: bool = False) -> None:
        parts.append(text((left + right) / 2, y - 8, words, size=13, anchor="middle"))
        parts.append(arrow(left + 4, y, right - 4, y) if back else arrow(right - 4, y, left + 4, y))

    def step(y: float, x: float, *lines: str) -> None:
        parts.append(box(x - 165, y, 330, 22 + 18 * len(lines), *lines, fill=CARD))

    message(100, "who are you? the schema, the scheme, until when")
    step(114, left, "proposal kept", "the party's people can read it, and withdraw")
    message(206, "name, columns, numbers of rows", back=True)
    message(242, "contribute")
    step(256, left, "its file is read by the schema", "held-out rows stay; signed; noted in its ledger")
    message(348, "rows", back=True)
    step(362, right, "checked, pooled, ledger, receipt", "values, Shapley values, targets, rewards on disk")
    message(454, "its own reward, and the receipt")
    step(468, left, "reward and report kept", "scored on the held-out rows, as its own data was")
    message(560, "scores", back=True)
    step(574, right, "allocation.json, report.html")
    write("contribution.svg", 830, 646, "The way of a contribution", *parts)


if __name__ == "__main__":
    found = hospitals()
    mechanism()
    shapley(found)
    rho(found)
    noise(found)
    house()
    contribution()
