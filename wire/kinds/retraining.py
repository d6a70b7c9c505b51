"""A model trained again by a party on its own rows, so that what it scores alone is nothing that was sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.types import Contribution
from wire.messages import MessageError

if TYPE_CHECKING:
    from guerdon.models import ClassPredictor, Predictor

__all__ = ["trained_again"]


def trained_again(sent: Predictor | ClassPredictor, own: Contribution) -> Any:
    """The posterior of the same model after a party's own rows: of what was sent the scaling, the features and the
    hyperparameters are used.

    Raises
    ------
    MessageError
        It can't be trained again, or not on these rows.
    """
    retrained = getattr(sent.posterior, "retrained", None)
    if retrained is None:
        raise MessageError(
            "a party scores alone only what it can train again on its own rows: give the posterior a method "
            "retrained(X, y, noise)"
        )
    try:
        scaled = sent.scaling.apply(own.in_order(sent.feature_names))
        return retrained(scaled.X, np.asarray(scaled.y), scaled.noise)
    except ValueError as error:
        raise MessageError(f"what this party can do alone can't be trained on its own rows: {error}") from error
