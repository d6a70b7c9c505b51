"""Every lie sends a file that could be a party's, the same for the same seed, and does what its name says."""

import numpy as np
import pytest

from guerdon.plugins import PluginError, build
from guerdon.types import Contribution
from simulations.lies import OFFER, Box, Duplicates, JitteredCopies, Shells, TinyNoise, Withholding

RNG = np.random.default_rng(0)
TRUE = Contribution("ada", RNG.normal(size=(30, 3)), RNG.integers(0, 4, 30).astype(float), ("a", "b", "c"))


@pytest.mark.parametrize("name", OFFER)
def test_sends_finite_rows_with_labels_that_it_has(name):
    lie = build(name, OFFER)
    sent, again = (lie(TRUE, rng=np.random.default_rng(1)) for _ in range(2))
    for c, same in zip(sent, again, strict=True):
        assert c.feature_names == TRUE.feature_names
        assert set(c.y) <= set(TRUE.y)
        assert np.array_equal(c.X, same.X)
        assert np.array_equal(c.y, same.y)


@pytest.mark.parametrize("name", OFFER)
def test_takes_rows_without_outputs(name):
    assert all(c.y is None for c in build(name, OFFER)(Contribution("ada", TRUE.X), rng=np.random.default_rng(1)))


def test_sizes():
    def rows(lie):
        return [len(c) for c in lie(TRUE, rng=np.random.default_rng(1))]

    assert rows(Duplicates(times=5)) == rows(JitteredCopies(times=5)) == [150]
    assert rows(Box(times=3)) == [90]
    assert rows(Withholding(share=0.5)) == [15]
    assert rows(Shells(names=4)) == [8, 8, 7, 7]


def test_jittered_copies_hold_the_true_rows():
    (sent,) = JitteredCopies(times=2)(TRUE, rng=np.random.default_rng(1))
    assert np.array_equal(sent.X[:30], TRUE.X)
    assert not np.any(sent.X[30:] == TRUE.X)


def test_shells_have_names_of_their_own():
    assert [c.party for c in Shells(names=2)(TRUE, rng=np.random.default_rng(1))] == ["ada-shell-1", "ada-shell-2"]


def test_tiny_noise_is_a_share_of_the_outputs_variance():
    (sent,) = TinyNoise(share=0.01)(TRUE, rng=np.random.default_rng(1))
    assert sent.noise == pytest.approx(0.01 * np.var(TRUE.y))


@pytest.mark.parametrize("text", ["Shells(names=0)", "Withholding(share=1.5)", "JitteredCopies(jitter=-1)", "Lie()"])
def test_refuses(text):
    with pytest.raises(PluginError):
        build(text, OFFER)
