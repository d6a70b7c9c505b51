"""Who sees less well reads the page too: contrasts after WCAG 2.1."""

from __future__ import annotations

import pytest

from wire.pages.style import COLOURS


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.1)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(mode: int) -> None:
    for text in ("ink", "quiet", "accent", "gold", "good", "bad"):
        for ground in ("ground", "card", "wash"):
            assert contrast(COLOURS[text][mode], COLOURS[ground][mode]) >= 4.5, (text, ground)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_what_is_drawn_stands_out_from_its_ground(mode: int) -> None:
    for party in range(8):
        assert contrast(COLOURS[f"p{party}"][mode], COLOURS["card"][mode]) >= 3.0, party


def test_colours_are_told_apart_by_their_light_shade() -> None:
    """Figures are drawn with it and recoloured by it in the page."""
    assert len({light for light, _ in COLOURS.values()}) == len(COLOURS)
