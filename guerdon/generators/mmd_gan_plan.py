"""What an MMD GAN is to be, sizes and steps: whoever only names one makes no network and loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Plan", "Shape", "sides"]

Shape = tuple[int, int, int]
"""Height, width and channels of an image."""

SMALLEST = 4
"""Halving ends at sides below twice this: Radford et al. (2016) start their generator from 4 x 4."""


@dataclass(frozen=True)
class Plan:
    """What is trained and how, by the names of ``MmdGan``; ``steps`` are the generator's, ``columns`` the rows'."""

    shape: Shape | None
    columns: int
    steps: int
    batch: int
    critic_steps: int
    noise: int
    width: int
    learning_rate: float
    penalty: float


def sides(shape: Shape) -> list[tuple[int, int]]:
    """Height and width at every resolution, the image's own first."""
    found = [shape[:2]]
    while all(side % 2 == 0 and side // 2 >= SMALLEST for side in found[-1]):
        height, wide = found[-1]
        found.append((height // 2, wide // 2))
    return found
