"""Images as rows of numbers, and back."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.images import from_pixels, image_shape, pixel_names, to_pixels


def test_the_names_are_in_the_order_of_the_flattened_pixels() -> None:
    shape = (2, 3, 2)
    cells = np.arange(12).reshape(shape)
    for place, name in enumerate(pixel_names(shape)):
        row, column, channel = map(int, name.split("-")[1:])
        assert cells[row, column, channel] == place


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 8, 1), (2, 5, 3)])
def test_the_names_say_the_shape(shape: tuple[int, int, int]) -> None:
    assert image_shape(pixel_names(shape)) == shape


@pytest.mark.parametrize(
    "names",
    [None, (), ("age",), ("pixel-0-0-0", "age"), pixel_names((2, 2, 1))[::-1], pixel_names((2, 2, 1))[1:]],
)
def test_other_names_are_not_those_of_an_image(names: tuple[str, ...] | None) -> None:
    assert image_shape(names) is None


def test_every_level_survives_the_way_there_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_pixels(from_pixels(levels)), levels)
    assert to_pixels(np.array([-0.3, 0.5, 7.0])).tolist() == [0, 128, 255]
