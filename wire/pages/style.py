"""The style sheet of every page: light, dark, on a phone and on paper."""

from __future__ import annotations

__all__ = ["COLOURS", "STYLE", "colour_name"]

COLOURS: dict[str, tuple[str, str]] = {
    "ground": ("#f6f4ef", "#11151c"),
    "card": ("#fffefb", "#1a202b"),
    "ink": ("#1d2530", "#e8e6e1"),
    "quiet": ("#5a6472", "#a7b0bd"),
    "line": ("#dedad0", "#343d4b"),
    "wash": ("#efece4", "#232b38"),
    "accent": ("#0d6560", "#5cc5bb"),
    "gold": ("#876000", "#e0b04d"),
    "good": ("#1d7440", "#63c98a"),
    "bad": ("#b3261e", "#ff8f85"),
    "p0": ("#0b6a9e", "#62b4e6"),
    "p1": ("#c1530f", "#f29a5c"),
    "p2": ("#44803a", "#86c779"),
    "p3": ("#8647a8", "#c796e6"),
    "p4": ("#a37b00", "#e3c14f"),
    "p5": ("#b8325a", "#f58aa9"),
    "p6": ("#20857f", "#67cdc5"),
    "p7": ("#6a6f7b", "#b3bac7"),
}
"""Each colour on light and on dark ground; p0 to p7 are the parties', told apart by lightness too."""


def colour_name(party: int) -> str:
    """The colour of the party in this row; they repeat beyond eight."""
    return f"p{party % 8}"


def _variables(ground: int) -> str:
    return " ".join(f"--{name}: {shades[ground]};" for name, shades in COLOURS.items())


