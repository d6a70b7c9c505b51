"""What our commands show, on whatever terminal or in whatever redirected file: one home for all of them.

A terminal need not be UTF-8 (ISO-8859-1, cp1252, ASCII): a character that it has not is replaced by readable ASCII, so
that an arrow becomes ``->``. And no text that came from elsewhere may steer it: control characters become blanks.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from wire.text import cleaned

__all__ = ["Screen", "fitted", "prepare", "put", "say"]

READABLE = "readable"
"""The name by which Python's codecs know the replacement."""

WORDS = {
    "→": "->",
    "←": "<-",
    "⇒": "=>",
    "↔": "<->",
    "✓": "+",
    "✗": "x",
    "∞": "inf",
    "±": "+-",
    "·": "*",
    "•": "*",
    "–": "-",
    "—": "-",
    "−": "-",
    "‐": "-",
    "‑": "-",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "‘": "'",
    "’": "'",
    "‚": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": "<<",
    "»": ">>",
    "›": ">",
    "‹": "<",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "ε": "epsilon",
    "η": "eta",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "µ": "mu",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "φ": "phi",
    "ϕ": "phi",
    "θ": "theta",
    "Σ": "Sum",
    "Δ": "Delta",
    "ß": "ss",
    "æ": "ae",
    "Æ": "AE",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
    "ł": "l",
    "Ł": "L",
    "ı": "i",
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "Ä": "Ae",
    "Ö": "Oe",
    "Ü": "Ue",
    "þ": "th",
    "ð": "d",
    "€": "EUR",
    "£": "GBP",
    "─": "-",
    "━": "-",
    "═": "=",
    "╌": "-",
    "╸": "-",
    "╺": "-",
    "│": "|",
    "┃": "|",
    "║": "|",
    "█": "#",
    "°": " deg",
}
"""How people write in ASCII what is not in it; accents go, frames become + - |, and the rest a question mark."""


def prepare() -> None:
    """Let standard output and error take any text. Each command calls it before it says anything."""
    codecs.register_error(READABLE, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=READABLE)


def fitted(text: str, encoding: str) -> str:
    """The text as it comes out where only that encoding's characters can be shown.

    Examples
    --------
    >>> fitted("Zürich: 1.11 → 0.98", "iso-8859-1"), fitted("Zürich: 1.11 → 0.98", "ascii")
    ('Zürich: 1.11 -> 0.98', 'Zuerich: 1.11 -> 0.98')
    """
    codecs.register_error(READABLE, _replaced)
    return text.encode(encoding, READABLE).decode(encoding)


def say(text: object, *, err: bool = False) -> None:
    """Print a line, or several, for people."""
    print(cleaned(str(text)), file=sys.stderr if err else sys.stdout)


def put(data: str | bytes) -> None:
    """Write data for another program, such as CSV: bytes as they are, a text in UTF-8, whatever the terminal has."""
    binary = None if sys.stdout.isatty() else getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(data if isinstance(data, str) else data.decode(errors="replace"))
    else:
        sys.stdout.flush()
        binary.write(data.encode() if isinstance(data, str) else data)
        binary.flush()


class Screen(Console):
    """Rich's console, on which no text that is shown can steer the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=cleaned(segment.text))


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    if character in WORDS:
        return WORDS[character]
    if "\u2500" <= character <= "\u257f":  # what else tables are framed with
        return "+"
    if "\u2580" <= character <= "\u259f":  # blocks
        return "#"
    if "\u2800" <= character <= "\u28ff":  # a spinner of dots
        return "*"
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "?"
