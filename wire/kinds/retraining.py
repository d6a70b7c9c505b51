"""A model trained again by a party on its own rows, so that what it scores alone is nothing that was sent to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.types import Contribution
from wire.messages import MessageError

if TYPE_CHECKING:
    from guerdon.models import ClassPredictor, Predictor

__all__ = ["trained_again"]


def trained_again(sent: Predictor | ClassPredictor, own: Contribution, *, learn_noise: bool = False) -> Any:
    """The posterior of the same model after a party's own rows: of what was sent the scaling, the features and the
    hyperparameters are used.

    Parameters
    ----------
    sent : Predictor or ClassPredictor
    own : Contribution
    learn_noise : bool
        Learn a linear model's noise here too, since what was sent without it was too noisy to tell.

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
        if learn_noise:
            posterior: Any = sent.posterior
            retrained = replace(posterior, noise=_noise_of(posterior, scaled)).retrained
        return retrained(scaled.X, np.asarray(scaled.y), scaled.noise)
    except ValueError as error:  # its text can quote the rows
        raise MessageError("what this party can do alone can't be trained on its own rows") from error


def _noise_of(posterior: Any, own: Contribution) -> float:
    """The noise VARIANCE of a linear model, by maximum likelihood from a party's own rows."""
    from guerdon.models import BayesianLinear
    from guerdon.models.party_noise import known_noise
    from guerdon.models.pool import plain_noise

    try:
        fitted = BayesianLinear(features=posterior.features).fit([own])
    except ValueError:
        return plain_noise(own.y)
    noise = known_noise(fitted.noise)
    at_bound = fitted.report is None or fitted.report.noise_at_bound
    return plain_noise(own.y) if noise is None or at_bound else noise
