"""The two networks of an MMD GAN, for images (convolutions, as in DCGAN) and for tables (perceptrons).

An image of (height, width, channels) is a flat row with the channels last, as parties send it. Both sides are halved as
long as they stay whole numbers of at least 4: 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4, 8 -> 4. The critic halves them by
convolutions of stride 2, the generator doubles them back; channels double as sides halve.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from guerdon.generators.mmd_gan_plan import Shape, sides

__all__ = ["FEATURES", "build_critic", "build_generator", "initialise"]

FEATURES = 16
"""Numbers that the critic makes of an image or row: Binkowski et al. (2018)."""

SLOPE = 0.2
"""Of the critic's leaky ReLU: Radford et al. (2016)."""


def build_generator(shape: Shape | None, columns: int, noise: int, width: int) -> nn.Sequential:
    """Noise (n, noise) -> rows (n, columns); pixels in (0, 1), table columns in standard deviations.

    The weights are storage without values until ``initialise``.
    """
    if shape is None:
        return _perceptron(noise, 4 * width, columns, nn.ReLU)
    resolutions = sides(shape)
    height, wide = resolutions[-1]
    channels = width * 2 ** (len(resolutions) - 2)
    layers = [
        _make(nn.Linear, noise, channels * height * wide),
        nn.Unflatten(1, (channels, height, wide)),
        _make(nn.BatchNorm2d, channels, momentum=None),
        nn.ReLU(),
    ]
    while channels > width:
        layers += [
            _make(nn.ConvTranspose2d, channels, channels // 2, 4, stride=2, padding=1),
            _make(nn.BatchNorm2d, channels // 2, momentum=None),
            nn.ReLU(),
        ]
        channels //= 2
    last = _make(nn.ConvTranspose2d, width, shape[2], 4, stride=2, padding=1)
    return nn.Sequential(*layers, last, nn.Sigmoid(), _Flatten())


def build_critic(shape: Shape | None, columns: int, width: int) -> nn.Sequential:
    """Rows (n, columns) -> features (n, 16). Without batch norm, since the penalty asks for the slope at each point."""
    if shape is None:
        return _perceptron(columns, 4 * width, FEATURES, lambda: nn.LeakyReLU(SLOPE))
    resolutions = sides(shape)
    layers: list[nn.Module] = [_Unflatten(shape)]
    channels, wider = shape[2], width
    for _ in resolutions[1:]:
        layers += [_make(nn.Conv2d, channels, wider, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        channels, wider = wider, 2 * wider
    height, wide = resolutions[-1]
    return nn.Sequential(*layers, nn.Flatten(), _make(nn.Linear, channels * height * wide, FEATURES))


def initialise(network: nn.Sequential, rng: torch.Generator) -> nn.Sequential:
    """Draw the weights in place, uniform in +-1/sqrt(inputs) as torch does by itself, but from ``rng``; biases 0."""
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
        elif isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5.0), generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def _perceptron(inputs: int, hidden: int, outputs: int, activation: Any) -> nn.Sequential:
    return nn.Sequential(
        _make(nn.Linear, inputs, hidden),
        activation(),
        _make(nn.Linear, hidden, hidden),
        activation(),
        _make(nn.Linear, hidden, outputs),
    )


def _make(kind: type[nn.Module], *args: Any, **options: Any) -> nn.Module:
    """The layer without values: torch's own would come from its global generator."""
    made: nn.Module = nn.utils.skip_init(kind, *args, **options)  # type: ignore[no-untyped-call]
    return made


class _Unflatten(nn.Module):
    """Rows (n, h w c) -> images (n, c, h, w)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, rows: Tensor) -> Tensor:
        return rows.view(-1, *self.shape).permute(0, 3, 1, 2)


class _Flatten(nn.Module):
    """Images (n, c, h, w) -> rows (n, h w c)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1).flatten(start_dim=1)
