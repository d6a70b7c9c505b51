"""Sums and what sums are asked for, as they travel and are kept; what a party does not let itself be asked."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.models import Affine, FourierFeatures
from guerdon.models.features import Features
from guerdon.privacy import Bounds
from guerdon.scaling import Scaling
from guerdon.types import Statistics
from wire.kinds import brought, rows, statistics
from wire.kinds.statistics import (
    Asked,
    PartySums,
    decode_asked,
    decode_sums,
    encode_asked,
    encode_sums,
    kept_asked,
    least_rows,
    restored_asked,
)
from wire.messages import MessageError

UNITS = Scaling(np.array([1.0, 2.0]), np.array([2.0, 3.0]), 0.5, 4.0)


def sums(count: int = 40, **more: object) -> PartySums:
    rng = np.random.default_rng(0)
    Phi, y = Affine()(rng.normal(size=(count, 2))), rng.normal(size=count)
    found = Statistics.of("east", Phi, y)
    return PartySums("east", found.gram, found.moment, found.square, count, feature_names=("a", "b"), **more)  # type: ignore[arg-type]


def decoded(sent: PartySums) -> PartySums:
    content = encode_sums(sent, "y")
    return decode_sums(content, party="east", target="y", columns=("a", "b"), width=3, max_megabytes=1.0)


@pytest.mark.parametrize("features", [Affine(), FourierFeatures(count=4, lengthscale=(1.0, 2.0), seed=3)])
@pytest.mark.parametrize("bounds", [None, Bounds(1.5, 2.0)])
def test_what_is_asked_for_arrives_as_it_was(features: Features, bounds: Bounds | None) -> None:
    asked = Asked(("a", "b"), UNITS, features, bounds)
    found = decode_asked(encode_asked(asked))
    assert (found.columns, found.features, found.bounds, found.hash) == (asked.columns, features, bounds, asked.hash)
    assert found.width == len(features(np.zeros((1, 2)))[0])
    np.testing.assert_array_equal(found.scaling.feature_scale, UNITS.feature_scale)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Asked(("a",), UNITS, Affine()), "a centre and a positive scale of 1 columns"),
        (Asked(("a", "b"), Scaling(np.zeros(2), np.array([1.0, 0.0])), Affine()), "positive scale"),
        (Asked(("a", "b"), UNITS, Affine(), Bounds(np.inf, 1.0)), "bounds .* are from"),
        (Asked(("a", "b"), UNITS, Affine(), Bounds(1e-200, 1.0)), "too small for float64"),
        (Asked(("a", "b"), UNITS, Affine(), Bounds(1.0, 1e300)), "bounds .* are from"),
        (Asked(("a", "b"), Scaling(np.zeros(2), np.array([1.0, 1e-307])), Affine()), "positive scale"),
        (Asked(("a", "b"), Scaling(np.zeros(2), np.ones(2), 0.0, 1e-300), Affine()), "positive scale"),
        (Asked(("a", "b"), UNITS, FourierFeatures(count=4, lengthscale=(1.0, 2.0, 3.0))), "can't be read"),
    ],
)
def test_a_party_does_not_compute_just_anything(asked: Asked, reason: str) -> None:
    if isinstance(asked.features, FourierFeatures):
        content = encode_asked(Asked(asked.columns, UNITS, Affine()))
        content["arrays"] = encode_asked(Asked(("a", "b", "c"), UNITS, asked.features))["arrays"]
    else:
        content = encode_asked(asked)
    with pytest.raises(MessageError, match=reason):
        decode_asked(content)


@pytest.mark.parametrize("kind", ["", "InducingPoints", "os:path", "tests.fakes:LocalGrid"])
def test_no_code_comes_with_features(kind: str) -> None:
    arrays = {**kept_asked(Asked(("a", "b"), UNITS, Affine())), "features.kind": np.array(kind)}
    with pytest.raises(MessageError, match="a party computes Affine"):
        restored_asked(arrays, ("a", "b"))


def test_sums_arrive_as_they_were_with_noise_and_without() -> None:
    exact = sums()
    noisy = sums(gram_noise=2.0, moment_noise=1.0, epsilon=1.0, delta=1e-5)
    for sent in (exact, noisy):
        found = decoded(sent)
        assert statistics.content_hash(found) == statistics.content_hash(sent)
        assert (found.epsilon, found.exact, found.feature_names) == (sent.epsilon, sent.exact, ("a", "b"))
        again = brought("statistics").restored("east", brought("statistics").kept_arrays(found), ("a", "b"))
        assert brought("statistics").content_hash(again) == statistics.content_hash(sent)


def test_too_few_rows_and_other_columns_are_refused() -> None:
    assert least_rows(33) == 66
    with pytest.raises(MessageError, match="fewer than 20 rows"):
        decoded(sums(19))
    with pytest.raises(MessageError, match="other columns"):
        decode_sums(encode_sums(sums(), "y"), party="east", target="y", columns=("b", "a"), width=3, max_megabytes=1.0)
    with pytest.raises(MessageError, match="asked for 'z'"):
        decode_sums(encode_sums(sums(), "y"), party="east", target="z", columns=("a", "b"), width=3, max_megabytes=1.0)


def test_rows_are_what_was_contributed_before_there_was_a_choice() -> None:
    assert brought(None) is rows
    assert brought("rows") is rows
