"""What a lie earns: a catalogue of lies, and collaborations in which one party tells one of them."""

from collections.abc import Mapping
from types import MappingProxyType

from simulations.lies import catalogue
from simulations.lies.catalogue import (
    Box,
    Duplicates,
    Honest,
    JitteredCopies,
    Lie,
    MadeUpFunction,
    Outliers,
    OversampledGaussian,
    Shells,
    ShuffledOutputs,
    TinyNoise,
    WideRandomInputs,
    Withholding,
)

__all__ = [
    "OFFER",
    "Box",
    "Duplicates",
    "Honest",
    "JitteredCopies",
    "Lie",
    "MadeUpFunction",
    "Outliers",
    "OversampledGaussian",
    "Shells",
    "ShuffledOutputs",
    "TinyNoise",
    "WideRandomInputs",
    "Withholding",
]

OFFER: Mapping[str, type] = MappingProxyType(
    {name: getattr(catalogue, name) for name in catalogue.__all__ if name != "Lie"}
)
"""The lies that go by their bare name."""
