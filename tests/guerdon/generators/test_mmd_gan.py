"""An MMD GAN learns its pool, resumes with the same bits, comes back from arrays, and refuses what it can't do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from guerdon.generators import GeneratorFitError, MmdGan
from guerdon.generators.mmd_gan_density import GanDensity
from guerdon.metrics import mmd2_unbiased
from guerdon.testing.suite import through_a_file
from guerdon.types import Contribution

SMALL = {"batch": 20, "critic_steps": 1, "noise": 4, "width": 4}


def ring(seed: int, rows: int = 300) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    angle = rng.random(rows) * 2 * np.pi
    return 100.0 + 5.0 * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(size=(rows, 2)) * 0.1


def digits() -> Contribution:
    data = load_digits()
    return Contribution("A", data.data[:100] / 16.0, data.target[:100].astype(float))


class Memory:
    """A checkpoint in memory; ``dies_at`` is the save during which the training is killed."""

    def __init__(self, dies_at: int = 0) -> None:
        self.kept: dict[str, NDArray[Any]] | None = None
        self.saves, self.dies_at = 0, dies_at

    def load(self) -> dict[str, NDArray[Any]] | None:
        return self.kept

    def save(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.kept = through_a_file(dict(arrays))
        self.saves += 1
        if self.saves == self.dies_at:
            raise KeyboardInterrupt


def draw(fitted: Any, n: int = 30) -> NDArray[np.float64]:
    points: NDArray[np.float64] = fitted.sample(n, rng=np.random.default_rng(7)).points
    return points


def test_training_brings_samples_to_the_data() -> None:
    distances = []
    for epochs in (0.01, 20):
        gan = MmdGan(epochs=epochs, batch=50, width=16, noise=8)
        samples = draw(gan.fit([Contribution("A", ring(0))], rng=np.random.default_rng(0)), 300)
        distances.append(mmd2_unbiased(samples, ring(1), lengthscale=2.0))
    before, after = distances
    assert after < before / 5


@pytest.mark.parametrize(
    ("gan", "pool"),
    [
        (MmdGan(epochs=3, save_every=2, **SMALL), Contribution("A", ring(0, 60))),
        (MmdGan((8, 8, 1), epochs=1.5, save_every=2, **SMALL), digits()),
    ],
    ids=["table", "images"],
)
@pytest.mark.parametrize("dies_at", [1, 2])
def test_a_killed_training_goes_on_to_the_same_bits(gan: MmdGan, pool: Contribution, dies_at: int) -> None:
    whole = Memory()
    one = gan.fit([pool], rng=np.random.default_rng(3), checkpoint=whole)
    memory = Memory(dies_at)
    with pytest.raises(KeyboardInterrupt):
        gan.fit([pool], rng=np.random.default_rng(3), checkpoint=memory)
    steps: list[int] = []
    gan.fit([pool], rng=np.random.default_rng(3), checkpoint=memory, progress=lambda s, done, n: steps.append(done))
    assert steps[0] == 2 * dies_at
    assert whole.kept is not None
    assert memory.kept is not None
    assert whole.kept.keys() == memory.kept.keys()
    assert all(np.array_equal(whole.kept[name], memory.kept[name]) for name in whole.kept)
    again = gan.fit([pool], rng=np.random.default_rng(3), checkpoint=memory, progress=lambda *_: pytest.fail("trained"))
    assert np.array_equal(draw(one), draw(again))


@pytest.mark.parametrize(("epochs", "steps"), [(None, 3000), (4, 6), (0.01, 1)])
def test_epochs_are_passes_of_the_critic_and_none_is_three_thousand_steps(epochs: float | None, steps: int) -> None:
    class EnoughError(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        assert (stage, done, total) == ("train", 0, steps)
        raise EnoughError

    gan = MmdGan(epochs=epochs, batch=20, critic_steps=2, noise=4, width=4)
    with pytest.raises(EnoughError):
        gan.fit([Contribution("A", ring(0, 60))], rng=np.random.default_rng(0), progress=stop)


def test_a_checkpoint_of_another_training_is_refused() -> None:
    memory, gan = Memory(), MmdGan(epochs=1, **SMALL)
    gan.fit([Contribution("A", ring(0, 60))], rng=np.random.default_rng(3), checkpoint=memory)
    with pytest.raises(GeneratorFitError, match="of another training"):
        gan.fit([Contribution("A", ring(1, 60))], rng=np.random.default_rng(3), checkpoint=memory)
    with pytest.raises(GeneratorFitError, match="of another training"):
        gan.fit([Contribution("A", ring(0, 60))], rng=np.random.default_rng(4), checkpoint=memory)


def test_it_comes_back_from_arrays() -> None:
    pool, gan = digits(), MmdGan((8, 8, 1), epochs=1, **SMALL)
    fitted = gan.fit([pool], rng=np.random.default_rng(0))
    assert fitted.image_shape == (8, 8, 1)
    assert isinstance(fitted.density, GanDensity)
    restored = gan.restore(through_a_file(fitted.density.arrays()), [pool])
    one, other = (f.sample(600, rng=np.random.default_rng(1)) for f in (fitted, restored))
    assert np.array_equal(one.points, other.points)
    assert one.labels is not None
    assert other.labels is not None
    assert np.array_equal(one.labels, other.labels)
    assert restored.describe() == fitted.describe()


def test_pixels_stay_pixels_and_constant_columns_constant() -> None:
    points = draw(MmdGan((8, 8, 1), epochs=1, **SMALL).fit([digits()], rng=np.random.default_rng(0)))
    assert points.min() >= 0.0
    assert points.max() <= 1.0
    X = np.column_stack([ring(0, 60), np.full(60, 7.0)])
    points = draw(MmdGan(epochs=1, **SMALL).fit([Contribution("A", X)], rng=np.random.default_rng(0)))
    assert np.all(points[:, 2] == 7.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_trains_from_the_same_draws_and_the_samples_come_from_the_cpu() -> None:
    one, other = (
        MmdGan((8, 8, 1), epochs=0.2, device=device, **SMALL).fit([digits()], rng=np.random.default_rng(0))
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(draw(one), draw(other), atol=1e-2)


def test_a_samples_pixels_do_not_depend_on_those_drawn_with_it() -> None:
    fitted = MmdGan((8, 8, 1), epochs=1, **SMALL).fit([digits()], rng=np.random.default_rng(0))
    np.testing.assert_allclose(draw(fitted, 30)[:10], draw(fitted, 10), atol=1e-6)


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    """At this size two threads sum in another order."""
    pool, before = Contribution("A", np.random.default_rng(0).random((64, 784))), torch.get_num_threads()
    samples = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            gan = MmdGan((28, 28, 1), epochs=2, batch=64, critic_steps=1, width=8)
            samples.append(draw(gan.fit([pool], rng=np.random.default_rng(0))))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*samples)


def test_torchs_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    draw(MmdGan((8, 8, 1), epochs=1, **SMALL).fit([digits()], rng=np.random.default_rng(0)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("gan", "pool", "reason"),
    [
        (MmdGan((8, 8, 1)), Contribution("A", np.zeros((100, 60))), "rows of 64 pixels, the parties' have 60 columns"),
        (MmdGan((8, 8, 1)), Contribution("A", np.full((100, 64), 16.0)), "pixels must be from 0 to 1, got 16 to 16"),
        (MmdGan(), Contribution("A", np.zeros((63, 2))), r"MmdGan\(batch=64\) needs at least 64 rows, got 63"),
    ],
)
def test_pools_that_do_not_fit_are_refused(gan: MmdGan, pool: Contribution, reason: str) -> None:
    with pytest.raises(GeneratorFitError, match=reason):
        gan.fit([pool], rng=np.random.default_rng(0))


def test_a_training_that_diverges_is_refused() -> None:
    gan = MmdGan(epochs=20, learning_rate=1e30, **SMALL)
    with pytest.raises(GeneratorFitError, match="diverged: take a smaller learning_rate"):
        gan.fit([Contribution("A", ring(0, 60))], rng=np.random.default_rng(0))


def test_arrays_of_something_else_are_refused() -> None:
    pool, memory = Contribution("A", ring(0, 60)), Memory(dies_at=1)
    gan = MmdGan(epochs=1, save_every=1, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        gan.fit([pool], rng=np.random.default_rng(0), checkpoint=memory)
    with pytest.raises(GeneratorFitError, match="a training's checkpoint: let it finish"):
        gan.restore(memory.kept or {}, [pool])
    density = gan.fit([pool], rng=np.random.default_rng(0)).density
    assert isinstance(density, GanDensity)
    arrays = density.arrays()
    with pytest.raises(GeneratorFitError, match=r"has width=4, not 32: write MmdGan\(width=4\)"):
        MmdGan(noise=4).restore(arrays, [pool])
    with pytest.raises(GeneratorFitError, match="makes 2 columns, the parties have 3"):
        gan.restore(arrays, [Contribution("A", np.zeros((5, 3)))])
    with pytest.raises(GeneratorFitError, match="weights are not those"):
        gan.restore({**arrays, "width": np.array(5)}, [pool])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"shape": (28, 28)}, "shape must be"),
        ({"shape": (7, 8, 1)}, "even sides of at least 8"),
        ({"shape": (28, 28, 1.0)}, "shape must be"),
        ({"shape": (8, 8, 2)}, "1 or 3 channels"),
        ({"epochs": 0}, "epochs must be a positive number"),
        ({"batch": 1}, "batch must be at least 2"),
        ({"width": 0}, "width must be a whole number of at least 1"),
        ({"device": "abacus"}, "device must be"),
        pytest.param(
            {"device": "cuda"},
            "torch finds no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MmdGan(**arguments)
