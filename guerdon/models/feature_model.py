"""What models on features share: features that may have to be trained on public rows first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from guerdon.models.features import Features, as_features, require_trainable
from guerdon.types import Contribution, Progress, silent

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Base = DataclassInstance
else:
    Base = object

__all__ = ["FeatureModel"]


class FeatureModel(Base):
    """A model, a dataclass, with a field ``features``: phi, a text that names it, or None for the inputs themselves."""

    features: Features | str | None

    @property
    def needs_pretraining(self) -> bool:
        """Whether the features have still to be trained on public rows."""
        return not getattr(self._features(), "trained", True)

    def pretrain(self, public: Contribution, *, rng: np.random.Generator, progress: Progress = silent) -> Self:
        """The model with its features trained on public rows, which stay as they are from then on.

        Raises
        ------
        ValueError
            The features are fixed, or the public rows have no outputs.
        """
        features = require_trainable(self._features())
        if public.y is None:
            raise ValueError("public rows need outputs y for features to be trained on them, got none")
        trained = features.fit(public.X, public.y, rng=rng, progress=progress)
        return replace(self, features=trained)

    def _features(self) -> Features | None:
        return as_features(self.features)
