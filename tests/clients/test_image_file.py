"""A party's file of images: what it sends, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clients.party_data import PartyData, PartyError, PartyFile
from guerdon.images import from_pixels, pixel_names

IMAGES = np.random.default_rng(0).integers(256, size=(20, 4, 5, 3), dtype=np.uint8)
LABELS = np.arange(20)


def read(path: Path, **changes: object) -> PartyData:
    settings = {"party": "north", "data-path": str(path), **changes}
    return PartyData.read(PartyFile.of(settings, {"target": "kind", "holdout": 0.25}))


def test_images_are_flat_rows_from_0_to_1_and_some_are_held_out(tmp_path: Path) -> None:
    path = tmp_path / "north.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    data = read(path)
    assert data.contribution.feature_names == pixel_names((4, 5, 3))
    assert data.held_outputs is not None
    assert (len(data.contribution), len(data.held_inputs)) == (15, 5)
    rows = np.concatenate([data.contribution.X, data.held_inputs])
    labels = np.concatenate([np.asarray(data.contribution.y), data.held_outputs]).astype(int)
    assert np.array_equal(rows, from_pixels(IMAGES[labels].reshape(20, -1)))


def test_held_out_images_can_be_a_file_of_their_own(tmp_path: Path) -> None:
    path, held = tmp_path / "north.npz", tmp_path / "held.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    np.savez(held, images=IMAGES[:3], labels=LABELS[:3])
    data = read(path, **{"holdout-path": str(held)})
    assert (len(data.contribution), len(data.held_inputs)) == (17, 3)  # those of the held-out file are not sent
    np.savez(held, images=IMAGES[:3, :2], labels=LABELS[:3])
    with pytest.raises(PartyError, match=r"held\.npz holds images of shape \(2, 5, 3\), north\.npz holds other rows"):
        read(path, **{"holdout-path": str(held)})


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": IMAGES}, "must hold an array 'images'"),
        ({"images": IMAGES / 255.0, "labels": LABELS}, r"uint8 pixels .* got float64 of shape \(20, 4, 5, 3\)"),
        (
            {"images": IMAGES[..., 0], "labels": LABELS},
            r"\(images, height, width, channels\), got uint8 of shape \(20, 4",
        ),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, r"shape \(0, 4, 5, 3\)"),
        ({"images": IMAGES}, "no array 'labels': add it, or set target"),
        ({"images": IMAGES, "labels": LABELS[:7]}, r"one number for each of the 20 images, got int64 of shape \(7,\)"),
        ({"images": IMAGES, "labels": LABELS.astype(str)}, "one number for each of the 20 images, got <U"),
        ({"images": IMAGES, "labels": np.full(20, np.nan)}, "'labels' has missing or infinite values"),
        ({"images": IMAGES[:1], "labels": LABELS[:1]}, "has 1 rows; at least 2 are needed"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, arrays: dict[str, np.ndarray], reason: str
) -> None:
    path = tmp_path / "north.npz"
    np.savez(path, **arrays)
    with pytest.raises(PartyError, match=rf"north\.npz.*{reason}"):
        read(path)


def test_a_file_that_is_no_npz_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "north.npz"
    with pytest.raises(PartyError, match=r"north\.npz does not exist"):
        read(path)
    path.write_bytes(b"not a zip file")
    with pytest.raises(PartyError, match=r"north\.npz can't be read as npz"):
        read(path)
    np.savez(path, images=np.array([None]), allow_pickle=True)
    with pytest.raises(PartyError, match=r"north\.npz can't be read as npz"):
        read(path)


def test_images_have_no_noise_column(tmp_path: Path) -> None:
    path = tmp_path / "north.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    with pytest.raises(PartyError, match="have no noise column 'variance'"):
        read(path, noise="variance")
