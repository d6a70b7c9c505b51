"""Representations in which data is valued instead of in its own columns: those of images."""

from guerdon.features.image_features import ImageFeatures, RepresentedImages

__all__ = ["ImageFeatures", "RepresentedImages"]
