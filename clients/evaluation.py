"""A party scores what it gets on the rows it held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clients.party_data import PartyData
from clients.reward_store import load_predictor
from guerdon.federated import predict
from guerdon.images import from_pixels, image_shape
from guerdon.metrics import coverage, mnlp, rmse
from guerdon.models import Predictor
from guerdon.realization import mnlp_with_noise_instead
from guerdon.types import FloatArray
from wire.messages import Reward

__all__ = ["score"]

COMPONENTS = 100


def score(reward: Reward, data: PartyData) -> dict[str, float]:
    """What a reward is worth to the party on its held-out rows; empty where it holds no outputs out.

    A model: MNLP (nats, of the target in its own units), RMSE (in its units), and the shares of rows within its central
    50 % and 90 % predictive intervals; of a tempered model that holds all rows also the MNLP that noise of the same
    value would have come to on average. Synthetic rows: the accuracy of a logistic regression trained on the party's
    own rows together with them; alone, on its own rows only. Of images it sees the first 100 principal components. A
    classifier: its accuracy. Of any other kind of reward nothing is known here.
    """
    if data.held_outputs is None or len(data.held_outputs) == 0:
        return {}
    if reward.about.get("kind") == "classifier":
        return _classification(reward, data, data.held_outputs)
    if reward.about.get("kind") == "synthetic":
        return _accuracy(reward, data, data.held_outputs)
    if reward.about.get("kind") == "model":
        return _prediction(load_predictor(reward), data, data.held_outputs, reward.about.get("tempering"))
    return {}


def _prediction(
    predictor: Predictor, data: PartyData, held: FloatArray, tempering: Mapping[str, Any] | None
) -> dict[str, float]:
    names = data.contribution.feature_names or ()
    X = data.held_inputs[:, [names.index(name) for name in predictor.feature_names]]
    mean, variance = predictor.predict(X, data.held_noise)
    scores = {"mnlp": mnlp(mean, variance, held), "rmse": rmse(mean, held), "rows": len(held)}
    if tempering is not None:
        others = np.ones(len(predictor.posterior.arrays()["y"]), dtype=bool)
        others[slice(*tempering["rows"])] = False
        eta = float(tempering["eta"])
        scores["mnlp_noise"] = mnlp_with_noise_instead(predictor, eta, others, X, held, data.held_noise)
    return scores | {f"coverage_{level}": coverage(mean, variance, held, level / 100) for level in (50, 90)}


def _classification(reward: Reward, data: PartyData, held: FloatArray) -> dict[str, float]:
    names = data.contribution.feature_names or ()
    X = data.held_inputs[:, [names.index(str(name)) for name in reward.about["features"]]]
    return {
        "accuracy": float(np.mean(predict(reward.arrays, X, float(reward.about["scale"])) == held)),
        "rows": len(held),
    }


def _points(reward: Reward, names: Sequence[str]) -> FloatArray | None:
    """The reward's synthetic rows (k, d) with the party's columns in its own order; None where there are none."""
    images, points = reward.arrays.get("images"), reward.arrays.get("points")
    if images is not None:
        return from_pixels(images.reshape(len(images), -1))
    return None if points is None else points[:, [list(reward.about["features"]).index(name) for name in names]]


def _accuracy(reward: Reward, data: PartyData, held: FloatArray) -> dict[str, float]:
    own = data.contribution
    X, y = own.X, np.asarray(own.y)
    points, labels = _points(reward, own.feature_names or ()), reward.arrays.get("labels")
    if points is not None and labels is not None:
        X, y = np.concatenate([X, points]), np.concatenate([y, labels])
    if len(np.unique(y)) == 1:
        predicted = np.full(len(held), y[0])
    else:
        scaling: list[Any] = [StandardScaler()]
        if image_shape(own.feature_names) is not None:  # pixels share a scale, and are too many
            scaling = [PCA(min(COMPONENTS, *X.shape), svd_solver="covariance_eigh" if len(X) > X.shape[1] else "full")]
        predicted = make_pipeline(*scaling, LogisticRegression(max_iter=5000)).fit(X, y).predict(data.held_inputs)
    return {"accuracy": float(np.mean(predicted == held)), "rows": len(held)}