STYLE = (
    ":root { color-scheme: light dark; "
    + _variables(0)
    + " }\n@media screen and (prefers-color-scheme: dark) { :root { "
    + _variables(1)
    + " } }\n"
    + """
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 3.6rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
header, main, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.2rem; }
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, "Times New Roman", serif;
  font-weight: 600; line-height: 1.2; letter-spacing: -.01em; }
h1 { font-size: clamp(1.7rem, 5vw, 2.5rem); margin: .15rem 0 .4rem; }
h2 { font-size: clamp(1.3rem, 3.6vw, 1.65rem); margin: 0 0 .35rem; }
h3 { font-size: 1rem; margin: 0 0 .15rem; }
p { margin: .35rem 0 .8rem; }
a { color: var(--accent); }
code { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.eyebrow { text-transform: uppercase; letter-spacing: .12em; font-size: .74rem; color: var(--gold); font-weight: 650;
  margin: 0; }
.lead { font-size: 1.08rem; max-width: 52rem; }
.quiet, .note { color: var(--quiet); }
.note { font-size: .88rem; line-height: 1.45; max-width: 52rem; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; padding: 0; margin: .6rem 0 1rem; list-style: none; }
.chips li { background: var(--wash); border-radius: 99px; padding: .12rem .75rem; font-size: .84rem; color: var(--quiet); }
.chips b { color: var(--ink); font-weight: 600; }
nav { position: sticky; top: 0; z-index: 5; background: var(--ground); border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: 1.3rem; max-width: 70rem; margin: 0 auto; padding: .55rem 1.25rem; list-style: none;
  overflow-x: auto; scrollbar-width: none; }
nav a { text-decoration: none; color: var(--quiet); font-size: .92rem; white-space: nowrap; padding: .2rem 0; }
nav a:hover { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.4rem 1.5rem 1.2rem;
  margin: 1.4rem 0; }
section > p:last-child { margin-bottom: .2rem; }
table { border-collapse: collapse; width: 100%; margin: .7rem 0; font-size: .94rem; }
th, td { text-align: right; padding: .42rem .55rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; color: var(--quiet); font-size: .82rem; line-height: 1.3; vertical-align: bottom; }
td { white-space: pre; } td.text { white-space: normal; }
th[title] { cursor: help; text-decoration: underline dotted var(--line); text-underline-offset: 4px; }
tbody th { color: var(--ink); font-size: .94rem; vertical-align: top; min-width: 8rem; overflow-wrap: anywhere; }
.party { display: inline-flex; align-items: baseline; }
tbody tr:last-child > * { border-bottom: 0; }
td.text, th.text { text-align: left; }
td code { overflow-wrap: anywhere; }
td small, .small { font-size: .82rem; color: var(--quiet); }
.scroll { overflow-x: auto; }
.tall { max-height: 34rem; overflow-y: auto; }
.dot { display: inline-block; flex: none; width: .68em; height: .68em; border-radius: 50%; margin-right: .5em; background: currentColor; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--accent); font-size: .92rem; padding: .25rem 0; }
dl { margin: .4rem 0; font-size: .92rem; }
dt { font-weight: 600; margin-top: .45rem; }
dd { margin: 0; color: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); }
.mark { font-weight: 700; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21.5rem), 1fr)); gap: 1.2rem 2rem;
  align-items: start; }
figure { margin: .4rem 0; min-width: 0; }
figure img { max-width: 100%; image-rendering: pixelated; }
figure.wide { grid-column: 1 / -1; }
figure svg { display: block; width: 100%; height: auto; max-width: var(--width, none); }
figure.long .scroll svg { width: var(--width); max-width: none; }
figcaption { font-size: .88rem; line-height: 1.45; color: var(--quiet); margin-top: .3rem; max-width: 40rem; }
svg text { font-family: inherit; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.6rem), 1fr)); gap: .7rem; margin: 1rem 0; }
.tile { background: var(--wash); border-radius: 10px; padding: .6rem .8rem .65rem; }
.tile b { display: block; font-size: 1.28rem; line-height: 1.3; font-weight: 650; }
.tile span { display: block; font-size: .8rem; line-height: 1.35; color: var(--quiet); }
button { font: inherit; font-size: .9rem; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 99px; padding: .4rem .9rem; min-height: 2.4rem; cursor: pointer; }
button:hover { border-color: var(--accent); color: var(--accent); }
button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--card); }
button:disabled { opacity: .45; cursor: default; }
.command { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: .6rem; align-items: start; background: var(--wash); border-radius: 10px;
  padding: .7rem .8rem; margin: .5rem 0; }
.command code { flex: 1 1 15rem; white-space: pre-wrap; word-break: break-word; min-width: 0; }
.warning { border-left: 4px solid var(--gold); background: var(--wash); padding: .6rem .9rem; border-radius: 0 8px 8px 0;
  margin: .7rem 0; font-size: .94rem; }
footer { color: var(--quiet); font-size: .84rem; padding-bottom: 2.5rem; }
.slider { position: relative; padding: 1.9rem 0 .2rem; margin: .6rem 0; touch-action: pan-y; }
.slider input { -webkit-appearance: none; appearance: none; width: 100%; height: 2.4rem; background: transparent; margin: 0;
  cursor: pointer; }
.slider input::-webkit-slider-runnable-track { height: .7rem; border-radius: 99px; background: var(--track, var(--line)); }
.slider input::-moz-range-track { height: .7rem; border-radius: 99px; background: var(--track, var(--line)); }
.slider input::-webkit-slider-thumb { -webkit-appearance: none; width: 1.75rem; height: 1.75rem; margin-top: -.54rem;
  border-radius: 50%; background: var(--card); border: 4px solid var(--accent); box-shadow: 0 1px 4px #0005; }
.slider input::-moz-range-thumb { width: 1.3rem; height: 1.3rem; border-radius: 50%; background: var(--card);
  border: 4px solid var(--accent); }
.slider .marks { position: absolute; left: .875rem; right: .875rem; top: 0; height: 2.4rem; pointer-events: none; }
.slider .marks span { position: absolute; transform: translateX(-50%); font-size: .8rem; color: var(--gold);
  font-weight: 650; white-space: nowrap; line-height: 1.1; }
.slider .marks span::after { content: ""; position: absolute; left: 50%; top: 1.15rem; height: 1.05rem;
  border-left: 2px solid var(--gold); }
.slider .ends { display: flex; justify-content: space-between; font-size: .8rem; color: var(--quiet); gap: 1rem; }
.slider .ends span:last-child { text-align: right; }
.presets { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .4rem 0 .8rem; }
.exactly { font: inherit; width: 8.5rem; padding: .35rem .6rem; min-height: 2.4rem; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; }
@media screen and (max-width: 44rem) {
  header, main, footer { padding-left: .8rem; padding-right: .8rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; }
  section { padding: 1.05rem .95rem .8rem; border-radius: 12px; margin: 1rem 0; }
  nav ul { padding: .55rem .8rem; gap: 1.1rem; }
  table.cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.cards, table.cards tbody, table.cards tr, table.cards th, table.cards td { display: block; }
  table.cards tr { padding: .7rem 0; border-bottom: 1px solid var(--line); }
  table.cards tr:last-child { border-bottom: 0; }
  table.cards th, table.cards td { border: 0; padding: .1rem 0; text-align: left; }
  table.cards td[data-label] { display: flex; justify-content: space-between; gap: 1rem; text-align: right; }
  table.cards td[data-label]::before { content: attr(data-label); color: var(--quiet); font-size: .86rem;
    text-align: left; flex: 1; }
  table.cards td { white-space: normal; }
  table.cards td.line { display: block; }
  table.cards tbody th { font-size: 1rem; }
  .lead { font-size: 1.02rem; }
}
@media print {
  @page { margin: 14mm; }
  body { background: #fff; font-size: 10.5pt; }
  nav, .screen, summary { display: none !important; }
  section { break-inside: auto; border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: .8rem 0;
    margin: .4rem 0; }
  figure, tr, .tile, .command { break-inside: avoid; }
  h2 { break-after: avoid; }
  .tall { max-height: none; overflow: visible; }
  td, #rewards td { white-space: normal; } table { font-size: 7.6pt; } th, td { padding: .25rem .2rem; }
  tbody th { min-width: 3.8rem; font-size: 7.6pt; } thead th { font-size: 7pt; }
  .dot, .track i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; }
  figure.long .scroll svg { width: 100%; }
  .tile, .command, .chips li, .warning { border: 1px solid var(--line); background: #fff; }
}
"""
)
