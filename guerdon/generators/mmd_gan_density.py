"""A trained MMD GAN: a network that turns noise into samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from guerdon.generators.mmd_gan_networks import build_generator
from guerdon.generators.mmd_gan_plan import Shape
from guerdon.generators.mmd_gan_training import network_arrays, set_network
from guerdon.generators.protocols import GeneratorFitError
from guerdon.models.protocols import Arrays
from guerdon.threads import one_torch_thread
from guerdon.types import FloatArray

__all__ = ["GanDensity"]

ROWS = 500
"""Samples made at once, which bounds the memory of a draw."""


@dataclass(frozen=True, eq=False)
class GanDensity:
    """What a trained generator network makes of standard normal noise, times ``scale`` plus ``center``, both (d,).

    It runs on the CPU, so that the same arrays and the same rng give the same samples wherever it was trained.
    """

    network: nn.Sequential
    shape: Shape | None
    noise: int
    width: int
    center: FloatArray
    scale: FloatArray

    @torch.no_grad()
    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        points = np.empty((n, len(self.center)))
        with one_torch_thread():
            for start in range(0, n, ROWS):
                z = rng.standard_normal((min(ROWS, n - start), self.noise), dtype=np.float32)
                points[start : start + ROWS] = self.network(torch.from_numpy(z)).numpy()
        return self.center + self.scale * points

    def describe(self) -> dict[str, Any]:
        weights = sum(weight.numel() for weight in self.network.parameters())
        return {
            "generator": "MMD GAN",
            "shape": None if self.shape is None else list(self.shape),
            "noise": self.noise,
            "width": self.width,
            "weights": weights,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays that an npz file holds; without the critic, and without the pool."""
        return {
            "shape": np.array(self.shape or (), dtype=np.int64),
            "noise": np.array(self.noise),
            "width": np.array(self.width),
            "center": self.center,
            "scale": self.scale,
            **network_arrays(self.network, "sampler/"),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The generator rebuilt from its ``arrays``.

        Raises
        ------
        GeneratorFitError
            The arrays are not those of a trained generator; a training's checkpoint is none yet.
        """
        missing = [name for name in ("shape", "noise", "width", "center", "scale") if name not in arrays]
        if missing:
            half = "; they are a training's checkpoint: let it finish" if "step" in arrays else ""
            raise GeneratorFitError(f"the arrays of a trained MmdGan lack {', '.join(missing)}{half}")
        sizes = [int(side) for side in arrays["shape"]]
        shape = (sizes[0], sizes[1], sizes[2]) if sizes else None
        noise, width = int(arrays["noise"]), int(arrays["width"])
        center, scale = (np.array(arrays[name], dtype=np.float64) for name in ("center", "scale"))
        network = build_generator(shape, len(center), noise, width)
        try:
            set_network(network, arrays, "sampler/")
        except RuntimeError as error:
            raise GeneratorFitError(f"the weights are not those of an MmdGan of these sizes: {error}") from error
        return cls(network.eval(), shape, noise, width, center, scale)
