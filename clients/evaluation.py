"""A party scores what it gets on the rows it held out."""

from __future__ import annotations

from clients.party_data import PartyData
from guerdon.metrics import mnlp, rmse
from guerdon.models import Predictor

__all__ = ["scores"]


def scores(predictor: Predictor, data: PartyData) -> dict[str, float]:
    """MNLP (nats, of the target in its own units), RMSE (the target's units) and how many rows; empty without any."""
    if data.held_outputs is None or len(data.held_outputs) == 0:
        return {}
    names = data.contribution.feature_names or ()
    X = data.held_inputs[:, [names.index(name) for name in predictor.feature_names]]
    mean, variance = predictor.predict(X)
    return {
        "mnlp": mnlp(mean, variance, data.held_outputs),
        "rmse": rmse(mean, data.held_outputs),
        "rows": len(data.held_outputs),
    }
