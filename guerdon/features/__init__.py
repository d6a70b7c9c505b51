"""What data is valued by, where that is not its own columns: representations of images."""

from guerdon.features.image_features import ImageFeatures, RepresentedImages

__all__ = ["ImageFeatures", "RepresentedImages"]
