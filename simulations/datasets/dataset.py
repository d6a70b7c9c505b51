"""A data set, before it is divided among parties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from guerdon.images import ImageShape, image_shape

__all__ = ["Dataset", "DatasetSource", "Rows"]


class Rows(NamedTuple):
    """Rows beside the ones that are divided: features (k, d), of images their pixels, and target (k,)."""

    features: NDArray[Any]
    target: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of features and one target, in the units they were measured in.

    Attributes
    ----------
    name : str
        What tables and run directories call it.
    features : (m, d) float64, with NaN for a gap where there is a schema; of images, which ``pixel_names`` name the
        columns of, their pixels from 0 to 255 as uint8
    target : (m,) float64
    feature_names : d distinct names, none of them the target's
    target_name : str
    description : str
        One sentence: what a row is and what the target is.
    blocks : the rows of each party, for a data set that comes divided
    held_out : rows for scoring, for a data set that comes with some
    synthetic : features (g, d) and labels (g,) of a synthetic pool, for a data set that comes with one
    public : rows that everybody may see, on which a model's features are trained, for a data set that comes with some
    schema : the text of a schema file (``wire.schema``) by which the parties' files are read, "" where none says how;
    categories are numbers here, as their codes, and so are yes and no
    bounds : the text of a schema with bounds, taken where parties send sums, whose units must be known before any row
    is seen, and neither ``schema`` nor the run config names one
    """

    name: str
    features: NDArray[Any]
    target: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_name: str
    description: str
    blocks: tuple[NDArray[np.intp], ...] | None = None
    held_out: Rows | None = None
    synthetic: Rows | None = None
    public: Rows | None = None
    schema: str = ""
    bounds: str = ""

    def __post_init__(self) -> None:
        if self.image_shape is not None and np.asarray(self.features).dtype != np.uint8:
            raise ValueError(f"{self.name}: images hold pixels as uint8, got {np.asarray(self.features).dtype}")
        features = np.array(self.features, dtype=np.uint8 if self.image_shape else np.float64)
        target = np.array(self.target, dtype=np.float64)
        if features.ndim != 2 or target.shape != features.shape[:1]:
            raise ValueError(
                f"{self.name}: expected features (m, d) and target (m,), got {features.shape} and {target.shape}"
            )
        names = (*self.feature_names, self.target_name)
        if len(self.feature_names) != features.shape[1]:
            raise ValueError(f"{self.name}: {features.shape[1]} columns, but {len(self.feature_names)} feature names")
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: column names must differ, got {', '.join(names)}")
        gaps: Any = np.isnan(features) if self.schema else False
        if not ((np.isfinite(features) | gaps).all() and np.isfinite(target).all()):
            raise ValueError(
                f"{self.name}: features and target must be finite; drop or fill the missing values first, or bring a "
                "schema that says what is done about features that are NaN"
            )
        features.setflags(write=False)
        target.setflags(write=False)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "target", target)

    @property
    def image_shape(self) -> ImageShape | None:
        """Height, width and channels, where rows are images."""
        return image_shape(self.feature_names)


class DatasetSource(Protocol):
    """What a simulation loads its data from; the generator serves sources that draw their rows."""

    def load(self, rng: np.random.Generator) -> Dataset:
        """The data set; the same generator state gives the same bits."""
        ...
