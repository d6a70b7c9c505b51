"""The picture grid, pixel by pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from wire.image_grid import picture_grid


def test_every_image_has_its_place() -> None:
    images = np.linspace(0.0, 1.0, 7)[:, None, None, None] * np.ones((7, 56, 56, 1))
    picture = imread(io.BytesIO(picture_grid(images)))[..., :3]
    assert picture.shape == (3 * 57 + 1, 3 * 57 + 1, 3)
    for k in range(9):
        centre = picture[29 + 57 * (k // 3), 29 + 57 * (k % 3)]
        np.testing.assert_allclose(centre, images[k, 0, 0, 0] if k < 7 else 0.5, atol=1 / 255)
    assert np.allclose(picture[0], 0.5, atol=1 / 255)


def test_small_images_are_enlarged_by_whole_pixels_and_keep_their_colours() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((1, 8, 8, 3))
    picture = imread(io.BytesIO(picture_grid(image)))[1:-1, 1:-1, :3]
    assert picture.shape == (56, 56, 3)
    np.testing.assert_allclose(picture[::7, ::7], image[0], atol=1 / 255)


def test_two_channels_are_no_picture() -> None:
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        picture_grid(np.zeros((1, 8, 8, 2)))
