"""Networks for any shape, made and drawn without touching torch's global generator."""

from __future__ import annotations

import pytest
import torch

from guerdon.generators.mmd_gan_networks import FEATURES, build_critic, build_generator, initialise
from guerdon.generators.mmd_gan_plan import Shape, sides


@pytest.mark.parametrize(
    ("shape", "coarsest", "halvings"), [((28, 28, 1), (7, 7), 2), ((32, 32, 3), (4, 4), 3), ((8, 16, 1), (4, 8), 1)]
)
def test_sides_are_halved_to_at_least_four(shape: Shape, coarsest: tuple[int, int], halvings: int) -> None:
    assert sides(shape)[0] == shape[:2]
    assert sides(shape)[-1] == coarsest
    assert len(sides(shape)) == halvings + 1


@pytest.mark.parametrize(("shape", "columns"), [(None, 5), ((8, 8, 1), 64), ((28, 28, 1), 784), ((32, 32, 3), 3072)])
def test_noise_becomes_rows_and_rows_features(shape: Shape | None, columns: int) -> None:
    before = torch.get_rng_state()
    rng = torch.Generator().manual_seed(0)
    generator = initialise(build_generator(shape, columns, noise=6, width=4), rng)
    critic = initialise(build_critic(shape, columns, width=4), rng)
    rows = generator(torch.randn(3, 6, generator=rng))
    assert rows.shape == (3, columns)
    assert critic(rows).shape == (3, FEATURES)
    if shape is not None:
        assert rows.min() > 0.0
        assert rows.max() < 1.0
    assert torch.equal(before, torch.get_rng_state())


def test_a_pixel_of_the_flat_row_is_the_pixel_of_the_image() -> None:
    """A critic whose only weight that isn't 0 looks at channel 2 of the top left corner sees just that pixel."""
    critic = build_critic((8, 8, 3), 192, width=1)
    for weight in critic.parameters():
        torch.nn.init.zeros_(weight)
    first, last = critic[1].weight, critic[-1].weight
    with torch.no_grad():
        first[0, 2, 1, 1] = 1.0  # padding is 1, so row 1 and column 1 of the kernel lie on the corner
        last[0, 0] = 1.0
    rows = torch.zeros(1, 192)
    rows[0, 2] = 5.0  # height 0, width 0, channel 2
    assert critic(rows)[0, 0] == 5.0
    rows[0, 2], rows[0, 1] = 0.0, 5.0
    assert critic(rows)[0, 0] == 0.0
