"""matplotlib's figures as SVG that lies in a page: themed by its colours, its text real text, small."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from wire.pages.style import COLOURS, colour_name

__all__ = ["draw", "ink", "party_colour", "quiet_axes"]

PIXELS_AN_INCH = 92.0
"""How wide a figure gets at most: its smallest text is then as large as a footnote of the page."""

SETTINGS: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "guerdon",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # what matplotlib measures with: it comes with it, and is wide
    "font.size": 10.5,
    "text.parse_math": False,  # a dollar in a column's name is one
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.0,
    "axes.labelsize": 10.0,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 10.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def ink(name: str) -> str:
    """A colour of the page by name, as matplotlib takes it; in the page it becomes the page's own."""
    return COLOURS[name][0]


def party_colour(i: int) -> str:
    """The colour of the party in row i."""
    return ink(colour_name(i))


def draw(width: float, height: float, paint: Callable[[Figure], object], description: str) -> str:
    """An inline SVG.

    Parameters
    ----------
    width, height : in inches of 72 units; a phone shows about five of them in full size
    paint : draws on the figure it is given
    description : for those who can't see it
    """
    settings = {**SETTINGS, "figure.facecolor": "none", "axes.facecolor": "none"}
    settings |= {key: ink("quiet") for key in ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")}
    settings |= {key: ink("ink") for key in ("text.color", "axes.titlecolor")}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        canvas = FigureCanvasSVG(figure)
        paint(figure)
        file = io.StringIO()
        # ``savefig`` would draw all of it twice.
        canvas.print_svg(file, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return _inline(file.getvalue(), description, width)


def quiet_axes(axes: Axes) -> None:
    """No frame but the lower line."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _inline(svg: str, description: str, width: float) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"| version="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    wanted = {name for pair in used for name in pair if name}
    svg = re.sub(r' id="([^"]*)"', lambda m: m.group(0) if m.group(1) in wanted else "", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d{2})\d+", r"\1", tag.group()), svg)  # not what it says
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|font-family: [^;\"]*; ?", "", svg, flags=re.DOTALL)
    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    for name, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{name})")
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><")
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    svg = re.sub(r' width="[^"]*pt" height="[^"]*pt"', "", svg, count=1)
    return svg.replace(
        "<svg", f'<svg role="img" aria-label="{label}" style="--width: {PIXELS_AN_INCH * width:.0f}px"', 1
    )
